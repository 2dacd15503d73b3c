import LedgerCore
import Projections

/// A payment with what became of it. Its number, for ever, is that of the event that answered
/// whoever asked for it: of the payment, or of the hold in which it waited for approval.
struct PaymentCourse: Sendable {
  /// The event that has its number.
  let made: Recorded
  /// What it waited as, where it waited.
  let hold: Reservations.Hold?
  /// The event that ended the waiting, where it has ended.
  var end: Recorded?

  /// The event that the payment is complete with, and the payment; nil where it is not.
  var completed: (event: Recorded, payment: Payments.Payment)? {
    let event = hold == nil ? made : end
    return event.flatMap { event in event.event.payment.map { (event, $0) } }
  }

  /// Who pays, and who is paid.
  var parties: (payer: WalletNumber, payee: Payments.Payee)? {
    if let hold { return (hold.payer, hold.payee) }
    return completed.map { ($0.payment.payer, $0.payment.payee) }
  }

  /// The event that says who the receivers of a split are.
  var listing: EventNumber { completed?.event.number ?? made.number }
}

extension Backend {
  /// The same as where the engine says so, of one that is another's.
  static let noPayment = Problem(
    Refusal(.paymentNotFound), event: .none, isReplay: false, in: nil)

  /// The payment of this text id, if there is one.
  func payment(_ text: String) async throws(Problem) -> PaymentCourse? {
    guard let number = ids.number(.payment, text).map({ EventNumber($0) }),
      let event = try await read({ () throws(LedgerFailure) in try engine.event(number) })
    else { return nil }
    // So that what is past its deadline is not shown as pending.
    if case .reservation(.reserved) = event.event { try await fireDueTimers() }
    guard let course = try await course(of: event), course.made.number == number
    else { return nil }
    return course
  }

  /// The payment of this text id once it is complete, for a command about it. Who is no party to it
  /// does not learn that there is one that is not.
  func completed(
    _ text: String, for principal: Principal
  ) async throws(Problem) -> (PaymentCourse, event: EventNumber, Payments.Payment) {
    guard let course = try await payment(text), let parties = course.parties
    else { throw Self.noPayment }
    if let (event, payment) = course.completed { return (course, event.number, payment) }
    guard try await isParty(principal, [parties.payer] + parties.payee.wallets) else {
      throw Self.noPayment
    }
    throw Problem(
      .paymentNotCompleted, field: PaymentRoutes.paymentId.property.name,
      "Nothing to do; nothing was paid, since the payment waits for approval or did not get it.")
  }

  /// The payment that an event belongs to, if it is one's: complete with it, or waiting with it.
  func course(of event: Recorded) async throws(Problem) -> PaymentCourse? {
    switch event.event {
    case .payment(.completed): return PaymentCourse(made: event, hold: nil)
    case .reservation(.reserved(let hold)):
      guard hold.purpose == .approval else { return nil }
      return PaymentCourse(made: event, hold: hold, end: try await end(of: event))
    case .reservation(.captured(let capture)):
      guard let made = try await approved(event, capture),
        case .reservation(.reserved(let hold)) = made.event
      else { return PaymentCourse(made: event, hold: nil) }
      return PaymentCourse(made: made, hold: hold, end: event)
    case .payment, .reservation, .genesis, .refusal, .identity, .wallet, .fee, .refund, .pause,
      .dispute, .receivable, .policy:
      return nil
    }
  }

  /// The number by which the payment is known that is complete with this event.
  func number(ofPayment event: EventNumber) async throws(Problem) -> EventNumber {
    let event = try await read { () throws(LedgerFailure) in try engine.event(event) }
    guard let event, let course = try await course(of: event) else {
      preconditionFailure("a payment has its event")
    }
    return course.made.number
  }

  /// The hold in which a captured payment waited for approval; nil where it is another's capture.
  func approved(
    _ event: Recorded, _ capture: Reservations.Capture
  ) async throws(Problem) -> Recorded? {
    // Nobody approves who is an agent, and most captures are an agent's.
    guard !event.header.actor.agent.isSome else { return nil }
    let made = try await read { () throws(LedgerFailure) in try engine.event(capture.reservation) }
    guard let made, case .reservation(.reserved(let hold)) = made.event, hold.purpose == .approval
    else { return nil }
    return made
  }

  /// What ended a payment's waiting, if it has ended. Beside it only that it counts is said of it.
  private func end(of made: Recorded) async throws(Problem) -> Recorded? {
    let page = try await view { () throws(ProjectionFailure) in
      try await projections.timeline(of: .event(made.number), before: nil, limit: 4)
    }
    return page.events.first { event in
      if case .reservation = event.event { true } else { false }
    }
  }

  /// How the waiting stands, as answers say it.
  func wait(of course: PaymentCourse) async throws(Problem) -> PaymentView.Wait {
    guard let hold = course.hold else { return .never }
    guard let end = course.end else { return .pending(until: hold.deadline) }
    switch end.event {
    case .reservation(.captured): return .approved(end.header.time)
    case .reservation(.expired(_, let effective)): return .expired(effective)
    case .reservation(.released):
      let payer = try await facts(of: hold.payer)
      let actor = end.header.actor
      let isCancelled =
        actor == course.made.header.actor || actor.agent.isSome && actor.agent == payer?.agent
      let text = try await read { () throws(LedgerFailure) in try engine.text(of: end.number) }
      return .failed(
        isCancelled ? .cancelled : .denied, end.header.time, reason: text?.first)
    case .reservation(.reserved), .payment, .genesis, .refusal, .identity, .wallet, .fee, .refund,
      .pause, .dispute, .receivable, .policy:
      preconditionFailure("waiting ends by an event of its hold")
    }
  }

  /// The payment that one which was just answered as waiting comes to. Where that cannot be read
  /// any more, whoever asked learns that he must ask again.
  func payment(answeredAs hold: Reservations.Hold) async throws(Problem) -> Payments.Payment {
    do throws(LedgerFailure) {
      return try await engine.payment(waitingAs: hold)
    } catch {
      throw Problem(submitting: .outcomeUnknown)
    }
  }
}
