import Foundation
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: a snapshot shortens opening and changes nothing else; one that is damaged, foreign or of
/// the future never wins over the log.
/// Method: a ledger with every kind of row; snapshots made, spoiled and exchanged; the state after
/// opening is compared with the one before, byte by byte.
@Suite(.timeLimit(.minutes(3))) struct SnapshotTests {
  /// A ledger with tenants, credentials, external payees, schedules to come, recorded refusals, and
  /// policies in force and to come.
  private static func scene(_ options: Engine.Options = TestClock().options) throws -> Scene {
    let scene = try Scene(options)
    let soon = Timestamp(nanoseconds: TestClock.start + TestClock.day)
    _ = try scene.engine.submitAndWait([
      Request(.fee(.set(Fees.Terms(basisPoints: 7), begins: soon)), by: .administrator),
      Request(.fee(.set(Fees.Terms(basisPoints: 8), begins: soon.next)), by: .administrator),
    ])
    let limits = Policies.Rule.body([
      .spend(.commandMax, Scenario.usd, .month), .count(1_000, .day), .deny(.category(7)),
    ])
    _ = try scene.engine.submitAndWait([
      Request(
        .policy(.set(.tenant(TenantNumber(1)), begins: .none)), by: .administrator, body: limits),
      Request(.policy(.set(.wallet(scene.from), begins: soon)), by: .administrator, body: limits),
      Request(
        .receivable(.setCap(.none, Scenario.usd, Amount(units: 5))), by: .administrator),
    ])
    for index in 0..<30 {
      _ = try scene.engine.submitAndWait([
        scene.pay(1_000, key: "k\(index)"), scene.pay(.max / 2, key: "poor\(index)"),
        Self.pay(scene, "merchant:\(index % 7)"),
      ])
    }
    return scene
  }

  private static func pay(_ scene: Scene, _ label: String) throws -> Request {
    let hash = scene.engine.preparation.hash(label: label, of: TenantNumber(1))
    let command = Payments.Command.pay(
      from: scene.from, to: .external(label: hash), amount: Amount(units: 1_000), asset: .none,
      rail: .internal)
    return try scene.engine.preparation.request(
      .payment(command), by: .agent(scene.ann), registering: [label])
  }

  private static func path(_ scene: Scene, _ last: EventNumber) -> String {
    let number = String(last.rawValue)
    return scene.directory.path + "/snapshots/" + String(repeating: "0", count: 20 - number.count)
      + number + ".zst"
  }

  private static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: path)))
  }

  @Test func `opening with a snapshot and a tail gives the same state, keys and indexes`() throws {
    let clock = TestClock()
    let scene = try Self.scene(clock.options)
    let snapshot = try scene.engine.makeSnapshot()
    #expect(snapshot.last == scene.engine.head)
    #expect(try scene.engine.stateDigest() == (snapshot.last, snapshot.state))
    let known = try scene.pay(1_000, key: "k3")
    for index in 0..<5 { _ = try scene.engine.submitAndWait(scene.pay(7, key: "late\(index)")) }
    let state = try scene.engine.read { $0.bytes }
    let head = scene.engine.head
    scene.engine.close()

    let warnings = Warnings()
    let engine = try Engine.open(scene.directory.path, warnings.options(clock.options))
    #expect(warnings.all.isEmpty)
    #expect(try engine.read { $0.bytes } == state)
    #expect(engine.snapshots() == [snapshot])
    // Keys from before the snapshot and after it are known; names and labels are found.
    for request in [known, try scene.pay(7, key: "late4")] {
      guard case .done(_, isReplay: true) = try engine.submitAndWait(request) else {
        Issue.record("a known key was not answered")
        continue
      }
    }
    #expect(engine.head == head)
    let payees = try engine.read { $0.payments.payees.count }
    _ = try engine.submitAndWait(Self.pay(scene, "merchant:3"))
    #expect(try engine.read { $0.payments.payees.count } == payees)
    #expect(try engine.read { ledger in ledger.identity.isTaken(name: 0) } == false)
    let hash = engine.preparation.hash(credential: "sk_bob")
    #expect(try engine.read { $0.identity.holder(of: hash) != nil })
    // So are policies, with what was used before.
    let (used, isComing) = try engine.read { ledger in
      let slot = ledger.policies.current(of: .tenant(TenantNumber(1)))
      let rule = ledger.policies.rules[ledger.policies.rows[slot].firstRule]
      return (rule.counter.units, ledger.policies.coming(of: .wallet(scene.from)).isSome)
    }
    // 61 of 1,000 with their fees, and five of 7.
    #expect(used == 61 * 1_004 + 5 * 8 && isComing)
    // Timers that the snapshot held fire.
    clock.set(TestClock.start + 2 * TestClock.day)
    #expect(try engine.read { $0.fees.current } == ScheduleNumber(3))
    engine.close()
  }

  @Test func `what is disputed is known after opening with a snapshot`() throws {
    let clock = TestClock()
    let scene = try Self.scene(clock.options)
    let paid = try #require(try scene.engine.submitAndWait(scene.pay(1_000)).recorded)
    let open = Disputes.Command.open(paid.number, reason: .other, within: .max)
    let payer = Actor.agent(scene.ann)
    _ = try scene.engine.submitAndWait(Request(.dispute(open), by: payer))
    let dispute = scene.engine.head
    let evidence = Request(.dispute(.submitEvidence(dispute, .screenshot)), by: payer)
    for _ in 0..<100 { _ = try scene.engine.submitAndWait(evidence) }
    let snapshot = try scene.engine.makeSnapshot()
    let state = try scene.engine.read { $0.bytes }
    scene.engine.close()

    let warnings = Warnings()
    let engine = try Engine.open(scene.directory.path, warnings.options(clock.options))
    #expect(warnings.all.isEmpty && engine.snapshots() == [snapshot])
    #expect(try engine.read { $0.bytes } == state)
    let refused: [(Request, Rejection)] = [
      (Request(.dispute(open), by: payer), .duplicateDispute), (evidence, .tooMuchEvidence),
      (Request(.wallet(.close(scene.to)), by: .agent(scene.bob)), .walletInDispute),
    ]
    for (request, reason) in refused {
      #expect(try engine.submitAndWait(request).refusal?.reason == reason)
    }
    let withdraw = Request(.dispute(.withdraw(dispute)), by: payer)
    #expect(try engine.submitAndWait(withdraw).refusal == nil)
    #expect(try engine.read { ledger in ledger.disputes.isClaimed(scene.to) } == false)
    engine.close()
  }

  @Test func `a snapshot of a snapshot is that of the whole log`() throws {
    let scene = try Self.scene()
    _ = try scene.engine.makeSnapshot()
    #expect(try scene.engine.makeSnapshot() == scene.engine.snapshots().first)
    #expect(scene.engine.snapshots().count == 1)
    for _ in 0..<3 { _ = try scene.engine.submitAndWait(scene.pay(11)) }
    let second = try scene.engine.makeSnapshot()
    #expect(try scene.engine.stateDigest() == (second.last, second.state))
    let whole = try Self.bytes(Self.path(scene, second.last))
    for snapshot in scene.engine.snapshots() {
      try FileManager.default.removeItem(atPath: Self.path(scene, snapshot.last))
    }
    #expect(try scene.engine.makeSnapshot() == second)
    #expect(try Self.bytes(Self.path(scene, second.last)) == whole)
    scene.engine.close()
  }

  @Test func `a snapshot with any byte changed is passed over with a warning`() throws {
    let clock = TestClock()
    let scene = try Self.scene(clock.options)
    let first = try scene.engine.makeSnapshot()
    for _ in 0..<3 { _ = try scene.engine.submitAndWait(scene.pay(11)) }
    let second = try scene.engine.makeSnapshot()
    let state = try scene.engine.read { $0.bytes }
    scene.engine.close()
    let path = Self.path(scene, second.last)
    let whole = try Self.bytes(path)
    var random = SplitMix64(seeded: "snapshot flips")
    for index in 0..<whole.count {
      // All of the head and of each piece's head, and a tenth of the rest.
      guard index < 700 || random.below(10) == 0 else { continue }
      var bytes = whole
      bytes[index] ^= 1 << UInt8(random.below(8))
      try Data(bytes).write(to: URL(filePath: path))
      let snapshots = Snapshots(
        directory: scene.directory.path + "/snapshots", ledger: scene.engine.ledger,
        warn: { _ in })
      #expect(throws: StorageError.self, "byte \(index)") { try snapshots.check(second.last) }
    }
    for spoiled in [Array(whole.dropLast()), whole + [0], [], Array(whole.prefix(100))] {
      try Data(spoiled).write(to: URL(filePath: path))
      let warnings = Warnings()
      let engine = try Engine.open(scene.directory.path, warnings.options(clock.options))
      #expect(try engine.read { $0.bytes } == state)
      #expect(warnings.all.count == 1 && warnings.all[0].contains("\(second.last)"))
      engine.close()
    }
    // With both spoiled, the whole log is folded.
    try Data([1, 2, 3]).write(to: URL(filePath: Self.path(scene, first.last)))
    let warnings = Warnings()
    let engine = try Engine.open(scene.directory.path, warnings.options(clock.options))
    #expect(try engine.read { $0.bytes } == state && warnings.all.count == 2)
    engine.close()
  }

  @Test func `a check passes over a snapshot of another layout, and over one that is gone`() throws
  {
    let warnings = Warnings()
    let scene = try Self.scene(warnings.options(TestClock().options))
    let made = try scene.engine.makeSnapshot()
    var head = try SnapshotFile.head(Self.path(scene, made.last))
    (head.layout, head.tableCount) = (Ledger.layout + 1, 0)
    try File.remove(Self.path(scene, made.last))
    _ = try SnapshotFile.Writer(Self.path(scene, made.last), head, pause: { _ in })
    let found = try scene.engine.verify()
    #expect(found.findings == [] && found.snapshotCount == 0)
    #expect(warnings.all.count == 1 && warnings.all[0].contains("layout"), "\(warnings.all)")
    // Pruned while the check is on its way.
    let rest = try scene.engine.verify { _ in
      try? File.remove(Self.path(scene, made.last))
    }
    #expect(rest.findings == [] && warnings.all.count == 1)
    scene.engine.close()
  }

  @Test func `another ledger's snapshot and one under another number are passed over`() throws {
    let (ours, theirs) = (try Self.scene(), try Self.scene())
    let (own, foreign) = (try ours.engine.makeSnapshot(), try theirs.engine.makeSnapshot())
    let state = try ours.engine.read { $0.bytes }
    ours.engine.close()
    theirs.engine.close()
    let path = Self.path(ours, own.last)
    let whole = try Self.bytes(path)
    try Data(try Self.bytes(Self.path(theirs, foreign.last))).write(to: URL(filePath: path))
    let renamed = Self.path(ours, EventNumber(own.last.rawValue - 1))
    try Data(whole).write(to: URL(filePath: renamed))
    let warnings = Warnings()
    let engine = try Engine.open(ours.directory.path, warnings.options(TestClock().options))
    #expect(try engine.read { $0.bytes } == state)
    #expect(warnings.all.count == 2, "\(warnings.all)")
    #expect(warnings.all.contains { $0.contains("another ledger") })
    engine.close()
  }

  /// The state of a snapshot was folded from the log, so the log once had all of its events.
  @Test func `a snapshot of events that the log has not means that the log lost them`() throws {
    let scene = try Self.scene()
    let path = scene.directory.path
    let data = try Self.bytes(path + "/log/data.mdb")
    let headLog = try Self.bytes(path + "/head.log")
    _ = try scene.engine.submitAndWait(scene.pay(1))
    _ = try scene.engine.makeSnapshot()
    scene.engine.close()
    // Log and head.log of before, as whoever copied them back.
    try Data(data).write(to: URL(filePath: path + "/log/data.mdb"))
    try Data(headLog).write(to: URL(filePath: path + "/head.log"))
    do throws(StorageError) {
      try Engine.open(path, TestClock().options).close()
      Issue.record("it opened")
    } catch {
      #expect("\(error)".contains("lost events"), "\(error)")
    }
  }

  @Test func `snapshots are made by themselves, and old ones are pruned`() async throws {
    var options = TestClock().options
    options.snapshotEventCount = 40
    let scene = try Scene(options)
    for round in 1...6 {
      let before = scene.engine.head
      for _ in 0..<45 { _ = try await scene.engine.submit(scene.pay(1)) }
      // The thread is woken by the event; it may take its time.
      for _ in 0..<400 where (scene.engine.snapshots().first?.last ?? .none) <= before {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect((scene.engine.snapshots().first?.last ?? .none) > before, "round \(round)")
    }
    // Three, and the newest of the month, which is one of them.
    for _ in 0..<200 where scene.engine.snapshots().count > 3 {
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(scene.engine.snapshots().count == 3)
    let state = try await scene.engine.read { $0.bytes }
    scene.engine.close()
    let engine = try Engine.open(scene.directory.path, TestClock().options)
    #expect(try await engine.read { $0.bytes } == state)
    engine.close()
  }

  @Test func `pruning keeps the newest of every month, and a dry run keeps all`() throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    var made: [Snapshot] = []
    // Two in each of January, February and March 2026.
    for day: UInt64 in [5, 20, 40, 55, 65, 80] {
      clock.set(TestClock.start + day * TestClock.day)
      _ = try scene.engine.submitAndWait(scene.pay(1))
      made.append(try scene.engine.makeSnapshot())
    }
    let surplus = [made[2], made[0]]
    #expect(try scene.engine.pruneSnapshots(keeping: 2, isDryRun: true) == surplus)
    #expect(scene.engine.snapshots() == made.reversed())
    #expect(try scene.engine.pruneSnapshots(keeping: 2) == surplus)
    #expect(scene.engine.snapshots() == [made[5], made[4], made[3], made[1]])
    scene.engine.close()
  }

  @Test func `a large table is written in pieces, and paused after each`() throws {
    let directory = TemporaryDirectory()
    let scene = try Scene()
    var ledger = Ledger()
    for _ in 0..<60_000 {
      ledger.wallets.wallets.append(
        Wallets.State.Wallet(
          available: .max - 5, held: 1, agent: .none, asset: .none, opened: .none))
    }
    let snapshots = Snapshots(
      directory: directory.path + "/snapshots", ledger: scene.engine.ledger, warn: { _ in })
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: true)
    let head = EventLog.Head(last: EventNumber(4), time: .none, tree: [.none])
    let pieces = Guarded<[Int]>([])
    _ = try snapshots.write(ledger, at: head) { count in pieces.with { $0.append(count) } }
    // 64 bytes a row, 16,384 rows a piece: four for the wallets, one for each other table.
    var tableCount = 0
    ledger.withBytes { _, _ in tableCount += 1 }
    #expect(pieces.with { $0.count } == tableCount - 1 + 4)
    #expect(try snapshots.check(EventNumber(4)) == ledger.digest)
    // Given up between two pieces, nothing is left.
    struct Unexpectedly: Error {}
    #expect(throws: StorageError.self) {
      _ = try snapshots.write(
        ledger, at: EventLog.Head(last: EventNumber(8), time: .none, tree: [.none])
      ) { _ throws(StorageError) in throw .refused("closing") }
    }
    let left = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/snapshots")
    #expect(left.count == 1)
    scene.engine.close()
  }
}
