/// Splits: one payment with several receivers, all or none.
///
/// Who receives and in which proportion is in the request's body (``Share``); whom it became and
/// how much each got is in the event's (``Part``). Whatever is divided among them, a payment, its
/// fee or a refund, is divided by largest remainder: each gets his share rounded down, and the
/// units that are left go one each to those who lost most by it, the earlier first.
///
/// Invariant: the parts add up to the whole, none is negative, and no receiver gives back more of a
/// payment than he got of it (`accounting.md` 2).
public enum Splits {
  /// The most receivers of one payment (`design.md` 4.2).
  public static let countMax = 32
  /// The most external labels of one payment that are new: each is registered by an event, beside
  /// that of the payment and one that it passed its policies.
  public static let newLabelCountMax = Decision.eventCountMax - 2

  /// A receiver as he is asked for.
  public struct Share: Hashable, Sendable {
    /// Who receives; never ``Payments/Recipient/split``.
    public var recipient: Payments.Recipient
    /// What he gets in proportion to the sum of all: amounts, percents, anything. 1 to
    /// ``Amount/commandMax``'s units.
    public var weight: Int128

    /// A receiver with his weight.
    public init(_ recipient: Payments.Recipient, weight: Int128) {
      self.recipient = recipient
      self.weight = weight
    }
  }

  /// What one receiver gets of a payment, or gives of a refund.
  public struct Part: Hashable, Sendable {
    /// His part of the amount. Of a payment greater than zero; of a refund it may be zero.
    public var amount: Amount
    /// His part of the fee, where the payee bears it; else zero.
    public var fee: Amount
    /// Who he is; never ``Payments/Payee/split(_:)``.
    public var payee: Payments.Payee

    /// A part of these facts.
    public init(amount: Amount, fee: Amount = .zero, payee: Payments.Payee) {
      self.amount = amount
      self.fee = fee
      self.payee = payee
    }
  }

  /// A number for each receiver.
  typealias Units = InlineArray<32, Int128>

  /// Divides `whole` in the proportion of the first `count` weights, by largest remainder.
  ///
  /// The weights are not negative, and their sum is positive and within `Int128`. No part is more
  /// than its weight where `whole` is not more than their sum. O(`count`²) at worst.
  static func divide(_ whole: Amount, by weights: Units, count: Int) -> Units {
    var sum: Int128 = 0
    for index in 0..<count { sum += weights[index] }
    precondition(whole >= .zero && sum > 0 && count <= countMax)
    var parts = Units(repeating: 0)
    var lost = InlineArray<32, UInt128>(repeating: 0)
    var left = whole.units
    for index in 0..<count {
      let product = whole.units.magnitude.multipliedFullWidth(by: weights[index].magnitude)
      let (quotient, rest) = sum.magnitude.dividingFullWidth(product)
      (parts[index], lost[index]) = (Int128(quotient), rest)
      left -= parts[index]
    }
    while left > 0 {
      var most = 0
      for index in 1..<count where lost[index] > lost[most] { most = index }
      precondition(lost[most] > 0, "only who lost something gets a unit more")
      parts[most] += 1
      lost[most] = 0
      left -= 1
    }
    return parts
  }

  /// What each receiver gets of `amount` and, where the payees bear it, bears of `fee`, in the
  /// order of `weights`: at most ``countMax`` of them, each as ``Share/weight``. The amount is
  /// positive.
  ///
  /// A payment's event has just these parts, so whoever knows request and event knows them.
  public static func parts(
    of amount: Amount, fee: Amount, side: Fees.Side, by weights: [Int128]
  ) -> [(amount: Amount, fee: Amount)] {
    precondition(weights.count <= countMax)
    var units = Units(repeating: 0)
    for index in weights.indices { units[index] = weights[index] }
    let (amounts, fees) = parts(of: amount, fee: fee, side, by: units, count: weights.count)
    return weights.indices.map { (Amount(units: amounts[$0]), Amount(units: fees[$0])) }
  }

  private static func parts(
    of amount: Amount, fee: Amount, _ side: Fees.Side, by weights: Units, count: Int
  ) -> (amounts: Units, fees: Units) {
    let amounts = divide(amount, by: weights, count: count)
    let fees = side == .payee ? divide(fee, by: amounts, count: count) : Units(repeating: 0)
    return (amounts, fees)
  }

  // MARK: - Decide

  /// Pays `amount` to the receivers of `shares`, as ``Payments/decide(_:by:_:into:)`` does to one.
  static func decide(
    _ shares: Span<UInt8>, from: WalletNumber, _ amount: Amount, _ asset: AssetNumber, _ rail: Rail,
    _ category: UInt128, by actor: Actor, _ ledger: borrowing Ledger, at now: Timestamp,
    into decision: inout Decision
  ) throws(Refusal) {
    let payer = try Payments.payer(from, by: actor, amount, asset, ledger)
    guard let count = Share.count(shares), (2...countMax).contains(count) else {
      throw Refusal(.splitInvalid)
    }
    let schedule = ledger.fees.current
    let side = ledger.fees.side(of: schedule)
    let fee = try ledger.fees.fee(on: amount, by: schedule)
    let total = try amount.adding(try Payments.feeOnTop(fee, of: amount, side))
    let weights = try weights(shares, count)
    let (amounts, fees) = parts(of: amount, fee: fee, side, by: weights, count: count)
    for index in 0..<count {
      let share = try Share.read(shares, index)
      try check(share.recipient, isNoneBefore: index, in: shares)
      let payee = try Payments.payee(
        of: share.recipient, from: from, payer: payer, ledger, into: &decision,
        text: .label(index))
      let part = Part(
        amount: Amount(units: amounts[index]), fee: Amount(units: fees[index]), payee: payee)
      guard part.amount > part.fee else {
        throw Refusal(
          part.amount == .zero ? .splitInvalid : .feeTakesAll, limit: part.fee, asked: part.amount)
      }
      try Payments.checkRoom(for: part.amount, of: payee, ledger)
      part.append(to: &decision.body)
    }
    let spend = Policies.Spend(
      payer: from, asset: payer.asset, amount: total, recipient: .split,
      rail: rail, category: category, isHold: false)
    let pass = try Policies.check(spend, shares: shares, ledger, at: now)
    try Payments.check(payer, covers: total)
    let payment = Payments.Payment(
      amount: amount, fee: fee, payer: from, payee: .split(UInt64(count)), schedule: schedule,
      asset: payer.asset, rail: rail, side: side)
    guard let pass else {
      return decision.emit(.payment(.completed(payment)), with: .own, hasBody: true)
    }
    try Payments.emit(payment, spend, pass, payer, ledger, at: now, into: &decision)
  }

  private static func weights(
    _ shares: Span<UInt8>, _ count: Int
  ) throws(Refusal) -> Units {
    var weights = Units(repeating: 0)
    for index in 0..<count {
      let weight = try Share.read(shares, index).weight
      guard weight > 0, weight <= Amount.commandMax.units else { throw Refusal(.splitInvalid) }
      weights[index] = weight
    }
    return weights
  }

  private static func check(
    _ recipient: Payments.Recipient, isNoneBefore index: Int, in shares: Span<UInt8>
  ) throws(Refusal) {
    for before in 0..<index {
      guard try Share.read(shares, before).recipient != recipient else {
        throw Refusal(.splitInvalid)
      }
    }
  }
}
