import LedgerCore
import Projections

/// Payments: made, looked up and listed by the agents they concern [AP-14 to AP-25].
enum PaymentRoutes {
  static let from: Field<String> = Field.id(
    "from_wallet_id", .wallet, "Who pays: a wallet of the agent whose key is shown."
  ).required()
  static let toWallet = Field.id("to_wallet_id", .wallet, "Who is paid: a wallet of this ledger.")
  static let toExternal = Field.label(
    "to_external", "Who is paid: a label of the caller's, such as merchant:demo.")
  static let amount: Field<String> = Field.amount(
    "amount",
    "What is paid; exact. GET /v1/fees says who bears the fee, which is on top for payers."
  ).required()
  static let currency = Field.currency(
    "currency", "Refused where it is not both wallets'; needs not be said.")
  static let rail = Field.label("rail", "How it settles; internal where it is not said.")
  static let description = Field.text(
    "description", bytes: 0...1_000, lines: true, "What it is for, for people.")

  static let paymentId: Field<String> = Field.id("payment_id", .payment, "The payment.").required()
  static let walletId = Field.id(
    "wallet_id", .wallet, "Whose payments; the agent's own wallet where it is not said.")
  static let limit = Field.whole("limit", 1...100, "At most so many; 20 where it is not said.")
  static let cursor = Field.id("cursor", .cursor, "The next_cursor of the page before.")

  static let all = [pay, batch, list, find, RefundRoutes.refund]

  static let pay = Route(
    method: .post, path: "/v1/payments", name: "pay",
    summary: "Pays from a wallet to a wallet or an external label, complete when answered.",
    who: .holders([.apiKey]),
    body: [from, toWallet, toExternal, amount, currency, rail, description, Route.key],
    keys: .idempotencyKey, status: 201, answer: PaymentView.properties,
    errors: [
      .walletNotFound, .payeeNotFound, .selfPayment, .currencyDiffers, .insufficientFunds,
      .invalidAmount, .invalidCurrency, .invalidRecipient, .settlementNotConfigured,
      .walletFrozen, .walletClosed, .payeeClosed, .feeTakesAll, .paused,
    ],
    handle: { call throws(Problem) in try await pay(call) })

  static let find = Route(
    method: .get, path: "/v1/payments/{payment_id}", name: "payment",
    summary: "Says what became of a payment, to its payer and its payee.",
    who: .holders([.apiKey, .operatorKey]), parameters: [paymentId],
    answer: PaymentView.properties, errors: [.paymentNotFound],
    handle: { call throws(Problem) in try await find(call) })

  static let list = Route(
    method: .get, path: "/v1/payments", name: "payments",
    summary: "Lists the payments from and to a wallet, newest first.",
    who: .holders([.apiKey, .operatorKey]), query: [walletId, limit, cursor],
    answer: [
      Property("payments", .list(PaymentView.properties), "The page."),
      Property(
        "next_cursor", .id(.cursor), isRequired: false, "Send it for the next page, if any."),
    ],
    errors: [.walletNotFound, .projectionBehind],
    handle: { call throws(Problem) in try await list(call) })

  // MARK: - Pay

  private static func pay(_ call: Call) async throws(Problem) -> Answer {
    let order = try await order(call)
    let (event, isReplay) = try await call.backend.submit(order.request, asset: order.asset)
    return Answer(order.view(event).json(call.backend.ids), isReplay: isReplay)
  }

  /// A payment that was asked for, checked as far as that goes without the engine's thread.
  struct Order: Sendable {
    var request: Request
    var asset: Asset
    var label: String?
    var description: String?

    func view(_ event: Recorded) -> PaymentView {
      PaymentView(event, asset: asset, label: label, description: description)
    }
  }

  static func order(_ call: Call) async throws(Problem) -> Order {
    let backend = call.backend
    let principal = call.holder
    let to = try recipient(call)
    guard (call[rail] ?? PaymentView.internalRail) == PaymentView.internalRail else {
      throw Problem(
        .settlementNotConfigured, field: rail.property.name,
        "Use the internal rail; no connector settles on another.")
    }
    let wallet = try await backend.wallet(
      call[from], seenBy: principal, field: from.property.name)
    let asset = try await backend.asset(named: call[currency])
    let amount = try Amount(call[amount], of: wallet.asset, field: amount.property.name)
    let request = try backend.request(
      .payment(
        .pay(from: wallet.number, to: to, amount: amount, asset: asset, rail: .internal)),
      by: principal.actor, key: call.key, text: call[description].map { [$0] } ?? [],
      registering: call[toExternal].map { [$0] } ?? [])
    return Order(
      request: request, asset: wallet.asset, label: call[toExternal],
      description: call[description])
  }

