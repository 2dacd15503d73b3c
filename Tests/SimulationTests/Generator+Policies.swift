@testable import LedgerCore

/// Policies, and what goes up to their borders.
extension Generator {
  mutating func setPolicy(_ model: NaiveLedger, _ broken: Int) -> Request {
    var scope = scope(model)
    let inForce = model.policies.filter { $0.stage == .inForce }
    if !inForce.isEmpty, dice.isOne(in: 2) { scope = dice.pick(inForce).scope }
    var rules = rules(model, of: scope)
    // So many that little else passes: one of them less.
    if dice.isOne(in: inForce.count > 3 ? 2 : 10) { rules = [] }
    var begins: UInt64 = 0
    if dice.isOne(in: 3) { begins = moment(model) }
    var body = Policies.Rule.body(rules)
    var actor = manager(of: scope, model)
    for _ in 0..<broken {
      switch dice.below(10) {
      case 0: begins = dice.pick([1, model.time, model.time - 1])
      case 1, 2: body = spoilt(rules, model)
      case 3: body = garbled(body)
      case 7: body = Policies.Rule.body(rules + rules.suffix(1))
      case 8: actor = .tenantAdmin(TenantNumber(UInt64(1 + dice.below(model.tenants.count))))
      case 5:
        // Labels are a tenant's, and so in nobody's policy for all.
        (scope, actor) = (.ledger, staff(model))
        body = Policies.Rule.body(rules + [.deny(.label(UInt128(5 + dice.below(4))))])
      case 6:
        let count = Policies.ruleCountMax + dice.below(2)
        body = Policies.Rule.body((0..<count).map { .deny(.category(UInt128(10 + $0))) })
      case 4:
        scope = dice.pick([
          .tenant(TenantNumber(number(beyond: model.tenants.count))),
          .agent(AgentNumber(number(beyond: model.agents.count))),
          .wallet(WalletNumber(number(beyond: model.wallets.count))), .ledger,
        ])
      default: actor = anybody(model)
      }
    }
    let command = Policies.Command.set(scope, begins: Timestamp(nanoseconds: begins))
    return Request(.policy(command), by: actor, body: body)
  }

  /// Of a wallet that pays, its agent, his tenant, or the ledger.
  mutating func scope(_ model: NaiveLedger) -> Policies.Scope {
    scope(model, bearingOn: payer(model))
  }

  mutating func scope(_ model: NaiveLedger, bearingOn wallet: Int) -> Policies.Scope {
    switch dice.below(8) {
    case 0, 1, 2: .wallet(WalletNumber(UInt64(wallet + 1)))
    case 3, 4: .agent(AgentNumber(model.wallets[wallet].agent))
    case 5, 6: .tenant(TenantNumber(model.tenant(of: wallet)))
    default: .ledger
    }
  }

  /// Staff or, where there is one, the admin of the scope's tenant.
  mutating func manager(of scope: Policies.Scope, _ model: NaiveLedger) -> Actor {
    var tenant: UInt64?
    switch scope {
    case .ledger: break
    case .tenant(let number): tenant = number.rawValue
    case .agent(let agent): tenant = model.agents[Int(agent.rawValue) - 1].tenant
    case .wallet(let wallet): tenant = model.tenant(of: Int(wallet.rawValue) - 1)
    }
    guard let tenant, dice.isOne(in: 2) else { return staff(model) }
    return .tenantAdmin(TenantNumber(tenant))
  }

  /// A wallet in the scope that has money, if there is one.
  func wallet(in scope: Policies.Scope, _ model: NaiveLedger) -> Int {
    let all = model.wallets.indices.filter { place in
      switch scope {
      case .ledger: true
      case .tenant(let tenant): model.tenant(of: place) == tenant.rawValue
      case .agent(let agent): model.wallets[place].agent == agent.rawValue
      case .wallet(let wallet): wallet.rawValue == UInt64(place + 1)
      }
    }
    return all.max { model.available($0) < model.available($1) } ?? 0
  }

  /// Soon, at the moment at which something else is due, or where a period ends.
  mutating func moment(_ model: NaiveLedger) -> UInt64 {
    let timers = model.timers
    if !timers.isEmpty, dice.isOne(in: 4) { return dice.pick(timers).deadline }
    if dice.isOne(in: 3) {
      return model.span(of: dice.pick(Limits.Period.allCases), around: model.time).upperBound
    }
    return model.time
      + dice.pick([1, 2, 5, 10, 1_000_000_000, 60_000_000_000, 3_600_000_000_000] as [UInt64])
  }
}

// MARK: - Rules

