/// Approvals: payments above a policy's threshold, which wait with their money held.
///
/// Life of such a payment, as ``Payments/Status/after(_:)`` has it:
///
///     pay ──▶ pending ──▶ completed   approved by whoever manages the tenant
///                     ├──▶ failed      denied by him, or cancelled by the payer
///                     └──▶ expired     nobody did in time
///
/// What waits is a reservation of the purpose ``Reservations/Purpose/approval``, and its events are
/// a reservation's: approving captures all of it. The payment that comes of it is that capture.
///
/// Invariant: who asked for a payment never approves it.
public enum Approvals {
  // MARK: - Commands

  /// What can be asked about a payment that waits, by the number of the event that answered it.
  public enum Command: Hashable, Sendable {
    /// Lets it be paid, all of it. By staff or the admin of the payer's tenant.
    case approve(EventNumber)
    /// Gives the money back to the payer. By staff or the admin of the payer's tenant; the first
    /// text is the reason.
    case deny(EventNumber)
    /// Gives the money back to the payer, who asks for it himself.
    case cancel(EventNumber)
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, by actor: Actor, about named: Recorded?, body: Span<UInt8>,
    _ ledger: borrowing Ledger, at now: Timestamp, into decision: inout Decision
  ) throws(Refusal) {
    guard let named, case .reservation(.reserved(let hold)) = named.event,
      hold.purpose == .approval
    else { throw Refusal(.paymentNotFound) }
    let isPayer = ledger.wallets.wallets[hold.payer].agent == actor.agent
    let isManager = actor.manages(ledger.tenant(of: hold.payer))
    guard isPayer || isManager else { throw Refusal(.paymentNotFound) }
    switch command {
    case .approve:
      guard isManager, isSecond(actor, after: named.header.actor) else {
        throw Refusal(.notPermitted)
      }
      let row = try pending(hold, named.number, ledger, at: now)
      try check(hold.payee, body, ledger)
      try Reservations.capture(nil, isLast: true, of: hold, row, body, ledger, into: &decision)
    case .deny:
      guard isManager else { throw Refusal(.notPermitted) }
      let row = try pending(hold, named.number, ledger, at: now)
      decision.emit(.reservation(.released(Reservations.end(hold.slot, row))), with: .own)
    case .cancel:
      guard isPayer || actor == named.header.actor else { throw Refusal(.notPermitted) }
      let row = try pending(hold, named.number, ledger, at: now)
      decision.emit(.reservation(.released(Reservations.end(hold.slot, row))))
    }
  }

  /// Whether somebody else than who asked approves. What staff asked for, another operator does, or
  /// the tenant's admin: whoever can open the data directory has an operator's key too.
  private static func isSecond(_ actor: Actor, after asker: Actor) -> Bool {
    guard asker.isStaff, actor.isStaff else { return actor != asker }
    return actor.role == .operator && asker.role == .operator && actor != asker
  }

  private static func pending(
    _ hold: Reservations.Hold, _ number: EventNumber, _ ledger: borrowing Ledger,
    at now: Timestamp
  ) throws(Refusal) -> Reservations.State.Row {
    guard let row = ledger.reservations.open(hold.slot, made: number), now < hold.deadline else {
      throw Refusal(.paymentNotPending)
    }
    return row
  }

  /// Of a split that waited, no receiver's wallet may have been closed meanwhile: what a closed
  /// one gets is set aside by an event of its own, and one command has only so many.
  private static func check(
    _ payee: Payments.Payee, _ body: Span<UInt8>, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    guard payee.isSplit else { return }
    for index in 0..<Splits.Part.count(body) {
      guard case .wallet(let number) = Splits.Part.read(body, index).payee else { continue }
      guard ledger.wallets.wallets[number].status != .closed else { throw Refusal(.payeeClosed) }
    }
  }
}
