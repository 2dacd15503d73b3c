import Foundation
import LedgerCore

extension Bench {
  /// Rows take turns, so that what the machine does meanwhile hits all of them.
  func measure(
    _ rows: [Entrance], _ load: inout Load, _ engine: Engine, _ progress: Progress
  ) async throws -> [EntranceReport] {
    var samples = [[Sample]](repeating: [], count: rows.count)
    for _ in 0..<Self.turnCount {
      for index in rows.indices {
        samples[index].append(try await rows[index].measure(&load, engine))
        progress.advance(rows[index].payments)
      }
    }
    return rows.indices.map { EntranceReport(rows[$0], samples[$0]) }
  }

  /// How often each row is measured; what is reported is the median of each figure.
  static let turnCount = 3

  /// A way in, and what is measured there.
  struct Entrance {
    var name: String
    var explanation: String
    var payments: Int
    var offeredPerSecond: Int?
    var measure: (inout Load, Engine) async throws -> Sample
  }

  /// What one turn of a row found.
  struct Sample {
    var payments: Int
    var cost: Cost
    var answers: Answers
  }

  /// The rows, sized so that each takes a second or two where `--payments` is as it is by default.
  func entranceRows() -> [Entrance] {
    [
      awaiting(1, payments: payments / 500),
      awaiting(64, payments: payments / 10),
      awaiting(1_024, payments: payments / 2),
      awaitingSpans(),
      spans("spans of \(batch), spread", "Random wallets; requests made ahead.", payments) {
        load, _ in load.payment()
      },
      spans(
        "spans of \(batch), one hot wallet",
        "One wallet pays or is paid by a random one; requests made ahead.", payments
      ) { load, _ in load.hotPayment() },
      spans(
        "spans of \(batch), 40-byte descriptions",
        "Random wallets; requests made and descriptions sealed ahead.", payments / 4,
        Self.described),
      offering(100_000),
      offering(1_000_000),
    ]
  }

  // MARK: - Rows

  private func awaiting(_ taskCount: Int, payments: Int) -> Entrance {
    let payments = max(payments, 1)
    return Entrance(
      name: "await submit, \(taskCount) \(taskCount == 1 ? "task" : "tasks")",
      explanation: "A payment each in flight; requests made ahead.", payments: payments
    ) { load, engine in
      let requests = (0..<payments).map { _ in load.payment() }
      return try await sample(payments) {
        try await Callers(taskCount: taskCount).run(requests, engine)
      }
    }
  }

  private func awaitingSpans() -> Entrance {
    let spanCount = max(payments / 100, 1)
    return Entrance(
      name: "await submit of spans of 100, 64 tasks",
      explanation: "A span each in flight, latencies are spans'; requests made ahead.",
      payments: spanCount * 100
    ) { load, engine in
      let spans = (0..<spanCount).map { _ in (0..<100).map { _ in load.payment() } }
      return try await sample(spanCount * 100) {
        try await Callers(taskCount: 64).run(spans: spans, engine)
      }
    }
  }

  /// As the ledger's first row: `--in-flight` spans of `--batch` through the completion entrance.
  private func spans(
    _ name: String, _ explanation: String, _ payments: Int,
    _ payment: @escaping (inout Load, Engine) throws -> Request
  ) -> Entrance {
    let spanCount = max(payments / batch, 1)
    return Entrance(
      name: name, explanation: "\(inFlight) in flight, latencies are spans'. " + explanation,
      payments: spanCount * batch
    ) { load, engine in
      var measured = Measured(batch: batch)
      let before = Cost.soFar(data)
      try pay(spanCount, engine, &measured) { try payment(&load, engine) }
      var cost = Cost.soFar(data) - before
      // Requests are made in between, while the clock stands still.
      cost.seconds = measured.engineTime.seconds
      cost.cpuSeconds = measured.cpuMicroseconds / 1e6
      var answers = Answers(refused: measured.refused)
      for latency in measured.engine {
        answers.latencies.record(nanoseconds: UInt64(latency.seconds * 1e9))
      }
      return Sample(payments: spanCount * batch, cost: cost, answers: answers)
    }
  }

