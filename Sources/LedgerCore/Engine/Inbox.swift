import Synchronization

/// What waits for the engine's thread: bounded, and full is a refusal, never a wait (`design.md`
/// 2).
final class Inbox: Sendable {
  /// The most commands that wait.
  static let commandCountMax = 65_536
  /// Room for at most so many jobs is kept, about 2 MB.
  static let keptJobCountMax = 8_192

  /// Work for the engine's thread. Spans are answered whole, when their last batch is durable.
  enum Job: Sendable {
    /// A command by itself lies in the job, and not in an array that would be made for it.
    case request(Request, LoneCompletion)
    case requests([Request], isLinked: Bool, Completion)
    case read(Read)
  }

  typealias LoneCompletion = @Sendable (Result<Outcome, LedgerFailure>) -> Void
  typealias Completion = @Sendable (Result<[Outcome], LedgerFailure>) -> Void

  /// A look at the state, at the newest event in it and at the time that the next would have.
  /// `look` runs on the engine's thread; `answer` when what it saw is durable, or with the failure
  /// that came in between.
  struct Read: Sendable {
    /// Whether what was decided is made durable before the look, so that it sees the end of a
    /// block.
    var isAtBoundary = false
    var look: @Sendable (borrowing Ledger, EventNumber, Timestamp) -> Void
    var answer: @Sendable (LedgerFailure?) -> Void
  }

  private struct State {
    var jobs: [Job] = []
    var commandCount = 0
    var isClosed = false
    var failure: LedgerFailure?
  }

  private let state = Mutex(State())
  private let arrived = Wakeup()

  /// Adds a job, or answers why not: the engine is closed or failed, or its queue is full.
  func offer(_ job: Job, commandCount: Int) throws(Rejected) {
    let (rejected, wasEmpty) = state.withLock { state -> (Rejected?, Bool) in
      if let failure = state.failure { return (.failed(failure), false) }
      if state.isClosed { return (.failed(.closed), false) }
      guard state.commandCount + commandCount <= Self.commandCountMax else { return (.full, false) }
      state.jobs.append(job)
      state.commandCount += commandCount
      return (nil, state.jobs.count == 1)
    }
    if let rejected { throw rejected }
    if wasEmpty { arrived.wake() }
  }

  enum Rejected: Error {
    case full
    case failed(LedgerFailure)
  }

  /// Takes everything that waits, without waiting for more, into `jobs`, which is empty and whose
  /// memory is used again.
  func takeAll(into jobs: inout [Job]) {
    precondition(jobs.isEmpty)
    state.withLock { state in
      swap(&jobs, &state.jobs)
      state.commandCount = 0
    }
  }

  /// Sleeps at most `milliseconds`; wakes up where something arrives, the inbox is closed or
  /// somebody nudges. Answers false where the time is over.
  @discardableResult
  func pause(milliseconds: Int) -> Bool {
    arrived.wait(milliseconds: milliseconds)
  }

  /// Wakes the engine's thread.
  func nudge() { arrived.wake() }

  /// Whether something waits.
  var isEmpty: Bool { state.withLock { $0.jobs.isEmpty } }

  /// Whether nothing more is accepted.
  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Accepts nothing more; what waits is still done.
  func close() {
    state.withLock { $0.isClosed = true }
    arrived.wake()
  }

  /// Accepts nothing more, because of `failure`; answers what was waiting.
  func fail(_ failure: LedgerFailure) -> [Job] {
    state.withLock { state in
      state.failure = failure
      var jobs: [Job] = []
      swap(&jobs, &state.jobs)
      return jobs
    }
  }
}

extension Inbox.Job {
  /// Tells whoever waits for it what came in between.
  func answer(_ failure: LedgerFailure) {
    switch self {
    case .request(_, let completion): completion(.failure(failure))
    case .requests(_, _, let completion): completion(.failure(failure))
    case .read(let read): read.answer(failure)
    }
  }

  /// Tells whoever waits for it that the disk is full, and that nothing of it was begun.
  func answerStorageFull() {
    let refused = Outcome.refused(Refusal(.storageFull), event: .none, isReplay: false)
    switch self {
    case .request(_, let completion): completion(.success(refused))
    case .requests(let requests, _, let completion):
      completion(.success(requests.map { _ in refused }))
    case .read(let read): read.answer(.storageFull)
    }
  }
}

/// The engine cannot say or do what was asked; the disk or the data is why. Not a ``Rejection``.
public enum LedgerFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The command may or may not be in the log. Ask again with the same key.
  case outcomeUnknown
  /// The engine ended for this reason and does nothing more; open the ledger again.
  case ledgerFailed(StorageError)
  /// A read of the log failed, and found this; the engine goes on.
  case readFailed(StorageError)
  /// A file beside the log could not be written, a backup or a snapshot; the engine goes on.
  case writeFailed(StorageError)
  /// The engine was closed.
  case closed
  /// 65,536 commands and reads are waiting; ask again later. For reads only: a command is refused
  /// with ``Rejection/queueFull``.
  case queueFull
  /// The disk is full, and what was decided waits for room; ask again later. For reads of the state
  /// only: a command is refused with ``Rejection/storageFull``.
  case storageFull

  /// One sentence for a person.
  public var description: String {
    switch self {
    case .outcomeUnknown: "the outcome is unknown: ask again with the same idempotency key"
    case .ledgerFailed(let error): "the ledger stopped: \(error)"
    case .readFailed(let error): "the log could not be read: \(error)"
    case .writeFailed(let error): "it could not be written: \(error)"
    case .closed: "the ledger is closed"
    case .queueFull: "too much is waiting; ask again later"
    case .storageFull: "the disk is full; ask again when it has room"
    }
  }
}
