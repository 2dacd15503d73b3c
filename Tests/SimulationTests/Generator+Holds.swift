import LedgerCore

/// Reservations and refunds: what is begun and ended later.
extension Generator {
  mutating func reserve(_ model: NaiveLedger, _ broken: Int) -> Request {
    let payment = pay(model, broken, isExternal: dice.isOne(in: 4))
    guard
      case .payment(.pay(let from, let to, let amount, let asset, _, let category)) =
        payment.command
    else {
      preconditionFailure("a payment was asked for")
    }
    // A day is longer than a run's clock goes by itself, and so ends otherwise or by a long step.
    var seconds = dice.pick([1, 2, 60, 3_600, 3_600, 86_400, 30 * 86_400] as [UInt32])
    if broken > 0, dice.isOne(in: 4) { seconds = dice.pick([0, 30 * 86_400 + 1, .max]) }
    let reserve = Reservations.Command.reserve(
      from: from, to: to, amount: amount, asset: asset, seconds: seconds,
      isMultiple: dice.isOne(in: 2), category: category)
    return Request(.reservation(reserve), by: payment.actor)
  }

  mutating func capture(_ model: NaiveLedger, _ broken: Int) -> Request {
    guard let hold = hold(model) else { return reserve(model, broken) }
    var number = hold.number
    var actor = dice.isOne(in: 6) ? staff(model) : owner(hold.payer, model)
    let left = hold.amount - hold.captured
    var amount: Int128?
    switch dice.below(6) {
    case 0: amount = nil
    case 1: amount = max(left, 1)
    case 2: amount = 1
    case 3: amount = max(left / 2, 1)
    default: amount = dice.magnitude(to: max(left, 1))
    }
    // Just to where the next tier begins, for which the parts before count too.
    let borders = model.schedules[hold.schedule - 1].tiers.map { $0.from - hold.captured }
    let ahead = borders.filter { $0 > 1 && $0 < left }
    if !ahead.isEmpty, dice.isOne(in: 2) {
      amount = dice.pick(ahead) + Int128(dice.below(3)) - 1
    }
    for _ in 0..<broken {
      switch dice.below(6) {
      case 0: amount = left + 1
      case 1: amount = dice.pick([0, -1, .min, .max])
      case 2: number = EventNumber(self.number(beyond: model.log.count))
      case 3: number = EventNumber(UInt64(1 + dice.below(model.log.count)))
      default: actor = anybody(model)
      }
    }
    let capture = Reservations.Command.capture(
      number, amount: amount.map { Amount(units: $0) }, isLast: dice.isOne(in: 4))
    return Request(.reservation(capture), by: actor)
  }

  mutating func release(_ model: NaiveLedger, _ broken: Int) -> Request {
    guard let hold = hold(model) else { return reserve(model, broken) }
    var number = hold.number
    var actor = dice.isOne(in: 6) ? staff(model) : owner(hold.payer, model)
    for _ in 0..<broken {
      switch dice.below(3) {
      case 0: number = EventNumber(self.number(beyond: model.log.count))
      case 1: number = EventNumber(UInt64(1 + dice.below(model.log.count)))
      default: actor = anybody(model)
      }
    }
    return Request(.reservation(.release(number)), by: actor)
  }

  /// Mostly one that is open.
  private mutating func hold(_ model: NaiveLedger) -> NaiveLedger.Reservation? {
    let open = model.reservations.filter { $0.isOpen && $0.purpose == .hold }
    if dice.isOne(in: 12), !model.reservations.isEmpty { return dice.pick(model.reservations) }
    if open.isEmpty { return nil }
    if dice.isOne(in: 3), let hold = debtorsHold(model) { return hold }
    let stray = open.filter { hold in
      isClosed(hold.payee, model) || model.wallets[hold.payer].status == .frozen
    }
    if !stray.isEmpty, dice.isOne(in: 2) { return dice.pick(stray) }
    return dice.isOne(in: 2) ? dice.pick(open.suffix(3)) : dice.pick(open)
  }

  private func isClosed(_ payee: Payments.Payee, _ model: NaiveLedger) -> Bool {
    guard case .wallet(let wallet) = payee else { return false }
    return model.wallets[Int(wallet.rawValue) - 1].status == .closed
  }

