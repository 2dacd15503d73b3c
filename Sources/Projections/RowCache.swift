import LedgerCore

/// The rows of one database that a batch touches: read once, changed here, written back sorted.
///
/// Life of a row: loaded when first touched (zeros where there is none) ─▶ changed ─▶ flushed.
///
/// All rows have one length. They lie behind each other in one array, found by open addressing, so
/// that touching a row that is here costs no allocation and a few nanoseconds.
struct RowCache: ~Copyable {
  /// Every row, one after the other.
  private var words: [UInt64] = []
  private let database: Database
  private let rowWordCount: Int
  /// The key of each row, and its slot in the table.
  private var keys: [UInt64] = []
  private var slots: [Int] = []
  /// Row + 1 by hash of its key; zero is empty. A power of two, at most half full.
  private var table: [UInt32]
  private var shift: UInt64

  /// Memory that is kept from batch to batch even if it is hardly used: 1 MiB of rows.
  private static let keptWordCountMax = 1 << 17
  private static let tableBitsMin: UInt64 = 6

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

  /// Where the row of `key` begins; reads it from the database where it is not here.
  mutating func row(
    _ key: UInt64, _ transaction: Transaction
  ) throws(StorageError) -> Int {
    var slot = Int(truncatingIfNeeded: Self.hash(key) >> shift)
    while table[slot] != 0 {
      let row = Int(table[slot]) - 1
      if keys[row] == key { return row * rowWordCount }
      slot = (slot + 1) & (table.count - 1)
    }
    return try load(key, slot, transaction)
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
    slots.append(slot)
    table[slot] = UInt32(keys.count)
    if keys.count * 2 > table.count { grow() }
    return start
  }

  private mutating func grow() {
    table = [UInt32](repeating: 0, count: table.count * 2)
    shift -= 1
    for row in keys.indices {
      var slot = Int(truncatingIfNeeded: Self.hash(keys[row]) >> shift)
      while table[slot] != 0 { slot = (slot + 1) & (table.count - 1) }
      table[slot] = UInt32(row + 1)
      slots[row] = slot
    }
  }

  /// Neighbouring keys come in long runs; the multiplication spreads them over the high bits.
  @inline(__always)
  private static func hash(_ key: UInt64) -> UInt64 { key &* 0x9E37_79B9_7F4A_7C15 }

  /// Writes every row back, in the order of the keys, and forgets them.
  mutating func flush(_ transaction: Transaction) throws(StorageError) {
    for row in keys.indices.sorted(by: { keys[$0] < keys[$1] }) {
      let start = row * rowWordCount
      try transaction.put(database, keys[row], words, start..<start + rowWordCount)
    }
    removeAll()
  }

  /// Forgets every row, changed or not.
  mutating func removeAll() {
    for slot in slots { table[slot] = 0 }
    keys.removeAll(keepingCapacity: true)
    slots.removeAll(keepingCapacity: true)
    // Many large batches follow each other; after them, a small one gives the memory back.
    let isUsed = words.count * 8 >= words.capacity || words.capacity <= Self.keptWordCountMax
    words.removeAll(keepingCapacity: isUsed)
  }
}
