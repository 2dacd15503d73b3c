#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A state on disk, so that opening need not fold the whole log: `snapshots/EVENT.zst`
/// (`design.md` 4.13).
///
/// A file that zstd itself can read. What is ours stands in frames that it skips:
///
///     skippable frame    the head: see ``Head``
///     for every table, in pieces of whole rows, at most 1 MiB (a longer row alone):
///       skippable frame  table 4, row bytes 4, table bytes 8, offset in the table 8,
///                        raw bytes 4, frame bytes 4, CRC32C of the frame 4, of the above 4
///       zstd frame       the rows by columns: word 0 of all rows, then word 1, …
///
/// The log always wins: a snapshot that is damaged, of another layout or of another ledger is
/// passed over.
enum SnapshotFile {
  static let magic: UInt64 = 0x3130_3050_414E_534C
  static let format: UInt32 = 1
  static let pieceByteCountMax = 1 << 20
  fileprivate static let skippable: UInt32 = 0x184D_2A50
  /// Without the peaks.
  fileprivate static let headByteCount = 96
  fileprivate static let pieceHeadByteCount = 40

  /// What a snapshot is of.
  ///
  ///     magic "LSNAP001" 8, format 4, state layout 4, tables 4, zero 4, ledger id 16,
  ///     last event 8, its time 8, SHA-256 of the state 32, the tree's peaks 32 each,
  ///     CRC32C of the above 4, zero 4
  struct Head: Hashable {
    var layout: UInt32
    var tableCount: UInt32
    var ledger: UInt128
    /// The event that it is the state after.
    var last: EventNumber
    var time: Timestamp
    /// SHA-256 over all tables.
    var state: Digest32
    /// The peaks of the tree over all events up to it.
    var peaks: [Digest32]
  }

  /// Reads the head alone.
  static func head(_ path: String) throws(StorageError) -> Head {
    let file = try File(path, flags: O_RDONLY)
    return try readHead(file).head
  }

  fileprivate static func readHead(
    _ file: borrowing File
  ) throws(StorageError) -> (head: Head, byteCount: Int) {
    let start = try file.read(at: 0, count: 8)
    let damaged = StorageError.damaged("\(file.path): its head is not one")
    guard start.count == 8 else { throw damaged }
    let span = unsafe start.span.bytes
    let count = Int(span.load(at: 4) as UInt32)
    guard span.load(at: 0) as UInt32 == skippable, count >= headByteCount,
      count <= headByteCount + 64 * 32
    else {
      throw damaged
    }
    let bytes = try file.read(at: 8, count: count)
    guard bytes.count == count else { throw damaged }
    let all = unsafe bytes.span.bytes
    guard Hashing.crc(all.extracting(0..<count - 8)) == all.load(at: count - 8),
      all.load(at: count - 4) as UInt32 == 0
    else { throw damaged }
    var reader = ByteReader(all)
    guard try reader.take(UInt64.self) == magic else { throw damaged }
    let format = try reader.take(UInt32.self)
    guard format == Self.format else {
      throw .refused("\(file.path) has format \(format); this program reads \(Self.format)")
    }
    let layout = try reader.take(UInt32.self)
    let tableCount = try reader.take(UInt32.self)
    try reader.zero(4)
    let ledger = try reader.take(UInt128.self)
    let last: EventNumber = try reader.number()
    let time = try reader.time()
    let state = Digest32(first: try reader.take(), second: try reader.take())
    guard count == headByteCount + last.rawValue.nonzeroBitCount * 32 else { throw damaged }
    var peaks: [Digest32] = []
    for _ in 0..<last.rawValue.nonzeroBitCount {
      peaks.append(Digest32(first: try reader.take(), second: try reader.take()))
    }
    return (
      Head(
        layout: layout, tableCount: tableCount, ledger: ledger, last: last, time: time,
        state: state, peaks: peaks),
      8 + count
    )
  }

  /// `count` bytes that `body` writes.
  fileprivate static func bytes(_ count: Int, _ body: (inout ByteWriter) -> Void) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard let base = buffer.baseAddress else { return }
      var writer = unsafe ByteWriter(at: base)
      body(&writer)
      precondition(writer.count == count)
      initialized = count
    }
  }

  /// A skippable frame around `content`, which ends with its own checksum.
  fileprivate static func skippable(_ content: [UInt8], checksumAt offset: Int) -> [UInt8] {
    var content = content
    let crc = unsafe Hashing.crc(content.span.bytes.extracting(0..<offset))
    for index in 0..<4 {
      content[offset + index] = UInt8(truncatingIfNeeded: crc >> UInt32(index * 8))
    }
    return bytes(8) { writer in
      writer.put(skippable)
      writer.put(UInt32(content.count))
    } + content
  }
}

// MARK: - Writing

