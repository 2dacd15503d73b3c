@testable import LedgerCore

/// What passes policies, and what of it was used (`accounting.md` 4, "policy").
extension NaiveLedger {
  /// A payment or a hold that was made.
  struct Use {
    /// The event of it.
    var event: EventNumber
    /// When it was decided.
    var time: UInt64
    var payer: Int
    /// What left the wallet or is held, less what came back.
    var units: Int128
    /// How many payments it is.
    var times: Int128 = 1
  }

  /// What is to be spent.
  struct Spending {
    var payer: Int
    var amount: Int128
    var receivers: [Payments.Recipient]
    var rail: Rail
    var category: UInt128
    var isHold: Bool
  }

  /// That it passes, by which policies, and how long it waits for approval if it must.
  struct Pass {
    var inForce = Policies.InForce()
    var seconds: UInt32?
  }

  /// Asks the policies of the wallet, its agent, his tenant and the ledger.
  func pass(_ spending: Spending) throws(Refusal) -> Pass {
    let wallet = wallets[spending.payer]
    var scopes: [Policies.Scope] = [
      .wallet(WalletNumber(UInt64(spending.payer + 1))), .agent(AgentNumber(wallet.agent)),
      .tenant(TenantNumber(tenant(of: spending.payer))), .ledger,
    ]
    if bug == .widestPolicyIsAskedFirst { scopes.reverse() }
    if bug == .tenantsPolicyIsNotAsked { scopes.remove(at: 2) }
    var pass = Pass()
    for scope in scopes {
      guard let place = policy(of: scope, .inForce) else { continue }
      let policy = policies[place]
      do throws(Refusal) {
        let seconds = try check(spending, policy)
        if let seconds {
          let isLonger = seconds > pass.seconds ?? seconds
          let keeps = isLonger != (bug == .longestApprovalCounts)
          if !keeps || pass.seconds == nil { pass.seconds = seconds }
        }
      } catch {
        var refusal = error
        refusal.ruleVersion = UInt32(policy.version)
        if refusal.asked.units == 0 { refusal.asked = Amount(units: spending.amount) }
        refusal.about = policy.made
        throw refusal
      }
      switch scope {
      case .wallet: pass.inForce.wallet = policy.made
      case .agent: pass.inForce.agent = policy.made
      case .tenant: pass.inForce.tenant = policy.made
      case .ledger: pass.inForce.ledger = policy.made
      }
    }
    return pass
  }

  /// Rules that deny, in their order; then what is allowed at all. Says how long it is to wait.
  private func check(_ spending: Spending, _ policy: Policy) throws(Refusal) -> UInt32? {
    let asset = wallets[spending.payer].asset
    let asked = Amount(units: spending.amount)
    var waits: [UInt32] = []
    for (index, line) in policy.lines.enumerated() {
      let place = UInt32(index + 1)
      switch line.rule {
      case .perPayment(let limit, asset) where asked > limit:
        throw Refusal(.perPaymentExceeded, limit: limit, asked: asked, rule: place)
      case .spend(let limit, asset, let period):
        try check(.limitExceeded, spending.amount, limit.units, period, line, policy, place)
      case .count(let limit, let period):
        try check(.countExceeded, 1, Int128(limit), period, line, policy, place)
      case .deny(let target) where isDenied(target, spending):
        throw Refusal(Self.reason(target), rule: place)
      case .approval(let above, asset, let seconds):
        let isAbove = asked > above || asked == above && bug == .approvalBeginsAtItsAmount
        guard isAbove else { continue }
        guard !spending.isHold || bug == .holdNeedsNoApproval
        else { throw Refusal(.approvalNeeded, limit: above, asked: asked, rule: place) }
        waits.append(seconds)
      default: continue
      }
    }
    try checkAllowed(spending, policy, asset)
    if spending.isHold { return nil }
    return bug == .longestApprovalCounts ? waits.max() : waits.min()
  }

