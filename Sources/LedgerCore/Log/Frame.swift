/// The bytes of an event: the leaf of the Merkle tree, and the only byte offsets of the log.
///
///     <------------------------------ 8 bytes ------------------------------>
///     | time (ns since 1970, UTC)                                           |
///     | actor                                                               |
///     | payload length | event code      | version | flags | zero           |
///     | idempotency fingerprint (16) and request digest (8)   if flag 1     |
///     | note commitment (32)                                  if flag 2     |
///     | payload                                                             |
///     | body                                                  if flag 4     |
///
/// `LedgerCore.docc/Format.md` has every field and every doubt.
enum Frame {
  static let headerByteCount = 24
  static let keyByteCount = 24
  static let commitmentByteCount = 32
  static let byteCountMax = 65_535
  /// The longest payload of any event.
  static let payloadByteCountMax = 104
  /// The most bytes of a frame without a body.
  static let fixedByteCountMax =
    headerByteCount + keyByteCount + commitmentByteCount + payloadByteCountMax
  static let bodyByteCountMax = byteCountMax - fixedByteCountMax

  /// Which parts follow the header. Other bits are zero; a set one stops replay.
  struct Flags: OptionSet {
    var rawValue: UInt8
    static let key = Flags(rawValue: 1)
    static let commitment = Flags(rawValue: 2)
    static let body = Flags(rawValue: 4)
    static let all: Flags = [.key, .commitment, .body]
  }

  /// Writes a frame at `target`, which has room for it, and returns its length.
  @inline(__always)
  static func encode(
    _ event: Event, _ header: Header, key: IdempotencyKey?, commitment: Digest32?,
    body: Span<UInt8>, at target: UnsafeMutableRawPointer
  ) -> Int {
    var flags: Flags = []
    var writer = unsafe ByteWriter(at: target + headerByteCount)
    if let key {
      flags.insert(.key)
      writer.put(key.fingerprint)
      writer.put(key.digest)
    }
    if let commitment {
      flags.insert(.commitment)
      writer.put(commitment.first)
      writer.put(commitment.second)
    }
    let start = writer.count
    event.encode(into: &writer)
    let payloadByteCount = writer.count - start
    precondition(payloadByteCount <= payloadByteCountMax)
    if !body.isEmpty {
      precondition(body.count <= bodyByteCountMax)
      flags.insert(.body)
      writer.put(body)
    }
    var head = unsafe ByteWriter(at: target)
    head.put(header.time)
    head.put(header.actor.rawValue)
    head.put(UInt16(payloadByteCount))
    head.put(event.code)
    head.put(Event.version)
    head.put(flags.rawValue)
    head.put(UInt16(0))
    return headerByteCount + writer.count
  }

  /// A frame taken apart. The body is left where it is.
  struct Parts {
    var time: Timestamp
    var actor: Actor
    var key: IdempotencyKey?
    var commitment: Digest32?
    var event: Event
    /// Where the body lies in the frame; empty where there is none.
    var body: Range<Int>

    /// The event with its header, of which the frame does not have the number.
    func recorded(_ number: EventNumber) -> Recorded {
      Recorded(header: Header(number: number, time: time, actor: actor), event: event)
    }
  }

  /// Takes a frame apart; refuses what this version did not write.
  @inline(__always)
  static func decode(_ bytes: RawSpan) throws(StorageError) -> Parts {
    guard bytes.byteCount >= headerByteCount, bytes.byteCount <= byteCountMax else {
      throw .damaged("a frame of \(bytes.byteCount) bytes")
    }
    let flags = Flags(rawValue: bytes.load(at: 21))
    guard flags.isSubset(of: .all), bytes.load(at: 22) as UInt16 == 0 else {
      throw .refused("an event has flags of a newer version")
    }
    guard let actor = Actor(rawValue: bytes.load(at: 8)) else {
      throw .refused("an event has an actor of a newer version")
    }
    var offset = headerByteCount
    var key: IdempotencyKey?
    var commitment: Digest32?
    let payloadByteCount = Int(bytes.load(at: 16) as UInt16)
    let fixed =
      (flags.contains(.key) ? keyByteCount : 0)
      + (flags.contains(.commitment) ? commitmentByteCount : 0) + payloadByteCount
    let rest = bytes.byteCount - headerByteCount - fixed
    guard flags.contains(.body) ? rest > 0 : rest == 0 else {
      throw .damaged("a frame's parts do not add up to its length")
    }
    if flags.contains(.key) {
      key = IdempotencyKey(
        fingerprint: bytes.load(at: offset), digest: bytes.load(at: offset + 16))
      offset += keyByteCount
    }
    if flags.contains(.commitment) {
      commitment = Digest32(first: bytes.load(at: offset), second: bytes.load(at: offset + 16))
      offset += commitmentByteCount
    }
    var reader = ByteReader(bytes.extracting(offset..<offset + payloadByteCount))
    let event = try Event(
      code: bytes.load(at: 18), version: bytes.load(at: 20), from: &reader)
    try reader.finish()
    return Parts(
      time: Timestamp(nanoseconds: bytes.load(at: 0)), actor: actor, key: key,
      commitment: commitment, event: event,
      body: offset + payloadByteCount..<bytes.byteCount)
  }