extension SnapshotFile {
  /// Writes a snapshot: the tables one after the other, in pieces that are synced one by one, so
  /// that the disk is never asked for much at once.
  struct Writer: ~Copyable {
    private let file: File
    private var offset: Int
    private var table: UInt32 = 0
    private let pause: (_ byteCount: Int) throws(StorageError) -> Void

    /// Begins a file at `path`, which must not be there. `pause` is called after each piece, and
    /// may wait or give up.
    init(
      _ path: String, _ head: Head, pause: @escaping (Int) throws(StorageError) -> Void
    ) throws(StorageError) {
      let count = SnapshotFile.headByteCount + head.peaks.count * 32
      let content = SnapshotFile.bytes(count) { writer in
        writer.put(SnapshotFile.magic)
        writer.put(SnapshotFile.format)
        writer.put(head.layout)
        writer.put(head.tableCount)
        writer.put(UInt32(0))
        writer.put(head.ledger)
        writer.put(head.last)
        writer.put(head.time)
        for digest in [head.state] + head.peaks {
          writer.put(digest.first)
          writer.put(digest.second)
        }
        writer.put(UInt64(0))
      }
      let bytes = SnapshotFile.skippable(content, checksumAt: count - 8)
      let file = try File(new: path)
      try file.write(bytes.span, at: 0)
      self.file = file
      self.pause = pause
      offset = bytes.count
    }

    /// Writes the next table.
    mutating func put(_ bytes: RawSpan, rowByteCount: Int) throws(StorageError) {
      let rows = max(SnapshotFile.pieceByteCountMax / rowByteCount, 1)
      var start = 0
      while start < bytes.byteCount {
        let end = min(start + rows * rowByteCount, bytes.byteCount)
        let columns = Columns.of(bytes.extracting(start..<end), rowByteCount: rowByteCount)
        let frame = unsafe try Compression.compress(columns.span.bytes)
        let head = SnapshotFile.bytes(SnapshotFile.pieceHeadByteCount) { writer in
          writer.put(table)
          writer.put(UInt32(rowByteCount))
          writer.put(UInt64(bytes.byteCount))
          writer.put(UInt64(start))
          writer.put(UInt32(end - start))
          writer.put(UInt32(frame.count))
          writer.put(unsafe Hashing.crc(frame.span.bytes))
          writer.put(UInt32(0))
        }
        let checksumAt = SnapshotFile.pieceHeadByteCount - 4
        let piece = SnapshotFile.skippable(head, checksumAt: checksumAt) + frame
        try write(piece)
        try file.sync()
        try pause(piece.count)
        start = end
      }
      table += 1
    }

    private mutating func write(_ bytes: [UInt8]) throws(StorageError) {
      try file.write(bytes.span, at: offset)
      offset += bytes.count
    }
  }
}

// MARK: - Reading

extension SnapshotFile {
  /// Reads the tables of a snapshot, one after the other. That they were the right ones is known
  /// after ``finish()``.
  struct Reader: ~Copyable, TableSource {
    let head: Head
    private let file: File
    private var offset: Int
    private var table: UInt32 = 0
    private var rowByteCount = 0
    private var piece: Piece?
    private var digester = Digester()

    private struct Piece {
      var rowByteCount: Int
      var tableByteCount: Int
      var start: Int
      var byteCount: Int
      var frame: [UInt8]
    }

    init(_ path: String) throws(StorageError) {
      let file = try File(path, flags: O_RDONLY)
      (head, offset) = try SnapshotFile.readHead(file)
      self.file = file
    }

    mutating func begin(rowByteCount: Int) throws(StorageError) -> Int {
      let piece = try next()
      guard piece.start == 0, piece.rowByteCount == rowByteCount, piece.tableByteCount > 0,
        piece.tableByteCount % rowByteCount == 0
      else { throw damaged }
      self.piece = piece
      self.rowByteCount = rowByteCount
      return piece.tableByteCount
    }

    mutating func fill(_ bytes: inout MutableRawSpan) throws(StorageError) {
      var start = 0
      while start < bytes.byteCount {
        let piece = if let first = self.piece { first } else { try next() }
        self.piece = nil
        guard piece.start == start, piece.tableByteCount == bytes.byteCount, piece.byteCount > 0,
          start + piece.byteCount <= bytes.byteCount, piece.rowByteCount == rowByteCount,
          piece.byteCount % rowByteCount == 0
        else { throw damaged }
        let columns = unsafe try Compression.decompress(
          piece.frame.span.bytes, byteCount: piece.byteCount)
        unsafe Columns.rows(
          columns.span.bytes, rowByteCount: rowByteCount, into: &bytes, at: start)
        digester.update(bytes.bytes.extracting(start..<start + piece.byteCount))
        start += piece.byteCount
      }
      table += 1
    }

    /// Everything must have been read, and be the state that the head names.
    func finish() throws(StorageError) {
      guard table == head.tableCount, offset == (try file.byteCount),
        digester.finish() == head.state
      else { throw damaged }
    }

