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
