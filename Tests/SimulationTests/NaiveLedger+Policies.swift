@testable import LedgerCore

/// Policies as they are set and begin. What passes them is in `NaiveLedger+Spending.swift`.
extension NaiveLedger {
  enum Stage {
    case coming, inForce, gone
  }

  struct Policy {
    var scope: Policies.Scope
    /// The how-manieth of its scope.
    var version: Int
    /// The event that set it.
    var made: EventNumber
    var begins: UInt64
    var slot: Int
    var lines: [Line]
    var isStaffs: Bool
    var stage = Stage.coming
  }

  /// One thing that a policy says, and since which event it counts.
  struct Line {
    var rule: Policies.Rule
    var since = EventNumber.none
  }

  /// The policy of a scope that is in force, or that is coming.
  func policy(of scope: Policies.Scope, _ stage: Stage) -> Int? {
    policies.firstIndex { $0.scope == scope && $0.stage == stage }
  }

  mutating func setPolicy(
    _ scope: Policies.Scope, _ body: [UInt8], begins: UInt64, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    try checkMayRestrict(scope, actor)
    let rules = try rules(in: body, of: scope)
    guard begins == 0 || begins > time else { throw Refusal(.policyInPast) }

    let isAtOnce = begins == 0 || bug == .policyBeginsAtOnce
    let slot = policySlots.take()
    let replaces = !isAtOnce && bug != .comingPolicyIsKept || bug == .setAtOnceDropsTheComing
    if replaces, let coming = policy(of: scope, .coming) { leave(coming) }
    let version = policies.count { $0.scope == scope } + 1
    let moment = begins == 0 ? time : begins
    policies.append(
      Policy(
        scope: scope, version: version, made: EventNumber(UInt64(log.count + 1)), begins: moment,
        slot: slot, lines: rules.map { Line(rule: $0) }, isStaffs: isStaff(actor)))
    let setting = Policies.Setting(
      scope: scope, version: UInt32(version), begins: Timestamp(nanoseconds: moment),
      slot: PolicySlot(UInt64(slot)))
    record(.policy(.set(setting)), by: actor, text, body: body)
    if isAtOnce { begin(policy: policies.count - 1, by: actor) }
  }

  /// It is in force, and whatever was is not.
  mutating func begin(policy place: Int, by actor: Actor) {
    let scope = policies[place].scope
    let number = EventNumber(UInt64(log.count + 1))
    let before = policy(of: scope, .inForce)
    for index in policies[place].lines.indices {
      let rule = policies[place].lines[index].rule
      let earlier = before.flatMap { earlier in
        policies[earlier].lines.first { counts($0.rule, like: rule) }
      }
      policies[place].lines[index].since = earlier?.since ?? number
      if bug == .limitCountsSinceItIsSet, earlier == nil {
        policies[place].lines[index].since = policies[place].made
      }
      if bug == .counterOutlivesItsPolicy { policies[place].lines[index].since = .none }
    }
    if let before { leave(before) }
    policies[place].stage = .inForce
    let policy = policies[place]
    if policy.lines.isEmpty, bug != .emptyPolicyIsInForce { leave(place) }
    record(
      .policy(
        .began(
          scope: scope, version: UInt32(policy.version), slot: PolicySlot(UInt64(policy.slot)),
          effective: Timestamp(nanoseconds: policy.begins))), by: actor)
  }

  private mutating func leave(_ place: Int) {
    policies[place].stage = .gone
    policySlots.free(policies[place].slot)
  }

  /// Whether two rules say the same but for their limits, and count.
  private func counts(_ rule: Policies.Rule, like other: Policies.Rule) -> Bool {
    if bug == .newVersionCountsAnew { return false }
    switch (rule, other) {
    case (.spend(_, let asset, let period), .spend(_, let otherAsset, let otherPeriod)):
      let isSame = period == otherPeriod || bug == .otherPeriodGoesOnCounting
      return asset == otherAsset && isSame
    case (.count(_, let period), .count(_, let other)): return period == other
    default: return false
    }
  }
}

// MARK: - What may be set

extension NaiveLedger {
  private func checkMayRestrict(_ scope: Policies.Scope, _ actor: Actor) throws(Refusal) {
    let isAny = bug == .adminRestrictsEverybody
    guard isStaff(actor) || actor.role == .tenantAdmin else { throw Refusal(.notPermitted) }
    switch scope {
    case .ledger: guard isStaff(actor) || isAny else { throw Refusal(.notPermitted) }
    case .tenant(let tenant):
      guard place(tenant.rawValue, in: tenants.count) != nil,
        manages(tenant.rawValue, actor) || isAny
      else { throw Refusal(.tenantNotFound) }
    case .agent(let agent):
      guard let place = place(agent.rawValue, in: agents.count),
        manages(agents[place].tenant, actor) || isAny
      else { throw Refusal(.agentNotFound) }
    case .wallet(let wallet):
      guard let place = place(wallet.rawValue, in: wallets.count),
        manages(tenant(of: place), actor) || isAny
      else { throw Refusal(.walletNotFound) }
    }
    let isStaffs = policies.contains { policy in
      policy.scope == scope && policy.stage != .gone && policy.isStaffs
    }
    guard isStaff(actor) || !isStaffs || bug == .adminLiftsWhatStaffSet
    else { throw Refusal(.notPermitted) }
  }

