import Foundation
import Synchronization
import TestSupport
import Testing

@testable import KillTarget
@testable import LedgerCore

/// Goal: a disk or a map that fills up costs nothing but time: what ends something still goes
/// through, what begins something is refused without using up its key.
/// Method: an engine that is told how much room there is; a map that is far too small; and, where
/// we may mount one, real disks of a few megabytes that are filled.
@Suite struct RoomTests {
  /// How much room there is, as the test says.
  private final class Disk: Sendable {
    private let free = Atomic<Int>(.max)

    func set(_ byteCount: Int) { free.store(byteCount, ordering: .sequentiallyConsistent) }

    var options: Engine.Options {
      var options = TestClock().options
      options.reserveByteCount = 0
      options.free = { [self] _ in free.load(ordering: .sequentiallyConsistent) }
      return options
    }
  }

  @Test func `below two reserves nothing is begun, what ends something goes through`() throws {
    let disk = Disk()
    let scene = try Scene(disk.options)
    let head = scene.engine.head
    disk.set(2 * Batch.byteCountMax - 1)
    let pay = try scene.pay(1_000, key: "k")
    let refused = try scene.engine.submitAndWait(pay)
    #expect(refused == .refused(Refusal(.storageFull), event: .none, isReplay: false))
    let unit = try scene.engine.submitAndWait(linked: [try scene.pay(1), try scene.pay(2)])
    #expect(unit.map { $0.refusal?.reason } == [.storageFull, .linkedCommandRefused])
    #expect(scene.engine.head == head)
    let credential = try scene.engine.read { ledger in
      ledger.identity.holder(of: scene.engine.preparation.hash(credential: "sk_bob"))?.0
    }
    let revoke = Request(
      .identity(.revoke(try #require(credential))), by: .administrator)
    #expect(try scene.engine.submitAndWait(revoke).recorded != nil)
    disk.set(2 * Batch.byteCountMax)
    #expect(try scene.engine.submitAndWait(pay).recorded != nil)
    // What was done before is answered, however full the disk is.
    disk.set(0)
    guard case .done(_, isReplay: true) = try scene.engine.submitAndWait(pay) else {
      Issue.record("a known key was not answered")
      return
    }
    try scene.expectReplayAgrees()
  }

  @Test func `below one reserve nothing is written, and what fell due fires afterwards`() throws {
    let disk = Disk()
    let clock = TestClock()
    var options = disk.options
    options.clock = clock.options.clock
    options.uptime = clock.options.uptime
    let scene = try Scene(options)
    let deadline = clock.now + 1_000_000
    _ = try scene.engine.submitAndWait(
      Request(
        .fee(.set(Fees.Terms(basisPoints: 7), begins: Timestamp(nanoseconds: deadline))),
        by: .administrator))
    let head = scene.engine.head
    disk.set(Batch.byteCountMax - 1)
    clock.set(deadline + 5_000_000)
    let revoke = Request(.identity(.revoke(CredentialNumber(1))), by: .administrator)
    #expect(try scene.engine.submitAndWait(revoke).refusal?.reason == .storageFull)
    #expect(try scene.engine.read { $0.fees.current } == ScheduleNumber(1))
    #expect(scene.engine.head == head)
    disk.set(.max)
    #expect(try scene.engine.read { $0.fees.current } == ScheduleNumber(2))
    let event = try #require(try scene.engine.event(scene.engine.head))
    let began = Fees.Event.began(
      schedule: ScheduleNumber(2), effective: Timestamp(nanoseconds: deadline))
    #expect(event.event == .fee(began) && event.header.time.nanoseconds >= deadline + 5_000_000)
    scene.engine.close()
  }

  @Test func `a map that is too small grows while others read`() throws {
    var options = Engine.Options.test
    options.mapByteCount = 1 << 20
    let scene = try Scene(options)
    let isOver = Atomic(false)
    let reader = Worker(name: "reader") {
      while !isOver.load(ordering: .relaxed) {
        let first = EventNumber(max(1, scene.engine.head.rawValue / 2))
        #expect(((try? scene.engine.events(from: first, limit: 300)) ?? []).isEmpty == false)
      }
    }
    let text = String(repeating: "x", count: 20_000)
    for round in 0..<30 {
      let requests = try (0..<100).map { try scene.pay(1, key: "\(round)-\($0)", text: [text]) }
      #expect(try scene.engine.submitAndWait(requests).allSatisfy { $0.recorded != nil })
    }
    isOver.store(true, ordering: .relaxed)
    reader.join()
    #expect(try scene.engine.byteCount() > 50 << 20)
    try scene.expectReplayAgrees(options)
  }

  // MARK: - A real disk

  private static let mayMount = SmallDisk.isPossible

  @Test(.enabled(if: mayMount || SmallDisk.mustBePossible, "only root may mount a small disk"))
  func `a real disk fills, refuses, and goes on when there is room again`() throws {
    let disk = try SmallDisk(megaByteCount: 40)
    var options = Engine.Options.test
    options.reserveByteCount = 0
    options.patience = .milliseconds(200)
    let path = disk.path + "/ledger"
    let engine = try Engine.open(path, options)
    let (ann, from) = try Scene.agent("ann", engine)
    let (_, to) = try Scene.agent("bob", engine)
    let fund = Command.wallet(.fund(from, amount: Amount(units: 1_000_000_000)))
    _ = try engine.submitAndWait(Request(fund, by: .administrator))
    func pay(_ key: String) throws -> Request {
      try engine.preparation.request(
        .payment(.pay(from: from, to: .wallet(to), amount: Amount(units: 1))), by: .agent(ann),
        key: key, text: [String(repeating: "x", count: 10_000)])
    }
    var done = 0
    var refused = false
    for round in 0..<200 where !refused {
      let outcomes = try engine.submitAndWait((0..<50).map { try pay("\(round)-\($0)") })
      done += outcomes.count { $0.recorded != nil }
      refused = outcomes.contains { $0.refusal?.reason == .storageFull }
    }
    #expect(refused && done > 100)
    // Somebody else takes what was kept: now even a commit has no room, and waits for it.
    let filler = disk.path + "/filler"
    try disk.fill(filler)
    #expect(try engine.submitAndWait(pay("late")).refusal?.reason == .storageFull)
    #expect(try engine.events(from: engine.head, limit: 1).count == 1)
    try FileManager.default.removeItem(atPath: filler)
    let credential = Request(.identity(.revoke(CredentialNumber(1))), by: .administrator)
    #expect(try engine.submitAndWait(credential).recorded != nil)
    #expect(try engine.verify().findings == [])
    let state = try engine.read { $0.bytes }
    engine.close()
    let again = try Engine.open(path, options)
    #expect(try again.read { $0.bytes } == state)
    #expect(try again.read { $0.wallets.wallets[to].available } == Int128(done))
    again.close()
  }
}

extension RoomTests {
  /// `ROOM_ROUNDS=200` for more than the short form's 3.
  private static let rounds =
    ProcessInfo.processInfo.environment["ROOM_ROUNDS"].flatMap { Int($0) } ?? 3

  /// What came of filling a disk.
  private struct Fillings {
    var (full, ended, answered, lost) = (0, 0, 0, 0)
  }

  /// The ledger hears that there is room until there is next to none, so that it ends at whichever
  /// write it happens to.
  @Test(.enabled(if: SmallDisk.isPossible || SmallDisk.mustBePossible, "only root may mount"))
  func `a disk of 6 MiB fills again and again, and costs no answer`() throws {
    var random = SplitMix64(seeded: "small disk")
    let disk = try SmallDisk(megaByteCount: 6)
    var found = Fillings()
    for _ in 0..<Self.rounds { try fill(disk, &random, &found) }
    #expect(found.full == Self.rounds && found.lost == 0)
    print(
      "prove: \(found.full) times a full disk of 6 MiB, \(found.answered) answers;",
      "seed \(random.seed); \(found.full - found.ended) went on, \(found.ended) opened again,",
      "\(found.lost) lost")
  }

  private func fill(
    _ disk: SmallDisk, _ random: inout SplitMix64, _ found: inout Fillings
  ) throws {
    var options = Engine.Options.test
    options.free = { Reserve.free(in: $0) < 64 << 10 ? 0 : .max }
    options.patience = .milliseconds(50)
    let path = disk.path + "/ledger"
    let filler = URL(filePath: disk.path + "/filler")
    try Data(count: 1 << 20 + random.below(2 << 20)).write(to: filler)
    var workload = try Workload(Engine.open(path, options))
    var answers: [String: EventNumber] = [:]
    var pending: [String] = []
    var isFull = false
    let deadline = Date(timeIntervalSinceNow: 60)
    while !isFull || !pending.isEmpty {
      try #require(Date() < deadline, "it does not go on: \(pending.count) wait")
      if pending.isEmpty {
        pending = (0...random.below(200)).map { "t-\(answers.count + $0)" }
      }
      let requests = try pending.map { try workload.request($0) }
      var isOver = false
      do throws(LedgerFailure) {
        for (key, outcome) in zip(pending, try workload.engine.submitAndWait(requests)) {
          answers[key] = outcome.recorded?.number
        }
      } catch {
        if case .ledgerFailed = error { isOver = true }
      }
      pending = pending.filter { answers[$0] == nil }
      if !pending.isEmpty, !isFull {
        isFull = true
        found.full += 1
        try FileManager.default.removeItem(at: filler)
      }
      if isOver {
        found.ended += 1
        workload.engine.close()
        workload = try Workload(Engine.open(path, options))
      }
    }
    #expect(try workload.engine.verify().findings == [])
    workload.engine.close()
    found.answered += answers.count
    found.lost += try lost(answers, path, options)
    try FileManager.default.removeItem(atPath: path)
  }

  /// How many of the answers are others now, after the ledger is opened again.
  private func lost(
    _ answers: [String: EventNumber], _ path: String, _ options: Engine.Options
  ) throws -> Int {
    let engine = try Engine.open(path, options)
    defer { engine.close() }
    let workload = try Workload(engine)
    var lost = 0
    for (key, number) in answers {
      let outcome = try engine.submitAndWait(workload.request(key))
      guard case .done(let recorded, isReplay: true) = outcome, recorded.number == number else {
        lost += 1
        continue
      }
    }
    let paid = try engine.read { $0.wallets.wallets[WalletNumber(2)].available }
    #expect(paid == Int128(answers.count) * Workload.amount)
    return lost
  }
}

/// A file system of a few megabytes, for as long as it is held.
private final class SmallDisk: Sendable {
  private let directory = TemporaryDirectory()
  let path: String

  static let isPossible =
    geteuid() == 0 && FileManager.default.fileExists(atPath: "/dev/loop-control")
  static let mustBePossible = ProcessInfo.processInfo.environment["CI"] == "true"

  init(megaByteCount: Int) throws {
    path = directory.path + "/mounted"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let image = directory.path + "/image"
    try Self.run("truncate", "-s", "\(megaByteCount)M", image)
    try Self.run("mkfs.ext4", "-q", "-m", "0", image)
    try Self.run("mount", "-o", "loop", image, path)
  }

  deinit { try? Self.run("umount", path) }

  /// Takes all the room that is left.
  func fill(_ file: String) throws {
    _ = try? Self.run("dd", "if=/dev/zero", "of=\(file)", "bs=64K", "status=none")
  }

  private static func run(_ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Unexpected(arguments) }
  }
}
