import LedgerCore
import Projections

/// Disputes: opened by a party to a payment, decided by an operator [AP-86 to AP-97].
enum DisputeRoutes {
  static let disputeId: Field<String> = Field.id("dispute_id", .dispute, "The dispute.").required()
  static let paymentId: Field<String> = Field.id(
    "payment_id", .payment, "What is disputed: a payment that you made or got."
  ).required()
  static let reason: Field<String> = Field.choice(
    "reason", Disputes.Reason.allCases.map(\.word), "What is wrong."
  ).required()
  static let description = Field.text(
    "description", bytes: 0...4_000, lines: true, "What happened, for whoever decides.")
  static let type: Field<String> = Field.choice(
    "type", Disputes.Evidence.allCases.map(\.word), "What it is."
  ).required()
  static let content: Field<String> = Field.text(
    "content", bytes: 1...contentByteCountMax, lines: true,
    "The evidence: text, or base64 of anything else. Shown as it is, never interpreted."
  ).required()
  static let outcome: Field<String> = Field.choice(
    "outcome", Disputes.Outcome.allCases.map(\.word),
    "Who gets the money: refunded to the payer, "
      + "or denied, so that the payee keeps it."
  ).required()
  static let why = Field.text("reason", bytes: 0...1_000, lines: true, "Why, for people.")
  static let status = Field.choice(
    "status", Disputes.Status.allCases.map(\.word), "Only those that are so now.")
  static let walletId = Field.id(
    "wallet_id", .wallet,
    "Whose disputes; the agent's own wallet where it is not said, for an operator all: those that "
      + "are not decided, or of each payment the newest where that is in the status that is said.")

  /// The most bytes of one piece of evidence; a request is a little longer.
  static let contentByteCountMax = 48_000

  static let all = [open, list, find, submitEvidence, listEvidence, withdraw, review, resolve]

  static let open = Route(
    method: .post, path: "/v1/disputes", name: "openDispute",
    summary: "Says that a payment was wrong. The payer's dispute holds the money until it is "
      + "decided.",
    who: .holders([.apiKey, .operatorKey]), body: [paymentId, reason, description, Route.key],
    keys: .idempotencyKey, status: 201, answer: DisputeView.properties,
    errors: [
      .paymentNotFound, .duplicateDispute, .disputeWindowPassed, .nothingToDispute,
      .alreadySettled, .paymentNotCompleted, .projectionBehind,
    ],
    handle: { call throws(Problem) in try await open(call) })

  static let list = Route(
    method: .get, path: "/v1/disputes", name: "disputes",
    summary: "Lists the disputes of payments from and to a wallet, newest first. A page may have "
      + "fewer than asked for and still be followed by another.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]),
    query: [walletId, status, PaymentRoutes.limit, PaymentRoutes.cursor],
    answer: [
      Property("disputes", .list(DisputeView.properties), "The page."),
      Property(
        "next_cursor", .id(.cursor), isRequired: false, "Send it for the next page, if any."),
    ],
    errors: [.walletNotFound, .projectionBehind],
    handle: { call throws(Problem) in try await list(call) })

  static let find = Route(
    method: .get, path: "/v1/disputes/{dispute_id}", name: "dispute",
    summary: "Says what became of a dispute, to the parties of its payment.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), parameters: [disputeId],
    answer: DisputeView.properties, errors: [.disputeNotFound, .projectionBehind],
    handle: { call throws(Problem) in
      let backend = call.backend
      let event = try await backend.dispute(call[disputeId], seenBy: call.holder)
      return Answer(try await backend.view(opened: event).json(backend.ids))
    })