  private func rules(
    in body: [UInt8], of scope: Policies.Scope
  ) throws(Refusal) -> [Policies.Rule] {
    let most = bug == .policyMayBeOneTooLong ? 129 : 128
    guard body.count % 40 == 0, body.count / 40 <= most else { throw Refusal(.policyInvalid) }
    var rules: [Policies.Rule] = []
    for at in stride(from: 0, to: body.count, by: 40) {
      guard let rule = Self.rule(in: Array(body[at..<at + 40])), isValid(rule, scope),
        !rules.contains(where: { isLike($0, rule) }) || bug == .ruleMaySaySomethingAgain
      else { throw Refusal(.policyInvalid, rule: UInt32(rules.count + 1)) }
      rules.append(rule)
    }
    return rules
  }

  private func isValid(_ rule: Policies.Rule, _ scope: Policies.Scope) -> Bool {
    let isAmount = { (limit: Amount, asset: AssetNumber) in
      limit.units > 0 && limit.units <= Self.amountMax
        && place(asset.rawValue, in: assets.count) != nil
    }
    switch rule {
    case .perPayment(let limit, let asset), .spend(let limit, let asset, _):
      return isAmount(limit, asset)
    case .count(let limit, _): return limit >= 1 && limit <= 1_000_000_000
    case .allow(.wallet(let wallet)), .deny(.wallet(let wallet)):
      return place(wallet.rawValue, in: wallets.count) != nil
    case .allow(.label(let label)), .deny(.label(let label)):
      return label != 0 && (scope != .ledger || bug == .ledgerNamesLabels)
    case .allow(.category(let category)), .deny(.category(let category)): return category != 0
    case .allow(.rail), .deny(.rail): return true
    case .hours(let hours):
      return hours.days >= 1 && hours.days <= 127 && hours.from < hours.until
        && hours.until <= 1_440
    case .approval(let above, let asset, let seconds):
      return isAmount(above, asset) && seconds >= 1 && seconds <= 30 * 86_400
    }
  }

  /// Whether one of two rules would be idle.
  private func isLike(_ rule: Policies.Rule, _ other: Policies.Rule) -> Bool {
    switch (rule, other) {
    case (.perPayment(_, let asset), .perPayment(_, let other)): asset == other
    case (.spend(_, let asset, let period), .spend(_, let otherAsset, let otherPeriod)):
      asset == otherAsset && period == otherPeriod
    case (.count(_, let period), .count(_, let other)): period == other
    case (.approval(_, let asset, _), .approval(_, let other, _)): asset == other
    default: rule == other
    }
  }

  /// What 40 bytes say: kind 1, period, days or kind of target 1, asset 2, seconds or minutes 4,
  /// limit 16, key 16. Where anything else is in them than what they say, they say nothing.
  private static func rule(in bytes: [UInt8]) -> Policies.Rule? {
    let (kind, detail) = (bytes[0], bytes[1])
    let asset = AssetNumber(UInt64(number(in: bytes, at: 2, byteCount: 2)))
    let extra = UInt32(number(in: bytes, at: 4, byteCount: 4))
    let limit = number(in: bytes, at: 8, byteCount: 16)
    let key = number(in: bytes, at: 24, byteCount: 16)
    let amount = Amount(units: Int128(truncatingIfNeeded: limit))
    let period = Limits.Period(rawValue: detail)
    switch kind {
    case 1 where detail == 0 && extra == 0 && key == 0: return .perPayment(amount, asset)
    case 2 where extra == 0 && key == 0: return period.map { .spend(amount, asset, $0) }
    case 3 where asset == .none && extra == 0 && key == 0:
      guard let period, limit <= UInt128(UInt32.max) else { return nil }
      return .count(UInt32(limit), period)
    case 4 where asset == .none && extra == 0 && limit == 0:
      return target(detail, key).map { .allow($0) }
    case 5 where asset == .none && extra == 0 && limit == 0:
      return target(detail, key).map { .deny($0) }
    case 6 where asset == .none && limit == 0 && key == 0:
      return .hours(
        Policies.Hours(days: detail, from: UInt16(extra % 65_536), until: UInt16(extra / 65_536)))
    case 7 where detail == 0 && key == 0: return .approval(above: amount, asset, seconds: extra)
    default: return nil  // not ours: a random number
    }
  }

  private static func target(_ kind: UInt8, _ key: UInt128) -> Policies.Target? {
    switch kind {
    case 1 where key <= UInt128(UInt64.max): .wallet(WalletNumber(UInt64(key)))
    case 2: .label(key)
    case 3 where key == 0: .rail(.internal)
    case 4: .category(key)
    default: nil
    }
  }
}
