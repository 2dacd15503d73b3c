import LedgerCore

/// Applies events to rows: the pure part. The same events give the same rows, written as often as
/// one likes.
///
/// Life of an event: ``apply(_:_:_:)``, and it is in the answers ─▶ with many others in a
/// draft ─▶ written in one transaction with the position that belongs to it. So what LMDB
/// has is always all of the events up to a position, and those after it are read from the log again
/// after a restart: the log is the journal of the rows in memory.
struct Fold: ~Copyable, Sendable {
  /// What is applied, and what of it is written.
  private(set) var progress: Progress
  private(set) var written: Progress
  private var wallets = WalletRows()
  private var balances = Balances()
  /// The newest entry about each event.
  private var subjects = RowCache(
    Layout.subjects, rowWordCount: Int(Layout.subjectsPerRow))
  private var timelines: Timelines
  private var postings = Postings()
  private var draft: Draft?
  /// Whether an event is half in the rows, because it did not fit: nothing can be said any more.
  private(set) var isSpoilt = false

  /// Goes on after what is written.
  init(_ written: Progress) {
    progress = written
    self.written = written
    timelines = Timelines(entryCount: written.entryCount)
  }

  /// Applies the next event. After an error the fold is spoilt.
  mutating func apply(
    _ number: EventNumber, _ event: borrowing Event, body: Span<UInt8>, _ transaction: Transaction
  ) throws(StorageError) {
    guard number.rawValue == progress.position.rawValue + 1 else {
      throw .damaged("event \(number) follows \(progress.position) in the projections")
    }
    isSpoilt = true
    if let (wallet, asset) = event.openedWallet {
      try Balances.open(wallet, in: asset, &wallets, transaction)
    }
    postings.removeAll()
    event.postings(body: body, into: &postings)
    for index in 0..<postings.count {
      try balances.post(postings[index], &wallets, transaction)
    }
    let touched = Touched(event, body: body, postings)
    for index in 0..<touched.count {
      let place = try wallets.place(of: touched[index], transaction) + WalletRows.Column.newest
      wallets.rows[place] = try timelines.add(number, after: wallets.rows[place], transaction)
    }
    if let subject = touched.subject {
      let (key, index) = subject.rawValue.quotientAndRemainder(dividingBy: Layout.subjectsPerRow)
      let place = try subjects.row(key, transaction) + Int(index)
      subjects[place] = try timelines.add(number, after: subjects[place], transaction)
    }
    progress.position = number
    progress.entryCount = timelines.entryCount
    isSpoilt = false
  }
}

// MARK: - Applying

extension Fold {
  /// The most events applied at a time: who looks at the fold meanwhile waits that long, a few
  /// milliseconds where their rows are in memory.
  static let sliceEventCountMax: UInt64 = 8_192

  /// Applies events up to `last`, at most ``sliceEventCountMax``. After an error those before the
  /// one at fault are applied.
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
      ) { header, event, body throws(StorageError) in
        try apply(header.number, event, body: body, transaction)
        progress.time = header.time
        return true
      }
    }
    guard progress.position == end else {
      throw .damaged("the log ends at event \(progress.position), and should have \(end)")
    }
  }
}

// MARK: - Writing

extension Fold {
  /// The most events that wait to be written: after a kill, so many are applied again, in about two
  /// seconds.
  static let waitingEventCountMax: UInt64 = 1 << 21
  /// The most bytes of rows in memory, changed or only kept. What finds them, and the copies in a
  /// draft, come to as much again at most, and for rows of accounts to four times as much.
  static let byteCountMax = 128 << 20

  /// How many events are applied and not written.
  var waitingEventCount: UInt64 { progress.position.rawValue - written.position.rawValue }

  /// Whether rows have to be written before more events are applied.
  var isFull: Bool {
    waitingEventCount >= Self.waitingEventCountMax || byteCount >= Self.byteCountMax
  }

  /// Whether it is time to write rows, lest it become full.
  var isAlmostFull: Bool {
    waitingEventCount >= Self.waitingEventCountMax / 2 || byteCount >= Self.byteCountMax / 4 * 3
  }

  private var byteCount: Int {
    wallets.rows.byteCount + balances.accounts.byteCount + subjects.byteCount
      + timelines.byteCount
  }

  /// The most rows copied into a draft at a time, 4 MB: some milliseconds.
  static let sliceRowCountMax = 2_048

