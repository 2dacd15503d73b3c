@testable import LedgerCore

/// Disputes, from `accounting.md` 4, 5 and E-03 to E-11. What is owed is in
/// `NaiveLedger+Debts.swift`.
extension NaiveLedger {
  enum Ending {
    case withdrawn, denied, refunded
  }

  struct Dispute {
    /// The event that opened it.
    var number: EventNumber
    /// Where its payment is in ``paid``.
    var paid: Int
    var party: Disputes.Party
    var actor: Actor
    var principal: Int128
    var slot: Int
    /// What is claimed of each receiver; of a payee's dispute nothing is.
    var claims: [Claim]
    /// Pieces of the payer's, of all receivers' and of staff's.
    var evidenceCounts = [0, 0, 0]
    var isReviewed = false
    var ending: Ending?
    /// Whether something of it was set aside for a payee who had closed his wallet.
    var isBackAside = false

    var status: Disputes.Status {
      switch ending {
      case nil: isReviewed ? .underReview : .open
      case .withdrawn: .withdrawn
      case .denied: .resolvedDenied
      case .refunded: .resolvedRefunded
      }
    }
  }

  /// What is claimed of one receiver.
  struct Claim {
    var payee: Payments.Payee
    /// All of it, however far it is there.
    var principal: Int128
    /// What is in the hold for it now: his own, what was advanced, and what was netted.
    var held: Int128 = 0
    /// What was not there when it was opened, and what of that was advanced.
    var missing: Int128 = 0
    var advanced: Int128 = 0
  }

  mutating func perform(
    _ command: Disputes.Command, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    switch command {
    case .open(let payment, let reason, let seconds):
      try dispute(payment, reason, within: UInt64(seconds), by: actor, text)
    case .submitEvidence(let number, let evidence):
      let place = try unfinished(number, by: actor)
      try countEvidence(place, by: actor)
      record(
        .dispute(
          .evidenceSubmitted(
            dispute: number, slot: DisputeSlot(UInt64(disputes[place].slot)), evidence)),
        by: actor, text)
    case .withdraw(let number): try withdraw(number, by: actor)
    case .review(let number):
      guard isStaff(actor) else { throw Refusal(.notPermitted) }
      let place = try unfinished(number, by: actor)
      guard !disputes[place].isReviewed else { throw Refusal(.disputeUnderReview) }
      disputes[place].isReviewed = true
      let slot = DisputeSlot(UInt64(disputes[place].slot))
      record(.dispute(.reviewed(dispute: number, slot: slot)), by: actor)
    case .resolve(let number, let outcome):
      guard isStaff(actor) else { throw Refusal(.notPermitted) }
      let place = try unfinished(number, by: actor)
      guard disputes[place].isReviewed || bug == .resolvedWithoutReview
      else { throw Refusal(.disputeNotReviewed) }
      switch outcome {
      case .denied: lose(place, .denied, by: actor, text)
      case .refunded: try win(place, by: actor, text)
      }
    }
  }

  /// Nobody's evidence takes the room of the other side, or of staff.
  private mutating func countEvidence(_ place: Int, by actor: Actor) throws(Refusal) {
    let side = isStaff(actor) ? 2 : owns(payer(of: disputes[place]), actor) ? 0 : 1
    let counts = disputes[place].evidenceCounts
    let count = bug == .evidenceIsCountedTogether ? counts.reduce(0, +) : counts[side]
    let isUnlimited =
      bug == .evidenceNeverEnds || bug == .staffEvidenceNeverEnds && side == 2
    guard count < 100 || isUnlimited else { throw Refusal(.tooMuchEvidence) }
    disputes[place].evidenceCounts[side] += 1
  }

  private mutating func withdraw(_ number: EventNumber, by actor: Actor) throws(Refusal) {
    let place = try unfinished(number, by: actor)
    let dispute = disputes[place]
    guard !dispute.isReviewed || bug == .withdrawnUnderReview
    else { throw Refusal(.disputeUnderReview) }
    let isPayers = dispute.party == .payer && owns(payer(of: dispute), actor)
    guard isStaff(actor) || actor == dispute.actor || isPayers || bug == .otherPartyMayWithdraw
    else { throw Refusal(.notPermitted) }
    lose(place, .withdrawn, by: actor, nil)
  }

  /// The dispute that this event opened, for its parties and staff, until it ends.
  private func unfinished(_ number: EventNumber, by actor: Actor) throws(Refusal) -> Int {
    let place = disputes.firstIndex { $0.number == number }
    guard let place else { throw Refusal(.disputeNotFound) }
    let dispute = disputes[place]
    let isParty =
      isStaff(actor) || owns(payer(of: dispute), actor)
      || paid[dispute.paid].parts.contains { owns($0.payee, actor) }
    guard isParty || bug == .strangersSeeDisputes else { throw Refusal(.disputeNotFound) }
    guard dispute.ending == nil || bug == .endedDisputeGoesOn
    else { throw Refusal(.disputeEnded) }
    return place
  }

