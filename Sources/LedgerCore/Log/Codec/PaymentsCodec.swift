extension Payments.Event {
  static let completedCode: UInt16 = 0x0301

  var code: UInt16 {
    switch self {
    case .completed: Self.completedCode
    case .payeeRegistered: 0x0302
    }
  }

  @inline(__always)
  func encode(into writer: inout ByteWriter) {
    switch self {
    case .completed(let payment): payment.encode(into: &writer)
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
      let (payment, flags) = try Payments.Payment.read(from: &reader)
      guard flags == 0 else { throw .refused("a payment is of a newer version") }
      self = .completed(payment)
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

extension Payments.Payment {
  /// What the last byte says beside the kind of payee, see ``Payee/kind``.
  private static let payeeBears: UInt8 = 0x10

  /// 64 bytes: amount 16, fee 16, payer 8, payee 8, session 8, fee schedule 4, asset 2, rail 1, and
  /// one for the payee's kind, who bears the fee, and the `flags` of other slices.
  @inline(__always)
  func encode(into writer: inout ByteWriter, flags: UInt8 = 0) {
    writer.put(amount)
    writer.put(fee)
    writer.put(payer)
    writer.put(payee.number)
    let last = flags | payee.kind | (side == .payee ? Self.payeeBears : 0)
    writer.put(UInt64(0))
    writer.put(UInt32(truncatingIfNeeded: schedule.rawValue))
    writer.put(UInt16(truncatingIfNeeded: asset.rawValue))
    writer.put(rail.rawValue)
    writer.put(last)
  }

  /// A payment, and the flags of other slices beside it.
  @inline(__always)
  static func read(
    from reader: inout ByteReader
  ) throws(StorageError) -> (Payments.Payment, flags: UInt8) {
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
    let last: UInt8 = try reader.take()
    guard let rail, let payee = Payments.Payee(kind: last & Payments.Payee.kinds, payee) else {
      throw .refused("a payment is of a newer version")
    }
    let payment = Payments.Payment(
      amount: amount, fee: fee, payer: payer, payee: payee, schedule: schedule, asset: asset,
      rail: rail,
      side: last & payeeBears == 0 ? .payer : .payee)
    guard payment.side == .payer || fee < amount else {
      throw .damaged("a payment whose fee takes all of it")
    }
    return (payment, last & ~(payeeBears | Payments.Payee.kinds))
  }
}

extension Payments.Payee {
  /// The bits of a record that have a payee's kind: 0 a wallet, 1 an external payee, 4 several.
  static let kinds: UInt8 = 0x05

  /// The kind beside ``number``.
  @inline(__always)
  var kind: UInt8 {
    switch self {
    case .wallet: 0
    case .external: 1
    case .split: 4
    }
  }

  @inline(__always)
  init?(kind: UInt8, _ number: UInt64) {
    switch kind {
    case 0: self = .wallet(WalletNumber(number))
    case 1: self = .external(PayeeNumber(number))
    case 4: self = .split(number)
    default: return nil  // not ours: a number from the disk
    }
  }
}
