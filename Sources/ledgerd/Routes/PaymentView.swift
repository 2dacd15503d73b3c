import LedgerCore
import Projections

/// A payment as it is answered.
struct PaymentView: Sendable {
  private let header: Header
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

  /// The event is that of this payment.
  init(
    _ event: Recorded, _ payment: Payments.Payment, asset: Asset, label: String?,
    parts: [Receivers.Part] = [], description: String?
  ) {
    header = event.header
    self.payment = payment
    self.asset = asset
    self.label = label
    self.parts = parts
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
    case .split: members.value("split", .array(parts.map { $0.json(asset, ids) }))
    }
    members.string("description", description)
    if let reservation { members.id("reservation_id", .reservation, reservation.rawValue, ids) }
    if let dispute {
      members.id("dispute_id", .dispute, dispute.dispute.rawValue, ids)
      members.string("dispute_status", dispute.status.word)
    }
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
  /// Whether one of these wallets is of whoever asks, or he is staff.
  func isParty(_ principal: Principal, _ wallets: [WalletNumber]) async throws(Problem) -> Bool {
    for party in wallets {
      if let wallet = try await facts(of: party), principal.maySee(wallet) { return true }
    }
    return false
  }

  /// Payments as whoever asks may see them, in their order; what is not his is left out.
  func views(
    of events: [Recorded], seenBy principal: Principal
  ) async throws(Problem) -> [PaymentView] {
    let numbers = events.map(\.number)
    let (standings, receivers) = try await read { () throws(LedgerFailure) in
      let standings = try await engine.standings(of: numbers)
      let hasSplit = events.contains { event in
        if case .split? = event.event.payment?.payee { true } else { false }
      }
      return (standings, hasSplit ? try await engine.receivers(of: numbers) : [])
    }
    var views: [PaymentView] = []
    for (index, event) in events.enumerated() {
      guard let payment = event.event.payment else { continue }
      let isPayers = try await isParty(principal, [payment.payer])
      let all = receivers.isEmpty ? [] : receivers[index]
      var seen = all
      if !isPayers {
        seen = []
        for receiver in all where try await isParty(principal, receiver.part.payee.wallets) {
          seen.append(receiver)
        }
      }
      let isPayees = try await isParty(principal, payment.payee.wallets)
      guard isPayers || isPayees || !seen.isEmpty else { continue }
      let texts = try await texts(of: event.described, payment.payee)
      var view = PaymentView(
        event, payment, asset: try await assets.asset(payment.asset), label: texts.label,
        parts: try await parts(seen), description: texts.description)
      // Of one look at the state, so that they add up.
      view.refunded =
        all.isEmpty ? standings[index].refunded : all.map(\.refunded).reduce(.zero, +)
      view.dispute = standings[index].dispute
      views.append(view)
    }
    return views
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
  /// His wallet, if that is what he is; those of several are in the event's body.
  var wallets: [WalletNumber] {
    switch self {
    case .wallet(let number): [number]
    case .external, .split: []
    }
  }
}
