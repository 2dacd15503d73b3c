@testable import LedgerCore

extension NaiveLedger {
  mutating func refund(
    _ number: EventNumber, _ asked: Int128?, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    let place = paid.firstIndex { $0.number == number }
    guard let place else { throw Refusal(.paymentNotFound) }
    let payment = paid[place].payment
    try checkMayRefund(payment, by: actor)
    let amount = try refundable(place, asked)
    try checkPayeeHas(amount, payment)

    let fee = feePart(of: amount, place)
    let payer = Int(payment.payer.rawValue) - 1
    let payee = account(payment.payee)
    move(amount, payment.asset, debit: payee, credit: Self.wallet(payer))
    let bearer = payment.side == .payer || bug == .payerGetsEveryFee ? Self.wallet(payer) : payee
    move(fee, payment.asset, debit: Self.feeIncome, credit: bearer)
    paid[place].refunded += amount
    paid[place].feeRefunded += fee
    let refund = Refunds.Refund(
      amount: Amount(units: amount), fee: Amount(units: fee), payment: number,
      payer: payment.payer, payee: payment.payee, asset: payment.asset, rail: payment.rail,
      side: payment.side)
    record(.refund(.completed(refund)), by: actor, text)
    setAside(payment.side == .payer ? amount + fee : amount, payer, by: actor)
  }

  /// The payee's agent and staff may; a label has no agent.
  private func checkMayRefund(
    _ payment: Payments.Payment, by actor: Actor
  ) throws(Refusal) {
    let payer = Int(payment.payer.rawValue) - 1
    var payee: Int?
    if case .wallet(let wallet) = payment.payee { payee = Int(wallet.rawValue) - 1 }
    let isPayee = payee.map { owns($0, actor) } ?? false
    guard isStaff(actor) || isPayee else {
      let isPayer = owns(payer, actor)
      if isPayer, bug == .payerMayRefund { return }
      throw Refusal(isPayer ? .notPermitted : .paymentNotFound)
    }
    guard let payee else { return }
    switch wallets[payee].status {
    case .open: return
    case .closed: throw Refusal(.walletClosed)
    case .frozen:
      guard isStaff(actor) || bug == .frozenPayeeMayRefund else { throw Refusal(.walletFrozen) }
    }
  }

  /// How much is given back, which is no more than is left.
  private func refundable(_ place: Int, _ asked: Int128?) throws(Refusal) -> Int128 {
    let refunded = bug == .refundForgetsEarlierOnes ? 0 : paid[place].refunded
    let whole = paid[place].payment.amount.units
    let left = whole - refunded
    let amount = asked ?? left
    if left > 0, amount <= 0 {
      throw Refusal(.amountNotPositive, asked: Amount(units: amount))
    }
    guard left > 0, amount <= (bug == .refundMayBeOneMore ? left + 1 : left) else {
      throw Refusal(
        .refundExceedsPayment, limit: Amount(units: left), used: Amount(units: refunded),
        asked: Amount(units: asked ?? whole))
    }
    return amount
  }

  /// The payee has the amount still; what comes back to him of a fee does not count.
  private func checkPayeeHas(
    _ amount: Int128, _ payment: Payments.Payment
  ) throws(Refusal) {
    let balance = balance(account(payment.payee), payment.asset)
    guard amount > balance else { return }
    let (limit, asked) = (Amount(units: balance), Amount(units: amount))
    switch payment.payee {
    case .wallet: throw Refusal(.insufficientFunds, limit: limit, asked: asked)
    case .external: throw Refusal(.alreadySettled, limit: limit, asked: asked)
    }
  }

  /// What of the fee comes back with this part: in proportion to all that was refunded, rounded
  /// down, less what came back before.
  private func feePart(of amount: Int128, _ place: Int) -> Int128 {
    let (payment, refunded) = (paid[place].payment, paid[place].refunded)
    let terms = schedules[Int(payment.schedule.rawValue) - 1].terms
    let isNow = bug == .refundUsesTheScheduleOfNow
    guard isNow ? self.terms.isFeeRefunded : terms.isFeeRefunded else { return 0 }
    if bug == .refundedFeesAreNotCumulative {
      return proportion(payment.fee.units, amount, payment.amount.units)
    }
    return proportion(payment.fee.units, refunded + amount, payment.amount.units)
      - paid[place].feeRefunded
  }

  /// `number` × `part` ÷ `whole`, rounded down, one binary digit of the part after the other, so
  /// that nothing grows beyond twice the whole.
  private func proportion(_ number: Int128, _ part: Int128, _ whole: Int128) -> Int128 {
    let (each, eachRest) = number.quotientAndRemainder(dividingBy: whole)
    var (quotient, rest): (Int128, Int128) = (0, 0)
    for bit in (0..<128 - part.leadingZeroBitCount).reversed() {
      let isSet = part >> Int128(bit) & 1 == 1
      quotient = 2 * quotient + (isSet ? each : 0)
      rest = 2 * rest
      if rest >= whole { (quotient, rest) = (quotient + 1, rest - whole) }
      if isSet { rest += eachRest }
      if rest >= whole { (quotient, rest) = (quotient + 1, rest - whole) }
    }
    return rest > 0 && bug == .refundedFeeRoundsUp ? quotient + 1 : quotient
  }
}
