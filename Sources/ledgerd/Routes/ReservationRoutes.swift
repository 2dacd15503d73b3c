import LedgerCore
import Projections

/// Reservations: money held, captured in payments, given back (`accounting.md` 4).
enum ReservationRoutes {
  static let reservationId: Field<String> = Field.id(
    "reservation_id", .reservation, "The reservation."
  ).required()
  static let from: Field<String> = Field.id(
    "from_wallet_id", .wallet, "Whose money is held: a wallet of the agent whose key is shown."
  ).required()
  static let amount: Field<String> = Field.amount(
    "amount", "How much can be captured. What the payer pays as a fee is held on top."
  ).required()
  static let expiresIn: Field<Int> = Field.whole(
    "expires_in", 1...Int(Reservations.secondsMax),
    "Seconds until it expires and all that is left is given back: up to 30 days."
  ).required()
  static let captures = Field.choice(
    "captures", ["one", "several"],
    "How many payments may be made of it; one where it is not said.")
  static let captured = Field.amount(
    "amount", "How much to pay; all that is left where it is not said.")
  static let isFinal = Field.flag(
    "final", "Whether it is the last capture, and the rest is given back; true for captures one.")
  static let walletId = Field.id(
    "wallet_id", .wallet, "Whose reservations; the agent's own wallet where it is not said.")

  static let all = [reserve, capture, release, list, find]

  static let reserve = Route(
    method: .post, path: "/v1/reservations", name: "reserve",
    summary: "Holds money of a wallet, with its fee, until it is captured, released or expires.",
    who: .holders([.apiKey]),
    body: [
      from, PaymentRoutes.toWallet, PaymentRoutes.toExternal, amount, PaymentRoutes.currency,
      expiresIn, captures, PaymentRoutes.category, PaymentRoutes.description, Route.key,
    ],
    keys: .idempotencyKey, status: 201, answer: ReservationView.properties,
    errors: PaymentRoutes.pay.errors.filter {
      $0 != .settlementNotConfigured && $0 != .splitInvalid
    } + [.approvalNeeded],
    handle: { call throws(Problem) in try await reserve(call) })

  static let capture = Route(
    method: .post, path: "/v1/reservations/{reservation_id}/capture", name: "capture",
    summary: "Pays from what a reservation holds; each capture is a payment of its own.",
    who: .holders([.apiKey]), parameters: [reservationId],
    body: [captured, isFinal, Route.key], keys: .idempotencyKey, status: 201,
    answer: PaymentView.properties,
    errors: [
      .reservationNotFound, .reservationEnded, .captureExceedsHold, .tooManyCaptures,
      .invalidAmount, .feeTakesAll,
    ],
    handle: { call throws(Problem) in try await capture(call) })

  static let release = Route(
    method: .post, path: "/v1/reservations/{reservation_id}/release", name: "release",
    summary: "Gives back all that a reservation still holds.",
    who: .holders([.apiKey, .operatorKey]), parameters: [reservationId],
    body: [Route.key], keys: .idempotencyKey,
    answer: [
      Property("id", .id(.reservation), "The reservation."),
      Property("status", .choice([Reservations.Status.released.word]), "It has ended."),
      Property("from_wallet_id", .id(.wallet), "Who got it back."),
      Property("currency", .currency, "Of the amount."),
      Property("created_at", .time, "When it was released."),
    ] + Property.amount("released", "What was still held, and was given back."),
    errors: [.reservationNotFound, .reservationEnded],
    handle: { call throws(Problem) in try await release(call) })

  static let find = Route(
    method: .get, path: "/v1/reservations/{reservation_id}", name: "reservation",
    summary: "Says what became of a reservation, to its payer and its payee.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), parameters: [reservationId],
    answer: ReservationView.properties, errors: [.reservationNotFound, .projectionBehind],
    handle: { call throws(Problem) in try await find(call) })

  static let list = Route(
    method: .get, path: "/v1/reservations", name: "reservations",
    summary: "Lists the reservations of a wallet's money, newest first.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]),
    query: [walletId, PaymentRoutes.limit, PaymentRoutes.cursor],
    answer: [
      Property("reservations", .list(ReservationView.properties), "The page."),
      Property(
        "next_cursor", .id(.cursor), isRequired: false, "Send it for the next page, if any."),
    ],
    errors: [.walletNotFound, .projectionBehind],
    handle: { call throws(Problem) in try await list(call) })

  // MARK: - Handlers

