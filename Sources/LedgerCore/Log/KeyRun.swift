#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Old idempotency keys on disk, sorted: `index/FIRST-LAST.keys`, for the keys of the events from
/// FIRST to LAST (`design.md` 4.11).
///
/// A cache of the log: missing, torn or stale, it is made anew. Pages of 4 KiB:
///
///     page 0     the head: see ``Head``
///     pages      255 keys: tag 8, event 8; then how many 4, number of the page 4, CRC32C 4, zero 4
///     rest       the first tag of each page, 8 bytes each; the filter
///
/// A tag is 64 of a fingerprint's 128 bits, so what is found here is only a candidate.
// Safe: everything is set once; the filter's bytes are never written after that.
final class KeyRun: @unchecked Sendable {
  static let pageByteCount = 4_096
  static let keysPerPage = 255
  private static let magic: UInt64 = 0x3130_3053_5945_4B4C
  private static let format: UInt32 = 1
  private static let headByteCount = 108

  /// What a run is of.
  ///
  ///     magic "LKEYS001" 8, format 4, zero 4, ledger id 16, first event 8, last event 8,
  ///     root of the tree after it 32, keys 8, sum of all keys mixed 8,
  ///     CRC32C of the first tags 4, of the filter 4, of the above 4, zero to the page's end
  struct Head: Hashable {
    var ledger: UInt128
    var first: EventNumber
    var last: EventNumber
    /// The tree's root after event `last`.
    var root: Digest32
    var keyCount: Int
    /// See ``KeyRun/mixed(_:_:)``.
    var sum: UInt64
    var tagsChecksum: UInt32 = 0
    var filterChecksum: UInt32 = 0
  }

  let path: String
  let head: Head
  private let file: File
  private let firstTags: [UInt64]
  /// An empty one where it was not loaded.
  private let filter: KeyFilter
  private let hasFilter: Bool

  /// Opens a run, with its filter where that takes at most `filterByteCountMax`; checks everything
  /// but the pages, which are checked when they are read.
  init(_ path: String, filterByteCountMax: Int) throws(StorageError) {
    let file = try File(path, flags: O_RDONLY)
    let head = try Self.readHead(file)
    let pageCount = Self.pageCount(head.keyCount)
    let tagsAt = (1 + pageCount) * Self.pageByteCount
    let filterByteCount = KeyFilter.byteCount(keyCount: head.keyCount)
    guard try file.byteCount == tagsAt + pageCount * 8 + filterByteCount else {
      throw .damaged("\(path) is \(try file.byteCount) bytes long")
    }
    let bytes = try file.read(at: tagsAt, count: pageCount * 8)
    guard bytes.count == pageCount * 8, unsafe Hashing.crc(bytes.span.bytes) == head.tagsChecksum
    else { throw .damaged("\(path): its first tags are damaged") }
    firstTags = (0..<pageCount).map { unsafe bytes.span.bytes.load(at: $0 * 8) }
    hasFilter = filterByteCount <= filterByteCountMax
    filter =
      hasFilter
      ? try Self.readFilter(file, at: tagsAt + pageCount * 8, head) : KeyFilter(keyCount: 0)
    self.path = path
    self.head = head
    self.file = file
  }

  private static func readFilter(
    _ file: borrowing File, at offset: Int, _ head: Head
  ) throws(StorageError) -> KeyFilter {
    let byteCount = KeyFilter.byteCount(keyCount: head.keyCount)
    let bytes = try file.read(at: offset, count: byteCount)
    guard bytes.count == byteCount, unsafe Hashing.crc(bytes.span.bytes) == head.filterChecksum
    else { throw .damaged("\(file.path): its filter is damaged") }
    return unsafe KeyFilter(keyCount: head.keyCount, bytes.span.bytes)
  }

  /// The filter to ask first; lets everything through where it was not loaded.
  var view: KeyFilter.View { hasFilter ? filter.view : .none }

  /// What the filter takes in memory.
  var filterByteCount: Int { hasFilter ? KeyFilter.byteCount(keyCount: head.keyCount) : 0 }

  private static func pageCount(_ keyCount: Int) -> Int {
    (keyCount + keysPerPage - 1) / keysPerPage
  }