  private func isSplit(_ paid: NaiveLedger.Paid) -> Bool {
    guard case .split = paid.payment.payee else { return false }
    return true
  }

  /// A payment of a wallet that is closed now, a recent one or any.
  private mutating func paid(_ model: NaiveLedger) -> NaiveLedger.Paid {
    let stray = model.paid.filter { paid in
      paid.refunded < paid.payment.amount.units && !isClosed(paid.payment.payee, model)
        && isClosed(.wallet(paid.payment.payer), model)
    }
    if !stray.isEmpty, dice.isOne(in: 2) { return dice.pick(stray) }
    // Few of them, so that each is given back in many parts.
    let splits = model.paid.filter { isSplit($0) && $0.refunded < $0.payment.amount.units }
    let bearing = splits.filter { paid in
      paid.parts.count(where: { $0.fee > $0.feeRefunded }) > 1 && paid.feeRefunded > 0
    }
    if !bearing.isEmpty, dice.isOne(in: 3) { return dice.pick(bearing.suffix(3)) }
    if !splits.isEmpty, dice.isOne(in: 2) { return dice.pick(splits.suffix(3)) }
    return dice.isOne(in: 3) ? dice.pick(model.paid) : dice.pick(model.paid.suffix(4))
  }

  /// Often one of few payments, so that several race for what is left of it.
  mutating func refund(_ model: NaiveLedger, _ broken: Int) -> Request {
    guard !model.paid.isEmpty else { return pay(model, broken, isExternal: false) }
    let paid = paid(model)
    let whole = paid.payment.amount.units
    let left = whole - paid.refunded
    var number = paid.number
    var actor = staff(model)
    let receivers = owners(of: paid, model)
    // One for all of them, or one of several, who may not.
    let isLone = Set(receivers).count == 1 && receivers.count == paid.parts.count
    if !receivers.isEmpty, !dice.isOne(in: 4), isLone || dice.isOne(in: 6) {
      actor = dice.pick(receivers)
    }
    var amount: Int128?
    switch dice.below(6) {
    case 0: amount = nil
    case 1: amount = max(left, 1)
    case 2: amount = 1
    case 3: amount = max(whole / 5 * 3, 1)
    default: amount = dice.magnitude(to: max(left, 1))
    }
    // In parts that bring back some of the fee each.
    if isSplit(paid), !dice.isOne(in: 3) { amount = max(left / Int128(1 + dice.below(4)), 1) }
    for _ in 0..<broken {
      switch dice.below(7) {
      case 0: amount = left + 1
      case 1: amount = dice.pick([0, -1, .min, .max])
      case 2: number = EventNumber(self.number(beyond: model.log.count))
      case 3: number = EventNumber(UInt64(1 + dice.below(model.log.count)))
      case 4: actor = owner(Int(paid.payment.payer.rawValue) - 1, model)
      default: actor = anybody(model)
      }
    }
    let refund = Refunds.Command.refund(number, amount: amount.map { Amount(units: $0) })
    return Request(.refund(refund), by: actor)
  }

  /// A reservation, and what names it before it is in the log: captures, its release and refunds of
  /// its captures, all in one unit.
  mutating func holdAndEnd(_ model: NaiveLedger) -> [Request] {
    let reserve = reserve(model, 0)
    let actor = reserve.actor
    var requests = [reserve]
    var next = UInt64(model.log.count + 1)
    if dice.isOne(in: 4) { next += UInt64(dice.below(3)) }
    let reservation = EventNumber(next)
    for _ in 0..<(1 + dice.below(dice.isOne(in: 2) ? 1 : 3)) {
      next += 1
      let part = Amount(units: dice.magnitude(to: 1_000))
      switch dice.below(4) {
      case 0: requests.append(Request(.reservation(.release(reservation)), by: actor))
      case 1:
        let refund = Command.refund(.refund(EventNumber(next - 1), amount: nil))
        requests.append(Request(refund, by: staff(model)))
      default:
        let capture = Reservations.Command.capture(
          reservation, amount: dice.isOne(in: 2) ? nil : part)
        requests.append(Request(.reservation(capture), by: actor))
      }
    }
    return requests
  }
}

