@testable import LedgerCore

/// Stories with a purpose: steps of which each follows from what the one before it led to.
extension Generator {
  /// What comes next in a story, once the steps before it were made.
  typealias Chapter = (inout Generator, NaiveLedger) -> Step

  mutating func story(_ model: NaiveLedger) -> [Chapter] {
    let has = { [swarm] (kind: Swarm.Kind) in swarm.kinds[kind.rawValue] > 0 }
    var stories: [(inout Generator, NaiveLedger) -> [Chapter]] = []
    if has(.setPolicy) {
      stories += [{ $0.acrossAnEdge($1) }, { $0.versions($1) }, { $0.waiting($1) }]
      stories += [{ $0.acrossAnEdge($1) }, { $0.waiting($1) }, { $0.splitsAndNames($1) }]
      stories += [{ $0.untilTheHour($1) }, { $0.closeAndApprove($1) }]
    }
    if has(.dispute) {
      stories += [{ $0.advanceAndWriteOff($1) }, { $0.payeeLosesHisDispute($1) }]
    }
    if has(.paySplit), has(.refund) { stories += [{ $0.oneReceiverOfAll($1) }] }
    if has(.registerTenantAdmin) { stories += [{ $0.joinATenant($1) }] }
    guard !stories.isEmpty else { return [] }
    return dice.pick(stories)(&self, model)
  }

  static func ask(_ requests: [Request]) -> Step {
    .submit([Job(requests: requests)])
  }

  private mutating func set(
    _ scope: Policies.Scope, _ rules: [Policies.Rule], begins: UInt64 = 0, _ model: NaiveLedger
  ) -> Request {
    Request(
      .policy(.set(scope, begins: Timestamp(nanoseconds: begins))),
      by: manager(of: scope, model), body: Policies.Rule.body(rules))
  }

  private func amount(_ model: NaiveLedger, _ payer: Int, of: Int128) -> Int128 {
    max(affordable(model, model.available(payer) / of), 1)
  }

  private func pay(_ amount: Int128, from payer: Int, _ model: NaiveLedger) -> Request {
    let pay = Payments.Command.pay(
      from: WalletNumber(UInt64(payer + 1)), to: .external(label: 1),
      amount: Amount(units: max(amount, 1)))
    return Request(.payment(pay), by: owner(payer, model))
  }

  // MARK: - Limits

  /// A limit for a period, a hold just before its end or after it, and then the hold ends, and as
  /// much is paid as is left of the limit or one unit more.
  private mutating func acrossAnEdge(_ model: NaiveLedger) -> [Chapter] {
    let payer = payer(model)
    let scope = scope(model, bearingOn: payer)
    let period = dice.pick(Limits.Period.allCases)
    let share = Int128(4 + dice.below(8))
    let hasCount = dice.isOne(in: 2)
    let isLater = dice.isOne(in: 4)
    let setting: Chapter = { make, model in
      let asset = model.wallets[payer].asset
      let usual = make.amount(model, payer, of: share)
      let total = model.debited(usual, model.fee(on: usual))
      let limit = Amount(units: total * Int128(1 + make.dice.below(3)) + Int128(make.dice.below(2)))
      var rules: [Policies.Rule] = [.spend(limit, asset, period)]
      if hasCount { rules.append(.count(UInt32(1 + make.dice.below(4)), period)) }
      return Self.ask([make.set(scope, rules, model)])
    }
    let toEdge: Chapter = { make, model in
      let end = model.span(of: period, around: max(model.wall, model.time)).upperBound
      return .clock(end - 6 + UInt64(make.dice.below(9)))
    }
    let hold: Chapter = { make, model in
      let amount = make.amount(model, payer, of: share)
      let reserve = Reservations.Command.reserve(
        from: WalletNumber(UInt64(payer + 1)), to: .external(label: 1),
        amount: Amount(units: amount), seconds: make.dice.pick([1, 3_600, 86_400]),
        isMultiple: make.dice.isOne(in: 2))
      return Self.ask([Request(.reservation(reserve), by: make.owner(payer, model))])
    }
    let end: Chapter = { make, model in make.endOfHold(model, payer) }
    let spend: Chapter = { make, model in
      let amount = make.border(model, payer) ?? 1
      return Self.ask([make.pay(amount, from: payer, model), make.pay(amount, from: payer, model)])
    }
    let before = isLater ? [toEdge, hold, setting, toEdge] : [setting, toEdge, hold]
    return before + (dice.isOne(in: 2) ? [toEdge] : []) + [end, spend, toEdge, spend]
  }

