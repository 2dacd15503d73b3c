@testable import LedgerCore

/// How much is advanced, and what of it is given up (`accounting.md` 4, "dispute open" and "write
/// off").
extension NaiveLedger {
  mutating func perform(
    _ command: Receivables.Command, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    guard isStaff(actor) else { throw Refusal(.notPermitted) }
    switch command {
    case .setCap(let tenant, let asset, let cap):
      guard tenant == .none || place(tenant.rawValue, in: tenants.count) != nil
      else { throw Refusal(.tenantNotFound) }
      guard place(asset.rawValue, in: assets.count) != nil else { throw Refusal(.assetNotFound) }
      guard cap.units >= 0, cap.units <= Self.amountMax else {
        throw Refusal(.amountOutOfRange, limit: Amount(units: Self.amountMax), asked: cap)
      }
      caps.removeAll { $0.tenant == tenant.rawValue && $0.asset == asset }
      caps.append(Cap(tenant: tenant.rawValue, asset: asset, units: cap.units))
      record(.receivable(.capSet(tenant: tenant, asset: asset, cap: cap)), by: actor)
    case .writeOff(let number, let agent):
      guard actor.role == .operator || bug == .administratorIsASecond
      else { throw Refusal(.notPermitted) }
      try writeOff(number, of: agent, by: actor, text)
    }
  }

  private mutating func writeOff(
    _ number: EventNumber, of agent: AgentNumber, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    guard disputes.contains(where: { $0.number == number }) else { throw Refusal(.disputeNotFound) }
    let place = debts.firstIndex { debt in
      debt.dispute == number && debt.agent == agent.rawValue
        && (debt.receivable > 0 || bug == .uncoveredIsWrittenOff)
    }
    guard let place else { throw Refusal(.debtNotFound) }
    let debt = debts[place]
    guard debt.payer != nil || bug == .undecidedIsWrittenOff else { throw Refusal(.debtUnsettled) }
    guard debt.asker != actor || bug == .sameOperatorWritesOff
    else { throw Refusal(.sameOperator) }
    let units = bug == .uncoveredIsWrittenOff ? debt.receivable + debt.uncovered : debt.receivable
    let writeOff = Receivables.WriteOff(
      amount: Amount(units: units), dispute: number, agent: agent,
      slot: DebtSlot(UInt64(debt.slot)), asset: debt.asset)
    guard debt.asker != nil || bug == .firstOperatorWritesOff else {
      debts[place].asker = actor
      return record(.receivable(.writeOffAsked(writeOff)), by: actor, text)
    }
    move(units, debt.asset, debit: Self.badDebt, credit: Self.receivable(number))
    debts[place].receivable = 0
    debts[place].asker = nil
    if bug == .uncoveredIsWrittenOff { debts[place].uncovered = 0 }
    if debts[place].uncovered == 0 || bug == .writtenOffDebtIsGone {
      debtSlots.free(debts.remove(at: place).slot)
    }
    record(.receivable(.writtenOff(writeOff)), by: actor, text)
  }

  /// What the debtors of a tenant, or of tenant 0 all, owe of what was advanced.
  func outstanding(_ tenant: UInt64, _ asset: AssetNumber) -> Int128 {
    debts.filter { debt in
      debt.asset == asset && (tenant == 0 || agents[Int(debt.agent) - 1].tenant == tenant)
    }.map(\.receivable).reduce(0, +)
  }

  /// What of `missing` is advanced for a receiver: what his tenant and all together leave room for,
  /// after the receivers before him, who owe already.
  func advance(
    _ missing: Int128, to payee: Payments.Payee, _ dispute: EventNumber, _ asset: AssetNumber
  ) -> Int128 {
    guard case .wallet(let wallet) = payee else { return 0 }
    var rooms = [tenant(of: Int(wallet.rawValue) - 1), 0].map { room($0, asset, dispute) }
    if bug == .capForgetsTheTotal { rooms.removeLast() }
    if bug == .capForgetsTheTenant { rooms.removeFirst() }
    return rooms.reduce(missing) { min($0, $1 ?? $0) }
  }

  /// `nil` where there is no end.
  private func room(_ tenant: UInt64, _ asset: AssetNumber, _ dispute: EventNumber) -> Int128? {
    let cap = caps.first { cap in
      cap.tenant == tenant && (cap.asset == asset || bug == .capIsOfEveryAsset)
    }
    guard let cap else { return livemode && bug != .liveLedgerAdvancesWithoutACap ? 0 : nil }
    var owed = bug == .capForgetsWhatIsOwed ? 0 : outstanding(tenant, asset)
    if bug == .capForgetsEarlierClaims {
      owed -= debts.filter { $0.dispute == dispute }.map(\.receivable).reduce(0, +)
    }
    return max(cap.units - owed, 0)
  }
}
