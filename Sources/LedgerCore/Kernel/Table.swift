import CLedger

/// Where the rows of tables come from that were written down, one table after the other.
protocol TableSource: ~Copyable {
  /// Goes on to the next table, whose rows must be so long; answers its size in bytes, a multiple
  /// of that and at least one row.
  mutating func begin(rowByteCount: Int) throws(StorageError) -> Int
  /// Writes the table's bytes, all of them.
  mutating func fill(_ bytes: inout MutableRawSpan) throws(StorageError)
}

/// Rows by dense number, from 1: the containers that slices keep their state in.
///
/// Invariant: rows 1 to `count` exist; row 0 holds the count, so that undoing is nothing but
/// writing old bytes back. A row is plain memory without padding (a layout test says so), because
/// states are compared byte by byte.
@safe
struct Table<Kind, Row: BitwiseCopyable>: ~Copyable {
  private var memory: Memory
  private let undo: Undo

  /// An empty table that saves what it overwrites on `undo`.
  init(undo: Undo) {
    precondition(MemoryLayout<Row>.stride % 8 == 0 && MemoryLayout<Row>.alignment <= 16)
    memory = Memory(byteCount: MemoryLayout<Row>.stride * 2)
    self.undo = undo
  }

  /// How many rows there are.
  var count: Int { unsafe memory.base.load(as: Int.self) }

  /// The number that the next appended row gets.
  var next: Number<Kind> { Number(UInt64(count + 1)) }

  /// Whether this number has a row.
  @inline(__always)
  func contains(_ number: Number<Kind>) -> Bool {
    number.rawValue &- 1 < UInt64(bitPattern: Int64(count))
  }

  /// The row of a number that exists.
  subscript(number: Number<Kind>) -> Row {
    @inline(__always)
    get {
      precondition(contains(number), "no such row")
      return unsafe address(number).load(as: Row.self)
    }
    @inline(__always)
    _modify {
      precondition(contains(number), "no such row")
      let address = unsafe address(number)
      unsafe undo.save(address, count: MemoryLayout<Row>.size)
      yield unsafe &address.assumingMemoryBound(to: Row.self).pointee
    }
  }

  /// Adds a row under the next number.
  mutating func append(_ row: Row) {
    let number = next
    let end = (count + 2) * MemoryLayout<Row>.stride
    precondition(end <= memory.byteCount || !undo.isOpen, "room is reserved before a unit")
    memory.grow(toHold: end)
    unsafe undo.save(memory.base, count: 8)
    unsafe memory.base.storeBytes(of: Int(number.rawValue), as: Int.self)
    let target = unsafe address(number)
    // The room behind the last row is zero or was undone; saving it keeps it so.
    unsafe undo.save(target, count: MemoryLayout<Row>.size)
    unsafe target.storeBytes(of: row, as: Row.self)
  }

  /// Removes the last row, which must exist.
  mutating func removeLast() {
    precondition(count > 0)
    let last = unsafe address(Number(UInt64(count)))
    unsafe undo.save(last, count: MemoryLayout<Row>.size)
    unsafe undo.save(memory.base, count: 8)
    unsafe memory.base.storeBytes(of: count - 1, as: Int.self)
    unsafe last.initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<Row>.size)
  }

  /// Makes room for `additional` more rows, so that a unit moves nothing.
  @inline(__always)
  mutating func reserve(_ additional: Int) {
    let needed = (count + 1 + additional) * MemoryLayout<Row>.stride
    if needed > memory.byteCount { memory.grow(toHold: needed) }
  }

  /// Asks for a row's cache line ahead of its use. Any number is allowed.
  @inline(__always)
  func prefetch(_ number: Number<Kind>) {
    if contains(number) { unsafe cledger_prefetch(address(number)) }
  }

  /// Hands over the rows' bytes, row 0 included, in the order of their numbers, and how long a row
  /// is.
  func withBytes<Failure: Error>(
    _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
  ) throws(Failure) {
    let stride = MemoryLayout<Row>.stride
    let bytes = unsafe UnsafeRawBufferPointer(start: memory.base, count: (count + 1) * stride)
    try unsafe body(bytes.bytes, stride)
  }

  /// Takes over the rows that ``withBytes(_:)`` once handed out, in place of its own. Of a table
  /// that nothing was undone in and nothing was appended to since it was made.
  mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
    let stride = MemoryLayout<Row>.stride
    let byteCount = try source.begin(rowByteCount: stride)
    memory.grow(toHold: byteCount + stride)
    var bytes = unsafe MutableRawSpan(_unsafeStart: memory.base, byteCount: byteCount)
    try source.fill(&bytes)
    guard (count + 1) * stride == byteCount else {
      throw .damaged("a table of \(byteCount / stride - 1) rows says that it has \(count)")
    }
  }

  @inline(__always)
  private func address(_ number: Number<Kind>) -> UnsafeMutableRawPointer {
    unsafe memory.base + Int(truncatingIfNeeded: number.rawValue) * MemoryLayout<Row>.stride
  }
}
