/// What policies may be set and what passes them: decide, check, evolve, postings. The words are in
/// `Policies.swift`.
extension Policies {
  // MARK: - Decide

  static func decide(
    _ command: Command, body: Span<UInt8>, by actor: Actor, _ ledger: borrowing Ledger,
    at now: Timestamp, into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .set(let scope, let begins):
      try check(actor, mayRestrict: scope, ledger)
      try check(body, in: scope, ledger)
      guard begins == .none || begins > now else { throw Refusal(.policyInPast) }
      guard let version = UInt32(exactly: ledger.policies.nextVersion(of: scope)) else {
        throw Refusal(.policyInvalid)
      }
      let slot = ledger.policies.rows.next
      for index in body.indices { decision.body.append(body[index]) }
      decision.emit(
        .policy(
          .set(
            Setting(
              scope: scope, version: version, begins: begins == .none ? now : begins, slot: slot))),
        with: .own, isAnswer: true, hasBody: !body.isEmpty)
      if begins == .none {
        decision.emit(
          .policy(.began(scope: scope, version: version, slot: slot, effective: now)))
      }
    }
  }

  private static func check(
    _ actor: Actor, mayRestrict scope: Scope, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    guard actor.isStaff || actor.role == .tenantAdmin else { throw Refusal(.notPermitted) }
    switch scope {
    case .ledger:
      guard actor.isStaff else { throw Refusal(.notPermitted) }
    case .tenant(let tenant):
      guard ledger.identity.tenants.contains(tenant), actor.manages(tenant) else {
        throw Refusal(.tenantNotFound)
      }
    case .agent(let agent):
      guard ledger.identity.agents.contains(agent),
        actor.manages(ledger.identity.agents[agent].tenant)
      else { throw Refusal(.agentNotFound) }
    case .wallet(let wallet):
      guard ledger.wallets.contains(wallet), actor.manages(ledger.tenant(of: wallet)) else {
        throw Refusal(.walletNotFound)
      }
    }
    guard actor.isStaff || !ledger.policies.isStaffs(scope) else { throw Refusal(.notPermitted) }
  }

  /// Whether each rule can be one, and none says again what another says.
  private static func check(
    _ body: Span<UInt8>, in scope: Scope, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    guard let count = Rule.count(body), count <= ruleCountMax else {
      throw Refusal(.policyInvalid)
    }
    for index in 0..<count {
      let place = UInt32(index + 1)
      guard let rule = Rule.read(body, index), isValid(rule, in: scope, ledger) else {
        throw Refusal(.policyInvalid, rule: place)
      }
      for before in 0..<index where Rule.isAlike(body, before, index) {
        throw Refusal(.policyInvalid, rule: place)
      }
    }
  }

  private static func isValid(
    _ rule: Rule, in scope: Scope, _ ledger: borrowing Ledger
  ) -> Bool {
    switch rule {
    case .perPayment(let limit, let asset), .spend(let limit, let asset, _):
      limit > .zero && limit <= .commandMax && ledger.wallets.contains(asset)
    case .count(let limit, _): limit > 0 && limit <= countLimitMax
    case .allow(let target), .deny(let target): isValid(target, in: scope, ledger)
    case .hours(let hours):
      hours.days > 0 && hours.days < 0x80 && hours.from < hours.until && hours.until <= 1_440
    case .approval(let above, let asset, let seconds):
      above > .zero && above <= .commandMax && ledger.wallets.contains(asset)
        && seconds > 0 && seconds <= Reservations.secondsMax
    }
  }

  private static func isValid(
    _ target: Target, in scope: Scope, _ ledger: borrowing Ledger
  ) -> Bool {
    switch target {
    case .wallet(let number): ledger.wallets.contains(number)
    case .label(let hash): hash != 0 && scope != .ledger
    case .rail: true
    case .category(let hash): hash != 0
    }
  }

  // MARK: - Check

  /// What is to be spent.
  struct Spend {
    var payer: WalletNumber
    var asset: AssetNumber
    /// All that the wallet gives, fee included.
    var amount: Amount
    var recipient: Payments.Recipient
    var rail: Rail
    /// As ``Use/category``.
    var category: UInt128
    /// Whether it is a hold, which cannot wait for anybody.
    var isHold: Bool
  }

  /// That something passes.
  struct Pass {
    var policies = InForce()
    /// How long it waits for approval at most, where it must wait.
    var waitSeconds: UInt32?
  }

  /// Whether `spend` passes every policy that bears on it; `nil` where none does. `shares` lists
  /// the receivers of a split. The wallet's policy is asked first, then the agent's, the tenant's,
  /// the ledger's; the first rule that denies is named.
  @inline(__always)
  static func check(
    _ spend: Spend, shares: Span<UInt8>, _ ledger: borrowing Ledger, at now: Timestamp
  ) throws(Refusal) -> Pass? {
    guard ledger.policies.isAny else { return nil }
    return try checkEach(spend, shares, ledger, now)
  }

  @inline(never)
  private static func checkEach(
    _ spend: Spend, _ shares: Span<UInt8>, _ ledger: borrowing Ledger, _ now: Timestamp
  ) throws(Refusal) -> Pass? {
    let slots = ledger.policies(of: spend.payer)
    guard slots[0].isSome || slots[1].isSome || slots[2].isSome || slots[3].isSome else {
      return nil
    }
    let receivers = try Receivers(spend.recipient, shares)
    var pass = Pass()
    for index in slots.indices where slots[index].isSome {
      let row = ledger.policies.rows[slots[index]]
      do throws(Refusal) {
        let seconds = try check(spend, receivers, row, ledger, now)
        if let seconds { pass.waitSeconds = min(seconds, pass.waitSeconds ?? .max) }
      } catch {
        var refusal = error
        refusal.about = row.made
        refusal.ruleVersion = UInt32(truncatingIfNeeded: row.version)
        if refusal.asked == .zero { refusal.asked = spend.amount }
        throw refusal
      }
      pass.policies[index] = row.made
    }
    return pass
  }

  /// Who is to be paid, one or several.
  private struct Receivers {
    private(set) var all: InlineArray<32, Payments.Recipient>
    private(set) var count = 1

    init(_ recipient: Payments.Recipient, _ shares: Span<UInt8>) throws(Refusal) {
      all = InlineArray(repeating: recipient)
      guard recipient == .split else { return }
      count = min(Splits.Share.count(shares) ?? 0, Splits.countMax)
      for index in 0..<count { all[index] = try Splits.Share.read(shares, index).recipient }
    }
  }

  /// What of a policy speaks of something at all, and whether it speaks for the spending at hand:
  /// the first such rule's place, until one does.
  private struct Allowance {
    var first: UInt32 = 0
    var isMet = false

    mutating func note(_ place: UInt32, _ isMet: Bool) {
      if first == 0 { first = place }
      if isMet { self.isMet = true }
    }

    func check(_ reason: Rejection) throws(Refusal) {
      if first > 0, !isMet { throw Refusal(reason, rule: first) }
    }
  }

  /// Whether `spend` passes one policy, and how long it must wait for approval, if it must. Rules
  /// that deny are asked in their order; then whether payees, rail, category, time and asset are
  /// among those allowed. O(rules × receivers).
  private static func check(
    _ spend: Spend, _ receivers: borrowing Receivers, _ row: State.Row,
    _ ledger: borrowing Ledger, _ now: Timestamp
  ) throws(Refusal) -> UInt32? {
    var (payees, rails, categories) = (Allowance(), Allowance(), Allowance())
    var (hours, assets) = (Allowance(), Allowance())
    var waitSeconds: UInt32?
    var number = row.firstRule
    var place: UInt32 = 0
    while number.isSome {
      let ruleRow = ledger.policies.rules[number]
      let rule = ruleRow.rule
      (number, place) = (ruleRow.next, place + 1)
      if let asset = rule.asset { assets.note(place, asset == spend.asset) }
      switch rule {
      case .perPayment(let limit, spend.asset):
        guard spend.amount <= limit else {
          throw Refusal(.perPaymentExceeded, limit: limit, asked: spend.amount, rule: place)
        }
      case .spend(let limit, spend.asset, let period):
        try check(
          spend.amount, limit, ruleRow.counter, period, .limitExceeded, place, at: now)
      case .count(let limit, let period):
        try check(
          Amount(units: 1), Amount(units: Int128(limit)), ruleRow.counter, period,
          .countExceeded, place, at: now)
      case .deny(let target):
        if isMet(target, by: spend, receivers) { throw Refusal(target.denial, rule: place) }
      case .allow(.rail(let rail)): rails.note(place, rail == spend.rail)
      case .allow(.category(let category)): categories.note(place, category == spend.category)
      case .allow(.wallet), .allow(.label): payees.note(place, false)
      case .hours(let window): hours.note(place, window.contains(now))
      case .approval(let above, spend.asset, let seconds):
        guard spend.amount > above else { continue }
        guard !spend.isHold else {
          throw Refusal(.approvalNeeded, limit: above, asked: spend.amount, rule: place)
        }
        waitSeconds = min(seconds, waitSeconds ?? .max)
      case .perPayment, .spend, .approval: break
      }
    }
    if payees.first > 0 { payees.isMet = areAllowed(receivers, row, ledger) }
    try payees.check(.payeeNotAllowed)
    try rails.check(.railNotAllowed)
    try categories.check(.categoryNotAllowed)
    try hours.check(.outsideHours)
    try assets.check(.assetNotCovered)
    return waitSeconds
  }

  private static func check(
    _ asked: Amount, _ limit: Amount, _ counter: Limits.Counter, _ period: Limits.Period,
    _ reason: Rejection, _ place: UInt32, at now: Timestamp
  ) throws(Refusal) {
    let used = Amount(units: counter.used(in: period, at: now))
    // Both are within what commands may ask and what a limit may be, so the sum is in range.
    guard used + asked <= limit else {
      throw Refusal(
        // What is more than the limit itself is no less too much later.
        reason, limit: limit, used: used, asked: asked, rule: place,
        resets: asked <= limit ? period.end(of: now) : .none)
    }
  }

  /// Whether a rule speaks of what is to be spent: for payees, of any receiver.
  private static func isMet(
    _ target: Target, by spend: Spend, _ receivers: borrowing Receivers
  ) -> Bool {
    switch target {
    case .rail(let rail): return rail == spend.rail
    case .category(let category): return category == spend.category
    case .wallet, .label:
      for index in 0..<receivers.count where target.isPayee(receivers.all[index]) { return true }
      return false
    }
  }

  /// Whether every receiver is allowed by some rule of a policy.
  private static func areAllowed(
    _ receivers: borrowing Receivers, _ row: State.Row, _ ledger: borrowing Ledger
  ) -> Bool {
    for index in 0..<receivers.count {
      guard isAllowed(receivers.all[index], row, ledger) else { return false }
    }
    return true
  }

  private static func isAllowed(
    _ recipient: Payments.Recipient, _ row: State.Row, _ ledger: borrowing Ledger
  ) -> Bool {
    var number = row.firstRule
    while number.isSome {
      let ruleRow = ledger.policies.rules[number]
      if case .allow(let target) = ruleRow.rule, target.isPayee(recipient) { return true }
      number = ruleRow.next
    }
    return false
  }

  /// Emits that the event before passed, where policies bear on it.
  static func count(
    _ pass: Pass?, _ spend: Spend, hold: ReservationSlot = .none, at now: Timestamp,
    into decision: inout Decision
  ) {
    guard let pass else { return }
    decision.emit(
      .policy(
        .counted(
          Use(
            amount: spend.amount, payer: spend.payer,
            payment: EventNumber(decision.next.rawValue - 1), hold: hold, effective: now,
            category: spend.category, asset: spend.asset, policies: pass.policies))))
  }

  /// The event of a policy whose begin has come.
  static func fire(_ timer: Timers.Armed, _ state: borrowing State) -> Event {
    let slot = PolicySlot(timer.subject)
    return .began(
      scope: state.scope(of: slot), version: UInt32(truncatingIfNeeded: state.rows[slot].version),
      slot: slot, effective: timer.deadline)
  }

  // MARK: - Evolve

  static func evolve(
    _ ledger: inout Ledger, _ event: Event, _ header: Header, body: Span<UInt8>
  ) {
    switch event {
    case .set(let setting):
      let slot = ledger.policies.add(setting, header, body: body)
      precondition(slot == setting.slot, "a policy's row is the first that is free")
      // One in force at once is followed by its own event in the same command.
      if setting.begins > header.time { ledger.policies.await(slot, &ledger.timers) }
    case .began(let scope, let version, let slot, _):
      precondition(
        ledger.policies.scope(of: slot) == scope
          && ledger.policies.rows[slot].version == UInt64(version))
      ledger.policies.begin(slot, &ledger.timers, at: header.time)
    case .counted(let use):
      let slots = ledger.policies(of: use.payer)
      for index in slots.indices {
        guard slots[index].isSome else {
          precondition(!use.policies[index].isSome, "a policy counts while it is in force")
          continue
        }
        precondition(ledger.policies.rows[slots[index]].made == use.policies[index])
        ledger.policies.count(use.amount, use.asset, slots[index], at: use.effective)
      }
      if use.hold.isSome { ledger.reservations.rows[use.hold].counted = use.effective.nanoseconds }
    case .denied: break
    }
  }

  /// What a reservation gives back counts no longer in the period that it was made in. Called
  /// before the event frees the row.
  @inline(__always)
  static func giveBack(_ event: Reservations.Event, _ ledger: inout Ledger) {
    guard ledger.policies.isAny else { return }
    switch event {
    case .reserved: break
    case .captured(let capture):
      giveBack(
        capture.released, capture.payment.asset, capture.payment.payer, capture.slot, &ledger)
    case .released(let end), .expired(let end, _):
      giveBack(end.amount, end.asset, end.payer, end.slot, &ledger)
    }
  }

  @inline(never)
  private static func giveBack(
    _ amount: Amount, _ asset: AssetNumber, _ payer: WalletNumber, _ hold: ReservationSlot,
    _ ledger: inout Ledger
  ) {
    let counted = Timestamp(nanoseconds: ledger.reservations.rows[hold].counted)
    guard amount > .zero, counted > .none else { return }
    let slots = ledger.policies(of: payer)
    for index in slots.indices where slots[index].isSome {
      ledger.policies.giveBack(amount, asset, slots[index], countedAt: counted)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .set, .began, .counted, .denied: break
    }
  }
}

