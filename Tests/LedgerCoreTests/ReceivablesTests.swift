import Testing

@testable import LedgerCore

/// Goal: no more is advanced than the caps leave, and a debt is written off by two.
/// Method: stories of disputes of payments that are no longer there.
@Suite struct ReceivablesTests {
  private static let (one, two) = (
    Actor.operator(OperatorNumber(1)), Actor.operator(OperatorNumber(2))
  )
  private static let ann = Actor.agent(Scenario.ann)

  private static func cap(_ units: Int128, of tenant: TenantNumber = .none) -> Command {
    .receivable(.setCap(tenant, Scenario.usd, Amount(units: units)))
  }

  /// Ann paid bob 1,000, who paid it on to a label, and disputes it.
  private static func disputed(
    isLive: Bool = false, caps: [Command] = []
  ) throws -> (Story, EventNumber) {
    let story = Story(
      Scenario.agents + (isLive ? [] : [Scenario.funded(Scenario.annWallet, 10_000)]),
      isLive: isLive)
    for command in caps { try story.after(command, by: one) }
    let paid = try story.after(Scenario.pay(1_000), by: ann)
    try story.after(
      Scenario.pay(996, from: Scenario.bobWallet, to: .external(label: 7)),
      by: .agent(Scenario.bob))
    let opened = try story.after(
      .dispute(.open(paid.number, reason: .other, within: .max)), by: ann)
    return (story, opened.number)
  }

  private static func decided(caps: [Command] = []) throws -> (Story, EventNumber) {
    let (story, dispute) = try disputed(caps: caps)
    try story.after(.dispute(.review(dispute)), by: one)
    try story.after(.dispute(.resolve(dispute, .refunded)), by: one)
    return (story, dispute)
  }

  // MARK: - Caps

  @Test func `without a cap a test ledger advances all`() throws {
    let (story, dispute) = try Self.disputed()
    #expect(story.claims(of: dispute)[0].receivable == Amount(units: 1_000))
    #expect(story.claims(of: dispute)[0].uncovered == .zero)
  }

  @Test func `no more is advanced than the tenant's cap and the whole one leave`() throws {
    let bob = TenantNumber(2)
    for (caps, advanced) in [
      ([Self.cap(300)], 300), ([Self.cap(300, of: bob)], 300), ([Self.cap(0)], 0),
      ([Self.cap(300), Self.cap(400, of: bob)], 300), ([Self.cap(5_000)], 1_000),
      ([Self.cap(400), Self.cap(300, of: bob)], 300), ([Self.cap(0, of: TenantNumber(1))], 1_000),
      // The last one counts.
      ([Self.cap(0), Self.cap(700)], 700),
    ] as [([Command], Int128)] {
      let (story, dispute) = try Self.disputed(caps: caps)
      let claim = story.claims(of: dispute)[0]
      #expect(claim.receivable == Amount(units: advanced))
      #expect(claim.uncovered == Amount(units: 1_000 - advanced))
    }
  }

  @Test func `what was paid back may be advanced again`() throws {
    let (story, first) = try Self.disputed(caps: [Self.cap(1_500)])
    #expect(story.claims(of: first)[0].receivable == Amount(units: 1_000))
    // 600 come in and are netted, so 400 are out and 1,100 are left.
    let paid = try story.after(Scenario.pay(600), by: Self.ann)
    let second = try story.after(
      .dispute(.open(paid.number, reason: .other, within: .max)), by: Self.ann)
    #expect(story.claims(of: second.number)[0].receivable == Amount(units: 600))
    let third = try story.after(Scenario.pay(2_000), by: Self.ann)
    #expect(story.available(Scenario.bobWallet) == 1_000)
    try story.after(
      Scenario.pay(990, from: Scenario.bobWallet, to: .external(label: 7)),
      by: .agent(Scenario.bob))
    let last = try story.after(
      .dispute(.open(third.number, reason: .other, within: .max)), by: Self.ann)
    #expect(story.claims(of: last.number)[0].held == Amount(units: 6))
    #expect(story.claims(of: last.number)[0].receivable == Amount(units: 1_500))
    #expect(story.claims(of: last.number)[0].uncovered == Amount(units: 494))
  }

