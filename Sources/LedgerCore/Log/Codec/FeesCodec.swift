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
  /// 56 bytes: flat, minimum, maximum, basis points, side, whether refunds give it back, zero.
  func encode(into writer: inout ByteWriter) {
    writer.put(flat)
    writer.put(min)
    writer.put(max)
    writer.put(basisPoints)
    writer.put(side.rawValue)
    writer.put(UInt8(isFeeRefunded ? 1 : 0))
    writer.put(UInt16(0))
  }

  init(from reader: inout ByteReader) throws(StorageError) {
    let flat = try reader.amount()
    let min = try reader.amount()
    let max = try reader.amount()
    let basisPoints: UInt32 = try reader.take()
    let side = Fees.Side(rawValue: try reader.take())
    let isFeeRefunded: UInt8 = try reader.take()
    guard let side, isFeeRefunded <= 1 else {
      throw .refused("a fee schedule is of a newer version")
    }
    self.init(
      flat: flat, basisPoints: basisPoints, min: min, max: max, side: side,
      isFeeRefunded: isFeeRefunded == 1)
    try reader.zero(2)
  }
}

extension Fees.Tier {
  private static let byteCount = 40

  /// The body that lists these tiers: of each from 16, flat 16, basis points 8. The same in a
  /// request and in its event. Never changes, since digests are taken over it.
  public static func body(_ tiers: [Fees.Tier]) -> [UInt8] {
    var bytes: [UInt8] = []
    for tier in tiers {
      bytes.put(tier.from.units)
      bytes.put(tier.flat.units)
      bytes.put(UInt64(tier.basisPoints))
    }
    return bytes
  }

  /// The tiers in the body of an event.
  public static func all(_ body: Span<UInt8>) -> [Fees.Tier] {
    (0..<(count(body) ?? 0)).map { read(body, $0) }
  }

  /// How many tiers a body lists; `nil` where it is no list of them.
  static func count(_ body: Span<UInt8>) -> Int? {
    body.count % byteCount == 0 ? body.count / byteCount : nil
  }

  /// The tier at `index`, which is less than ``count(_:)``. Basis points too large for the field
  /// are the largest, which is not valid.
  static func read(_ body: Span<UInt8>, _ index: Int) -> Fees.Tier {
    let at = index * byteCount
    return Fees.Tier(
      from: Amount(units: body.load(at: at)),
      flat: Amount(units: body.load(at: at + 16)),
      basisPoints: UInt32(clamping: body.load(at: at + 32) as UInt64))
  }

  /// Refuses a body that is no list of tiers.
  static func check(_ body: Span<UInt8>) throws(StorageError) {
    guard let count = count(body), count <= Fees.tierCountMax else {
      throw .damaged("a fee schedule has \(body.count) bytes of tiers")
    }
  }
}
