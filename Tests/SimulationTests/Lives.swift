import LedgerCore

/// What the log alone says of everything that begins and ends: whose each wallet is and whether it
/// is open, what every reservation holds, what came back of every payment, and what is paused.
///
/// An event that nothing before it allows is a mismatch.
struct Lives {
  struct Wallet {
    var agent: AgentNumber
    var asset: AssetNumber
    var status = Wallets.Status.open
  }

  /// A reservation that is open.
  struct Open {
    var number: EventNumber
    var hold: Reservations.Hold
    var asker: Actor
    /// What each receiver gets, where it is a split that waits.
    var parts: [Splits.Part]
    var captured: Int128 = 0
    /// What is held still, with the fee.
    var held: Int128
  }

  /// What came back of a payment.
  struct Paid {
    var payment: Payments.Payment
    /// What each receiver of a split got, less what he gave back.
    var left: [Splits.Part]
    var refunded: Int128 = 0
    var feeRefunded: Int128 = 0
  }

  private(set) var wallets: [Wallet] = []
  private(set) var open: [Open] = []
  private(set) var tenants: [AgentNumber: TenantNumber] = [:]
  private var ended: Set<EventNumber> = []
  var paid: [EventNumber: Paid] = [:]
  var disputes = DisputeLives()
  var policies = PolicyLives()
  private var schedules: [Fees.Terms] = []
  private var pauses: Set<Pauses.Scope> = []

  mutating func follow(_ recorded: Recorded, _ body: [UInt8]) throws(Mismatch) {
    try checkResolved(recorded)
    try checkPolicies(before: recorded)
    if case .receivable = recorded.event {} else { disputes.partialCount = 0 }
    switch recorded.event {
    case .genesis(.opened(_, let terms, let livemode)):
      schedules = [terms]
      disputes.livemode = livemode
    case .fee(.set(_, let terms, _)):
      schedules.append(terms)
      let borders = Fees.Tier.all(body.span).map(\.from)
      let isRising = zip(borders, borders.dropFirst()).allSatisfy { $0 < $1 }
      try require(isRising && borders.count <= 32, "has tiers that do not rise", recorded)
    case .identity(.agentRegistered(let agent, let tenant, _, _, _, _)): tenants[agent] = tenant
    case .wallet(let event): try follow(event, recorded)
    case .payment(.completed(let payment)):
      let parts = Splits.Part.all(body.span)
      for payee in try payees(of: payment, parts, recorded) {
        try begin(payment.payer, payee, recorded)
      }
      try spend(
        payment.debited, of: payment.payer, payment.asset, isWaiting: false, isHold: false,
        recorded)
      try pay(payment, parts, recorded)
    case .reservation(let event): try follow(event, Splits.Part.all(body.span), recorded)
    case .refund(.completed(let refund)):
      try follow(refund, Splits.Part.all(body.span), recorded)
    case .dispute(let event): try follow(event, Disputes.Claim.all(body.span), recorded)
    case .receivable(.netted(let netting)): try follow(netting, recorded)
    case .receivable(.writeOffAsked(let writeOff)):
      try follow(writeOff, isDone: false, recorded)
    case .receivable(.writtenOff(let writeOff)): try follow(writeOff, isDone: true, recorded)
    case .receivable(.capSet(let tenant, let asset, let cap)):
      disputes.caps[DisputeLives.Debtors(tenant: tenant, asset: asset)] = cap.units
    case .policy(let event): try follow(event, body, recorded)
    case .pause(.paused(let scope)):
      try require(pauses.insert(scope).inserted, "was paused already", recorded)
    case .pause(.resumed(let scope)):
      try require(pauses.remove(scope) != nil, "was not paused", recorded)
    case .refusal, .identity, .payment(.payeeRegistered), .fee(.began): break
    }
  }

  /// The sum of what the wallet's open reservations hold.
  func held(_ wallet: WalletNumber) -> Int128 {
    open.filter { $0.hold.payer == wallet }.map(\.held).reduce(0, +)
  }

  func require(
    _ isSo: Bool, _ otherwise: String, _ recorded: Recorded
  ) throws(Mismatch) {
    if !isSo { throw Mismatch("\(otherwise): \(recorded)") }
  }
}

// MARK: - Wallets

