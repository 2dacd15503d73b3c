import LedgerCore

/// Applies events to rows: the pure part. The same events give the same rows, in batches of any
/// size.
///
/// Life of a batch: ``apply(_:_:_:)`` for each event ─▶ ``flush(_:)``, all in one transaction, so
/// that rows and position never differ. After an error, ``start(at:)``.
struct Fold: ~Copyable {
  private(set) var progress: Progress
  private var balances = Balances()
  private var timelines: Timelines
  private var postings = Postings()

  init(_ progress: Progress) {
    self.progress = progress
    timelines = Timelines(entryCount: progress.entryCount)
  }

  /// Bytes of the rows that wait to be written.
  var byteCount: Int {
    balances.wallets.byteCount + balances.accounts.byteCount + timelines.byteCount
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

  /// Writes what changed, with the position it belongs to.
  mutating func flush(_ transaction: Transaction) throws(StorageError) {
    try balances.flush(transaction)
    try timelines.flush(transaction)
    progress.entryCount = timelines.entryCount
    try progress.write(transaction)
  }

  /// Forgets what was not committed; `progress` is.
  mutating func start(at progress: Progress) {
    self.progress = progress
    balances.removeAll()
    timelines.removeAll(entryCount: progress.entryCount)
  }
}

extension Fold {
  /// The most events of one transaction. One that waits for a reader is much smaller; one that
  /// catches up is large, because rows that many of its events touch are then written once.
  static let eventCountMax: UInt64 = 131_072
  /// The most bytes of rows that one transaction changes before it is committed early.
  static let byteCountMax = 64 << 20
  /// Batches of the log that are walked in one of its read transactions.
  private static let blockCountMax = 8

  /// Applies events up to `last` as one batch, and answers how far it came: all the way, unless the
  /// batch is full before.
  mutating func advance(
    _ environment: Environment, _ tape: Tape, through last: EventNumber
  ) throws(StorageError) -> EventNumber {
    let before = progress
    let end = min(last, EventNumber(before.position.rawValue + Self.eventCountMax))
    guard end > before.position else { return before.position }
    do throws(StorageError) {
      try environment.write { transaction throws(StorageError) in
        while progress.position < end, byteCount < Self.byteCountMax {
          let from = progress.position
          try tape.walk(
            from: EventNumber(from.rawValue + 1), through: end, blockCountMax: Self.blockCountMax
          ) { header, event throws(StorageError) in
            try apply(header.number, event, transaction)
            progress.time = header.time
            return true
          }
          guard progress.position > from else {
            throw .damaged("the log ends at event \(from), and should have \(end)")
          }
        }
        try flush(transaction)
      }
    } catch {
      start(at: before)
      throw error
    }
    return progress.position
  }
}
