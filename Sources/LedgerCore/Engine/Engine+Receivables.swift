/// What an agent owes for one dispute.
public struct Debt: Hashable, Sendable {
  /// The event that opened the dispute.
  public var dispute: EventNumber
  /// Who owes it.
  public var agent: AgentNumber
  /// The asset of both amounts.
  public var asset: Asset
  /// What the platform advanced and is owed.
  public var receivable: Amount
  /// What was not advanced, and moves on as it comes in.
  public var uncovered: Amount
  /// Whether the dispute was decided.
  public var isSettled: Bool
  /// Whether an operator asked for it to be written off.
  public var isWriteOffAsked: Bool
}

/// How much was advanced for the debtors of a tenant, or in total.
public struct Exposure: Hashable, Sendable {
  /// The tenant, or none for the total.
  public var tenant: TenantNumber
  /// The asset of both amounts.
  public var asset: Asset
  /// What is owed now.
  public var outstanding: Amount
  /// The cap; `nil` where none was set.
  public var cap: Amount?
}

extension Engine {
  /// The debts of an agent, in every asset, oldest first in each. O(debts of all).
  public func debts(of agent: AgentNumber) async throws(LedgerFailure) -> [Debt] {
    try await read { ledger in
      var found: [Debt] = []
      ledger.receivables.walk { _, debt, debtor in
        guard debtor.agent == agent else { return }
        found.append(
          Debt(
            dispute: debt.dispute, agent: debtor.agent, asset: ledger.asset(debtor.asset),
            receivable: Amount(units: debt.receivable), uncovered: Amount(units: debt.uncovered),
            isSettled: !debt.claim.isSome, isWriteOffAsked: debt.asker != 0))
      }
      return found
    }
  }

  /// How much was advanced and is owed, and the caps that were set: for each tenant and asset, and
  /// of tenant none in total.
  public func exposures() async throws(LedgerFailure) -> [Exposure] {
    try await read { ledger in
      (1..<ledger.receivables.exposures.next.rawValue).map { raw in
        let row = ledger.receivables.exposures[Number(raw)]
        return Exposure(
          tenant: row.tenant, asset: ledger.asset(row.asset),
          outstanding: Amount(units: row.outstanding),
          cap: row.hasCap == 1 ? Amount(units: row.cap) : nil)
      }
    }
  }
}