  static func recipient(_ call: Call) throws(Problem) -> Payments.Recipient {
    let preparation = call.backend.engine.preparation
    switch (call[toWallet], call[toExternal]) {
    case (let wallet?, nil):
      // A text that is no wallet's stands for none, of which the engine says that it is not there.
      return .wallet(preparation.ids.number(.wallet, wallet).map { WalletNumber($0) } ?? .none)
    case (nil, let label?):
      return .external(label: preparation.hash(label: label, of: call.holder.tenant))
    case (nil, nil), (.some, .some):
      throw Problem(
        .invalidRecipient, field: toWallet.property.name,
        "Send either \"to_wallet_id\" or \"to_external\", and not both.")
    }
  }

  // MARK: - Find

  private static func find(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let notFound = Problem(
      .paymentNotFound, "Check the payment's id; there is none of this id that is yours.")
    guard let number = backend.ids.number(.payment, call[paymentId]).map({ EventNumber($0) })
    else { throw notFound }
    let event = try await backend.read { () throws(LedgerFailure) in
      try backend.engine.event(number)
    }
    guard let event, let payment = event.event.payment,
      try await backend.isParty(call.holder, payment.payer, payment.payee)
    else { throw notFound }
    var view = try await backend.view(of: event, payment)
    view.refunded = try await backend.refunded(of: [number])[0]
    return Answer(view.json(backend.ids))
  }

  // MARK: - List

  /// How many entries of a timeline one request may walk, so that a wallet without payments but
  /// with many other events costs no more than others.
  private static let entryCountMax = 1_000

  private static func list(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let wallet = try await wallet(of: call, walletId)
    let (events, next) = try await events(
      of: wallet.number, before: try start(call), limit: call[limit] ?? 20, backend
    ) { $0.payment != nil }
    let refunded = try await backend.refunded(of: events.map(\.number))
    var rows: [JSONValue] = []
    for (event, refunded) in zip(events, refunded) {
      guard let payment = event.event.payment else { continue }
      var view = try await backend.view(of: event, payment)
      view.refunded = refunded
      rows.append(view.json(backend.ids))
    }
    var members = Members()
    members.value("payments", .array(rows))
    members.string("next_cursor", next.map { backend.ids.text(.cursor, $0.rawValue) })
    return Answer(members.json)
  }

  /// The wallet whose things are listed: the one that `field` names, or the agent's own.
  static func wallet(
    of call: Call, _ field: Field<String?>
  ) async throws(Problem) -> WalletFacts {
    let name = field.property.name
    if let text = call[field] {
      return try await call.backend.wallet(text, seenBy: call.holder, field: name)
    }
    guard call.holder.wallet.isSome else {
      throw Problem(
        .missingField, field: name, "In \"\(name)\", say whose; an operator has no wallet.")
    }
    return try await call.backend.wallet(call.holder.wallet, seenBy: call.holder, field: name)
  }

  /// Before which event the page that is asked for begins.
  static func start(_ call: Call) throws(Problem) -> EventNumber? {
    guard let text = call[cursor] else { return nil }
    guard let number = call.backend.ids.number(.cursor, text) else {
      throw Problem(
        .invalidId, field: cursor.property.name,
        "In \"cursor\", send the next_cursor of the page before, unchanged.")
    }
    return EventNumber(number)
  }

  /// A wallet's events that are `wanted`, and before which event the next page begins.
  static func events(
    of wallet: WalletNumber, before: EventNumber?, limit: Int, _ backend: Backend,
    wanted: (Event) -> Bool
  ) async throws(Problem) -> ([Recorded], next: EventNumber?) {
    var found: [Recorded] = []
    var before = before
    var entryCount = 0
    while entryCount < entryCountMax {
      let start = before
      let page = try await backend.view { () throws(ProjectionFailure) in
        try await backend.projections.timeline(of: .wallet(wallet), before: start, limit: limit)
      }
      for event in page.events where wanted(event.event) {
        // One more than asked for is there, so the page has a successor.
        if found.count == limit { return (found, found.last?.number) }
        found.append(event)
      }
      guard let next = page.next else { return (found, nil) }
      before = next
      entryCount += page.events.count
    }
    return (found, before)
  }
}

// MARK: - Views

/// A payment as it is answered.
struct PaymentView: Sendable {
  private let header: Header
  private let payment: Payments.Payment
  private let asset: Asset
  /// The external label it went to, if it did.
  private let label: String?
  private let description: String?
  /// The reservation that it was captured from, if it was.
  private let reservation: EventNumber?
  /// What of it was refunded so far.
  var refunded = Amount.zero

