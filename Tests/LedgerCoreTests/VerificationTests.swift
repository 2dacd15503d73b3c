import Foundation
import Synchronization
import Testing

@testable import LedgerCore

/// Goal: a check finds what is wrong and nothing that is right, whatever goes on beside it.
/// Method: a real ledger, checked while others write, and after it was tampered with.
@Suite struct VerificationTests {
  private static func fund(_ scene: Scene, _ count: Int) -> [Request] {
    let request = Request(
      .wallet(.fund(scene.from, amount: Amount(units: 1))), by: .administrator)
    return Array(repeating: request, count: count)
  }

  @Test func `a healthy ledger is healthy while commits go on`() throws {
    let scene = try Scene()
    for _ in 0..<5 { _ = try scene.engine.submitAndWait(Self.fund(scene, 1_000)) }
    let isOver = Atomic(false)
    let writer = Thread {
      while !isOver.load(ordering: .relaxed) {
        _ = try? scene.engine.submitAndWait(Self.fund(scene, 50))
      }
    }
    writer.start()
    defer { isOver.store(true, ordering: .relaxed) }
    for _ in 0..<4 { #expect(try scene.engine.verify().findings == []) }
  }

  @Test func `looking at the wall's clock of another year changes nothing`() async throws {
    let directory = TemporaryDirectory()
    let day: UInt64 = 86_400_000_000_000
    let engine = try Engine.open(directory.path, .test)
    let begins = Timestamp(nanoseconds: SystemClock.wall() + day)
    _ = try engine.submitAndWait(
      Request(.fee(.set(Fees.Terms(basisPoints: 9), begins: begins)), by: .administrator))
    let head = engine.head
    engine.close()
    // As ledgerctl opens it: in the ledger's own time.
    var options = Engine.Options.test
    options.acceptsClock = true
    options.clock = { 0 }
    let looking = try Engine.open(directory.path, options)
    #expect(try await looking.counts().feeSchedule == 1)
    #expect(looking.head == head)
    looking.close()
  }

  @Test func `agents of no named tenant may have one name`() async throws {
    let directory = TemporaryDirectory()
    let engine = try Engine.open(directory.path, .test)
    let first = try await engine.register(agent: "ann")
    let second = try await engine.register(agent: "ann")
    #expect(first.number != second.number && first.tenant != second.tenant)
    _ = try await engine.register(agent: "ann", of: "acme")
    await #expect(throws: Refusal.self) { _ = try await engine.register(agent: "ann", of: "acme") }
    engine.close()
  }

  @Test func `a log that vanished is not begun anew`() throws {
    let scene = try Scene()
    scene.engine.close()
    let path = scene.directory.path
    for name in ["/log/data.mdb", "/log/lock.mdb", "/head.log"] {
      try FileManager.default.removeItem(atPath: path + name)
    }
    #expect(throws: StorageError.self) { _ = try Engine.open(path, .test) }
  }

  @Test func `a bad note is one failed read, and the engine goes on until it is opened`() throws {
    let scene = try Scene()
    let (number, note) = try Self.note(scene)
    var damaged = note
    damaged[damaged.count - 1] ^= 1
    try Self.put(damaged, beside: number, scene)
    #expect {
      _ = try scene.engine.text(of: number)
    } throws: { error in
      if case .readFailed? = error as? LedgerFailure { true } else { false }
    }
    #expect(try scene.engine.submitAndWait(scene.pay(1)).recorded != nil)
    #expect(try !scene.engine.verify().findings.isEmpty)
    scene.engine.close()
    #expect(Self.opening(scene).contains("their checksum differs"))
  }

  /// As a disk leaves it that lost a write behind a sync: the frame is there, its text is not.
  @Test func `a text that is not there is found by the next opening`() throws {
    let scene = try Scene()
    let (number, note) = try Self.note(scene)
    try Self.put(note.prefix(4) + [UInt8](repeating: 0, count: 12), beside: number, scene)
    scene.engine.close()
    #expect(Self.opening(scene).contains("0 of its 1 texts are there"))
  }

  /// A payment with a text, and the row of `notes` beside it.
  private static func note(_ scene: Scene) throws -> (EventNumber, [UInt8]) {
    let outcome = try scene.engine.submitAndWait(scene.pay(1, text: ["for tea"]))
    let number = try #require(outcome.recorded?.number)
    let log = try #require(scene.engine.following.log)
    let note = try log.environment.read { transaction throws(StorageError) in
      try transaction.get(EventLog.notes, Environment.Key(number.rawValue)) {
        bytes throws(StorageError) in bytes.copied()
      }
    }
    return (number, try #require(note))
  }

  private static func put(
    _ note: [UInt8], beside number: EventNumber, _ scene: Scene
  ) throws {
    let log = try #require(scene.engine.following.log)
    try log.environment.write { transaction throws(StorageError) in
      try transaction.put(
        EventLog.notes, Environment.Key(number.rawValue), unsafe note.span.bytes)
    }
  }

  /// Why the ledger is not opened; empty where it is.
  private static func opening(_ scene: Scene) -> String {
    do {
      try Engine.open(scene.directory.path, .test).close()
      return ""
    } catch {
      return "\(error)"
    }
  }
}