  private func payer(of dispute: Dispute) -> Int {
    Int(paid[dispute.paid].payment.payer.rawValue) - 1
  }

  private func owns(_ payee: Payments.Payee, _ actor: Actor) -> Bool {
    guard case .wallet(let wallet) = payee else { return false }
    return owns(Int(wallet.rawValue) - 1, actor)
  }

  /// The unfinished dispute of a payment.
  func dispute(of place: Int) -> Dispute? {
    disputes.first { $0.paid == place && $0.ending == nil }
  }
}

// MARK: - Opening

extension NaiveLedger {
  private mutating func dispute(
    _ number: EventNumber, _ reason: Disputes.Reason, within seconds: UInt64, by actor: Actor,
    _ text: String?
  ) throws(Refusal) {
    let place = paid.firstIndex { $0.number == number }
    guard let place else { throw Refusal(.paymentNotFound) }
    let party = try party(actor, to: paid[place])
    let made = log[Int(number.rawValue) - 1].header.time.nanoseconds
    let age = time - made
    let isPast = age >= seconds * 1_000_000_000
    guard !isPast || bug == .windowIsOneLonger && age == seconds * 1_000_000_000 else {
      throw Refusal(.disputeWindowPassed, limit: Amount(units: Int128(seconds)))
    }
    try checkFirst(place, party)
    let payment = paid[place].payment
    let refunded = bug == .disputeForgetsRefunds ? 0 : paid[place].refunded
    let principal = payment.amount.units - refunded
    guard principal > 0 else { throw Refusal(.nothingToDispute) }

    let isHeld = party == .payer || bug == .payeesDisputeHolds
    var claims = paid[place].parts.map { part in
      let isWhole = bug == .disputeForgetsRefunds || bug == .splitClaimForgetsRefunds
      return Claim(payee: part.payee, principal: part.amount - (isWhole ? 0 : part.refunded))
    }
    for claim in claims where isHeld { try checkLabel(claim) }
    let event = EventNumber(UInt64(log.count + 1))
    let slot = disputeSlots.take()
    var body: [UInt8] = []
    for index in claims.indices {
      let own = isHeld ? hold(&claims[index], event, payment.asset) : 0
      let missing = claims[index].principal - own
      let advanced = isHeld ? advance(missing, to: claims[index].payee, event, payment.asset) : 0
      body += Self.body(
        claims[index].payee, held: own, receivable: advanced, uncovered: missing - advanced)
      (claims[index].missing, claims[index].advanced) = (missing, advanced)
      guard isHeld, missing > 0 else { continue }
      move(advanced, payment.asset, debit: Self.receivable(event), credit: Self.hold(event))
      claims[index].held += advanced
      owe(claims[index].payee, advanced, missing - advanced, payment.asset, event, claim: index)
    }
    let opening = Disputes.Opening(
      principal: Amount(units: principal), payment: number, dispute: event,
      payer: payment.payer, slot: DisputeSlot(UInt64(slot)), asset: payment.asset,
      reason: reason, party: party)
    disputes.append(
      Dispute(
        number: event, paid: place, party: party, actor: actor, principal: principal, slot: slot,
        claims: isHeld ? claims : []))
    record(.dispute(.opened(opening)), by: actor, text, body: body)
  }

  /// Who paid, and staff for him; else whoever received some of it.
  private func party(_ actor: Actor, to paid: Paid) throws(Refusal) -> Disputes.Party {
    let payer = Int(paid.payment.payer.rawValue) - 1
    if isStaff(actor) || owns(payer, actor) { return .payer }
    let isReceiver = paid.parts.contains { owns($0.payee, actor) }
    guard isReceiver || bug == .anybodyMayDispute else { throw Refusal(.paymentNotFound) }
    return .payee
  }

  /// E-08: none is unfinished, none was decided, and this party withdrew none.
  private func checkFirst(_ place: Int, _ party: Disputes.Party) throws(Refusal) {
    let earlier = disputes.filter { $0.paid == place }
    let isBarred = earlier.contains { dispute in
      switch dispute.ending {
      case nil: true
      case .withdrawn: dispute.party == party || bug == .withdrawalBarsTheOther
      case .denied, .refunded: bug != .disputedAfterDecision
      }
    }
    guard isBarred, let last = earlier.last else { return }
    throw Refusal(.duplicateDispute, about: last.number)
  }

  /// Of a label all is there or none is claimed: it never owes (E-59).
  private func checkLabel(_ claim: Claim) throws(Refusal) {
    guard case .external(let payee) = claim.payee else { return }
    let place = Int(payee.rawValue) - 1
    let owed = balance(external(place), payees[place].asset)
    guard claim.principal > owed, bug != .labelIsHeldBeyondItsBalance else { return }
    throw Refusal(
      .alreadySettled, limit: Amount(units: owed), asked: Amount(units: claim.principal))
  }

