/// The batch being built: frames as they will lie in the block, in memory reserved once.
///
/// Life of a batch: events are appended as they are decided; it is sealed with the tree's root; it
/// is committed as one value; it is reset. A linked unit that is refused cuts it back to where it
/// was.
@safe
struct Batch: ~Copyable {
  /// Where a batch stood, to cut back to.
  struct Mark {
    /// How many events the batch held.
    fileprivate(set) var eventCount: Int
    fileprivate var framesByteCount: Int
    fileprivate var textCount: Int
    fileprivate var textByteCount: Int
    fileprivate var time: Timestamp
  }

  /// The number of the batch's first event.
  private(set) var first: EventNumber
  /// How many events it holds.
  private(set) var count = 0
  /// How many bytes their frames take.
  private(set) var framesByteCount = 0
  /// The recorded time of the newest event, in this batch or before it.
  private(set) var time: Timestamp
  /// Whether it was sealed: nothing is added any more until it is committed and reset.
  private(set) var isSealed = false
  /// Subtrees that sealing completed.
  private(set) var nodes: [MerkleTree.Node] = []

  private var texts: [UInt8] = []
  private var textTable: [(index: Int, offset: Int, count: Int)] = []
  private let block: UnsafeMutablePointer<UInt8>
  private let offsets: UnsafeMutablePointer<UInt32>
  private static let capacity =
    Block.headerByteCount + Block.framesByteCountMax + Frame.byteCountMax
    + Block.eventCountMax * 4

  /// An empty batch whose first event will be `first`, after an event recorded at `time`.
  init(first: EventNumber, after time: Timestamp) {
    self.first = first
    self.time = time
    unsafe block = UnsafeMutablePointer.allocate(capacity: Self.capacity)
    unsafe offsets = UnsafeMutablePointer.allocate(capacity: Block.eventCountMax + 1)
  }

  deinit {
    unsafe block.deallocate()
    unsafe offsets.deallocate()
  }

  /// The number that the next event gets.
  var next: EventNumber { EventNumber(first.rawValue + UInt64(count)) }

  /// The most bytes of sealed texts in one batch, so that a commit stays short.
  static let textByteCountMax = 4 << 20

  /// More than one batch ever takes in the log, its tree nodes and the pages of LMDB included.
  static let byteCountMax = Block.framesByteCountMax + textByteCountMax + (1 << 20)

  /// Whether `events` more with `bodyByteCount` bytes of bodies and so many of texts surely fit.
  @inline(__always)
  func hasRoom(for events: Int, bodyByteCount: Int = 0, textByteCount: Int = 0) -> Bool {
    count + events <= Block.eventCountMax
      && texts.count + textByteCount <= Self.textByteCountMax
      && framesByteCount + events * Frame.fixedByteCountMax + bodyByteCount
        <= Block.framesByteCountMax
  }

  /// Adds an event at the end. The caller asked for room.
  @inline(__always)
  mutating func append(
    _ event: Event, _ header: Header, key: IdempotencyKey? = nil, text: SealedText? = nil,
    body: Span<UInt8> = Span()
  ) {
    precondition(!isSealed && header.number == next && header.time > time)
    precondition(hasRoom(for: 1, bodyByteCount: body.count))
    unsafe offsets[count] = UInt32(truncatingIfNeeded: framesByteCount)
    let target = unsafe UnsafeMutableRawPointer(block) + Block.headerByteCount + framesByteCount
    var commitment: Digest32?
    if let text, text.isSome {
      commitment = text.commitment
      textTable.append((count, texts.count, text.ciphertext.count))
      texts.append(contentsOf: text.ciphertext)
    }
    framesByteCount += unsafe Frame.encode(
      event, header, key: key, commitment: commitment, body: body, at: target)
    count += 1
    time = header.time
  }

  /// The frame of an event of this batch.
  func withFrame<Result>(
    _ number: EventNumber, _ body: (RawSpan) throws(StorageError) -> Result
  ) throws(StorageError) -> Result { try view.withFrame(number, body) }

  /// Where the batch stands.
  var mark: Mark {
    Mark(
      eventCount: count, framesByteCount: framesByteCount, textCount: textTable.count,
      textByteCount: texts.count, time: time)
  }

  /// Forgets everything after `mark`.
  mutating func cut(to mark: Mark) {
    count = mark.eventCount
    framesByteCount = mark.framesByteCount
    textTable.removeSubrange(mark.textCount...)
    texts.removeSubrange(mark.textByteCount...)
    time = mark.time
  }

  /// Grows the tree by the batch's frames and writes header and offset table around them.
  mutating func seal(_ tree: inout MerkleTree) {
    precondition(count > 0 && !isSealed && tree.size + 1 == first.rawValue)
    isSealed = true
    unsafe offsets[count] = UInt32(truncatingIfNeeded: framesByteCount)
    nodes.removeAll(keepingCapacity: true)
    var completed: [MerkleTree.Node] = []
    swap(&completed, &nodes)
    unsafe tree.append(
      frames: block + Block.headerByteCount, offsets: offsets, count: count,
      complete: { node in completed.append(node) })
    completed.sort { ($0.end, $0.level) < ($1.end, $1.level) }
    swap(&completed, &nodes)

    let root = tree.root
    let table = unsafe UnsafeMutableRawPointer(block) + Block.headerByteCount + framesByteCount
    unsafe table.copyMemory(from: offsets, byteCount: count * 4)
    var writer = unsafe ByteWriter(at: UnsafeMutableRawPointer(block))
    writer.put(Block.magic)
    writer.put(Block.version)
    writer.put(UInt16(0))
    writer.put(first)
    writer.put(UInt32(count))
    writer.put(UInt32(framesByteCount))
    writer.put(time)
    writer.put(root.first)
    writer.put(root.second)
    let crcAt = writer.count
    precondition(crcAt == Block.crcOffset)
    writer.put(UInt32(0))
    writer.put(UInt32(0))
    let crc = unsafe Hashing.crc(
      ofBlock: UnsafeRawBufferPointer(start: block, count: blockByteCount))
    var at = unsafe ByteWriter(at: UnsafeMutableRawPointer(block) + crcAt)
    at.put(crc)
  }

