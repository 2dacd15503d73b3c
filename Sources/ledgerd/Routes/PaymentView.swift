import LedgerCore
import Projections

/// A payment as it is answered.
struct PaymentView: Sendable {
  /// How it stands with a payment that needs approval.
  enum Wait: Sendable {
    /// It needed none.
    case never
    case pending(until: Timestamp)
    case approved(Timestamp)
    case failed(Cause, Timestamp, reason: String?)
    case expired(Timestamp)
  }

  /// Why it failed.
  enum Cause: String, CaseIterable { case denied, cancelled }

  /// The event that has its number.
  private let made: Header
  private let payment: Payments.Payment
  private let asset: Asset
  /// The external label it went to, if it did.
  private let label: String?
  /// What the receivers of a split got, as far as whoever asks may see them.
  private let parts: [Receivers.Part]
  private let description: String?
  /// The reservation that it was captured from, if it was.
  private let reservation: EventNumber?
  /// What of it was refunded so far.
  var refunded = Amount.zero
  /// Its newest dispute, if it was disputed.
  var dispute: Disputes.Standing?
  var wait = Wait.never

  /// The event is the one that has the payment's number.
  init(
    _ event: Recorded, _ payment: Payments.Payment, asset: Asset, label: String?,
    parts: [Receivers.Part] = [], description: String?, wait: Wait = .never
  ) {
    made = event.header
    self.payment = payment
    self.asset = asset
    self.label = label
    self.parts = parts
    self.description = description
    self.wait = wait
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
        "Complete at once on the internal rail, unless a policy has it approved; then what went "
          + "back of it."),
      Property(
        "cause", .choice(Cause.allCases.map(\.rawValue)), isRequired: false,
        "Why it failed, if it did."),
      Property("currency", .currency, "Of all its amounts."),
      Property("rail", .choice([internalRail]), "How it settled."),
      Property("from_wallet_id", .id(.wallet), "Who paid."),
      Property("to_wallet_id", .id(.wallet), isRequired: false, "Who was paid, if a wallet."),
      Property("to_external", .label, isRequired: false, "Who was paid, if a label."),
      Property(
        "split", .list(Receivers.properties), isRequired: false,
        "Who was paid, if several, in the order of the request. Receivers see their own parts only."
      ),
      Property(
        "description", .text(bytes: 0...1_000, lines: true), isRequired: false,
        "As the payer gave it."),
      Property(
        "reservation_id", .id(.reservation), isRequired: false,
        "What it was captured from, if it was."),
      Property(
        "dispute_id", .id(.dispute), isRequired: false, "Its newest dispute, if it was disputed."),
      Property(
        "dispute_status", .choice(Disputes.Status.allCases.map(\.word)), isRequired: false,
        "How far that dispute is."),
      Property(
        "reason", .text(bytes: 0...1_000, lines: true), isRequired: false,
        "As whoever denied it gave it."),
      Property("created_at", .time, "When it was recorded."),
      Property(
        "expires_at", .time, isRequired: false, "Until when it waits for approval, while it does."),
      Property(
        "decided_at", .time, isRequired: false,
        "When the waiting for approval ended, where it had to."),
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
    members.id("id", .payment, made.number.rawValue, ids)
    members.string("status", status.word)
    if case .failed(let cause, _, _) = wait { members.string("cause", cause.rawValue) }
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
    case .split: members.value("split", .array(parts.map { $0.json(asset, ids) }))
    }
    members.string("description", description)
    if let reservation { members.id("reservation_id", .reservation, reservation.rawValue, ids) }
    if let dispute {
      members.id("dispute_id", .dispute, dispute.dispute.rawValue, ids)
      members.string("dispute_status", dispute.status.word)
    }
    if case .failed(_, _, let reason) = wait { members.string("reason", reason) }
    members.time("created_at", made.time)
    switch wait {
    case .never: break
    case .pending(let until): members.time("expires_at", until)
    case .approved(let time), .failed(_, let time, _), .expired(let time):
      members.time("decided_at", time)
    }
  }

  private var status: Payments.Status {
    switch wait {
    case .never, .approved: Payments.Status(payment.amount, refunded: refunded)
    case .pending: .pending
    case .failed: .failed
    case .expired: .expired
    }
  }
}

