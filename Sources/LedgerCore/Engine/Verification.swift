/// What a full check of a ledger found: every frame rehashed, every state refolded, every invariant
/// looked at after every event (`reliability.md` 4).
public struct Verification: Sendable {
  /// Events checked.
  public var eventCount = 0
  /// Blocks checked.
  public var blockCount = 0
  /// Snapshots read through and compared with the state at their event.
  public var snapshotCount = 0
  /// Sealed texts opened and compared with their commitments.
  public var textCount = 0
  /// The tree's root over all events.
  public var root = Digest32.none
  /// SHA-256 over the refolded state. Equal logs give equal states.
  public var state = Digest32.none
  /// What is wrong, first things first; empty where nothing is.
  public var findings: [String] = []
}

extension Engine {
  /// Checks the whole log against itself and against the live state.
  ///
  /// Rehashes every frame and compares each block's root and every stored subtree; opens every
  /// text; refolds the state and compares it with the live one, byte for byte, and with balances
  /// computed from the postings alone; after every event, that no account of the sign rules is
  /// negative and that debits equal credits. Stops at the first damaged block, because nothing
  /// after it can be told. `progress` gets the number of events checked so far.
  /// - Complexity: O(events); memory as much again as the state.
  public func verify(
    progress: (Int) -> Void = { _ in }
  ) throws(LedgerFailure) -> Verification {
    let (head, live) = try stateDigest()
    return try withLog { log throws(StorageError) in
      Verification.of(
        log, upTo: head, preparation, live: live, runs: housekeeping.keys.runs,
        snapshots: housekeeping.snapshots, progress: progress)
    }
  }

  /// SHA-256 over the live state, with the event it is the state after.
  public func stateDigest() throws(LedgerFailure) -> (EventNumber, Digest32) {
    try readAtEvent(atBoundary: true) { ledger, event in (event, ledger.digest) }
  }
}

extension Verification {
  /// Checks a log up to event `head`; against the live state too, where there is one.
  static func of(
    _ log: EventLog, upTo head: EventNumber, _ preparation: Preparation, live: Digest32?,
    runs: [KeyRun], snapshots: Snapshots? = nil, progress: (Int) -> Void = { _ in }
  ) -> Verification {
    var verifier = Verifier(head: head, runs, snapshots)
    do throws(StorageError) {
      while verifier.next <= head {
        try verifier.checkBlocks(log, preparation)
        progress(verifier.report.eventCount)
      }
      try verifier.checkTree(log)
      try verifier.checkKeys(log)
    } catch {
      verifier.report.findings.append("\(error)")
      return verifier.report
    }
    verifier.finish(live: live)
    return verifier.report
  }
}

extension Ledger {
  /// SHA-256 over all tables in their fixed order.
  var digest: Digest32 {
    var digester = Digester()
    withBytes { bytes, _ in digester.update(bytes) }
    return digester.finish()
  }
}

/// The second computation of everything: shares the fold with the engine, but not the balances.
private struct Verifier: ~Copyable {
  var report = Verification()
  private let head: EventNumber
  private var ledger = Ledger()
  private var noKeys = NoKeys()
  private var position = Replay.Position()
  private var tree = MerkleTree()
  private var nodes: [MerkleTree.Node] = []
  /// Runs of old keys that are still to come, and the sum over the keys of the next one.
  private let runs: [KeyRun]
  private var runsToCome: ArraySlice<KeyRun>
  private var sum: UInt64 = 0
  /// Keys of events that are in no run.
  private var recent: Fingerprints
  /// Balances from postings: wallets by number, the rest by account and asset.
  private var wallets: [Int128] = [0]
  private var others: [Place: Int128] = [:]

  private struct Place: Hashable {
    var account: Account
    var asset: AssetNumber
  }

  /// Snapshots of events that are still to come, the next one last.
  private let snapshots: Snapshots?
  private var snapshotsToCome: [EventNumber]

  init(head: EventNumber, _ runs: [KeyRun], _ snapshots: Snapshots?) {
    self.head = head
    // What was written since the check began is not its concern.
    self.runs = runs.filter { $0.head.last <= head }
    runsToCome = self.runs[...]
    self.snapshots = snapshots
    snapshotsToCome = snapshots?.numbers() ?? []
    recent = Fingerprints(undo: ledger.undo)
  }

