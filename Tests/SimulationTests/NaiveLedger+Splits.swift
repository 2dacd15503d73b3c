@testable import LedgerCore

/// Payments with several receivers (`accounting.md` 2 and 4).
extension NaiveLedger {
  private typealias Receiver = (to: Payments.Recipient, weight: Int128)

  mutating func paySplit(
    from: WalletNumber, among body: [UInt8], _ amount: Int128, _ named: AssetNumber, _ rail: Rail,
    _ category: UInt128, by actor: Actor, _ text: String?, labels: [String]
  ) throws(Refusal) {
    let payer = try payer(from, amount, named, rail, by: actor)
    let count = body.count / 48
    let least = bug == .splitMayBeOfOne ? 1 : 2
    guard body.count % 48 == 0, count >= least, count <= (bug == .splitMayBeOneTooLong ? 33 : 32)
    else { throw Refusal(.splitInvalid) }
    let fee = fee(on: amount)
    try checkFee(fee, of: amount, by: schedule)
    let receivers = try receivers(body)
    let amounts = divided(amount, by: receivers.map(\.weight))
    let fees = feesDivided(fee, by: amounts)
    try check(receivers, from: from, payer, amounts, fees)
    let spending = Spending(
      payer: payer, amount: counted(amount, fee), receivers: receivers.map(\.to), rail: rail,
      category: category, isHold: false)
    let pass = try checked(spending, amount, fee)

    let asked = time
    var parts: [Part] = []
    for (index, receiver) in receivers.enumerated() {
      let place = bug == .splitTextsAreTheFirsts ? 0 : index
      let label = labels.indices.contains(place) ? labels[place] : nil
      let payee = registered(receiver.to, payer, actor, label)
      parts.append(Part(payee: payee, amount: amounts[index], fee: fees[index]))
    }
    let payment = Payments.Payment(
      amount: Amount(units: amount), fee: Amount(units: fee), payer: from,
      payee: .split(UInt64(count)), schedule: ScheduleNumber(UInt64(schedule)),
      asset: wallets[payer].asset, rail: rail, side: terms.side)
    make(payment, parts, spending, pass, at: asked, by: actor, text)
  }

  /// 48 bytes each: the weight, the wallet or label, and which of both it is.
  private func receivers(_ body: [UInt8]) throws(Refusal) -> [Receiver] {
    var receivers: [Receiver] = []
    for at in stride(from: 0, to: body.count, by: 48) {
      let weight = Self.number(in: body, at: at, byteCount: 16)
      let name = Self.number(in: body, at: at + 16, byteCount: 16)
      var to = Payments.Recipient.external(label: name)
      switch Self.number(in: body, at: at + 32, byteCount: 16) {
      case 0:
        guard let number = UInt64(exactly: name) else { throw Refusal(.payeeNotFound) }
        to = .wallet(WalletNumber(number))
      case 1: break
      default: throw Refusal(.splitInvalid)
      }
      guard weight >= 1, weight <= UInt128(Self.amountMax) else { throw Refusal(.splitInvalid) }
      receivers.append((to, Int128(weight)))
    }
    return receivers
  }

  /// Each receiver may be paid, is named once, and gets something; at most 6 labels are new.
  private func check(
    _ receivers: [Receiver], from: WalletNumber, _ payer: Int, _ amounts: [Int128],
    _ fees: [Int128]
  ) throws(Refusal) {
    let tenant = agents[Int(wallets[payer].agent) - 1].tenant
    var newCount = 0
    for (index, receiver) in receivers.enumerated() {
      let isTwice = receivers[..<index].contains { $0.to == receiver.to }
      guard !isTwice || bug == .receiverTwiceIsAccepted else { throw Refusal(.splitInvalid) }
      try checkPayee(receiver.to, from: from, payer)
      if case .external(let label) = receiver.to,
        known(label, of: tenant, wallets[payer].asset) == nil
      {
        newCount += 1
        guard newCount <= (bug == .sevenLabelsMayBeNew ? 7 : 6)
        else { throw Refusal(.splitInvalid) }
      }
      guard amounts[index] > 0 || bug == .receiverOfNothingIsAccepted
      else { throw Refusal(.splitInvalid) }
      guard fees[index] < amounts[index] || fees[index] == 0 || bug == .splitFeeMayTakeAll else {
        throw Refusal(
          .feeTakesAll, limit: Amount(units: fees[index]), asked: Amount(units: amounts[index]))
      }
    }
  }

  /// 48 bytes each: amount, fee, the number of wallet or payee, and which of both it is.
  static func body(_ parts: [Part]) -> [UInt8] {
    parts.flatMap { part in
      var (number, kind): (UInt64, Int128) = (0, 0)
      switch part.payee {
      case .wallet(let wallet): number = wallet.rawValue
      case .external(let payee): (number, kind) = (payee.rawValue, 1)
      case .split: preconditionFailure("a receiver is one receiver")
      }
      return bytes(part.amount, count: 16) + bytes(part.fee, count: 16)
        + bytes(Int128(number), count: 8) + bytes(kind, count: 8)
    }
  }
}

// MARK: - Division

extension NaiveLedger {
  /// What each receiver bears of the fee, where the payee bears it.
  private func feesDivided(_ fee: Int128, by amounts: [Int128]) -> [Int128] {
    guard terms.side == .payee else { return amounts.map { _ in 0 } }
    if bug == .splitFeeIsNotDivided {
      return amounts.indices.map { $0 == 0 ? fee : 0 }
    }
    return divided(fee, by: amounts)
  }

  /// Largest remainder: all exact parts rounded down, and what is missing in units to those of the
  /// greatest fractions, of equal ones to the first.
  func divided(_ whole: Int128, by weights: [Int128]) -> [Int128] {
    let sum = weights.reduce(0, +)
    guard whole > 0, sum > 0 else { return weights.map { _ in 0 } }
    let exact = weights.map { Self.product(whole, $0, over: sum) }
    var parts = exact.map(\.quotient)
    let missing = Int(whole - parts.reduce(0, +))
    var order = weights.indices.sorted { one, other in
      (exact[other].rest, one) < (exact[one].rest, other)
    }
    if bug == .splitRestGoesToTheFirst { order = Array(weights.indices) }
    if bug == .splitTiesGoToTheLast {
      order.sort { one, other in (exact[other].rest, other) < (exact[one].rest, one) }
    }
    if bug == .splitRestGoesToTheLast {
      parts[parts.count - 1] += Int128(missing)
      return parts
    }
    for place in order.prefix(missing) { parts[place] += 1 }
    precondition(parts.reduce(0, +) == whole)
    return parts
  }

  /// `number` × `part` ÷ `whole`, rounded down, and the rest over the whole: one binary digit of
  /// the part after the other, so that nothing grows beyond twice the whole.
  static func product(
    _ number: Int128, _ part: Int128, over whole: Int128
  ) -> (quotient: Int128, rest: Int128) {
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
    return (quotient, rest)
  }
}
