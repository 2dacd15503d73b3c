import Synchronization

/// The newest durable event, and who waits for a newer one.
final class Heads: Sendable {
  private struct State {
    var head: EventNumber
    var failure: LedgerFailure?
    var nextWaiter = 0
    var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    var sleepers: [(goal: EventNumber, wakeup: Wakeup)] = []
  }

  private let state = Mutex(State(head: .none))

  /// The newest durable event.
  var head: EventNumber { state.withLock { $0.head } }

  /// Says that everything up to `head` is durable.
  func publish(_ head: EventNumber) {
    let waiters = state.withLock { state in
      state.head = head
      Self.wakeSleepers(&state)
      return Self.takeWaiters(&state)
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Says that nothing more will come.
  func fail(_ failure: LedgerFailure) {
    let waiters = state.withLock { state in
      state.failure = state.failure ?? failure
      Self.wakeSleepers(&state)
      return Self.takeWaiters(&state)
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Waits until there is an event after `number`. Answers false where none will come, because the
  /// engine was closed or the task was cancelled; throws where the engine failed.
  func wait(past number: EventNumber) async throws(LedgerFailure) -> Bool {
    while true {
      let (head, failure, ticket) = state.withLock { state in
        state.nextWaiter += 1
        return (state.head, state.failure, state.nextWaiter)
      }
      if head > number { return true }
      if failure == .closed || Task.isCancelled { return false }
      if let failure { throw failure }
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let isLate = state.withLock { state in
            if state.head > number || state.failure != nil || Task.isCancelled { return true }
            state.waiters[ticket] = continuation
            return false
          }
          if isLate { continuation.resume() }
        }
      } onCancel: {
        state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
      }
    }
  }

  /// Why nothing more will come; `nil` while something may.
  var failure: LedgerFailure? { state.withLock { $0.failure } }

  /// Wakes `wakeup` once, as soon as `goal` is durable or nothing more will come. A sleeper has one
  /// goal: the newest that it named.
  func wake(_ wakeup: Wakeup, at goal: EventNumber) {
    state.withLock { state in
      state.sleepers.removeAll { $0.wakeup === wakeup }
      state.sleepers.append((goal, wakeup))
      Self.wakeSleepers(&state)
    }
  }

  private static func wakeSleepers(_ state: inout State) {
    guard !state.sleepers.isEmpty else { return }
    let (head, isOver) = (state.head, state.failure != nil)
    for sleeper in state.sleepers where isOver || sleeper.goal <= head { sleeper.wakeup.wake() }
    state.sleepers.removeAll { isOver || $0.goal <= head }
  }

  private static func takeWaiters(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
    let waiters = Array(state.waiters.values)
    state.waiters.removeAll()
    return waiters
  }
}