  static let submitEvidence = Route(
    method: .post, path: "/v1/disputes/{dispute_id}/evidence", name: "submitEvidence",
    summary: "Adds evidence to a dispute that is not decided, by a party to it or an operator.",
    who: .holders([.apiKey, .operatorKey]), parameters: [disputeId],
    body: [type, content, Route.key], keys: .idempotencyKey, status: 201,
    answer: [
      Property("dispute_id", .id(.dispute), "The dispute."),
      Property("type", .choice(Disputes.Evidence.allCases.map(\.word)), "What it is."),
      Property("created_at", .time, "When it was recorded."),
    ],
    errors: [.disputeNotFound, .disputeEnded, .tooMuchEvidence],
    handle: { call throws(Problem) in try await submitEvidence(call) })

  static let listEvidence = Route(
    method: .get, path: "/v1/disputes/{dispute_id}/evidence", name: "evidence",
    summary: "Lists the evidence of a dispute, newest first.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), parameters: [disputeId],
    query: [PaymentRoutes.limit, PaymentRoutes.cursor],
    answer: [
      Property(
        "evidence",
        .list([
          Property("type", .choice(Disputes.Evidence.allCases.map(\.word)), "What it is."),
          Property("by", .choice(["payer", "payee", "operator"]), "Who added it."),
          Property(
            "content", .text(bytes: 1...contentByteCountMax, lines: true), isRequired: false,
            "As it was sent; absent where it was erased."),
          Property("created_at", .time, "When it was recorded."),
        ]), "The page."),
      Property(
        "next_cursor", .id(.cursor), isRequired: false, "Send it for the next page, if any."),
    ],
    errors: [.disputeNotFound, .projectionBehind],
    handle: { call throws(Problem) in try await listEvidence(call) })

  static let withdraw = step(
    "withdraw", name: "withdrawDispute",
    summary: "Drops a dispute before an operator looks at it, by who opened it.",
    who: [.apiKey, .operatorKey], statuses: [.withdrawn],
    errors: [.disputeEnded, .disputeUnderReview]
  ) { _, dispute in .withdraw(dispute) }

  static let review = step(
    "review", name: "reviewDispute",
    summary: "Begins to look at a dispute; from then on it can be decided, and not be dropped.",
    who: [.operatorKey], statuses: [.underReview], errors: [.disputeEnded, .disputeUnderReview]
  ) { _, dispute in .review(dispute) }

  static let resolve = step(
    "resolve", name: "resolveDispute", summary: "Decides a dispute that is under review.",
    who: [.operatorKey], body: [outcome, why], statuses: [.resolvedRefunded, .resolvedDenied],
    errors: [
      .disputeEnded, .disputeNotReviewed, .insufficientFunds, .walletClosed, .alreadySettled,
    ]
  ) { call, dispute in
    let word = call[outcome]
    return .resolve(dispute, Disputes.Outcome.allCases.first { $0.word == word } ?? .denied)
  }

  /// A route that brings a dispute into one of `statuses`.
  private static func step(
    _ word: String, name: String, summary: String, who: [Identity.CredentialKind],
    body: [any AnyField] = [], statuses: [Disputes.Status], errors: [Reason],
    _ command: @escaping @Sendable (Call, EventNumber) -> Disputes.Command
  ) -> Route {
    Route(
      method: .post, path: "/v1/disputes/{dispute_id}/\(word)", name: name, summary: summary,
      who: .holders(who), parameters: [disputeId], body: body + [Route.key],
      keys: .idempotencyKey,
      answer: [
        Property("id", .id(.dispute), "The dispute."),
        Property("status", .choice(statuses.map(\.word)), "What it is now."),
        Property("created_at", .time, "Since when."),
      ], errors: [.disputeNotFound] + errors,
      handle: { call throws(Problem) in
        let backend = call.backend
        let opened = try await backend.dispute(call[disputeId], seenBy: call.holder)
        let asset = try await backend.assets.asset(opened.opening.asset)
        let text = body.isEmpty ? nil : call[why]
        let request = try backend.request(
          .dispute(command(call, opened.event.number)), by: call.holder.actor, key: call.key,
          text: text.map { [$0] } ?? [])
        let (event, isReplay) = try await backend.submit(request, asset: asset)
        var members = Members()
        members.id("id", .dispute, opened.event.number.rawValue, backend.ids)
        members.string("status", (event.event.disputeStatus ?? .open).word)
        members.time("created_at", event.header.time)
        return Answer(members.json, isReplay: isReplay)
      })
  }

