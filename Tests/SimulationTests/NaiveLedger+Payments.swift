@testable import LedgerCore

extension NaiveLedger {
  /// The largest amount a command may name: 18 digits before the point, 9 behind it.
  static let amountMax: Int128 = 999_999_999_999_999_999_999_999_999

  func checkRange(_ units: Int128) throws(Refusal) {
    let asked = Amount(units: units)
    guard units > 0 else { throw Refusal(.amountNotPositive, asked: asked) }
    guard units <= Self.amountMax else {
      throw Refusal(.amountOutOfRange, limit: Amount(units: Self.amountMax), asked: asked)
    }
  }

  mutating func pay(
    from: WalletNumber, to: Payments.Recipient, _ amount: Int128, _ named: AssetNumber,
    _ rail: Rail, _ category: UInt128, by actor: Actor, _ text: String?, label: String?
  ) throws(Refusal) {
    if bug == .payeeIsCheckedFirst { _ = try payee(to, from: from, nil) }
    let payer = try payer(from, amount, named, rail, by: actor)
    try checkPayee(to, from: from, payer)
    let fee = fee(on: amount)
    let spending = Spending(
      payer: payer, amount: counted(amount, fee), receivers: [to], rail: rail, category: category,
      isHold: false)
    let pass = try checked(spending, amount, fee)

    let asked = time
    let payee = registered(to, payer, actor, label)
    let payment = Payments.Payment(
      amount: Amount(units: amount), fee: Amount(units: fee), payer: from, payee: payee,
      schedule: ScheduleNumber(UInt64(schedule)), asset: wallets[payer].asset, rail: rail,
      side: terms.side)
    make(payment, Self.parts(payment), spending, pass, at: asked, by: actor, text)
  }

  /// A payment that passed: complete, or held until somebody approves it.
  mutating func make(
    _ payment: Payments.Payment, _ parts: [Part], _ spending: Spending, _ pass: Pass,
    at asked: UInt64, by actor: Actor, _ text: String?
  ) {
    var body: [UInt8] = []
    if case .split = payment.payee { body = Self.body(parts) }
    guard let seconds = pass.seconds else {
      settle(payment, parts, from: Self.wallet(spending.payer))
      record(.payment(.completed(payment)), by: actor, text, body: body)
      paid.append(Paid(number: log[log.count - 1].number, payment: payment, parts: parts))
      return count(spending, pass, at: asked, by: actor)
    }
    hold(
      Reservation(
        number: .none, payer: spending.payer, payee: payment.payee, amount: payment.amount.units,
        held: payment.debited.units, schedule: schedule,
        deadline: time + UInt64(seconds) * 1_000_000_000, slot: 0, isMultiple: false,
        purpose: .approval, asker: actor, parts: body.isEmpty ? [] : parts, use: 0),
      spending, pass, at: asked, by: actor, text, body: body)
  }

  /// What a payment moves out of the account `source` of its payer.
  mutating func settle(_ payment: Payments.Payment, _ parts: [Part], from source: String) {
    for part in parts {
      move(
        part.amount - part.fee, payment.asset, debit: source, credit: account(part.payee))
    }
    move(
      payment.fee.units, payment.asset, debit: source,
      credit: bug == .feeGoesToPayee ? account(parts[0].payee) : Self.feeIncome)
  }

  /// A payment that is not split is one part.
  private static func parts(_ payment: Payments.Payment) -> [Part] {
    let fee = payment.side == .payee ? payment.fee.units : 0
    return [Part(payee: payment.payee, amount: payment.amount.units, fee: fee)]
  }

  func account(_ payee: Payments.Payee) -> String {
    switch payee {
    case .wallet(let wallet): Self.wallet(Int(wallet.rawValue) - 1)
    case .external(let payee): external(Int(payee.rawValue) - 1)
    case .split: preconditionFailure("several receivers have no account in common")
    }
  }
}

// MARK: - Checks of what is new

extension NaiveLedger {
  /// The wallet that pays or reserves, where it may.
  func payer(
    _ from: WalletNumber, _ amount: Int128, _ named: AssetNumber, _ rail: Rail, by actor: Actor
  ) throws(Refusal) -> Int {
    try checkRange(amount)
    guard let payer = place(from.rawValue, in: wallets.count), mayUse(payer, actor)
    else { throw Refusal(.walletNotFound) }
    guard !named.isSome || named == wallets[payer].asset || bug == .namedAssetIsIgnored
    else { throw Refusal(.currencyDiffers) }
    switch wallets[payer].status {
    case .open: break
    case .frozen: if bug != .frozenWalletPays { throw Refusal(.walletFrozen) }
    case .closed: throw Refusal(.walletClosed)
    }
    let tenant = agents[Int(wallets[payer].agent) - 1].tenant
    let isPaused =
      pauses.contains(.ledger) && bug != .ledgerPauseIsIgnored
      || pauses.contains(.tenant(TenantNumber(tenant))) && bug != .tenantPauseIsIgnored
      || pauses.contains(.rail(rail))
    guard !isPaused else { throw Refusal(.paused) }
    return payer
  }

