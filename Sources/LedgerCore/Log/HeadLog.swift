#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// `head.log`: what was acknowledged last, beside the environment and not in it.
///
/// A flipped bit in one of LMDB's two meta pages can silently roll back the last commit, and
/// nothing inside the file can tell (`reliability.md` E1). This ring of 16,384 records of 64 bytes
/// can: it is written after each commit and before the answer. It is created whole and synced, so
/// that it never needs space, and synced once more with the record of genesis; never again, so
/// after a power loss it may lag behind the log, never lead.
///
///     <------------------------------ 8 bytes ------------------------------>
///     | magic "LHEAD001"                                                    |
///     | number of the last event                                            |
///     | LMDB's transaction                                                  |
///     | first half of the tree's root (16)                                  |
///     | epoch                                                               |
///     | place in the sequence of records                                    |
///     | CRC32C of the above            | zero                               |
struct HeadLog: ~Copyable {
  static let recordByteCount = 64
  static let recordCount = 16_384
  private static let magic: UInt64 = 0x3130_3044_4145_484C

  /// One acknowledged commit.
  struct Record: Hashable {
    var last: EventNumber
    var transaction: UInt64
    var root: UInt128
    var epoch: UInt64
    var sequence: UInt64
  }

  private let file: File
  /// The record written last, if any was.
  private(set) var newest: Record?

  /// Creates the ring, empty and synced, where it does not exist.
  static func create(_ path: String) throws(StorageError) {
    guard !File.exists(path) else { return }
    try File.create(path, [UInt8](repeating: 0, count: recordByteCount * recordCount))
  }

  /// Opens the ring and finds the newest record. Torn records are passed over: their commit is
  /// in the log, or was never acknowledged.
  init(_ path: String) throws(StorageError) {
    guard File.exists(path) else {
      throw .damaged("\(path) is missing: without it a lost tail of the log cannot be seen")
    }
    let file = try File(path, flags: O_RDWR)
    let bytes = try file.read(at: 0, count: Self.recordByteCount * Self.recordCount)
    guard bytes.count == Self.recordByteCount * Self.recordCount else {
      throw .damaged("\(path) is \(bytes.count) bytes long")
    }
    var newest: Record?
    var invalid: [Int] = []
    for index in 0..<Self.recordCount {
      let start = index * Self.recordByteCount
      let record = unsafe bytes.span.bytes.extracting(start..<start + Self.recordByteCount)
      if let found = Self.decode(record), Self.place(of: found.sequence) == index {
        if found.sequence > newest?.sequence ?? 0 { newest = found }
      } else if !Self.isEmpty(record) {
        invalid.append(index)
      }
    }
    // A kill or a power loss tears at most the record being written and those not yet on disk; but
    // with records and none of them whole, nothing can be said about the tail. Unless it is the
    // first that is torn: then nothing but genesis can have been committed.
    guard newest != nil || invalid.isEmpty || invalid == [Self.place(of: 1)] else {
      throw .damaged("\(path) has no whole record among \(invalid.count)")
    }
    self.file = file
    self.newest = newest
  }

  /// Writes the next record. Not synced; see above.
  mutating func append(
    last: EventNumber, transaction: UInt64, root: Digest32, epoch: UInt64
  ) throws(StorageError) {
    let record = Record(
      last: last, transaction: transaction, root: root.first, epoch: epoch,
      sequence: (newest?.sequence ?? 0) + 1)
    let place = Self.place(of: record.sequence) * Self.recordByteCount
    try Self.encode(record) { bytes throws(StorageError) in
      try file.write(bytes, at: place)
    }
    newest = record
  }

  /// Puts the records so far on the disk: once, after genesis, so that a ring that was ever
  /// acknowledged with is never empty again.
  func sync() throws(StorageError) { try file.sync() }

  private static func place(of sequence: UInt64) -> Int { Int(sequence % UInt64(recordCount)) }

  private static func encode(
    _ record: Record, _ body: (Span<UInt8>) throws(StorageError) -> Void
  ) throws(StorageError) {
    var bytes: InlineArray<64, UInt8> = InlineArray(repeating: 0)
    var span = bytes.mutableSpan
    unsafe span.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      var writer = unsafe ByteWriter(at: base)
      writer.put(magic)
      writer.put(record.last)
      writer.put(record.transaction)
      writer.put(record.root)
      writer.put(record.epoch)
      writer.put(record.sequence)
      let count = writer.count
      let sum = unsafe UnsafeRawBufferPointer(start: base, count: count)
      writer.put(unsafe Hashing.crc(sum.bytes))
    }
    try body(bytes.span)
  }

  private static func decode(_ record: RawSpan) -> Record? {
    guard record.load(at: 0) as UInt64 == magic, record.load(at: 60) as UInt32 == 0,
      Hashing.crc(record.extracting(0..<56)) == record.load(at: 56)
    else { return nil }
    return Record(
      last: EventNumber(record.load(at: 8)), transaction: record.load(at: 16),
      root: record.load(at: 24), epoch: record.load(at: 40), sequence: record.load(at: 48))
  }

  /// Whether the record was never written.
  private static func isEmpty(_ record: RawSpan) -> Bool {
    stride(from: 0, to: recordByteCount, by: 8).allSatisfy { record.load(at: $0) as UInt64 == 0 }
  }
}
