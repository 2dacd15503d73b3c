import LedgerCore

/// What the victim does, as a function of a key: so that the test can ask for the same again.
///
/// One payer, one payee. Every payment is of the same amount, so that the payee's balance counts
/// them.
struct Workload: Sendable {
  static let amount: Int128 = 1_000
  static let funds: Int128 = 1_000_000_000_000_000

  let engine: Engine
  let payer: Actor
  let from: WalletNumber
  let to: WalletNumber

  /// Registers both agents and funds the payer, once in the life of a ledger: the keys see to it.
  init(_ engine: Engine) throws {
    self.engine = engine
    let (ann, from) = try Self.agent("ann", engine)
    let (_, to) = try Self.agent("bob", engine)
    payer = .agent(ann)
    (self.from, self.to) = (from, to)
    let fund = Command.wallet(
      .fund(from, amount: Amount(units: Self.funds), asset: .none, cap: .commandMax))
    let request = try engine.preparation.request(fund, by: .administrator, key: "fund")
    guard try engine.submitAndWait(request).recorded != nil else { throw Unexpected() }
  }

  struct Unexpected: Error {}

  private static func agent(
    _ name: String, _ engine: Engine
  ) throws -> (AgentNumber, WalletNumber) {
    let preparation = engine.preparation
    let request = try preparation.request(
      .identity(
        .registerAgent(
          tenant: 0, name: preparation.hash(agent: name, tenant: ""), asset: AssetNumber(1),
          apiKey: preparation.hash(credential: "pk_" + name),
          secretKey: preparation.hash(credential: "sk_" + name))),
      by: .anonymous, key: "register-" + name, text: [name])
    let outcome = try engine.submitAndWait(request)
    guard
      case .identity(.agentRegistered(let agent, _, let wallet, _, _, _))? =
        outcome.recorded?.event
    else { throw Unexpected() }
    return (agent, wallet)
  }

  /// The request of a key: `p` pays, `t` pays with a text, `x` to a label, `r` asks for too much.
  func request(_ key: String) throws -> Request {
    let isTooMuch = key.hasPrefix("r")
    let amount = isTooMuch ? Amount.commandMax : Amount(units: Self.amount)
    let preparation = engine.preparation
    guard key.hasPrefix("x") else {
      return try preparation.request(
        .payment(
          .pay(from: from, to: .wallet(to), amount: amount, asset: .none, rail: .internal)),
        // An agent may have sixty refusals a minute recorded; staff is not counted.
        by: isTooMuch ? .administrator : payer, key: key,
        text: key.hasPrefix("t") ? ["text of " + key] : [])
    }
    let label = "label-\(key.utf8.reduce(0) { ($0 + Int($1)) % 7 })"
    let hash = preparation.hash(label: label, of: TenantNumber(1))
    return try preparation.request(
      .payment(
        .pay(
          from: from, to: .external(label: hash), amount: amount, asset: .none, rail: .internal)),
      by: payer, key: key, registering: [label])
  }
}
