public import LedgerCore

/// Timelines: every event that touched a wallet, as chains through one append-only list of entries.
///
///     newest of a wallet ─▶ entry ─▶ previous entry of that wallet ─▶ … ─▶ 0
///
/// Invariant: entries are in the order of their events; those of one event in the order in which it
/// touches wallets, each wallet once. So what grows with events is only ever appended.
struct Timelines: ~Copyable, Sendable {
  /// The newest entries, from the start of a row on.
  private var tail: Entries
  /// Those before, while a draft has them.
  private var drafted: Entries?
  private var isTailLoaded = false
  private(set) var entryCount: UInt64

  /// Goes on after `entryCount` entries.
  init(entryCount: UInt64) {
    self.entryCount = entryCount
    tail = Entries(firstRow: entryCount / Layout.entriesPerRow)
  }

  /// Entries in rows, two words each, from the start of a row on.
  struct Entries: Sendable {
    var firstRow: UInt64
    var words: [UInt64] = []

    /// An entry, where it is one of these.
    subscript(entry: UInt64) -> (event: EventNumber, previous: UInt64)? {
      let base = firstRow * Layout.entriesPerRow
      guard entry > base, entry - base <= words.count / 2 else { return nil }
      let place = Int(entry - base - 1) * 2
      return (EventNumber(words[place]), words[place + 1])
    }

    /// Writes them, the last row filled up with zeros.
    func write(_ transaction: Transaction) throws(StorageError) {
      let known = UInt64(try transaction.count(Layout.timelines))
      let width = Layout.entryRowWordCount
      let full = words.count / width
      for index in 0..<full {
        let row = firstRow + UInt64(index)
        try transaction.put(
          Layout.timelines, row, words, index * width..<(index + 1) * width, isNewest: row >= known)
      }
      guard words.count > full * width else { return }
      let row = firstRow + UInt64(full)
      var last = Array(words[(full * width)...])
      last.append(contentsOf: repeatElement(0, count: width - last.count))
      try transaction.put(Layout.timelines, row, last, 0..<width, isNewest: row >= known)
    }
  }

  /// Bytes of what is in memory.
  var byteCount: Int { (tail.words.count + (drafted?.words.count ?? 0)) * 8 }

  /// Adds an entry: `event` touched `wallet`.
  mutating func add(
    _ event: EventNumber, to wallet: WalletNumber, _ wallets: inout WalletRows,
    _ transaction: Transaction
  ) throws(StorageError) {
    if !isTailLoaded { try loadTail(transaction) }
    let newest = try wallets.place(of: wallet, transaction) + WalletRows.Column.newest
    tail.words.append(event.rawValue)
    tail.words.append(wallets.rows[newest])
    entryCount += 1
    wallets.rows[newest] = entryCount
  }

  /// The row that the next entry belongs to may be half full.
  private mutating func loadTail(_ transaction: Transaction) throws(StorageError) {
    let count = Int(entryCount % Layout.entriesPerRow)
    if count > 0 {
      var words = [UInt64](repeating: 0, count: Layout.entryRowWordCount)
      let isThere = try transaction.row(
        Layout.timelines, tail.firstRow, into: &words, at: 0, count: Layout.entryRowWordCount)
      guard isThere else {
        throw .damaged("row \(tail.firstRow) of the projected timelines is missing")
      }
      tail.words.append(contentsOf: words[..<(count * 2)])
    }
    isTailLoaded = true
  }

  // MARK: - Writing

  /// The entries since the last draft, and those of the row that they begin in. What becomes of
  /// them is to be told by ``settle(wasWritten:)``.
  mutating func draft() -> Entries {
    precondition(drafted == nil)
    let full = tail.words.count / Layout.entryRowWordCount
    var next = Entries(firstRow: tail.firstRow + UInt64(full))
    next.words = Array(tail.words[(full * Layout.entryRowWordCount)...])
    let draft = tail
    drafted = draft
    tail = next
    return draft
  }

