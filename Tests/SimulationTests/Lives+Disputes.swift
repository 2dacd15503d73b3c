import LedgerCore

/// What is disputed and owed, as far as the log alone says.
struct DisputeLives {
  struct Dispute {
    var opening: Disputes.Opening
    var claims: [Claim]
    /// Pieces of the payer's, of all receivers' and of staff's.
    var evidenceCounts = [0, 0, 0]
    var isReviewed = false
  }

  struct Claim {
    var payee: Payments.Payee
    var principal: Int128
    /// What is in the hold for it.
    var held: Int128
  }

  struct Debt {
    var dispute: EventNumber
    var claim: Int
    var agent: AgentNumber
    var asset: AssetNumber
    var receivable: Int128
    var uncovered: Int128
    /// Who gets what was uncovered, once he won.
    var payer: WalletNumber?
    /// Who asked for it to be written off.
    var asker: Actor?
  }

  /// All debtors of a tenant, or all there are, in an asset.
  struct Debtors: Hashable {
    var tenant: TenantNumber
    var asset: AssetNumber
  }

  var livemode = false
  var caps: [Debtors: Int128] = [:]
  var open: [EventNumber: Dispute] = [:]
  var ended: Set<EventNumber> = []
  /// Payments of which a dispute was decided.
  var decided: Set<EventNumber> = []
  /// The oldest first.
  var debts: [Debt] = []
  /// The payee's dispute whose refund was just made, and which ends with the next event.
  var resolving: EventNumber?
  /// How many nettings in a row left some of their debt.
  var partialCount = 0
}

extension Lives {
  /// What is in the dispute's hold.
  func held(_ dispute: EventNumber) -> Int128 {
    disputes.open[dispute]?.claims.map(\.held).reduce(0, +) ?? 0
  }

  /// What was advanced for the dispute and is owed still.
  func receivable(_ dispute: EventNumber) -> Int128 {
    disputes.debts.filter { $0.dispute == dispute }.map(\.receivable).reduce(0, +)
  }

  func owes(_ agent: AgentNumber, in asset: AssetNumber) -> Bool {
    disputes.debts.contains { $0.agent == agent && $0.asset == asset }
  }

  /// So many, that netting was broken off.
  var isNettedInPart: Bool { disputes.partialCount >= 100 }

  /// Whose account it is, where credits to it are netted.
  func owner(of account: Account) -> AgentNumber? {
    switch account {
    case .walletAvailable(let wallet): wallets[Int(wallet.rawValue) - 1].agent
    case .suspense(let agent): agent
    case .walletHeld, .external, .faucet, .feeIncome, .dust, .disputeHold, .receivable, .badDebt:
      nil
    }
  }

  func isInDispute(_ number: WalletNumber) -> Bool {
    let wallet = wallets[Int(number.rawValue) - 1]
    return owes(wallet.agent, in: wallet.asset)
      || disputes.open.values.contains { dispute in
        dispute.claims.contains { $0.payee == .wallet(number) && $0.principal > 0 }
      }
  }

  // MARK: - Refunds

  /// A payment in dispute is not refunded, but where that ends a payee's dispute.
  mutating func isResolving(
    _ refund: Refunds.Refund, _ recorded: Recorded
  ) throws(Mismatch) -> Bool {
    let dispute = disputes.open.values.first { $0.opening.payment == refund.payment }
    guard let dispute else { return false }
    try require(
      dispute.opening.party == .payee && dispute.isReviewed && refund.fee == .zero
        && refund.amount == dispute.opening.principal, "refunds during a dispute", recorded)
    disputes.resolving = dispute.opening.dispute
    return true
  }

  /// The event after such a refund is the end of its dispute.
  func checkResolved(_ recorded: Recorded) throws(Mismatch) {
    guard let dispute = disputes.resolving else { return }
    guard case .dispute(.refunded(let end)) = recorded.event, end.dispute == dispute
    else { throw Mismatch("dispute \(dispute) does not end with \(recorded)") }
  }

  // MARK: - Disputes

