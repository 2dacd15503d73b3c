@testable package import LedgerCore

/// A ledger in memory, without engine or disk: one agent, whose wallets hold more than any
/// benchmark spends.
package struct Scene: ~Copyable {
  /// The agent that holds every wallet.
  package static let agent = Actor.agent(AgentNumber(1))

  /// What was decided so far.
  package var ledger = Ledger()
  /// How many wallets there are, numbered from 1.
  package let walletCount: Int
  private var decision = Decision()
  private var next = EventNumber(1)

  /// A ledger of `walletCount` funded wallets.
  package init(walletCount: Int) {
    precondition(walletCount >= 2)
    self.walletCount = walletCount
    guard let dollar = AssetCode("USD") else { preconditionFailure("USD is an asset code") }
    var asset = (0..<16).map { UInt8(truncatingIfNeeded: dollar.bytes >> UInt128($0 * 8)) }
    asset += [9, 0]
    apply(.genesis(.opened(ledger: 1, terms: .standard, livemode: false)), body: asset.span)
    submit(
      .identity(
        .registerAgent(
          tenant: 0, name: 0, asset: AssetNumber(1), apiKey: 1, secretKey: 2)),
      by: .anonymous)
    for number in 1...UInt64(walletCount) {
      if number > 1 { submit(.wallet(.open(agent: AgentNumber(1), asset: AssetNumber(1)))) }
      submit(
        .wallet(
          .fund(
            WalletNumber(number), amount: .commandMax, asset: .none, cap: .commandMax)))
    }
  }

  /// The header of event `number`, of which only the number and the rising time count here.
  package static func header(_ number: UInt64) -> Header {
    Header(
      number: EventNumber(number), time: Timestamp(nanoseconds: number), actor: Scene.agent)
  }

  private mutating func submit(_ command: Command, by actor: Actor = Scene.agent) {
    decision.removeAll()
    do throws(Refusal) {
      try ledger.decide(
        command, by: actor, at: Timestamp(nanoseconds: next.rawValue), into: &decision)
    } catch {
      preconditionFailure("setting the scene was refused: \(error)")
    }
    for index in 0..<decision.count { apply(decision[index]) }
  }

  private mutating func apply(_ event: Event, body: Span<UInt8> = Span()) {
    ledger.evolve(event, Scene.header(next.rawValue), body: body)
    next = EventNumber(next.rawValue + 1)
  }
}
