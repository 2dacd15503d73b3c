/// Who a credential stands for (`design.md` 4.16). Every kind of credential resolves to one.
public struct Principal: Hashable, Sendable {
  /// Under whom commands run.
  public var actor: Actor
  /// The agent's tenant, or the one that is managed; none for an operator.
  public var tenant: TenantNumber
  /// The agent's default wallet; none for an operator.
  public var wallet: WalletNumber
  /// The credential that was shown.
  public var credential: CredentialNumber
  /// What that credential is good for.
  public var kind: Identity.CredentialKind
}

/// A wallet as the engine holds it.
public struct Wallet: Hashable, Sendable {
  /// Its number.
  public var number: WalletNumber
  /// Whose it is.
  public var agent: AgentNumber
  /// The tenant of that agent.
  public var tenant: TenantNumber
  /// What it holds.
  public var asset: Asset
  /// Spendable.
  public var available: Amount
  /// Sum of the open holds.
  public var held: Amount
  /// What may happen with it.
  public var status: Wallets.Status
  /// The event that opened it.
  public var opened: EventNumber
}

/// A unit of account.
public struct Asset: Hashable, Sendable {
  /// Its number.
  public var number: AssetNumber
  /// Its code, such as `USD`.
  public var code: AssetCode
  /// How many decimals the ledger unit has: 9 means 1e-9.
  public var scale: Int
}

/// An agent as the engine holds it.
public struct Agent: Hashable, Sendable {
  /// Its number.
  public var number: AgentNumber
  /// Whose agent it is.
  public var tenant: TenantNumber
  /// Its default wallet.
  public var wallet: WalletNumber
  /// The event that registered it; its name is that event's text.
  public var registered: EventNumber
}

/// A receiver of a split payment.
public struct Receiver: Hashable, Sendable {
  /// What he got.
  public var part: Splits.Part
  /// What he gave back of it so far.
  public var refunded: Amount
  /// Whose wallet it is; none of a label.
  public var agent: AgentNumber
  /// The event that registered the label, which is that event's text; none of a wallet.
  public var registered: EventNumber
}

/// An external payee as the engine holds it.
public struct ExternalPayee: Hashable, Sendable {
  /// Its number.
  public var number: PayeeNumber
  /// Whose label it is.
  public var tenant: TenantNumber
  /// The asset it is owed in.
  public var asset: AssetNumber
  /// What it is owed.
  public var balance: Amount
  /// The event that registered it; the label is that event's text.
  public var registered: EventNumber
}

extension Engine {
  /// Whom the credential with this keyed hash stands for, or `nil` where there is none or it was
  /// revoked. See ``Preparation/hash(credential:)``.
  ///
  /// One that was asked for before is answered at once, until any credential is revoked.
  public func principal(of hash: UInt128) async throws(LedgerFailure) -> Principal? {
    if isAlive, let known = principals.find(hash) { return known }
    let revocations = principals.revocationCount
    let found: Principal? = try await read { ledger in
      guard let (credential, kind, holder) = ledger.identity.holder(of: hash) else { return nil }
      var principal = Principal(
        actor: holder, tenant: .none, wallet: .none, credential: credential, kind: kind)
      if holder.agent.isSome {
        let agent = ledger.identity.agents[holder.agent]
        principal.tenant = agent.tenant
        principal.wallet = agent.wallet
      }
      if holder.tenant.isSome { principal.tenant = holder.tenant }
      return principal
    }
    if let found { principals.keep(found, of: hash, since: revocations) }
    return found
  }

  /// A wallet with its balance, or `nil`.
  public func wallet(_ number: WalletNumber) async throws(LedgerFailure) -> Wallet? {
    try await read { ledger in ledger.wallet(number) }
  }

  /// The available balance of a wallet, or `nil` where there is no such wallet. Exact, durable, and
  /// newer than everything submitted before.
  public func balance(of wallet: WalletNumber) async throws(LedgerFailure) -> Amount? {
    try await read { ledger in ledger.wallet(wallet)?.available }
  }

  /// An agent, or `nil`.
  public func agent(_ number: AgentNumber) async throws(LedgerFailure) -> Agent? {
    try await read { ledger in
      guard ledger.identity.contains(number) else { return nil }
      let row = ledger.identity.agents[number]
      return Agent(
        number: number, tenant: row.tenant, wallet: row.wallet, registered: row.registered)
    }
  }

