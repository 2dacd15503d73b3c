import Testing

@testable import LedgerCore

/// Goal: what a debtor is credited is netted before he can spend it, whatever credits him.
/// Method: the real engine on a real directory; the log read afterwards, the state compared with
/// its replay.
@Suite struct NettingTests {
  private static let window: UInt32 = 86_400

  /// Ann paid bob so many times 100, and disputed it after he had passed it all on.
  private static func scene(debts: Int = 1, _ options: Engine.Options = .test) throws -> Scene {
    let scene = try Scene(options)
    let payments = try scene.engine.submitAndWait(try (0..<debts).map { _ in try scene.pay(100) })
    let spent = Int128(debts) * 100 * 10_000 / 10_041
    #expect(try scene.reason(try scene.payBack(spent)) == nil)
    for payment in payments {
      let number = try #require(payment.recorded).number
      #expect(
        try scene.reason(
          Request(
            .dispute(.open(number, reason: .other, within: window)), by: .agent(scene.ann)))
          == nil)
    }
    return scene
  }

  @Test func `a credit and its netting are one command`() throws {
    let scene = try Self.scene()
    let head = scene.engine.head
    _ = try scene.engine.submitAndWait(scene.pay(30))
    let events = try scene.engine.events(from: EventNumber(head.rawValue + 1))
    #expect(events.count == 2)
    guard case .receivable(.netted(let netting)) = events[1].event else {
      Issue.record("nothing was netted")
      return
    }
    #expect(netting.receivable == Amount(units: 30))
    #expect(events[1].header.actor == .ledger)
    #expect(try scene.available(scene.to) == 0)
    #expect(try scene.engine.verify().findings.isEmpty)
    try scene.expectReplayAgrees()
  }

  @Test func `a debtor cannot spend a credit within a linked unit`() throws {
    let scene = try Self.scene()
    let before = try scene.engine.read { $0.bytes }
    let outcomes = try scene.engine.submitAndWait(linked: [
      try scene.pay(50), try scene.payBack(40),
    ])
    #expect(outcomes.map { $0.refusal?.reason } == [.linkedCommandRefused, .insufficientFunds])
    #expect(try scene.engine.read { $0.bytes } == before)
    let done = try scene.engine.submitAndWait(linked: [try scene.pay(200), try scene.payBack(40)])
    #expect(done.allSatisfy { $0.refusal == nil })
    try scene.expectReplayAgrees()
  }

  @Test(arguments: [false, true])
  func `one credit nets as many debts as it reaches`(isLinked: Bool) throws {
    let scene = try Self.scene(debts: 300)
    let owed = try scene.engine.read { ledger in
      var owed: Int128 = 0
      ledger.receivables.walk { _, debt, _ in owed += debt.receivable }
      return owed
    }
    let head = scene.engine.head
    let request = try scene.pay(owed - 1)
    let outcomes =
      isLinked
      ? try scene.engine.submitAndWait(linked: [request])
      : [try scene.engine.submitAndWait(request)]
    #expect(outcomes[0].refusal == nil)
    #expect(try scene.available(scene.to) == 0)
    let debts = try scene.engine.read { $0.receivables.debts.count }
    #expect(debts == 1)
    #expect(scene.engine.head.rawValue > head.rawValue + 290)
    _ = try scene.engine.submitAndWait(scene.pay(3))
    #expect(try scene.available(scene.to) == 2)
    #expect(try scene.engine.verify().findings.isEmpty)
    try scene.expectReplayAgrees()
  }

  /// One dispute of many receivers, and a credit to them that nets more than its commands' events.
  @Test func `a linked unit nets what it made a debt itself`() throws {
    let scene = try Scene(.test)
    let open = Request(
      .wallet(.open(agent: scene.bob, asset: AssetNumber(1))), by: .agent(scene.bob))
    let wallets = try (0..<20).map { _ in
      guard
        case .wallet(.opened(let wallet, _, _))? = try scene.engine.submitAndWait(open).recorded?
          .event
      else { throw StorageError.refused("no wallet was opened") }
      return wallet
    }
    let shares = wallets.map { Splits.Share(.wallet($0), weight: 1) }
    let split = Request(
      .payment(.pay(from: scene.from, to: .split, amount: Amount(units: 2_000))),
      by: .agent(scene.ann), body: Splits.Share.body(shares))
    let payment = try #require(try scene.engine.submitAndWait(split).recorded).number
    for wallet in wallets {
      let spend = Payments.Command.pay(
        from: wallet, to: .wallet(scene.from), amount: Amount(units: 99))
      #expect(try scene.reason(Request(.payment(spend), by: .agent(scene.bob))) == nil)
    }
    let dispute = Request(
      .dispute(.open(payment, reason: .other, within: Self.window)), by: .agent(scene.ann))
    let outcomes = try scene.engine.submitAndWait(linked: [dispute, try scene.pay(2_100)])
    #expect(outcomes.map { $0.refusal?.reason } == [nil, nil])
    let isEmpty = try scene.engine.read { $0.receivables.isEmpty }
    #expect(isEmpty)
    try scene.expectReplayAgrees()
  }

  @Test func `what a timer gives back is netted too`() throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    // Bob holds what he got before it is disputed.
    let payment = try #require(try scene.engine.submitAndWait(scene.pay(1_000)).recorded).number
    #expect(
      try scene.reason(
        Request(
          .reservation(
            .reserve(
              from: scene.to, to: .wallet(scene.from), amount: Amount(units: 500), seconds: 60)),
          by: .agent(scene.bob))) == nil)
    #expect(
      try scene.reason(
        Request(
          .dispute(.open(payment, reason: .other, within: Self.window)), by: .agent(scene.ann)))
        == nil)
    #expect(try scene.engine.read { $0.receivables.debts[DebtSlot(1)].receivable } == 502)
    clock.set(clock.now + 61 * TestClock.second)
    #expect(try scene.available(scene.to) == 0)
    let isEmpty = try scene.engine.read { $0.receivables.isEmpty }
    #expect(isEmpty)
    #expect(try scene.engine.verify().findings.isEmpty)
    try scene.expectReplayAgrees(clock.options)
  }
}

extension Scene {
  /// Why a request was refused, or `nil`.
  fileprivate func reason(_ request: Request) throws -> Rejection? {
    try engine.submitAndWait(request).refusal?.reason
  }

  /// Bob pays ann.
  fileprivate func payBack(_ units: Int128) throws -> Request {
    try engine.preparation.request(
      .payment(.pay(from: to, to: .wallet(from), amount: Amount(units: units))), by: .agent(bob))
  }
}
