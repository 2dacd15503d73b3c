@testable import LedgerCore

/// What policies there are and what passes them, as far as the log alone says.
struct PolicyLives {
  struct Policy {
    var setting: Policies.Setting
    var made: EventNumber
    var rules: [Policies.Rule]
  }

  /// What was just made and must be counted next.
  struct Spent {
    var use: Policies.Use
    var isWaiting: Bool
    var isHold: Bool
  }

  var coming: [Policies.Scope: Policy] = [:]
  var inForce: [Policies.Scope: Policy] = [:]
  var versions: [Policies.Scope: UInt32] = [:]
  /// What was set to be in force at once, which the next event says.
  var atOnce: Policy?
  var spent: Spent?
  /// Whether a policy just refused something, which the next event tells.
  var isDenied = false
}

extension Lives {
  /// What begins at once begins next; what a policy bears on is counted next.
  mutating func checkPolicies(before recorded: Recorded) throws(Mismatch) {
    if let policy = policies.atOnce {
      guard case .policy(.began(policy.setting.scope, _, policy.setting.slot, _)) = recorded.event
      else { throw Mismatch("policy \(policy.made) does not begin at once: \(recorded)") }
    }
    if policies.isDenied {
      guard case .policy(.denied) = recorded.event
      else { throw Mismatch("what was denied is not told: \(recorded)") }
    }
    policies.isDenied = false
    if case .refusal(.recorded(let refusal, _)) = recorded.event {
      policies.isDenied = refusal.reason.isOfPolicy
    }
    if let spent = policies.spent {
      guard case .policy(.counted(let use)) = recorded.event
      else { throw Mismatch("what \(spent.use.payment) made is not counted: \(recorded)") }
      var expected = spent.use
      // The command's moment and what it is for are in no other event.
      (expected.effective, expected.category) = (use.effective, use.category)
      try require(use == expected, "counts something else", recorded)
      try require(use.effective <= recorded.header.time, "counts ahead", recorded)
      policies.spent = nil
    } else if case .policy(.counted) = recorded.event {
      throw Mismatch("counts what was counted: \(recorded)")
    }
  }

  mutating func follow(
    _ event: Policies.Event, _ body: [UInt8], _ recorded: Recorded
  ) throws(Mismatch) {
    switch event {
    case .counted: break
    case .denied(let denial):
      try require(denial.effective < recorded.header.time, "is denied ahead", recorded)
      let isSplit = denial.recipient == .split
      try require(isSplit == !body.isEmpty, "has other receivers", recorded)
      try require(denial.payer.rawValue <= UInt64(wallets.count), "is of no wallet", recorded)
    case .set(let setting):
      let scope = setting.scope
      policies.versions[scope, default: 0] += 1
      try require(policies.versions[scope] == setting.version, "is not the next", recorded)
      let rules = Policies.Rule.all(body.span)
      let others = [policies.coming.values, policies.inForce.values].flatMap { $0 }
      try require(
        !others.contains { $0.setting.slot == setting.slot }, "takes the row of another", recorded)
      try require(
        rules.count * 40 == body.count && rules.count <= 128, "has other rules", recorded)
      let policy = PolicyLives.Policy(setting: setting, made: recorded.number, rules: rules)
      if setting.begins > recorded.header.time {
        policies.coming[scope] = policy
      } else {
        try require(setting.begins == recorded.header.time, "begins before it is set", recorded)
        policies.atOnce = policy
      }
    case .began(let scope, let version, let slot, let effective):
      let isTimer = policies.atOnce == nil
      let policy = isTimer ? policies.coming.removeValue(forKey: scope) : policies.atOnce
      guard let policy, policy.setting.version == version, policy.setting.slot == slot
      else { throw Mismatch("begins what was not set: \(recorded)") }
      try require(
        effective == policy.setting.begins && effective <= recorded.header.time
          && isTimer == (recorded.header.actor == .ledger), "begins at another time", recorded)
      policies.inForce[scope] = policy.rules.isEmpty ? nil : policy
      policies.atOnce = nil
    }
  }