  private static func reserve(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let to = PaymentRoutes.recipient(
      call[PaymentRoutes.toWallet], call[PaymentRoutes.toExternal], call)
    guard let to else {
      throw Problem(
        .invalidRecipient, field: PaymentRoutes.toWallet.property.name,
        "Send either \"to_wallet_id\" or \"to_external\", and not both.")
    }
    let wallet = try await backend.wallet(
      call[from], seenBy: call.holder, field: from.property.name)
    let asset = try await backend.asset(named: call[PaymentRoutes.currency])
    let amount = try Amount(call[amount], of: wallet.asset, field: amount.property.name)
    let (text, label) = (call[PaymentRoutes.description], call[PaymentRoutes.toExternal])
    let request = try backend.request(
      .reservation(
        .reserve(
          from: wallet.number, to: to, amount: amount, asset: asset,
          seconds: UInt32(call[expiresIn]), isMultiple: call[captures] == "several",
          category: call.categoryHash)),
      by: call.holder.actor, key: call.key, text: text.map { [$0] } ?? [],
      registering: label.map { [$0] } ?? [])
    let (event, isReplay) = try await backend.submit(request, asset: wallet.asset)
    let view = ReservationView(
      event, [], asset: wallet.asset, label: label, description: text)
    return Answer(view.json(backend.ids), isReplay: isReplay)
  }

  private static func capture(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let (number, hold, asset) = try await named(call)
    let amount = try call.amount(captured, of: asset)
    // Before it is submitted: once it is done, nothing may fail that would say it was not.
    let texts = try await backend.texts(of: number, hold.payee)
    let request = try backend.request(
      .reservation(.capture(number, amount: amount, isLast: call[isFinal] ?? false)),
      by: call.holder.actor, key: call.key)
    let (event, isReplay) = try await backend.submit(request, asset: asset)
    guard let payment = event.event.payment else {
      preconditionFailure("a capture ends in another event")
    }
    let view = PaymentView(
      event, payment, asset: asset, label: texts.label, description: texts.description)
    return Answer(view.json(backend.ids), isReplay: isReplay)
  }

  private static func release(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let (number, _, asset) = try await named(call)
    let request = try backend.request(
      .reservation(.release(number)), by: call.holder.actor, key: call.key)
    let (event, isReplay) = try await backend.submit(request, asset: asset)
    guard case .reservation(.released(let end)) = event.event else {
      preconditionFailure("a release ends in another event")
    }
    var members = Members()
    members.id("id", .reservation, number.rawValue, backend.ids)
    members.string("status", Reservations.Status.released.word)
    members.amount("released", end.amount, of: asset)
    members.string("currency", asset.code.description)
    members.id("from_wallet_id", .wallet, end.payer.rawValue, backend.ids)
    members.time("created_at", event.header.time)
    return Answer(members.json, isReplay: isReplay)
  }

  private static func find(_ call: Call) async throws(Problem) -> Answer {
    let (number, _, _) = try await named(call)
    try await call.backend.fireDueTimers()
    let view = try await call.backend.reservation(number, seenBy: call.holder)
    return Answer(view.json(call.backend.ids))
  }

  private static func list(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let wallet = try await PaymentRoutes.wallet(of: call, walletId)
    try await backend.fireDueTimers()
    let (events, next) = try await PaymentRoutes.events(
      of: .wallet(wallet.number), before: try PaymentRoutes.start(call),
      limit: call[PaymentRoutes.limit] ?? 20, backend
    ) { event in event.event.hold != nil }
    var rows: [JSONValue] = []
    for event in events { rows.append(try await backend.view(reserved: event).json(backend.ids)) }
    var members = Members()
    members.value("reservations", .array(rows))
    members.string("next_cursor", next.map { backend.ids.text(.cursor, $0.rawValue) })
    return Answer(members.json)
  }

  /// The reservation that the path names, as it was made.
  private static func named(
    _ call: Call
  ) async throws(Problem) -> (EventNumber, Reservations.Hold, Asset) {
    let backend = call.backend
    guard let event = try await backend.reserved(call[reservationId]), let hold = event.event.hold
    else { throw Backend.noReservation }
    return (event.number, hold, try await backend.assets.asset(hold.asset))
  }
}

// MARK: - Views

/// A reservation as it is answered.
struct ReservationView: Sendable {
  private let made: Recorded
  private let hold: Reservations.Hold
  /// What happened to it, the oldest first.
  private let steps: [Recorded]
  private let asset: Asset
  private let label: String?
  private let description: String?

  /// `made` is the event that made it, `steps` the events about it.
  init(_ made: Recorded, _ steps: [Recorded], asset: Asset, label: String?, description: String?) {
    guard case .reservation(.reserved(let hold)) = made.event else {
      preconditionFailure("reserving ends in another event")
    }
    self.made = made
    self.hold = hold
    self.steps = steps
    self.asset = asset
    self.label = label
    self.description = description
  }

  static let properties =
    [
      Property("id", .id(.reservation), "The reservation."),
      Property("status", .choice(Reservations.Status.allCases.map(\.word)), "How far it is."),
      Property("currency", .currency, "Of all its amounts."),
      Property("from_wallet_id", .id(.wallet), "Whose money it is."),
      Property("to_wallet_id", .id(.wallet), isRequired: false, "Who is paid, if a wallet."),
      Property("to_external", .label, isRequired: false, "Who is paid, if a label."),
      Property("captures", .choice(["one", "several"]), "How many payments may be made of it."),
      Property(
        "payment_ids", .ids(.payment), "The payments made of it, in their order."),
      Property(
        "description", .text(bytes: 0...1_000, lines: true), isRequired: false,
        "As the payer gave it."),
      Property("expires_at", .time, "When all that is left is given back."),
      Property("created_at", .time, "When it was recorded."),
      Property("ended_at", .time, isRequired: false, "When it ended, if it did."),
    ] + Property.amount("amount", "How much can be captured in all.")
    + Property.amount("fee", "Held on top, for the fee that the payer bears.")
    + Property.amount("captured", "How much of the amount was captured.")
    + Property.amount("held", "What is held now, the fee's part included.")

