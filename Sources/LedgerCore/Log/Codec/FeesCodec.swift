extension Fees.Event {
  var code: UInt16 {
    switch self {
    case .set: 0x0401
    case .began: 0x0402
    }
  }

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .set(let schedule, let terms, let begins):
      writer.put(schedule)
      writer.put(begins)
      terms.encode(into: &writer)
    case .began(let schedule, let effective):
      writer.put(schedule)
      writer.put(effective)
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    switch code {
    case 0x0401:
      let schedule: ScheduleNumber = try reader.number()
      let begins = try reader.time()
      self = .set(schedule: schedule, terms: try Fees.Terms(from: &reader), begins: begins)
    case 0x0402:
      self = .began(schedule: try reader.number(), effective: try reader.time())
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}

extension Fees.Terms {
  /// 56 bytes: flat, minimum, maximum, basis points, zero.
  func encode(into writer: inout ByteWriter) {
    writer.put(flat)
    writer.put(min)
    writer.put(max)
    writer.put(basisPoints)
    writer.put(UInt32(0))
  }

  init(from reader: inout ByteReader) throws(StorageError) {
    let flat = try reader.amount()
    let min = try reader.amount()
    let max = try reader.amount()
    self.init(flat: flat, basisPoints: try reader.take(), min: min, max: max)
    try reader.zero(4)
  }
}
