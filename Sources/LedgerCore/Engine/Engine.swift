import Dispatch
import Foundation
import Synchronization

/// A ledger in a directory: submit commands, read balances and events, follow what happens.
///
///     let engine = try Engine.open("data")
///     let request = try engine.preparation.request(
///       .payment(.pay(from: a, to: .wallet(b), amount: five, asset: .none, rail: .internal)),
///       by: .agent(ann), key: "order-17")
///     let outcome = try await engine.submit(request)
///
/// One process opens one ledger. *Why*: one thread holds the state; a second writer would decide on
/// a stale one. *Otherwise*: the second open fails at the lock, before anything is read.
///
/// When a call returns, what it answers is on disk. No port, and three threads: one that holds the
/// state, one that commits while there is a backlog, and one of the lowest priority that makes
/// snapshots. Safe to share.
public final class Engine: Sendable {
  /// How a ledger is opened.
  public struct Options: Sendable {
    /// Whether a missing ledger is created. False to look at one that must be there.
    public var mayCreate = true
    /// Whether real money moves here. Fixed when the ledger is created; opening it as the other
    /// kind is refused.
    public var livemode = false
    /// Opens a ledger of either kind.
    public var mayBeEitherMode = false
    /// The 32-byte key that seals the ledger's own keys; `nil` for one in `keys/`, which is made
    /// with the ledger (local hosting).
    public var masterKey: [UInt8]?
    /// Address space for the log: the most it may grow to. Costs no disk and no memory.
    public var mapByteCount = 1 << 40
    /// Room on the disk that is kept for what ends obligations, in bytes, beside that for one
    /// batch. With less than twice that, commands that begin something are refused with
    /// ``Rejection/storageFull``.
    public var reserveByteCount = 64 << 20
    /// Opens although the clock is far from the last event's time.
    public var acceptsClock = false
    /// Nanoseconds since 1970, UTC. Read once a batch.
    public var clock: @Sendable () -> UInt64 = { SystemClock.wall() }
    /// Nanoseconds since any moment, by a clock that nobody sets; whoever brings a clock of his own
    /// brings this too. While the other gains more than 10 minutes on it, commands are refused with
    /// ``Rejection/clockAhead``.
    public var uptime: @Sendable () -> UInt64 = { SystemClock.uptime() }
    /// Events from one snapshot of the state to the next; 0 for none but those that are asked for.
    /// More of them make opening faster, and the disk busier.
    public var snapshotEventCount = 4_000_000
    /// Seconds after which a snapshot is made though fewer events came, where any did.
    public var snapshotSeconds = 86_400
    /// Memory for idempotency keys, in bytes: half of it for the recent ones, half for the filters
    /// of those on disk. With less, looking up a new key reads the disk more often; never wrong.
    /// The default serves 170 million keys without that, on a machine with 4 GB.
    public var keyMemoryByteCount = 512 << 20
    /// Gets a sentence about what is not as it should be and harms nothing: a snapshot that is
    /// passed over. Called on any thread.
    public var onWarning: @Sendable (String) -> Void = { _ in }
    /// Gets how many events were folded at opening, and how many there are to fold, now and then.
    public var onOpening: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    /// How many keys make a run on disk, where a test says so.
    package var keysPerRun: Int?
    /// How long a caller waits for room on a full disk before the outcome is told to be unknown.
    package var patience = Duration.seconds(5)
    /// How much room there is; tests say it themselves.
    var free: @Sendable (String) -> Int = { Reserve.free(in: $0) }

    /// A test ledger, created where it is missing.
    public init() {}
  }

  private let shared: Shared

  private init(_ shared: Shared) { self.shared = shared }

  deinit { shared.inbox.close() }

  var principals: KnownPrincipals { shared.principals }
  /// Whether it was neither closed nor failed.
  var isAlive: Bool { shared.heads.failure == nil && !shared.inbox.isClosed }

  /// Makes requests of this ledger: seals texts, hashes keys, reads and writes text ids.
  public var preparation: Preparation { shared.preparation }

  // MARK: - Opening and closing

  /// Opens the ledger in `directory`, or creates it.
  ///
  /// Begins at the newest snapshot of the state, and folds what the log has after it: about 10
  /// million events a second. Without a snapshot that is all of it.
  /// - Throws: ``StorageError/locked(holder:)`` where another process has it open,
  ///   ``StorageError/damaged(_:)`` where bytes are not the ones that were written,
  ///   ``StorageError/refused(_:)`` where it is another kind of ledger or directory.
  public static func open(
    _ directory: String, _ options: Options = Options()
  ) throws(StorageError) -> Engine {
    let opened = Mutex<Result<Shared, StorageError>?>(nil)
    let isOpen = DispatchSemaphore(value: 0)
    let thread = Thread {
      // Linux learns a thread's name only from the thread itself.
      Thread.current.name = "ledger"
      let shared = work(directory, options) { result in
        opened.withLock { $0 = result }
        isOpen.signal()
      }
      // By now the state, the environment and the lock are gone.
      shared?.finished.signal()
    }
    thread.stackSize = 8 << 20
    thread.start()
    isOpen.wait()
    guard let result = opened.withLock({ $0 }) else {
      preconditionFailure("the engine's thread says how opening went before it signals")
    }
    return Engine(try result.get())
  }

