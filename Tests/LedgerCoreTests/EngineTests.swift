import Foundation
import Testing

@testable import LedgerCore

/// Goal: what the engine answered is on disk, in order, and is answered the same for ever.
/// Method: the real engine on a real directory; restarts instead of mocks.
@Suite struct EngineTests {
  @Test func `a payment moves amount and fee, and is there after a restart`() throws {
    let scene = try Scene()
    let outcome = try scene.engine.submitAndWait(scene.pay(5_000_000_000, key: "a"))
    guard case .payment(.completed(let payment))? = outcome.recorded?.event else {
      throw Unexpected(outcome)
    }
    #expect(payment.fee.units == 20_000_000)
    #expect(try scene.available(scene.from) == 1_000_000_000_000 - 5_020_000_000)
    #expect(try scene.available(scene.to) == 5_000_000_000)
    let head = scene.engine.head
    scene.engine.close()

    let again = try Engine.open(scene.directory.path, .test)
    #expect(again.head == head)
    let (to, from) = (scene.to, scene.from)
    #expect(try again.read { $0.wallets.wallets[to].available } == 5_000_000_000)
    #expect(try again.read { $0.wallets.wallets[from].available } == 994_980_000_000)
    #expect(try again.event(outcome.recorded?.number ?? .none) == outcome.recorded)
    again.close()
  }

  @Test func `the same key answers the same, another request under it is a conflict`() throws {
    let scene = try Scene()
    let first = try scene.engine.submitAndWait(scene.pay(7, key: "k"))
    let span = try scene.engine.submitAndWait([scene.pay(7, key: "k"), scene.pay(8, key: "k")])
    #expect(span[0] == .done(try #require(first.recorded), isReplay: true))
    #expect(span[1].refusal?.reason == .idempotencyConflict)
    #expect(try scene.available(scene.to) == 7)
  }

  @Test func `a recorded refusal stays refused after money came`() throws {
    let scene = try Scene(funds: 10)
    let refused = try scene.engine.submitAndWait(scene.pay(100, key: "k"))
    #expect(refused.refusal?.reason == .insufficientFunds)
    #expect(refused.refusal?.limit.units == 10)
    #expect(refused.refusal?.asked.units == 101)
    let fund = Request(
      .wallet(
        .fund(scene.from, amount: Amount(units: 1_000), asset: .none, cap: .commandMax)),
      by: .administrator)
    #expect(try scene.engine.submitAndWait(fund).recorded != nil)
    let again = try scene.engine.submitAndWait(scene.pay(100, key: "k"))
    guard case .refused(let refusal, let event, isReplay: true) = again else {
      throw Unexpected(again)
    }
    #expect(refusal == refused.refusal)
    #expect(event.isSome)
    #expect(try scene.engine.submitAndWait(scene.pay(100, key: "new")).recorded != nil)
  }

  @Test func `linked commands are all done or none`() throws {
    let scene = try Scene(funds: 100)
    let head = scene.engine.head
    let refused = try scene.engine.submitAndWait(linked: [scene.pay(50), scene.pay(60)])
    #expect(refused[0].refusal?.reason == .linkedCommandRefused)
    #expect(refused[1].refusal?.reason == .insufficientFunds)
    #expect(try scene.available(scene.from) == 100)
    #expect(scene.engine.head == head)
    let done = try scene.engine.submitAndWait(linked: [scene.pay(50), scene.pay(40)])
    #expect(done.allSatisfy { $0.recorded != nil })
    #expect(try scene.available(scene.to) == 90)
  }

  @Test func `events are numbered without gaps and their times rise`() throws {
    let scene = try Scene()
    _ = try scene.engine.submitAndWait((0..<20_000).map { _ in try scene.pay(1) })
    var next = EventNumber(1)
    var time = Timestamp.none
    while true {
      let events = try scene.engine.events(from: next)
      guard let last = events.last else { break }
      for event in events {
        #expect(event.number == next && event.header.time > time)
        next = EventNumber(next.rawValue + 1)
        time = event.header.time
      }
      #expect(last.number.rawValue + 1 == next.rawValue)
    }
    #expect(next.rawValue == scene.engine.head.rawValue + 1)
  }

  @Test func `following yields what is there and what comes`() async throws {
    let scene = try Scene()
    let engine = scene.engine
    let task = Task {
      var numbers: [UInt64] = []
      for try await event in engine.follow(from: EventNumber(1)) {
        numbers.append(event.number.rawValue)
        if event.number.rawValue == 14 { break }
      }
      return numbers
    }
    while engine.head.rawValue < 14 {
      _ = try await engine.submit(scene.pay(1))
    }
    #expect(try await task.value == Array(1...14))
  }

  @Test func `text is sealed beside the event and opens again`() throws {
    let scene = try Scene()
    let outcome = try scene.engine.submitAndWait(scene.pay(1, text: ["for the canary-7f3a"]))
    let number = try #require(outcome.recorded?.number)
    #expect(try scene.engine.text(of: number) == ["for the canary-7f3a"])
    scene.engine.close()
    let data = try Data(contentsOf: URL(filePath: scene.directory.path + "/log/data.mdb"))
    #expect(data.range(of: Data("canary-7f3a".utf8)) == nil)
  }

  @Test func `a second open is refused, and a closed ledger opens again`() throws {
    let scene = try Scene()
    #expect(throws: StorageError.locked(holder: getpid())) {
      _ = try Engine.open(scene.directory.path, .test)
    }
    scene.engine.close()
    #expect(throws: LedgerFailure.closed) { _ = try scene.engine.submitAndWait(scene.pay(1)) }
    try Engine.open(scene.directory.path, .test).close()
  }
}
