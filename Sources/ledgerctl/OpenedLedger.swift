import LedgerCore
import Projections
import Synchronization

/// Answers from the ledger itself, opened and locked by this process.
final class OpenedLedger: Source {
  private let engine: Engine
  private let access: Access
  /// Opened when first asked: balances and events do not need them.
  private let projections = Mutex<Projections?>(nil)

  init(_ engine: Engine, _ access: Access) {
    self.engine = engine
    self.access = access
  }

  func close() async {
    projections.withLock { $0 }?.close()
    engine.close()
  }

  func status() async throws -> StatusView {
    let views = try await openProjections()
    let head = try engine.treeHead()
    return StatusView(
      head: head.last.rawValue, root: head.root.hex, time: head.time.text,
      bytes: try engine.byteCount(), projections: views.position.rawValue,
      clockAhead: false, storageShort: engine.isStorageShort,
      // Nobody but this process has it open, and it commits nothing.
      slowCommitMilliseconds: nil, counts: try await engine.counts())
  }

  func wallet(_ name: String) async throws -> WalletView? {
    guard let found = try await find(name) else { return nil }
    let words = try await words()
    let ids = engine.preparation.ids
    return WalletView(
      wallet: ids.text(.wallet, found.number.rawValue),
      agent: ids.text(.agent, found.agent.rawValue), asset: found.asset.code.description,
      available: words.text(found.available, found.asset.number),
      held: words.text(found.held, found.asset.number), status: "\(found.status)",
      opened: found.opened.rawValue)
  }

  func balance(of wallet: String) async throws -> BalanceView? {
    guard let found = try await find(wallet),
      let balance = try await openProjections().balance(of: found.number)
    else { return nil }
    let words = try await words()
    return BalanceView(
      wallet: engine.preparation.ids.text(.wallet, found.number.rawValue),
      asset: found.asset.code.description,
      available: words.text(balance.available, balance.asset),
      held: words.text(balance.held, balance.asset),
      pending: words.text(balance.pending, balance.asset))
  }

  func event(_ name: String) async throws -> EventView? {
    guard let number = engine.preparation.ids.event(name), let found = try engine.event(number)
    else { return nil }
    let words = try await words()
    var view = try view(found, words)
    view.postings = words.postings(of: found.event, body: try engine.body(of: number)).map { line in
      PostingView(
        debit: line.debit, credit: line.credit, amount: line.amount, asset: line.asset)
    }
    return view
  }

  func events(from first: UInt64, limit: Int) async throws -> LogPage {
    let found = try engine.events(from: EventNumber(first), limit: limit)
    return LogPage(events: try await views(found), head: engine.head.rawValue)
  }

  func history(of wallet: String, before: UInt64?, limit: Int) async throws -> HistoryPage? {
    guard let found = try await find(wallet) else { return nil }
    let page = try await openProjections().timeline(
      of: .wallet(found.number), before: before.map { EventNumber($0) }, limit: limit)
    return HistoryPage(events: try await views(page.events), next: page.next?.rawValue)
  }

  func disputes(
    in status: Disputes.Status?, before: UInt64?, limit: Int
  ) async throws -> [DisputeWords] {
    try await engine.disputeWords(
      in: status, before: before.map { EventNumber($0) }, limit: limit)
  }

  func backup(to directory: String) async throws -> BackupView {
    let progress = Progress("backup", total: Int(engine.head.rawValue))
    defer { progress.finish() }
    return BackupView(try engine.backup(to: directory) { progress.reach($0) })
  }

  func snapshots() -> [SnapshotView] { engine.snapshots().map { SnapshotView($0) } }

  func makeSnapshot() throws -> SnapshotView { SnapshotView(try engine.makeSnapshot()) }

  func pruneSnapshots(keeping count: Int, isDryRun: Bool) throws -> [SnapshotView] {
    try engine.pruneSnapshots(keeping: count, isDryRun: isDryRun).map { SnapshotView($0) }
  }

  // MARK: - Steps

  private func openProjections() async throws -> Projections {
    if let opened = projections.withLock({ $0 }) { return opened }
    let opened = try await access.openProjections(engine)
    projections.withLock { $0 = opened }
    return opened
  }

  private func find(_ wallet: String) async throws -> Wallet? {
    let number = UInt64(wallet) ?? engine.preparation.ids.number(.wallet, wallet)
    guard let number else { return nil }
    return try await engine.wallet(WalletNumber(number))
  }

  private func words() async throws -> EventWords {
    EventWords(ids: engine.preparation.ids, assets: try await engine.assets())
  }

  private func views(_ events: [Recorded]) async throws -> [EventView] {
    let words = try await words()
    return try events.map { try view($0, words) }
  }

  private func view(_ recorded: Recorded, _ words: EventWords) throws -> EventView {
    let facts = words.facts(recorded.event, body: try engine.body(of: recorded.number))
    return EventView(
      event: recorded.number.rawValue, time: recorded.header.time.text,
      actor: words.actor(recorded.header.actor), name: facts.name,
      fields: Dictionary(uniqueKeysWithValues: facts.fields.map { ($0.key, $0.value) }),
      text: try engine.text(of: recorded.number))
  }
}