  /// An external payee, or `nil`.
  public func payee(_ number: PayeeNumber) async throws(LedgerFailure) -> ExternalPayee? {
    try await read { ledger in
      guard ledger.payments.payees.contains(number) else { return nil }
      let row = ledger.payments.payees[number]
      return ExternalPayee(
        number: number, tenant: row.tenant, asset: row.asset,
        balance: Amount(units: row.balance), registered: row.registered)
    }
  }

  /// The wallets of an agent, the newest first, at most 100; only those opened before `before`,
  /// where that is a wallet of this agent. Empty where there is no such agent. O(100).
  public func wallets(
    of agent: AgentNumber, before: WalletNumber? = nil
  ) async throws(LedgerFailure) -> [Wallet] {
    try await read { ledger in
      var found: [Wallet] = []
      var next = ledger.wallets.newest(of: agent)
      if let before, let last = ledger.wallet(before), last.agent == agent {
        next = ledger.wallets.wallets[before].previous
      }
      while found.count < 100, let wallet = ledger.wallet(next) {
        found.append(wallet)
        next = ledger.wallets.wallets[next].previous
      }
      return found
    }
  }

  /// Has what is due by now be recorded, as before every command.
  public func fireDueTimers() async throws(LedgerFailure) { try await read { _ in } }

  /// The receivers of these payments, in the order of each; none of one that is not split. One look
  /// at the state, however many there are.
  public func receivers(
    of payments: [EventNumber]
  ) async throws(LedgerFailure) -> [[Receiver]] {
    var parts: [[Splits.Part]] = []
    for number in payments { parts.append(try self.parts(of: number)) }
    return try await read { [parts] ledger in
      zip(payments, parts).map { number, parts in
        parts.enumerated().map { index, part in
          ledger.receiver(part, refunded: ledger.refunds.refunded(of: number, part: index).amount)
        }
      }
    }
  }

  private func parts(of payment: EventNumber) throws(LedgerFailure) -> [Splits.Part] {
    guard case .split? = try event(payment)?.event.payee else { return [] }
    let body = try body(of: payment)
    return Splits.Part.all(body.span)
  }

  /// Everything that is paused now.
  public func pauses() async throws(LedgerFailure) -> [Pauses.Scope] {
    try await read { ledger in ledger.pauses.all }
  }

  /// The fee schedule that counts now, with its number and tiers.
  public func feeSchedule() async throws(LedgerFailure) -> (
    number: ScheduleNumber, terms: Fees.Terms, tiers: [Fees.Tier]
  ) {
    try await read { ledger in
      let current = ledger.fees.current
      return (current, ledger.fees.terms(current), ledger.fees.tiers(current))
    }
  }

  /// All assets, by number. There are a handful.
  public func assets() async throws(LedgerFailure) -> [Asset] {
    try await read { ledger in
      (1..<ledger.wallets.nextAsset.rawValue).map { ledger.asset(AssetNumber($0)) }
    }
  }

  /// Whether real money moves here.
  public func isLive() async throws(LedgerFailure) -> Bool {
    try await read { ledger in ledger.genesis.livemode }
  }

  /// The fee that the schedule of now takes on `amount`; refused where that leaves the range.
  public func fee(on amount: Amount) async throws(LedgerFailure) -> Result<Amount, Refusal> {
    try await read { ledger in
      do throws(Refusal) {
        return .success(try ledger.fees.fee(on: amount, by: ledger.fees.current))
      } catch {
        return .failure(error)
      }
    }
  }
}

extension Event {
  /// Who is paid by a payment, or will be by one that waits.
  fileprivate var payee: Payments.Payee? {
    if case .reservation(.reserved(let hold)) = self { hold.payee } else { payment?.payee }
  }
}

extension Ledger {
  func asset(_ number: AssetNumber) -> Asset {
    let (code, scale) = wallets.asset(number)
    return Asset(number: number, code: code, scale: Int(scale))
  }

  fileprivate func receiver(_ part: Splits.Part, refunded: Amount) -> Receiver {
    var receiver = Receiver(part: part, refunded: refunded, agent: .none, registered: .none)
    switch part.payee {
    case .wallet(let number): receiver.agent = wallets.wallets[number].agent
    case .external(let number): receiver.registered = payments.payees[number].registered
    case .split: preconditionFailure("a receiver of a split is one receiver")
    }
    return receiver
  }

  func wallet(_ number: WalletNumber) -> Wallet? {
    guard wallets.contains(number) else { return nil }
    let row = wallets.wallets[number]
    return Wallet(
      number: number, agent: row.agent, tenant: identity.agents[row.agent].tenant,
      asset: asset(row.asset), available: Amount(units: row.available),
      held: Amount(units: row.held), status: row.status, opened: row.opened)
  }
}
