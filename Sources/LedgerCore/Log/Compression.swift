import CZstd

/// zstd, for snapshots: the only file that knows it.
enum Compression {
  /// Level 1: three to four times smaller at the speed of a disk; higher ones gain nothing on rows
  /// of numbers (measured).
  private static let level: Int32 = 1

  /// The bytes as one zstd frame.
  static func compress(_ bytes: RawSpan) throws(StorageError) -> [UInt8] {
    let bound = ZSTD_compressBound(bytes.byteCount)
    var count = 0
    let frame = unsafe [UInt8](unsafeUninitializedCapacity: bound) { buffer, initialized in
      unsafe bytes.withUnsafeBytes { bytes in
        count = unsafe ZSTD_compress(
          buffer.baseAddress, bound, bytes.baseAddress, bytes.count, level)
      }
      initialized = ZSTD_isError(count) == 0 ? count : 0
    }
    guard ZSTD_isError(count) == 0 else { throw .damaged("zstd: \(name(count))") }
    return frame
  }

  /// What a zstd frame holds, which must be `byteCount` bytes.
  static func decompress(_ frame: RawSpan, byteCount: Int) throws(StorageError) -> [UInt8] {
    var count = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
      unsafe frame.withUnsafeBytes { frame in
        count = unsafe ZSTD_decompress(
          buffer.baseAddress, byteCount, frame.baseAddress, frame.count)
      }
      initialized = ZSTD_isError(count) == 0 ? count : 0
    }
    guard ZSTD_isError(count) == 0 else { throw .damaged("zstd: \(name(count))") }
    guard count == byteCount else {
      throw .damaged("a zstd frame holds \(count) bytes, not \(byteCount)")
    }
    return bytes
  }

  private static func name(_ code: Int) -> String {
    unsafe String(cString: ZSTD_getErrorName(code))
  }
}
