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
/// By hand because the library keeps each hash in an object of its own, and makes four of them a
/// message: at 500,000 keys a second that was more than all of the engine's work. A test compares
/// it with the library.
struct KeyedHash: Sendable {
  /// What is hashed: parts, each led by its length in eight bytes.
  struct Message {
    fileprivate var bytes: [UInt8] = []

    /// A part that `fill` appends.
    @inline(__always)
    mutating func part(_ fill: (inout [UInt8]) -> Void) {
      let start = bytes.count
      bytes.append(littleEndian: UInt64(0))
      fill(&bytes)
      let count = UInt64(bytes.count - start - 8)
      for index in 0..<8 { bytes[start + index] = UInt8(truncatingIfNeeded: count >> (index * 8)) }
    }

    mutating func part(_ part: Span<UInt8>) { self.part { $0.append(part) } }
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

  /// The hash of what `fill` puts into the message, at least one part, cut to sixteen bytes. Never
  /// zero, which stands for "none".
  @inline(__always)
  func hash(_ fill: (inout Message) -> Void) -> UInt128 {
    var message = Message()
    message.bytes.reserveCapacity(192)
    fill(&message)
    return hash(message.bytes.span)
  }

  private func hash(_ message: Span<UInt8>) -> UInt128 {
    precondition(!message.isEmpty)
    var out = InlineArray<2, UInt128>(repeating: 0)
    var bytes = out.mutableSpan
    unsafe bytes.withUnsafeMutableBytes { out in
      unsafe states.span.withUnsafeBufferPointer { states in
        unsafe message.withUnsafeBufferPointer { message in
          guard let states = states.baseAddress, let from = message.baseAddress,
            let to = unsafe out.bindMemory(to: UInt8.self).baseAddress
          else { preconditionFailure("none of the three is empty") }
          unsafe cledger_hmac(states, from, message.count, to)
        }
      }
    }
    let value = UInt128(littleEndian: out[0])
    return value == 0 ? 1 : value
  }
}

extension [UInt8] {
  @inline(__always)
  mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
    append(addingCapacity: Value.bitWidth / 8) { bytes in
      for index in 0..<Value.bitWidth / 8 {
        bytes.append(UInt8(truncatingIfNeeded: value >> Value(index * 8)))
      }
    }
  }

  mutating func append(_ more: Span<UInt8>) {
    append(addingCapacity: more.count) { bytes in
      for index in more.indices { bytes.append(more[index]) }
    }
  }
}