  // MARK: - Handlers

  private static func open(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let (course, number, payment) = try await backend.completed(
      call[paymentId], for: call.holder)
    let asset = try await backend.assets.asset(payment.asset)
    let word = call[reason]
    let wrong = Disputes.Reason.allCases.first { $0.word == word } ?? .other
    let window = UInt32(backend.settings.disputeWindow) * 86_400
    let request = try backend.request(
      .dispute(.open(number, reason: wrong, within: window)), by: call.holder.actor,
      key: call.key, text: call[description].map { [$0] } ?? [])
    let (event, isReplay) = try await backend.submit(request, asset: asset)
    guard case .dispute(.opened(let opening)) = event.event else {
      preconditionFailure("opening a dispute ends in another event")
    }
    let view = DisputeView(
      Backend.Opened(event: event, opening: opening, payment: course.made.number), [],
      asset: asset,
      description: call[description], claims: [])
    return Answer(view.json(backend.ids), isReplay: isReplay)
  }

  private static func list(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let limit = call[PaymentRoutes.limit] ?? 20
    let wanted = Disputes.Status.allCases.first { $0.word == call[status] }
    let (found, next): ([Recorded], EventNumber?)
    if call[walletId] == nil, call.holder.actor.isStaff {
      let start = try PaymentRoutes.start(call)
      (found, next) = try await backend.read { () throws(LedgerFailure) in
        let disputes = try await backend.engine.disputes(
          in: wanted, before: start, limit: limit + 1)
        var found: [Recorded] = []
        for dispute in disputes.prefix(limit) {
          if let event = try backend.engine.event(dispute.dispute) { found.append(event) }
        }
        return (found, disputes.count > limit ? found.last?.number : nil)
      }
    } else {
      let wallet = try await PaymentRoutes.wallet(of: call, walletId)
      (found, next) = try await PaymentRoutes.events(
        of: .wallet(wallet.number), before: try PaymentRoutes.start(call), limit: limit, backend
      ) { event in
        if case .dispute(.opened) = event.event { true } else { false }
      }
    }
    var rows: [JSONValue] = []
    for event in found {
      let id = backend.ids.text(.dispute, event.number.rawValue)
      let view = try await backend.view(
        opened: try await backend.dispute(id, seenBy: call.holder))
      if let wanted, view.status != wanted { continue }
      rows.append(view.json(backend.ids))
    }
    var members = Members()
    members.value("disputes", .array(rows))
    members.string("next_cursor", next.map { backend.ids.text(.cursor, $0.rawValue) })
    return Answer(members.json)
  }

  private static func submitEvidence(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let opened = try await backend.dispute(call[disputeId], seenBy: call.holder)
    let evidence = Disputes.Evidence.allCases.first { $0.word == call[type] } ?? .logExcerpt
    let request = try backend.request(
      .dispute(.submitEvidence(opened.event.number, evidence)), by: call.holder.actor,
      key: call.key, text: [call[content]])
    let (event, isReplay) = try await backend.submit(request)
    var members = Members()
    members.id("dispute_id", .dispute, opened.event.number.rawValue, backend.ids)
    members.string("type", evidence.word)
    members.time("created_at", event.header.time)
    return Answer(members.json, isReplay: isReplay)
  }