  /// Spreads one key, so that the sum over a run tells it from every other.
  @inline(__always)
  static func mixed(_ tag: UInt64, _ event: UInt64) -> UInt64 {
    var mixed = (tag ^ (event &* 0x9E37_79B9_7F4A_7C15)) &* 0xBF58_476D_1CE4_E5B9
    mixed ^= mixed >> 29
    return mixed &* 0x94D0_49BB_1331_11EB
  }

  // MARK: - Looking up

  /// The events whose key may be the one of this tag. Reads one page, seldom two.
  func events(of tag: UInt64) throws(StorageError) -> [EventNumber] {
    // Keys of one tag may begin at the end of the page before the first that begins with it.
    var page = max(firstPage(from: tag) - 1, 0)
    var events: [EventNumber] = []
    while page < firstTags.count, firstTags[page] <= tag {
      for key in try readPage(page) where key.tag == tag { events.append(EventNumber(key.event)) }
      page += 1
    }
    return events
  }

  /// The first page that begins with `tag` or a greater one.
  private func firstPage(from tag: UInt64) -> Int {
    var (low, high) = (0, firstTags.count)
    while low < high {
      let middle = (low + high) / 2
      if firstTags[middle] < tag { low = middle + 1 } else { high = middle }
    }
    return low
  }

  typealias Key = (tag: UInt64, event: UInt64)

  private func readPage(_ page: Int) throws(StorageError) -> [Key] {
    let bytes = try file.read(at: (1 + page) * Self.pageByteCount, count: Self.pageByteCount)
    return unsafe try Self.keys(bytes.span.bytes, page, path)
  }

  private static func keys(
    _ bytes: RawSpan, _ page: Int, _ path: String
  ) throws(StorageError) -> [Key] {
    let damaged = StorageError.damaged("\(path): page \(page) is damaged")
    guard bytes.byteCount == pageByteCount,
      Hashing.crc(bytes.extracting(0..<pageByteCount - 8)) == bytes.load(at: pageByteCount - 8),
      bytes.load(at: pageByteCount - 4) as UInt32 == 0,
      bytes.load(at: pageByteCount - 12) as UInt32 == UInt32(truncatingIfNeeded: page)
    else { throw damaged }
    let count = Int(bytes.load(at: pageByteCount - 16) as UInt32)
    guard count >= 1, count <= keysPerPage else { throw damaged }
    return (0..<count).map { (bytes.load(at: $0 * 16), bytes.load(at: $0 * 16 + 8)) }
  }

  // MARK: - Reading through

  /// Hands every key to `body` in order, after checking its page, and that keys rise.
  func walk(
    _ body: (_ tag: UInt64, _ event: UInt64) throws(StorageError) -> Void
  ) throws(StorageError) {
    var cursor = Cursor(self)
    while let key = try cursor.next() { try body(key.tag, key.event) }
  }

  /// Walks through a run.
  struct Cursor {
    private let run: KeyRun
    private var keys: ArraySlice<Key> = []
    private var page = 0
    private var last: Key = (0, 0)
    private var count = 0

    init(_ run: KeyRun) { self.run = run }

    mutating func next() throws(StorageError) -> Key? {
      if keys.isEmpty {
        guard page < run.firstTags.count else {
          guard count == run.head.keyCount else { throw run.disordered }
          return nil
        }
        let read = try run.readPage(page)
        guard read[0].tag == run.firstTags[page] else { throw run.disordered }
        keys = read[...]
        page += 1
      }
      let key = keys.removeFirst()
      guard count == 0 || last < key, key.event >= run.head.first.rawValue,
        key.event <= run.head.last.rawValue
      else { throw run.disordered }
      last = key
      count += 1
      return key
    }
  }

  private var disordered: StorageError { .damaged("\(path): its keys are not in order") }

  // MARK: - The head

  private static func readHead(_ file: borrowing File) throws(StorageError) -> Head {
    let bytes = try file.read(at: 0, count: pageByteCount)
    let damaged = StorageError.damaged("\(file.path): its head is not one")
    guard bytes.count == pageByteCount else { throw damaged }
    let all = unsafe bytes.span.bytes
    guard all.load(at: 0) as UInt64 == magic,
      Hashing.crc(all.extracting(0..<headByteCount - 4)) == all.load(at: headByteCount - 4),
      bytes[headByteCount...].allSatisfy({ $0 == 0 })
    else { throw damaged }
    var reader = ByteReader(all.extracting(8..<headByteCount))
    guard try reader.take(UInt32.self) == format else {
      throw .refused("\(file.path) is of another format")
    }
    try reader.zero(4)
    var head = Head(
      ledger: try reader.take(), first: try reader.number(), last: try reader.number(),
      root: Digest32(first: try reader.take(), second: try reader.take()), keyCount: 0, sum: 0)
    let keyCount: UInt64 = try reader.take()
    head.sum = try reader.take()
    head.tagsChecksum = try reader.take()
    head.filterChecksum = try reader.take()
    guard keyCount < 1 << 40 else { throw damaged }
    head.keyCount = Int(keyCount)
    return head
  }

