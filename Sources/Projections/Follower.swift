import LedgerCore

/// The one thread that applies events, and what it shares with readers and the ``DraftWriter``.
///
/// It sleeps until something is durable, then until 2,048 events are, a reader waits or 20 ms have
/// passed, and applies what there is by then: readers see it at once, in memory. Rows are written
/// when the oldest event that waits for that has waited 5 s, a million events wait, or the memory
/// is full. So a busy ledger's rows are written once for many events, and a quiet one's soon.
///
/// While the log grows and no reader waits, following takes a third of a core: what is left of the
/// machine makes payments. It may fall behind then, and catches up as soon as it can.
final class Follower: Sendable {
  static let eventCountGoal: UInt64 = 2_048
  static let pauseMilliseconds = 20
  static let writePause = Duration.seconds(5)
  static let patience = Duration.seconds(2)

  private struct State {
    var position: EventNumber
    /// What is in the rows on disk.
    var written: EventNumber
    /// Applies no event after this one.
    var ceiling = EventNumber(.max)
    var isClosed = false
    /// Why nothing more will be applied.
    var end: ProjectionFailure?
    /// Why the last attempt failed; it is tried again.
    var trouble: StorageError?
    var nextTicket = 0
    var waiters: [Int: Waiter] = [:]

    func isDone(_ waiter: Waiter) -> Bool { waiter.goal <= (waiter.isOnDisk ? written : position) }
    /// Whether somebody waits for events to be applied, or to be written.
    var isWanted: Bool { waiters.values.contains { $0.goal > position } }
    var isWriteWanted: Bool {
      waiters.values.contains { $0.isOnDisk && $0.goal > written && $0.goal <= position }
    }
  }

  private struct Waiter {
    var goal: EventNumber
    /// Whether applied is not enough.
    var isOnDisk: Bool
    var continuation: CheckedContinuation<Void, Never>
  }

  private let engine: Engine
  private let fold: Guarded<Fold>
  private let state: Guarded<State>
  private let wakeup = Wakeup()

  /// Follows `engine` from what is written; nothing happens before ``run(_:)``.
  init(_ engine: Engine, from written: Progress) {
    self.engine = engine
    fold = Guarded(Fold(written))
    state = Guarded(State(position: written.position, written: written.position))
  }

  /// The newest event applied.
  var position: EventNumber { state.with { $0.position } }

  /// Why nothing more will be applied; `nil` while something may.
  var end: ProjectionFailure? { state.with { $0.end } }

  /// Hands the rows as they are now to `body`, with a transaction for those that are not in memory.
  /// The thread waits meanwhile, so nothing long is done here.
  func look<Value: Sendable>(
    _ environment: Environment,
    _ body: @Sendable (borrowing Fold, Transaction) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    // The transaction begins while nothing changes: rows that memory was taken from are in it.
    try fold.with { fold throws(StorageError) in
      try environment.read { transaction throws(StorageError) in try body(fold, transaction) }
    }
  }

  /// Ends the thread after the batch it is at.
  func close() {
    state.with { $0.isClosed = true }
    wakeup.wake()
  }

  // MARK: - The thread

  /// Applies events until closed, or until the engine or the rows end it. On the follower's thread.
  func run(_ store: DisposableStore) {
    var (pace, due) = (Pace(), WriteDue())
    var (hasPaused, isDrafting) = (false, false)
    var writeBegun = ContinuousClock.now
    let writer = DraftWriter(store.environment, owner: wakeup)
    defer { writer.close() }
    while true {
      if let outcome = writer.takeOutcome() {
        pace.add(writeBegun)
        guard settle(outcome, store, &due) else { return }
      }
      let (position, ceiling, isWanted, isWriteWanted, isClosed) = state.with { state in
        (state.position, state.ceiling, state.isWanted, state.isWriteWanted, state.isClosed)
      }
      let (isFull, isAlmostFull) = fold.with { ($0.isFull, $0.isAlmostFull) }
      let isBusy = isDrafting || writer.isBusy
      if isClosed { return finish(with: .closed, isDrafting, writer, store) }
      if !isBusy, due.isNow(isWanted: isWriteWanted || isAlmostFull) {
        writeBegun = .now
        due = WriteDue()
        isDrafting = fold.with { fold in
          guard fold.waitingEventCount > 0 else { return false }
          fold.beginDraft()
          return true
        }
      }
      if isDrafting, let draft = fold.with({ $0.continueDraft() }) {
        writer.begin(draft)
        isDrafting = false
      }
      let head = engine.head
      let goal = min(head, ceiling)
      if goal <= position || isFull {
        if head <= position, let failure = engine.end {
          return finish(with: ProjectionFailure(failure), isDrafting, writer, store)
        }
        if head <= position { engine.wake(wakeup, at: EventNumber(position.rawValue + 1)) }
        if !isDrafting { wakeup.wait(milliseconds: writer.isBusy ? nil : due.milliseconds) }
        hasPaused = false
        continue
      }
      let isEnough = goal.rawValue - position.rawValue >= Self.eventCountGoal
      if !isEnough, !isWanted, !hasPaused, engine.end == nil {
        engine.wake(wakeup, at: EventNumber(position.rawValue + Self.eventCountGoal))
        wakeup.wait(milliseconds: Self.pauseMilliseconds)
        hasPaused = true
        continue
      }
      hasPaused = false
      let begun = ContinuousClock.now
      guard advance(store, through: goal) else { return }
      due.wait(since: begun)
      pace.add(begun)
      if !isWanted, !isDrafting { pace.rest(wakeup, head: engine.head) }
    }
  }

