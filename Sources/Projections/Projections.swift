public import LedgerCore

/// START HERE. Read models of a ledger, kept beside it: what each wallet has, and what happened to
/// it.
///
///     let engine = try Engine.open("data")
///     let projections = try Projections.open("data/projections", following: engine)
///     let balance = try await projections.balance(of: wallet)
///     let page = try await projections.timeline(of: .wallet(wallet), before: nil, limit: 20)
///     projections.close()
///     engine.close()
///
/// A thread of its own follows the log and applies every event once, in order, to rows in memory,
/// which it writes now and then to an LMDB environment of its own (``Layout``). After a restart it
/// goes on from there. It can be thrown away at any time: rebuilt from an empty directory, the rows
/// are the same to the byte.
///
/// Reads are read-your-writes: each sees at least everything that was durable when it began, so a
/// payment that was answered is in the balance. Safe to share.
public final class Projections: Sendable {
  let engine: Engine
  let follower: Follower
  /// The event after which it went on when it was opened.
  let start: EventNumber
  private let worker: Worker
  let directory: String
  let store: Guarded<OpenStore>
  private let released = Wakeup()

  /// The store while it is open, and how many reads are at it. Who closes lets no more in, and
  /// takes the store when the last is out.
  struct OpenStore {
    var store: DisposableStore?
    var readerCount = 0
    var isClosing = false
  }

  private init(_ directory: String, _ engine: Engine, _ store: DisposableStore, _ start: Progress) {
    self.engine = engine
    self.directory = directory
    self.store = Guarded(OpenStore(store: store))
    self.start = start.position
    let follower = Follower(engine, from: start)
    self.follower = follower
    worker = Worker(name: "projections") { follower.run(store) }
  }

  deinit { follower.close() }

  // MARK: - Opening and closing

  /// Opens (or creates) the projections in `directory` (usually `DIR/projections`) and begins to
  /// follow `engine`.
  ///
  /// Returns at once; a read waits for the rows to catch up (see ``position``). What lies there and
  /// cannot be trusted or used is thrown away and rebuilt: after a power loss, of another ledger,
  /// of another format, ahead of the log or of a log that went on otherwise.
  /// - Throws: ``StorageError/locked(holder:)`` where this process has it open already,
  ///   ``StorageError/call(_:code:message:)`` where the directory cannot be used.
  public static func open(
    _ directory: String, following engine: Engine
  ) throws(StorageError) -> Projections {
    try open(directory, following: engine, mapByteCount: 1 << 40)
  }

  static func open(
    _ directory: String, following engine: Engine, mapByteCount: Int
  ) throws(StorageError) -> Projections {
    do throws(StorageError) {
      let kept = try DisposableStore(
        directory, databases: Layout.names, mapByteCount: mapByteCount)
      let progress = try kept.environment.read { transaction throws(StorageError) in
        try Progress(transaction)
      }
      if let progress, progress.ledger == engine.ledger, try isOfThisLog(progress, engine) {
        return Projections(directory, engine, kept, progress)
      }
      if !kept.wasKept {
        return Projections(directory, engine, kept, Progress(ledger: engine.ledger))
      }
    } catch {
      if case .locked = error { throw error }
      if error.mayPass { throw error }
    }
    let empty = try DisposableStore(
      directory, databases: Layout.names, mapByteCount: mapByteCount, keeps: false)
    return Projections(directory, engine, empty, Progress(ledger: engine.ledger))
  }

  /// Whether the event that the rows end with is the log's event of that number.
  private static func isOfThisLog(
    _ progress: Progress, _ engine: Engine
  ) throws(StorageError) -> Bool {
    guard progress.position.isSome else { return true }
    do throws(LedgerFailure) {
      return try engine.event(progress.position)?.header.time == progress.time
    } catch {
      if case .readFailed(let error) = error { throw error }
      return false
    }
  }

  /// Stops following, puts everything on disk and lets go of the directory. Close the projections
  /// before their engine. Blocks until what is applied is written and synced; safe to call twice.
  public func close() {
    follower.close()
    worker.join()
    store.with { $0.isClosing = true }
    while store.with({ $0.readerCount > 0 }) { released.wait(milliseconds: 10) }
    let open = store.with { state in
      let open = state.store
      state.store = nil
      return open
    }
    guard let open, follower.end == .closed else { return }
    // Without the mark, all that a power loss costs is a rebuild.
    do throws(StorageError) { try open.markClean() } catch {}
  }

  /// Removes the projections in `directory`, so that the next ``open(_:following:)`` rebuilds them.
  /// Other files there stay.
  /// Nobody may have them open.
  public static func remove(_ directory: String) throws(StorageError) {
    try DisposableStore.remove(directory)
  }

  // MARK: - Reading

  /// The newest event applied; 0 before the first. A read waits until this reaches the log's head.
  public var position: EventNumber { follower.position }

  /// What a wallet has, or `nil` where there is no such wallet.
  ///
  /// Waits until everything durable at the call is applied, at most 2 s.
  /// - Throws: ``ProjectionFailure/behind(position:head:)`` where that took longer.
  /// - Complexity: O(log wallets), a few microseconds once applied.
  public func balance(
    of wallet: WalletNumber
  ) async throws(ProjectionFailure) -> WalletBalance? {
    try await look { fold, transaction throws(StorageError) in
      try fold.balance(of: wallet, transaction)
    }
  }

