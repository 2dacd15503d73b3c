import LedgerCore

typealias Database = Environment.Database
typealias Transaction = Environment.Transaction

/// The databases of the projections' environment. Rows are of 64-bit words (``RowCache``); equal
/// logs give equal rows, whatever the batches and restarts on the way were.
///
/// | name | key | row |
/// |---|---|---|
/// | `wallets` | (wallet - 1) / 31 | 31 times 8 words, ``WalletRows/Column`` |
/// | `accounts` | kind, asset and number of a system account | its balance, 2 words |
/// | `subjects` | event / 64 | 64 words: the newest entry about each event, or 0 |
/// | `timelines` | (entry - 1) / 126 | 126 times 2 words: event, previous entry of its timeline |
/// | `meta` | 0 | format, ledger id 2, position, number of entries, time of that event |
///
/// Wallets have dense numbers, so a row holds many of them: two rows of about 2,000 bytes fill a
/// page of LMDB's, and those that change together are written once.
enum Layout {
  static let wallets = Database(index: 0)
  static let accounts = Database(index: 1)
  static let timelines = Database(index: 2)
  static let meta = Database(index: 3)
  static let subjects = Database(index: 4)
  static let names = ["wallets", "accounts", "timelines", "meta", "subjects"]

  /// Raised whenever rows change their meaning; older ones are then rebuilt.
  static let format: UInt64 = 4

  static let walletsPerRow: UInt64 = 31
  static let walletRowWordCount = Int(walletsPerRow) * WalletRows.Column.count
  static let subjectsPerRow: UInt64 = 64
  static let entriesPerRow: UInt64 = 126
  static let entryRowWordCount = Int(entriesPerRow) * 2
  static let accountWordCount = 2
  static let metaWordCount = 6
}

/// How far the rows are: the one row of `meta`, written in the transaction of the rows themselves.
struct Progress: Equatable {
  /// Whose events these are.
  var ledger: UInt128
  /// The newest event in the rows.
  var position: EventNumber
  /// How many entries the timelines have.
  var entryCount: UInt64
  /// When that event was recorded: a log that was restored and went on otherwise has another event
  /// of this number.
  var time: Timestamp

  init(ledger: UInt128) {
    self.ledger = ledger
    position = .none
    entryCount = 0
    time = .none
  }

  /// Reads the row; `nil` where there is none or one of another format.
  init?(_ transaction: Transaction) throws(StorageError) {
    var words = [UInt64](repeating: 0, count: Layout.metaWordCount)
    let isThere = try transaction.row(
      Layout.meta, 0, into: &words, at: 0, count: Layout.metaWordCount)
    guard isThere, words[0] == Layout.format else { return nil }
    ledger = UInt128(words[2]) << 64 | UInt128(words[1])
    position = EventNumber(words[3])
    entryCount = words[4]
    time = Timestamp(nanoseconds: words[5])
  }

  func write(_ transaction: Transaction) throws(StorageError) {
    let words = [
      Layout.format, UInt64(truncatingIfNeeded: ledger), UInt64(truncatingIfNeeded: ledger >> 64),
      position.rawValue, entryCount, time.nanoseconds,
    ]
    try transaction.put(Layout.meta, 0, words, 0..<words.count)
  }
}