  /// The two wallets that a payment's frame touches, read ahead of decoding it so that folding does
  /// not wait for memory; zero where the frame is no payment.
  @inline(__always)
  static func walletsAhead(_ bytes: RawSpan) -> (UInt64, UInt64) {
    guard bytes.byteCount >= headerByteCount + 48,
      bytes.load(at: 18) as UInt16 == Payments.Event.completedCode
    else { return (0, 0) }
    let flags = Flags(rawValue: bytes.load(at: 21))
    let offset =
      headerByteCount + 32 + (flags.contains(.key) ? keyByteCount : 0)
      + (flags.contains(.commitment) ? commitmentByteCount : 0)
    guard bytes.byteCount >= offset + 16 else { return (0, 0) }
    return (bytes.load(at: offset), bytes.load(at: offset + 8))
  }
}

extension Frame {
  /// The idempotency fingerprint, read ahead of decoding the frame.
  @inline(__always)
  static func fingerprintAhead(_ bytes: RawSpan) -> UInt128? {
    guard bytes.byteCount >= headerByteCount + keyByteCount,
      Flags(rawValue: bytes.load(at: 21)).contains(.key)
    else { return nil }
    return bytes.load(at: headerByteCount)
  }
}

// MARK: - Block

/// One committed batch: header, frames, offset table.
///
///     <------------------------------ 8 bytes ------------------------------>
///     | magic "LBLK"                   | version         | zero             |
///     | first event number                                                  |
///     | count                          | bytes of frames                    |
///     | time of the last event                                              |
///     | root of the Merkle tree after it (32)                               |
///     | CRC32C of all but itself       | zero                               |
///     | frames                                                              |
///     | where each frame begins, 4 bytes each, from the first frame's start |
enum Block {
  static let headerByteCount = 72
  static let magic: UInt32 = 0x4B4C_424C
  static let version: UInt16 = 1
  static let eventCountMax = 8_192
  static let framesByteCountMax = 1 << 20
  static let crcOffset = 64

  /// A block's header, checked.
  struct Header {
    var first: EventNumber
    var count: Int
    var framesByteCount: Int
    var time: Timestamp
    var root: Digest32

    var last: EventNumber { EventNumber(first.rawValue + UInt64(count) - 1) }
  }

  /// Reads and checks the header and, where asked, the CRC of the whole block.
  static func header(
    of bytes: RawSpan, key: EventNumber, checksum: Bool
  ) throws(StorageError) -> Header {
    guard bytes.byteCount >= headerByteCount, bytes.load(at: 0) as UInt32 == magic else {
      throw .damaged("block \(key) is not a block")
    }
    let version: UInt16 = bytes.load(at: 4)
    guard version == Self.version else {
      throw .refused("block \(key) has format \(version); this program reads \(Self.version)")
    }
    let count = Int(bytes.load(at: 16) as UInt32)
    let framesByteCount = Int(bytes.load(at: 20) as UInt32)
    guard count > 0, count <= eventCountMax, bytes.load(at: 8) as UInt64 == key.rawValue,
      bytes.byteCount == headerByteCount + framesByteCount + count * 4
    else { throw .damaged("block \(key) has a wrong length or number") }
    if checksum {
      let stored: UInt32 = bytes.load(at: crcOffset)
      guard Hashing.crc(ofBlock: bytes) == stored else {
        throw .damaged("block \(key): its checksum differs")
      }
    }
    return Header(
      first: key, count: count, framesByteCount: framesByteCount,
      time: Timestamp(nanoseconds: bytes.load(at: 24)),
      root: Digest32(first: bytes.load(at: 32), second: bytes.load(at: 48)))
  }

  /// The bytes of the frame at `index`.
  @inline(__always)
  @_lifetime(copy bytes)
  static func frame(
    _ index: Int, of header: Header, in bytes: RawSpan
  ) throws(StorageError) -> RawSpan {
    let table = headerByteCount + header.framesByteCount
    let start = Int(bytes.load(at: table + index * 4) as UInt32)
    let end =
      index + 1 < header.count
      ? Int(bytes.load(at: table + index * 4 + 4) as UInt32) : header.framesByteCount
    guard start < end, end <= header.framesByteCount else {
      throw .damaged("block \(header.first): its offset table is not rising")
    }
    return bytes.extracting(headerByteCount + start..<headerByteCount + end)
  }
}