  /// The event is that of a payment.
  init(_ event: Recorded, asset: Asset, label: String?, description: String?) {
    guard let payment = event.event.payment else {
      preconditionFailure("paying ends in another event")
    }
    header = event.header
    self.payment = payment
    self.asset = asset
    self.label = label
    self.description = description
    if case .reservation(.captured(let capture)) = event.event {
      reservation = capture.reservation
    } else {
      reservation = nil
    }
  }

  static let internalRail = "internal"

  static let properties =
    [
      Property("id", .id(.payment), "The payment."),
      Property(
        "status", .choice(Payments.Status.allCases.map(\.word)),
        "Complete at once on the internal rail; then what went back of it."),
      Property("currency", .currency, "Of all its amounts."),
      Property("rail", .choice([internalRail]), "How it settled."),
      Property("from_wallet_id", .id(.wallet), "Who paid."),
      Property("to_wallet_id", .id(.wallet), isRequired: false, "Who was paid, if a wallet."),
      Property("to_external", .label, isRequired: false, "Who was paid, if a label."),
      Property(
        "description", .text(bytes: 0...1_000, lines: true), isRequired: false,
        "As the payer gave it."),
      Property(
        "reservation_id", .id(.reservation), isRequired: false,
        "What it was captured from, if it was."),
      Property("created_at", .time, "When it was recorded."),
    ] + Property.amount("amount", "What it is of.")
    + Property.amount("fee", "What the payer paid on top, or what was taken from the payee.")
    + Property.amount("total_debited", "What the payer paid.")
    + Property.amount(
      "total_credited", isRequired: false, "What the payee got, where the fee was taken from it.")
    + Property.amount("refunded", isRequired: false, "What went back of it, if anything did.")

  func json(_ ids: TextIds) -> JSONValue {
    var members = Members()
    write(to: &members, ids)
    return members.json
  }

  func write(to members: inout Members, _ ids: TextIds) {
    members.id("id", .payment, header.number.rawValue, ids)
    members.string("status", Payments.Status(payment.amount, refunded: refunded).word)
    members.amount("amount", payment.amount, of: asset)
    members.amount("fee", payment.fee, of: asset)
    members.amount("total_debited", payment.debited, of: asset)
    if payment.side == .payee { members.amount("total_credited", payment.credited, of: asset) }
    if refunded > .zero { members.amount("refunded", refunded, of: asset) }
    members.string("currency", asset.code.description)
    switch payment.rail {
    case .internal: members.string("rail", Self.internalRail)
    }
    members.id("from_wallet_id", .wallet, payment.payer.rawValue, ids)
    switch payment.payee {
    case .wallet(let number): members.id("to_wallet_id", .wallet, number.rawValue, ids)
    case .external: members.string("to_external", label)
    }
    members.string("description", description)
    if let reservation { members.id("reservation_id", .reservation, reservation.rawValue, ids) }
    members.time("created_at", header.time)
  }
}

extension Payments.Status {
  /// As answers say it. Public and stable.
  var word: String {
    switch self {
    case .completed: "completed"
    case .partiallyRefunded: "partially_refunded"
    case .refunded: "refunded"
    }
  }
}

extension Backend {
  /// Whether whoever asks is payer or payee, or staff.
  func isParty(
    _ principal: Principal, _ payer: WalletNumber, _ payee: Payments.Payee
  ) async throws(Problem) -> Bool {
    var parties = [payer]
    if case .wallet(let payee) = payee { parties.append(payee) }
    for party in parties {
      if let wallet = try await facts(of: party), principal.maySee(wallet) { return true }
    }
    return false
  }

  /// A payment with the texts that stand beside it; those of a capture are its reservation's.
  func view(
    of event: Recorded, _ payment: Payments.Payment
  ) async throws(Problem) -> PaymentView {
    let asset = try await assets.asset(payment.asset)
    var described = event.number
    if case .reservation(.captured(let capture)) = event.event { described = capture.reservation }
    let texts = try await texts(of: described, payment.payee)
    return PaymentView(event, asset: asset, label: texts.label, description: texts.description)
  }

  /// The label that was paid, if one was, and the description beside an event.
  func texts(
    of event: EventNumber, _ payee: Payments.Payee
  ) async throws(Problem) -> (label: String?, description: String?) {
    try await read { () throws(LedgerFailure) in
      var label: String?
      if case .external(let number) = payee, let payee = try await engine.payee(number) {
        label = try engine.text(of: payee.registered)?.first
      }
      return (label, try engine.text(of: event)?.first)
    }
  }

  /// What was refunded of each of these payments so far.
  func refunded(of payments: [EventNumber]) async throws(Problem) -> [Amount] {
    try await read { () throws(LedgerFailure) in try await engine.refunded(of: payments) }
  }
}