  /// Says what became of the draft.
  mutating func settle(wasWritten: Bool) {
    let settled = drafted
    drafted = nil
    if !wasWritten, var entries = settled {
      let rowCount = Int(tail.firstRow - entries.firstRow)
      entries.words.removeLast(entries.words.count - rowCount * Layout.entryRowWordCount)
      entries.words.append(contentsOf: tail.words)
      tail = entries
    }
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
  /// Where a page begins, and what of it is in memory.
  struct Beginning: Sendable {
    /// The numbers of its first events, newest first.
    var events: [EventNumber] = []
    /// The entry after those; 0 where the timeline ends there. It is written, unless the page is
    /// full.
    var next: UInt64 = 0
  }

  /// The part in memory of a page of up to `limit` events older than `before` that touched
  /// `wallet`, newest first.
  ///
  /// O(limit) and O(log events) where `before` is itself on the timeline, which every page's `next`
  /// is; otherwise the chain is walked from its newest entry.
  /// - `newest`: the newest entry of the wallet.
  /// - `touched`: the wallets of event `before`, where there is one.
  func beginning(
    of wallet: WalletNumber, newest: UInt64, before: EventNumber?, touched: Touched?, limit: Int,
    _ transaction: Transaction
  ) throws(StorageError) -> Beginning {
    var beginning = Beginning(next: newest)
    if let before {
      var reader = EntryReader()
      let place = try self.entry(
        of: wallet, at: before, touched: touched, &reader, from: beginning.next, transaction)
      if let place { beginning.next = try entry(place, &reader, transaction).previous }
    }
    while beginning.events.count < limit, let (event, previous) = recent(beginning.next) {
      try beginning.add(event, previous, before: before)
    }
    return beginning
  }

  /// The rest of a page, from entries that are written, which never change; and whether there are
  /// more. Takes as long as the walk is, so the follower is not to be kept waiting for it.
  static func page(
    _ beginning: Beginning, before: EventNumber?, limit: Int, _ transaction: Transaction
  ) throws(StorageError) -> (events: [EventNumber], hasMore: Bool) {
    var page = beginning
    var reader = EntryReader()
    while page.events.count < limit, page.next != 0 {
      let (event, previous) = try reader.entry(page.next, transaction)
      try page.add(event, previous, before: before)
    }
    return (page.events, page.next != 0)
  }

  /// An entry that is in memory.
  private func recent(_ entry: UInt64) -> (event: EventNumber, previous: UInt64)? {
    tail[entry] ?? drafted?[entry]
  }

  /// An entry, in memory or not.
  private func entry(
    _ number: UInt64, _ reader: inout EntryReader, _ transaction: Transaction
  ) throws(StorageError) -> (event: EventNumber, previous: UInt64) {
    if let entry = recent(number) { return entry }
    return try reader.entry(number, transaction)
  }

  /// The entry that `event` made on the timeline of `wallet`, or `nil` where it made none: the
  /// first entry of the event is found by bisection, and its wallets say which of its entries it
  /// is.
  private func entry(
    of wallet: WalletNumber, at event: EventNumber, touched: Touched?,
    _ reader: inout EntryReader, from newest: UInt64, _ transaction: Transaction
  ) throws(StorageError) -> UInt64? {
    guard let touched,
      let index = (0..<touched.count).first(where: { touched[$0] == wallet })
    else { return nil }
    var (low, high) = (UInt64(1), newest)
    while low < high {
      let middle = low + (high - low) / 2
      let isBefore = try entry(middle, &reader, transaction).event < event
      if isBefore { low = middle + 1 } else { high = middle }
    }
    let place = low + UInt64(index)
    guard place <= newest, try entry(place, &reader, transaction).event == event else { return nil }
    return place
  }
}

extension Timelines.Beginning {
  /// Goes one entry back.
  fileprivate mutating func add(
    _ event: EventNumber, _ previous: UInt64, before: EventNumber?
  ) throws(StorageError) {
    guard previous < next else { throw .damaged("entry \(next) of the projected timelines") }
    if before.map({ event < $0 }) ?? true { events.append(event) }
    next = previous
  }
}

/// Reads entries that are written, and keeps the row it read last.
private struct EntryReader {
  private var row = UInt64.max
  private var words = [UInt64](repeating: 0, count: Layout.entryRowWordCount)

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
