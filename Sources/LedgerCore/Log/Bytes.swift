/// Writes little-endian integers one after the other into memory that the caller reserved.
@safe
struct ByteWriter {
  private let base: UnsafeMutableRawPointer
  /// How many bytes were written.
  private(set) var count = 0

  init(at base: UnsafeMutableRawPointer) { unsafe self.base = base }

  @inline(__always)
  mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    unsafe (base + count).storeBytes(of: value.littleEndian, as: Value.self)
    count += MemoryLayout<Value>.size
  }

  @inline(__always)
  mutating func put(_ amount: Amount) { put(amount.units) }
  @inline(__always)
  mutating func put<Kind>(_ number: Number<Kind>) { put(number.rawValue) }
  @inline(__always)
  mutating func put(_ time: Timestamp) { put(time.nanoseconds) }

  mutating func put(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBytes { source in
      guard let start = source.baseAddress else { return }
      unsafe (base + count).copyMemory(from: start, byteCount: source.count)
    }
    count += bytes.count
  }
}

/// Reads little-endian integers one after the other; refuses to read past the end.
@safe
struct ByteReader: ~Escapable {
  private let bytes: RawSpan
  private var offset: Int

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) {
    self.bytes = bytes
    offset = 0
  }

  /// How many bytes are left.
  var remaining: Int { bytes.byteCount - offset }

  @inline(__always)
  @_lifetime(self: copy self)
  mutating func take<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type = Value.self
  ) throws(StorageError) -> Value {
    guard remaining >= MemoryLayout<Value>.size else { throw .damaged("a record ends too early") }
    let value = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Value.self)
    offset += MemoryLayout<Value>.size
    return Value(littleEndian: value)
  }

  /// A sum of money, which is never negative in a record.
  @inline(__always)
  @_lifetime(self: copy self)
  mutating func amount() throws(StorageError) -> Amount {
    let units: Int128 = try take()
    guard units >= 0 else { throw .damaged("a negative amount") }
    return Amount(units: units)
  }

  @inline(__always)
  @_lifetime(self: copy self)
  mutating func number<Kind>() throws(StorageError) -> Number<Kind> { Number(try take()) }

  @inline(__always)
  @_lifetime(self: copy self)
  mutating func time() throws(StorageError) -> Timestamp { Timestamp(nanoseconds: try take()) }

  /// Bytes that this version always writes as zero.
  @_lifetime(self: copy self)
  mutating func zero(_ count: Int) throws(StorageError) {
    for _ in 0..<count {
      guard try take(UInt8.self) == 0 else { throw .damaged("a reserved byte is not zero") }
    }
  }

  /// Everything must have been read.
  func finish() throws(StorageError) {
    guard remaining == 0 else { throw .damaged("a record is longer than its fields") }
  }
}

extension RawSpan {
  /// The integer at `offset`, little-endian. Traps where it is outside.
  func load<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Value {
    Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  /// The bytes in `range`.
  @inline(__always)
  @_lifetime(copy self)
  func span(_ range: Range<Int>) -> Span<UInt8> {
    let bytes = extracting(range)
    return unsafe _overrideLifetime(Span<UInt8>(_bytes: bytes), copying: self)
  }

  /// The bytes as an array.
  func copied() -> [UInt8] { unsafe withUnsafeBytes { bytes in unsafe Array(bytes) } }
}

extension Digest32 {
  /// The digest in 32 bytes of memory order.
  init(_ bytes: some Collection<UInt8>) {
    precondition(bytes.count == 32)
    var halves: (UInt128, UInt128) = (0, 0)
    for (index, byte) in bytes.enumerated() {
      if index < 16 {
        halves.0 |= UInt128(byte) << UInt128(index * 8)
      } else {
        halves.1 |= UInt128(byte) << UInt128((index - 16) * 8)
      }
    }
    self.init(first: halves.0, second: halves.1)
  }

  /// The 32 bytes in memory order.
  public var bytes: [UInt8] { UInt128.bytes(first) + UInt128.bytes(second) }
}

extension UInt128 {
  /// The sixteen bytes, lowest first.
  static func bytes(_ value: UInt128) -> [UInt8] {
    (0..<16).map { UInt8(truncatingIfNeeded: value >> UInt128($0 * 8)) }
  }

  /// The integer of these sixteen bytes, lowest first.
  init(littleEndianBytes bytes: some Collection<UInt8>) {
    precondition(bytes.count == 16)
    self = 0
    for (index, byte) in bytes.enumerated() { self |= UInt128(byte) << UInt128(index * 8) }
  }
}
