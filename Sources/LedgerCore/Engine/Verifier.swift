/// The second computation of everything: shares the fold with the engine, but not the balances.
struct Verifier: ~Copyable {
  var report = Verification()
  private let head: EventNumber
  var ledger = Ledger()
  private var noKeys = NoKeys()
  var position = Replay.Position()
  var tree = MerkleTree()
  /// Subtrees that the blocks at hand completed.
  private var nodes: [MerkleTree.Node] = []
  /// Runs of old keys, and those that are still to come.
  let runs: [KeyRun]
  var runsToCome: ArraySlice<KeyRun>
  /// The sum over all keys so far, and what it was where runs ended.
  var keySum: UInt64 = 0
  var runEnds: [RunEnd] = []
  /// Keys of events that are in no run.
  var recent: Fingerprints
  private var postings = Postings()
  /// Balances from postings: wallets by number, the rest by account and asset.
  var wallets: [Int128] = [0]
  var others: [Place: Int128] = [:]

  struct Place: Hashable {
    var account: Account
    var asset: AssetNumber
  }

  /// The last event of a run of keys, and the sum over all keys up to it.
  struct RunEnd {
    var last: UInt64
    var keySum: UInt64
  }

  /// Snapshots of events that are still to come, the next one last.
  private let snapshots: Snapshots?
  var snapshotsToCome: [EventNumber]

  init(head: EventNumber, _ runs: [KeyRun], _ snapshots: Snapshots?) {
    self.head = head
    // What was written since the check began is not its concern.
    self.runs = runs.filter { $0.head.last <= head }
    runsToCome = self.runs[...]
    self.snapshots = snapshots
    snapshotsToCome = snapshots?.numbers() ?? []
    recent = Fingerprints(undo: ledger.undo)
  }

  /// Checks what is left of the log; against the live state too, where there is one. Its place is
  /// kept in `place`, if anywhere, at the latest when `mayGoOn` answers false.
  consuming func run(
    _ log: EventLog, _ preparation: Preparation, live: Digest32?, _ place: VerifierPlace?,
    mayGoOn: (Int) -> Bool
  ) -> Verification {
    do throws(StorageError) {
      while position.next <= head {
        guard mayGoOn(report.eventCount) else {
          report.kept = place?.keep(self) ?? EventNumber.none
          return report
        }
        try checkBlocks(log, preparation)
        place?.keepIfDue(self)
      }
      try checkTree(log)
      try checkKeys(log)
    } catch {
      report.findings.append("\(error)")
      return report
    }
    finish(live: live)
    return report
  }

