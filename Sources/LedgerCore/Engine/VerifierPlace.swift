/// Where a check of a log stands, in a file, so that one that was interrupted can go on.
///
/// Life of a place: kept when a minute went by, or when the check is stopped ──▶ replaced by the
/// next ──▶ gone with the check that came to its end
///
/// The file is as a snapshot: the refolded state, and behind it what the check computed apart from
/// that. Its hash covers both, and its tree must be the log's at that event. What is damaged, of
/// another ledger, of a log that changed or of another version of the check is passed over.
final class VerifierPlace {
  /// Raised when a check looks at more than before, or keeps something else.
  static let layout: UInt64 = 2

  private let path: String
  private let housekeeping: Housekeeping
  private let interval: Duration
  private var due: ContinuousClock.Instant
  /// When the check began: this one, or the one that it goes on with.
  private var began = Timestamp(nanoseconds: SystemClock.wall())
  /// The event up to which one that resumes need not look again.
  private var last = EventNumber.none

  /// - `interval`: how long to check before the place is kept. Writing it may take a twentieth of
  ///   the time, whatever the interval.
  init(_ path: String, _ housekeeping: Housekeeping, interval: Duration = .seconds(60)) {
    self.path = path
    self.housekeeping = housekeeping
    self.interval = interval
    due = .now + interval
  }

  // MARK: - Keeping

  /// Keeps the place where that is due.
  func keepIfDue(_ verifier: borrowing Verifier) {
    if ContinuousClock.now >= due { _ = keep(verifier) }
  }

  /// Keeps the place, if nothing was found before it; answers which one is kept now.
  func keep(_ verifier: borrowing Verifier) -> EventNumber {
    let isNew = verifier.position.next.rawValue > last.rawValue + 1
    guard isNew, verifier.report.findings.isEmpty else { return last }
    let start = ContinuousClock.now
    do throws(StorageError) {
      guard !housekeeping.isStorageShort else { throw .refused("the disk is nearly full") }
      let head = EventLog.Head(
        last: EventNumber(verifier.position.next.rawValue - 1), time: verifier.position.time,
        tree: verifier.tree.storedPeaks)
      _ = try SnapshotFile.create(
        path, of: housekeeping.snapshots.ledger, verifier.ledger, at: head,
        words: verifier.words(began: began, ended: Timestamp(nanoseconds: SystemClock.wall())),
        pause: { _ in })
      last = head.last
      due = .now + max(interval, start.duration(to: .now) * 20)
    } catch {
      housekeeping.snapshots.warn("the place of the check is not kept: \(error)")
      // One warning an hour is enough.
      due = .now + .seconds(3_600)
    }
    return last
  }

  /// Removes what was kept.
  func remove() {
    do throws(StorageError) {
      for path in [path, path + ".partial"] { try File.remove(path) }
    } catch {
      housekeeping.snapshots.warn("the place of an earlier check is still there: \(error)")
    }
  }

  // MARK: - Going on

  /// A check of the log up to event `head` that goes on at the place that was kept; `nil` where
  /// there is none to go on at.
  func resume(_ log: EventLog, _ head: EventNumber, _ runs: [KeyRun]) -> Verifier? {
    guard File.exists(path) else { return nil }
    do throws(StorageError) {
      let snapshots = housekeeping.snapshots
      let loaded = try LoadedState(path, of: snapshots.ledger, log, upTo: head, hasWords: true)
      guard loaded.head.last <= head else {
        throw .refused("the log ends at event \(head), before it")
      }
      let verifier = try Verifier(resuming: loaded, log, head: head, runs, snapshots)
      guard let earlier = verifier.report.earlier else { return nil }
      (began, last) = (earlier.began, earlier.last)
      return verifier
    } catch {
      housekeeping.snapshots.warn("\(path) is passed over, all is checked: \(error)")
      return nil
    }
  }
}

// MARK: - What is kept beside the state

extension Verifier {
  /// What it holds apart from the state, in words, an even number of them:
  ///
  ///     layout, blocks, snapshots, texts, began, ended, sum over all keys,
  ///     how many ends of runs, how many accounts, how many wallets with the place of none;
  ///     of each end of a run its event and the sum;
  ///     of each account kind (8 bits) and number, asset, balance 2;
  ///     of each wallet the balance 2
  ///
  /// Balances are in ledger units, the lower word first.
  fileprivate borrowing func words(began: Timestamp, ended: Timestamp) -> [UInt64] {
    var words = [
      VerifierPlace.layout, UInt64(report.blockCount), UInt64(report.snapshotCount),
      UInt64(report.textCount), began.nanoseconds, ended.nanoseconds, keySum,
      UInt64(runEnds.count), UInt64(others.count), UInt64(wallets.count),
    ]
    words.reserveCapacity(words.count + runEnds.count * 2 + others.count * 4 + wallets.count * 2)
    func put(_ balance: Int128) {
      words.append(UInt64(truncatingIfNeeded: balance))
      words.append(UInt64(truncatingIfNeeded: balance >> 64))
    }
    for end in runEnds { words += [end.last, end.keySum] }
    for (place, balance) in others {
      words += [place.account.word, place.asset.rawValue]
      put(balance)
    }
    for balance in wallets { put(balance) }
    return words
  }