  func mayUse(_ wallet: Int, _ actor: Actor) -> Bool {
    if isStaff(actor) || bug == .anybodyMayPay { return true }
    return owns(wallet, actor)
  }

  func owns(_ wallet: Int, _ actor: Actor) -> Bool {
    guard let agent = agent(actor) else { return false }
    return wallets[wallet].agent == UInt64(agent + 1)
  }

  func checkPayee(
    _ to: Payments.Recipient, from: WalletNumber, _ payer: Int
  ) throws(Refusal) {
    let wallet = try payee(to, from: from, wallets[payer].asset)
    guard let wallet, wallets[wallet].status == .closed, bug != .closedWalletIsPaid
    else { return }
    throw Refusal(.payeeClosed)
  }

  /// The wallet paid, or `nil` for an external label; `asset` is the payer's.
  private func payee(
    _ to: Payments.Recipient, from: WalletNumber, _ asset: AssetNumber?
  ) throws(Refusal) -> Int? {
    switch to {
    case .external(let label):
      guard label != 0 else { throw Refusal(.payeeNotFound) }
      return nil
    // Only a payment is split, which has its receivers one by one.
    case .split: throw Refusal(.splitInvalid)
    case .wallet(let number):
      guard let wallet = place(number.rawValue, in: wallets.count)
      else { throw Refusal(.payeeNotFound) }
      guard number != from || bug == .selfPaymentIsAllowed else { throw Refusal(.selfPayment) }
      guard asset == nil || wallets[wallet].asset == asset || bug == .payeeAssetIsIgnored
      else { throw Refusal(.currencyDiffers) }
      return wallet
    }
  }

  /// A payee who bears the fee is left something, the policies let it pass, and what is available
  /// covers the amount, and the fee where the payer bears it.
  func checked(
    _ spending: Spending, _ amount: Int128, _ fee: Int128
  ) throws(Refusal) -> Pass {
    try checkFee(fee, of: amount, by: schedule)
    if bug == .fundsAreCheckedFirst { try checkFunds(spending.payer, amount, fee) }
    let pass = try pass(spending)
    try checkFunds(spending.payer, amount, fee)
    return pass
  }

  private func checkFunds(_ payer: Int, _ amount: Int128, _ fee: Int128) throws(Refusal) {
    let total = debited(amount, fee)
    var covered = bug == .feeIsNotCovered ? amount : total
    if bug == .balanceIsNeverEmptied { covered += 1 }
    let available = available(payer)
    guard covered <= available else {
      throw Refusal(
        .insufficientFunds, limit: Amount(units: available), asked: Amount(units: total))
    }
  }

  func checkFee(
    _ fee: Int128, of amount: Int128, by schedule: Int
  ) throws(Refusal) {
    guard schedules[schedule - 1].terms.side == .payee, bug != .feeMayTakeAll else { return }
    guard fee < amount else {
      throw Refusal(.feeTakesAll, limit: Amount(units: fee), asked: Amount(units: amount))
    }
  }

  /// What the payer needs for an amount by the schedule of now.
  func debited(_ amount: Int128, _ fee: Int128) -> Int128 {
    terms.side == .payer ? amount + fee : amount
  }

  /// What counts for the limits of policies.
  func counted(_ amount: Int128, _ fee: Int128) -> Int128 {
    bug == .limitsForgetTheFee ? amount : debited(amount, fee)
  }

  /// The payee to credit; a label that is new is registered by an event of its own.
  mutating func registered(
    _ to: Payments.Recipient, _ payer: Int, _ actor: Actor, _ text: String?
  ) -> Payments.Payee {
    switch to {
    case .wallet(let wallet): return .wallet(wallet)
    case .external(let label):
      let tenant = agents[Int(wallets[payer].agent) - 1].tenant
      let payee = external(label, of: tenant, wallets[payer].asset, actor, text)
      return .external(PayeeNumber(UInt64(payee + 1)))
    case .split: preconditionFailure("a receiver is one receiver")
    }
  }

  /// The payee behind a label, from 0, if it was used before in this asset by this tenant.
  func known(_ label: UInt128, of tenant: UInt64, _ asset: AssetNumber) -> Int? {
    payees.firstIndex { payee in
      payee.label == label
        && (payee.tenant == tenant || bug == .externalPayeeIsSharedByTenants)
        && (payee.asset == asset || bug == .externalPayeeIsSharedByAssets)
    }
  }

