import LedgerCore

/// The thread that writes drafts, so that events are applied meanwhile: at a million wallets a
/// draft takes a few tenths of a second.
final class DraftWriter: Sendable {
  private enum State {
    case idle
    case wanted(Fold.Draft)
    case writing
    case done(StorageError?)
    case closed
  }

  /// What became of a draft.
  enum Outcome {
    case written
    case failed(StorageError)
  }

  private let state = Guarded(State.idle)
  private let wakeup = Wakeup()
  private let worker: Worker

  /// Begins with nothing to write. `owner` is nudged when a draft is done.
  init(_ environment: Environment, owner: Wakeup) {
    let (state, wakeup) = (state, wakeup)
    // Named as the follower's thread is: together they are what following costs.
    worker = Worker(name: "projections") {
      while true {
        let (draft, isClosed) = state.with { state -> (Fold.Draft?, Bool) in
          switch state {
          case .wanted(let draft):
            state = .writing
            return (draft, false)
          case .closed: return (nil, true)
          case .idle, .writing, .done: return (nil, false)
          }
        }
        if isClosed { return }
        guard let draft else {
          wakeup.wait(milliseconds: nil)
          continue
        }
        var failure: StorageError?
        do throws(StorageError) {
          try draft.write(environment)
        } catch {
          failure = error
        }
        state.with { [failure] state in
          // Nobody waits for what became of it where it was closed meanwhile.
          if case .writing = state { state = .done(failure) }
        }
        owner.wake()
      }
    }
  }

  /// Begins to write `draft`; what became of the one before was taken.
  func begin(_ draft: Fold.Draft) {
    state.with { state in
      guard case .idle = state else { preconditionFailure("one draft at a time") }
      state = .wanted(draft)
    }
    wakeup.wake()
  }

  /// What became of the draft, once; `nil` where there is none, or it is not done.
  func takeOutcome() -> Outcome? {
    state.with { state in
      guard case .done(let failure) = state else { return nil }
      state = .idle
      return failure.map { .failed($0) } ?? .written
    }
  }

  /// Ends the thread. A draft that is being written is finished, and nobody learns of it.
  func close() {
    state.with { $0 = .closed }
    wakeup.wake()
    worker.join()
  }
}
