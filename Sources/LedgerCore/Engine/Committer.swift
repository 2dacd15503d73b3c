import Dispatch
import Synchronization

/// Makes batches durable, on a thread of its own while there is a backlog (`design.md` 2).
///
///     engine's thread   decide n+1 ─────────────▶ decide n+2 ───
///                       │ ship n                  │ ship n+1
///     committer         hash n ▶ LMDB ▶ head.log ▶ answer n ▶ hash n+1 …
///
/// There is one writer. Whoever has it commits: the committer while a batch is shipped, otherwise
/// the engine's thread, because for a lone command a hand-over would double the latency.
// Safe: the writer and what is shipped are touched by the committer's thread from `ship` until it
// sets `isDone`, and by the engine's thread from then until the next `ship`; that flag and the
// semaphore order the two.
final class Committer: @unchecked Sendable {
  /// An answer that waits for the disk.
  enum Answer {
    case outcome(Inbox.LoneCompletion, Outcome)
    case outcomes(Inbox.Completion, [Outcome])
    case read(Inbox.Read)

    /// Tells the caller what it asked for, or what came in between.
    func give(_ failure: LedgerFailure? = nil) {
      switch self {
      case .outcome(let completion, let outcome):
        completion(failure.map { .failure($0) } ?? .success(outcome))
      case .outcomes(let completion, let outcomes):
        completion(failure.map { .failure($0) } ?? .success(outcomes))
      case .read(let read): read.answer(failure)
      }
    }
  }

  /// A batch, and who waits for it.
  struct Shipment: ~Copyable {
    var batch: Batch
    var answers: [Answer]
    /// Why it is not durable, if it is not.
    var error: StorageError?

    /// The batch alone; who waited for it was answered.
    consuming func takeBatch() -> Batch { batch }
  }

  var writer: EventLog.Writer
  private var shipment: Shipment?
  private let heads: Heads
  /// Woken when a shipment is done.
  private let inbox: Inbox
  private let shipped = DispatchSemaphore(value: 0)
  private let done = DispatchSemaphore(value: 0)
  private let isDoneFlag = Atomic<Bool>(false)
  private let isStopped = Atomic<Bool>(false)
  private let worker = Mutex<Worker?>(nil)

  init(_ writer: consuming EventLog.Writer, _ heads: Heads, _ inbox: Inbox) {
    self.writer = writer
    self.heads = heads
    self.inbox = inbox
  }

  // MARK: - The engine's side

  /// Hands a batch over. Nothing may be shipped, and the engine's thread leaves the writer alone
  /// until the shipment was taken back.
  func ship(_ shipment: consuming Shipment) {
    worker.withLock { worker in
      worker = worker ?? Worker(name: "committer") { [self] in run() }
    }
    self.shipment = consume shipment
    shipped.signal()
  }

  /// Whether what was shipped can be taken back.
  @inline(__always)
  var isDone: Bool { isDoneFlag.load(ordering: .acquiring) }

  /// Takes back what was shipped; waits until that is done.
  func takeBack() -> Shipment {
    done.wait()
    isDoneFlag.store(false, ordering: .relaxed)
    guard let shipment = shipment.take() else {
      preconditionFailure("what is taken back was shipped")
    }
    return shipment
  }

  /// Ends the thread; nothing may be shipped.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    shipped.signal()
    worker.withLock { worker in
      worker?.join()
      worker = nil
    }
  }

  // MARK: - The committer's side

  private func run() {
    while true {
      shipped.wait()
      if isStopped.load(ordering: .acquiring) { return }
      commit()
      isDoneFlag.store(true, ordering: .releasing)
      done.signal()
      inbox.nudge()
    }
  }

  private func commit() {
    guard var shipment = shipment.take() else { return }
    do throws(StorageError) {
      try writer.commit(&shipment.batch)
      heads.publish(EventNumber(shipment.batch.first.rawValue - 1))
      for answer in shipment.answers { answer.give() }
      shipment.answers.removeAll(keepingCapacity: true)
    } catch {
      shipment.error = error
    }
    self.shipment = consume shipment
  }
}