  /// The payee behind a label, from 0; registered where it is new in this asset to this tenant.
  private mutating func external(
    _ label: UInt128, of tenant: UInt64, _ asset: AssetNumber, _ actor: Actor, _ text: String?
  ) -> Int {
    if let known = known(label, of: tenant, asset) { return known }
    payees.append(Payee(tenant: tenant, asset: asset, label: label))
    let event = Payments.Event.payeeRegistered(
      payee: PayeeNumber(UInt64(payees.count)), tenant: TenantNumber(tenant), asset: asset,
      label: label)
    record(.payment(event), by: actor, text)
    return payees.count - 1
  }
}

// MARK: - Reservations

extension NaiveLedger {
  mutating func reserve(
    from: WalletNumber, to: Payments.Recipient, _ amount: Int128, _ named: AssetNumber,
    seconds: UInt32, isMultiple: Bool, _ category: UInt128, by actor: Actor, _ text: String?,
    label: String?
  ) throws(Refusal) {
    let payer = try payer(from, amount, named, .internal, by: actor)
    let secondsMax = 30 * 86_400
    guard seconds >= 1, seconds <= secondsMax else {
      throw Refusal(
        .deadlineOutOfRange, limit: Amount(units: Int128(secondsMax)),
        asked: Amount(units: Int128(seconds)))
    }
    try checkPayee(to, from: from, payer)
    let fee = fee(on: amount)
    let spending = Spending(
      payer: payer, amount: counted(amount, fee), receivers: [to], rail: .internal,
      category: category, isHold: true)
    let pass = try checked(spending, amount, fee)

    let asked = time
    let payee = registered(to, payer, actor, label)
    let total = bug == .payeeSideHoldsTheFee ? amount + fee : debited(amount, fee)
    let made = bug == .labelShortensTheDeadline ? asked : time
    hold(
      Reservation(
        number: .none, payer: payer, payee: payee, amount: amount, held: total,
        schedule: schedule, deadline: made + UInt64(seconds) * 1_000_000_000, slot: 0,
        isMultiple: isMultiple, purpose: .hold, asker: actor, use: 0),
      spending, pass, at: asked, by: actor, text)
  }

  /// Holds what it says, and gives it its number, its row and its count.
  private mutating func hold(
    _ new: Reservation, _ spending: Spending, _ pass: Pass, at asked: UInt64, by actor: Actor,
    _ text: String?, body: [UInt8] = []
  ) {
    var new = new
    new.number = EventNumber(UInt64(log.count + 1))
    new.slot = takeSlot()
    new.use = uses.count
    let asset = wallets[new.payer].asset
    move(new.held, asset, debit: Self.wallet(new.payer), credit: Self.held(new.payer))
    let hold = Reservations.Hold(
      amount: Amount(units: new.amount), fee: Amount(units: new.held - new.amount),
      payer: WalletNumber(UInt64(new.payer + 1)), payee: new.payee,
      deadline: Timestamp(nanoseconds: new.deadline), slot: ReservationSlot(UInt64(new.slot)),
      schedule: ScheduleNumber(UInt64(new.schedule)), asset: asset, purpose: new.purpose,
      isMultiple: new.isMultiple)
    reservations.append(new)
    record(.reservation(.reserved(hold)), by: actor, text, body: body)
    count(spending, pass, at: asked, hold: new.slot, by: actor)
  }

  /// The row that was freed last, or a new one.
  private mutating func takeSlot() -> Int {
    if let slot = freeSlots.popLast() { return slot }
    slotCount += 1
    return slotCount
  }

  /// The reservation that this event made, from 0, where the actor may end it.
  private func open(_ number: EventNumber, by actor: Actor) throws(Refusal) -> Int {
    let place = reservations.firstIndex { hold in
      hold.number == number && (hold.purpose == .hold || bug == .holderEndsWhatWaits)
    }
    guard let place, mayUse(reservations[place].payer, actor) || bug == .anybodyMayCapture
    else { throw Refusal(.reservationNotFound) }
    // Also where its timer did not fire yet, in a unit that goes on beyond the deadline.
    let isDue = time >= reservations[place].deadline && bug != .unitGoesOnBeyondTheDeadline
    guard reservations[place].isOpen, !isDue else { throw Refusal(.reservationEnded) }
    return place
  }

  mutating func capture(
    _ number: EventNumber, _ asked: Int128?, isLast: Bool, by actor: Actor
  ) throws(Refusal) {
    try capture(try open(number, by: actor), asked, isLast: isLast, by: actor)
  }

