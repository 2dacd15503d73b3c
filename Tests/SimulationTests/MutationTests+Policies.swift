import Testing

@testable import LedgerCore

extension MutationTests {
  @Test func `every way to limit, approve and advance is reached`() async throws {
    var missing: Set = [
      "a wallet's limit", "an agent's limit", "a tenant's limit", "the ledger's limit",
      "all four bear", "begins later", "begins at once", "over midnight", "over a week",
      "over a month", "waits", "a split waits", "approved by the admin", "approved by staff",
      "approved for a closed wallet", "a split approved", "denied", "cancelled", "expired",
      "advanced in part", "written off in a test ledger", "written off in a live ledger",
    ]
    for seed: UInt64 in 1...200 where !missing.isEmpty {
      let run = try await Run(
        seed: seed, commandCount: Self.commandsPerSeed, start: Self.start(nil))
      for place in run.log.indices {
        missing.subtract(Self.policyWords(at: place, run))
        missing.subtract(Self.approvalWords(at: place, run.log))
      }
      missing.subtract(Self.periodWords(run.log))
    }
    #expect(missing.isEmpty, "no run had this")
  }

  /// What is there to say of a policy, and of what was advanced.
  private static func policyWords(at place: Int, _ run: Run) -> [String] {
    switch run.log[place].event {
    case .refusal(.recorded(let refusal, _))
    where refusal.reason == .limitExceeded && refusal.about.isSome:
      let about = Int(refusal.about.rawValue) - 1
      guard case .policy(.set(let setting)) = run.log[about].event else { return [] }
      switch setting.scope {
      case .wallet: return ["a wallet's limit"]
      case .agent: return ["an agent's limit"]
      case .tenant: return ["a tenant's limit"]
      case .ledger: return ["the ledger's limit"]
      }
    case .policy(.began):
      return [run.log[place].header.actor == .ledger ? "begins later" : "begins at once"]
    case .policy(.counted(let use)):
      return (0..<4).allSatisfy { use.policies[$0].isSome } ? ["all four bear"] : []
    case .receivable(.writtenOff):
      return ["written off in a \(run.swarm.livemode ? "live" : "test") ledger"]
    case .dispute(.opened(let opening)):
      let number = opening.dispute
      let claims = run.disputes.first { $0.number == number }?.claims ?? []
      let isPart = claims.contains { $0.advanced > 0 && $0.advanced < $0.missing }
      return isPart ? ["advanced in part"] : []
    default: return []  // not ours: events of which there is nothing to say
    }
  }

  /// What is there to say of a payment that waits.
  private static func approvalWords(at place: Int, _ log: [Recorded]) -> [String] {
    let waited = { (number: EventNumber) in
      guard case .reservation(.reserved(let hold)) = log[Int(number.rawValue) - 1].event
      else { return false }
      return hold.purpose == .approval
    }
    let isAgent = log[place].header.actor.role == .agent
    switch log[place].event {
    case .reservation(.reserved(let hold)) where hold.purpose == .approval:
      return ["waits"] + (hold.payee.isSplit ? ["a split waits"] : [])
    case .reservation(.captured(let capture)) where waited(capture.reservation):
      let isStaffs = log[place].header.actor.isStaff
      var words = [isStaffs ? "approved by staff" : "approved by the admin"]
      if capture.payment.payee.isSplit { words.append("a split approved") }
      if place + 1 < log.count, case .wallet(.setAside) = log[place + 1].event {
        words.append("approved for a closed wallet")
      }
      return words
    case .reservation(.released(let end)) where waited(end.reservation):
      return [isAgent ? "cancelled" : "denied"]
    case .reservation(.expired(let end, _)) where waited(end.reservation): return ["expired"]
    default: return []  // not ours: events of which there is nothing to say
    }
  }

  /// Which ends of periods a policy was in force over.
  private static func periodWords(_ log: [Recorded]) -> [String] {
    var first: [EventNumber: Timestamp] = [:]
    var words: [String] = []
    for recorded in log {
      guard case .policy(.counted(let use)) = recorded.event else { continue }
      for index in 0..<4 where use.policies[index].isSome {
        let earlier = first[use.policies[index], default: use.effective]
        first[use.policies[index]] = earlier
        let names: [(Limits.Period, String)] = [
          (.day, "over midnight"), (.week, "over a week"), (.month, "over a month"),
        ]
        for (period, name) in names
        where period.index(of: earlier) != period.index(of: use.effective) {
          words.append(name)
        }
      }
    }
    return words
  }
}