  @Test func `of a split, what is advanced for one is no longer there for the next`() throws {
    let story = Story(Scenario.agents + [Scenario.funded(Scenario.annWallet, 10_000)])
    let carl = Command.identity(
      .registerAgent(
        tenant: 0, name: 0, asset: Scenario.usd, apiKey: 0xC0, secretKey: 0xC1))
    try story.after(carl, by: .anonymous)
    let shares = Splits.Share.body([
      Splits.Share(.wallet(Scenario.bobWallet), weight: 1),
      Splits.Share(.wallet(WalletNumber(4)), weight: 1),
    ])
    let paid = try story.after(Scenario.pay(1_000, to: .split), body: shares, by: Self.ann)
    for (wallet, agent) in [(Scenario.bobWallet, Scenario.bob), (WalletNumber(4), AgentNumber(4))] {
      try story.after(
        Scenario.pay(498, from: wallet, to: .external(label: 7)), by: .agent(agent))
    }
    for command in [Self.cap(700), Self.cap(400, of: TenantNumber(2))] {
      try story.after(command, by: Self.one)
    }
    let opened = try story.after(
      .dispute(.open(paid.number, reason: .other, within: .max)), by: Self.ann)
    #expect(
      story.claims(of: opened.number).map(\.receivable) == [
        Amount(units: 400), Amount(units: 300),
      ])
  }

  @Test func `only staff sets caps, of what there is`() {
    for (command, actor, reason) in [
      (Self.cap(5), Self.ann, .notPermitted),
      (Self.cap(5), .tenantAdmin(TenantNumber(1)), .notPermitted),
      (Self.cap(5, of: TenantNumber(9)), Self.one, .tenantNotFound),
      (Self.cap(-1), Self.one, .amountOutOfRange),
      (Self.cap(Amount.commandMax.units + 1), Self.one, .amountOutOfRange),
      (
        .receivable(.setCap(.none, AssetNumber(9), Amount(units: 1))), Self.one, .assetNotFound
      ),
    ] as [(Command, Actor, Rejection)] {
      expect(when: command, by: actor, refused: reason)
    }
  }

  // MARK: - Write-off

  @Test func `two operators write a debt off`() throws {
    let (story, dispute) = try Self.decided()
    let command = Command.receivable(.writeOff(dispute, of: Scenario.bob))
    let asked = try story.after(command, by: Self.one)
    #expect(asked.event.code == 0x0902 && story.balance(.receivable(dispute)) == 1_000)
    #expect(story.refusal(command, by: Self.one)?.reason == .sameOperator)
    try story.after(command, by: Self.two)
    #expect(story.balance(.receivable(dispute)) == 0 && story.balance(.badDebt) == 1_000)
    #expect(!story.isAnythingOwed)
    #expect(story.refusal(command, by: Self.two)?.reason == .debtNotFound)
    // What bob is paid now is his.
    try story.after(Scenario.pay(50), by: Self.ann)
    #expect(story.available(Scenario.bobWallet) == 50)
  }

  @Test func `what is left of a debt is written off, and what the payer is to get is not`() throws {
    let (story, dispute) = try Self.decided(caps: [Self.cap(700)])
    let command = Command.receivable(.writeOff(dispute, of: Scenario.bob))
    try story.after(command, by: Self.one)
    try story.after(Scenario.pay(200), by: Self.ann)
    let written = try story.after(command, by: Self.two)
    guard case .receivable(.writtenOff(let writeOff)) = written.event else {
      Issue.record("the second operator writes it off")
      return
    }
    #expect(writeOff.amount == Amount(units: 500) && story.balance(.badDebt) == 500)
    let before = story.available(Scenario.annWallet)
    try story.after(Scenario.pay(300), by: Self.ann)
    // 300 and the fee of 2 out, and what was uncovered back.
    #expect(story.available(Scenario.annWallet) == before - 302 + 300)
    #expect(!story.isAnythingOwed)
  }

  @Test func `a debt whose dispute is not decided is not written off`() throws {
    let (story, dispute) = try Self.disputed()
    let command = Command.receivable(.writeOff(dispute, of: Scenario.bob))
    #expect(story.refusal(command, by: Self.one)?.reason == .debtUnsettled)
    for (other, actor, reason) in [
      (command, Self.ann, .notPermitted), (command, .administrator, .notPermitted),
      (.receivable(.writeOff(dispute, of: Scenario.ann)), Self.one, .debtNotFound),
      (.receivable(.writeOff(EventNumber(1), of: Scenario.bob)), Self.one, .disputeNotFound),
    ] as [(Command, Actor, Rejection)] {
      #expect(story.refusal(other, by: actor)?.reason == reason)
    }
  }

  @Test func `what was written off may be advanced again`() throws {
    let (story, dispute) = try Self.decided(caps: [Self.cap(1_000)])
    let command = Command.receivable(.writeOff(dispute, of: Scenario.bob))
    for actor in [Self.one, Self.two] { try story.after(command, by: actor) }
    let rows = story.ledger.receivables.exposures.count
    for raw in 1...UInt64(rows) {
      #expect(story.ledger.receivables.exposures[Number(raw)].outstanding == 0)
    }
  }
}