  /// Moves what the receiver has of it into the hold.
  private mutating func hold(
    _ claim: inout Claim, _ event: EventNumber, _ asset: AssetNumber
  ) -> Int128 {
    let account = account(claim.payee)
    var own = claim.principal
    if case .wallet = claim.payee { own = min(balance(account, asset), own) }
    move(own, asset, debit: account, credit: Self.hold(event))
    claim.held = own
    return own
  }
}

// MARK: - Ends

extension NaiveLedger {
  /// The payee keeps it: his own goes back, what was advanced goes home, the rest lapses.
  private mutating func lose(
    _ place: Int, _ ending: Ending, by actor: Actor, _ text: String?
  ) {
    let dispute = disputes[place]
    let asset = paid[dispute.paid].payment.asset
    let hold = Self.hold(dispute.number)
    var body: [UInt8] = []
    for (index, claim) in dispute.claims.enumerated() {
      let owed = owed(dispute.number, claim: index)
      let back = bug == .deniedReturnsTheAdvance ? claim.held : claim.held - owed.receivable
      move(
        claim.held - back, asset, debit: hold, credit: Self.receivable(dispute.number))
      var (account, aside) = (account(claim.payee), UInt64(0))
      if case .wallet(let wallet) = claim.payee, bug != .closedPayeeGetsItBack {
        let payee = wallets[Int(wallet.rawValue) - 1]
        if payee.status == .closed {
          (account, aside) = (Self.suspense(payee.agent), payee.agent)
          if back > 0 { disputes[place].isBackAside = true }
        }
      }
      move(back, asset, debit: hold, credit: account)
      body += Self.body(
        claim.payee, held: claim.held, receivable: owed.receivable, uncovered: owed.uncovered,
        aside: aside)
      if bug != .lostDisputeIsStillOwed { forgetDebt(dispute.number, claim: index) }
    }
    let end = end(place, ending)
    record(
      .dispute(ending == .withdrawn ? .withdrawn(end) : .denied(end)), by: actor, text, body: body)
  }

  /// The payer gets what is held, and later what is netted; all that was disputed is refunded.
  private mutating func win(
    _ place: Int, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    let dispute = disputes[place]
    let payment = paid[dispute.paid].payment
    let payer = payer(of: dispute)
    if dispute.party == .payee, bug != .payeesDisputeHolds {
      try refundWon(dispute, by: actor)
      record(.dispute(.refunded(end(place, .refunded))), by: actor, text)
      setAside(dispute.principal, payer, by: actor)
      return
    }
    var body: [UInt8] = []
    for (index, claim) in dispute.claims.enumerated() {
      let owed = owed(dispute.number, claim: index)
      body += Self.body(
        claim.payee, held: claim.held, receivable: owed.receivable, uncovered: owed.uncovered)
      redirect(dispute.number, claim: index, to: payer)
      if bug != .wonDisputeIsNoRefund {
        paid[dispute.paid].parts[index].refunded += claim.principal
      }
    }
    let held = dispute.claims.map(\.held).reduce(0, +)
    if bug != .wonDisputeIsNoRefund { paid[dispute.paid].refunded += dispute.principal }
    let credited = bug == .wonDisputePaysThePrincipal ? dispute.principal : held
    move(
      credited, payment.asset, debit: Self.hold(dispute.number), credit: Self.wallet(payer))
    if bug == .wonDisputeReturnsTheFee {
      move(payment.fee.units, payment.asset, debit: Self.feeIncome, credit: Self.wallet(payer))
    }
    record(.dispute(.refunded(end(place, .refunded))), by: actor, text, body: body)
    if held > 0 { setAside(held, payer, by: actor) }
  }

  private mutating func end(_ place: Int, _ ending: Ending) -> Disputes.End {
    disputes[place].ending = ending
    disputeSlots.free(disputes[place].slot)
    let dispute = disputes[place]
    let payment = paid[dispute.paid]
    return Disputes.End(
      held: Amount(units: dispute.claims.map(\.held).reduce(0, +)), payment: payment.number,
      dispute: dispute.number, payer: payment.payment.payer,
      slot: DisputeSlot(UInt64(dispute.slot)), asset: payment.payment.asset)
  }

  /// Each claim is 72 bytes.
  private static func body(
    _ payee: Payments.Payee, held: Int128, receivable: Int128, uncovered: Int128,
    aside: UInt64 = 0
  ) -> [UInt8] {
    var (number, kind): (UInt64, Int128) = (0, 0)
    switch payee {
    case .wallet(let wallet): number = wallet.rawValue
    case .external(let payee): (number, kind) = (payee.rawValue, 1)
    case .split: preconditionFailure("a receiver is one receiver")
    }
    return bytes(held, count: 16) + bytes(receivable, count: 16) + bytes(uncovered, count: 16)
      + bytes(Int128(number), count: 8) + bytes(kind, count: 8) + bytes(Int128(aside), count: 8)
  }
}
