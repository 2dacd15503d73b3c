import Testing

@testable import LedgerCore

/// Goal: no wallet ends while a dispute may still take something of it, and none is kept open for
/// less. Method: commands one after the other on the pure ledger; after each, balances from
/// postings are compared with those of the state.
@Suite struct DisputedWalletTests {
  private typealias World = DisputesTests
  private static let close = Command.wallet(.close(Scenario.bobWallet))
  private static let second = WalletNumber(4)

  @Test func `a wallet that is claimed from, or whose agent owes, is not closed`() throws {
    let story = try World.spent()
    let dispute = try World.opened(story)
    #expect(story.refusal(Self.close, by: World.bob)?.reason == .walletInDispute)
    try World.decided(story, dispute, .refunded)
    #expect(story.refusal(Self.close, by: World.bob)?.reason == .walletInDispute)
    try story.after(Scenario.pay(603), by: World.ann)
    try story.after(Self.close, by: World.bob)
  }

  /// Else he would dispute what he got himself, pass it on, and be gone when it is decided.
  @Test func `a payee cannot close the wallet that his own dispute is about`() throws {
    let story = World.story()
    let dispute = try World.opened(story, by: World.bob)
    try story.after(
      Scenario.pay(995, from: Scenario.bobWallet, to: .wallet(Scenario.annWallet)), by: World.bob)
    #expect(story.refusal(Self.close, by: World.bob)?.reason == .walletInDispute)
    try story.after(World.withdraw(dispute), by: World.bob)
    try story.after(Self.close, by: World.bob)
  }

  @Test func `a payer who closed his wallet has it set aside`() throws {
    let story = World.story()
    try story.after(
      .wallet(.open(agent: Scenario.ann, asset: Scenario.usd)), by: World.ann)
    let dispute = try World.opened(story)
    try story.after(
      .wallet(.close(Scenario.annWallet, to: Self.second)), by: World.ann)
    try World.decided(story, dispute, .refunded)
    #expect(story.balance(.suspense(Scenario.ann)) == 1_000)
  }

  @Test func `each of several disputes keeps the wallet open`() throws {
    let story = World.story()
    let other = try story.after(Scenario.pay(100), by: World.ann).number
    let first = try World.opened(story)
    let second = try story.after(World.open(other), by: World.ann).number
    for dispute in [first, second] {
      #expect(story.refusal(Self.close, by: World.bob)?.reason == .walletInDispute)
      try World.decided(story, dispute, .refunded)
    }
    try story.after(Self.close, by: World.bob)
  }

  @Test func `what else keeps a wallet open is said first`() throws {
    let story = Story(
      Scenario.agents + [
        Scenario.funded(Scenario.annWallet, 100_000_000), Scenario.paid(20_000_000, fee: 80_000),
        .wallet(.opened(wallet: Self.second, agent: Scenario.bob, asset: Scenario.usd)),
      ])
    _ = try World.opened(story, by: World.bob)
    let heirs: [(WalletNumber, Rejection)] = [
      (.none, .walletNotEmpty), (Scenario.annWallet, .payeeNotFound),
      (Scenario.bobWallet, .selfPayment), (Self.second, .walletInDispute),
    ]
    for (heir, reason) in heirs {
      let refusal = story.refusal(
        .wallet(.close(Scenario.bobWallet, to: heir)), by: World.bob)
      #expect(refusal?.reason == reason, "to \(heir)")
    }
  }

  /// Ann paid 10 to bob and eve, a unit of it to bob, who had to give it back with the first 6.
  private static func givenBack(_ party: Actor) throws -> (Story, dispute: EventNumber) {
    let story = Story(Scenario.agents + [Scenario.funded(Scenario.annWallet, 10_000)])
    try story.after(
      .wallet(.open(agent: Scenario.eve, asset: Scenario.usd)), by: .agent(Scenario.eve))
    let shares = Splits.Share.body([
      Splits.Share(.wallet(Scenario.bobWallet), weight: 1),
      Splits.Share(.wallet(second), weight: 9),
    ])
    let paid = try story.after(Scenario.pay(10, to: .split), body: shares, by: World.ann).number
    try story.after(.refund(.refund(paid, amount: Amount(units: 6))), by: World.staff)
    return (story, try story.after(World.open(paid), by: party).number)
  }

  @Test(arguments: Disputes.Outcome.allCases, [World.ann, .agent(Scenario.eve)])
  func `a receiver who gave all back is free to close`(
    _ outcome: Disputes.Outcome, _ party: Actor
  ) throws {
    let (story, dispute) = try Self.givenBack(party)
    #expect(
      story.claims(of: dispute).map { $0.held + $0.uncovered }
        == [.zero, Amount(units: 4)])
    try story.after(Self.close, by: World.bob)
    let eve = story.refusal(.wallet(.close(Self.second)), by: .agent(Scenario.eve))
    #expect(eve?.reason == .walletInDispute)
    try World.decided(story, dispute, outcome)
    #expect(story.available(Self.second) == (outcome == .denied ? 4 : 0))
    #expect(story.balance(.suspense(Scenario.bob)) == 0)
    try story.after(.wallet(.close(Self.second)), by: .agent(Scenario.eve))
  }
}