  private mutating func checkBlocks(
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
    try checkSubtrees(log)
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
      let frame = try Block.frame(index, of: header, in: bytes)
      let parts = try Frame.decode(frame)
      post(parts.event, body: frame.span(parts.body), number)
      if let key = parts.key { insert(key.fingerprint, number) }
      if parts.commitment != nil { commitments.append((number, parts.commitment ?? .none)) }
    }
    report.eventCount += header.count
    report.blockCount += 1
    report.root = header.root
    finishBlock(header)
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
      } catch .refused(let why) {
        snapshots?.warn("snapshot \(next) is passed over: \(why)")
      } catch {
        if snapshots?.contains(next) == true {
          report.findings.append("snapshot \(next): \(error)")
        }
      }
    }
  }

  // MARK: - Keys

  /// Compares a run's keys with those of the log in its events.
  mutating func check(_ run: KeyRun) {
    let expected = keySum &- (runEnds.last?.keySum ?? 0)
    var stored: UInt64 = 0
    do throws(StorageError) {
      try run.walk { tag, event in stored &+= KeyRun.mixed(tag, event) }
      if stored != expected || stored != run.head.sum {
        report.findings.append("\(run.path): its keys are not those of the log")
      }
    } catch {
      report.findings.append("\(error)")
    }
    runEnds.append(RunEnd(last: run.head.last.rawValue, keySum: keySum))
  }

  /// No key was used twice: equal ones are neighbours where all are in order.
  private mutating func checkKeys(_ log: EventLog) throws(StorageError) {
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

  private mutating func post(_ event: Event, body: Span<UInt8>, _ number: EventNumber) {
    postings.removeAll()
    event.postings(body: body, into: &postings)
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

  /// Compares the subtrees that the blocks at hand completed with those that are stored.
  private mutating func checkSubtrees(_ log: EventLog) throws(StorageError) {
    try log.environment.read { transaction throws(StorageError) in
      for node in nodes {
        let hash = try transaction.get(EventLog.tree, EventLog.key(of: node)) {
          bytes throws(StorageError) in Digest32(bytes.copied())
        }
        if hash != node.hash, report.findings.count < 100 {
          report.findings.append(
            "tree: the subtree of level \(node.level), index \(node.index) differs")
        }
      }
    }
    nodes.removeAll(keepingCapacity: true)
  }

  /// No subtree is stored that does not belong there.
  private func checkTree(_ log: EventLog) throws(StorageError) {
    let stored = try log.environment.read { transaction throws(StorageError) in
      var count: UInt64 = 0
      try transaction.walk(EventLog.tree, from: .first) { key, _ throws(StorageError) in
        guard key.first <= head.rawValue else { return false }
        count += 1
        return true
      }
      return count
    }
    let expected = (MerkleTree.storedLevelMin..<64).reduce(UInt64(0)) { $0 + head.rawValue >> $1 }
    guard stored == expected else {
      throw .damaged("tree: \(stored) subtrees are stored, \(expected) belong there")
    }
  }

  private mutating func finish(live: Digest32?) {
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
    var holds: [WalletNumber: Int128] = [:]
    ledger.reservations.rows.walk { _, row in holds[row.payer, default: 0] += row.held }
    for raw in 1..<ledger.wallets.next.rawValue {
      let number = WalletNumber(raw)
      let row = ledger.wallets.wallets[number]
      let posted = Int(raw) < wallets.count ? wallets[Int(raw)] : 0
      let held = others[Place(account: .walletHeld(number), asset: row.asset)] ?? 0
      sums[row.asset, default: 0] += posted
      if row.available != posted || row.held != held {
        report.findings.append("wallet \(raw): the state differs from its postings")
      }
      if row.held != holds[number] ?? 0 {
        report.findings.append("wallet \(raw): it holds another sum than its open reservations")
      }
    }
    for raw in 1..<ledger.wallets.suspenses.next.rawValue {
      let row = ledger.wallets.suspenses[Number(raw)]
      if row.balance != others[Place(account: .suspense(row.agent), asset: row.asset)] ?? 0 {
        report.findings.append("agent \(row.agent): what is set aside differs from its postings")
      }
    }
    checkDisputes()
    for (place, balance) in others where balance != 0 && !contains(place) {
      report.findings.append("\(place.account): the postings have it, the state does not")
    }
    for (asset, sum) in sums where sum != 0 {
      report.findings.append("asset \(asset): debits and credits differ by \(sum)")
    }
  }
}

extension Verifier {
  /// Whether the state has a balance of this account at all; of the platform's own it has none.
  private func contains(_ place: Place) -> Bool {
    switch place.account {
    case .walletAvailable(let wallet), .walletHeld(let wallet):
      ledger.wallets.contains(wallet) && ledger.wallets.wallets[wallet].asset == place.asset
    case .external(let payee):
      ledger.payments.payees.contains(payee) && ledger.payments.payees[payee].asset == place.asset
    case .suspense(let agent): ledger.wallets.suspense(of: agent, in: place.asset) > .zero
    // Compared one by one, those that the state does not have too.
    case .disputeHold, .receivable: true
    case .faucet, .feeIncome, .dust, .badDebt: true
    }
  }
}

extension Verifier {
  /// Compares what is held and advanced for each dispute with its postings, both ways.
  private mutating func checkDisputes() {
    var left = ledger.disputeBalances
    for (place, balance) in others {
      switch place.account {
      case .disputeHold, .receivable: left[place.account, default: 0] -= balance
      case .faucet, .walletAvailable, .walletHeld, .external, .feeIncome, .suspense, .dust,
        .badDebt:
        continue
      }
    }
    for (account, difference) in left where difference != 0 && report.findings.count < 100 {
      report.findings.append("\(account): the state differs from its postings")
    }
  }
}

extension Ledger {
  /// What is held and advanced for each dispute, by account. O(claims + debts).
  var disputeBalances: [Account: Int128] {
    var balances: [Account: Int128] = [:]
    disputes.walk { dispute, held in balances[.disputeHold(dispute), default: 0] += held }
    receivables.walk { _, debt, _ in
      balances[.receivable(debt.dispute), default: 0] += debt.receivable
    }
    return balances
  }
}

extension Verifier: KeySink {
  mutating func insert(_ fingerprint: UInt128, _ event: EventNumber) {
    keySum &+= KeyRun.mixed(Fingerprints.tag(fingerprint), event.rawValue)
    if runsToCome.isEmpty { recent.insert(fingerprint, event) }
  }

  /// Reads the run through that ends here.
  mutating func finishBlock(_ header: Block.Header) {
    guard let run = runsToCome.first, run.head.last == header.last else { return }
    runsToCome.removeFirst()
    check(run)
  }

  func prefetch(_ fingerprint: UInt128) { recent.prefetch(fingerprint) }
}
