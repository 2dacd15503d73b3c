public import LedgerCore

/// Timelines: every event that touched a wallet, or is about an earlier event, as chains through
/// one append-only list of entries.
///
///     newest of a timeline ─▶ entry ─▶ previous entry of that timeline ─▶ … ─▶ 0
///
/// Invariant: entries are in the order of their events; those of one event in the order of
/// ``Touched``, each timeline once. So what grows with events is only ever appended.
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

  /// Adds an entry behind `previous`, the newest of its timeline so far; answers its number.
  mutating func add(
    _ event: EventNumber, after previous: UInt64, _ transaction: Transaction
  ) throws(StorageError) -> UInt64 {
    if !isTailLoaded { try loadTail(transaction) }
    tail.words.append(event.rawValue)
    tail.words.append(previous)
    entryCount += 1
    return entryCount
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

// MARK: - Which timelines an event is on

/// Whose timeline it is.
public enum TimelineOwner: Hashable, Sendable {
  /// A wallet: every event that touched it.
  case wallet(WalletNumber)
  /// An event: every later one about it, such as the refunds of a payment and the captures of a
  /// reservation.
  case event(EventNumber)
}

/// The wallets that one event touches, each once: the one that it opens or changes, then those of
/// its postings in their order; and the earlier event that it is about, if there is one.
struct Touched {
  /// The event that it is about.
  let subject: EventNumber?
  private var numbers = InlineArray<34, UInt64>(repeating: 0)
  private(set) var count = 0

  /// Of an event with its postings.
  init(_ event: borrowing Event, body: Span<UInt8>, _ postings: borrowing Postings) {
    subject = event.subject
    if let (wallet, _) = event.openedWallet { add(wallet) }
    if let wallet = event.changedWallet { add(wallet) }
    // Whoever is disputed, also where nothing was there to be held.
    if event.listsParties {
      for claim in Disputes.Claim.all(body) {
        if case .wallet(let wallet) = claim.payee { add(wallet) }
      }
    }
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

  /// The place among the event's entries of the one that `owner` has.
  func index(of owner: TimelineOwner) -> Int? {
    switch owner {
    case .wallet(let wallet): (0..<count).first { self[$0] == wallet }
    case .event(let event): subject == event ? count : nil
    }
  }

  private mutating func add(_ account: Account) {
    switch account {
    case .walletAvailable(let wallet), .walletHeld(let wallet): add(wallet)
    case .faucet, .external, .feeIncome, .suspense, .dust, .disputeHold, .receivable, .badDebt:
      break
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
    case .wallet, .identity, .genesis, .refusal, .payment, .fee, .reservation, .refund, .pause,
      .dispute, .receivable, .policy:
      nil
    }
  }

  /// A wallet that it changes although nothing need move there. Not the payee of a hold: anybody
  /// can make holds for him at no cost, and they would bury what he looks for.
  var changedWallet: WalletNumber? {
    switch self {
    case .wallet(.frozen(let wallet)), .wallet(.unfrozen(let wallet)),
      .wallet(.closed(let wallet, _, _, _)), .wallet(.reopened(let wallet, _, _, _)):
      wallet
    case .dispute(.opened(let opening)): opening.payer
    case .policy(.set(let setting)):
      if case .wallet(let wallet) = setting.scope { wallet } else { nil }
    case .policy(.denied(let denial)): denial.payer
    case .wallet(.opened), .wallet(.funded), .wallet(.assetAdded), .wallet(.setAside), .identity,
      .genesis, .refusal, .payment, .fee, .reservation, .refund, .pause, .dispute, .receivable,
      .policy:
      nil
    }
  }

  /// Whether its body lists the wallets it concerns, also where nothing moves there.
  var listsParties: Bool {
    if case .dispute(.opened) = self { true } else { false }
  }

  /// The earlier event that it is about.
  var subject: EventNumber? {
    switch self {
    case .reservation(.captured(let capture)): capture.reservation
    case .reservation(.released(let end)), .reservation(.expired(let end, _)): end.reservation
    case .refund(.completed(let refund)): refund.payment
    case .dispute(.opened(let opening)): opening.payment
    case .dispute(.evidenceSubmitted(let dispute, _, _)), .dispute(.reviewed(let dispute, _)):
      dispute
    case .dispute(.withdrawn(let end)), .dispute(.denied(let end)), .dispute(.refunded(let end)):
      end.dispute
    case .receivable(.writeOffAsked(let writeOff)), .receivable(.writtenOff(let writeOff)):
      writeOff.dispute
    case .policy(.counted(let use)): use.payment
    // A netting is not: whoever pays a debtor makes one, and they would bury a dispute's steps.
    case .reservation(.reserved), .wallet, .identity, .genesis, .refusal, .payment, .fee, .pause,
      .receivable, .policy:
      nil
    }
  }
}

// MARK: - Reading

/// Part of a timeline, newest event first.
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

  /// The part in memory of a page of up to `limit` events of a timeline older than `before`, newest
  /// first.
  ///
  /// O(limit) and O(log events) where `before` is itself on the timeline, which every page's `next`
  /// is; otherwise the chain is walked from its newest entry.
  /// - `newest`: the newest entry of the timeline.
  /// - `index`: the place of its entry among those of event `before`, where it has one.
  func beginning(
    newest: UInt64, before: EventNumber?, index: Int?, limit: Int, _ transaction: Transaction
  ) throws(StorageError) -> Beginning {
    var beginning = Beginning(next: newest)
    if let before, let index {
      var reader = EntryReader()
      let place = try self.entry(
        index, of: before, &reader, from: beginning.next, transaction)
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

  /// The entry at place `index` among those of `event`, or `nil` where it has none: its first is
  /// found by bisection.
  private func entry(
    _ index: Int, of event: EventNumber, _ reader: inout EntryReader, from newest: UInt64,
    _ transaction: Transaction
  ) throws(StorageError) -> UInt64? {
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
