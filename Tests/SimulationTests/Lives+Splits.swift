import LedgerCore

/// What holds of the parts of a split and of its refunds.
extension Lives {
  /// Whom a payment pays. Of a split the parts add up to it and to what the payee bears of its fee,
  /// each of them leaves its receiver something, and nobody receives twice.
  func payees(
    of payment: Payments.Payment, _ parts: [Splits.Part], _ recorded: Recorded
  ) throws(Mismatch) -> [Payments.Payee] {
    guard case .split(let count) = payment.payee else {
      try require(parts.isEmpty, "has parts and one payee", recorded)
      return [payment.payee]
    }
    try require(
      (2...32).contains(count) && count == UInt64(parts.count), "has another count", recorded)
    let fee = payment.side == .payee ? payment.fee.units : 0
    try require(parts, addUpTo: payment.amount.units, fee: fee, recorded)
    try require(parts.allSatisfy { $0.amount > $0.fee }, "leaves a receiver nothing", recorded)
    let payees = Set(parts.map(\.payee))
    try require(payees.count == parts.count, "pays a receiver twice", recorded)
    try require(!payees.contains(.wallet(payment.payer)), "pays the payer", recorded)
    return parts.map(\.payee)
  }

  /// Takes the parts of a refund from what the receivers have left, which is no less.
  func take(
    _ parts: [Splits.Part], of refund: Refunds.Refund, from left: inout [Splits.Part],
    _ recorded: Recorded
  ) throws(Mismatch) {
    try require(
      parts.map(\.payee) == left.map(\.payee), "is not of the payment's receivers", recorded)
    if parts.isEmpty { return }
    let fee = refund.side == .payee ? refund.fee.units : 0
    try require(parts, addUpTo: refund.amount.units, fee: fee, recorded)
    for (index, part) in parts.enumerated() {
      try require(
        part.amount <= left[index].amount && part.fee <= left[index].fee,
        "takes more of a receiver than he got", recorded)
      left[index].amount -= part.amount
      left[index].fee -= part.fee
    }
  }

  private func require(
    _ parts: [Splits.Part], addUpTo amount: Int128, fee: Int128, _ recorded: Recorded
  ) throws(Mismatch) {
    let isNone = parts.contains { $0.amount < .zero || $0.fee < .zero }
    let (amounts, fees) = (parts.map(\.amount.units), parts.map(\.fee.units))
    try require(
      !isNone && amounts.reduce(0, +) == amount && fees.reduce(0, +) == fee,
      "has parts that do not add up", recorded)
  }
}