    private mutating func next() throws(StorageError) -> Piece {
      let headByteCount = SnapshotFile.pieceHeadByteCount
      let bytes = try file.read(at: offset, count: 8 + headByteCount)
      guard bytes.count == 8 + headByteCount else { throw damaged }
      let all = unsafe bytes.span.bytes
      let head = all.extracting(8..<8 + headByteCount)
      guard all.load(at: 0) as UInt32 == SnapshotFile.skippable,
        all.load(at: 4) as UInt32 == UInt32(headByteCount),
        Hashing.crc(head.extracting(0..<headByteCount - 4)) == head.load(at: headByteCount - 4),
        head.load(at: 0) as UInt32 == table
      else { throw damaged }
      let frameByteCount = Int(head.load(at: 28) as UInt32)
      let frame = try file.read(at: offset + bytes.count, count: frameByteCount)
      guard frame.count == frameByteCount,
        Hashing.crc(unsafe frame.span.bytes) == head.load(at: 32) as UInt32
      else { throw damaged }
      offset += bytes.count + frameByteCount
      let (tableByteCount, start): (UInt64, UInt64) = (head.load(at: 8), head.load(at: 16))
      guard tableByteCount < 1 << 48, start < 1 << 48 else { throw damaged }
      return Piece(
        rowByteCount: Int(head.load(at: 4) as UInt32), tableByteCount: Int(tableByteCount),
        start: Int(start), byteCount: Int(head.load(at: 24) as UInt32), frame: frame)
    }

    private var damaged: StorageError {
      .damaged("\(file.path): damaged in table \(table), before byte \(offset)")
    }
  }
}

// MARK: - Words

/// A table of numbers behind those of the state, in rows of two words.
extension SnapshotFile {
  fileprivate static let wordRowByteCount = 16

  fileprivate static func bytes<Failure: Error>(
    of words: [UInt64], _ body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(!words.isEmpty && words.count % 2 == 0)
    #if _endian(big)
      let words = words.map(\.littleEndian)
    #endif
    try body(unsafe words.span.bytes)
  }
}

extension SnapshotFile.Writer {
  /// Writes the last table: an even number of words, and not none.
  mutating func put(words: [UInt64]) throws(StorageError) {
    try SnapshotFile.bytes(of: words) { bytes throws(StorageError) in
      try put(bytes, rowByteCount: SnapshotFile.wordRowByteCount)
    }
  }
}

extension SnapshotFile.Reader {
  /// Reads the last table, where it is one of words.
  mutating func words() throws(StorageError) -> [UInt64] {
    let byteCount = try begin(rowByteCount: SnapshotFile.wordRowByteCount)
    var words = [UInt64](repeating: 0, count: byteCount / 8)
    var span = words.mutableSpan
    var bytes = unsafe span.mutableBytes
    try fill(&bytes)
    return words.map { UInt64(littleEndian: $0) }
  }
}

extension Digester {
  /// Takes in words as they lie in a file.
  mutating func update(words: [UInt64]) {
    SnapshotFile.bytes(of: words) { bytes in update(bytes) }
  }
}

/// Rows of words by columns: like goes beside like, which compresses better.
private enum Columns {
  static func of(_ rows: RawSpan, rowByteCount: Int) -> [UInt8] {
    let (rowCount, words) = (rows.byteCount / rowByteCount, rowByteCount / 8)
    return unsafe [UInt8](unsafeUninitializedCapacity: rows.byteCount) { buffer, initialized in
      unsafe rows.withUnsafeBytes { rows in
        guard let source = rows.baseAddress, let base = buffer.baseAddress else { return }
        let target = UnsafeMutableRawPointer(base)
        for word in 0..<words {
          let column = unsafe target + word * rowCount * 8
          for row in 0..<rowCount {
            let value = unsafe source.loadUnaligned(
              fromByteOffset: row * rowByteCount + word * 8, as: UInt64.self)
            unsafe column.storeBytes(of: value, toByteOffset: row * 8, as: UInt64.self)
          }
        }
      }
      initialized = rows.byteCount
    }
  }

  static func rows(
    _ columns: RawSpan, rowByteCount: Int, into rows: inout MutableRawSpan, at start: Int
  ) {
    precondition(start >= 0 && start + columns.byteCount <= rows.byteCount)
    let (rowCount, words) = (columns.byteCount / rowByteCount, rowByteCount / 8)
    unsafe columns.withUnsafeBytes { columns in
      unsafe rows.withUnsafeMutableBytes { rows in
        guard let source = columns.baseAddress, let base = rows.baseAddress else { return }
        let target = unsafe base + start
        for word in 0..<words {
          let column = unsafe source + word * rowCount * 8
          for row in 0..<rowCount {
            let value = unsafe column.loadUnaligned(fromByteOffset: row * 8, as: UInt64.self)
            unsafe target.storeBytes(
              of: value, toByteOffset: row * rowByteCount + word * 8, as: UInt64.self)
          }
        }
      }
    }
  }
}
