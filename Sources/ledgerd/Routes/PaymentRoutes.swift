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
    "amount", "What the payee gets; exact. The fee comes on top."
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

  static let all = [pay, batch, list, find]

  static let pay = Route(
    method: .post, path: "/v1/payments", name: "pay",
    summary: "Pays from a wallet to a wallet or an external label, complete when answered.",
    who: .holders([.apiKey]),
    body: [from, toWallet, toExternal, amount, currency, rail, description, Route.key],
    keys: .idempotencyKey, status: 201, answer: PaymentView.properties,
    errors: [
      .walletNotFound, .payeeNotFound, .selfPayment, .currencyDiffers, .insufficientFunds,
      .invalidAmount, .invalidCurrency, .invalidRecipient, .settlementNotConfigured,
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

  private static func recipient(_ call: Call) throws(Problem) -> Payments.Recipient {
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
      try await backend.isParty(call.holder, to: payment)
    else { throw notFound }
    return Answer(try await backend.view(of: event, payment).json(backend.ids))
  }

  // MARK: - List

  /// How many entries of a timeline one request may walk, so that a wallet without payments but
  /// with many other events costs no more than others.
  private static let entryCountMax = 1_000

  private static func list(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let wallet: WalletFacts
    if let text = call[walletId] {
      wallet = try await backend.wallet(
        text, seenBy: call.holder, field: walletId.property.name)
    } else {
      guard call.holder.wallet.isSome else {
        throw Problem(
          .missingField, field: walletId.property.name,
          "In \"wallet_id\", say whose payments; an operator has no wallet.")
      }
      wallet = try await backend.wallet(
        call.holder.wallet, seenBy: call.holder, field: walletId.property.name)
    }
    var before: EventNumber?
    if let text = call[cursor] {
      guard let number = backend.ids.number(.cursor, text) else {
        throw Problem(
          .invalidId, field: cursor.property.name,
          "In \"cursor\", send the next_cursor of the page before, unchanged.")
      }
      before = EventNumber(number)
    }
    let (events, next) = try await payments(
      of: wallet.number, before: before, limit: call[limit] ?? 20, backend)
    var rows: [JSONValue] = []
    for (event, payment) in events {
      rows.append(try await backend.view(of: event, payment).json(backend.ids))
    }
    var members = Members()
    members.value("payments", .array(rows))
    members.string("next_cursor", next.map { backend.ids.text(.cursor, $0.rawValue) })
    return Answer(members.json)
  }

  /// The payments among a wallet's events, and before which event the next page begins.
  private static func payments(
    of wallet: WalletNumber, before: EventNumber?, limit: Int, _ backend: Backend
  ) async throws(Problem) -> ([(Recorded, Payments.Payment)], next: EventNumber?) {
    var found: [(Recorded, Payments.Payment)] = []
    var before = before
    var entryCount = 0
    while entryCount < entryCountMax {
      let start = before
      let page = try await backend.view { () throws(ProjectionFailure) in
        try await backend.projections.timeline(of: .wallet(wallet), before: start, limit: limit)
      }
      for event in page.events {
        guard let payment = event.event.payment else { continue }
        // One more than asked for is there, so the page has a successor.
        if found.count == limit { return (found, found.last?.0.number) }
        found.append((event, payment))
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
  }

  static let internalRail = "internal"

  static let properties =
    [
      Property("id", .id(.payment), "The payment."),
      Property("status", .choice(["completed"]), "On the internal rail always complete at once."),
      Property("currency", .currency, "Of all its amounts."),
      Property("rail", .choice([internalRail]), "How it settled."),
      Property("from_wallet_id", .id(.wallet), "Who paid."),
      Property("to_wallet_id", .id(.wallet), isRequired: false, "Who was paid, if a wallet."),
      Property("to_external", .label, isRequired: false, "Who was paid, if a label."),
      Property(
        "description", .text(bytes: 0...1_000, lines: true), isRequired: false,
        "As the payer gave it."),
      Property("created_at", .time, "When it was recorded."),
    ] + Property.amount("amount", "What the payee got.")
    + Property.amount("fee", "What the payer paid on top.")
    + Property.amount("total_debited", "What the payer paid: amount and fee.")

  func json(_ ids: TextIds) -> JSONValue {
    var members = Members()
    write(to: &members, ids)
    return members.json
  }

  func write(to members: inout Members, _ ids: TextIds) {
    members.id("id", .payment, header.number.rawValue, ids)
    members.string("status", "completed")
    members.amount("amount", payment.amount, of: asset)
    members.amount("fee", payment.fee, of: asset)
    members.amount("total_debited", payment.amount + payment.fee, of: asset)
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
    members.time("created_at", header.time)
  }
}

extension Backend {
  /// Whether whoever asks is payer or payee, or staff.
  fileprivate func isParty(
    _ principal: Principal, to payment: Payments.Payment
  ) async throws(Problem) -> Bool {
    var parties = [payment.payer]
    if case .wallet(let payee) = payment.payee { parties.append(payee) }
    for party in parties {
      if let wallet = try await facts(of: party), principal.maySee(wallet) { return true }
    }
    return false
  }

  /// A payment with the texts that stand beside it.
  func view(
    of event: Recorded, _ payment: Payments.Payment
  ) async throws(Problem) -> PaymentView {
    let asset = try await assets.asset(payment.asset)
    return try await read { () throws(LedgerFailure) in
      var label: String?
      if case .external(let number) = payment.payee, let payee = try await engine.payee(number) {
        label = try engine.text(of: payee.registered)?.first
      }
      return PaymentView(
        event, asset: asset, label: label, description: try engine.text(of: event.number)?.first)
    }
  }
}
