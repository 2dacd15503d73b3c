@testable import LedgerCore

extension NaiveLedger {
  mutating func refund(
    _ number: EventNumber, _ asked: Int128?, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    let place = paid.firstIndex { $0.number == number }
    guard let place else { throw Refusal(.paymentNotFound) }
    let payment = paid[place].payment
    try checkMayRefund(paid[place], by: actor)
    if let dispute = dispute(of: place), bug != .disputedPaymentIsRefunded {
      throw Refusal(.paymentDisputed, about: dispute.number)
    }
    let amount = try refundable(place, asked)
    let fee = feePart(of: amount, place)
    let given = given(amount, fee, of: paid[place])
    for part in given { try check(part.payee, has: part.amount, payment.asset) }

    let payer = Int(payment.payer.rawValue) - 1
    let isPayers = payment.side == .payer || bug == .payerGetsEveryFee
    for (index, part) in given.enumerated() {
      let payee = account(part.payee)
      move(part.amount, payment.asset, debit: payee, credit: Self.wallet(payer))
      if !isPayers { move(part.fee, payment.asset, debit: Self.feeIncome, credit: payee) }
      paid[place].parts[index].refunded += part.amount
      paid[place].parts[index].feeRefunded += part.fee
    }
    if isPayers { move(fee, payment.asset, debit: Self.feeIncome, credit: Self.wallet(payer)) }
    paid[place].refunded += amount
    paid[place].feeRefunded += fee
    let refund = Refunds.Refund(
      amount: Amount(units: amount), fee: Amount(units: fee), payment: number,
      payer: payment.payer, payee: payment.payee, asset: payment.asset, rail: payment.rail,
      side: payment.side)
    var body: [UInt8] = []
    if case .split = payment.payee { body = Self.body(given) }
    record(.refund(.completed(refund)), by: actor, text, body: body)
    for use in uses.indices where bug == .refundIsGivenBack && uses[use].event == number {
      uses[use].units -= amount
    }
    setAside(payment.side == .payer ? amount + fee : amount, payer, by: actor)
  }

  /// What a payee's dispute ends in: all that was not refunded, by everybody who still has it, and
  /// nothing of the fee.
  mutating func refundWon(_ dispute: Dispute, by actor: Actor) throws(Refusal) {
    let payment = paid[dispute.paid].payment
    let given = paid[dispute.paid].parts.map { part in
      Part(payee: part.payee, amount: part.amount - part.refunded, fee: 0)
    }
    for part in given {
      if case .wallet(let wallet) = part.payee, part.amount > 0,
        wallets[Int(wallet.rawValue) - 1].status == .closed
      {
        throw Refusal(.walletClosed)
      }
      try check(part.payee, has: part.amount, payment.asset)
    }
    let payer = Self.wallet(Int(payment.payer.rawValue) - 1)
    for (index, part) in given.enumerated() {
      move(part.amount, payment.asset, debit: account(part.payee), credit: payer)
      paid[dispute.paid].parts[index].refunded += part.amount
    }
    paid[dispute.paid].refunded += dispute.principal
    if bug == .payeesDisputeReturnsTheFee {
      move(payment.fee.units, payment.asset, debit: Self.feeIncome, credit: payer)
    }
    let refund = Refunds.Refund(
      amount: Amount(units: dispute.principal), fee: .zero, payment: paid[dispute.paid].number,
      payer: payment.payer, payee: payment.payee, asset: payment.asset, rail: payment.rail,
      side: .payer)
    record(
      .refund(.completed(refund)), by: actor, body: given.count > 1 ? Self.body(given) : [])
  }

  /// What each receiver gives back, in proportion to what he still has of this payment, and gets
  /// back of the fee, in proportion to what he still bears of it.
  private func given(_ amount: Int128, _ fee: Int128, of paid: Paid) -> [Part] {
    var has = paid.parts.map { max($0.amount - $0.refunded, 0) }
    if bug == .splitRefundIsOfTheOriginalParts { has = paid.parts.map(\.amount) }
    if bug == .splitRefundIsOfTheFirst { has = has.indices.map { $0 == 0 ? 1 : 0 } }
    var bears = paid.parts.map { max($0.fee - $0.feeRefunded, 0) }
    if bug == .splitFeeBackIsOfTheOriginalFees { bears = paid.parts.map(\.fee) }
    let amounts = divided(amount, by: has)
    let fees = divided(paid.payment.side == .payee ? fee : 0, by: bears)
    return paid.parts.indices.map { index in
      Part(payee: paid.parts[index].payee, amount: amounts[index], fee: fees[index])
    }
  }

  /// The agent of every receiver may, and whoever manages the tenant of each; a label has no agent,
  /// but the payer's tenant. Only who may is told that a receiver is closed, where nobody does, or
  /// frozen, where its agent does not.
  private func checkMayRefund(_ paid: Paid, by actor: Actor) throws(Refusal) {
    let payer = Int(paid.payment.payer.rawValue) - 1
    let isPayers = owns(payer, actor) || manages(tenant(of: payer), actor)
    let ruled = paid.parts.map { part in
      guard case .wallet(let number) = part.payee else {
        return manages(tenant(of: payer), actor) && bug != .adminRefundsNoLabel
      }
      let wallet = Int(number.rawValue) - 1
      return owns(wallet, actor) || manages(tenant(of: wallet), actor)
    }
    let isEnough = bug == .oneReceiverMayRefund ? ruled.contains(true) : !ruled.contains(false)
    if ruled.contains(true), bug == .statusIsToldBeforePermission {
      try checkOpen(paid, by: actor)
    }
    guard isEnough else {
      if isPayers, bug == .payerMayRefund { return }
      throw Refusal(isPayers || ruled.contains(true) ? .notPermitted : .paymentNotFound)
    }
    try checkOpen(paid, by: actor)
  }

  private func checkOpen(_ paid: Paid, by actor: Actor) throws(Refusal) {
    for part in paid.parts {
      guard case .wallet(let wallet) = part.payee else { continue }
      switch wallets[Int(wallet.rawValue) - 1].status {
      case .open: continue
      case .closed: throw Refusal(.walletClosed)
      case .frozen:
        guard actor.role != .agent || bug == .frozenPayeeMayRefund
        else { throw Refusal(.walletFrozen) }
      }
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
  private func check(
    _ payee: Payments.Payee, has amount: Int128, _ asset: AssetNumber
  ) throws(Refusal) {
    let balance = balance(account(payee), asset)
    guard amount > balance else { return }
    let (limit, asked) = (Amount(units: balance), Amount(units: amount))
    switch payee {
    case .wallet: throw Refusal(.insufficientFunds, limit: limit, asked: asked)
    case .external: throw Refusal(.alreadySettled, limit: limit, asked: asked)
    case .split: preconditionFailure("a receiver is one receiver")
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

  /// `number` × `part` ÷ `whole`, rounded down.
  private func proportion(_ number: Int128, _ part: Int128, _ whole: Int128) -> Int128 {
    let (quotient, rest) = Self.product(number, part, over: whole)
    return rest > 0 && bug == .refundedFeeRoundsUp ? quotient + 1 : quotient
  }
}
