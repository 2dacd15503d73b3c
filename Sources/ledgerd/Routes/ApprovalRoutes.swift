import LedgerCore

/// Approvals: payments above a policy's threshold wait until somebody who manages the payer's
/// tenant approves them (`accounting.md` 5).
enum ApprovalRoutes {
  static let reason = Field.text("reason", bytes: 0...1_000, lines: true, "Why, for people.")

  static let all = [approve, deny, cancel]

  static let approve = step(
    "approve", name: "approvePayment", summary: "Lets a payment be paid that waits for approval.",
    who: [.tenantKey, .operatorKey], errors: [.payeeClosed, .invalidAmount]
  ) { .approve($0) }

  static let deny = step(
    "deny", name: "denyPayment", summary: "Gives the money of a payment that waits back.",
    who: [.tenantKey, .operatorKey], body: [reason]
  ) { .deny($0) }

  static let cancel = step(
    "cancel", name: "cancelPayment",
    summary: "Takes a payment back that waits for approval, by its payer.", who: [.apiKey]
  ) { .cancel($0) }

  /// A route that ends the waiting.
  private static func step(
    _ word: String, name: String, summary: String, who: [Identity.CredentialKind],
    body: [any AnyField] = [], errors: [Reason] = [],
    _ command: @escaping @Sendable (EventNumber) -> Approvals.Command
  ) -> Route {
    Route(
      method: .post, path: "/v1/payments/{payment_id}/\(word)", name: name, summary: summary,
      who: .holders(who), parameters: [PaymentRoutes.paymentId], body: body + [Route.key],
      keys: .idempotencyKey, answer: PaymentView.properties,
      errors: [.paymentNotFound, .paymentNotPending] + errors,
      handle: { call throws(Problem) in
        let backend = call.backend
        let text = body.isEmpty ? nil : call[reason]
        let (made, hold) = try await named(call)
        // Before it is submitted: once it is done, nothing may fail that would say it was not.
        var course = PaymentCourse(made: made, hold: hold)
        var view = try await backend.view(
          of: course, parts: try await backend.parts(of: course))
        _ = try await backend.facts(of: hold.payer)
        let request = try backend.request(
          .approval(command(made.number)), by: call.holder.actor, key: call.key,
          text: text.map { [$0] } ?? [])
        let (event, isReplay) = try await backend.submit(
          request, asset: try await backend.assets.asset(hold.asset))
        course.end = event
        view.wait = wait(course, reason: text, isCancel: who == [.apiKey])
        return Answer(view.json(backend.ids), isReplay: isReplay)
      })
  }

  private static func wait(
    _ course: PaymentCourse, reason: String?, isCancel: Bool
  ) -> PaymentView.Wait {
    guard let end = course.end else { preconditionFailure("the waiting has ended") }
    if end.event.payment != nil { return .approved(end.header.time) }
    return .failed(isCancel ? .cancelled : .denied, end.header.time, reason: reason)
  }

  /// The payment that the path names, as it waited from its event on.
  private static func named(
    _ call: Call
  ) async throws(Problem) -> (Recorded, Reservations.Hold) {
    let backend = call.backend
    guard
      let number = backend.ids.number(.payment, call[PaymentRoutes.paymentId])
        .map({ EventNumber($0) }),
      let event = try await backend.read({ () throws(LedgerFailure) in
        try backend.engine.event(number)
      })
    else { throw Backend.noPayment }
    if case .reservation(.reserved(let hold)) = event.event, hold.purpose == .approval {
      return (event, hold)
    }
    // One that never waited, of who may know that there is one.
    guard let course = try await backend.course(of: event), course.made.number == number,
      let parties = course.parties,
      try await backend.isParty(call.holder, [parties.payer] + parties.payee.wallets)
    else { throw Backend.noPayment }
    throw backend.problem(Refusal(.paymentNotPending), asset: nil)
  }
}
