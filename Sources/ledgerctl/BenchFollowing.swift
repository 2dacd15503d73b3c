import ArgumentParser
import Foundation
import LedgerCore
import Projections
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

extension Bench {
  /// What projections cost that follow the ledger, and how far behind they are.
  func measureFollowing(
    _ load: inout Load, _ engine: Engine
  ) async throws -> FollowingReport {
    let projections = try Projections.open(data + "/projections", following: engine)
    defer { projections.close() }
    try await catchUp(projections, engine)
    let rate = 200_000
    let count = offeredCount(rate)
    let spanCount = max(payments / batch, 1)
    var (offered, full): ([Following], [Following]) = ([], [])
    for _ in 0..<Self.turnCount {
      let requests = (0..<count).map { _ in load.payment() }
      offered.append(
        try await follow(projections, engine) {
          try await sample(count) {
            try Schedule(paymentsPerSecond: rate).run(requests, engine)
          }
        })
      // Made at once: while requests were made in between, the projections would catch up.
      let spans = (0..<spanCount).map { _ in (0..<batch).map { _ in load.payment() } }
      full.append(
        try await follow(projections, engine) {
          try await sample(spanCount * batch) {
            var measured = Measured(batch: batch)
            try submit(spans, engine, &measured)
            return Answers(refused: measured.refused)
          }
        })
    }
    let (rebuildRate, differences) = try await rebuild(projections)
    return FollowingReport(
      rows: [
        FollowingRow(
          "projections follow \(rate)/s offered",
          "Submit with completion as above; requests made ahead.", offered),
        FollowingRow(
          "projections follow spans of \(batch)", "\(inFlight) in flight; requests made ahead.",
          full),
      ], rebuildEventsPerSecond: rebuildRate, rebuildDifferences: differences)
  }

  /// What one turn with projections found.
  struct Following {
    var sample: Sample
    var lags: Latencies
    /// Of one core, while payments were made.
    var coreShare: Double
    /// Events that were durable and not applied 60 s after the last answer.
    var missing: Int
  }

  /// Runs `work`, looks how far behind the projections are, and waits until they are not.
  private func follow(
    _ projections: Projections, _ engine: Engine, _ work: () async throws -> Sample
  ) async throws -> Following {
    let lagging = Lagging(projections, engine)
    let threadBefore = ThreadTime.seconds(of: "projections")
    let sample = try await work()
    let threadSeconds = ThreadTime.seconds(of: "projections") - threadBefore
    try await catchUp(projections, engine)
    let missing = engine.head.rawValue - projections.position.rawValue
    return Following(
      sample: sample, lags: lagging.stop(), coreShare: threadSeconds / sample.cost.seconds,
      missing: Int(missing))
  }

  private func catchUp(_ projections: Projections, _ engine: Engine) async throws {
    let begun = ContinuousClock.now
    while projections.position < engine.head, ContinuousClock.now - begun < .seconds(60) {
      try await Task.sleep(for: .milliseconds(1))
    }
  }

  /// Folds the whole log into an empty directory, the ledger idle: events a second, and how many
  /// rows differ from those that followed.
  private func rebuild(
    _ projections: Projections
  ) async throws -> (rate: Double, differences: Int) {
    // What is compared are the rows on disk, and this sees to it that they are the newest.
    guard try await projections.verify().isEmpty else { throw ExitCode(1) }
    let begun = Clock.nanoseconds
    var folded = (events: UInt64(0), nanoseconds: UInt64(1))
    let comparison = try projections.compareWithRebuild { done, _ in
      folded = (done.rawValue, Clock.nanoseconds - begun)
    }
    return (
      Double(folded.events) / Double(folded.nanoseconds) * 1e9, comparison.differences.count
    )
  }
}

/// Watches how far projections are behind, a thousand times a second, on a thread of its own.
private final class Lagging: Sendable {
  private let isStopped = Atomic<Bool>(false)
  private let lags = Mutex(Latencies())
  private let worker = Mutex<Worker?>(nil)

  init(_ projections: Projections, _ engine: Engine) {
    worker.withLock { $0 = Worker(name: "lag") { [self] in watch(projections, engine) } }
  }

  /// How old, at each look, the oldest event was that was durable and not applied; 0 where there
  /// was none.
  func stop() -> Latencies {
    isStopped.store(true, ordering: .relaxed)
    worker.withLock { $0?.join() }
    return lags.withLock { $0 }
  }

  private func watch(_ projections: Projections, _ engine: Engine) {
    /// Heads that were seen and not applied yet, the oldest first.
    var seen: [(head: EventNumber, at: UInt64)] = []
    var first = 0
    while !isStopped.load(ordering: .relaxed) {
      let (position, head, now) = (projections.position, engine.head, Clock.nanoseconds)
      if (seen.last?.head ?? position) < head { seen.append((head, now)) }
      while first < seen.count, seen[first].head <= position { first += 1 }
      let lag = first < seen.count ? now - seen[first].at : 0
      lags.withLock { $0.record(nanoseconds: lag) }
      // A sample a millisecond: a hundredth of the goal, and hardly any of a core.
      usleep(1_000)
    }
  }
}

// MARK: - What is said about it

extension Bench {
  /// A row with projections in JSON: medians over the turns.
  struct FollowingRow: Encodable {
    var name: String
    var explanation: String
    var paymentsPerSecond: Double
    var lagP50Ms: Double
    var lagP99Ms: Double
    var lagMaxMs: Double
    var coreShare: Double
    /// In all turns together.
    var missing: Int

    init(_ name: String, _ explanation: String, _ turns: [Following]) {
      self.name = name
      self.explanation = explanation
      let median = { (of: (Following) -> Double) in EntranceReport.median(turns.map(of)) }
      paymentsPerSecond = median { Double($0.sample.payments) / $0.sample.cost.seconds }
      lagP50Ms = median { Double($0.lags.quantile(0.5)) / 1e6 }
      lagP99Ms = median { Double($0.lags.quantile(0.99)) / 1e6 }
      lagMaxMs = median { Double($0.lags.max) / 1e6 }
      coreShare = median { $0.coreShare }
      missing = turns.reduce(0) { $0 + $1.missing }
    }
  }

  /// The rows with projections, and building them anew.
  struct FollowingReport: Encodable {
    var rows: [FollowingRow]
    var rebuildEventsPerSecond: Double
    /// Rows that differ between what followed and what was built anew.
    var rebuildDifferences: Int

    func table() -> String {
      let header = [
        "", "payments/s", "lag p50 ms", "lag p99 ms", "lag max ms", "cores", "missing",
      ]
      let lines = rows.map { row in
        [
          row.name, Report.whole(row.paymentsPerSecond), Report.two(row.lagP50Ms),
          Report.two(row.lagP99Ms), Report.two(row.lagMaxMs), Report.two(row.coreShare),
          String(row.missing),
        ]
      }
      return [
        "", Table.render([header] + lines), "",
        "projections built anew at \(Report.whole(rebuildEventsPerSecond)) events/s, "
          + "\(rebuildDifferences) rows different from those that followed",
      ].joined(separator: "\n")
    }
  }
}