extension Generator {
  /// Some new, or those of the policy in force with one of them other.
  mutating func rules(_ model: NaiveLedger, of scope: Policies.Scope) -> [Policies.Rule] {
    let wallet = wallet(in: scope, model)
    var rules: [Policies.Rule] = []
    if let place = model.policy(of: scope, .inForce), !dice.isOne(in: 4) {
      rules = model.policies[place].lines.map(\.rule)
      let index = dice.below(rules.count)
      switch dice.below(4) {
      case 0: rules.remove(at: index)
      case 1: rules.swapAt(0, index)
      case 2: rules[index] = changed(rules[index], model)
      default: break
      }
    }
    let count = rules.isEmpty ? 1 + dice.below(dice.isOne(in: 4) ? 6 : 2) : dice.below(2)
    for _ in 0..<count { rules.append(rule(model, wallet, scope)) }
    return rules.indices.filter { index in
      !rules[..<index].contains { Self.says($0, rules[index]) }
    }.map { rules[$0] }
  }

  /// Whether one of two says what the other says, but for numbers.
  private static func says(_ rule: Policies.Rule, _ other: Policies.Rule) -> Bool {
    switch (rule, other) {
    case (.perPayment(_, let asset), .perPayment(_, let other)): asset == other
    case (.spend(_, let asset, let period), .spend(_, let otherAsset, let otherPeriod)):
      asset == otherAsset && period == otherPeriod
    case (.count(_, let period), .count(_, let other)): period == other
    case (.approval(_, let asset, _), .approval(_, let other, _)): asset == other
    default: rule == other  // not ours: any other two
    }
  }

  private mutating func changed(_ rule: Policies.Rule, _ model: NaiveLedger) -> Policies.Rule {
    let near = { (limit: Amount, by: Int) in
      Amount(units: max(min(limit.units + Int128(by), Amount.commandMax.units), 1))
    }
    let by = dice.pick([-1, 1, 100, -100, 1_000_000])
    switch rule {
    case .perPayment(let limit, let asset): return .perPayment(near(limit, by), asset)
    case .spend(let limit, let asset, let period):
      let other = dice.isOne(in: 2) ? period : dice.pick(Limits.Period.allCases)
      return .spend(near(limit, by), asset, other)
    case .count(let limit, let period): return .count(limit + UInt32(dice.below(3)), period)
    case .approval(let above, let asset, let seconds):
      return .approval(above: near(above, by), asset, seconds: max(seconds / 2, 1))
    case .allow, .deny, .hours: return rule
    }
  }

  private mutating func rule(
    _ model: NaiveLedger, _ wallet: Int, _ scope: Policies.Scope
  ) -> Policies.Rule {
    var asset = model.wallets[wallet].asset
    if dice.isOne(in: 8) { asset = AssetNumber(UInt64(1 + dice.below(model.assets.count))) }
    let period = dice.pick(Limits.Period.allCases)
    let limit = Amount(units: limit(model, wallet))
    switch dice.below(16) {
    case 0: return .perPayment(limit, asset)
    case 1, 2, 3, 4, 5: return .spend(limit, asset, period)
    case 6, 7: return .count(UInt32(1 + dice.below(6)), period)
    case 8, 9: return .approval(above: limit, asset, seconds: dice.pick([1, 60, 3_600, 86_400]))
    case 10: return .allow(dice.pick([.rail(.internal), .category(UInt128(1 + dice.below(3)))]))
    case 11:
      if dice.isOne(in: 6) { return .deny(.rail(.internal)) }
      return .deny(.category(UInt128(1 + dice.below(3))))
    case 12: return .hours(hours(model))
    case 13, 14: return .deny(payee(model, wallet, scope))
    default: return .allow(payee(model, wallet, scope))  // not ours: a random number
    }
  }

  /// Near what is there, or so that a few of the usual payments fit.
  private mutating func limit(_ model: NaiveLedger, _ wallet: Int) -> Int128 {
    let available = max(model.available(wallet), 1)
    switch dice.below(4) {
    case 0: return dice.magnitude(to: available)
    case 1: return max(available / Int128(1 + dice.below(4)), 1)
    case 2: return Int128(1 + dice.below(1_000))
    default: return max(available / Int128(2 + dice.below(20)), 1)
    }
  }

  private mutating func payee(
    _ model: NaiveLedger, _ wallet: Int, _ scope: Policies.Scope
  ) -> Policies.Target {
    if scope != .ledger, dice.isOne(in: 2) { return .label(UInt128(1 + dice.below(4))) }
    let same = model.wallets.indices.filter { place in
      place != wallet && model.wallets[place].asset == model.wallets[wallet].asset
    }
    return .wallet(WalletNumber(UInt64((same.isEmpty ? 0 : dice.pick(same)) + 1)))
  }

