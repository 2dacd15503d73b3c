import ArgumentParser
import Foundation
import LedgerCore

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Durable payments a second, beside what the same bytes cost without a ledger.
struct Bench: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure durable payments a second beside a plain file on the same disk.",
    discussion: """
      Makes a scratch ledger in DIR, opens and funds wallets, and then submits payments in spans \
      of --batch: each with an idempotency key, a fee and every check, decided by one thread and \
      durable in LMDB when its span is answered. In turn with it, the same number of bytes in the \
      same pieces goes to a plain file by write and fdatasync: to one that starts empty and grows \
      (ratio), and to one that was written full before (ratio_preallocated). Requests are made \
      before the clock starts, as callers on other cores would.

      --entrances opens the ledger again and measures every other way in, three times in turn: \
      tasks that await, one hot wallet, descriptions, payments offered by a schedule, and \
      projections that follow and are built anew. Each row says what is made ahead.

      --mix measures reservations, captures and refunds among payments beside payments alone.
      """)

  @Option(help: "Where the scratch ledger and files go; must not exist.")
  var data = "ledger-bench"
  @Option(help: "How many payments.")
  var payments = 2_000_000
  @Option(help: "How many wallets they go between.")
  var wallets = 1_000_000
  @Option(help: "How many payments are submitted, and made durable, at once: 1 to 8192.")
  var batch = 8_190
  @Option(help: "How many spans are in flight at once: 1 waits for each, 2 keeps the engine busy.")
  var inFlight = 2
  @Option(help: "Zipf exponent of the wallets' popularity; 0 spreads evenly.")
  var hot = 0.0
  @Option(
    help: "Make a snapshot every so many events, as ledgerd does every 4 million; 0 for none.")
  var snapshotEvents = 0
  @Flag(help: "Measure the other ways in too, and projections; --payments says how long.")
  var entrances = false
  @Flag(help: "Measure a mix of commands beside payments alone.")
  var mix = false
  @Option(help: "Pay on until the log has so many events, and say the rate on the way; 0 for not.")
  var growthEvents = 0
  @Flag(help: "Write one JSON object.")
  var json = false
  @Flag(help: "Leave the scratch ledger behind.")
  var keep = false

  func validate() throws {
    guard (1...8_192).contains(batch) else { throw ValidationError("--batch is 1 to 8192") }
    guard wallets >= 2 else { throw ValidationError("--wallets is at least 2") }
    guard payments >= batch else { throw ValidationError("--payments is at least --batch") }
    guard (1...8).contains(inFlight) else { throw ValidationError("--in-flight is 1 to 8") }
    guard hot >= 0 && hot < 5 else { throw ValidationError("--hot is 0 to 5") }
    guard growthEvents >= 0 else { throw ValidationError("--growth-events is not negative") }
  }

  func perform() async throws {
    try refuseIfHeld(data)
    guard !FileManager.default.fileExists(atPath: data) else {
      throw Failure("\(data) is there already; name one that is not", code: 78)
    }
    defer { if !keep { try? FileManager.default.removeItem(atPath: data) } }
    let progress = Progress("bench", total: wallets * 2 + payments)
    let memoryBefore = Memory.residentByteCount
    var options = Engine.Options()
    options.snapshotEventCount = snapshotEvents
    let engine = try Engine.open(data, options)
    let numbers = try open(wallets, in: engine, progress)
    let memoryByteCount = Memory.residentByteCount - memoryBefore
    let eventsBefore = engine.head.rawValue
    let byteCountBefore = Self.byteCount(of: data + "/log/data.mdb")
    var load = Load(wallets: numbers, hot: hot)
    var measured = Measured(batch: batch)

    let spanCount = payments / batch
    let roundCount = min(10, spanCount)
    let raw = try RawFiles(directory: data, pieceByteCount: 72 + batch * 116)
    for round in 0..<roundCount {
      let spans = spanCount * (round + 1) / roundCount - spanCount * round / roundCount
      try pay(spans, engine, &measured) { load.payment() }
      progress.advance(spans * batch)
      try raw.grow(spans, into: &measured.growing)
      try raw.overwrite(spans, into: &measured.preallocated)
    }
    let events = engine.head.rawValue - eventsBefore
    let byteCount = Self.byteCount(of: data + "/log/data.mdb") - byteCountBefore
    measured.snapshotCount = engine.snapshots().count
    engine.close()
    measured.openSeconds = try Self.open(data, options).seconds
    let folded = try Self.fold(data)
    progress.finish()
    var report = Report(
      measured, batch: batch, inFlight: inFlight, wallets: wallets, hot: hot, events: Int(events),
      bytes: byteCount,
      memoryPerWallet: Double(memoryByteCount) / Double(wallets), fold: folded)
    if entrances || mix || growthEvents > 0 { try await measureMore(&load, options, &report) }
    if json { return try printJSON(report) }
    print(report.table())
  }

  /// What the options ask for beside, on the ledger opened again. The growth first: then the log is
  /// as small as it gets.
  private func measureMore(
    _ load: inout Load, _ options: Engine.Options, _ report: inout Report
  ) async throws {
    let engine = try Engine.open(data, options)
    defer { engine.close() }
    let rows = (mix ? mixRows() : []) + (entrances ? entranceRows() : [])
    let rowPayments = rows.reduce(0) { $0 + $1.payments * Self.turnCount }
    let progress = Progress("more", total: rowPayments + growthEvents)
    defer { progress.finish() }
    if growthEvents > 0 { report.growth = try measureGrowth(&load, engine, progress) }
    if !rows.isEmpty {
      report.entrances = try await measure(rows, &load, engine, progress)
    }
    if entrances {
      report.following = try await measureFollowing(&load, engine)
    }
  }

  /// One agent, `count` wallets, each with a billion units.
  private func open(
    _ count: Int, in engine: Engine, _ progress: Progress
  ) throws -> ClosedRange<UInt64> {
    let preparation = engine.preparation
    let registered = try engine.submitAndWait(
      Request(
        .identity(
          .registerAgent(
            tenant: 0, name: 0, asset: AssetNumber(1),
            apiKey: preparation.hash(credential: "bench"),
            secretKey: preparation.hash(credential: "bench-secret"))),
        by: .anonymous))
    guard
      case .identity(.agentRegistered(let agent, _, let first, _, _, _))? = registered.recorded?
        .event
    else { throw Failure("the load's agent was refused", code: 74) }
    var opened = 1
    while opened < count {
      let span = min(8_192, count - opened)
      let request = Request(.wallet(.open(agent: agent, asset: AssetNumber(1))), by: .agent(agent))
      _ = try engine.submitAndWait(Array(repeating: request, count: span))
      opened += span
      progress.advance(span)
    }
    var next = first.rawValue
    let last = first.rawValue + UInt64(count) - 1
    while next <= last {
      let end = min(next + 8_191, last)
      let requests = (next...end).map { number in
        Request(
          .wallet(
            .fund(
              WalletNumber(number), amount: Amount(units: 1_000_000_000_000), asset: .none,
              cap: .commandMax)),
          by: .agent(agent))
      }
      _ = try engine.submitAndWait(requests)
      progress.advance(requests.count)
      next = end + 1
    }
    return first.rawValue...last
  }

  /// Submits so many spans of payments, as `payment` makes them.
  func pay(
    _ spans: Int, _ engine: Engine, _ measured: inout Measured, _ payment: () throws -> Request
  ) throws {
    // Made ahead a few at a time, and the clock stands still meanwhile.
    var left = spans
    while left > 0 {
      let count = min(left, max(32, 65_536 / batch))
      let made = try (0..<count).map { _ in try (0..<batch).map { _ in try payment() } }
      try submit(made, engine, &measured)
      left -= count
    }
  }

  /// What became of spans that were submitted.
  private struct Answered {
    var latencies: [Duration] = []
    var refused = 0
    var failure: LedgerFailure?
  }

  /// Submits spans, so many at once, and waits for all of them.
  func submit(
    _ spans: [[Request]], _ engine: Engine, _ measured: inout Measured
  ) throws {
    let free = DispatchSemaphore(value: inFlight)
    let answered = Guarded(Answered())
    let start = ContinuousClock.now
    let cpu = clock()
    for span in spans {
      free.wait()
      let submitted = ContinuousClock.now
      engine.submit(span) { result in
        let latency = ContinuousClock.now - submitted
        answered.with { answered in
          answered.latencies.append(latency)
          switch result {
          case .success(let outcomes):
            for outcome in outcomes where outcome.recorded == nil { answered.refused += 1 }
          case .failure(let failure): answered.failure = failure
          }
        }
        free.signal()
      }
    }
    for _ in 0..<inFlight { free.wait() }
    measured.engineTime += ContinuousClock.now - start
    measured.cpuMicroseconds += Double(clock() - cpu)
    for _ in 0..<inFlight { free.signal() }
    let all = answered.with { $0 }
    if let failure = all.failure { throw failure }
    measured.engine += all.latencies
    measured.refused += all.refused
  }

  /// How long opening takes.
  private static func open(_ data: String, _ options: Engine.Options) throws -> Duration {
    let start = ContinuousClock.now
    let engine = try Engine.open(data, options)
    defer { engine.close() }
    return ContinuousClock.now - start
  }

  /// Opens the ledger again, folding all of it, every key into memory: how many events a second?
  private static func fold(_ data: String) throws -> Double {
    for part in ["/index", "/snapshots"] {
      try? FileManager.default.removeItem(atPath: data + part)
    }
    var options = Engine.Options()
    options.snapshotEventCount = 0
    options.keysPerRun = .max
    let events = Guarded(0)
    options.onOpening = { done, _ in events.with { $0 = done } }
    let seconds = try open(data, options).seconds
    return Double(events.with { $0 }) / seconds
  }

  static func byteCount(of path: String) -> Int {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return (attributes?[.size] as? Int) ?? 0
  }
}

extension Bench {
  struct Measured {
    var batch: Int
    var engine: [Duration] = []
    /// From the first span of a row to the last answer, added up.
    var engineTime = Duration.zero
    var growing: [Duration] = []
    var preallocated: [Duration] = []
    var refused = 0
    var snapshotCount = 0
    var openSeconds = 0.0
    var cpuMicroseconds = 0.0
  }
}

extension Duration {
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}
