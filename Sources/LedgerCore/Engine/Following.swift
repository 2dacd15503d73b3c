import Dispatch
import Foundation
import Synchronization

/// What a reader of the log outside this module needs: events without copies, a thread, a nudge.
///
/// Such a reader (the projections) keeps its own position, reads what is durable after it, and
/// sleeps until more is. It never holds the engine up: to wake it costs the engine one flag.
extension Engine {
  /// The 16 bytes that tell this ledger from every other.
  package var ledger: UInt128 { preparation.ledger }

  /// Why no more events will come: the engine was closed, or it failed. `nil` while some may.
  package var end: LedgerFailure? { following.heads.failure }

  /// Wakes `wakeup` once, when event `goal` is durable or no more events will come.
  package func wake(_ wakeup: Wakeup, at goal: EventNumber) {
    following.heads.wake(wakeup, at: goal)
  }

  /// The log, to walk through; it stays readable until the tape is let go of.
  package func tape() throws(LedgerFailure) -> Tape {
    guard let log = following.log else { throw .closed }
    return Tape(log: log)
  }
}

/// The events of a log in order, each handed over where it lies.
package struct Tape: Sendable {
  let log: EventLog

  /// Hands every event from `first` to `last` to `body`, with its own body, in order; stops early
  /// after `blockCountMax` batches or where `body` answers false. One read transaction, so keep it
  /// under 100 ms.
  package func walk(
    from first: EventNumber, through last: EventNumber, blockCountMax: Int,
    _ body: (Header, borrowing Event, Span<UInt8>) throws(StorageError) -> Bool
  ) throws(StorageError) {
    precondition(first.isSome)
    guard first <= last else { return }
    _ = try log.walkBlocks(from: first, countMax: blockCountMax, checking: .unread) {
      header, bytes throws(StorageError) in
      let skip = first > header.first ? Int(first.rawValue - header.first.rawValue) : 0
      for index in skip..<header.count {
        let number = EventNumber(header.first.rawValue + UInt64(index))
        guard number <= last else { return false }
        let frame = try Block.frame(index, of: header, in: bytes)
        let parts = try Frame.decode(frame)
        let header = Header(number: number, time: parts.time, actor: parts.actor)
        guard try body(header, parts.event, frame.span(parts.body)) else { return false }
      }
      return header.last < last
    }
  }
}

/// A nudge for one thread that sleeps. Waking it twice is waking it once; a nudge is never lost.
package final class Wakeup: Sendable {
  private let isSet = Atomic<Bool>(false)
  private let semaphore = DispatchSemaphore(value: 0)

  /// Nobody was nudged yet.
  package init() {}

  /// Wakes the sleeper, or the next one to fall asleep.
  package func wake() {
    if !isSet.exchange(true, ordering: .acquiringAndReleasing) { semaphore.signal() }
  }

  /// Sleeps until nudged, at most `milliseconds`, or for ever where that is `nil`. Answers false
  /// where the time is over.
  @discardableResult
  package func wait(milliseconds: Int?) -> Bool {
    let deadline: DispatchTime = milliseconds.map { .now() + .milliseconds($0) } ?? .distantFuture
    guard semaphore.wait(timeout: deadline) == .success else { return false }
    _ = isSet.exchange(false, ordering: .acquiringAndReleasing)
    return true
  }
}

/// A thread that runs one function and can be waited for.
package final class Worker: Sendable {
  private let isDone = DispatchSemaphore(value: 0)

  /// Starts a thread that runs `body`.
  package init(name: String, _ body: @escaping @Sendable () -> Void) {
    // The system lets go of a thread's closure only some time after it returned. So the closure
    // holds `body` where it can be taken out: who waited may open anew what `body` had open.
    let work = Guarded<(@Sendable () -> Void)?>(body)
    let thread = Thread { [isDone] in
      // Linux learns a thread's name only from the thread itself.
      Thread.current.name = name
      Self.run(work)
      isDone.signal()
    }
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Takes the function out, runs it, and lets go of it before returning.
  @inline(never)
  private static func run(_ work: Guarded<(@Sendable () -> Void)?>) {
    let body = work.with { work -> (@Sendable () -> Void)? in
      defer { work = nil }
      return work
    }
    body?()
  }

  /// Waits until the function has returned and what it held is let go of. Any number of times, from
  /// any other thread.
  package func join() {
    isDone.wait()
    isDone.signal()
  }
}

/// A value that one thread at a time may look at and change.
package final class Guarded<Value: ~Copyable & Sendable>: Sendable {
  private let mutex: Mutex<Value>

  /// Guards `value`.
  package init(_ value: consuming sending Value) { mutex = Mutex(value) }

  /// Runs `body` on the value while nobody else does. Keep it short, and never nest two.
  package func with<Result: Sendable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try mutex.withLock { value throws(Failure) in try body(&value) }
  }
}
