import LedgerCore

/// The receivers of a split payment: as a request lists them, and as answers do.
enum Receivers {
  static let toWallet = Field.id("to_wallet_id", .wallet, "Who receives: a wallet of this ledger.")
  static let toExternal = Field.label(
    "to_external", "Who receives: a label of the caller's, such as merchant:demo.")
  static let share: Field<String> = Field.amount(
    "share",
    "What he gets of the amount, in proportion to the sum of all shares; exact. Where the shares "
      + "add up to the amount, each gets exactly his. Else units that are left over by rounding "
      + "down go one each to who lost most by it."
  ).required()
  static let split = Field.objects(
    "split", 2...Splits.countMax, of: [toWallet, toExternal, share],
    "Who is paid, where there are several: all of them or none, each once. At most "
      + "\(Splits.newLabelCountMax) labels of one payment may be new.")

  static let properties =
    [
      Property("to_wallet_id", .id(.wallet), isRequired: false, "Who was paid, if a wallet."),
      Property("to_external", .label, isRequired: false, "Who was paid, if a label."),
    ] + Property.amount("amount", "His part of the amount.")
    + Property.amount("fee", isRequired: false, "His part of the fee, where payees bear it.")
    + Property.amount("refunded", isRequired: false, "What he gave back, if anything.")

  // MARK: - Asked for

  /// A receiver as he was asked for.
  struct Asked: Sendable {
    let to: Payments.Recipient
    let label: String?
    let share: Amount

    fileprivate var wallet: WalletNumber? {
      if case .wallet(let number) = to { number } else { nil }
    }
  }

  /// The receivers that a call lists, checked as far as that goes without the ledger, so that
  /// whoever is refused learns which of them it is. The engine checks them again.
  static func read(
    _ inputs: [Input], of amount: Amount, in asset: Asset, _ call: Call
  ) throws(Problem) -> [Asked] {
    var receivers: [Asked] = []
    for (index, input) in inputs.enumerated() {
      let receiver = try receiver(input, index, asset, call)
      if let before = receivers.firstIndex(where: { $0.to == receiver.to }) {
        throw Problem(
          .splitInvalid, field: split.path(index, receiver.label == nil ? toWallet : toExternal),
          "Name each receiver once, with the sum of his shares; this one is split[\(before)] too.")
      }
      receivers.append(receiver)
    }
    let parts = Splits.parts(
      of: amount, fee: .zero, side: .payer, by: receivers.map(\.share.units))
    if let index = parts.firstIndex(where: { $0.amount == .zero }) {
      throw Problem(
        .splitInvalid, field: split.path(index, share),
        "Raise this share or the amount; so small a share of it comes to nothing.")
    }
    return receivers
  }

  private static func receiver(
    _ input: Input, _ index: Int, _ asset: Asset, _ call: Call
  ) throws(Problem) -> Asked {
    let name = split.path(index, share)
    let share = try Amount(input[share], of: asset, field: name)
    guard share <= .commandMax else {
      throw Problem(
        .invalidAmount, field: name, "In \"\(name)\", send a smaller share; only proportions count."
      )
    }
    guard let to = PaymentRoutes.recipient(input[toWallet], input[toExternal], call) else {
      throw Problem(
        .invalidRecipient, field: split.path(index, toWallet),
        "In \"split[\(index)]\", send either \"to_wallet_id\" or \"to_external\", and not both.")
    }
    return Asked(to: to, label: input[toExternal], share: share)
  }

  /// Which receiver a refusal is about, where that can never change and is still to be seen.
  static func place(
    of rejection: Rejection?, in receivers: [Asked], from payer: WalletNumber, _ asset: Asset,
    _ backend: Backend
  ) async -> Int? {
    if rejection == .selfPayment { return receivers.firstIndex { $0.wallet == payer } }
    guard rejection == .payeeNotFound || rejection == .currencyDiffers else { return nil }
    for (index, receiver) in receivers.enumerated() {
      guard let wallet = receiver.wallet else { continue }
      do throws(Problem) {
        let facts = try await backend.facts(of: wallet)
        let isIt = rejection == .payeeNotFound ? facts == nil : facts?.asset.number != asset.number
        if isIt { return index }
      } catch {
        return nil
      }
    }
    return nil
  }

  // MARK: - Answered

  /// What one receiver got, as it is answered.
  struct Part: Sendable {
    /// The wallet, or none where it is a label.
    let wallet: WalletNumber
    let label: String?
    let amount: Amount
    /// What he bears of the fee.
    let fee: Amount
    /// What he gave back so far.
    var refunded = Amount.zero

    func json(_ asset: Asset, _ ids: TextIds) -> JSONValue {
      var members = Members()
      if wallet.isSome { members.id("to_wallet_id", .wallet, wallet.rawValue, ids) }
      members.string("to_external", label)
      members.amount("amount", amount, of: asset)
      if fee > .zero { members.amount("fee", fee, of: asset) }
      if refunded > .zero { members.amount("refunded", refunded, of: asset) }
      return members.json
    }
  }

  /// What each of `receivers` got of a payment that was made to them: from request and event alone,
  /// since nothing may fail any more.
  static func parts(of receivers: [Asked], _ payment: Payments.Payment) -> [Part] {
    let parts = Splits.parts(
      of: payment.amount, fee: payment.fee, side: payment.side,
      by: receivers.map(\.share.units))
    return zip(receivers, parts).map { receiver, part in
      Part(
        wallet: receiver.wallet ?? .none, label: receiver.label, amount: part.amount,
        fee: part.fee)
    }
  }
}