  private static func listEvidence(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let opened = try await backend.dispute(call[disputeId], seenBy: call.holder)
    let limit = call[PaymentRoutes.limit] ?? 20
    let (events, next) = try await PaymentRoutes.events(
      of: .event(opened.event.number), before: try PaymentRoutes.start(call), limit: limit, backend
    ) { event in
      if case .dispute(.evidenceSubmitted) = event.event { true } else { false }
    }
    var rows: [JSONValue] = []
    for event in events {
      guard case .dispute(.evidenceSubmitted(_, _, let evidence)) = event.event else { continue }
      let text = try await backend.read { () throws(LedgerFailure) in
        try backend.engine.text(of: event.number)?.first
      }
      var members = Members()
      members.string("type", evidence.word)
      members.string("by", try await party(event.header.actor, opened.opening, backend))
      members.string("content", text)
      members.time("created_at", event.header.time)
      rows.append(members.json)
    }
    var members = Members()
    members.value("evidence", .array(rows))
    members.string("next_cursor", next.map { backend.ids.text(.cursor, $0.rawValue) })
    return Answer(members.json)
  }

  private static func party(
    _ actor: Actor, _ opening: Disputes.Opening, _ backend: Backend
  ) async throws(Problem) -> String {
    if actor.isStaff { return "operator" }
    let payer = try await backend.facts(of: opening.payer)
    return payer?.agent == actor.agent ? "payer" : "payee"
  }
}

// MARK: - Views

/// A dispute as it is answered.
struct DisputeView: Sendable {
  private let opened: Backend.Opened
  /// What happened to it, the oldest first.
  private let steps: [Recorded]
  private let asset: Asset
  private let description: String?
  /// What it claims now, as far as whoever asks may see it.
  private let claims: [Disputes.Claim]

  init(
    _ opened: Backend.Opened, _ steps: [Recorded], asset: Asset, description: String?,
    claims: [Disputes.Claim]
  ) {
    self.opened = opened
    self.steps = steps
    self.asset = asset
    self.description = description
    self.claims = claims
  }

  /// What it is now.
  var status: Disputes.Status { steps.compactMap(\.event.disputeStatus).last ?? .open }

  static let properties =
    [
      Property("id", .id(.dispute), "The dispute."),
      Property("status", .choice(Disputes.Status.allCases.map(\.word)), "How far it is."),
      Property("payment_id", .id(.payment), "What is disputed."),
      Property("reason", .choice(Disputes.Reason.allCases.map(\.word)), "What is wrong."),
      Property("opened_by", .choice(Disputes.Party.allCases.map(\.word)), "Who says so."),
      Property("currency", .currency, "Of all its amounts."),
      Property(
        "description", .text(bytes: 0...4_000, lines: true), isRequired: false,
        "As it was given."),
      Property("created_at", .time, "When it was opened."),
      Property("ended_at", .time, isRequired: false, "When it was decided or dropped, if it was."),
    ] + Property.amount("amount", "What is disputed: all that was not refunded before.")
    + Property.amount(
      "held", isRequired: false,
      "What is held of it now. Until it is decided, for operators, and for a receiver of what he "
        + "got: the payer does not learn what others have. Not in the answer to opening it.")
    + Property.amount(
      "receivable", isRequired: false,
      "What of that the platform advanced, and comes from what the receiver is paid next. As held.")
    + Property.amount(
      "uncovered", isRequired: false,
      "What is not held, and comes from what the receiver is paid next. As held.")

  func json(_ ids: TextIds) -> JSONValue {
    var members = Members()
    members.id("id", .dispute, opened.event.number.rawValue, ids)
    members.string("status", status.word)
    members.id("payment_id", .payment, opened.payment.rawValue, ids)
    members.string("reason", opened.opening.reason.word)
    members.string("opened_by", opened.opening.party.word)
    members.amount("amount", opened.opening.principal, of: asset)
    // What is claimed is known before the status: it may have ended since.
    if !claims.isEmpty, !status.isEnd {
      members.amount("held", claims.map(\.held).reduce(.zero, +), of: asset)
      members.amount("receivable", claims.map(\.receivable).reduce(.zero, +), of: asset)
      members.amount("uncovered", claims.map(\.uncovered).reduce(.zero, +), of: asset)
    }
    members.string("currency", asset.code.description)
    members.string("description", description)
    members.time("created_at", opened.event.header.time)
    if let end = steps.last(where: { $0.event.disputeStatus?.isEnd == true }) {
      members.time("ended_at", end.header.time)
    }
    return members.json
  }
}

