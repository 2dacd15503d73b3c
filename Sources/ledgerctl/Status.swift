import ArgumentParser
import LedgerCore

/// Where the ledger stands.
struct Status: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the head, the root over all events, and how much there is.")

  @OptionGroup var access: Access

  func perform() async throws {
    try await Self.show(access)
  }

  static func show(_ access: Access) async throws {
    let view = try await access.look { try await $0.status() }
    if access.json { return try printJSON(view) }
    let counts = view.counts
    print(
      Table.pairs([
        ["ledger", counts.livemode ? "live" : "test"],
        ["head", "\(view.head)"],
        ["root", view.root],
        ["time", view.time],
        ["bytes", "\(view.bytes)"],
        ["commands", view.commands],
        ["projections", "at event \(view.projections)"],
        ["tenants", "\(counts.tenants)"],
        ["agents", "\(counts.agents)"],
        ["operators", "\(counts.operators)"],
        ["wallets", "\(counts.wallets)"],
        ["payees", "\(counts.payees)"],
        ["reservations", "\(counts.reservations) open"],
        ["disputes", "\(counts.disputes) undecided, \(counts.debts) debts"],
        ["policies", "\(counts.policies) in force"],
        ["paused", counts.pauses == 0 ? "nothing" : "\(counts.pauses); see GET /v1/pauses"],
        ["timers", "\(counts.timers)"],
        ["fees", "schedule \(counts.feeSchedule)"],
      ]))
  }
}

extension StatusView {
  /// Whether commands are taken, and if not, what to do.
  fileprivate var commands: String {
    if clockAhead { return "refused: the clock jumped ahead; see ledgerctl accept-clock" }
    if storageShort { return "only those that end something: the disk is nearly full" }
    if let slowCommitMilliseconds {
      return "taken, and the disk is slow: a commit took \(slowCommitMilliseconds) ms"
    }
    return "taken"
  }
}
