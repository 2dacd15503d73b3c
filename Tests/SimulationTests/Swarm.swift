import LedgerCore

/// What one seed turns on, and how large it makes things.
///
/// A run that can do everything does little of each; a run with most of it turned off gets far into
/// the rest (`reliability.md` 2.3).
struct Swarm: CustomStringConvertible {
  /// What is asked.
  enum Kind: Int, CaseIterable {
    case registerAgent, registerOperator, issue, revoke, openWallet, addAsset, fund, pay,
      payExternal, paySplit, setFees, reserve, capture, release, refund, freeze, close, reopen,
      pause, dispute, evidence, decide, repay, setPolicy, decideWaiting, registerTenantAdmin,
      setCap, writeOff

    /// How often a run may choose it. Where much is stopped or ended, little else passes; most of
    /// what can go wrong is where money moves.
    fileprivate var weights: [Int] {
      switch self {
      case .registerAgent, .registerOperator, .issue, .revoke, .openWallet, .addAsset, .fund,
        .setFees:
        [0, 1, 2, 5, 10]
      case .pay, .payExternal, .reserve, .capture, .refund: [0, 5, 10, 20, 40]
      case .paySplit: [0, 5, 10, 20, 20]
      case .release: [0, 2, 5, 5, 10]
      case .dispute, .decide: [0, 5, 10, 20, 40]
      case .repay: [0, 5, 10, 10, 20]
      case .evidence: [0, 1, 2, 4, 8]
      case .freeze, .close, .reopen, .pause: [0, 1, 2, 4, 8]
      case .setPolicy: [0, 2, 4, 8, 16]
      case .decideWaiting: [0, 5, 10, 20, 20]
      case .registerTenantAdmin, .setCap: [0, 1, 2, 4, 4]
      case .writeOff: [0, 2, 5, 10, 10]
      }
    }
  }

  /// How it is asked, and what happens in between.
  enum Move: Int, CaseIterable {
    case single, batch, unit, unitAgain, together, clock, restart, crash, storm, fault, opening,
      story
  }

  /// How many agents a run begins with.
  var agentCount: Int
  /// How often a kind is chosen, by its raw value; 0 is never.
  var kinds: [Int]
  /// How often a move is made, by its raw value; 0 is never.
  var moves: [Int]
  /// One command in so many breaks rules; 0 is none.
  var brokenOneIn: Int
  /// One command in so many has no key; 0 is none.
  var keylessOneIn: Int
  /// One command in so many repeats an earlier one; 0 is none.
  var repeatedOneIn: Int
  /// Of repeated commands, one in so many asks for something else; 0 is none.
  var otherDigestOneIn: Int
  /// The most commands of a batch or a unit.
  var sizeMax: Int
  /// Whether some units are at the border of what a unit may be.
  var hasHugeUnits: Bool
  /// The most that the faucet gives at once.
  var cap: Int128
  /// Whether equal halves of fingerprints are common.
  var fingerprintsCollide: Bool
  var livemode: Bool

  init(_ dice: inout Dice) {
    agentCount = 1 + dice.below(6)
    kinds = Kind.allCases.map { kind in kind.weights[dice.below(5)] }
    // A ledger in which nobody pays finds nothing; one without money little.
    kinds[Kind.pay.rawValue] = max(kinds[Kind.pay.rawValue], 5)
    kinds[Kind.fund.rawValue] = max(kinds[Kind.fund.rawValue], 1)
    livemode = dice.isOne(in: 4)
    // Disputes are many of a run's commands or none; a live ledger is there for them.
    if dice.isOne(in: 2), !livemode {
      for kind in [Kind.dispute, .evidence, .decide, .repay, .setCap, .writeOff] {
        kinds[kind.rawValue] = 0
      }
    } else {
      kinds[Kind.dispute.rawValue] = max(kinds[Kind.dispute.rawValue], 5)
      kinds[Kind.decide.rawValue] = max(kinds[Kind.decide.rawValue], 5)
    }
    // So are policies.
    if dice.isOne(in: 3) {
      for kind in [Kind.setPolicy, .decideWaiting] { kinds[kind.rawValue] = 0 }
    } else {
      kinds[Kind.setPolicy.rawValue] = max(kinds[Kind.setPolicy.rawValue], 2)
      kinds[Kind.decideWaiting.rawValue] = max(kinds[Kind.decideWaiting.rawValue], 5)
    }
    moves = [24, 12, 12, 6, 12, 12, 1, 1, 1, 2, 1, 6]
    for move in Move.allCases where move != .single && dice.isOne(in: 3) {
      moves[move.rawValue] = 0
    }
    brokenOneIn = [0, 2, 4, 10][dice.below(4)]
    keylessOneIn = [0, 1, 2, 5][dice.below(4)]
    repeatedOneIn = [0, 3, 8, 20][dice.below(4)]
    otherDigestOneIn = [0, 2, 5][dice.below(3)]
    sizeMax = [3, 8, 30][dice.below(3)]
    hasHugeUnits = dice.isOne(in: 4)
    cap = [1_000, 100_000_000_000, Amount.commandMax.units][dice.below(3)]
    fingerprintsCollide = dice.isOne(in: 3)
  }

  var description: String {
    let kinds = Kind.allCases.filter { self.kinds[$0.rawValue] > 0 }
    let moves = Move.allCases.filter { self.moves[$0.rawValue] > 0 }
    return """
      \(livemode ? "live" : "test") ledger, \(agentCount) agents, up to \(sizeMax) at once, \
      huge units \(hasHugeUnits), broken 1 in \(brokenOneIn), keyless 1 in \(keylessOneIn), \
      repeated 1 in \(repeatedOneIn), other digest 1 in \(otherDigestOneIn), cap \(cap), \
      colliding \(fingerprintsCollide), kinds \(kinds), moves \(moves)
      """
  }
}
