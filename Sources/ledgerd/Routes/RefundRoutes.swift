import LedgerCore

/// Refunds: money of a payment, back to its payer [AP-28, Q-05].
enum RefundRoutes {
  static let amount = Field.amount(
    "amount", "How much to give back; all that was not refunded yet where it is not said.")
  static let reason = Field.text(
    "reason", bytes: 0...1_000, lines: true, "Why, for people.")

  static let refund = Route(
    method: .post, path: "/v1/payments/{payment_id}/refund", name: "refund",
    summary: "Gives a payment back, whole or in part: by its payee or an operator.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), parameters: [PaymentRoutes.paymentId],
    body: [amount, reason, Route.key], keys: .idempotencyKey, status: 201,
    answer: [
      Property("id", .id(.refund), "The refund."),
      Property("payment_id", .id(.payment), "What was given back of."),
      Property("status", .choice(["completed"]), "The money is there."),
      Property("currency", .currency, "Of all its amounts."),
      Property("to_wallet_id", .id(.wallet), "Who got it: the payer."),
      Property(
        "reason", .text(bytes: 0...1_000, lines: true), isRequired: false, "As it was given."),
      Property("created_at", .time, "When it was recorded."),
    ] + Property.amount("amount", "What went back.")
      + Property.amount(
        "fee", isRequired: false, "What of the fee went back to who bore it, if anything did."),
    errors: [
      .paymentNotFound, .invalidAmount, .refundExceedsPayment, .paymentDisputed, .alreadySettled,
      .insufficientFunds, .walletFrozen, .walletClosed, .paymentNotCompleted, .projectionBehind,
    ],
    handle: { call throws(Problem) in try await refund(call) })

  private static func refund(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let (course, number, payment) = try await backend.completed(
      call[PaymentRoutes.paymentId], for: call.holder)
    let asset = try await backend.assets.asset(payment.asset)
    let part = try call.amount(amount, of: asset)
    let request = try backend.request(
      .refund(.refund(number, amount: part)), by: call.holder.actor, key: call.key,
      text: call[reason].map { [$0] } ?? [])
    let (done, isReplay) = try await backend.submit(request, asset: asset)
    guard case .refund(.completed(let refund)) = done.event else {
      preconditionFailure("a refund ends in another event")
    }
    var members = Members()
    members.id("id", .refund, done.number.rawValue, backend.ids)
    members.id("payment_id", .payment, course.made.number.rawValue, backend.ids)
    members.string("status", "completed")
    members.amount("amount", refund.amount, of: asset)
    if refund.fee > .zero { members.amount("fee", refund.fee, of: asset) }
    members.string("currency", asset.code.description)
    members.id("to_wallet_id", .wallet, refund.payer.rawValue, backend.ids)
    members.string("reason", call[reason])
    members.time("created_at", done.header.time)
    return Answer(members.json, isReplay: isReplay)
  }
}