  /// Goes on where another stood, in a log of which more may be there by now.
  fileprivate init(
    resuming loaded: consuming LoadedState, _ log: EventLog, head: EventNumber, _ runs: [KeyRun],
    _ snapshots: Snapshots
  ) throws(StorageError) {
    self.init(head: head, runs, snapshots)
    var reader = WordReader(words: loaded.words)
    guard try reader.take() == VerifierPlace.layout else {
      throw .refused("it is of another version of the check")
    }
    let last = loaded.head.last
    report.eventCount = Int(last.rawValue)
    report.blockCount = try reader.count()
    report.snapshotCount = try reader.count()
    report.textCount = try reader.count()
    report.root = loaded.position.root
    report.earlier = Verification.Earlier(
      last: last, began: Timestamp(nanoseconds: try reader.take()),
      ended: Timestamp(nanoseconds: try reader.take()))
    let keySum = try reader.take()
    let (endCount, otherCount) = (try reader.count(), try reader.count())
    let walletCount = try reader.count()
    var ends: [RunEnd] = []
    for _ in 0..<endCount {
      ends.append(RunEnd(last: try reader.take(), keySum: try reader.take()))
    }
    for _ in 0..<otherCount {
      let account = try Account(word: try reader.take())
      let place = Place(account: account, asset: AssetNumber(try reader.take()))
      others[place] = try reader.balance()
    }
    wallets = []
    for _ in 0..<walletCount { wallets.append(try reader.balance()) }
    try reader.finish()
    tree = try MerkleTree(size: last.rawValue, peaks: loaded.head.peaks)
    position = loaded.position
    ledger = loaded.ledger
    recent = Fingerprints(undo: ledger.undo)
    snapshotsToCome.removeAll { $0 <= last }
    try resumeKeys(log, ends, keySum)
  }

  /// Goes on with the keys of the events before `position`. Their runs may have been merged since,
  /// and those that were in none are read from the log again: a run's worth at most.
  private mutating func resumeKeys(
    _ log: EventLog, _ ends: [RunEnd], _ sum: UInt64
  ) throws(StorageError) {
    let known = ends.last ?? RunEnd(last: 0, keySum: 0)
    while let run = runsToCome.first, run.head.last.rawValue <= known.last {
      guard let end = ends.first(where: { $0.last == run.head.last.rawValue }) else {
        throw .refused("the index of old keys was made anew since")
      }
      runsToCome.removeFirst()
      keySum = end.keySum
      check(run)
    }
    if let run = runsToCome.first, run.head.last >= position.next {
      keySum = sum
      return
    }
    keySum = known.keySum
    let end = position.next
    try Replay.keys(log, from: EventNumber(known.last + 1), before: end, into: &self)
    guard keySum == sum else { throw .damaged("the keys of the log are others by now") }
  }
}

/// Takes words off one after the other; refuses to read past the end.
private struct WordReader {
  let words: [UInt64]
  private var next = 0

  init(words: [UInt64]) { self.words = words }

  mutating func take() throws(StorageError) -> UInt64 {
    guard next < words.count else { throw .damaged("a record ends too early") }
    next += 1
    return words[next - 1]
  }

  mutating func count() throws(StorageError) -> Int {
    guard let count = Int(exactly: try take()) else { throw .damaged("a count is out of range") }
    return count
  }

  mutating func balance() throws(StorageError) -> Int128 {
    let low = try take()
    return Int128(truncatingIfNeeded: UInt128(try take()) << 64 | UInt128(low))
  }

  func finish() throws(StorageError) {
    guard next == words.count else { throw .damaged("a record is longer than its fields") }
  }
}

extension Account {
  /// Kind in the highest byte, number below.
  fileprivate var word: UInt64 {
    switch self {
    case .faucet: 0
    case .walletAvailable(let wallet): 1 << 56 | wallet.rawValue
    case .external(let payee): 2 << 56 | payee.rawValue
    case .feeIncome(let rail): 3 << 56 | UInt64(rail.rawValue)
    case .walletHeld(let wallet): 4 << 56 | wallet.rawValue
    case .suspense(let agent): 5 << 56 | agent.rawValue
    case .dust: 6 << 56
    case .disputeHold(let dispute): 7 << 56 | dispute.rawValue
    case .receivable(let dispute): 8 << 56 | dispute.rawValue
    case .badDebt: 9 << 56
    }
  }

  fileprivate init(word: UInt64) throws(StorageError) {
    let number = word & (1 << 56 - 1)
    switch (word >> 56, Rail(rawValue: UInt8(truncatingIfNeeded: number))) {
    case (0, _): self = .faucet
    case (1, _): self = .walletAvailable(WalletNumber(number))
    case (2, _): self = .external(PayeeNumber(number))
    case (3, let rail?): self = .feeIncome(rail)
    case (4, _): self = .walletHeld(WalletNumber(number))
    case (5, _): self = .suspense(AgentNumber(number))
    case (6, _): self = .dust
    case (7, _): self = .disputeHold(EventNumber(number))
    case (8, _): self = .receivable(EventNumber(number))
    case (9, _): self = .badDebt
    default: throw .damaged("no account has the word \(word)")
    }
  }
}
