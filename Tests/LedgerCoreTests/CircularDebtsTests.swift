import Testing

@testable import LedgerCore

/// Goal: what a debtor is credited finds its way to an end, also where he owes to himself or to
/// somebody who owes to him.
/// Method: as in `DisputesTests`, in live ledgers, where what is not there is left uncovered.
@Suite struct CircularDebtsTests {
  private static let (ann, bob) = (Actor.agent(Scenario.ann), Actor.agent(Scenario.bob))
  private static let staff = Actor.operator(OperatorNumber(1))

  private static func open(_ payment: EventNumber) -> Command {
    .dispute(.open(payment, reason: .other, within: 86_400))
  }

  private func won(_ dispute: EventNumber, _ story: Story) throws {
    try story.after(.dispute(.review(dispute)), by: Self.staff)
    try story.after(.dispute(.resolve(dispute, .refunded)), by: Self.staff)
  }

  @Test func `what a debtor would owe to himself lapses`() throws {
    let story = Story(
      Scenario.agents + [
        .wallet(.opened(wallet: WalletNumber(4), agent: Scenario.bob, asset: Scenario.usd)),
        Scenario.funded(Scenario.annWallet, 10_000), Scenario.funded(Scenario.bobWallet, 503),
      ], isLive: true)
    let other = WalletNumber(4)
    let paid = try story.after(
      Scenario.pay(500, from: Scenario.bobWallet, to: .wallet(other)), by: Self.bob
    ).number
    try story.after(Scenario.pay(400, from: other, to: .external(label: 7)), by: Self.bob)
    let dispute = try story.after(Self.open(paid), by: Self.bob).number
    #expect(story.isAnythingOwed)
    try won(dispute, story)
    #expect(!story.isAnythingOwed)
    let count = story.past.count
    try story.after(Scenario.pay(10), by: Self.ann)
    #expect(story.past.count == count + 1)
  }

  @Test func `debtors who owe one another do not net for ever`() throws {
    let story = Story(
      Scenario.agents + Scenario.agent(4, Scenario.usd) + [
        Scenario.funded(Scenario.annWallet, 10_040), Scenario.funded(WalletNumber(4), 10_000),
      ], isLive: true)
    let (dan, ann, bob) = (
      Actor.agent(AgentNumber(4)), Scenario.annWallet, Scenario.bobWallet
    )
    let first = try story.after(Scenario.pay(10_000), by: Self.ann).number
    let second = try story.after(
      Scenario.pay(9_000, from: bob, to: .wallet(ann)), by: Self.bob
    ).number
    for (wallet, actor) in [(ann, Self.ann), (bob, Self.bob)] {
      let all = story.available(wallet) * 10_000 / 10_041
      try story.after(Scenario.pay(all, from: wallet, to: .external(label: 7)), by: actor)
    }
    for (payment, actor) in [(first, Self.ann), (second, Self.bob)] {
      let dispute = try story.after(Self.open(payment), by: actor).number
      try won(dispute, story)
    }
    let count = story.past.count
    try story.after(Scenario.pay(1, from: WalletNumber(4)), by: dan)
    #expect(story.past.count == count + 1 + 100)
    // The next credit goes on with it, and more of it needs fewer rounds.
    try story.after(Scenario.pay(9_000, from: WalletNumber(4)), by: dan)
    #expect(story.past.count < count + 1 + 100 + 10)
    #expect(!story.isAnythingOwed)
  }
}
