import LedgerCore

/// Applies events to rows: the pure part. The same events give the same rows, written as often as
/// one likes.
///
/// Life of an event: ``apply(_:_:_:)``, and it is in the answers ─▶ with many others in a
/// ``draft()`` ─▶ written in one transaction with the position that belongs to it. So what LMDB
/// has is always all of the events up to a position, and those after it are read from the log again
/// after a restart: the log is the journal of the rows in memory.
struct Fold: ~Copyable {
  /// What is applied, and what of it is written.
  private(set) var progress: Progress
  private(set) var written: Progress
  private(set) var balances = Balances()
  private(set) var timelines: Timelines
  private var postings = Postings()
  private var drafted: Progress?

  /// Goes on after what is written.
  init(_ written: Progress) {
    progress = written
    self.written = written
    timelines = Timelines(entryCount: written.entryCount)
  }

  /// Applies the next event.
  mutating func apply(
    _ number: EventNumber, _ event: borrowing Event, _ transaction: Transaction
  ) throws(StorageError) {
    guard number.rawValue == progress.position.rawValue + 1 else {
      throw .damaged("event \(number) follows \(progress.position) in the projections")
    }
    if let (wallet, asset) = event.openedWallet {
      try balances.open(wallet, in: asset, transaction)
    }
    postings.removeAll()
    event.postings(into: &postings)
    for index in 0..<postings.count { try balances.post(postings[index], transaction) }
    let touched = Touched(event, postings)
    for index in 0..<touched.count {
      try timelines.add(number, to: touched[index], transaction)
    }
    progress.position = number
  }
}

// MARK: - Applying

extension Fold {
  /// The most events applied at a time: who looks at the fold meanwhile waits that long, a few
  /// milliseconds.
  static let sliceEventCountMax: UInt64 = 8_192

  /// Applies events up to `last`, at most ``sliceEventCountMax``. After an error an event may be
  /// half in the rows, so that only ``startOver()`` is left.
  mutating func advance(
    _ environment: Environment, _ tape: Tape, through last: EventNumber
  ) throws(StorageError) {
    let from = progress.position
    let end = min(last, EventNumber(from.rawValue + Self.sliceEventCountMax))
    guard end > from else { return }
    try environment.read { transaction throws(StorageError) in
      try tape.walk(
        from: EventNumber(from.rawValue + 1), through: end,
        blockCountMax: Int(Self.sliceEventCountMax)
      ) { header, event throws(StorageError) in
        try apply(header.number, event, transaction)
        progress.time = header.time
        return true
      }
    }
    guard progress.position == end else {
      throw .damaged("the log ends at event \(progress.position), and should have \(end)")
    }
  }

  /// Forgets what is not written.
  mutating func startOver() { self = Fold(written) }
}

// MARK: - Writing

extension Fold {
  /// The most events that wait to be written: after a kill, so many are applied again, in about a
  /// second.
  static let waitingEventCountMax: UInt64 = 1 << 20
  /// The most bytes of rows in memory, changed or only kept.
  static let byteCountMax = 128 << 20

  /// How many events are applied and not written.
  var waitingEventCount: UInt64 { progress.position.rawValue - written.position.rawValue }

  /// Whether rows have to be written before more events are applied.
  var isFull: Bool {
    waitingEventCount >= Self.waitingEventCountMax || byteCount >= Self.byteCountMax
  }

  private var byteCount: Int { balances.byteCount + timelines.byteCount }

  /// What changed since the last draft. What becomes of it is to be told by ``settle(wasWritten:)``
  /// before the next; events may be applied meanwhile.
  mutating func draft() -> Draft {
    let (latest, entries) = timelines.draft()
    var progress = progress
    progress.entryCount = timelines.entryCount
    drafted = progress
    return Draft(rows: balances.draft() + [latest], entries: entries, progress: progress)
  }

  /// Says what became of the draft; what was not written will be in the next.
  mutating func settle(wasWritten: Bool) {
    balances.settle(wasWritten: wasWritten)
    timelines.settle(wasWritten: wasWritten)
    if wasWritten, let drafted { written = drafted }
    drafted = nil
    if byteCount >= Self.byteCountMax { forgetWritten() }
  }

  /// Gives the memory of rows back where none waits to be written.
  mutating func forgetWritten() {
    balances.forgetWritten()
    timelines.forgetWritten()
  }

  /// Everything that changed up to a position: written whole, or not at all.
  struct Draft: Sendable {
    fileprivate var rows: [RowDraft]
    fileprivate var entries: RowDraft
    fileprivate var progress: Progress

    /// Writes the rows, with the position that they belong to.
    func write(_ environment: Environment) throws(StorageError) {
      try environment.write { transaction throws(StorageError) in
        for rows in rows { try rows.write(transaction) }
        try entries.append(transaction)
        try progress.write(transaction)
      }
    }
  }
}