extension Ledger {
  /// The policies in force for a wallet, in the order of ``Policies/InForce``; none where there is
  /// none.
  func policies(of wallet: WalletNumber) -> InlineArray<4, PolicySlot> {
    let agent = wallets.wallets[wallet].agent
    return [
      policies.current(of: .wallet(wallet)), policies.current(of: .agent(agent)),
      policies.current(of: .tenant(identity.agents[agent].tenant)), policies.current(of: .ledger),
    ]
  }
}

extension Policies.InForce {
  /// Wallet's, agent's, tenant's, ledger's: 0 to 3.
  public subscript(index: Int) -> EventNumber {
    get {
      switch index {
      case 0: wallet
      case 1: agent
      case 2: tenant
      default: ledger  // not ours: a place
      }
    }
    set {
      switch index {
      case 0: wallet = newValue
      case 1: agent = newValue
      case 2: tenant = newValue
      default: ledger = newValue  // not ours: a place
      }
    }
  }
}

extension Policies.Rule {
  /// The asset that a rule limits amounts in.
  var asset: AssetNumber? {
    switch self {
    case .perPayment(_, let asset), .spend(_, let asset, _), .approval(_, let asset, _): asset
    case .count, .allow, .deny, .hours: nil
    }
  }

  /// The period that it counts in, if it counts.
  public var period: Limits.Period? {
    switch self {
    case .spend(_, _, let period), .count(_, let period): period
    case .perPayment, .allow, .deny, .hours, .approval: nil
    }
  }
}