  private static func encode(_ head: Head) -> [UInt8] {
    var page = [UInt8](repeating: 0, count: pageByteCount)
    unsafe page.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      var writer = unsafe ByteWriter(at: base)
      writer.put(magic)
      writer.put(format)
      writer.put(UInt32(0))
      writer.put(head.ledger)
      writer.put(head.first)
      writer.put(head.last)
      writer.put(head.root.first)
      writer.put(head.root.second)
      writer.put(UInt64(head.keyCount))
      writer.put(head.sum)
      writer.put(head.tagsChecksum)
      writer.put(head.filterChecksum)
      precondition(writer.count == headByteCount - 4)
      writer.put(
        Hashing.crc(
          unsafe UnsafeRawBufferPointer(start: base, count: headByteCount - 4).bytes))
    }
    return page
  }
}

// MARK: - Writing

extension KeyRun {
  /// Writes a run: keys come in order, the head last.
  struct Writer: ~Copyable {
    private let file: File
    private var head: Head
    private let expectedCount: Int
    private var page: [UInt8] = []
    private var pages: [UInt8] = []
    private var pageCount = 0
    private var offset = KeyRun.pageByteCount
    private var firstTags: [UInt8] = []
    private var filter: KeyFilter
    private let pause: (Int) throws(StorageError) -> Void

    /// Begins a file at `path`, which must not be there, for `keyCount` keys.
    init(
      _ path: String, _ head: Head, pause: @escaping (Int) throws(StorageError) -> Void
    ) throws(StorageError) {
      file = try File(new: path)
      self.head = head
      self.head.sum = 0
      expectedCount = head.keyCount
      self.head.keyCount = 0
      filter = KeyFilter(keyCount: head.keyCount)
      self.pause = pause
    }

    mutating func put(_ tag: UInt64, _ event: UInt64) throws(StorageError) {
      if page.isEmpty { Self.append(tag, to: &firstTags) }
      Self.append(tag, to: &page)
      Self.append(event, to: &page)
      filter.insert(tag)
      head.keyCount += 1
      head.sum &+= KeyRun.mixed(tag, event)
      if page.count == KeyRun.keysPerPage * 16 { try endPage() }
    }

    /// Writes the rest and the head, and syncs.
    mutating func finish() throws(StorageError) -> Head {
      precondition(head.keyCount == expectedCount)
      if !page.isEmpty { try endPage() }
      try flush()
      head.tagsChecksum = unsafe Hashing.crc(firstTags.span.bytes)
      pages = firstTags
      var bytes: [UInt8] = []
      filter.withBytes { filter in
        head.filterChecksum = Hashing.crc(filter)
        bytes = filter.copied()
      }
      try flush()
      pages = bytes
      try flush()
      try file.write(KeyRun.encode(head).span, at: 0)
      try file.sync()
      return head
    }

    private mutating func endPage() throws(StorageError) {
      let count = page.count / 16
      page += [UInt8](repeating: 0, count: KeyRun.keysPerPage * 16 - page.count)
      Self.append(UInt64(count) | UInt64(UInt32(truncatingIfNeeded: pageCount)) << 32, to: &page)
      let crc = unsafe Hashing.crc(page.span.bytes)
      Self.append(UInt64(crc), to: &page)
      precondition(page.count == KeyRun.pageByteCount)
      pages += page
      page.removeAll(keepingCapacity: true)
      pageCount += 1
      if pages.count >= 1 << 20 { try flush() }
    }

    private mutating func flush() throws(StorageError) {
      try file.write(pages.span, at: offset)
      try file.sync()
      offset += pages.count
      try pause(pages.count)
      pages.removeAll(keepingCapacity: true)
    }

    private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
      unsafe withUnsafeBytes(of: value.littleEndian) { value in
        unsafe bytes.append(contentsOf: value)
      }
    }
  }
}