  /// What an account has in an asset, on its normal side: what the faucet issued, fees earned, what
  /// is owed to a payee. Zero where nothing was ever posted to it.
  ///
  /// Waits and throws as ``balance(of:)``.
  public func balance(
    of account: Account, in asset: AssetNumber
  ) async throws(ProjectionFailure) -> Amount {
    guard asset.isSome, asset.rawValue < 1 << 16 else { return .zero }
    return try await look { fold, transaction throws(StorageError) in
      try fold.balance(of: account, in: asset, transaction)
    }
  }

  /// The most events of one ``TimelinePage``.
  public static let timelineCountMax = 1_000

  /// The events that touched a wallet, or that are about an event, newest first. Empty where there
  /// is no such wallet or event, or none about it.
  ///
  /// Waits and throws as ``balance(of:)``.
  /// - `before`: only events older than this one; a page's ``TimelinePage/next`` to go on.
  /// - `limit`: at most so many, and at most 1,000.
  /// - Complexity: O(limit + log events), where `before` is on the timeline or `nil`; for any
  ///   other, O(events of the timeline after it) more.
  public func timeline(
    of owner: TimelineOwner, before: EventNumber?, limit: Int
  ) async throws(ProjectionFailure) -> TimelinePage {
    let limit = min(limit, Self.timelineCountMax)
    guard limit > 0 else { return TimelinePage(events: [], next: nil) }
    var index: Int?
    if let before, let event = try event(before) {
      index = try touched(by: event).index(of: owner)
    }
    let beginning = try await look { [index] fold, transaction throws(StorageError) in
      try fold.timeline(of: owner, before: before, index: index, limit: limit, transaction)
    }
    let (numbers, hasMore) = try readWritten { transaction throws(StorageError) in
      try Timelines.page(beginning, before: before, limit: limit, transaction)
    }
    var events: [Recorded] = []
    events.reserveCapacity(numbers.count)
    for number in numbers {
      guard let event = try event(number) else {
        throw .failed(.damaged("the timeline of \(owner) names event \(number)"))
      }
      events.append(event)
    }
    return TimelinePage(events: events, next: hasMore ? numbers.last : nil)
  }

  private func event(_ number: EventNumber) throws(ProjectionFailure) -> Recorded? {
    guard number.isSome else { return nil }
    do throws(LedgerFailure) {
      return try engine.event(number)
    } catch {
      throw ProjectionFailure(error)
    }
  }

  private func touched(by event: Recorded) throws(ProjectionFailure) -> Touched {
    do throws(LedgerFailure) {
      let body = try engine.body(of: event.number)
      var postings = Postings()
      event.event.postings(body: body.span, into: &postings)
      return Touched(event.event, body: body.span, postings)
    } catch {
      throw ProjectionFailure(error)
    }
  }

  /// Runs `body` on the rows, once everything that is durable now is in them.
  private func look<Value: Sendable>(
    _ body: @Sendable (borrowing Fold, Transaction) throws(StorageError) -> Value
  ) async throws(ProjectionFailure) -> Value {
    let goal = engine.head
    try await follower.wait(for: goal)
    let seen = try whileOpen { environment throws(StorageError) in
      try follower.look(environment, at: goal, body)
    }
    guard let seen else { throw follower.end ?? .behind(position: position, head: goal) }
    return seen
  }

  /// Runs `body` on the rows as they were last written.
  func readWritten<Value>(
    _ body: (Transaction) throws(StorageError) -> Value
  ) throws(ProjectionFailure) -> Value {
    try whileOpen { environment throws(StorageError) in try environment.read(body) }
  }

  private func whileOpen<Value>(
    _ body: (Environment) throws(StorageError) -> Value
  ) throws(ProjectionFailure) -> Value {
    let isOpen = store.with { state -> Bool in
      guard state.store != nil, !state.isClosing else { return false }
      state.readerCount += 1
      return true
    }
    guard isOpen else { throw .closed }
    defer {
      store.with { $0.readerCount -= 1 }
      released.wake()
    }
    do throws(StorageError) {
      return try onStore(body)
    } catch {
      throw .failed(error)
    }
  }

  /// A function of its own, so that the store is let go of before the reader is counted out: who
  /// closes may then open the directory again.
  @inline(never)
  private func onStore<Value>(
    _ body: (Environment) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    guard let open = store.with({ $0.store }) else {
      preconditionFailure("the store stays while readers are counted")
    }
    return try body(open.environment)
  }
}

/// Why a projection cannot answer. No command is the reason, and the log has everything.
public enum ProjectionFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// Not everything that was durable when the read began could be applied in 2 s (or before the
  /// task was cancelled). Try again.
  case behind(position: EventNumber, head: EventNumber)
  /// The projections or their engine were closed.
  case closed
  /// The disk or the rows are why; those that cannot be trusted are rebuilt at the next open.
  case failed(StorageError)

  /// One sentence for a person.
  public var description: String {
    switch self {
    case .behind(let position, let head):
      "the projections are at event \(position), the ledger at \(head)"
    case .closed: "the projections are closed"
    case .failed(let error): "the projections failed: \(error)"
    }
  }

  init(_ failure: LedgerFailure) {
    switch failure {
    case .closed: self = .closed
    case .ledgerFailed(let error), .readFailed(let error), .writeFailed(let error):
      self = .failed(error)
    case .outcomeUnknown, .queueFull, .storageFull: self = .failed(.refused(failure.description))
    }
  }
}