  mutating func capture(
    _ place: Int, _ asked: Int128?, isLast: Bool, by actor: Actor
  ) throws(Refusal) {
    let hold = reservations[place]
    if bug == .captureWaitsWhileFrozen, wallets[hold.payer].status == .frozen {
      throw Refusal(.walletFrozen)
    }
    if bug == .captureWaitsWhilePaused, pauses.contains(.ledger) { throw Refusal(.paused) }
    let left = hold.amount - hold.captured
    let amount = asked ?? left
    guard amount > 0
    else { throw Refusal(.amountNotPositive, asked: Amount(units: amount)) }
    let most = bug == .capturesExceedTheHold ? Self.amountMax : left
    guard amount <= most else {
      throw Refusal(
        .captureExceedsHold, limit: Amount(units: left), used: Amount(units: hold.captured),
        asked: Amount(units: amount))
    }
    let fee = part(of: amount, in: hold)
    try checkFee(fee, of: amount, by: hold.schedule)

    let payment = Payments.Payment(
      amount: Amount(units: amount), fee: Amount(units: fee),
      payer: WalletNumber(UInt64(hold.payer + 1)), payee: hold.payee,
      schedule: ScheduleNumber(UInt64(hold.schedule)), asset: wallets[hold.payer].asset,
      rail: .internal, side: schedules[hold.schedule - 1].terms.side)
    let parts = hold.parts.isEmpty ? Self.parts(payment) : hold.parts
    settle(payment, parts, from: Self.held(hold.payer))
    reservations[place].captured += amount
    reservations[place].held -= payment.side == .payer ? amount + fee : amount
    let ends = !hold.isMultiple || isLast || amount == left
    let released = ends ? end(place, isCounted: bug != .captureGivesNothingBack) : 0
    let capture = Reservations.Capture(
      payment: payment, released: Amount(units: released), reservation: hold.number,
      slot: ReservationSlot(UInt64(hold.slot)), isLast: ends)
    record(
      .reservation(.captured(capture)), by: actor,
      body: hold.parts.isEmpty ? [] : Self.body(parts))
    paid.append(Paid(number: log[log.count - 1].number, payment: payment, parts: parts))
    if case .wallet(let payee) = hold.payee {
      setAside(
        payment.side == .payer ? amount : amount - fee, Int(payee.rawValue) - 1, by: actor)
    }
  }

  /// The fee that a part bears: on all that is captured with it, less on what was before.
  private func part(of amount: Int128, in hold: Reservation) -> Int128 {
    if bug == .partsBearFeesOfTheirOwn { return fee(on: amount, by: hold.schedule) }
    let schedule = bug == .captureUsesTheScheduleOfNow ? self.schedule : hold.schedule
    var terms = schedules[schedule - 1]
    if bug == .tierCountsForEarlierParts,
      var tier = terms.tiers.last(where: { $0.from <= hold.captured + amount })
    {
      tier.from = 1
      terms.tiers = [tier]
    }
    let before = hold.captured == 0 ? 0 : fee(on: hold.captured, by: terms)
    let fee = fee(on: hold.captured + amount, by: terms) - before
    return bug == .captureTakesTheFeeTwice ? 2 * fee : fee
  }

  /// Ends the reservation and gives back what is left of it.
  private mutating func end(_ place: Int, isCounted: Bool = true) -> Int128 {
    let hold = reservations[place]
    var units = hold.held
    if bug == .endForgetsTheFee { units = min(units, hold.amount - hold.captured) }
    move(
      units, wallets[hold.payer].asset, debit: Self.held(hold.payer),
      credit: Self.wallet(hold.payer))
    reservations[place].held = 0
    reservations[place].isOpen = false
    freeSlots.append(hold.slot)
    giveBack(units, of: reservations[place], isCounted)
    return units
  }

  mutating func ended(_ place: Int, isCounted: Bool = true) -> Reservations.End {
    let hold = reservations[place]
    return Reservations.End(
      amount: Amount(units: end(place, isCounted: isCounted)),
      payer: WalletNumber(UInt64(hold.payer + 1)),
      reservation: hold.number, slot: ReservationSlot(UInt64(hold.slot)),
      asset: wallets[hold.payer].asset)
  }

  mutating func release(_ number: EventNumber, by actor: Actor) throws(Refusal) {
    let place = try open(number, by: actor)
    record(.reservation(.released(ended(place))), by: actor)
  }

  mutating func expire(reservation place: Int) {
    let deadline = Timestamp(nanoseconds: reservations[place].deadline)
    let end = ended(place, isCounted: bug != .expiryGivesNothingBack)
    record(.reservation(.expired(end, effective: deadline)), by: .ledger)
  }
}
