import CLedger
import Crypto

/// Checksums and hashes of frames, by the instructions the machine has (`design.md` 4.15); a test
/// compares them with the library over random input.
enum Hashing {
  /// CRC32C of a block without its own four bytes.
  static func crc(ofBlock bytes: RawSpan) -> UInt32 {
    unsafe bytes.withUnsafeBytes { bytes in
      unsafe crc(ofBlock: bytes)
    }
  }

  static func crc(ofBlock bytes: UnsafeRawBufferPointer) -> UInt32 {
    let head = unsafe cledger_crc32c(0, bytes.baseAddress, Block.crcOffset)
    let rest = unsafe bytes[(Block.crcOffset + 4)...]
    let tail = unsafe UnsafeRawBufferPointer(rebasing: rest)
    return unsafe cledger_crc32c(head, tail.baseAddress, tail.count)
  }

  /// CRC32C of any bytes.
  static func crc(_ bytes: RawSpan) -> UInt32 {
    unsafe bytes.withUnsafeBytes { bytes in
      unsafe cledger_crc32c(0, bytes.baseAddress, bytes.count)
    }
  }

  /// RFC 6962 node hashes: 64 bytes in, 32 out, `count` times; in place is allowed.
  static func nodes(
    _ pairs: UnsafePointer<UInt8>, _ count: Int, into out: UnsafeMutablePointer<UInt8>
  ) {
    unsafe cledger_node_hashes(pairs, count, out)
  }

  /// RFC 6962 leaf hashes of frames; `offsets` has `count` + 1 entries.
  static func leaves(
    _ frames: UnsafePointer<UInt8>, _ offsets: UnsafePointer<UInt32>, _ count: Int,
    into out: UnsafeMutablePointer<UInt8>
  ) {
    unsafe cledger_leaf_hashes(frames, offsets, count, out)
  }
}

/// SHA-256 over many pieces.
struct Digester {
  private var hash = SHA256()

  mutating func update(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { bytes in unsafe hash.update(bufferPointer: bytes) }
  }

  func finish() -> Digest32 { Digest32(Array(hash.finalize())) }
}

/// HMAC-SHA256 under one key, which is taken in once: that is half of the work of a short message.
///
/// By hand because the library keeps each hash in an object of its own, several a message: with it,
/// preparing a payment with a key took ten times the engine's own work. A test compares the two.
struct KeyedHash: Sendable {
  /// What is hashed: parts, each led by its length in eight bytes.
  @safe
  struct Message {
    private let base: UnsafeMutableRawPointer
    private let byteCountMax: Int
    fileprivate var byteCount = 0

    fileprivate init(_ buffer: UnsafeMutableRawBufferPointer) {
      guard let start = buffer.baseAddress else { preconditionFailure("a message has room") }
      unsafe base = start
      byteCountMax = buffer.count
    }

    /// Part of a part: an integer, little-endian.
    @inline(__always)
    mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
      precondition(byteCount + MemoryLayout<Value>.size <= byteCountMax)
      unsafe (base + byteCount).storeBytes(of: value.littleEndian, as: Value.self)
      byteCount += MemoryLayout<Value>.size
    }

    /// A part that `fill` puts together.
    @inline(__always)
    mutating func part(_ fill: (inout Message) -> Void) {
      let start = byteCount
      put(UInt64(0))
      fill(&self)
      let count = UInt64(byteCount - start - 8)
      unsafe (base + start).storeBytes(of: count.littleEndian, as: UInt64.self)
    }

    @inline(__always)
    mutating func part<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
      put(UInt64(MemoryLayout<Value>.size))
      put(value)
    }

    mutating func part(_ bytes: Span<UInt8>) {
      put(UInt64(bytes.count))
      precondition(bytes.count <= byteCountMax - byteCount)
      unsafe bytes.withUnsafeBytes { bytes in
        guard let start = bytes.baseAddress else { return }
        unsafe (base + byteCount).copyMemory(from: start, byteCount: bytes.count)
      }
      byteCount += bytes.count
    }

    mutating func part(_ text: String) { part(text.utf8.span) }
  }

  private let states: InlineArray<16, UInt32>

  init(_ key: SymmetricKey) {
    var states = InlineArray<16, UInt32>(repeating: 0)
    unsafe key.withUnsafeBytes { key in
      // A longer one would have to be hashed first.
      precondition(key.count <= 64)
      var words = states.mutableSpan
      unsafe words.withUnsafeMutableBufferPointer { words in
        guard let from = unsafe key.bindMemory(to: UInt8.self).baseAddress,
          let to = words.baseAddress
        else { preconditionFailure("a key has bytes") }
        unsafe cledger_hmac_key(from, key.count, to)
      }
    }
    self.states = states
  }

  /// The hash of what `fill` puts into the message, cut to sixteen bytes. Never zero, which stands
  /// for "none".
  ///
  /// - `textByteCount`: of everything in it that has no fixed length. The rest, with the lengths of
  ///   parts, is at most 192 bytes.
  @inline(__always)
  func hash(textByteCount: Int, _ fill: (inout Message) -> Void) -> UInt128 {
    unsafe withUnsafeTemporaryAllocation(byteCount: 192 + textByteCount, alignment: 8) { buffer in
      var message = unsafe Message(buffer)
      fill(&message)
      return unsafe hash(UnsafeRawBufferPointer(rebasing: buffer[..<message.byteCount]))
    }
  }

  private func hash(_ message: UnsafeRawBufferPointer) -> UInt128 {
    unsafe precondition(!message.isEmpty)
    var out = InlineArray<2, UInt128>(repeating: 0)
    var bytes = out.mutableSpan
    unsafe bytes.withUnsafeMutableBytes { out in
      unsafe states.span.withUnsafeBufferPointer { states in
        guard let states = states.baseAddress,
          let from = unsafe message.bindMemory(to: UInt8.self).baseAddress,
          let to = unsafe out.bindMemory(to: UInt8.self).baseAddress
        else { preconditionFailure("none of the three is empty") }
        unsafe cledger_hmac(states, from, message.count, to)
      }
    }
    let value = UInt128(littleEndian: out[0])
    return value == 0 ? 1 : value
  }
}
