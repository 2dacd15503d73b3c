extension Refunds.Event {
  var code: UInt16 {
    switch self {
    case .completed: 0x0601
    }
  }

  private static let payeeBore: UInt8 = 0x02

  /// 64 bytes: amount 16, fee 16, payment 8, payer 8, payee 8, asset 2, rail 1, payee kind and who
  /// bore the fee 1, zero 4.
  func encode(into writer: inout ByteWriter) {
    switch self {
    case .completed(let refund):
      writer.put(refund.amount)
      writer.put(refund.fee)
      writer.put(refund.payment)
      writer.put(refund.payer)
      writer.put(refund.payee.number)
      writer.put(UInt16(truncatingIfNeeded: refund.asset.rawValue))
      writer.put(refund.rail.rawValue)
      writer.put(refund.payee.kind | (refund.side == .payee ? Self.payeeBore : 0))
      writer.put(UInt32(0))
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    switch code {
    case 0x0601:
      let amount = try reader.amount()
      let fee = try reader.amount()
      let payment: EventNumber = try reader.number()
      let payer: WalletNumber = try reader.number()
      let payee: UInt64 = try reader.take()
      let asset = AssetNumber(UInt64(try reader.take(UInt16.self)))
      let rail = Rail(rawValue: try reader.take())
      let kind: UInt8 = try reader.take()
      guard let rail, kind & ~(Self.payeeBore | Payments.Payee.kinds) == 0,
        let payee = Payments.Payee(kind: kind & Payments.Payee.kinds, payee)
      else { throw .refused("a refund is of a newer version") }
      self = .completed(
        Refunds.Refund(
          amount: amount, fee: fee, payment: payment, payer: payer, payee: payee, asset: asset,
          rail: rail, side: kind & Self.payeeBore == 0 ? .payer : .payee))
      try reader.zero(4)
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}
