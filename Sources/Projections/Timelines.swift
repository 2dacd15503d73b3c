public import LedgerCore

/// Timelines: every event that touched a wallet, as chains through one append-only list of entries.
///
///     latest[wallet] ─▶ entry ─▶ previous entry of that wallet ─▶ … ─▶ 0
///
/// Invariant: entries are in the order of their events; those of one event in the order in which it
/// touches wallets, each wallet once. So what grows with events is only ever appended.
struct Timelines: ~Copyable {
  private var latest = RowCache(Layout.latest, rowWordCount: Layout.rowWordCount)
  /// Entries that are not written yet, from the start of the newest row on.
  private var tail: [UInt64] = []
  private var isTailLoaded = false
  private(set) var entryCount: UInt64

  /// Goes on after `entryCount` entries.
  init(entryCount: UInt64) { self.entryCount = entryCount }

  var byteCount: Int { latest.byteCount + tail.count * 8 }

  /// Adds an entry: `event` touched `wallet`.
  mutating func add(
    _ event: EventNumber, to wallet: WalletNumber, _ transaction: Transaction
  ) throws(StorageError) {
    if !isTailLoaded { try loadTail(transaction) }
    let (row, place) = Self.row(of: wallet)
    let newest = try latest.row(row, transaction) + place
    tail.append(event.rawValue)
    tail.append(latest[newest])
    entryCount += 1
    latest[newest] = entryCount
  }

  /// The row that the next entry belongs to may be half full.
  private mutating func loadTail(_ transaction: Transaction) throws(StorageError) {
    let (row, count) = entryCount.quotientAndRemainder(dividingBy: Layout.entriesPerRow)
    tail.removeAll(keepingCapacity: true)
    if count > 0 {
      tail.append(contentsOf: repeatElement(0, count: Layout.rowWordCount))
      let isThere = try transaction.row(
        Layout.timelines, row, into: &tail, at: 0, count: Layout.rowWordCount)
      guard isThere else { throw .damaged("row \(row) of the projected timelines is missing") }
      tail.removeLast(Layout.rowWordCount - Int(count) * 2)
    }
    isTailLoaded = true
  }

  mutating func flush(_ transaction: Transaction) throws(StorageError) {
    try latest.flush(transaction)
    guard isTailLoaded else { return }
    let rest = tail.count % Layout.rowWordCount
    if rest > 0 { tail.append(contentsOf: repeatElement(0, count: Layout.rowWordCount - rest)) }
    let rowCount = UInt64(tail.count / Layout.rowWordCount)
    let end = (entryCount + Layout.entriesPerRow - 1) / Layout.entriesPerRow
    let known = UInt64(try transaction.count(Layout.timelines))
    for row in end - rowCount..<end {
      let start = Int(row + rowCount - end) * Layout.rowWordCount
      try transaction.put(
        Layout.timelines, row, tail, start..<start + Layout.rowWordCount, isNewest: row >= known)
    }
    isTailLoaded = false
    tail.removeAll(keepingCapacity: tail.count <= 1 << 17)
  }

  /// Forgets what was not written; `entryCount` entries were.
  mutating func removeAll(entryCount: UInt64) {
    latest.removeAll()
    tail.removeAll()
    isTailLoaded = false
    self.entryCount = entryCount
  }

  fileprivate static func row(of wallet: WalletNumber) -> (key: UInt64, place: Int) {
    let (row, index) = (wallet.rawValue - 1).quotientAndRemainder(dividingBy: Layout.latestPerRow)
    return (row, Int(index))
  }
}

// MARK: - Which wallets an event touches

/// The wallets that one event touches, each once, in the order of its postings.
struct Touched {
  private var numbers = InlineArray<17, UInt64>(repeating: 0)
  private(set) var count = 0

  /// A payment's payer and payee, the wallet funded, the wallet opened.
  init(_ event: borrowing Event, _ postings: borrowing Postings) {
    if let (wallet, _) = event.openedWallet { add(wallet) }
    for index in 0..<postings.count {
      let posting = postings[index]
      add(posting.debit)
      add(posting.credit)
    }
  }

  subscript(index: Int) -> WalletNumber {
    precondition(index < count)
    return WalletNumber(numbers[index])
  }

