import Dispatch
import Foundation
import LedgerCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// An open loop: payments are due by the clock, whatever became of those before.
///
/// Each is timed from when it was due, so that a producer that comes late, or one that was held up,
/// makes latencies longer and not fewer (coordinated omission).
struct Schedule {
  let paymentsPerSecond: Int
  static let producerCount = 2

  /// Offers every request by itself through the completion entrance; returns with the last answer.
  func run(_ requests: [Request], _ engine: Engine) throws(LedgerFailure) -> Answers {
    let tally = Tally(expecting: requests.count)
    let begin = Clock.nanoseconds + 1_000_000
    let producers = (0..<Self.producerCount).map { number in
      Worker(name: "producer") {
        for index in stride(from: number, to: requests.count, by: Self.producerCount) {
          let due = begin + UInt64(index) * 1_000_000_000 / UInt64(paymentsPerSecond)
          Self.sleep(until: due)
          engine.submit(requests[index]) { result in tally.count(result, due: due) }
        }
      }
    }
    for producer in producers { producer.join() }
    return try tally.wait()
  }

  /// The kernel wakes sleepers some 50 us late; what fell due meanwhile is then submitted at once.
  /// To spin instead would take one of two cores from the engine that is measured.
  private static func sleep(until due: UInt64) {
    while true {
      let now = Clock.nanoseconds
      guard now < due else { return }
      usleep(UInt32(max(1, (due - now) / 1_000)))
    }
  }

  /// What was answered so far.
  private final class Tally: Sendable {
    private struct State {
      var answers = Answers()
      var left: Int
      var failure: LedgerFailure?
    }

    private let state: Mutex<State>
    private let isDone = DispatchSemaphore(value: 0)

    init(expecting count: Int) { state = Mutex(State(left: count)) }

    /// Counts an answer; on the engine's threads, so it is short.
    func count(_ result: Result<Outcome, LedgerFailure>, due: UInt64) {
      let now = Clock.nanoseconds
      let isLast = state.withLock { state in
        switch result {
        case .success(.done): state.answers.latencies.record(nanoseconds: now - due)
        case .success(.refused): state.answers.refused += 1
        case .failure(let failure): state.failure = failure
        }
        state.left -= 1
        return state.left == 0
      }
      if isLast { isDone.signal() }
    }

    func wait() throws(LedgerFailure) -> Answers {
      isDone.wait()
      let (answers, failure) = state.withLock { ($0.answers, $0.failure) }
      if let failure { throw failure }
      return answers
    }
  }
}
