import LedgerCore

/// Rows of one database, in memory: read once, changed here, and written when it is time.
///
/// Life of a row: loaded when first touched (zeros where there is none) ─▶ changed ─▶ copied
/// into a draft ─▶ written. It stays here, to be changed again, until the memory is wanted
/// (``forgetWritten()``).
///
/// A draft has the rows as they were when it began. They are copied in pieces, and before they
/// change, so that nobody waits for all of them.
///
/// All rows have one length. They lie behind each other in one array, found by open addressing, so
/// that touching a row that is here costs no allocation and a few nanoseconds.
struct RowCache: ~Copyable, Sendable {
  /// Every row, one after the other.
  private var words: [UInt64] = []
  private let database: Database
  private let rowWordCount: Int
  /// The key of each row, and what is to become of it.
  private var keys: [UInt64] = []
  private var marks: [Mark] = []
  /// The rows that changed since the last draft began, and those that it is of.
  private var changed: [UInt32] = []
  private var drafted: [UInt32] = []
  /// The draft as far as it is, and how many of its rows were looked at in turn.
  private var draft: RowDraft?
  private var draftedCount = 0
  /// Row + 1 by hash of its key; zero is empty. A power of two, at most half full.
  private var table: [UInt32]
  private var shift: UInt64

  private static let tableBitsMin: UInt64 = 6

  private struct Mark: OptionSet {
    let rawValue: UInt8
    /// In ``changed``.
    static let changed = Mark(rawValue: 1)
    /// In ``drafted``, and not in the draft yet.
    static let pending = Mark(rawValue: 2)
  }

  init(_ database: Database, rowWordCount: Int) {
    self.database = database
    self.rowWordCount = rowWordCount
    table = [UInt32](repeating: 0, count: 1 << Int(Self.tableBitsMin))
    shift = 64 - Self.tableBitsMin
  }

  /// Bytes of the rows held.
  var byteCount: Int { words.count * 8 }

  subscript(place: Int) -> UInt64 {
    get { words[place] }
    set { words[place] = newValue }
  }

  /// Two words as an amount, the lower one first.
  func amount(at place: Int) -> Int128 {
    Int128(truncatingIfNeeded: UInt128(words[place + 1]) << 64 | UInt128(words[place]))
  }

  /// As ``amount(at:)``, to change it.
  mutating func setAmount(_ amount: Int128, at place: Int) {
    words[place] = UInt64(truncatingIfNeeded: amount)
    words[place + 1] = UInt64(truncatingIfNeeded: amount >> 64)
  }

  /// Where the row of `key` begins, to change it; reads it from the database where it is not here.
  mutating func row(
    _ key: UInt64, _ transaction: Transaction
  ) throws(StorageError) -> Int {
    let slot = slot(of: key)
    var row = Int(table[slot]) - 1
    if row < 0 { row = try load(key, slot, transaction) }
    if marks[row] != .changed { mark(row) }
    return row * rowWordCount
  }

  /// What is to be done before a row changes.
  @inline(never)
  private mutating func mark(_ row: Int) {
    if marks[row].contains(.pending) { copyIntoDraft(row) }
    if marks[row].isEmpty {
      marks[row] = .changed
      changed.append(UInt32(row))
    }
  }

  /// A copy of the row of `key` as it is now; zeros where there is none.
  func copy(_ key: UInt64, _ transaction: Transaction) throws(StorageError) -> [UInt64] {
    let row = Int(table[slot(of: key)]) - 1
    guard row < 0 else { return Array(words[row * rowWordCount..<(row + 1) * rowWordCount]) }
    var words = [UInt64](repeating: 0, count: rowWordCount)
    _ = try transaction.row(database, key, into: &words, at: 0, count: rowWordCount)
    return words
  }

