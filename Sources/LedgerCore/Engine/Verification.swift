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
        log, upTo: head, preparation, live: live, snapshots: housekeeping.snapshots,
        progress: progress)
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
    snapshots: Snapshots? = nil, progress: (Int) -> Void = { _ in }
  ) -> Verification {
    var verifier = Verifier(head: head, snapshots)
    do throws(StorageError) {
      while verifier.next <= head {
        try verifier.checkBlocks(log, preparation)
        progress(verifier.report.eventCount)
      }
      try verifier.checkTree(log)
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
  private var fingerprints: Fingerprints
  private var position = Replay.Position()
  private var tree = MerkleTree()
  private var nodes: [MerkleTree.Node] = []
  private var keys: Set<UInt128> = []
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

  init(head: EventNumber, _ snapshots: Snapshots?) {
    self.head = head
    self.snapshots = snapshots
    snapshotsToCome = snapshots?.numbers() ?? []
    fingerprints = Fingerprints(undo: ledger.undo)
  }

  var next: EventNumber { position.next }

  mutating func checkBlocks(
    _ log: EventLog, _ preparation: Preparation
  ) throws(StorageError) {
    let start = position.next
    _ = try log.walkBlocks(from: start, countMax: 8, checksum: true) {
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
    try Replay.fold(header, bytes, into: &ledger, &fingerprints, &position)
    for index in 0..<header.count {
      let number = EventNumber(header.first.rawValue + UInt64(index))
      let parts = try Frame.decode(try Block.frame(index, of: header, in: bytes))
      post(parts.event, number)
      if let key = parts.key, !keys.insert(key.fingerprint).inserted {
        report.findings.append("event \(number): its idempotency key was used before")
      }
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
