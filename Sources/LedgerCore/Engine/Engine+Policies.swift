/// A policy that is in force or coming, with what was used of it.
public struct Policy: Hashable, Sendable {
  /// A rule and its counter.
  public struct Line: Hashable, Sendable {
    /// The rule.
    public var rule: Policies.Rule
    /// What was used in the current period: ledger units, or how many. Zero of a rule that counts
    /// nothing.
    public var used: Amount
    /// When that counts no longer; none of a rule that counts nothing.
    public var resets: Timestamp
  }

  /// The event that set it; its body lists the rules, its text what they name.
  public var made: EventNumber
  /// Whose spending it is about.
  public var scope: Policies.Scope
  /// The how-manieth of its scope.
  public var version: UInt32
  /// From when on it is in force.
  public var begins: Timestamp
  /// Whether it is in force; else it is coming.
  public var isInForce: Bool
  /// Its rules in their order.
  public var lines: [Line]
}

extension Engine {
  /// The payments that wait for approval, newest first, at most `limit`: those of a wallet, of all
  /// of an agent's or a tenant's, or all; only those before `before`, where that is given.
  /// Each by the event that answered it. O(open reservations).
  public func pendingPayments(
    of scope: Policies.Scope, before: EventNumber? = nil, limit: Int
  ) async throws(LedgerFailure) -> [EventNumber] {
    try await read { ledger in
      var found: [EventNumber] = []
      ledger.reservations.rows.walk { _, row in
        guard row.isPayment == 1, before.map({ row.made < $0 }) ?? true,
          ledger.isPayer(row.payer, in: scope)
        else { return }
        found.append(row.made)
      }
      return Array(found.sorted(by: >).prefix(limit))
    }
  }

  /// The payment that comes of one that waits for approval, once it is approved.
  public func payment(
    waitingAs hold: Reservations.Hold
  ) async throws(LedgerFailure) -> Payments.Payment {
    try await read { ledger in
      do throws(Refusal) {
        return Payments.Payment(
          amount: hold.amount, fee: try ledger.fees.fee(on: hold.amount, by: hold.schedule),
          payer: hold.payer, payee: hold.payee, schedule: hold.schedule, asset: hold.asset,
          rail: .internal, side: ledger.fees.side(of: hold.schedule))
      } catch {
        preconditionFailure("the fee was in range when the payment was asked for: \(error)")
      }
    }
  }

  /// What bears on a wallet's spending: the policies of the wallet, its agent, his tenant and the
  /// ledger, in this order, each followed by the one that is coming. Empty where there is no such
  /// wallet. O(rules).
  public func policies(
    bearingOn wallet: WalletNumber
  ) async throws(LedgerFailure) -> [Policy] {
    try await readAtEvent { ledger, _, now in
      guard ledger.wallets.contains(wallet) else { return [] }
      let agent = ledger.wallets.wallets[wallet].agent
      return ledger.policies(
        of: [.wallet(wallet), .agent(agent), .tenant(ledger.tenant(of: wallet)), .ledger], at: now)
    }
  }

  /// The policies of these scopes themselves, in their order, each followed by the one that is
  /// coming.
  public func policies(of scopes: [Policies.Scope]) async throws(LedgerFailure) -> [Policy] {
    try await readAtEvent { ledger, _, now in ledger.policies(of: scopes, at: now) }
  }

  /// What the ledger would answer to a request now: the event, or the refusal. Nothing is recorded,
  /// and its key is not looked at. Of requests that name no past event; O(its decision).
  public func check(
    _ request: Request
  ) async throws(LedgerFailure) -> Result<Event, Refusal> {
    precondition(!request.command.named.isSome, "what names an event is not decided ahead")
    return try await readAtEvent { ledger, last, now in
      var decision = Decision()
      decision.removeAll(first: EventNumber(last.rawValue + 1))
      let body = request.body
      do throws(Refusal) {
        try ledger.decide(
          request.command, body: body.span, by: request.actor, at: now, into: &decision)
      } catch {
        return .failure(error)
      }
      return .success(decision[decision.answer])
    }
  }
}

extension Ledger {
  fileprivate func isPayer(_ wallet: WalletNumber, in scope: Policies.Scope) -> Bool {
    switch scope {
    case .ledger: true
    case .tenant(let number): tenant(of: wallet) == number
    case .agent(let number): wallets.wallets[wallet].agent == number
    case .wallet(let number): wallet == number
    }
  }

  fileprivate func policies(of scopes: [Policies.Scope], at now: Timestamp) -> [Policy] {
    var found: [Policy] = []
    for scope in scopes {
      for (slot, isInForce) in [
        (policies.current(of: scope), true), (policies.coming(of: scope), false),
      ] where slot.isSome {
        found.append(policy(slot, isInForce: isInForce, at: now))
      }
    }
    return found
  }

  private func policy(_ slot: PolicySlot, isInForce: Bool, at now: Timestamp) -> Policy {
    let row = policies.rows[slot]
    var lines: [Policy.Line] = []
    var number = row.firstRule
    while number.isSome {
      let rule = policies.rules[number]
      var line = Policy.Line(rule: rule.rule, used: .zero, resets: .none)
      if let period = rule.rule.period, isInForce {
        line.used = Amount(units: rule.counter.used(in: period, at: now))
        line.resets = period.end(of: now)
      }
      lines.append(line)
      number = rule.next
    }
    return Policy(
      made: row.made, scope: policies.scope(of: slot),
      version: UInt32(truncatingIfNeeded: row.version),
      begins: Timestamp(nanoseconds: row.begins), isInForce: isInForce, lines: lines)
  }
}
