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
  static let category = Field.category(
    "category", "What kind of thing it is for, as policies may allow or deny it.")
  static let description = Field.text(
    "description", bytes: 0...1_000, lines: true, "What it is for, for people.")

  static let paymentId: Field<String> = Field.id("payment_id", .payment, "The payment.").required()
  static let walletId = Field.id(
    "wallet_id", .wallet, "Whose payments; the agent's own wallet where it is not said.")
  static let status = Field.choice(
    "status", [Payments.Status.pending.word],
    "Only those that wait for approval: of the wallet or, where none is said, all that whoever "
      + "asks may approve.")
  static let limit = Field.whole("limit", 1...100, "At most so many; 20 where it is not said.")
  static let cursor = Field.id("cursor", .cursor, "The next_cursor of the page before.")

  /// What a payment is asked for with, alone or as one of many.
  static let order: [any AnyField] = [
    from, toWallet, toExternal, Receivers.split, amount, currency, rail, category, description,
    Route.key,
  ]

  static let all =
    [pay, batch, list, find, RefundRoutes.refund, CheckRoutes.check] + ApprovalRoutes.all

  static let pay = Route(
    method: .post, path: "/v1/payments", name: "pay",
    summary: "Pays a wallet, an external label or several of them, complete when answered unless a "
      + "policy has it approved first.",
    who: .holders([.apiKey]),
    body: order,
    keys: .idempotencyKey, status: 201, answer: PaymentView.properties,
    errors: [
      .walletNotFound, .payeeNotFound, .selfPayment, .currencyDiffers, .insufficientFunds,
      .invalidAmount, .invalidCurrency, .invalidRecipient, .settlementNotConfigured,
      .walletFrozen, .walletClosed, .payeeClosed, .feeTakesAll, .splitInvalid, .paused,
    ] + Reason.ofPolicies,
    handle: { call throws(Problem) in try await pay(call) })

  static let find = Route(
    method: .get, path: "/v1/payments/{payment_id}", name: "payment",
    summary: "Says what became of a payment, to its payer and its payee. Its id stays the same "
      + "while it waits for approval and after.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), parameters: [paymentId],
    answer: PaymentView.properties, errors: [.paymentNotFound, .projectionBehind],
    handle: { call throws(Problem) in try await find(call) })

  static let list = Route(
    method: .get, path: "/v1/payments", name: "payments",
    summary: "Lists the payments from and to a wallet, newest first.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), query: [walletId, status, limit, cursor],
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
    let outcome = try await call.backend.outcome(of: order.request)
    let (event, isReplay) = try await order.event(of: outcome, call.backend)
    let view = try await order.view(event, call.backend)
    return Answer(view.json(call.backend.ids), isReplay: isReplay)
  }

  /// A payment that was asked for, checked as far as that goes without the engine's thread.
  struct Order: Sendable {
    var request: Request
    var asset: Asset
    var label: String?
    /// Of a split; else none.
    var receivers: [Receivers.Asked] = []
    var description: String?

    /// The event of the payment, or why there is none.
    func event(
      of outcome: Outcome, _ backend: Backend
    ) async throws(Problem) -> (event: Recorded, isReplay: Bool) {
      do throws(Problem) {
        return try backend.event(of: outcome, asset: asset, hasKey: request.key != nil)
      } catch {
        throw receivers.isEmpty ? error : await placed(error, backend)
      }
    }

    /// A refusal of a split, said of its receivers where it is about them.
    private func placed(_ problem: Problem, _ backend: Backend) async -> Problem {
      var problem = problem
      if problem.field == toWallet.property.name { problem.field = Receivers.split.property.name }
      if problem.rejection == .feeTakesAll, let fee = problem.limit, let part = problem.asked {
        problem.field = Receivers.split.property.name
        problem.detail =
          "Raise the amount or the smallest share; of a part of \(part) \(asset.code) the fee "
          + "would take \(fee)."
      }
      // Where another currency than the payer's is named, no receiver was looked at.
      guard case .payment(.pay(let payer, _, _, let named, _, _)) = request.command,
        !named.isSome || named == asset.number
      else { return problem }
      let index = await Receivers.place(
        of: problem.rejection, in: receivers, from: payer, asset, backend)
      if let index { problem.field = Receivers.split.path(index, Receivers.toWallet) }
      return problem
    }

    /// As it was answered first, also where it was approved since.
    func view(_ event: Recorded, _ backend: Backend) async throws(Problem) -> PaymentView {
      let (payment, wait): (Payments.Payment, PaymentView.Wait)
      if let completed = event.event.payment {
        (payment, wait) = (completed, .never)
      } else if case .reservation(.reserved(let hold)) = event.event {
        payment = try await backend.payment(answeredAs: hold)
        wait = .pending(until: hold.deadline)
      } else {
        preconditionFailure("paying ends in another event")
      }
      let parts = receivers.isEmpty ? [] : Receivers.parts(of: receivers, payment)
      return PaymentView(
        event, payment, asset: asset, label: label, parts: parts, description: description,
        wait: wait)
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
    var receivers: [Receivers.Asked] = []
    if let inputs = call[Receivers.split] {
      receivers = try Receivers.read(inputs, of: amount, in: wallet.asset, call)
    }
    let request = try backend.request(
      .payment(
        .pay(
          from: wallet.number, to: to, amount: amount, asset: asset, rail: .internal,
          category: call.categoryHash)),
      by: principal.actor, key: call.key, text: call[description].map { [$0] } ?? [],
      registering: call[toExternal].map { [$0] } ?? receivers.map { $0.label ?? "" },
      body: Splits.Share.body(receivers.map { Splits.Share($0.to, weight: $0.share.units) }))
    return Order(
      request: request, asset: wallet.asset, label: call[toExternal], receivers: receivers,
      description: call[description])
  }

  private static func recipient(_ call: Call) throws(Problem) -> Payments.Recipient {
    let (wallet, label) = (call[toWallet], call[toExternal])
    guard call[Receivers.split] != nil else {
      if let one = recipient(wallet, label, call) { return one }
      throw Problem(
        .invalidRecipient, field: toWallet.property.name,
        "Send one of \"to_wallet_id\", \"to_external\" and \"split\", and no other of them.")
    }
    guard wallet == nil, label == nil else {
      throw Problem(
        .invalidRecipient, field: Receivers.split.property.name,
        "Send one of \"to_wallet_id\", \"to_external\" and \"split\", and no other of them.")
    }
    return .split
  }

  /// Who is paid, where one of the two is said; nil where none is, or both.
  static func recipient(
    _ wallet: String?, _ label: String?, _ call: Call
  ) -> Payments.Recipient? {
    let preparation = call.backend.engine.preparation
    switch (wallet, label) {
    case (let wallet?, nil):
      // A text that is no wallet's stands for none, of which the engine says that it is not there.
      return .wallet(preparation.ids.number(.wallet, wallet).map { WalletNumber($0) } ?? .none)
    case (nil, let label?):
      return .external(label: preparation.hash(label: label, of: call.holder.tenant))
    case (nil, nil), (.some, .some): return nil
    }
  }

  // MARK: - Find

  private static func find(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    guard let course = try await backend.payment(call[paymentId]),
      let view = try await backend.views(of: [course], seenBy: call.holder).first
    else { throw Backend.noPayment }
    return Answer(view.json(backend.ids))
  }

  // MARK: - List

  /// How many entries of a timeline one request may walk, so that a wallet without payments but
  /// with many other events costs no more than others.
  private static let entryCountMax = 1_000

  private static func list(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    try await backend.fireDueTimers()
    let (events, next) =
      call[status] == nil ? try await listed(call) : try await pending(call)
    var courses: [PaymentCourse] = []
    for event in events {
      if let course = try await backend.course(of: event) { courses.append(course) }
    }
    let rows = try await backend.views(of: courses, seenBy: call.holder)
      .map { $0.json(backend.ids) }
    var members = Members()
    members.value("payments", .array(rows))
    members.string("next_cursor", next.map { backend.ids.text(.cursor, $0.rawValue) })
    return Answer(members.json)
  }

  /// A page of a wallet's payments: each once, where its payer's under its own event, which a
  /// payment that waits has before it is paid.
  private static func listed(_ call: Call) async throws(Problem) -> ([Recorded], EventNumber?) {
    let backend = call.backend
    let wallet = try await wallet(of: call, walletId)
    return try await events(
      of: .wallet(wallet.number), before: try start(call), limit: call[limit] ?? 20, backend
    ) { event async throws(Problem) in
      switch event.event {
      case .reservation(.reserved(let hold)): return hold.purpose == .approval
      case .reservation(.captured(let capture)) where capture.payment.payer == wallet.number:
        return try await backend.approved(event, capture) == nil
      case .payment, .reservation, .genesis, .refusal, .identity, .wallet, .fee, .refund, .pause,
        .dispute, .receivable, .policy:
        return event.event.payment != nil
      }
    }
  }

  /// A page of the payments that wait for approval.
  private static func pending(_ call: Call) async throws(Problem) -> ([Recorded], EventNumber?) {
    let (backend, holder) = (call.backend, call.holder)
    let (start, count) = (try start(call), call[limit] ?? 20)
    let scope: Policies.Scope
    if call[walletId] == nil, !holder.wallet.isSome {
      scope = holder.actor.isStaff ? .ledger : .tenant(holder.tenant)
    } else {
      scope = .wallet(try await wallet(of: call, walletId).number)
    }
    return try await backend.read { () throws(LedgerFailure) in
      let numbers = try await backend.engine.pendingPayments(
        of: scope, before: start, limit: count + 1)
      var found: [Recorded] = []
      for number in numbers.prefix(count) {
        if let event = try backend.engine.event(number) { found.append(event) }
      }
      return (found, numbers.count > count ? found.last?.number : nil)
    }
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
        .missingField, field: name,
        "In \"\(name)\", say whose; the key that is shown has no wallet.")
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

  /// The events of a timeline that are `wanted`, and before which event the next page begins.
  static func events(
    of owner: TimelineOwner, before: EventNumber?, limit: Int, _ backend: Backend,
    wanted: (Recorded) async throws(Problem) -> Bool
  ) async throws(Problem) -> ([Recorded], next: EventNumber?) {
    var found: [Recorded] = []
    var before = before
    var entryCount = 0
    while entryCount < entryCountMax {
      let start = before
      let page = try await backend.view { () throws(ProjectionFailure) in
        try await backend.projections.timeline(of: owner, before: start, limit: limit)
      }
      for event in page.events {
        guard try await wanted(event) else { continue }
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

extension Call {
  /// The keyed hash of the category that is said, or 0.
  var categoryHash: UInt128 {
    self[PaymentRoutes.category].map { backend.engine.preparation.hash(category: $0) } ?? 0
  }
}
