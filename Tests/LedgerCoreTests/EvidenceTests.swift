import Testing

@testable import LedgerCore

/// Goal: nobody can use up what the other side of a dispute has to say.
/// Method: evidence of each side, one piece after the other, on the pure ledger.
@Suite struct EvidenceTests {
  private typealias World = DisputesTests

  @Test func `a hundred pieces of evidence of each side are enough`() throws {
    let story = World.story()
    let dispute = try World.opened(story)
    let evidence = Command.dispute(.submitEvidence(dispute, .screenshot))
    let sides = [World.bob, World.ann, World.staff]
    for (place, side) in sides.enumerated() {
      for _ in 0..<100 { try story.after(evidence, by: side) }
      for (other, actor) in sides.enumerated() {
        let expected: Rejection? = other <= place ? .tooMuchEvidence : nil
        #expect(story.refusal(evidence, by: actor)?.reason == expected)
      }
    }
    #expect(story.refusal(evidence, by: .administrator)?.reason == .tooMuchEvidence)
  }

  @Test func `receivers of a split have a hundred pieces of evidence together`() throws {
    let story = Story(Scenario.agents + [Scenario.funded(Scenario.annWallet, 10_000)])
    // Eve has a wallet in dollars too.
    try story.after(
      .wallet(.open(agent: Scenario.eve, asset: Scenario.usd)), by: .agent(Scenario.eve))
    let shares = Splits.Share.body([
      Splits.Share(.wallet(Scenario.bobWallet), weight: 1),
      Splits.Share(.wallet(WalletNumber(4)), weight: 1),
    ])
    let paid = try story.after(
      Scenario.pay(1_000, to: .split), body: shares, by: World.ann
    ).number
    let dispute = try story.after(World.open(paid), by: World.ann).number
    let evidence = Command.dispute(.submitEvidence(dispute, .screenshot))
    for actor in [World.bob, .agent(Scenario.eve)] {
      for _ in 0..<50 { try story.after(evidence, by: actor) }
    }
    for actor in [World.bob, .agent(Scenario.eve)] {
      #expect(story.refusal(evidence, by: actor)?.reason == .tooMuchEvidence)
    }
    #expect(story.refusal(evidence, by: World.ann) == nil)
  }
}