  /// Whether policies let `amount` leave the wallet by this event, as far as no counter says.
  mutating func spend(
    _ amount: Amount, of payer: WalletNumber, _ asset: AssetNumber, isWaiting: Bool, isHold: Bool,
    slot: ReservationSlot = .none, _ recorded: Recorded
  ) throws(Mismatch) {
    let agent = wallets[Int(payer.rawValue) - 1].agent
    let scopes: [Policies.Scope] = [
      .wallet(payer), .agent(agent), .tenant(tenants[agent] ?? .none), .ledger,
    ]
    var bearing = Policies.InForce()
    var mustWait = false
    for (index, scope) in scopes.enumerated() {
      guard let policy = policies.inForce[scope] else { continue }
      bearing[index] = policy.made
      let assets = policy.rules.compactMap(\.asset)
      try require(assets.isEmpty || assets.contains(asset), "is of no asset covered", recorded)
      for rule in policy.rules {
        switch rule {
        case .perPayment(let limit, asset), .spend(let limit, asset, _):
          try require(amount <= limit, "is more than is allowed at once", recorded)
        case .approval(let above, asset, _): mustWait = mustWait || amount > above
        default: continue
        }
      }
    }
    try require(mustWait == isWaiting, "waits, or does not, against its policies", recorded)
    guard bearing.isAny else { return }
    let use = Policies.Use(
      amount: amount, payer: payer, payment: recorded.number, hold: slot, effective: .none,
      category: 0, asset: asset, policies: bearing)
    policies.spent = PolicyLives.Spent(use: use, isWaiting: isWaiting, isHold: isHold)
  }
}

// MARK: - What was advanced

extension Lives {
  /// What is advanced at an opening is within the caps, and what is not is only beyond them.
  func check(
    advances claims: [Disputes.Claim], in asset: AssetNumber, _ recorded: Recorded
  ) throws(Mismatch) {
    var given: [TenantNumber: Int128] = [:]
    for claim in claims {
      guard case .wallet(let wallet) = claim.payee else { continue }
      let tenant = tenants[wallets[Int(wallet.rawValue) - 1].agent] ?? .none
      for scope in [tenant, .none] { given[scope, default: 0] += claim.receivable.units }
      let rooms = [tenant, .none].compactMap { scope -> Int128? in
        let cap = disputes.caps[DisputeLives.Debtors(tenant: scope, asset: asset)]
        guard let cap = cap ?? (disputes.livemode ? 0 : nil) else { return nil }
        return max(cap - outstanding(scope, asset), 0) - given[scope, default: 0]
      }
      let isWithin = claim.receivable == .zero || rooms.allSatisfy { $0 >= 0 }
      try require(isWithin, "advances more than the caps", recorded)
      let isFull = claim.uncovered == .zero || rooms.contains { $0 <= 0 }
      try require(isFull, "leaves uncovered what a cap has room for", recorded)
    }
  }

  private func outstanding(_ tenant: TenantNumber, _ asset: AssetNumber) -> Int128 {
    disputes.debts.filter { debt in
      debt.asset == asset && (tenant == .none || tenants[debt.agent] == tenant)
    }.map(\.receivable).reduce(0, +)
  }

  /// A debt of a dispute that its payer won, for which two of the staff asked.
  mutating func follow(
    _ writeOff: Receivables.WriteOff, isDone: Bool, _ recorded: Recorded
  ) throws(Mismatch) {
    let place = disputes.debts.firstIndex { debt in
      debt.dispute == writeOff.dispute && debt.agent == writeOff.agent && debt.receivable > 0
    }
    guard let place, disputes.debts[place].receivable == writeOff.amount.units,
      disputes.debts[place].asset == writeOff.asset, disputes.debts[place].payer != nil
    else { throw Mismatch("writes off what is not owed: \(recorded)") }
    let (asker, actor) = (disputes.debts[place].asker, recorded.header.actor)
    try require(isDone == (asker != nil), "is not asked for twice", recorded)
    try require(asker != actor && actor.isStaff, "is asked for by one alone", recorded)
    disputes.debts[place].asker = isDone ? nil : actor
    guard isDone else { return }
    disputes.debts[place].receivable = 0
    if disputes.debts[place].uncovered == 0 { disputes.debts.remove(at: place) }
  }
}