  mutating func follow(
    _ event: Disputes.Event, _ claims: [Disputes.Claim], _ recorded: Recorded
  ) throws(Mismatch) {
    switch event {
    case .opened(let opening): try open(opening, claims, recorded)
    case .evidenceSubmitted(let number, let slot, _):
      let dispute = try dispute(number, slot, recorded)
      let actor = recorded.header.actor
      let isPayer = wallets[Int(dispute.opening.payer.rawValue) - 1].agent == actor.agent
      let side = actor.role != .agent ? 2 : isPayer ? 0 : 1
      try require(dispute.evidenceCounts[side] < 100, "is too much evidence", recorded)
      disputes.open[number]?.evidenceCounts[side] += 1
    case .reviewed(let number, let slot):
      let dispute = try dispute(number, slot, recorded)
      try require(!dispute.isReviewed, "is reviewed twice", recorded)
      disputes.open[number]?.isReviewed = true
    case .withdrawn(let end):
      let dispute = try dispute(end.dispute, end.slot, recorded)
      try require(!dispute.isReviewed, "is withdrawn under review", recorded)
      try lose(end, claims, dispute, recorded)
    case .denied(let end):
      let dispute = try decided(end, recorded)
      try lose(end, claims, dispute, recorded)
    case .refunded(let end):
      let dispute = try decided(end, recorded)
      try win(end, claims, dispute, recorded)
    }
  }

  private func dispute(
    _ number: EventNumber, _ slot: DisputeSlot, _ recorded: Recorded
  ) throws(Mismatch) -> DisputeLives.Dispute {
    try require(!disputes.ended.contains(number), "is of a dispute that ended", recorded)
    guard let dispute = disputes.open[number], dispute.opening.slot == slot
    else { throw Mismatch("is of no dispute: \(recorded)") }
    return dispute
  }

  private mutating func decided(
    _ end: Disputes.End, _ recorded: Recorded
  ) throws(Mismatch) -> DisputeLives.Dispute {
    let dispute = try dispute(end.dispute, end.slot, recorded)
    try require(dispute.isReviewed, "is decided without a review", recorded)
    disputes.decided.insert(end.payment)
    return dispute
  }

  private mutating func open(
    _ opening: Disputes.Opening, _ claims: [Disputes.Claim], _ recorded: Recorded
  ) throws(Mismatch) {
    guard let paid = paid[opening.payment]
    else { throw Mismatch("disputes no payment: \(recorded)") }
    let isFirst =
      !disputes.decided.contains(opening.payment)
      && !disputes.open.values.contains {
        $0.opening.payment == opening.payment || $0.opening.slot == opening.slot
      }
    try require(isFirst, "is not the only dispute", recorded)
    let principal = opening.principal.units
    try require(
      principal > 0 && principal + paid.refunded == paid.payment.amount.units
        && opening.dispute == recorded.number && opening.payer == paid.payment.payer,
      "differs from its payment", recorded)
    let sums = claims.map { $0.held + $0.receivable + $0.uncovered }
    try require(
      sums.map(\.units).reduce(0, +) == principal, "claims something else", recorded)
    let payees = paid.left.isEmpty ? [paid.payment.payee] : paid.left.map(\.payee)
    let isOfEach =
      claims.map(\.payee) == payees && (paid.left.isEmpty || sums == paid.left.map(\.amount))
    try require(isOfEach, "claims what a receiver does not have of it", recorded)
    if opening.party == .payer { try check(advances: claims, in: opening.asset, recorded) }
    for (index, claim) in claims.enumerated() {
      try require(
        claim.held >= .zero && claim.receivable >= .zero && claim.uncovered >= .zero,
        "claims less than nothing", recorded)
      if opening.party == .payee {
        try require(claim.held + claim.receivable == .zero, "holds for a payee", recorded)
        continue
      }
      guard claim.receivable + claim.uncovered > .zero else { continue }
      guard case .wallet(let wallet) = claim.payee
      else { throw Mismatch("a label owes: \(recorded)") }
      disputes.debts.append(
        DisputeLives.Debt(
          dispute: opening.dispute, claim: index,
          agent: wallets[Int(wallet.rawValue) - 1].agent, asset: opening.asset,
          receivable: claim.receivable.units, uncovered: claim.uncovered.units))
    }
    disputes.open[opening.dispute] = DisputeLives.Dispute(
      opening: opening,
      claims: zip(claims, sums).map { claim, sum in
        DisputeLives.Claim(
          payee: claim.payee, principal: sum.units, held: (claim.held + claim.receivable).units)
      })
  }