  /// How long the sealed block is.
  var blockByteCount: Int { Block.headerByteCount + framesByteCount + count * 4 }

  /// The sealed block.
  func withBlock<Result>(
    _ body: (RawSpan) throws(StorageError) -> Result
  ) throws(StorageError) -> Result {
    try body(unsafe UnsafeRawBufferPointer(start: block, count: blockByteCount).bytes)
  }

  /// The block's texts as one value of the `notes` database, or `nil` where there are none.
  func notes() -> [UInt8]? { textTable.isEmpty ? nil : Notes.encode(textTable, texts) }

  /// Begins the next batch after this one was committed.
  mutating func reset() { begin(at: next, after: time) }

  /// Begins a batch whose first event will be `first`, after an event recorded at `time`.
  mutating func begin(at first: EventNumber, after time: Timestamp) {
    self.first = first
    self.time = time
    isSealed = false
    count = 0
    framesByteCount = 0
    texts.removeAll(keepingCapacity: true)
    textTable.removeAll(keepingCapacity: true)
    nodes.removeAll(keepingCapacity: true)
  }
}

// MARK: - While it is committed

extension Batch {
  /// The frames of a batch that another thread commits: its events may be asked for meanwhile.
  /// Valid as long as the batch is and holds what it held.
  @safe
  // Safe: committing writes around the frames and their offsets, never to them.
  struct View: @unchecked Sendable {
    let first: EventNumber
    private let count: Int
    private let framesByteCount: Int
    private let frames: UnsafePointer<UInt8>
    private let offsets: UnsafePointer<UInt32>

    fileprivate init(_ batch: borrowing Batch) {
      first = batch.first
      count = batch.count
      framesByteCount = batch.framesByteCount
      unsafe frames = UnsafePointer(batch.block + Block.headerByteCount)
      unsafe offsets = UnsafePointer(batch.offsets)
    }

    func contains(_ number: EventNumber) -> Bool {
      number >= first && number.rawValue < first.rawValue + UInt64(count)
    }

    /// The frame of an event of the batch.
    func withFrame<Result>(
      _ number: EventNumber, _ body: (RawSpan) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
      precondition(contains(number))
      let index = Int(number.rawValue - first.rawValue)
      let start = unsafe Int(offsets[index])
      let end = unsafe index + 1 < count ? Int(offsets[index + 1]) : framesByteCount
      let bytes = unsafe UnsafeRawBufferPointer(
        start: UnsafeRawPointer(frames) + start, count: end - start)
      return try body(unsafe bytes.bytes)
    }
  }

  var view: View { View(self) }
}

// MARK: - Notes

/// The sealed texts of a block, beside it under the same key.
///
///     magic "LNTE" 4, count 4, CRC32C of what follows 4, zero 4
///     per text: index of its event in the block 4, offset 4, byte count 4
///     the texts
enum Notes {
  static let magic: UInt32 = 0x4554_4E4C
  static let headerByteCount = 16

  static func encode(
    _ table: [(index: Int, offset: Int, count: Int)], _ texts: [UInt8]
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: headerByteCount + table.count * 12)
    unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      var writer = unsafe ByteWriter(at: base)
      writer.put(magic)
      writer.put(UInt32(table.count))
      writer.put(UInt64(0))
      for row in table {
        writer.put(UInt32(row.index))
        writer.put(UInt32(row.offset))
        writer.put(UInt32(row.count))
      }
    }
    bytes += texts
    let crc = unsafe bytes.withUnsafeBytes { bytes in
      unsafe Hashing.crc(bytes.bytes.extracting(headerByteCount..<bytes.count))
    }
    for index in 0..<4 { bytes[8 + index] = UInt8(truncatingIfNeeded: crc >> UInt32(index * 8)) }
    return bytes
  }

  /// Hands every text to `body` with its event's index, after checking the whole.
  static func decode(
    _ bytes: RawSpan, block: EventNumber, _ body: (Int, RawSpan) throws(StorageError) -> Void
  ) throws(StorageError) {
    let damaged = StorageError.damaged("notes of block \(block): their checksum differs")
    guard bytes.byteCount >= headerByteCount, bytes.load(at: 0) as UInt32 == magic,
      Hashing.crc(bytes.extracting(headerByteCount..<bytes.byteCount)) == bytes.load(at: 8)
    else { throw damaged }
    let count = Int(bytes.load(at: 4) as UInt32)
    let base = headerByteCount + count * 12
    guard base <= bytes.byteCount else { throw damaged }
    for row in 0..<count {
      let at = headerByteCount + row * 12
      let start = base + Int(bytes.load(at: at + 4) as UInt32)
      let end = start + Int(bytes.load(at: at + 8) as UInt32)
      guard end <= bytes.byteCount else { throw damaged }
      try body(Int(bytes.load(at: at) as UInt32), bytes.extracting(start..<end))
    }
  }
}
