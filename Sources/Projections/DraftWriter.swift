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
        state.with { [failure] in $0 = .done(failure) }
        owner.wake()
      }
    }
  }

  /// Whether a draft is not done.
  var isBusy: Bool {
    state.with { state in
      switch state {
      case .wanted, .writing: true
      case .idle, .done, .closed: false
      }
    }
  }

  /// Begins to write `draft`; the one before was taken.
  func begin(_ draft: Fold.Draft) {
    state.with { $0 = .wanted(draft) }
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

  /// Ends the thread. No draft is on its way.
  func close() {
    state.with { $0 = .closed }
    wakeup.wake()
    worker.join()
  }
}