extension Policies.Target {
  /// Why what it denies is refused.
  fileprivate var denial: Rejection {
    switch self {
    case .wallet, .label: .payeeNotAllowed
    case .rail: .railNotAllowed
    case .category: .categoryNotAllowed
    }
  }

  fileprivate func isPayee(_ recipient: Payments.Recipient) -> Bool {
    switch (self, recipient) {
    case (.wallet(let a), .wallet(let b)): a == b
    case (.label(let a), .external(let b)): a == b
    case (.wallet, _), (.label, _), (.rail, _), (.category, _): false
    }
  }
}

extension Policies.Denial {
  /// What is denied where a policy refuses a command; `nil` of one that spends nothing.
  init?(_ command: Command, at now: Timestamp) {
    switch command {
    case .payment(.pay(let from, let to, let amount, _, let rail, let category)):
      self.init(
        amount: amount, payer: from, recipient: to, category: category, effective: now,
        rail: rail, isHold: false)
    case .reservation(.reserve(let from, let to, let amount, _, _, _, let category)):
      self.init(
        amount: amount, payer: from, recipient: to, category: category, effective: now,
        rail: .internal, isHold: true)
    case .identity, .wallet, .fee, .reservation, .refund, .pause, .dispute, .receivable, .policy,
      .approval:
      return nil
    }
  }
}