  /// The slot that names the row of `key`, or the empty one where it belongs.
  private func slot(of key: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: Self.hash(key) >> shift)
    while table[slot] != 0, keys[Int(table[slot]) - 1] != key {
      slot = (slot + 1) & (table.count - 1)
    }
    return slot
  }

  private mutating func load(
    _ key: UInt64, _ slot: Int, _ transaction: Transaction
  ) throws(StorageError) -> Int {
    let start = words.count
    words.append(contentsOf: repeatElement(0, count: rowWordCount))
    do throws(StorageError) {
      _ = try transaction.row(database, key, into: &words, at: start, count: rowWordCount)
    } catch {
      words.removeLast(rowWordCount)
      throw error
    }
    keys.append(key)
    marks.append([])
    table[slot] = UInt32(keys.count)
    if keys.count * 2 > table.count { grow() }
    return keys.count - 1
  }

  private mutating func grow() {
    table = [UInt32](repeating: 0, count: table.count * 2)
    shift -= 1
    for row in keys.indices { table[slot(of: keys[row])] = UInt32(row + 1) }
  }

  /// Neighbouring keys come in long runs; the multiplication spreads them over the high bits.
  @inline(__always)
  private static func hash(_ key: UInt64) -> UInt64 { key &* 0x9E37_79B9_7F4A_7C15 }

  // MARK: - Writing

  /// Begins a draft of the rows that changed since the last. What becomes of it is to be told by
  /// ``settle(wasWritten:)`` before the next.
  mutating func beginDraft() {
    precondition(drafted.isEmpty && draft == nil)
    swap(&drafted, &changed)
    for row in drafted { marks[Int(row)] = .pending }
    draft = RowDraft(database, rowWordCount: rowWordCount, rowCount: drafted.count)
    draftedCount = 0
  }

  /// Copies up to `rowCount` more rows; the draft once it is complete.
  mutating func continueDraft(rowCount: Int) -> RowDraft? {
    let end = min(draftedCount + rowCount, drafted.count)
    for index in draftedCount..<end where marks[Int(drafted[index])].contains(.pending) {
      copyIntoDraft(Int(drafted[index]))
    }
    draftedCount = end
    guard end == drafted.count else { return nil }
    defer { draft = nil }
    return draft
  }

  private mutating func copyIntoDraft(_ row: Int) {
    let start = row * rowWordCount
    precondition(draft != nil)
    draft?.add(keys[row], words[start..<start + rowWordCount])
    marks[row].remove(.pending)
  }

  /// Says what became of the draft; rows that were not written will be in the next.
  mutating func settle(wasWritten: Bool) {
    if !wasWritten { for row in drafted { mark(Int(row)) } }
    drafted.removeAll(keepingCapacity: true)
  }

  /// Gives the memory back where no row waits to be written.
  mutating func forgetWritten() {
    if changed.isEmpty, drafted.isEmpty { self = RowCache(database, rowWordCount: rowWordCount) }
  }
}

/// Rows to write into one database: copies, so that who owns the rows may change them meanwhile.
struct RowDraft: Sendable {
  private let database: Database
  private let rowWordCount: Int
  private var keys: [UInt64] = []
  private var words: [UInt64] = []

  init(_ database: Database, rowWordCount: Int, rowCount: Int) {
    self.database = database
    self.rowWordCount = rowWordCount
    keys.reserveCapacity(rowCount)
    words.reserveCapacity(rowCount * rowWordCount)
  }

  /// Adds a row.
  mutating func add(_ key: UInt64, _ row: ArraySlice<UInt64>) {
    precondition(row.count == rowWordCount)
    keys.append(key)
    words.append(contentsOf: row)
  }

  /// Writes the rows in the order of their keys, which is that of the pages.
  func write(_ transaction: Transaction) throws(StorageError) {
    for index in keys.indices.sorted(by: { keys[$0] < keys[$1] }) {
      let start = index * rowWordCount
      try transaction.put(database, keys[index], words, start..<start + rowWordCount)
    }
  }
}