  /// Begins a draft of what changed since the last. What becomes of it is to be told by
  /// ``settle(wasWritten:)`` before the next. Events may be applied meanwhile, and are not in it.
  mutating func beginDraft() {
    draft = Draft(entries: timelines.draft(), progress: progress)
    wallets.rows.beginDraft()
    balances.accounts.beginDraft()
    subjects.beginDraft()
  }

  /// Copies up to `rowCount` more rows; the draft once it is complete.
  mutating func continueDraft(rowCount: Int = sliceRowCountMax) -> Draft? {
    precondition(draft != nil)
    if draft?.wallets == nil {
      draft?.wallets = wallets.rows.continueDraft(rowCount: rowCount)
      return nil
    }
    if draft?.accounts == nil {
      draft?.accounts = balances.accounts.continueDraft(rowCount: rowCount)
      return nil
    }
    if draft?.subjects == nil {
      draft?.subjects = subjects.continueDraft(rowCount: rowCount)
      return nil
    }
    return draft
  }

  /// Begins a draft, completes it, and has `write` write it.
  mutating func write(_ environment: Environment) throws(StorageError) {
    beginDraft()
    while true {
      guard let draft = continueDraft() else { continue }
      do throws(StorageError) {
        try draft.write(environment)
      } catch {
        settle(wasWritten: false)
        throw error
      }
      return settle(wasWritten: true)
    }
  }

  /// Says what became of the draft; what was not written will be in the next.
  mutating func settle(wasWritten: Bool) {
    if wasWritten, let draft { written = draft.progress }
    draft = nil
    wallets.rows.settle(wasWritten: wasWritten)
    balances.accounts.settle(wasWritten: wasWritten)
    subjects.settle(wasWritten: wasWritten)
    timelines.settle(wasWritten: wasWritten)
    if byteCount >= Self.byteCountMax { forgetWritten() }
  }

  /// Gives the memory of rows back where none waits to be written.
  mutating func forgetWritten() {
    wallets.rows.forgetWritten()
    balances.accounts.forgetWritten()
    subjects.forgetWritten()
  }

  /// Everything that changed up to a position: written whole, or not at all.
  struct Draft: Sendable {
    fileprivate var wallets: RowDraft?
    fileprivate var accounts: RowDraft?
    fileprivate var subjects: RowDraft?
    fileprivate var entries: Timelines.Entries
    fileprivate var progress: Progress

    /// Writes the rows, with the position that they belong to.
    func write(_ environment: Environment) throws(StorageError) {
      try environment.write { transaction throws(StorageError) in
        try wallets?.write(transaction)
        try accounts?.write(transaction)
        try subjects?.write(transaction)
        try entries.write(transaction)
        try progress.write(transaction)
      }
    }
  }
}

// MARK: - Looking

extension Fold {
  /// A wallet's balance, or `nil`.
  func balance(
    of wallet: WalletNumber, _ transaction: Transaction
  ) throws(StorageError) -> WalletBalance? {
    WalletBalance(wallet, try wallets.copy(wallet, transaction))
  }

  /// An account's balance on its normal side, zero where nothing was ever posted to it.
  func balance(
    of account: Account, in asset: AssetNumber, _ transaction: Transaction
  ) throws(StorageError) -> Amount {
    switch account {
    case .walletAvailable(let wallet), .walletHeld(let wallet):
      guard let balance = try balance(of: wallet, transaction), balance.asset == asset else {
        return .zero
      }
      if case .walletHeld = account { return balance.held }
      return balance.available
    case .faucet, .external, .feeIncome, .suspense, .dust, .disputeHold, .receivable, .badDebt:
      return try balances.balance(of: account, in: asset, transaction)
    }
  }

  /// See ``Timelines/beginning(newest:before:index:limit:_:)``.
  func timeline(
    of owner: TimelineOwner, before: EventNumber?, index: Int?, limit: Int,
    _ transaction: Transaction
  ) throws(StorageError) -> Timelines.Beginning {
    let newest: UInt64
    switch owner {
    case .wallet(let wallet):
      let words = try wallets.copy(wallet, transaction)
      newest = words[words.startIndex + WalletRows.Column.newest]
    case .event(let event):
      let (key, index) = event.rawValue.quotientAndRemainder(dividingBy: Layout.subjectsPerRow)
      newest = try subjects.copy(key, transaction)[Int(index)]
    }
    return try timelines.beginning(
      newest: newest, before: before, index: index, limit: limit, transaction)
  }
}
