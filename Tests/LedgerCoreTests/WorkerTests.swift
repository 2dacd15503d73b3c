import Testing

@testable import LedgerCore

/// Goal: whoever waited for a worker may open again what it had open.
/// Method: a worker that alone holds an object; the object is gone when the wait is over. Many
/// rounds, because what is looked for is a race.
@Suite struct WorkerTests {
  private final class Held: Sendable {}

  @Test func `a worker that was waited for holds nothing any more`() {
    for round in 0..<2_000 {
      weak let held: Held?
      let worker: Worker
      do {
        let object = Held()
        held = object
        worker = Worker(name: "held") { _ = object }
      }
      worker.join()
      #expect(held == nil, "round \(round)")
      if held != nil { return }
    }
  }
}
