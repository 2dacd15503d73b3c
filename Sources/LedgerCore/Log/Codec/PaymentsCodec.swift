extension Payments.Event {
  static let completedCode: UInt16 = 0x0301

  var code: UInt16 {
    switch self {
    case .completed: Self.completedCode
    case .payeeRegistered: 0x0302
    }
  }

  /// A payment is 64 bytes: amount 16, fee 16, payer 8, payee 8, session 8, fee schedule 4, asset
  /// 2, rail 1, payee kind 1.
  @inline(__always)
  func encode(into writer: inout ByteWriter) {
    switch self {
    case .completed(let payment):
      writer.put(payment.amount)
      writer.put(payment.fee)
      writer.put(payment.payer)
      let kind: UInt8
      switch payment.payee {
      case .wallet(let number):
        writer.put(number)
        kind = 0
      case .external(let number):
        writer.put(number)
        kind = 1
      }
      writer.put(UInt64(0))
      writer.put(UInt32(truncatingIfNeeded: payment.schedule.rawValue))
      writer.put(UInt16(truncatingIfNeeded: payment.asset.rawValue))
      writer.put(payment.rail.rawValue)
      writer.put(kind)
    case .payeeRegistered(let payee, let tenant, let asset, let label):
      writer.put(label)
      writer.put(payee)
      writer.put(tenant)
      writer.put(asset)
    }
  }

  @inline(__always)
  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    switch code {
    case Self.completedCode:
      let amount = try reader.amount()
      let fee = try reader.amount()
      let payer: WalletNumber = try reader.number()
      let payee: UInt64 = try reader.take()
      guard try reader.take(UInt64.self) == 0 else {
        throw .refused("a payment by a session is of a newer version")
      }
      let schedule = ScheduleNumber(UInt64(try reader.take(UInt32.self)))
      let asset = AssetNumber(UInt64(try reader.take(UInt16.self)))
      let rail = Rail(rawValue: try reader.take())
      let kind: UInt8 = try reader.take()
      guard let rail, kind <= 1 else { throw .refused("a payment is of a newer version") }
      self = .completed(
        Payments.Payment(
          amount: amount, fee: fee, payer: payer,
          payee: kind == 0 ? .wallet(WalletNumber(payee)) : .external(PayeeNumber(payee)),
          schedule: schedule, asset: asset, rail: rail))
    case 0x0302:
      let label: UInt128 = try reader.take()
      self = .payeeRegistered(
        payee: try reader.number(), tenant: try reader.number(), asset: try reader.number(),
        label: label)
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}