  /// The engine's thread, from opening the directory to letting go of it.
  private static func work(
    _ directory: String, _ options: Options, _ report: (Result<Shared, StorageError>) -> Void
  ) -> Shared? {
    do throws(StorageError) {
      let opening = try Opening(directory, options)
      let shared = Shared(opening, options)
      let log = opening.writer.log
      var sequencer = Sequencer(
        opening, shared.heads, shared.inbox, shared.clock, shared.principals, options)
      shared.housekeeping.start(log)
      report(.success(shared))
      sequencer.run()
      shared.housekeeping.stop()
      shared.heads.fail(.closed)
      return shared
    } catch {
      report(.failure(error))
      return nil
    }
  }

  /// What the engine's thread and the engine share.
  private final class Shared: Sendable {
    let preparation: Preparation
    let inbox = Inbox()
    let heads = Heads()
    let clock: WallClock
    let principals = KnownPrincipals()
    let housekeeping: Housekeeping
    let pace: CommitPace
    let log: Mutex<EventLog?>
    let finished = DispatchSemaphore(value: 0)

    init(_ opening: borrowing Opening, _ options: Options) {
      preparation = opening.preparation
      clock = WallClock(wall: options.clock, uptime: options.uptime)
      pace = opening.writer.pace
      log = Mutex(opening.writer.log)
      housekeeping = Housekeeping(
        Snapshots(
          directory: opening.directory.snapshots, ledger: opening.preparation.ledger,
          warn: options.onWarning),
        opening.keys.shelf, heads, opening.writer.reserve, options)
      heads.publish(EventNumber(opening.batch.first.rawValue - 1))
    }
  }

  /// Accepts nothing more, does what was accepted, and lets go of the directory. Safe to call
  /// twice.
  public func close() {
    shared.inbox.close()
    shared.finished.wait()
    shared.finished.signal()
    shared.log.withLock { $0 = nil }
  }

  /// Whether the disk is so full that nothing new is begun.
  public var isStorageShort: Bool { housekeeping.isStorageShort }

  /// How long the newest slow commit took, or takes by now, in milliseconds: one of more than a
  /// second that ended at most a minute ago. `nil` where there was none. Nothing is refused for it,
  /// but everybody waits for the disk.
  public var slowCommitMilliseconds: Int? {
    shared.pace.slowNanoseconds.map { Int($0 / 1_000_000) }
  }

  /// Whether the clock is so far ahead of the time that passed that commands are refused.
  public var isClockAhead: Bool { shared.clock.now() == nil }

  /// Goes by the clock however far it jumped ahead: for whoever looked, and found it right.
  public func acceptClock() { shared.clock.accept() }

  // MARK: - Submitting

  /// Submits one command and waits until its outcome is durable.
  public func submit(_ request: Request) async throws(LedgerFailure) -> Outcome {
    let result = await withCheckedContinuation { continuation in
      offer(request) { result in continuation.resume(returning: result) }
    }
    return try result.get()
  }

  /// Submits a span of commands: each is done or refused by itself, in order.
  ///
  /// At most 65,536 at once; while as many wait, each is refused with ``Rejection/queueFull``.
  public func submit(_ requests: [Request]) async throws(LedgerFailure) -> [Outcome] {
    try await answer(requests, isLinked: false)
  }

  /// Submits linked commands: all are done, or none is.
  ///
  /// At most 1,000 commands, 4,096 events and 1 MiB. Of a refused unit, one command answers why and
  /// the others ``Rejection/linkedCommandRefused``; a unit of too many commands, or one of which
  /// some keys were used before, is refused as a whole. Due timers fire before a unit, never
  /// within.
  public func submit(linked requests: [Request]) async throws(LedgerFailure) -> [Outcome] {
    try await answer(requests, isLinked: true)
  }

  /// Submits a span and returns at once; `completion` gets the outcomes, in order, when they are
  /// durable. It runs on one of the engine's threads and must not block.
  public func submit(
    _ requests: [Request],
    completion: @escaping @Sendable (Result<[Outcome], LedgerFailure>) -> Void
  ) {
    offer(requests, isLinked: false, completion)
  }

  /// As ``submit(_:completion:)``, for linked commands.
  public func submit(
    linked requests: [Request],
    completion: @escaping @Sendable (Result<[Outcome], LedgerFailure>) -> Void
  ) {
    offer(requests, isLinked: true, completion)
  }

