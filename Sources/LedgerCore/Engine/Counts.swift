/// How much there is of everything the engine holds in memory.
public struct Counts: Hashable, Sendable, Codable {
  /// Tenants.
  public var tenants: Int
  /// Agents.
  public var agents: Int
  /// Operators.
  public var operators: Int
  /// Wallets.
  public var wallets: Int
  /// External payees.
  public var payees: Int
  /// Open reservations.
  public var reservations: Int
  /// Disputes that are not decided.
  public var disputes: Int
  /// Debts for disputed payments that were no longer there.
  public var debts: Int
  /// Policies in force.
  public var policies: Int
  /// What is paused now: the ledger, tenants, rails.
  public var pauses: Int
  /// Armed timers.
  public var timers: Int
  /// The fee schedule that counts.
  public var feeSchedule: UInt64
  /// Whether real money moves here.
  public var livemode: Bool

  /// Names in JSON are in snake case everywhere.
  private enum CodingKeys: String, CodingKey {
    case tenants, agents, operators, wallets, payees, reservations, disputes, debts, policies,
      pauses, timers, livemode
    case feeSchedule = "fee_schedule"
  }
}

extension Engine {
  /// How much there is of everything.
  public func counts() async throws(LedgerFailure) -> Counts {
    try await read { ledger in
      Counts(
        tenants: ledger.identity.tenants.count, agents: ledger.identity.agents.count,
        operators: ledger.identity.operators.count, wallets: ledger.wallets.wallets.count,
        payees: ledger.payments.payees.count, reservations: ledger.reservations.rows.count,
        disputes: ledger.disputes.rows.count, debts: ledger.receivables.debts.count,
        policies: ledger.policies.count, pauses: ledger.pauses.all.count,
        timers: ledger.timers.count, feeSchedule: ledger.fees.current.rawValue,
        livemode: ledger.genesis.livemode)
    }
  }

  /// The tree over all durable events: their number and the root, which together say everything
  /// about the log.
  public func treeHead() throws(LedgerFailure) -> (
    last: EventNumber, root: Digest32, time: Timestamp
  ) {
    try withLog { log throws(StorageError) in
      guard let head = try log.head() else { throw .damaged("the log has no head") }
      let tree = try MerkleTree(size: head.last.rawValue, peaks: head.tree)
      return (head.last, tree.root, head.time)
    }
  }

  /// Bytes of the log's data file that are in use.
  public func byteCount() throws(LedgerFailure) -> Int {
    try withLog { log throws(StorageError) in log.environment.usageBesideWriter.byteCount }
  }
}