  /// Applies one slice. Answers false where there is no going on.
  private func advance(_ store: DisposableStore, through goal: EventNumber) -> Bool {
    let tape: Tape
    do throws(LedgerFailure) {
      tape = try engine.tape()
    } catch {
      end(with: ProjectionFailure(error))
      return false
    }
    do throws(StorageError) {
      let position = try fold.with { fold throws(StorageError) in
        try fold.advance(store.environment, tape, through: goal)
        return fold.progress.position
      }
      reach { $0.position = position }
      return true
    } catch {
      let written = fold.with { fold in
        fold.startOver()
        return fold.written.position
      }
      state.with { $0.position = written }
      guard goesOn(after: error, store) else { return false }
      wakeup.wait(milliseconds: 1_000)
      return true
    }
  }

  // MARK: - Writing

  /// Takes in what became of a draft. Answers false where there is no going on.
  private func settle(
    _ outcome: DraftWriter.Outcome, _ store: DisposableStore, _ due: inout WriteDue
  ) -> Bool {
    switch outcome {
    case .written:
      let written = fold.with { fold in
        fold.settle(wasWritten: true)
        return fold.written.position
      }
      reach { $0.written = written }
      return true
    case .failed(let error):
      fold.with { $0.settle(wasWritten: false) }
      due.fail()
      return goesOn(after: error, store)
    }
  }

  /// Writes everything that is applied, and ends.
  private func finish(
    with failure: ProjectionFailure, _ isDrafting: Bool, _ writer: DraftWriter,
    _ store: DisposableStore
  ) {
    // Who closes is not kept waiting for room: after one failure, that is all.
    state.with { $0.isClosed = true }
    var (isDrafting, due) = (isDrafting, WriteDue())
    while true {
      while isDrafting {
        guard let draft = fold.with({ $0.continueDraft() }) else { continue }
        writer.begin(draft)
        isDrafting = false
      }
      while writer.isBusy { wakeup.wait(milliseconds: nil) }
      if let outcome = writer.takeOutcome(), !settle(outcome, store, &due) { return }
      guard fold.with({ $0.waitingEventCount > 0 }) else { return end(with: failure) }
      fold.with { $0.beginDraft() }
      isDrafting = true
    }
  }

  /// Whether what `error` ended may be tried again.
  private func goesOn(after error: StorageError, _ store: DisposableStore) -> Bool {
    guard error.mayPass else {
      // Whatever these rows are, they are not what the log says: begin again at the next open.
      do throws(StorageError) { try store.distrust() } catch {}
      end(with: .failed(error))
      return false
    }
    // A full disk may get better, and LMDB aborted the transaction whole.
    let isClosed = state.with { state in
      state.trouble = error
      return state.isClosed
    }
    if isClosed { end(with: .failed(error)) }
    return !isClosed
  }

  private func reach(_ change: (inout State) -> Void) {
    let done = state.with { state -> [Waiter] in
      change(&state)
      state.trouble = nil
      let done = state.waiters.filter { state.isDone($0.value) }
      for ticket in done.keys { state.waiters[ticket] = nil }
      return Array(done.values)
    }
    for waiter in done { waiter.continuation.resume() }
  }