extension Payments.Status {
  /// As answers say it. Public and stable.
  var word: String {
    switch self {
    case .pending: "pending"
    case .completed: "completed"
    case .partiallyRefunded: "partially_refunded"
    case .refunded: "refunded"
    case .failed: "failed"
    case .expired: "expired"
    }
  }
}

extension Backend {
  /// Whether one of these wallets is of whoever asks, or he is staff.
  func isParty(_ principal: Principal, _ wallets: [WalletNumber]) async throws(Problem) -> Bool {
    for party in wallets {
      if let wallet = try await facts(of: party), principal.maySee(wallet) { return true }
    }
    return false
  }

  /// Payments as whoever asks may see them, in their order; what is not his is left out.
  func views(
    of courses: [PaymentCourse], seenBy principal: Principal
  ) async throws(Problem) -> [PaymentView] {
    let numbers = courses.map(\.listing)
    let (standings, receivers) = try await read { () throws(LedgerFailure) in
      let standings = try await engine.standings(of: numbers)
      let hasSplit = courses.contains { $0.parties?.payee.isSeveral ?? false }
      return (standings, hasSplit ? try await engine.receivers(of: numbers) : [])
    }
    var views: [PaymentView] = []
    for (index, course) in courses.enumerated() {
      guard let (payer, payee) = course.parties else { continue }
      let isPayers = try await isParty(principal, [payer])
      let all = receivers.isEmpty ? [] : receivers[index]
      var seen = all
      if !isPayers {
        seen = []
        for receiver in all where try await isParty(principal, receiver.part.payee.wallets) {
          seen.append(receiver)
        }
      }
      let isPayees = try await isParty(principal, payee.wallets)
      guard isPayers || isPayees || !seen.isEmpty else { continue }
      var view = try await view(of: course, parts: try await parts(seen))
      // Of one look at the state, so that they add up.
      view.refunded =
        all.isEmpty ? standings[index].refunded : all.map(\.refunded).reduce(.zero, +)
      view.dispute = standings[index].dispute
      views.append(view)
    }
    return views
  }

  /// A payment with the texts beside it.
  func view(
    of course: PaymentCourse, parts: [Receivers.Part]
  ) async throws(Problem) -> PaymentView {
    let payment: Payments.Payment
    if let completed = course.completed {
      payment = completed.payment
    } else if let hold = course.hold {
      payment = try await read { () throws(LedgerFailure) in
        try await engine.payment(waitingAs: hold)
      }
    } else {
      preconditionFailure("a payment that is not complete waits, or did")
    }
    let texts = try await texts(of: course.made.described, payment.payee)
    return PaymentView(
      course.made, payment, asset: try await assets.asset(payment.asset), label: texts.label,
      parts: parts, description: texts.description, wait: try await wait(of: course))
  }

  /// What each receiver of a split gets, of all of them.
  func parts(of course: PaymentCourse) async throws(Problem) -> [Receivers.Part] {
    guard course.parties?.payee.isSeveral ?? false else { return [] }
    let all = try await read { () throws(LedgerFailure) in
      try await engine.receivers(of: [course.listing])
    }
    return try await parts(all[0])
  }

  private func parts(_ receivers: [Receiver]) async throws(Problem) -> [Receivers.Part] {
    try await read { () throws(LedgerFailure) in
      var parts: [Receivers.Part] = []
      for receiver in receivers {
        let label =
          receiver.registered.isSome ? try engine.text(of: receiver.registered)?.first : nil
        parts.append(
          Receivers.Part(
            wallet: receiver.part.payee.wallets.first ?? .none, label: label,
            amount: receiver.part.amount, fee: receiver.part.fee, refunded: receiver.refunded))
      }
      return parts
    }
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
}

extension Recorded {
  /// The event that a payment's description stands beside: of a capture, that of its reservation.
  fileprivate var described: EventNumber {
    if case .reservation(.captured(let capture)) = event { capture.reservation } else { number }
  }
}

extension Payments.Payee {
  /// Whether they are several.
  var isSeveral: Bool {
    if case .split = self { true } else { false }
  }

  /// His wallet, if that is what he is; those of several are in the event's body.
  var wallets: [WalletNumber] {
    switch self {
    case .wallet(let number): [number]
    case .external, .split: []
    }
  }
}
