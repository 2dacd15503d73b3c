import LedgerCore

/// A closed loop: tasks that submit and wait, submit and wait.
struct Callers {
  let taskCount: Int

  /// Every request by itself, each task one at a time.
  func run(_ requests: [Request], _ engine: Engine) async throws -> Answers {
    try await run(requests.count) { index in
      let outcome = try await engine.submit(requests[index])
      return outcome.recorded == nil ? 1 : 0
    }
  }

  /// Spans of requests, each task one span at a time.
  func run(spans: [[Request]], _ engine: Engine) async throws -> Answers {
    try await run(spans.count) { index in
      let outcomes = try await engine.submit(spans[index])
      return outcomes.count { $0.recorded == nil }
    }
  }

  /// Submits what has the numbers 0 to `count`; `submit` answers how much of it was refused.
  private func run(
    _ count: Int, _ submit: @escaping @Sendable (Int) async throws -> Int
  ) async throws -> Answers {
    try await withThrowingTaskGroup(of: Answers.self) { group in
      for first in 0..<taskCount {
        group.addTask {
          var answers = Answers()
          for index in stride(from: first, to: count, by: taskCount) {
            let submitted = Clock.nanoseconds
            answers.refused += try await submit(index)
            answers.latencies.record(nanoseconds: Clock.nanoseconds - submitted)
          }
          return answers
        }
      }
      var all = Answers()
      for try await answers in group { all.add(answers) }
      return all
    }
  }
}

/// How long answers took, and how many were refusals.
struct Answers: Sendable {
  var latencies = Latencies()
  var refused = 0

  mutating func add(_ other: Answers) {
    latencies.add(other.latencies)
    refused += other.refused
  }
}