  private func check(
    _ reason: Rejection, _ asked: Int128, _ limit: Int128, _ period: Limits.Period, _ line: Line,
    _ policy: Policy, _ place: UInt32
  ) throws(Refusal) {
    let used = used(line, of: policy, at: time)
    let most = limit + (bug == .limitMayBeOneMore && reason == .limitExceeded ? 1 : 0)
    let counted = bug == .countMayBeOneMore && reason == .countExceeded ? used : used + asked
    guard counted > most else { return }
    // What is more than the limit itself does not pass later either.
    let isLater = asked <= limit || bug == .moreThanTheLimitWaits
    let end = isLater ? span(of: period, around: time).upperBound : 0
    throw Refusal(
      reason, limit: Amount(units: limit), used: Amount(units: used), asked: Amount(units: asked),
      rule: place, resets: Timestamp(nanoseconds: end))
  }

  private func isDenied(_ target: Policies.Target, _ spending: Spending) -> Bool {
    switch target {
    case .rail(let rail): return rail == spending.rail
    case .category(let category): return category == spending.category
    case .wallet, .label:
      let isFirst = bug == .denyIsOfTheFirstReceiver
      return spending.receivers.prefix(isFirst ? 1 : .max).contains { Self.names(target, $0) }
    }
  }

  private static func names(_ target: Policies.Target, _ receiver: Payments.Recipient) -> Bool {
    switch (target, receiver) {
    case (.wallet(let wallet), .wallet(let number)): wallet == number
    case (.label(let label), .external(let name)): label == name
    default: false
    }
  }

  private static func reason(_ target: Policies.Target) -> Rejection {
    switch target {
    case .wallet, .label: .payeeNotAllowed
    case .rail: .railNotAllowed
    case .category: .categoryNotAllowed
    }
  }

  /// Payees, rails, categories, hours and assets of which a policy speaks: what it does not name is
  /// denied by the first rule of its kind.
  private func checkAllowed(
    _ spending: Spending, _ policy: Policy, _ asset: AssetNumber
  ) throws(Refusal) {
    var allowed: [Rejection: (first: Int, isMet: Bool)] = [:]
    let note = { (reason: Rejection, index: Int, isMet: Bool) in
      let before = allowed[reason] ?? (index + 1, false)
      allowed[reason] = (before.first, before.isMet || isMet)
    }
    var payees: [Policies.Target] = []
    for (index, line) in policy.lines.enumerated() {
      switch line.rule {
      case .perPayment(_, let named), .spend(_, let named, _), .approval(_, let named, _):
        note(.assetNotCovered, index, named == asset)
      case .allow(.rail(let rail)): note(.railNotAllowed, index, rail == spending.rail)
      case .allow(.category(let category)):
        note(.categoryNotAllowed, index, category == spending.category)
      case .allow(let target):
        payees.append(target)
        note(.payeeNotAllowed, index, false)
      case .hours(let hours): note(.outsideHours, index, isWithin(hours, time))
      case .count, .deny: break
      }
    }
    let named = spending.receivers.filter { receiver in
      payees.contains { Self.names($0, receiver) }
    }
    let isEach = named.count == spending.receivers.count
    if isEach || bug == .oneReceiverIsAllowed && !named.isEmpty {
      allowed[.payeeNotAllowed]?.isMet = true
    }
    if bug == .assetsAreAllCovered { allowed[.assetNotCovered] = nil }
    let order: [Rejection] = [
      .payeeNotAllowed, .railNotAllowed, .categoryNotAllowed, .outsideHours, .assetNotCovered,
    ]
    for reason in order {
      guard let (first, isMet) = allowed[reason], !isMet else { continue }
      throw Refusal(reason, rule: UInt32(first))
    }
  }
}

// MARK: - Denials