  /// A hold of this payer is captured in part and ends, is released, or expires.
  private mutating func endOfHold(_ model: NaiveLedger, _ payer: Int) -> Step {
    let open = model.reservations.filter { hold in
      hold.payer == payer && hold.isOpen && hold.purpose == .hold
    }
    guard let hold = open.last else { return .clock(endOfPeriod(model)) }
    switch dice.below(3) {
    case 0: return .clock(hold.deadline)
    case 1:
      return Self.ask([Request(.reservation(.release(hold.number)), by: owner(payer, model))])
    default:
      let part = Amount(units: max(hold.amount / 3, 1))
      let capture = Reservations.Command.capture(hold.number, amount: part, isLast: true)
      return Self.ask([Request(.reservation(capture), by: owner(payer, model))])
    }
  }

  /// A policy whose next versions keep some of its limits, begin at once or later, and leave.
  private mutating func versions(_ model: NaiveLedger) -> [Chapter] {
    let payer = payer(model)
    let scope = scope(model, bearingOn: payer)
    let asset = model.wallets[payer].asset
    let limit = Amount(units: max(model.available(payer) / 4, 10))
    let all: [Policies.Rule] = [
      .spend(limit, asset, .day), .count(4, .day), .spend(limit + limit, asset, .week),
      .spend(limit + limit, asset, .month), .count(9, .month),
    ]
    var chapters: [Chapter] = []
    for _ in 0..<3 {
      let rules = all.filter { _ in !dice.isOne(in: 3) }
      let (isLifted, isLater) = (dice.isOne(in: 5), dice.isOne(in: 3))
      let hasTwo = isLater && dice.isOne(in: 2)
      chapters.append { make, model in
        let begins = isLater ? model.time + 10 + UInt64(make.dice.below(10)) : 0
        var requests = [make.set(scope, isLifted ? [] : rules, begins: begins, model)]
        if hasTwo { requests.append(make.set(scope, Array(all.prefix(2)), begins: begins, model)) }
        if make.dice.isOne(in: 4) { requests.append(make.set(scope, all, model)) }
        return Self.ask(requests)
      }
      chapters.append { make, model in
        let amount = make.dice.isOne(in: 2) ? 1 : make.border(model, payer) ?? 1
        return Self.ask([
          make.pay(amount, from: payer, model), make.pay(amount / 2, from: payer, model),
        ])
      }
      if isLater { chapters.append { _, model in .clock(model.time + 20) } }
    }
    return chapters
  }
}

// MARK: - Payees, approvals, advances and tenants

extension Generator {
  /// A policy that allows payments until a minute begins, and payments just before and then.
  private mutating func untilTheHour(_ model: NaiveLedger) -> [Chapter] {
    let payer = payer(model)
    let scope = scope(model, bearingOn: payer)
    let minute: UInt64 = 60_000_000_000
    let setting: Chapter = { make, model in
      let end = model.time % NaiveLedger.day / minute + 1
      let hours = Policies.Hours(days: 127, from: 0, until: UInt16(end))
      return Self.ask([make.set(scope, [.hours(hours)], model)])
    }
    let toEnd: Chapter = { make, model in
      .clock((model.time / minute + 1) * minute - UInt64(make.dice.below(4)))
    }
    let spending: Chapter = { make, model in
      Self.ask((0..<4).map { _ in make.pay(1_000, from: payer, model) })
    }
    return [setting, toEnd, spending]
  }