  /// As ``submit(_:completion:)``, for one command.
  public func submit(
    _ request: Request,
    completion: @escaping @Sendable (Result<Outcome, LedgerFailure>) -> Void
  ) {
    offer(request, completion)
  }

  /// Submits a span and blocks the calling thread until the outcomes are durable. Not from tasks:
  /// they have ``submit(_:)-(Request)``.
  public func submitAndWait(_ requests: [Request]) throws(LedgerFailure) -> [Outcome] {
    try wait(requests, isLinked: false)
  }

  /// As ``submitAndWait(_:)-([Request])``, for one command.
  public func submitAndWait(_ request: Request) throws(LedgerFailure) -> Outcome {
    let answer = Waiting<Outcome>()
    offer(request) { result in answer.resolve(result) }
    return try answer.wait().get()
  }

  /// As ``submitAndWait(_:)-([Request])``, for linked commands.
  public func submitAndWait(linked requests: [Request]) throws(LedgerFailure) -> [Outcome] {
    try wait(requests, isLinked: true)
  }

  private func offer(_ request: Request, _ completion: @escaping Inbox.LoneCompletion) {
    do throws(Inbox.Rejected) {
      try shared.inbox.offer(.request(request, completion), commandCount: 1)
    } catch {
      switch error {
      case .failed(let failure): completion(.failure(failure))
      case .full:
        completion(.success(.refused(Refusal(.queueFull), event: .none, isReplay: false)))
      }
    }
  }

  private func offer(
    _ requests: [Request], isLinked: Bool, _ completion: @escaping Inbox.Completion
  ) {
    do throws(Inbox.Rejected) {
      try shared.inbox.offer(
        .requests(requests, isLinked: isLinked, completion), commandCount: requests.count)
    } catch {
      switch error {
      case .failed(let failure): completion(.failure(failure))
      case .full:
        let refusal = Outcome.refused(Refusal(.queueFull), event: .none, isReplay: false)
        completion(.success(requests.map { _ in refusal }))
      }
    }
  }

  private func answer(
    _ requests: [Request], isLinked: Bool
  ) async throws(LedgerFailure) -> [Outcome] {
    let result = await withCheckedContinuation { continuation in
      offer(requests, isLinked: isLinked) { result in continuation.resume(returning: result) }
    }
    return try result.get()
  }

  private func wait(
    _ requests: [Request], isLinked: Bool
  ) throws(LedgerFailure) -> [Outcome] {
    let answer = Waiting<[Outcome]>()
    offer(requests, isLinked: isLinked) { result in answer.resolve(result) }
    return try answer.wait().get()
  }

  // MARK: - Reading the state

  /// Looks at the state, after everything submitted before; answers when what was seen is durable.
  func read<Value: Sendable>(
    _ look: @escaping @Sendable (borrowing Ledger) -> Value
  ) throws(LedgerFailure) -> Value {
    try readAtEvent { ledger, _, _ in look(ledger) }
  }

  /// As ``read(_:)-(_)``, with the newest event that the state has seen, where asked the last of
  /// a block, and the time that the next would have.
  func readAtEvent<Value: Sendable>(
    atBoundary: Bool = false,
    _ look: @escaping @Sendable (borrowing Ledger, EventNumber, Timestamp) -> Value
  ) throws(LedgerFailure) -> Value {
    let answer = Waiting<Value>()
    ask(look, atBoundary: atBoundary) { result in answer.resolve(result) }
    return try answer.wait().get()
  }

  /// As ``read(_:)-(_)``, without blocking a thread.
  func read<Value: Sendable>(
    _ look: @escaping @Sendable (borrowing Ledger) -> Value
  ) async throws(LedgerFailure) -> Value {
    try await readAtEvent { ledger, _, _ in look(ledger) }
  }

  /// As ``read(_:)-(_)``, with the newest event that the state has seen and the time that the next
  /// would have.
  func readAtEvent<Value: Sendable>(
    _ look: @escaping @Sendable (borrowing Ledger, EventNumber, Timestamp) -> Value
  ) async throws(LedgerFailure) -> Value {
    let result = await withCheckedContinuation { continuation in
      ask(look) { result in continuation.resume(returning: result) }
    }
    return try result.get()
  }

  private func ask<Value: Sendable>(
    _ look: @escaping @Sendable (borrowing Ledger, EventNumber, Timestamp) -> Value,
    atBoundary: Bool = false,
    _ completion: @escaping @Sendable (Result<Value, LedgerFailure>) -> Void
  ) {
    let seen = Box<Value>()
    let read = Inbox.Read(
      isAtBoundary: atBoundary,
      look: { ledger, event, now in seen.put(look(ledger, event, now)) },
      answer: { failure in completion(failure.map { .failure($0) } ?? .success(seen.take())) })
    do throws(Inbox.Rejected) {
      try shared.inbox.offer(.read(read), commandCount: 1)
    } catch {
      switch error {
      case .failed(let failure): completion(.failure(failure))
      case .full: completion(.failure(.queueFull))
      }
    }
  }

