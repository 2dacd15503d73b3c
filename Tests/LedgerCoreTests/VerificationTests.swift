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

  @Test func `a bad note is one failed read, and the engine goes on`() throws {
    let scene = try Scene()
    let outcome = try scene.engine.submitAndWait(scene.pay(1, text: ["for tea"]))
    let number = try #require(outcome.recorded?.number)
    let log = try #require(scene.engine.following.log)
    try log.environment.write { transaction throws(StorageError) in
      let key = Environment.Key(number.rawValue)
      let note = try transaction.get(EventLog.notes, key) { bytes throws(StorageError) in
        bytes.copied()
      }
      var damaged = note ?? []
      damaged[damaged.count - 1] ^= 1
      try transaction.put(EventLog.notes, key, unsafe damaged.span.bytes)
    }
    #expect {
      _ = try scene.engine.text(of: number)
    } throws: { error in
      if case .readFailed? = error as? LedgerFailure { true } else { false }
    }
    #expect(try scene.engine.submitAndWait(scene.pay(1)).recorded != nil)
    #expect(try !scene.engine.verify().findings.isEmpty)
  }
}
