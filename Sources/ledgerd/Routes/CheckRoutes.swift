import LedgerCore

/// What would become of a payment, without making it [AP-30].
enum CheckRoutes {
  enum Decision: String, CaseIterable {
    case allowed, denied
    case needsApproval = "needs_approval"
  }

  static let check = Route(
    method: .post, path: "/v1/payments/check", name: "checkPayment",
    summary: "Says what would become of a payment now, and records nothing; a key in the body is "
      + "not looked at.",
    who: .holders([.apiKey]), body: PaymentRoutes.order,
    answer: [
      Property(
        "decision", .choice(Decision.allCases.map(\.rawValue)),
        "Whether it would be paid, would wait, or would be refused: \"problem\" says why."),
      Property("currency", .currency, "Of its amounts."),
      Property(
        "limits",
        .list(
          [
            Property("policy_id", .id(.policy), "Whose rule it is."),
            Property("policy_version", .whole(1...Int(UInt32.max)), "Which version of it."),
          ] + PolicyView.lineProperties),
        "The limits that bear on it, the wallet's own first, as they are without it."),
      Property("problem", .problem, isRequired: false, "The refusal, where it would be refused."),
    ] + Property.amount("amount", "What it is of.")
      + Property.amount("fee", isRequired: false, "The fee, where it can be told.")
      + Property.amount(
        "total_debited", isRequired: false, "What the payer would pay, where it can be told.")
      + Property.amount(
        "remaining", isRequired: false, "What the payer would have left, unless it is refused."),
    errors: [
      .walletNotFound, .invalidAmount, .invalidCurrency, .invalidRecipient, .splitInvalid,
      .settlementNotConfigured,
    ],
    handle: { call throws(Problem) in try await check(call) })

  private static func check(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let order = try await PaymentRoutes.order(call)
    guard case .payment(.pay(let payer, _, let amount, _, _, _)) = order.request.command else {
      preconditionFailure("an order asks for a payment")
    }
    let (result, wallet, policies) = try await backend.read { () throws(LedgerFailure) in
      let engine = backend.engine
      return (
        try await engine.check(order.request), try await engine.wallet(payer),
        try await engine.policies(bearingOn: payer)
      )
    }
    var (decision, problem) = (Decision.allowed, Problem?.none)
    var payment: Payments.Payment?
    switch result {
    case .success(.reservation(.reserved(let hold))):
      decision = .needsApproval
      payment = try await backend.read { () throws(LedgerFailure) in
        try await backend.engine.payment(waitingAs: hold)
      }
    case .success(let event): payment = event.payment
    case .failure(let refusal):
      decision = .denied
      problem = await self.problem(refusal, order, backend)
    }
    var members = Members()
    members.string("decision", decision.rawValue)
    members.amount("amount", amount, of: order.asset)
    let cost = try await cost(of: amount, payment, backend)
    if let cost {
      members.amount("fee", cost.fee, of: order.asset)
      members.amount("total_debited", cost.debited, of: order.asset)
    }
    if problem == nil, let cost, let wallet {
      members.amount("remaining", wallet.available - cost.debited, of: order.asset)
    }
    members.string("currency", order.asset.code.description)
    var limits: [JSONValue] = []
    for policy in policies where policy.isInForce {
      limits += try await backend.view(of: policy, seenBy: call.holder)
        .limits(in: order.asset.number, backend.ids)
    }
    members.value("limits", .array(limits))
    members.value("problem", problem?.json)
    return Answer(members.json)
  }

  /// The refusal as paying would say it.
  private static func problem(
    _ refusal: Refusal, _ order: PaymentRoutes.Order, _ backend: Backend
  ) async -> Problem {
    do throws(Problem) {
      _ = try await order.event(
        of: .refused(refusal, event: .none, isReplay: false), backend)
    } catch {
      return error
    }
    preconditionFailure("a refusal is a problem")
  }

  /// Fee and what the payer pays: of the payment where it came to one, or by the schedule of now;
  /// nil where not even that can be told.
  private static func cost(
    of amount: Amount, _ payment: Payments.Payment?, _ backend: Backend
  ) async throws(Problem) -> (fee: Amount, debited: Amount)? {
    if let payment { return (payment.fee, payment.debited) }
    let (result, terms) = try await backend.read { () throws(LedgerFailure) in
      (try await backend.engine.fee(on: amount), try await backend.engine.feeSchedule().terms)
    }
    guard let fee = try? result.get() else { return nil }
    return (fee, terms.side == .payer ? amount + fee : amount)
  }
}