  /// A split among wallets that waits, of which one is closed before it is approved.
  private mutating func closeAndApprove(_ model: NaiveLedger) -> [Chapter] {
    let payer = payer(model)
    let paying = model.wallets[payer]
    let wallet = WalletNumber(UInt64(payer + 1))
    let approval = Policies.Rule.approval(above: Amount(units: 1), paying.asset, seconds: 3_600)
    let amount = amount(model, payer, of: 4)
    let isSplit = dice.isOne(in: 2)
    let all: Chapter = { make, model in
      let next = UInt64(model.wallets.count + 1)
      let receivers = [WalletNumber(next), WalletNumber(next + 1)]
      let open = Request(
        .wallet(.open(agent: AgentNumber(paying.agent), asset: paying.asset)), by: .administrator)
      let shares = receivers.map { Splits.Share(.wallet($0), weight: 1) }
      let pay = Payments.Command.pay(
        from: wallet, to: isSplit ? .split : .wallet(receivers[1]), amount: Amount(units: amount))
      return Self.ask([
        open, open, make.set(.wallet(wallet), [approval], model),
        Request(
          .payment(pay), by: make.owner(payer, model),
          body: isSplit ? Splits.Share.body(shares) : []),
        Request(.wallet(.close(receivers[1], to: receivers[0])), by: .administrator),
      ])
    }
    let deciding: Chapter = { make, model in
      let hold = model.reservations.last { $0.isOpen && $0.purpose == .approval }
      let approve = Approvals.Command.approve(hold?.number ?? .none)
      return Self.ask([Request(.approval(approve), by: .administrator)])
    }
    return [all, deciding]
  }

  /// Payees that are allowed or denied, and splits among them and others.
  private mutating func splitsAndNames(_ model: NaiveLedger) -> [Chapter] {
    let payer = payer(model)
    let tenant = TenantNumber(model.tenant(of: payer))
    let scopes: [Policies.Scope] = [.tenant(tenant), .wallet(WalletNumber(UInt64(payer + 1)))]
    let scope = dice.pick(scopes)
    let isAllowed = dice.isOne(in: 2)
    let setting: Chapter = { make, model in
      let labels = [Policies.Target.label(1), .label(2)]
      return Self.ask([make.set(scope, labels.map { isAllowed ? .allow($0) : .deny($0) }, model)])
    }
    let splitting: Chapter = { make, model in
      let pairs: [[UInt128]] = [[1, 2], [1, 3], [3, 1], [3, 4]]
      let amount = Amount(units: max(make.amount(model, payer, of: 20), 1_000))
      return Self.ask(
        pairs.map { labels in
          let shares = labels.map { Splits.Share(.external(label: $0), weight: 5) }
          let pay = Payments.Command.pay(
            from: WalletNumber(UInt64(payer + 1)), to: .split, amount: amount)
          return Request(
            .payment(pay), by: make.owner(payer, model), body: Splits.Share.body(shares))
        })
    }
    return [setting, splitting]
  }

