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
  /// How long a read waits for events to be applied, and who looks at the rows on disk for those.
  static let patience = Duration.seconds(2)
  static let diskPatience = Duration.seconds(30)

  private struct State {
    var position: EventNumber
    /// What is in the rows on disk.
    var written: EventNumber
    /// Applies no event after this one.
    var ceiling = EventNumber(.max)
    var isClosed = false
    /// Why nothing more will be applied.
    var end: ProjectionFailure?
    /// Why rows could not be read, or not be written, at the last attempt; it is tried again.
    var readTrouble: StorageError?
    var writeTrouble: StorageError?
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

  /// The newest event in the rows on disk.
  var written: EventNumber { state.with { $0.written } }

  /// Why nothing more will be applied; `nil` while something may.
  var end: ProjectionFailure? { state.with { $0.end } }

  /// Hands the rows as they are now to `body`, with a transaction for those that are not in memory;
  /// `nil` where they do not have event `goal`, or half of one. The thread waits meanwhile, so
  /// nothing long is done here.
  func look<Value: Sendable>(
    _ environment: Environment, at goal: EventNumber,
    _ body: @Sendable (borrowing Fold, Transaction) throws(StorageError) -> Value
  ) throws(StorageError) -> Value? {
    // The transaction begins while nothing changes: rows that memory was taken from are in it.
    try fold.with { fold throws(StorageError) in
      guard !fold.isSpoilt, fold.progress.position >= goal else { return nil }
      return try environment.read { transaction throws(StorageError) in
        try body(fold, transaction)
      }
    }
  }

  /// Ends the thread after what it is at, and once what is applied is written.
  func close() {
    state.with { $0.isClosed = true }
    wakeup.wake()
  }

  // MARK: - The thread

  /// What becomes of rows that wait to be written.
  private enum Phase { case resting, drafting, writing }

  /// Applies events until closed, or until the engine or the rows end it. On the follower's thread.
  func run(_ store: DisposableStore) {
    var (pace, due, phase) = (Pace(), WriteDue(), Phase.resting)
    var hasPaused = false
    var writeBegun = ContinuousClock.now
    let writer = DraftWriter(store.environment, owner: wakeup)
    defer { writer.close() }
    while true {
      if let outcome = writer.takeOutcome() {
        phase = .resting
        pace.add(writeBegun)
        guard settle(outcome, store, &due) else { return }
      }
      // Before the ceiling: who lowers that looks at the head afterwards.
      let head = engine.head
      let (position, ceiling, isWanted, isWriteWanted, isClosed) = state.with { state in
        (state.position, state.ceiling, state.isWanted, state.isWriteWanted, state.isClosed)
      }
      if isClosed { return finish(with: .closed, phase, writer, store) }
      let (isFull, isAlmostFull) = fold.with { ($0.isFull, $0.isAlmostFull) }
      if phase == .resting, due.isNow(isWanted: isWriteWanted || isAlmostFull) {
        (writeBegun, due) = (.now, WriteDue())
        if beginDraft() { phase = .drafting }
      }
      if phase == .drafting, let draft = fold.with({ $0.continueDraft() }) {
        writer.begin(draft)
        phase = .writing
      }
      let goal = min(head, ceiling)
      if goal <= position || isFull {
        if head <= position, let failure = engine.end {
          return finish(with: ProjectionFailure(failure), phase, writer, store)
        }
        if head <= position { engine.wake(wakeup, at: EventNumber(position.rawValue + 1)) }
        if phase != .drafting {
          // The writer wakes us when it is done.
          wakeup.wait(milliseconds: phase == .writing ? nil : due.milliseconds)
        }
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
      due.note(since: begun)
      pace.add(begun)
      if !isWanted, phase != .drafting { pace.rest(wakeup, head: engine.head) }
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
      reach { state in
        state.position = position
        state.readTrouble = nil
      }
      return true
    } catch {
      let (position, isSpoilt) = fold.with { ($0.progress.position, $0.isSpoilt) }
      reach { $0.position = position }
      guard error.mayPass, !isSpoilt else {
        fail(error, store)
        return false
      }
      state.with { $0.readTrouble = error }
      wakeup.wait(milliseconds: 1_000)
      return true
    }
  }

  // MARK: - Writing

  /// Begins a draft of what waits, if anything does.
  private func beginDraft() -> Bool {
    fold.with { fold in
      guard fold.waitingEventCount > 0 else { return false }
      fold.beginDraft()
      return true
    }
  }

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
      reach { state in
        state.written = written
        state.writeTrouble = nil
      }
      return true
    case .failed(let error):
      fold.with { $0.settle(wasWritten: false) }
      guard error.mayPass else {
        fail(error, store)
        return false
      }
      // A full disk may get better, and LMDB aborted the transaction whole.
      tellWriteTrouble(error)
      due.fail()
      return true
    }
  }

  /// Writes everything that is applied, and ends. Nobody is kept waiting for room: after one
  /// failure, that is all.
  private func finish(
    with failure: ProjectionFailure, _ phase: Phase, _ writer: DraftWriter,
    _ store: DisposableStore
  ) {
    var (phase, due) = (phase, WriteDue())
    while true {
      switch phase {
      case .resting:
        if let error = state.with({ $0.writeTrouble }) { return end(with: .failed(error)) }
        guard beginDraft() else { return end(with: failure) }
        phase = .drafting
      case .drafting:
        guard let draft = fold.with({ $0.continueDraft() }) else { continue }
        writer.begin(draft)
        phase = .writing
      case .writing:
        guard let outcome = writer.takeOutcome() else {
          wakeup.wait(milliseconds: nil)
          continue
        }
        guard settle(outcome, store, &due) else { return }
        phase = .resting
      }
    }
  }

  /// Whatever these rows are, they are not what the log says: begin again at the next open.
  private func fail(_ error: StorageError, _ store: DisposableStore) {
    do throws(StorageError) { try store.distrust() } catch {}
    end(with: .failed(error))
  }

  /// Tells those who wait for rows to be written why they are not.
  private func tellWriteTrouble(_ error: StorageError) {
    let waiters = state.with { state -> [Waiter] in
      state.writeTrouble = error
      let waiters = state.waiters.filter { $0.value.isOnDisk }
      for ticket in waiters.keys { state.waiters[ticket] = nil }
      return Array(waiters.values)
    }
    for waiter in waiters { waiter.continuation.resume() }
  }

  private func reach(_ change: (inout State) -> Void) {
    let done = state.with { state -> [Waiter] in
      change(&state)
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

  /// Waits until `goal` is applied, at most 2 s; or on disk, at most 30 s.
  func wait(for goal: EventNumber, onDisk isOnDisk: Bool = false) async throws(ProjectionFailure) {
    if try hasReached(goal, isOnDisk) { return }
    let ticket = state.with { state -> Int in
      state.nextTicket += 1
      return state.nextTicket
    }
    let alarm = Task { [self] in
      let patience = isOnDisk ? Self.diskPatience : Self.patience
      do { try await Task.sleep(for: patience) } catch { return }
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
        let trouble = isOnDisk ? state.writeTrouble ?? state.readTrouble : state.readTrouble
        return trouble.map { .failed($0) }
          ?? .behind(position: isOnDisk ? state.written : state.position, head: goal)
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
  mutating func note(since begun: ContinuousClock.Instant) {
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
  /// What is owed beyond that is forgotten: after a long time of it, rest begins anew.
  private static let debtMax = Duration.seconds(1)
  /// A log that did not grow for so long is idle, and nobody is disturbed by catching up.
  private static let idlePause = Duration.milliseconds(100)

  /// Counts work from `begun` until now.
  mutating func add(_ begun: ContinuousClock.Instant) {
    due = min(max(due, begun) + (.now - begun) * 3, .now + Self.debtMax)
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
