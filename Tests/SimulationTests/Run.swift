import LedgerCore

/// One seed from its first command to its last.
struct Run {
  let seed: UInt64
  let swarm: Swarm
  private(set) var steps: [Step] = []
  private(set) var commandCount = 0
  /// What the naive ledger predicted, which is what the log held if nothing is ``found``.
  private(set) var log: [Recorded] = []
  /// Every payment, with what came back of it.
  private(set) var paid: [NaiveLedger.Paid] = []
  private(set) var disputes: [NaiveLedger.Dispute] = []
  /// Every reason for which a command was refused.
  private(set) var reasons: Set<Rejection> = []
  /// Where the two differed.
  private(set) var found: Mismatch?

  /// When every simulated ledger begins, in nanoseconds since 1970.
  static let began: UInt64 = 1_767_225_600_000_000_000

  /// Runs `seed` until `commandCount` commands were submitted or the two ledgers differ.
  init<Tested: Subject>(
    seed: UInt64, commandCount: Int, start: (SteppedClock, _ livemode: Bool) throws -> Tested
  ) async throws {
    var generator = Generator(seed: seed)
    self.seed = seed
    swarm = generator.swarm
    let clock = SteppedClock(at: Self.began)
    var simulation = try Simulation(start(clock, swarm.livemode), clock)
    do {
      while self.commandCount < commandCount {
        let step = generator.next(simulation.model)
        steps.append(step)
        self.commandCount += step.commandCount
        try await simulation.perform(step)
      }
      try await simulation.perform(.restart)
    } catch {
      found = error as? Mismatch ?? Mismatch("\(error)")
    }
    log = simulation.model.log
    paid = simulation.model.paid
    disputes = simulation.model.disputes
    reasons = simulation.reasons
  }

  /// The fewest steps found, in a bounded search, after which the two still differ.
  func shrunk<Tested: Subject>(
    start: (SteppedClock, _ livemode: Bool) throws -> Tested
  ) async -> (steps: [Step], mismatch: Mismatch)? {
    guard let found else { return nil }
    var best = (steps: steps, mismatch: found)
    var attemptCount = 0
    /// Keeps `fewer` where they find something too.
    func attempt(_ fewer: [Step]) async -> Bool {
      attemptCount += 1
      guard attemptCount <= Self.shrinkAttemptCountMax, let mismatch = await replay(fewer, start)
      else { return false }
      best = (fewer, mismatch)
      return true
    }
    var size = max(steps.count / 2, 1)
    while true {
      var place = 0
      while place < best.steps.count {
        var fewer = best.steps
        fewer.removeSubrange(place..<min(place + size, fewer.count))
        if await !attempt(fewer) { place += size }
      }
      if size == 1 { break }
      size /= 2
    }
    for place in best.steps.indices {
      for request in stride(from: best.steps[place].commandCount - 1, through: 0, by: -1) {
        var fewer = best.steps
        fewer[place] = fewer[place].without(request)
        if fewer[place].commandCount > 0 { _ = await attempt(fewer) }
      }
    }
    return best
  }

  private static let shrinkAttemptCountMax = 600

  /// What these steps find in a new ledger.
  private func replay<Tested: Subject>(
    _ steps: [Step], _ start: (SteppedClock, _ livemode: Bool) throws -> Tested
  ) async -> Mismatch? {
    do {
      let clock = SteppedClock(at: Self.began)
      var simulation = try Simulation(start(clock, swarm.livemode), clock)
      for step in steps { try await simulation.perform(step) }
      try await simulation.perform(.restart)
      return nil
    } catch {
      return error as? Mismatch ?? Mismatch("\(error)")
    }
  }
}