  /// Two policies of which both have somebody approve, a payment or a split that waits, and what
  /// becomes of it.
  private mutating func waiting(_ model: NaiveLedger) -> [Chapter] {
    let payer = payer(model)
    let scopes = [scope(model, bearingOn: payer), scope(model, bearingOn: payer)]
    let isSplit = dice.isOne(in: 2)
    let setting: Chapter = { make, model in
      let asset = model.wallets[payer].asset
      let above = Amount(units: max(model.available(payer) / 50, 1))
      let requests = scopes.map { scope in
        let seconds = make.dice.pick([1, 2, 60, 3_600] as [UInt32])
        let approval = Policies.Rule.approval(above: above, asset, seconds: seconds)
        return make.set(scope, [approval, .spend(.commandMax, asset, .month)], model)
      }
      return Self.ask(requests)
    }
    let asking: Chapter = { make, model in
      for _ in 0..<4 {
        var request = isSplit ? make.paySplit(model, 0) : make.pay(model, 0, isExternal: false)
        guard case .payment(.pay(_, let to, _, _, _, _)) = request.command else { continue }
        let amount = Amount(units: make.amount(model, payer, of: 8))
        request.command = .payment(
          .pay(from: WalletNumber(UInt64(payer + 1)), to: to, amount: amount))
        let isStaffs = make.dice.isOne(in: 4)
        request.actor = isStaffs ? make.staff(model) : make.owner(payer, model)
        if make.dice.isOne(in: 2) { return Self.ask([request]) }
        return Self.ask([request, make.decideWaiting(model, 0)])
      }
      return .clock(model.wall + 1)
    }
    let closing: Chapter = { make, model in
      let hold = model.reservations.last { $0.isOpen && $0.purpose == .approval }
      let payees = hold.map { $0.parts.isEmpty ? [$0.payee] : $0.parts.map(\.payee) } ?? []
      let wallets = payees.compactMap { payee -> WalletNumber? in
        guard case .wallet(let wallet) = payee else { return nil }
        return wallet
      }
      guard let wallet = wallets.last else { return Self.ask([make.decideWaiting(model, 0)]) }
      let agent = model.wallets[Int(wallet.rawValue) - 1].agent
      let heir = WalletNumber(UInt64(model.wallets.count + 1))
      let asset = model.wallets[Int(wallet.rawValue) - 1].asset
      return Self.ask([
        Request(.wallet(.open(agent: AgentNumber(agent), asset: asset)), by: make.staff(model)),
        Request(.wallet(.close(wallet, to: heir)), by: make.staff(model)),
      ])
    }
    let late: Chapter = { make, model in
      let open = model.reservations.last { $0.isOpen && $0.purpose == .approval }
      return .clock((open?.deadline ?? model.wall) - 2 + UInt64(make.dice.below(4)))
    }
    let deciding: Chapter = { make, model in
      Self.ask([make.decideWaiting(model, make.dice.below(2)), make.decideWaiting(model, 0)])
    }
    var chapters = [setting, asking]
    if dice.isOne(in: 2) { chapters.append(closing) }
    if dice.isOne(in: 3) {
      chapters.append(late)
      chapters.append { make, model in
        guard let unit = make.unitToDeadline(model) else { return .clock(model.wall + 1) }
        return .submit([Job(requests: unit, isLinked: true)])
      }
    }
    return chapters + [deciding, deciding]
  }

  /// Caps, a payee who passes on what he got, a dispute that its payer wins, and two operators who
  /// give up what is owed.
  private mutating func advanceAndWriteOff(_ model: NaiveLedger) -> [Chapter] {
    let capCount = dice.below(4)
    let caps: Chapter = { make, model in
      Self.ask((0...capCount).map { _ in make.setCap(model, 0) })
    }
    // Without caps a live ledger advances nothing.
    let isOpened = model.livemode && dice.isOne(in: 2)
    let opened: Chapter = { _, model in
      Self.ask(
        (0...UInt64(model.tenants.count)).flatMap { tenant in
          model.assets.indices.map { asset in
            let setCap = Receivables.Command.setCap(
              TenantNumber(tenant), AssetNumber(UInt64(asset + 1)), .commandMax)
            return Request(.receivable(setCap), by: .administrator)
          }
        })
    }
    let disputing: Chapter = { make, model in Self.ask(make.spendAndDispute(model)) }
    let isDivided = dice.isOne(in: 2)
    let splitting: Chapter = { make, model in Self.ask([make.paySplit(model, 0)]) }
    let dividing: Chapter = { make, model in Self.ask(make.capAndDispute(model)) }
    let deciding: Chapter = { make, model in
      let open = model.disputes.filter { dispute in
        dispute.ending == nil && model.debts.contains { $0.dispute == dispute.number }
      }
      guard let number = open.last?.number else { return Self.ask(make.spendAndDispute(model)) }
      return Self.ask([
        Request(.dispute(.review(number)), by: make.staff(model)),
        Request(.dispute(.resolve(number, .refunded)), by: make.staff(model)),
      ])
    }
    let writing: Chapter = { make, model in
      Self.ask((0...make.dice.below(3)).map { _ in make.writeOff(model, 0) })
    }
    let opening = isDivided ? [splitting, dividing] : [disputing]
    let isRestarted = dice.isOne(in: 2)
    let between: Chapter = { make, model in
      isRestarted ? .restart : Self.ask([make.writeOff(model, 0)])
    }
    // It takes two to write off.
    let staffing: Chapter = { make, model in
      Self.ask([make.registerOperator(model, 0), make.registerOperator(model, 0)])
    }
    return (model.operators < 2 ? [staffing] : []) + (capCount > 0 ? [caps] : [])
      + (isOpened ? [opened] : []) + opening + [deciding, writing, between, writing]
  }