  private func end(with failure: ProjectionFailure) {
    let waiters = state.with { state -> [Waiter] in
      state.end = state.end ?? failure
      let waiters = Array(state.waiters.values)
      state.waiters.removeAll()
      return waiters
    }
    for waiter in waiters { waiter.continuation.resume() }
  }

  // MARK: - Waiting

  /// Waits until `goal` is applied, at most 2 s; and written, where it is to be on disk.
  func wait(for goal: EventNumber, onDisk isOnDisk: Bool = false) async throws(ProjectionFailure) {
    if try hasReached(goal, isOnDisk) { return }
    let ticket = state.with { state -> Int in
      state.nextTicket += 1
      return state.nextTicket
    }
    let alarm = Task { [self] in
      do { try await Task.sleep(for: Self.patience) } catch { return }
      giveUp(ticket)
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let waiter = Waiter(goal: goal, isOnDisk: isOnDisk, continuation: continuation)
        let isLate = state.with { state -> Bool in
          if state.isDone(waiter) || state.end != nil || Task.isCancelled { return true }
          state.waiters[ticket] = waiter
          return false
        }
        if isLate { continuation.resume() } else { wakeup.wake() }
      }
    } onCancel: {
      giveUp(ticket)
    }
    alarm.cancel()
    guard try hasReached(goal, isOnDisk) else {
      throw state.with { state in
        state.trouble.map { .failed($0) } ?? .behind(position: state.position, head: goal)
      }
    }
  }

  private func hasReached(
    _ goal: EventNumber, _ isOnDisk: Bool
  ) throws(ProjectionFailure) -> Bool {
    let (position, end) = state.with { (isOnDisk ? $0.written : $0.position, $0.end) }
    if position >= goal { return true }
    if let end { throw end }
    return false
  }

  private func giveUp(_ ticket: Int) {
    state.with { $0.waiters.removeValue(forKey: ticket) }?.continuation.resume()
  }

  // MARK: - Standing still

  /// Begins no batch that goes beyond `ceiling` from now on; the one at hand is finished.
  func stop(at ceiling: EventNumber) {
    state.with { $0.ceiling = ceiling }
    wakeup.wake()
  }
}

/// When rows are to be written next.
private struct WriteDue {
  /// When they have waited long enough; `nil` where nothing waits.
  private var time: ContinuousClock.Instant?
  /// Not before this, whoever wants it: the last attempt failed.
  private var earliest: ContinuousClock.Instant?

  /// Says that an event waits since `begun`.
  mutating func wait(since begun: ContinuousClock.Instant) {
    time = time ?? begun + Follower.writePause
  }

  /// Says that the attempt failed.
  mutating func fail() {
    earliest = .now + .seconds(1)
    time = earliest
  }

  /// Whether it is time: for what waits, or at once where it is wanted.
  func isNow(isWanted: Bool) -> Bool {
    let now = ContinuousClock.now
    if let earliest, now < earliest { return false }
    return isWanted || time.map { now >= $0 } ?? false
  }

  /// Until then; `nil` where nothing waits.
  var milliseconds: Int? {
    time.map { time in max(Int((time - .now) / .milliseconds(1)) + 1, 0) }
  }
}

/// Keeps work at a third of a core in the mean, while the log grows.
private struct Pace {
  /// When it will have taken no more than its share, if it rests until then.
  private var due = ContinuousClock.now
  /// When the log was last seen to have grown, and to where.
  private var growth = (head: EventNumber.none, at: ContinuousClock.now)

  /// The longest rest in one piece: who waits for events is not to wait for what was owed.
  private static let restMax = Duration.milliseconds(20)
  /// A log that did not grow for so long is idle, and nobody is disturbed by catching up.
  private static let idlePause = Duration.milliseconds(100)

  /// Counts work from `begun` until now.
  mutating func add(_ begun: ContinuousClock.Instant) {
    due = max(due, begun) + (.now - begun) * 3
  }

  /// Rests for some of what is owed, where the log grows; a nudge ends it.
  mutating func rest(_ wakeup: Wakeup, head: EventNumber) {
    let now = ContinuousClock.now
    if head > growth.head { growth = (head, now) }
    guard now - growth.at < Self.idlePause else { return }
    let owed = min(due - now, Self.restMax)
    if owed >= .milliseconds(1) { wakeup.wait(milliseconds: Int(owed / .milliseconds(1))) }
  }
}