extension Generator {
  /// A unit that goes on to the deadline of a reservation, if one is near: each of its events is a
  /// nanosecond later than the one before, and the last is a capture or a release.
  mutating func unitToDeadline(_ model: NaiveLedger) -> [Request]? {
    guard let first = model.nextTimer, case .reservation(let place) = first.timer,
      first.deadline > model.time, first.deadline - model.time < 4
    else { return nil }
    let hold = model.reservations[place]
    let actor = owner(hold.payer, model)
    let open = Request(.wallet(.open(agent: actor.agent, asset: AssetNumber(1))), by: actor)
    let count = Int(first.deadline - model.time) - 1 + dice.below(3)
    let opens = [Request](repeating: open, count: count)
    if hold.purpose == .approval {
      let command = dice.pick([.approve(hold.number), .deny(hold.number)] as [Approvals.Command])
      return opens + [Request(.approval(command), by: staff(model))]
    }
    let end: Reservations.Command =
      dice.isOne(in: 2) ? .release(hold.number) : .capture(hold.number, amount: nil)
    return opens + [Request(.reservation(end), by: actor)]
  }
}

// MARK: - Wallets that stop and end

extension Generator {
  /// Now and then lets go on what is stopped or ended, so that not all is in the end.
  mutating func goOn(_ model: NaiveLedger) -> Request? {
    let isPaused = !model.pauses.isEmpty
    if isPaused, dice.isOne(in: 6) { return Request(resume(model), by: staff(model)) }
    // What ends something passes meanwhile.
    let isHeld = model.reservations.contains(where: \.isOpen)
    if isPaused, isHeld, dice.isOne(in: 6) { return capture(model, 0) }
    let stopped = model.wallets.indices.filter { model.wallets[$0].status != .open }
    let owed = model.wallets.indices.filter { place in
      let wallet = model.wallets[place]
      return wallet.status == .closed && model.oldestDebt(of: wallet.agent, in: wallet.asset) != nil
        && model.balance(NaiveLedger.suspense(wallet.agent), wallet.asset) > 0
    }
    if !owed.isEmpty, dice.isOne(in: 8) {
      return Request(
        .wallet(.reopen(WalletNumber(UInt64(dice.pick(owed) + 1)))), by: staff(model))
    }
    let disputeCount = model.disputes.count { $0.ending == nil }
    if disputeCount > 5, dice.isOne(in: 8) { return decide(model, 0) }
    guard stopped.count * 3 > model.wallets.count, dice.isOne(in: 6) else { return nil }
    let place = dice.pick(stopped)
    let wallet = WalletNumber(UInt64(place + 1))
    let isFrozen = model.wallets[place].status == .frozen
    return Request(.wallet(isFrozen ? .unfreeze(wallet) : .reopen(wallet)), by: staff(model))
  }

  private mutating func resume(_ model: NaiveLedger) -> Command {
    .pause(.resume(dice.pick(model.pauses)))
  }

  /// Half of the time takes a freeze back where there is one.
  mutating func freeze(_ model: NaiveLedger, _ broken: Int) -> Request {
    let frozen = model.wallets.indices.filter { model.wallets[$0].status == .frozen }
    let isBack = !frozen.isEmpty && dice.isOne(in: 2) || frozen.count > 2
    let place = isBack ? dice.pick(frozen) : dice.below(model.wallets.count)
    var wallet = WalletNumber(UInt64(place + 1))
    var actor = staff(model)
    var isFreeze = !isBack
    for _ in 0..<broken {
      switch dice.below(4) {
      case 0: wallet = WalletNumber(number(beyond: model.wallets.count))
      case 1: wallet = WalletNumber(UInt64(1 + dice.below(model.wallets.count)))
      case 2: isFreeze.toggle()
      default: actor = anybody(model)
      }
    }
    return Request(.wallet(isFreeze ? .freeze(wallet) : .unfreeze(wallet)), by: actor)
  }