  func json(_ ids: TextIds) -> JSONValue {
    var status = Reservations.Status.open
    var (captured, held) = (Amount.zero, hold.amount + hold.fee)
    var payments: [JSONValue] = []
    var ended: Timestamp?
    for step in steps {
      switch step.event {
      case .reservation(.captured(let capture)):
        captured += capture.payment.amount
        held -= capture.payment.debited + capture.released
        payments.append(.string(ids.text(.payment, step.number.rawValue)))
        if capture.isLast { (status, ended) = (.captured, step.header.time) }
      case .reservation(.released(let end)):
        held -= end.amount
        (status, ended) = (.released, step.header.time)
      case .reservation(.expired(let end, let effective)):
        held -= end.amount
        (status, ended) = (.expired, effective)
      case .policy: break  // that it counts for the limits of policies
      case .reservation(.reserved), .genesis, .refusal, .identity, .wallet, .payment, .fee,
        .refund, .pause, .dispute, .receivable:
        preconditionFailure("an event about a reservation is a step of it")
      }
    }
    var members = Members()
    members.id("id", .reservation, made.number.rawValue, ids)
    members.string("status", status.word)
    members.amount("amount", hold.amount, of: asset)
    members.amount("fee", hold.fee, of: asset)
    members.amount("captured", captured, of: asset)
    members.amount("held", held, of: asset)
    members.string("currency", asset.code.description)
    members.id("from_wallet_id", .wallet, hold.payer.rawValue, ids)
    switch hold.payee {
    case .wallet(let number): members.id("to_wallet_id", .wallet, number.rawValue, ids)
    case .external: members.string("to_external", label)
    case .split: preconditionFailure("a reservation has one payee")
    }
    members.string("captures", hold.isMultiple ? "several" : "one")
    members.value("payment_ids", .array(payments))
    members.string("description", description)
    members.time("expires_at", hold.deadline)
    members.time("created_at", made.header.time)
    if let ended { members.time("ended_at", ended) }
    return members.json
  }
}

extension Event {
  /// The reservation that begins with it. A payment that waits for approval is held in one too, but
  /// that is not shown as one.
  fileprivate var hold: Reservations.Hold? {
    guard case .reservation(.reserved(let hold)) = self, hold.purpose == .hold else { return nil }
    return hold
  }
}

extension Reservations.Status {
  /// As answers say it. Public and stable.
  var word: String {
    switch self {
    case .open: "open"
    case .captured: "captured"
    case .released: "released"
    case .expired: "expired"
    }
  }
}

extension Backend {
  /// So that what is past its deadline is not shown as open.
  func fireDueTimers() async throws(Problem) {
    try await read { () throws(LedgerFailure) in try await engine.fireDueTimers() }
  }

  static let noReservation = Problem(
    .reservationNotFound, field: ReservationRoutes.reservationId.property.name,
    "Check the reservation's id; there is none of this id that is yours.")

  /// The event that made the reservation of this text id, if there is one.
  func reserved(_ text: String) async throws(Problem) -> Recorded? {
    guard let number = ids.number(.reservation, text).map({ EventNumber($0) }) else { return nil }
    let event = try await read { () throws(LedgerFailure) in try engine.event(number) }
    return event?.event.hold == nil ? nil : event
  }

  /// A reservation as it is now, if whoever asks is its payer or payee, or staff.
  func reservation(
    _ number: EventNumber, seenBy principal: Principal
  ) async throws(Problem) -> ReservationView {
    let event = try await read { () throws(LedgerFailure) in try engine.event(number) }
    guard let event, let hold = event.event.hold,
      try await isParty(principal, [hold.payer] + hold.payee.wallets)
    else { throw Self.noReservation }
    return try await view(reserved: event)
  }

  /// A reservation with what became of it and the texts that stand beside it.
  func view(reserved event: Recorded) async throws(Problem) -> ReservationView {
    guard case .reservation(.reserved(let hold)) = event.event else {
      preconditionFailure("the event makes a reservation")
    }
    var steps: [Recorded] = []
    var before: EventNumber?
    repeat {
      let start = before
      let page = try await view { () throws(ProjectionFailure) in
        try await projections.timeline(of: .event(event.number), before: start, limit: 1_000)
      }
      steps += page.events
      before = page.next
    } while before != nil
    let asset = try await assets.asset(hold.asset)
    let texts = try await texts(of: event.number, hold.payee)
    return ReservationView(
      event, steps.reversed(), asset: asset, label: texts.label, description: texts.description)
  }
}
