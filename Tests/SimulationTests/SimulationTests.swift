import Foundation
import LedgerCore
import Testing

/// Goal: the engine does exactly what the accounting rules say, whatever is asked of it, in any
/// order and at any time on the clock, also after it was closed and opened again, and when the disk
/// is full or fails meanwhile.
/// Method: seeds make commands, valid and invalid, alone, in batches and in linked units; the
/// engine and a naive ledger get the same. Outcomes, events with their bodies, and balances are
/// compared after every step, and the invariants are checked after every event. A seed that finds
/// something is shrunk.
///
/// `SIMULATION_COMMANDS` sets how many commands are run in all, `SIMULATION_SEED` the first seed.
@Suite(.serialized) struct SimulationTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let commandCount = environment["SIMULATION_COMMANDS"].flatMap { Int($0) } ?? 6_000
  private static let firstSeed = environment["SIMULATION_SEED"].flatMap { UInt64($0) } ?? 1
  private static let commandsPerSeed = 300

  /// The sequence that Rosetta Code publishes for this seed.
  @Test func `a seed names the same chances on every machine`() {
    var dice = Dice(seed: 1_234_567)
    let published: [UInt64] = [
      6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
    ]
    #expect(published.map { _ in dice.next() } == published)
  }

  @Test func `the engine agrees with the naive ledger`() async throws {
    var (commandCount, eventCount) = (0, 0)
    var steps = (restarts: 0, crashes: 0, faults: 0, clocks: 0)
    var seed = Self.firstSeed
    while commandCount < Self.commandCount {
      print("seed=\(seed)")
      let run = try await Self.run(seed)
      commandCount += run.commandCount
      eventCount += run.log.count
      for step in run.steps {
        switch step {
        case .submit, .deposit: break
        case .clock: steps.clocks += 1
        case .restart: steps.restarts += 1
        case .crash: steps.crashes += 1
        case .fault, .opening: steps.faults += 1
        }
      }
      if run.found != nil {
        Issue.record("seed=\(seed), \(run.swarm)\n\(try await Self.explanation(of: run))")
        return
      }
      seed += 1
    }
    let seedCount = seed - Self.firstSeed
    print(
      "prove: \(commandCount) commands and \(eventCount) events of \(seedCount) seeds, with",
      "\(steps.restarts) restarts, \(steps.crashes) crashes, \(steps.faults) disk faults and",
      "\(steps.clocks) clock steps; seed \(Self.firstSeed); no difference")
  }

  @Test func `a seed names its events for ever`() async throws {
    var equalCount = 0
    for seed in Self.firstSeed..<(Self.firstSeed + 2) {
      let (first, second) = (try await Self.run(seed), try await Self.run(seed))
      // Genesis has a random ledger id; everything after it follows from the seed.
      let isEqual = first.log.dropFirst() == second.log.dropFirst()
      #expect(isEqual, "seed=\(seed)")
      equalCount += isEqual ? 1 : 0
    }
    print("prove: 2 seeds, each twice; seed \(Self.firstSeed); \(equalCount) with the same events")
  }

  @Test func `a batch of more events than a commit takes is done to its end`() async throws {
    let directories = try Directories()
    defer { directories.removeAll() }
    let clock = SteppedClock(at: Run.began)
    var simulation = try Simulation(directories.start(clock, livemode: false), clock)
    var dice = Dice(seed: 1)
    // Five events each: 10,000 in all, where a commit takes 8,192.
    var requests = (0..<2_000).map { _ in
      Request(
        .identity(
          .registerAgent(
            tenant: 0, name: 0, asset: AssetNumber(1), apiKey: dice.bits128(),
            secretKey: dice.bits128())),
        by: .anonymous,
        key: IdempotencyKey(fingerprint: dice.bits128(), digest: 1))
    }
    // Its keys are found again in the same batch: before the commit within it, and after.
    requests += [requests[0], requests[1_999]]
    try await simulation.perform(.submit([Job(requests: requests)]))
    try await simulation.perform(.restart)
    #expect(simulation.model.log.count == 10_001)
  }

  private static func run(_ seed: UInt64) async throws -> Run {
    let directories = try Directories()
    defer { directories.removeAll() }
    return try await Run(seed: seed, commandCount: commandsPerSeed, start: directories.start)
  }

  private static func explanation(of run: Run) async throws -> String {
    let directories = try Directories()
    defer { directories.removeAll() }
    guard let shrunk = await run.shrunk(start: directories.start) else { return "" }
    let steps = shrunk.steps.map(\.description).joined(separator: "\n")
    let text = "\(shrunk.mismatch)\nafter\n\(steps)"
    return text.replacingOccurrences(of: "LedgerCore.", with: "")
  }
}