  /// What ends is what there is: of each claim what is held and what is owed.
  private mutating func end(
    _ end: Disputes.End, _ claims: [Disputes.Claim], _ dispute: DisputeLives.Dispute,
    _ recorded: Recorded
  ) throws(Mismatch) {
    let opening = dispute.opening
    try require(
      end.payment == opening.payment && end.payer == opening.payer && end.asset == opening.asset,
      "differs from its opening", recorded)
    let holds = claims.map(\.held.units).reduce(0, +)
    try require(end.held.units == holds, "does not add up", recorded)
    let count = opening.party == .payer ? dispute.claims.count : 0
    try require(claims.count == count, "ends other claims", recorded)
    for (index, claim) in claims.enumerated() {
      let debt = disputes.debts.first { $0.dispute == end.dispute && $0.claim == index }
      let was = dispute.claims[index]
      try require(
        claim.payee == was.payee && claim.held.units == was.held
          && claim.receivable.units == debt?.receivable ?? 0
          && claim.uncovered.units == debt?.uncovered ?? 0
          && was.held + claim.uncovered.units == was.principal, "ends not as it was", recorded)
    }
    disputes.open[end.dispute] = nil
    disputes.ended.insert(end.dispute)
  }

  private mutating func lose(
    _ end: Disputes.End, _ claims: [Disputes.Claim], _ dispute: DisputeLives.Dispute,
    _ recorded: Recorded
  ) throws(Mismatch) {
    try self.end(end, claims, dispute, recorded)
    for claim in claims {
      guard case .wallet(let wallet) = claim.payee else { continue }
      let isAside = claim.suspense.isSome
      try require(isAside == (status(wallet) == .closed), "goes to a closed wallet", recorded)
    }
    disputes.debts.removeAll { $0.dispute == end.dispute }
  }

  private mutating func win(
    _ end: Disputes.End, _ claims: [Disputes.Claim], _ dispute: DisputeLives.Dispute,
    _ recorded: Recorded
  ) throws(Mismatch) {
    try require(
      (disputes.resolving == end.dispute) == (dispute.opening.party == .payee),
      "is not refunded before", recorded)
    disputes.resolving = nil
    try self.end(end, claims, dispute, recorded)
    if dispute.opening.party == .payee { return }
    for place in disputes.debts.indices where disputes.debts[place].dispute == end.dispute {
      disputes.debts[place].payer = end.payer
      let agent = wallets[Int(end.payer.rawValue) - 1].agent
      if agent == disputes.debts[place].agent { disputes.debts[place].uncovered = 0 }
    }
    disputes.debts.removeAll { $0.receivable + $0.uncovered == 0 }
    paid[end.payment]?.refunded += dispute.opening.principal.units
    for index in paid[end.payment]?.left.indices ?? 0..<0 {
      paid[end.payment]?.left[index].amount = .zero
    }
    let payment = paid[end.payment]
    try require(
      payment?.refunded == payment?.payment.amount.units, "is not all that was left", recorded)
  }

  // MARK: - Netting

  mutating func follow(
    _ netting: Receivables.Netting, _ recorded: Recorded
  ) throws(Mismatch) {
    let agent =
      switch netting.source {
      case .wallet(let wallet): wallets[Int(wallet.rawValue) - 1].agent
      case .suspense(let agent): agent
      }
    let place = disputes.debts.firstIndex { $0.agent == agent && $0.asset == netting.asset }
    guard let place, disputes.debts[place].dispute == netting.dispute
    else { throw Mismatch("does not net the oldest debt: \(recorded)") }
    let debt = disputes.debts[place]
    try require(
      netting.receivable >= .zero && netting.uncovered >= .zero
        && netting.receivable + netting.uncovered > .zero
        && netting.receivable.units <= debt.receivable
        && netting.uncovered.units <= debt.uncovered, "nets more than is owed", recorded)
    try require(
      netting.uncovered == .zero || netting.receivable.units == debt.receivable,
      "nets what is uncovered first", recorded)
    var destination = Receivables.Destination.hold
    if let payer = debt.payer {
      destination =
        status(payer) == .closed
        ? .suspense(wallets[Int(payer.rawValue) - 1].agent) : .wallet(payer)
    } else {
      disputes.open[netting.dispute]?.claims[debt.claim].held += netting.uncovered.units
    }
    try require(netting.destination == destination, "goes somewhere else", recorded)
    try require(recorded.header.actor == .ledger, "is netted by somebody", recorded)
    disputes.debts[place].receivable -= netting.receivable.units
    disputes.debts[place].uncovered -= netting.uncovered.units
    if disputes.debts[place].receivable + disputes.debts[place].uncovered == 0 {
      disputes.debts.remove(at: place)
    } else {
      disputes.partialCount += 1
    }
  }
}
