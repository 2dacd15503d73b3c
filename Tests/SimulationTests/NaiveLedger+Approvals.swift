@testable import LedgerCore

/// Payments that wait for somebody (`accounting.md` 5, "Payment").
extension NaiveLedger {
  mutating func perform(
    _ command: Approvals.Command, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    switch command {
    case .approve(let number):
      let (place, isManager) = try waiting(number, for: actor)
      // Whoever opens the data directory has an operator's key too, so with staff he is one.
      let asker = reservations[place].asker
      let isBehind = [asker, actor].contains(.administrator) && bug != .administratorIsASecond
      let isNobodyElse = asker == actor || isStaff(asker) && isStaff(actor) && isBehind
      guard isManager, !isNobodyElse || bug == .askerApproves else { throw Refusal(.notPermitted) }
      try checkWaits(place)
      let isClosed = reservations[place].parts.contains { part in
        guard case .wallet(let wallet) = part.payee else { return false }
        return wallets[Int(wallet.rawValue) - 1].status == .closed
      }
      guard !isClosed || bug == .closedReceiverIsApproved else { throw Refusal(.payeeClosed) }
      try capture(place, nil, isLast: true, by: actor)
      guard bug == .approvalCountsAgain else { return }
      let number = log[log.count - 1].number
      uses.append(
        Use(
          event: number, time: time, payer: reservations[place].payer,
          units: reservations[place].amount))
    case .deny(let number):
      let (place, isManager) = try waiting(number, for: actor)
      guard isManager || bug == .payerDenies else { throw Refusal(.notPermitted) }
      try checkWaits(place)
      let end = ended(place, isCounted: bug != .denialGivesNothingBack)
      record(.reservation(.released(end)), by: actor, text)
    case .cancel(let number):
      let (place, _) = try waiting(number, for: actor)
      let hold = reservations[place]
      guard owns(hold.payer, actor) || hold.asker == actor || bug == .managerCancels
      else { throw Refusal(.notPermitted) }
      try checkWaits(place)
      record(.reservation(.released(ended(place))), by: actor)
    }
  }

  /// The payment that this event asked for, from 0, for its payer and whoever manages his tenant.
  private func waiting(
    _ number: EventNumber, for actor: Actor
  ) throws(Refusal) -> (place: Int, isManager: Bool) {
    let place = reservations.firstIndex { hold in
      hold.number == number && (hold.purpose == .approval || bug == .holdsAreApproved)
    }
    guard let place else { throw Refusal(.paymentNotFound) }
    let payer = reservations[place].payer
    let isManager =
      manages(tenant(of: payer), actor)
      || bug == .payerApproves && owns(payer, actor)
      || bug == .otherAdminApproves && actor.role == .tenantAdmin
    guard isManager || owns(payer, actor) || bug == .strangersSeeWhatWaits
    else { throw Refusal(.paymentNotFound) }
    return (place, isManager)
  }

  private func checkWaits(_ place: Int) throws(Refusal) {
    let hold = reservations[place]
    let isDue = time >= hold.deadline && bug != .approvedBeyondTheDeadline
    guard hold.isOpen, !isDue else { throw Refusal(.paymentNotPending) }
  }
}