  var next: EventNumber { position.next }

  mutating func checkBlocks(
    _ log: EventLog, _ preparation: Preparation
  ) throws(StorageError) {
    let start = position.next
    _ = try log.walkBlocks(from: start, countMax: 8, checking: .every) {
      header, bytes throws(StorageError) in
      // What was committed since the check began is not its concern.
      guard header.first <= head else { return false }
      try check(header, bytes)
      return true
    }
    guard position.next > start else {
      throw .damaged("the log ends before event \(position.next); its head is \(head)")
    }
    for raw in start.rawValue..<position.next.rawValue {
      try checkText(EventNumber(raw), log, preparation)
    }
  }

  private mutating func check(
    _ header: Block.Header, _ bytes: RawSpan
  ) throws(StorageError) {
    var completed: [MerkleTree.Node] = []
    try tree.append(header, of: bytes) { node in completed.append(node) }
    nodes += completed
    guard tree.root == header.root else {
      throw .damaged("block \(header.first): its frames do not hash to its root")
    }
    try Replay.fold(header, bytes, into: &ledger, &noKeys, &position)
    for index in 0..<header.count {
      let number = EventNumber(header.first.rawValue + UInt64(index))
      let parts = try Frame.decode(try Block.frame(index, of: header, in: bytes))
      post(parts.event, number)
      if let key = parts.key { see(key.fingerprint, number) }
      checkRun(endingAt: number)
      if parts.commitment != nil { commitments.append((number, parts.commitment ?? .none)) }
    }
    report.eventCount += header.count
    report.blockCount += 1
    report.root = header.root
    checkSnapshot()
  }

  /// Compares the snapshot after the event at hand, where there is one, with the state.
  private mutating func checkSnapshot() {
    let last = position.next.rawValue - 1
    while let next = snapshotsToCome.last, next.rawValue <= last {
      snapshotsToCome.removeLast()
      do throws(StorageError) {
        guard next.rawValue == last, try snapshots?.check(next) == ledger.digest else {
          report.findings.append("snapshot \(next): it is not the state after its event")
          continue
        }
        report.snapshotCount += 1
      } catch {
        report.findings.append("snapshot \(next): \(error)")
      }
    }
  }

  // MARK: - Keys

  private mutating func see(_ fingerprint: UInt128, _ event: EventNumber) {
    if runsToCome.isEmpty {
      recent.insert(fingerprint, event)
    } else {
      sum &+= KeyRun.mixed(Fingerprints.tag(fingerprint), event.rawValue)
    }
  }

  /// Reads the run through that ends with this event, and compares it with the log's keys.
  private mutating func checkRun(endingAt event: EventNumber) {
    guard let run = runsToCome.first, run.head.last == event else { return }
    runsToCome.removeFirst()
    var stored: UInt64 = 0
    do throws(StorageError) {
      try run.walk { tag, event in stored &+= KeyRun.mixed(tag, event) }
      if stored != sum || stored != run.head.sum {
        report.findings.append("\(run.path): its keys are not those of the log")
      }
    } catch {
      report.findings.append("\(error)")
    }
    sum = 0
  }

  /// No key was used twice: equal ones are neighbours where all are in order.
  mutating func checkKeys(_ log: EventLog) throws(StorageError) {
    // With a damaged run there is no order; it was told already.
    guard report.findings.isEmpty else { return }
    var last: KeyRun.Key = (0, 0)
    var pairs: [(EventNumber, EventNumber)] = []
    func next(_ tag: UInt64, _ event: UInt64) {
      if last.tag == tag, last.event != 0 {
        pairs.append((EventNumber(last.event), EventNumber(event)))
      }
      last = (tag, event)
    }
    var rest: [KeyRun.Key] = []
    recent.sorted { tag, event in rest.append((tag, event)) }
    var place = 0
    try KeyRun.merged(runs) { tag, event throws(StorageError) in
      while place < rest.count, rest[place] < (tag, event) {
        next(rest[place].tag, rest[place].event)
        place += 1
      }
      next(tag, event)
    }
    for key in rest[place...] { next(key.tag, key.event) }
    for (first, second) in pairs {
      if try fingerprint(of: first, log) == fingerprint(of: second, log) {
        report.findings.append(
          "event \(second): its idempotency key was used before, by event \(first)")
      }
    }
  }