  // MARK: - Reading the log

  /// The newest durable event's number.
  public var head: EventNumber { shared.heads.head }

  /// Events from number `first` on, at most `limit`; empty at the end. Ask for a few thousand at a
  /// time: one read holds the pages it looks at.
  public func events(
    from first: EventNumber, limit: Int = 1_000
  ) throws(LedgerFailure) -> [Recorded] {
    try withLog { log throws(StorageError) in try log.events(from: first, limit: limit) }
  }

  /// The event of this number, or `nil`.
  public func event(_ number: EventNumber) throws(LedgerFailure) -> Recorded? {
    let found = try events(from: number, limit: 1).first
    return found?.number == number ? found : nil
  }

  /// The body of an event: the receivers of a split (``Splits/Part/all(_:)``), the tiers of a fee
  /// schedule (``Fees/Tier/all(_:)``), the claims of a dispute (``Disputes/Claim/all(_:)``); empty
  /// where it has none.
  public func body(of number: EventNumber) throws(LedgerFailure) -> [UInt8] {
    try withLog { log throws(StorageError) in
      try log.withFrame(number) { frame throws(StorageError) in
        frame.extracting(try Frame.decode(frame).body).copied()
      } ?? []
    }
  }

  /// The text beside an event, field by field; `nil` where it has none.
  public func text(of number: EventNumber) throws(LedgerFailure) -> [String]? {
    try withLog { log throws(StorageError) in
      guard let ciphertext = try log.ciphertext(of: number) else { return nil }
      let commitment = try log.withFrame(number) { frame throws(StorageError) in
        try Frame.decode(frame).commitment
      }
      guard let commitment = commitment ?? nil else {
        throw .damaged("event \(number) has a note and no commitment")
      }
      guard let fields = preparation.open(ciphertext, commitment: commitment) else {
        throw .damaged("the note of event \(number) is not the one that its frame commits to")
      }
      return fields
    }
  }

  /// Every event from number `first` on, for ever: ends when the engine is closed or the task is
  /// cancelled, throws where the engine failed.
  public func follow(from first: EventNumber) -> some AsyncSequence<Recorded, any Error> {
    let start: (next: EventNumber, buffer: ArraySlice<Recorded>) = (max(first, EventNumber(1)), [])
    let position = Mutex(start)
    return AsyncThrowingStream<Recorded, any Error>(unfolding: { [self] in
      while true {
        if let event = position.withLock({ $0.buffer.popFirst() }) { return event }
        let next = position.withLock { $0.next }
        guard try await shared.heads.wait(past: EventNumber(next.rawValue - 1)) else { return nil }
        let events: [Recorded]
        do throws(LedgerFailure) {
          events = try self.events(from: next, limit: 256)
        } catch {
          // Closed between the two lines above.
          if error == .closed { return nil }
          throw error
        }
        guard let last = events.last else { continue }
        position.withLock { $0 = (EventNumber(last.number.rawValue + 1), events[...]) }
      }
    })
  }

  var housekeeping: Housekeeping { shared.housekeeping }

  /// The log and its newest event, for what follows it from outside this module.
  var following: (log: EventLog?, heads: Heads) {
    (shared.log.withLock { $0 }, shared.heads)
  }

  func withLog<Value>(
    or failure: (StorageError) -> LedgerFailure = LedgerFailure.readFailed,
    _ body: (EventLog) throws(StorageError) -> Value
  ) throws(LedgerFailure) -> Value {
    guard let log = shared.log.withLock({ $0 }) else { throw .closed }
    do throws(StorageError) {
      return try body(log)
    } catch {
      throw failure(error)
    }
  }
}

// MARK: - Waiting

/// One value handed from the engine's thread to one that blocks for it.
private final class Waiting<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, LedgerFailure>?>(nil)
  private let isThere = DispatchSemaphore(value: 0)

  func resolve(_ value: Result<Value, LedgerFailure>) {
    result.withLock { $0 = value }
    isThere.signal()
  }

  func wait() -> Result<Value, LedgerFailure> {
    isThere.wait()
    return result.withLock { $0 } ?? .failure(.outcomeUnknown)
  }
}

/// One value that is put and then taken.
private final class Box<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)

  func put(_ new: Value) { value.withLock { $0 = new } }

  func take() -> Value {
    guard let value = value.withLock({ $0 }) else {
      preconditionFailure("a look comes before its answer")
    }
    return value
  }
}
