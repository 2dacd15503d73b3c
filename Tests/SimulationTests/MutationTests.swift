import Synchronization
import Testing

@testable import LedgerCore

/// Goal: the simulation sees. Each mistake that a ledger could make is found by comparing it with
/// the naive ledger, within a bounded number of commands.
/// Method: a naive ledger with one planted bug stands in the engine's place; seeds are run from 1
/// until one differs. Without a bug none may.
struct MutationTests {
  private static let commandsPerSeed = 250
  private static let commandCountMax = 40_000
  private static let foundCount = Atomic(0)

  @Test(arguments: Bug.allCases)
  func `a planted bug is found`(bug: Bug) async throws {
    var commandCount = 0
    for seed: UInt64 in 1... {
      let run = try await Run(
        seed: seed, commandCount: Self.commandsPerSeed, start: Self.start(bug))
      commandCount += run.commandCount
      if run.found != nil {
        print("\(bug): seed=\(seed) found it within \(commandCount) commands")
        let found = Self.foundCount.add(1, ordering: .relaxed).newValue
        guard found == Bug.allCases.count else { return }
        print("prove: \(Bug.allCases.count) planted bugs; seeds from 1; \(found) found")
        return
      }
      guard commandCount < Self.commandCountMax else { break }
    }
    Issue.record("the simulation is blind to \(bug): \(commandCount) commands found nothing")
  }

  @Test func `a naive ledger without a bug agrees with itself`() async throws {
    for seed: UInt64 in 1...20 {
      let run = try await Run(
        seed: seed, commandCount: Self.commandsPerSeed, start: Self.start(nil))
      #expect(run.found == nil, "seed=\(seed) \(run.swarm)")
    }
  }

  /// Reasons that no command of a simulated ledger has: a full queue or disk, a clock that is not
  /// believed, things that no command names yet, and a thousand captures of one reservation, which
  /// no run is long enough for.
  private static let unreached: Set<Rejection> = [
    .queueFull, .storageFull, .clockAhead, .scheduleNotFound, .tooManyCaptures,
  ]

  @Test func `every refusal is reached`() async throws {
    var missing = Set(Rejection.allCases).subtracting(Self.unreached)
    for seed: UInt64 in 1...100 where !missing.isEmpty {
      let run = try await Run(
        seed: seed, commandCount: Self.commandsPerSeed, start: Self.start(nil))
      missing.subtract(run.reasons)
    }
    #expect(missing.isEmpty, "no command was refused for these reasons")
  }

  @Test func `a failing run shrinks to few commands`() async throws {
    // Two agents of one name differ from all that was before them: no other number counts.
    let start = Self.start(.nameIsNeverTaken)
    for seed: UInt64 in 1...100 {
      let run = try await Run(seed: seed, commandCount: Self.commandsPerSeed, start: start)
      guard let shrunk = await run.shrunk(start: start) else { continue }
      let commandCount = shrunk.steps.map(\.commandCount).reduce(0, +)
      #expect(commandCount <= 6, "\(shrunk.steps)")
      return
    }
    Issue.record("nothing was found that could shrink")
  }

  private static func start(_ bug: Bug?) -> (SteppedClock, Bool) -> NaiveSubject {
    { clock, livemode in
      let header = Header(
        number: EventNumber(1), time: Timestamp(nanoseconds: clock.now), actor: .ledger)
      let opened = Genesis.Event.opened(ledger: 1, terms: .standard, livemode: livemode)
      let ledger = NaiveLedger(
        genesis: Recorded(header: header, event: .genesis(opened)), body: [],
        livemode: livemode, assets: FirstAssets.codes, bug: bug)
      return NaiveSubject(ledger: ledger, clock: clock)
    }
  }
}
