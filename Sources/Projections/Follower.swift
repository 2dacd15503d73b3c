import LedgerCore

/// The one thread that applies events, and what it shares with readers.
///
/// It sleeps until something is durable, then until 8,192 events are, a reader waits or 50 ms have
/// passed, and applies what there is by then. So a busy ledger is followed in large batches, and a
/// reader of a quiet one waits for one small transaction.
final class Follower: Sendable {
  static let eventCountGoal: UInt64 = 8_192
  static let pauseMilliseconds = 50
  static let patience = Duration.seconds(2)

  private struct State {
    var position: EventNumber
    /// Applies no event after this one.
    var ceiling = EventNumber(.max)
    var isClosed = false
    /// Why nothing more will be applied.
    var end: ProjectionFailure?
    /// Why the last attempt failed; it is tried again.
    var trouble: StorageError?
    var nextTicket = 0
    var waiters: [Int: Waiter] = [:]
  }

  private struct Waiter {
    var goal: EventNumber
    var continuation: CheckedContinuation<Void, Never>
  }

  private let engine: Engine
  private let state: Guarded<State>
  private let wakeup = Wakeup()

  /// Follows `engine` from `position`; nothing happens before ``run(_:_:)``.
  init(_ engine: Engine, from position: EventNumber) {
    self.engine = engine
    state = Guarded(State(position: position))
  }

  /// The newest event applied.
  var position: EventNumber { state.with { $0.position } }

  /// Why nothing more will be applied; `nil` while something may.
  var end: ProjectionFailure? { state.with { $0.end } }

  /// Ends the thread after the batch it is at.
  func close() {
    state.with { $0.isClosed = true }
    wakeup.wake()
  }

  // MARK: - The thread

  /// Applies events until closed, or until the engine or the rows end it. On the follower's thread.
  func run(_ store: DisposableStore, _ fold: consuming Fold) {
    var hasPaused = false
    while true {
      let (isClosed, ceiling, isWanted) = state.with { state in
        (state.isClosed, state.ceiling, state.waiters.values.contains { $0.goal > state.position })
      }
      if isClosed { return end(with: .closed) }
      let position = fold.progress.position
      let head = engine.head
      let goal = min(head, ceiling)
      if goal <= position {
        if head <= position, let failure = engine.end {
          return end(with: ProjectionFailure(failure))
        }
        if head <= position { engine.wake(wakeup, at: EventNumber(position.rawValue + 1)) }
        wakeup.wait(milliseconds: nil)
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
      if !advance(store, &fold, through: goal) { return }
    }
  }

  /// One batch. Answers false where there is no going on.
  private func advance(
    _ store: DisposableStore, _ fold: inout Fold, through goal: EventNumber
  ) -> Bool {
    let tape: Tape
    do throws(LedgerFailure) {
      tape = try engine.tape()
    } catch {
      end(with: ProjectionFailure(error))
      return false
    }
    do throws(StorageError) {
      let position = try fold.advance(store.environment, tape, through: goal)
      reach(position)
      return true
    } catch {
      if error.mayPass {
        // A full disk may get better, and LMDB aborted the transaction whole.
        state.with { $0.trouble = error }
        wakeup.wait(milliseconds: 1_000)
        return true
      }
      // Whatever these rows are, they are not what the log says: begin again at the next open.
      do throws(StorageError) { try store.distrust() } catch {}
      end(with: .failed(error))
      return false
    }
  }

  private func reach(_ position: EventNumber) {
    let done = state.with { state -> [Waiter] in
      state.position = position
      state.trouble = nil
      let done = state.waiters.filter { $0.value.goal <= position }
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

  /// Waits until `goal` is applied, at most 2 s.
  func wait(for goal: EventNumber) async throws(ProjectionFailure) {
    if try hasReached(goal) { return }
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
        let isLate = state.with { state -> Bool in
          if state.position >= goal || state.end != nil || Task.isCancelled { return true }
          state.waiters[ticket] = Waiter(goal: goal, continuation: continuation)
          return false
        }
        if isLate { continuation.resume() } else { wakeup.wake() }
      }
    } onCancel: {
      giveUp(ticket)
    }
    alarm.cancel()
    guard try hasReached(goal) else {
      throw state.with { state in
        state.trouble.map { .failed($0) } ?? .behind(position: state.position, head: goal)
      }
    }
  }

  private func hasReached(_ goal: EventNumber) throws(ProjectionFailure) -> Bool {
    let (position, end) = state.with { ($0.position, $0.end) }
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