  mutating func close(_ model: NaiveLedger, _ broken: Int) -> Request {
    let closable = model.wallets.indices.filter {
      model.wallets[$0].status == .open && model.held($0) == 0
    }
    // The most that may be left where no wallet takes it over, or one unit more.
    let poor = closable.filter {
      let most = model.leastAmount(model.wallets[$0].asset) - 1
      return model.available($0) == most || model.available($0) == most + 1
    }
    let isAny = closable.isEmpty || dice.isOne(in: 5)
    var place = isAny ? dice.below(model.wallets.count) : dice.pick(closable)
    if !poor.isEmpty, dice.isOne(in: 2) { place = dice.pick(poor) }
    let closing = model.wallets[place]
    var wallet = WalletNumber(UInt64(place + 1))
    var actor = dice.isOne(in: 4) ? staff(model) : owner(place, model)
    let heirs = model.wallets.indices.filter {
      $0 != place && model.wallets[$0].agent == closing.agent
        && model.wallets[$0].asset == closing.asset
    }
    var to = WalletNumber.none
    if !heirs.isEmpty, !dice.isOne(in: poor.contains(place) ? 2 : 4) {
      to = WalletNumber(UInt64(dice.pick(heirs) + 1))
    }
    for _ in 0..<broken {
      switch dice.below(5) {
      case 0: wallet = WalletNumber(number(beyond: model.wallets.count))
      case 1: to = WalletNumber(number(beyond: model.wallets.count))
      case 2: to = wallet
      case 3: to = WalletNumber(UInt64(1 + dice.below(model.wallets.count)))
      default: actor = anybody(model)
      }
    }
    return Request(.wallet(.close(wallet, to: to)), by: actor)
  }

  mutating func reopen(_ model: NaiveLedger, _ broken: Int) -> Request {
    let closed = model.wallets.indices.filter { model.wallets[$0].status == .closed }
    guard !closed.isEmpty || broken > 0 else { return close(model, broken) }
    let isAny = closed.isEmpty || dice.isOne(in: 8)
    var place = isAny ? dice.below(model.wallets.count) : dice.pick(closed)
    let awaited = closed.filter {
      let suspense = NaiveLedger.suspense(model.wallets[$0].agent)
      return model.balance(suspense, model.wallets[$0].asset) > 0
    }
    if !awaited.isEmpty, dice.isOne(in: 2) { place = dice.pick(awaited) }
    let owing = awaited.filter {
      model.oldestDebt(of: model.wallets[$0].agent, in: model.wallets[$0].asset) != nil
    }
    if !owing.isEmpty, dice.isOne(in: 2) { place = dice.pick(owing) }
    var wallet = WalletNumber(UInt64(place + 1))
    var actor = dice.isOne(in: 4) ? staff(model) : owner(place, model)
    for _ in 0..<broken {
      switch dice.below(2) {
      case 0: wallet = WalletNumber(number(beyond: model.wallets.count))
      default: actor = anybody(model)
      }
    }
    return Request(.wallet(.reopen(wallet)), by: actor)
  }

  /// What is paused goes on soon, because little happens meanwhile.
  mutating func pause(_ model: NaiveLedger, _ broken: Int) -> Request {
    var scope: Pauses.Scope
    switch dice.below(4) {
    case 0: scope = .ledger
    case 1: scope = .rail(.internal)
    default: scope = .tenant(TenantNumber(UInt64(1 + dice.below(max(model.tenants.count, 1)))))
    }
    var isPause = model.pauses.isEmpty || dice.isOne(in: 4)
    if !isPause || !model.pauses.isEmpty && dice.isOne(in: 4) { scope = dice.pick(model.pauses) }
    var actor = staff(model)
    for _ in 0..<broken {
      switch dice.below(3) {
      case 0: scope = .tenant(TenantNumber(number(beyond: model.tenants.count)))
      case 1: isPause.toggle()
      default: actor = anybody(model)
      }
    }
    return Request(.pause(isPause ? .pause(scope) : .resume(scope)), by: actor)
  }

  /// The agent of the wallet at this place.
  func owner(_ wallet: Int, _ model: NaiveLedger) -> Actor {
    .agent(AgentNumber(model.wallets[wallet].agent))
  }
}