extension Lives {
  private mutating func follow(
    _ event: Wallets.Event, _ recorded: Recorded
  ) throws(Mismatch) {
    switch event {
    case .opened(let number, let agent, let asset):
      wallets.append(Wallet(agent: agent, asset: asset))
      try require(number.rawValue == UInt64(wallets.count), "not the next wallet", recorded)
    case .assetAdded: break
    case .funded(let number, _, _):
      try require(status(number) != .closed, "funds a closed wallet", recorded)
    case .frozen(let number): try step(number, from: .open, to: .frozen, recorded)
    case .unfrozen(let number): try step(number, from: .frozen, to: .open, recorded)
    case .closed(let number, let heir, _, _):
      try step(number, from: .open, to: .closed, recorded)
      try require(held(number) == 0, "closes a wallet with holds", recorded)
      try require(!isInDispute(number), "closes a wallet in dispute", recorded)
      guard heir.isSome else { break }
      let place = Int(number.rawValue) - 1
      try require(
        status(heir) != .closed && wallets[Int(heir.rawValue) - 1].agent == wallets[place].agent,
        "leaves the rest to a stranger", recorded)
    case .reopened(let number, let agent, _, _):
      try step(number, from: .closed, to: .open, recorded)
      let place = Int(number.rawValue) - 1
      try require(wallets[place].agent == agent, "takes what is a stranger's", recorded)
    case .setAside(let number, _, _, _):
      try require(status(number) == .closed, "sets aside what is not closed", recorded)
    }
  }

  func status(_ number: WalletNumber) -> Wallets.Status? {
    guard number.isSome, number.rawValue <= UInt64(wallets.count) else { return nil }
    return wallets[Int(number.rawValue) - 1].status
  }

  private mutating func step(
    _ number: WalletNumber, from: Wallets.Status, to: Wallets.Status, _ recorded: Recorded
  ) throws(Mismatch) {
    try require(status(number) == from, "is not a step from \(from)", recorded)
    wallets[Int(number.rawValue) - 1].status = to
  }
}

// MARK: - Payments and refunds

extension Lives {
  /// Nothing new is taken from a wallet that is not open, or paid to one that is closed, or begun
  /// where something is paused.
  private func begin(
    _ payer: WalletNumber, _ payee: Payments.Payee, _ recorded: Recorded
  ) throws(Mismatch) {
    try require(status(payer) == .open, "takes from a wallet that is not open", recorded)
    if case .wallet(let payee) = payee {
      let status = status(payee)
      try require(status == .open || status == .frozen, "pays a closed wallet", recorded)
    }
    let tenant = tenants[wallets[Int(payer.rawValue) - 1].agent] ?? .none
    let scopes: [Pauses.Scope] = [.ledger, .tenant(tenant), .rail(.internal)]
    try require(pauses.isDisjoint(with: scopes), "begins while paused", recorded)
  }

  private mutating func pay(
    _ payment: Payments.Payment, _ parts: [Splits.Part], _ recorded: Recorded
  ) throws(Mismatch) {
    let side = schedules[Int(payment.schedule.rawValue) - 1].side
    try require(payment.side == side, "has another side than its schedule", recorded)
    try require(payment.amount > .zero && payment.fee >= .zero, "pays nothing", recorded)
    try require(payment.credited > .zero, "leaves the payee nothing", recorded)
    paid[recorded.number] = Paid(payment: payment, left: parts)
  }

  /// Amounts add up to no more than the payment, and fees, where they come back, to no more than
  /// its fee; to exactly that once all of it was refunded.
  private mutating func follow(
    _ refund: Refunds.Refund, _ parts: [Splits.Part], _ recorded: Recorded
  ) throws(Mismatch) {
    guard var was = paid[refund.payment]
    else { throw Mismatch("refunds no payment: \(recorded)") }
    let payment = was.payment
    let isResolved = try isResolving(refund, recorded)
    try require(
      refund.payer == payment.payer && refund.payee == payment.payee
        && refund.asset == payment.asset
        && refund.side == (isResolved ? .payer : payment.side),
      "differs from its payment", recorded)
    try require(refund.amount > .zero && refund.fee >= .zero, "refunds nothing", recorded)
    try take(parts, of: refund, from: &was.left, recorded)
    was.refunded += refund.amount.units
    was.feeRefunded += refund.fee.units
    try require(was.refunded <= payment.amount.units, "refunds too much", recorded)
    try require(was.feeRefunded <= payment.fee.units, "refunds too much fee", recorded)
    if !schedules[Int(payment.schedule.rawValue) - 1].isFeeRefunded {
      try require(was.feeRefunded == 0, "refunds a fee that stays", recorded)
    } else if was.refunded == payment.amount.units, !isResolved {
      try require(was.feeRefunded == payment.fee.units, "keeps some of the fee", recorded)
    }
    // Who gave back no more than he got has, once all came back, given exactly that (E-54).
    if was.refunded == payment.amount.units {
      let isNothing = was.left.allSatisfy { $0.amount == .zero }
      try require(isNothing, "leaves a receiver something", recorded)
    }
    paid[refund.payment] = was
  }
}