extension Event {
  /// The status that a dispute has since this event, where it is a step of one that changes it.
  fileprivate var disputeStatus: Disputes.Status? {
    switch self {
    case .dispute(.reviewed): .underReview
    case .dispute(.withdrawn): .withdrawn
    case .dispute(.denied): .resolvedDenied
    case .dispute(.refunded): .resolvedRefunded
    case .dispute(.opened), .dispute(.evidenceSubmitted), .genesis, .refusal, .identity, .wallet,
      .payment, .fee, .reservation, .refund, .pause, .receivable, .policy:
      nil
    }
  }
}

extension Disputes.Evidence {
  /// As requests and answers say it. Public and stable.
  var word: String {
    switch self {
    case .logExcerpt: "log_excerpt"
    case .screenshot: "screenshot"
    case .apiResponse: "api_response"
    }
  }
}

extension Disputes.Outcome {
  /// As requests say it. Public and stable.
  var word: String {
    switch self {
    case .refunded: "refunded"
    case .denied: "denied"
    }
  }
}

extension Backend {
  /// A dispute as it was opened.
  struct Opened: Sendable {
    var event: Recorded
    var opening: Disputes.Opening
    /// The number by which the payment is known.
    var payment: EventNumber
    /// The receivers of whom whoever asks may see what is claimed; all, where this is nil.
    var seen: [Payments.Payee]? = []
  }

  /// The dispute of this text id, if whoever asks is a party to its payment, or staff.
  func dispute(
    _ text: String, seenBy principal: Principal
  ) async throws(Problem) -> Opened {
    let notFound = Problem(
      .disputeNotFound, field: DisputeRoutes.disputeId.property.name,
      "Check the dispute's id; there is none of this id that is yours.")
    guard let number = ids.number(.dispute, text).map({ EventNumber($0) }) else { throw notFound }
    let (event, body) = try await read { () throws(LedgerFailure) in
      (try engine.event(number), try engine.body(of: number))
    }
    guard let event, case .dispute(.opened(let opening)) = event.event else { throw notFound }
    let payment = try await self.number(ofPayment: opening.payment)
    if principal.actor.isStaff {
      return Opened(event: event, opening: opening, payment: payment, seen: nil)
    }
    var own: [Payments.Payee] = []
    for claim in Disputes.Claim.all(body.span) {
      if try await isParty(principal, claim.payee.wallets) { own.append(claim.payee) }
    }
    if own.isEmpty {
      guard try await isParty(principal, [opening.payer]) else { throw notFound }
    }
    return Opened(event: event, opening: opening, payment: payment, seen: own)
  }

  /// A dispute with what became of it, its description, and what whoever asks may see of it.
  func view(opened: Opened) async throws(Problem) -> DisputeView {
    let number = opened.event.number
    var claims: [Disputes.Claim] = []
    if opened.seen?.isEmpty != true {
      claims = try await read { () throws(LedgerFailure) in
        try await engine.claims(of: opened.opening)
      }.filter { opened.seen?.contains($0.payee) ?? true }
    }
    var steps: [Recorded] = []
    var before: EventNumber?
    repeat {
      let start = before
      let page = try await view { () throws(ProjectionFailure) in
        try await projections.timeline(of: .event(number), before: start, limit: 1_000)
      }
      steps += page.events.filter { $0.event.disputeStatus != nil }
      before = page.next
    } while before != nil
    let text = try await read { () throws(LedgerFailure) in try engine.text(of: number)?.first }
    return DisputeView(
      opened, steps.reversed(), asset: try await assets.asset(opened.opening.asset),
      description: text, claims: claims)
  }
}
