extension Reservations.Event {
  static let capturedCode: UInt16 = 0x0502

  /// The flag of a payment that ends its reservation.
  private static let isLast: UInt8 = 0x20

  var code: UInt16 {
    switch self {
    case .reserved: 0x0501
    case .captured: Self.capturedCode
    case .released: 0x0503
    case .expired: 0x0504
    }
  }

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .reserved(let hold): hold.encode(into: &writer)
    case .captured(let capture):
      capture.payment.encode(into: &writer, flags: capture.isLast ? Self.isLast : 0)
      writer.put(capture.released)
      writer.put(capture.reservation)
      writer.put(capture.slot)
    case .released(let end): end.encode(into: &writer)
    case .expired(let end, let effective):
      end.encode(into: &writer)
      writer.put(effective)
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    switch code {
    case 0x0501: self = .reserved(try Reservations.Hold(from: &reader))
    case Self.capturedCode:
      let (payment, flags) = try Payments.Payment.read(from: &reader)
      guard flags & ~Self.isLast == 0, !payment.payee.isSplit || flags == Self.isLast else {
        throw .refused("a capture is of a newer version")
      }
      let released = try reader.amount()
      self = .captured(
        Reservations.Capture(
          payment: payment, released: released, reservation: try reader.number(),
          slot: try reader.number(), isLast: flags == Self.isLast))
    case 0x0503: self = .released(try Reservations.End(from: &reader))
    case 0x0504:
      let end = try Reservations.End(from: &reader)
      self = .expired(end, effective: try reader.time())
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}

extension Reservations.Hold {
  /// 80 bytes: amount 16, fee 16, payer 8, payee 8, deadline 8, row 8, fee schedule 4, asset 2,
  /// purpose 1, payee kind and whether for several captures 1, zero 8.
  fileprivate func encode(into writer: inout ByteWriter) {
    writer.put(amount)
    writer.put(fee)
    writer.put(payer)
    writer.put(payee.number)
    writer.put(deadline)
    writer.put(slot)
    writer.put(UInt32(truncatingIfNeeded: schedule.rawValue))
    writer.put(UInt16(truncatingIfNeeded: asset.rawValue))
    writer.put(purpose.rawValue)
    var kind: UInt8 = isMultiple ? 2 : 0
    switch payee {
    case .wallet: break
    case .external: kind |= 1
    case .split: kind |= 4
    }
    writer.put(kind)
    writer.put(UInt64(0))
  }

  fileprivate init(from reader: inout ByteReader) throws(StorageError) {
    amount = try reader.amount()
    fee = try reader.amount()
    payer = try reader.number()
    let number: UInt64 = try reader.take()
    deadline = try reader.time()
    slot = try reader.number()
    schedule = ScheduleNumber(UInt64(try reader.take(UInt32.self)))
    asset = AssetNumber(UInt64(try reader.take(UInt16.self)))
    let purpose = Reservations.Purpose(rawValue: try reader.take())
    let kind: UInt8 = try reader.take()
    guard let purpose, let payee = Payments.Payee(kind: kind & Payments.Payee.kinds, number),
      kind & ~(Payments.Payee.kinds | 2) == 0
    else { throw .refused("a reservation is of a newer version") }
    self.purpose = purpose
    self.payee = payee
    isMultiple = kind & 2 != 0
    guard !payee.isSplit || purpose == .approval && !isMultiple else {
      throw .damaged("a hold of several receivers waits for nobody")
    }
    try reader.zero(8)
  }
}

extension Reservations.End {
  /// 48 bytes: amount 16, payer 8, reservation 8, row 8, asset 8.
  fileprivate func encode(into writer: inout ByteWriter) {
    writer.put(amount)
    writer.put(payer)
    writer.put(reservation)
    writer.put(slot)
    writer.put(asset)
  }

  fileprivate init(from reader: inout ByteReader) throws(StorageError) {
    amount = try reader.amount()
    payer = try reader.number()
    reservation = try reader.number()
    slot = try reader.number()
    asset = try reader.number()
  }
}