  private mutating func add(_ account: Account) {
    switch account {
    case .walletAvailable(let wallet): add(wallet)
    case .faucet, .external, .feeIncome: break
    }
  }

  private mutating func add(_ wallet: WalletNumber) {
    for index in 0..<count where numbers[index] == wallet.rawValue { return }
    numbers[count] = wallet.rawValue
    count += 1
  }
}

extension Event {
  /// The wallet that begins with this event, and what it will hold.
  var openedWallet: (WalletNumber, AssetNumber)? {
    switch self {
    case .wallet(.opened(let wallet, _, let asset)): (wallet, asset)
    case .wallet, .identity, .genesis, .refusal, .payment, .fee: nil
    }
  }
}

// MARK: - Reading

/// Part of a wallet's timeline, newest event first.
public struct TimelinePage: Hashable, Sendable {
  /// The events, newest first.
  public var events: [Recorded]
  /// Pass as `before` to get the page after this one; `nil` where the timeline ends here.
  public var next: EventNumber?
}

extension Timelines {
  /// The numbers of up to `limit` events that touched `wallet`, newest first and older than
  /// `before`, and whether there are more.
  ///
  /// O(limit) and O(log events) where `before` is itself on the timeline, which every page's `next`
  /// is; otherwise the chain is walked from its newest entry.
  /// - `touched`: the wallets of event `before`, where there is one.
  static func page(
    of wallet: WalletNumber, before: EventNumber?, touched: Touched?, limit: Int,
    _ transaction: Transaction
  ) throws(StorageError) -> (events: [EventNumber], hasMore: Bool) {
    guard wallet.isSome else { return ([], false) }
    var reader = EntryReader()
    var entry = try newest(of: wallet, transaction)
    if let before {
      let place = try self.entry(
        of: wallet, at: before, touched: touched, &reader, from: entry, transaction)
      if let place { entry = try reader.entry(place, transaction).previous }
    }
    var events: [EventNumber] = []
    while entry != 0 {
      let (event, previous) = try reader.entry(entry, transaction)
      guard previous < entry else { throw .damaged("entry \(entry) of the projected timelines") }
      if before.map({ event < $0 }) ?? true {
        guard events.count < limit else { return (events, true) }
        events.append(event)
      }
      entry = previous
    }
    return (events, false)
  }

  private static func newest(
    of wallet: WalletNumber, _ transaction: Transaction
  ) throws(StorageError) -> UInt64 {
    var words = [UInt64](repeating: 0, count: Layout.rowWordCount)
    let (row, place) = row(of: wallet)
    _ = try transaction.row(Layout.latest, row, into: &words, at: 0, count: words.count)
    return words[place]
  }

  /// The entry that `event` made on the timeline of `wallet`, or `nil` where it made none: the
  /// first entry of the event is found by bisection, and its wallets say which of its entries it
  /// is.
  private static func entry(
    of wallet: WalletNumber, at event: EventNumber, touched: Touched?,
    _ reader: inout EntryReader, from newest: UInt64, _ transaction: Transaction
  ) throws(StorageError) -> UInt64? {
    guard let touched,
      let index = (0..<touched.count).first(where: { touched[$0] == wallet })
    else { return nil }
    var (low, high) = (UInt64(1), newest)
    while low < high {
      let middle = low + (high - low) / 2
      let isBefore = try reader.entry(middle, transaction).event < event
      if isBefore { low = middle + 1 } else { high = middle }
    }
    let place = low + UInt64(index)
    guard place <= newest, try reader.entry(place, transaction).event == event else { return nil }
    return place
  }
}

/// Reads entries, and keeps the row it read last.
private struct EntryReader {
  private var row = UInt64.max
  private var words = [UInt64](repeating: 0, count: Layout.rowWordCount)

  mutating func entry(
    _ number: UInt64, _ transaction: Transaction
  ) throws(StorageError) -> (event: EventNumber, previous: UInt64) {
    let (row, index) = (number - 1).quotientAndRemainder(dividingBy: Layout.entriesPerRow)
    if row != self.row {
      let isThere = try transaction.row(
        Layout.timelines, row, into: &words, at: 0, count: words.count)
      guard isThere else { throw .damaged("row \(row) of the projected timelines is missing") }
      self.row = row
    }
    return (EventNumber(words[Int(index) * 2]), words[Int(index) * 2 + 1])
  }
}
