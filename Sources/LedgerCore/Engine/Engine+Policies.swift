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
