import CLedger

/// Says of most keys that were never used that they were not: a Bloom filter of twelve bits a key.
///
/// All bits of a key lie in one cache line, and lines are in the order of the tags, so that a
/// filter is built from front to back. Of new keys it lets through about one in a hundred.
@safe
struct KeyFilter: ~Copyable {
  private var memory: Memory
  private let lineCount: UInt64

  /// The filter as whoever only asks needs it: two words, without an owner to count. Valid as long
  /// as the filter is.
  @safe
  struct View: BitwiseCopyable {
    fileprivate let base: UnsafeMutableRawPointer?
    fileprivate let lineCount: UInt64

    /// A filter that lets everything through.
    static var none: View { unsafe View(base: nil, lineCount: 0) }

    /// False where the key was certainly not used.
    @inline(__always)
    func mayContain(_ tag: UInt64) -> Bool {
      guard let base = unsafe base else { return true }
      let line = unsafe base + KeyFilter.line(of: tag, lineCount) * 64
      var bits = KeyFilter.mixed(tag)
      for _ in 0..<KeyFilter.bitCount {
        let word = unsafe line.load(fromByteOffset: Int(bits >> 61) * 8, as: UInt64.self)
        if word >> (bits >> 55 & 63) & 1 == 0 { return false }
        bits = bits << 12 | bits >> 52
      }
      return true
    }

    /// Asks for the key's line.
    @inline(__always)
    func prefetch(_ tag: UInt64) {
      guard let base = unsafe base else { return }
      unsafe cledger_prefetch(base + KeyFilter.line(of: tag, lineCount) * 64)
    }
  }

  /// An empty filter for so many keys.
  init(keyCount: Int) {
    lineCount = UInt64(Self.lineCount(keyCount: keyCount))
    memory = Memory(byteCount: Int(lineCount) * 64)
  }

  /// Takes over the bytes that ``withBytes(_:)`` once handed out, of a filter for as many keys.
  init(keyCount: Int, _ bytes: RawSpan) {
    self.init(keyCount: keyCount)
    precondition(bytes.byteCount == Int(lineCount) * 64)
    unsafe bytes.withUnsafeBytes { source in
      guard let start = source.baseAddress else { return }
      unsafe memory.base.copyMemory(from: start, byteCount: source.count)
    }
  }

  /// How many bytes a filter for so many keys takes.
  static func byteCount(keyCount: Int) -> Int { lineCount(keyCount: keyCount) * 64 }

  private static func lineCount(keyCount: Int) -> Int { max((keyCount * 12 + 511) / 512, 1) }

  mutating func insert(_ tag: UInt64) {
    let line = unsafe memory.base + Self.line(of: tag, lineCount) * 64
    var bits = Self.mixed(tag)
    for _ in 0..<Self.bitCount {
      let offset = Int(bits >> 61) * 8
      var word = unsafe line.load(fromByteOffset: offset, as: UInt64.self)
      word |= 1 << (bits >> 55 & 63)
      unsafe line.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
      bits = bits << 12 | bits >> 52
    }
  }

  var view: View { unsafe View(base: memory.base, lineCount: lineCount) }

  func withBytes<Failure: Error>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
    let bytes = unsafe UnsafeRawBufferPointer(start: memory.base, count: Int(lineCount) * 64)
    try unsafe body(bytes.bytes)
  }

  /// Bits a key sets. Each takes nine of the mixed bits, three for the word and six for the place:
  /// twelve are passed over, so that neighbouring choices share none.
  fileprivate static let bitCount = 5

  @inline(__always)
  fileprivate static func line(of tag: UInt64, _ lineCount: UInt64) -> Int {
    Int(truncatingIfNeeded: tag.multipliedFullWidth(by: lineCount).high)
  }

  /// Spreads the low bits upwards: keys of one line share their high ones.
  @inline(__always)
  fileprivate static func mixed(_ tag: UInt64) -> UInt64 {
    var mixed = tag &* 0x9E37_79B9_7F4A_7C15
    mixed ^= mixed >> 32
    return mixed &* 0xD6E8_FEB8_6659_FD93
  }
}