  private func offering(_ paymentsPerSecond: Int) -> Entrance {
    let count = offeredCount(paymentsPerSecond)
    return Entrance(
      name: "submit with completion, \(paymentsPerSecond)/s offered",
      explanation: "Two producers, a payment a call, by a schedule whatever became of those "
        + "before; latencies from when a payment was due; requests made ahead.",
      payments: count, offeredPerSecond: paymentsPerSecond
    ) { load, engine in
      let requests = (0..<count).map { _ in load.payment() }
      return try await sample(count) {
        try Schedule(paymentsPerSecond: paymentsPerSecond).run(requests, engine)
      }
    }
  }

  /// So many that they take a microsecond for each of `--payments`.
  func offeredCount(_ paymentsPerSecond: Int) -> Int {
    max(payments * paymentsPerSecond / 1_000_000, Schedule.producerCount)
  }

  private static func described(_ load: inout Load, _ engine: Engine) throws -> Request {
    var request = load.payment()
    let sealed = try engine.preparation.request(
      request.command, by: request.actor, text: ["Invoice 2026-0042, forty bytes, October."])
    request.texts = sealed.texts
    return request
  }

  /// Runs `work`, which submits so many payments, and says what it took.
  func sample(_ payments: Int, _ work: () async throws -> Answers) async throws -> Sample {
    let before = Cost.soFar(data)
    let answers = try await work()
    let cost = Cost.soFar(data) - before
    return Sample(payments: payments, cost: cost, answers: answers)
  }
}

// MARK: - What is said about it

extension Bench {
  /// A row in JSON: medians over the turns, and what the slowest and the fastest reached.
  struct EntranceReport: Encodable {
    var name: String
    var explanation: String
    /// In each turn.
    var payments: Int
    var offeredPerSecond: Int?
    var paymentsPerSecond: Double
    var paymentsPerSecondMin: Double
    var paymentsPerSecondMax: Double
    var p50Us: Double
    var p99Us: Double
    var p999Us: Double
    var cpuUsPerPayment: Double
    var bytesPerPayment: Double
    var bytesWrittenPerPayment: Double
    var refused: Int

    init(_ row: Entrance, _ samples: [Sample]) {
      name = row.name
      explanation = row.explanation
      payments = row.payments
      offeredPerSecond = row.offeredPerSecond
      let rates = samples.map { Double($0.payments - $0.answers.refused) / $0.cost.seconds }
      paymentsPerSecond = Self.median(rates)
      paymentsPerSecondMin = rates.min() ?? 0
      paymentsPerSecondMax = rates.max() ?? 0
      let us = { (q: Double) in
        Self.median(samples.map { Double($0.answers.latencies.quantile(q)) / 1e3 })
      }
      (p50Us, p99Us, p999Us) = (us(0.5), us(0.99), us(0.999))
      let each = { (amount: (Cost) -> Double) in
        Self.median(
          samples.map { amount($0.cost) / Double(max(1, $0.payments - $0.answers.refused)) })
      }
      cpuUsPerPayment = each { $0.cpuSeconds * 1e6 }
      bytesPerPayment = each { Double($0.byteCount) }
      bytesWrittenPerPayment = each { Double($0.writtenByteCount) }
      refused = samples.reduce(0) { $0 + $1.answers.refused }
    }

    static func median(_ values: [Double]) -> Double {
      values.isEmpty ? 0 : values.sorted()[values.count / 2]
    }

    static func table(_ reports: [EntranceReport]) -> String {
      let header = [
        "", "payments/s", "p50 us", "p99 us", "p99.9 us", "CPU us", "bytes", "written", "refused",
      ]
      let rows = reports.map { report in
        [report.name]
          + [
            report.paymentsPerSecond, report.p50Us, report.p99Us, report.p999Us,
          ].map { Report.whole($0) }
          + [Report.two(report.cpuUsPerPayment)]
          + [report.bytesPerPayment, report.bytesWrittenPerPayment].map { Report.whole($0) }
          + [String(report.refused)]
      }
      let explanations = reports.map { "\($0.name): \($0.explanation)" }
      return (["", Table.render([header] + rows), ""] + explanations).joined(separator: "\n")
    }
  }
}