// MARK: - Reservations

extension Lives {
  private mutating func follow(
    _ event: Reservations.Event, _ parts: [Splits.Part], _ recorded: Recorded
  ) throws(Mismatch) {
    let time = recorded.header.time
    switch event {
    case .reserved(let hold):
      for payee in parts.isEmpty ? [hold.payee] : parts.map(\.payee) {
        try begin(hold.payer, payee, recorded)
      }
      let isWaiting = hold.purpose == .approval
      try require(isWaiting || parts.isEmpty, "holds a split that nobody waits for", recorded)
      try spend(
        hold.amount + hold.fee, of: hold.payer, hold.asset, isWaiting: isWaiting,
        isHold: !isWaiting, slot: hold.slot, recorded)
      try require(hold.amount > .zero && hold.fee >= .zero, "holds nothing", recorded)
      try require(hold.deadline > time, "expires at once", recorded)
      let isFree = !open.contains { $0.hold.slot == hold.slot }
      try require(isFree, "takes the row of another", recorded)
      open.append(
        Open(
          number: recorded.number, hold: hold, asker: recorded.header.actor, parts: parts,
          held: (hold.amount + hold.fee).units))
    case .captured(let capture): try follow(capture, parts, recorded)
    case .released(let end):
      let deadline = try finish(end, recorded)
      try require(time < deadline, "is released after its deadline", recorded)
    case .expired(let end, let effective):
      let deadline = try finish(end, recorded)
      try require(effective == deadline && deadline <= time, "is not due", recorded)
      try require(recorded.header.actor == .ledger, "is expired by somebody", recorded)
    }
  }

  /// The place of a reservation that has not ended.
  private func place(
    _ number: EventNumber, _ slot: ReservationSlot, _ recorded: Recorded
  ) throws(Mismatch) -> Int {
    try require(!ended.contains(number), "ends a second time", recorded)
    guard let place = open.firstIndex(where: { $0.number == number && $0.hold.slot == slot })
    else { throw Mismatch("is no reservation: \(recorded)") }
    return place
  }

  private mutating func follow(
    _ capture: Reservations.Capture, _ parts: [Splits.Part], _ recorded: Recorded
  ) throws(Mismatch) {
    let place = try place(capture.reservation, capture.slot, recorded)
    let (hold, payment) = (open[place].hold, capture.payment)
    if hold.purpose == .approval {
      let actor = recorded.header.actor
      let tenant = tenants[wallets[Int(hold.payer.rawValue) - 1].agent] ?? .none
      try require(
        actor != open[place].asker && actor.manages(tenant), "is approved by a stranger", recorded)
      try require(payment.amount == hold.amount, "approves some of it", recorded)
    }
    try require(parts == open[place].parts, "pays others than it waited for", recorded)
    _ = try payees(of: payment, parts, recorded)
    try require(recorded.header.time < hold.deadline, "comes after its deadline", recorded)
    try require(
      payment.payer == hold.payer && payment.payee == hold.payee && payment.asset == hold.asset
        && payment.schedule == hold.schedule, "differs from its hold", recorded)
    try require(capture.isLast || hold.isMultiple, "is not the only one", recorded)
    open[place].captured += payment.amount.units
    open[place].held -= (payment.debited + capture.released).units
    try require(open[place].captured <= hold.amount.units, "captures too much", recorded)
    if capture.isLast {
      try require(open[place].held == 0, "keeps some of the hold", recorded)
      open.remove(at: place)
      ended.insert(capture.reservation)
    } else {
      let isSome = open[place].held > 0 && capture.released == .zero
      try require(isSome, "leaves an open hold of nothing", recorded)
    }
    try pay(payment, parts, recorded)
  }

  /// The end without a payment; answers when its deadline was.
  private mutating func finish(
    _ end: Reservations.End, _ recorded: Recorded
  ) throws(Mismatch) -> Timestamp {
    let place = try place(end.reservation, end.slot, recorded)
    let was = open.remove(at: place)
    ended.insert(end.reservation)
    try require(
      end.amount.units == was.held && end.payer == was.hold.payer && end.asset == was.hold.asset,
      "gives back something else than was held", recorded)
    return was.hold.deadline
  }
}