extension NaiveLedger {
  /// Says after the refusal what was denied: all that was asked.
  mutating func recordDenial(of request: Request) {
    let isHold: Bool
    let (amount, from): (Amount, WalletNumber)
    let (to, category): (Payments.Recipient, UInt128)
    switch request.command {
    case .payment(.pay(let payer, let payee, let units, _, _, let hash)):
      (isHold, amount, from, to, category) = (false, units, payer, payee, hash)
    case .reservation(.reserve(let payer, let payee, let units, _, _, _, let hash)):
      (isHold, amount, from, to, category) = (true, units, payer, payee, hash)
    default: return  // not ours: nothing else is spending
    }
    let denial = Policies.Denial(
      amount: amount, payer: from, recipient: to, category: category,
      effective: log[log.count - 1].header.time, rail: .internal, isHold: isHold)
    record(.policy(.denied(denial)), by: request.actor, body: to == .split ? request.body : [])
  }
}

// MARK: - Counting

extension NaiveLedger {
  /// What of a limit was used in the period of `now`: all that was made in it since it counts.
  func used(_ line: Line, of policy: Policy, at now: UInt64) -> Int128 {
    let all: [Use]
    switch line.rule {
    case .spend(_, let asset, let period):
      all = uses(of: policy.scope, since: line.since, span(of: period, around: now))
        .filter { wallets[$0.payer].asset == asset || bug == .limitsAreOfEveryAsset }
      return all.map(\.units).reduce(0, +)
    case .count(_, let period):
      all = uses(of: policy.scope, since: line.since, span(of: period, around: now))
      return all.map(\.times).reduce(0, +)
    case .perPayment, .allow, .deny, .hours, .approval: return 0
    }
  }

  private func uses(
    of scope: Policies.Scope, since: EventNumber, _ span: Range<UInt64>
  ) -> [Use] {
    uses.filter { use in
      guard use.event > since, span.contains(use.time) else { return false }
      switch scope {
      case .ledger: return true
      case .tenant(let number): return tenant(of: use.payer) == number.rawValue
      case .agent(let agent):
        let isItsOwn = bug == .agentsPolicyCountsOneWallet
        return wallets[use.payer].agent == agent.rawValue
          && (!isItsOwn || agents[Int(agent.rawValue) - 1].wallet.rawValue == use.payer + 1)
      case .wallet(let wallet): return WalletNumber(UInt64(use.payer + 1)) == wallet
      }
    }
  }

  /// Counts what the last event made; says so where a policy bears on it.
  mutating func count(
    _ spending: Spending, _ pass: Pass, at moment: UInt64, hold: Int = 0, by actor: Actor
  ) {
    let payment = log[log.count - 1].number
    let moment = bug == .countedWhenRecorded ? log[log.count - 1].header.time.nanoseconds : moment
    let total = spending.amount
    uses.append(Use(event: payment, time: moment, payer: spending.payer, units: total))
    let inForce = pass.inForce
    let all = [inForce.wallet, inForce.agent, inForce.tenant, inForce.ledger]
    guard all.contains(where: { $0 != .none }) else { return }
    let use = Policies.Use(
      amount: Amount(units: total), payer: WalletNumber(UInt64(spending.payer + 1)),
      payment: payment, hold: ReservationSlot(UInt64(hold)),
      effective: Timestamp(nanoseconds: moment), category: spending.category,
      asset: wallets[spending.payer].asset, policies: inForce)
    record(.policy(.counted(use)), by: actor)
  }

  /// What a hold gives back was not spent; in another period than its own that changes nothing.
  mutating func giveBack(_ units: Int128, of hold: Reservation, _ isWanted: Bool) {
    guard isWanted, bug != .nothingIsGivenBack else { return }
    let use = uses[hold.use]
    switch bug {
    case .giveBackIsOfThePeriodOfNow:
      let now = EventNumber(UInt64(log.count + 1))
      uses.append(Use(event: now, time: time, payer: use.payer, units: -units, times: 0))
    case .giveBackIsOfLaterLimitsToo:
      uses.append(
        Use(event: EventNumber(.max), time: use.time, payer: use.payer, units: -units, times: 0))
    default: uses[hold.use].units -= units
    }
    if bug == .giveBackIsAPaymentLess, !hold.isOpen { uses[hold.use].times = 0 }
  }
}