  /// Around now, mostly also today.
  private mutating func hours(_ model: NaiveLedger) -> Policies.Hours {
    let minute = Int(model.time % NaiveLedger.day / 60_000_000_000)
    let from = max(minute - dice.below(3), 0)
    let until = min(minute + 1 + dice.below(3), 1_440)
    // 1970 began on a Thursday, whose bit is the fourth.
    let today = UInt8((model.time / NaiveLedger.day + 3) % 7)
    var days = UInt8(1 + dice.below(127))
    if !dice.isOne(in: 4) {
      days |= 1 << today
    } else if days != 1 << today {
      days &= ~(1 << today)
    }
    let isAllDay = dice.isOne(in: 3)
    return Policies.Hours(
      days: days, from: isAllDay ? 0 : UInt16(min(from, 1_439)),
      until: isAllDay ? 1_440 : UInt16(until))
  }

  /// Rules of which one cannot be, or says again what another says.
  private mutating func spoilt(_ rules: [Policies.Rule], _ model: NaiveLedger) -> [UInt8] {
    var rules = rules
    let (asset, none) = (AssetNumber(1), AssetNumber(UInt64(model.assets.count + 1)))
    let place = dice.below(rules.count + 1)
    switch dice.below(12) {
    case 0: rules.insert(.perPayment(dice.pick([.zero, Amount(units: -1)]), asset), at: place)
    case 1: rules.insert(.spend(Amount(units: 5), none, .day), at: place)
    case 2: rules.insert(.spend(Amount(units: Amount.commandMax.units + 1), asset, .day), at: place)
    case 3: rules.insert(.count(dice.pick([0, 1_000_000_001]), .week), at: place)
    case 4:
      let hours = dice.pick([
        Policies.Hours(days: 0, from: 0, until: 1), Policies.Hours(days: 128, from: 0, until: 1),
        Policies.Hours(days: 1, from: 5, until: 5), Policies.Hours(days: 1, from: 5, until: 1_441),
      ])
      rules.insert(.hours(hours), at: place)
    case 5:
      let seconds = dice.pick([0, 30 * 86_400 + 1] as [UInt32])
      rules.insert(.approval(above: Amount(units: 5), asset, seconds: seconds), at: place)
    case 6: rules.insert(.deny(.category(0)), at: place)
    case 7: rules.insert(.allow(.label(UInt128(dice.below(2)))), at: place)
    case 8:
      rules.insert(
        .deny(.wallet(WalletNumber(number(beyond: model.wallets.count)))), at: place)
    case 9, 10: rules += [.count(5, .month), .count(6, .month)]
    default: rules += rules.suffix(1)  // not ours: a random number
    }
    return Policies.Rule.body(rules)
  }
}

// MARK: - Borders

extension Generator {
  /// The amount that is just allowed by a rule that bears on the payer, one less or one more.
  mutating func border(_ model: NaiveLedger, _ payer: Int) -> Int128? {
    let asset = model.wallets[payer].asset
    let scopes: [Policies.Scope] = [
      .wallet(WalletNumber(UInt64(payer + 1))), .agent(AgentNumber(model.wallets[payer].agent)),
      .tenant(TenantNumber(model.tenant(of: payer))), .ledger,
    ]
    var rooms: [Int128] = []
    for policy in scopes.compactMap({ model.policy(of: $0, .inForce) }).map({ model.policies[$0] })
    {
      for line in policy.lines {
        switch line.rule {
        case .perPayment(let limit, asset), .approval(let limit, asset, _):
          rooms.append(limit.units)
        case .spend(let limit, asset, _):
          rooms.append(limit.units - model.used(line, of: policy, at: model.time))
        default: continue  // not ours: rules without an amount of this asset
        }
      }
    }
    guard !rooms.isEmpty else { return nil }
    // Mostly what all of them allow.
    let room = dice.isOne(in: 3) ? dice.pick(rooms) : rooms.min() ?? 0
    return max(affordable(model, room) + Int128(dice.below(4) / 2), 1)
  }

  /// What a payment says it is for.
  mutating func category() -> UInt128 {
    guard swarm.kinds[Swarm.Kind.setPolicy.rawValue] > 0 else { return 0 }
    return dice.isOne(in: 2) ? 0 : UInt128(1 + dice.below(3))
  }

  /// Just before the end of a period, or just at it.
  mutating func endOfPeriod(_ model: NaiveLedger) -> UInt64 {
    let period = dice.pick(Limits.Period.allCases)
    let now = max(model.wall, model.time)
    return model.span(of: period, around: now).upperBound - 3 + UInt64(dice.below(5))
  }

  /// More than policies allow, again and again and without a key.
  mutating func denials(_ model: NaiveLedger) -> [Request]? {
    let inForce = model.policies.filter { $0.stage == .inForce }
    guard !inForce.isEmpty else { return nil }
    let payer = wallet(in: dice.pick(inForce).scope, model)
    let pay = Payments.Command.pay(
      from: WalletNumber(UInt64(payer + 1)), to: .external(label: 1), amount: .commandMax)
    let request = Request(.payment(pay), by: owner(payer, model))
    return [Request](repeating: request, count: 40 + dice.below(40))
  }
}
