/// A row of a ``Slab``: plain memory with a word that links free rows.
protocol SlabRow: BitwiseCopyable {
  /// While the row is free, the next free one, or 0. While it is taken, ``Slab/taken``.
  var nextFree: UInt64 { get set }
}

/// Rows for what is open only: a row that was freed is taken again, so the state grows with what is
/// open and not with what ever was (`design.md` 4.1).
///
/// A number says nothing about which thing has the row now; whoever keeps one asks the row whose it
/// is. Invariant: the free rows are one chain that begins in ``heads`` and ends in 0.
struct Slab<Kind, Row: SlabRow>: ~Copyable {
  private enum Heads {}

  private var rows: Table<Kind, Row>
  /// Row 1: the first free row, or 0. Row 2: how many rows are free.
  private var heads: Table<Heads, UInt64>

  /// An empty slab that saves what it overwrites on `undo`.
  init(undo: Undo) {
    rows = Table(undo: undo)
    heads = Table(undo: undo)
    heads.append(0)
    heads.append(0)
  }

  /// How many rows are taken.
  var count: Int { rows.count - Int(heads[Number(2)]) }

  /// The row that ``take(_:)`` would give.
  var next: Number<Kind> {
    let free = Number<Kind>(heads[Number(1)])
    return free.isSome ? free : rows.next
  }

  /// Whether the row is in use.
  func isTaken(_ number: Number<Kind>) -> Bool {
    rows.contains(number) && rows[number].nextFree == Self.taken
  }

  /// A row that is taken.
  subscript(number: Number<Kind>) -> Row {
    get {
      precondition(isTaken(number), "the row is free")
      return rows[number]
    }
    _modify {
      precondition(isTaken(number), "the row is free")
      yield &rows[number]
    }
  }

  /// Uses the first free row for `row`, or a new one. O(1).
  mutating func take(_ row: Row) -> Number<Kind> {
    var row = row
    row.nextFree = Self.taken
    let number = next
    if rows.contains(number) {
      heads[Number(1)] = rows[number].nextFree
      heads[Number(2)] -= 1
      rows[number] = row
    } else {
      rows.append(row)
    }
    return number
  }

  /// Lets go of a row that is taken. What is in it stays until it is taken again, as after a
  /// replay. O(1).
  mutating func free(_ number: Number<Kind>) {
    precondition(isTaken(number), "the row is free")
    rows[number].nextFree = heads[Number(1)]
    heads[Number(1)] = number.rawValue
    heads[Number(2)] += 1
  }

  /// Hands every taken row to `body`, in the order of their numbers.
  func walk(_ body: (Number<Kind>, Row) -> Void) {
    for raw in 1..<rows.next.rawValue {
      let row = rows[Number(raw)]
      if row.nextFree == Self.taken { body(Number(raw), row) }
    }
  }

  /// As ``walk(_:)``, from the last number on: the rows that were taken last are mostly there.
  func walkBackwards(_ body: (Number<Kind>, Row) -> Void) {
    for raw in (1..<rows.next.rawValue).reversed() {
      let row = rows[Number(raw)]
      if row.nextFree == Self.taken { body(Number(raw), row) }
    }
  }

  /// Makes room for `additional` more rows, so that a unit moves nothing.
  mutating func reserve(_ additional: Int) { rows.reserve(additional) }

  /// The bytes of everything, in a fixed order.
  func withBytes<Failure: Error>(
    _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
  ) throws(Failure) {
    try rows.withBytes(body)
    try heads.withBytes(body)
  }

  /// Takes over what ``withBytes(_:)`` once handed out.
  mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
    try rows.load(from: &source)
    try heads.load(from: &source)
  }

  /// What a taken row's link says.
  private static var taken: UInt64 { .max }
}