  private func fingerprint(of event: EventNumber, _ log: EventLog) throws(StorageError) -> UInt128?
  {
    let found = try log.withFrame(event) { frame throws(StorageError) in
      try Frame.decode(frame).key?.fingerprint
    }
    return found ?? nil
  }

  // MARK: - Texts

  /// Commitments of the blocks at hand, whose texts are opened next.
  private var commitments: [(EventNumber, Digest32)] = []

  private mutating func checkText(
    _ number: EventNumber, _ log: EventLog, _ preparation: Preparation
  ) throws(StorageError) {
    guard let (first, commitment) = commitments.first, first == number else { return }
    commitments.removeFirst()
    guard let ciphertext = try log.ciphertext(of: number) else {
      report.findings.append("event \(number): its text is missing")
      return
    }
    if preparation.open(ciphertext, commitment: commitment) == nil {
      report.findings.append("event \(number): its text is not the one its frame commits to")
    }
    report.textCount += 1
  }

  private mutating func post(_ event: Event, _ number: EventNumber) {
    var postings = Postings()
    event.postings(into: &postings)
    for index in 0..<postings.count {
      let posting = postings[index]
      change(posting.debit, posting.asset, by: -posting.amount.units, number)
      change(posting.credit, posting.asset, by: posting.amount.units, number)
    }
  }

  /// Adds a credit, or with a minus a debit.
  private mutating func change(
    _ account: Account, _ asset: AssetNumber, by credit: Int128, _ number: EventNumber
  ) {
    let balance: Int128
    if case .walletAvailable(let wallet) = account {
      let index = Int(wallet.rawValue)
      while wallets.count <= index { wallets.append(0) }
      wallets[index] += credit
      balance = wallets[index]
    } else {
      let place = Place(account: account, asset: asset)
      others[place, default: 0] += account.isDebitNormal ? -credit : credit
      balance = others[place] ?? 0
    }
    if balance < 0, !account.mayBeNegative, report.findings.count < 100 {
      report.findings.append("event \(number): \(account) falls below zero")
    }
  }

  func checkTree(_ log: EventLog) throws(StorageError) {
    let stored = try log.environment.read { transaction throws(StorageError) in
      for node in nodes {
        let hash = try transaction.get(EventLog.tree, EventLog.key(of: node)) {
          bytes throws(StorageError) in Digest32(bytes.copied())
        }
        guard hash == node.hash else {
          throw .damaged("tree: the subtree of level \(node.level), index \(node.index) differs")
        }
      }
      var count = 0
      try transaction.walk(EventLog.tree, from: .first) { key, _ throws(StorageError) in
        guard key.first <= head.rawValue else { return false }
        count += 1
        return true
      }
      return count
    }
    guard stored == nodes.count else {
      throw .damaged("tree: \(stored) subtrees are stored, \(nodes.count) belong there")
    }
  }

  mutating func finish(live: Digest32?) {
    report.state = ledger.digest
    if let live, report.state != live {
      report.findings.append("the live state is not the log's fold")
    }
    var sums: [AssetNumber: Int128] = [:]
    for (place, balance) in others {
      sums[place.asset, default: 0] += place.account.isDebitNormal ? -balance : balance
    }
    for raw in 1..<ledger.payments.payees.next.rawValue {
      let row = ledger.payments.payees[PayeeNumber(raw)]
      let place = Place(account: .external(PayeeNumber(raw)), asset: row.asset)
      if row.balance != others[place] ?? 0 {
        report.findings.append("payee \(raw): the state differs from its postings")
      }
    }
    for raw in 1..<ledger.wallets.next.rawValue {
      let row = ledger.wallets.wallets[WalletNumber(raw)]
      let posted = Int(raw) < wallets.count ? wallets[Int(raw)] : 0
      sums[row.asset, default: 0] += posted
      if row.available + row.held != posted {
        report.findings.append("wallet \(raw): the state differs from its postings")
      }
    }
    for (asset, sum) in sums where sum != 0 {
      report.findings.append("asset \(asset): debits and credits differ by \(sum)")
    }
  }
}