  /// The receivers of a split pass on what they got, and caps leave room for some of it; then it is
  /// disputed.
  private mutating func capAndDispute(_ model: NaiveLedger) -> [Request] {
    let splits = model.paid.filter { $0.parts.count > 1 && $0.refunded == 0 }
    guard let paid = splits.last else { return spendAndDispute(model) }
    var requests: [Request] = []
    var tenants: [TenantNumber] = [.none]
    for part in paid.parts {
      guard case .wallet(let wallet) = part.payee else { continue }
      let place = Int(wallet.rawValue) - 1
      requests.append(pay(affordable(model, model.available(place)), from: place, model))
      tenants.append(TenantNumber(model.tenant(of: place)))
    }
    let asset = paid.payment.asset
    for tenant in tenants where tenant == .none || dice.isOne(in: 2) {
      let owed = model.outstanding(tenant.rawValue, asset)
      let cap = Amount(units: owed + dice.magnitude(to: paid.payment.amount.units))
      requests.append(Request(.receivable(.setCap(tenant, asset, cap)), by: staff(model)))
    }
    let open = Disputes.Command.open(paid.number, reason: .other, within: 30 * 86_400)
    return requests + [Request(.dispute(open), by: staff(model))]
  }

  /// Agents of a tenant before it has an admin, and after, by him and by strangers.
  private mutating func joinATenant(_ model: NaiveLedger) -> [Chapter] {
    let name = UInt128(1 + dice.below(6))
    let join: Chapter = { make, model in
      let admin = Actor.tenantAdmin(
        TenantNumber(UInt64((model.tenants.firstIndex(of: name) ?? 0) + 1)))
      let actors: [Actor] = [.anonymous, .anonymous, admin, make.staff(model)]
      return Self.ask(
        (0...make.dice.below(3)).map { _ in
          let agent = make.dice.isOne(in: 3) ? 0 : name << 64 | UInt128(1 + make.dice.below(4))
          return Request(
            .identity(
              .registerAgent(
                tenant: name, name: agent, asset: AssetNumber(1), apiKey: make.dice.bits128(),
                secretKey: make.dice.bits128())), by: make.dice.pick(actors))
        })
    }
    let taking: Chapter = { make, model in
      let key = make.dice.bits128()
      return Self.ask([
        Request(
          .identity(.registerTenantAdmin(tenant: .none, name: name, key: key)),
          by: make.staff(model))
      ])
    }
    let revoking: Chapter = { make, model in
      let keys = model.credentials.indices.filter { model.credentials[$0].kind == .tenantKey }
      return Self.ask(
        keys.suffix(3).map { place in
          Request(
            .identity(.revoke(CredentialNumber(UInt64(place + 1)))), by: .administrator)
        })
    }
    return [join, taking, join] + (dice.isOne(in: 2) ? [revoking, join] : [])
  }
}
