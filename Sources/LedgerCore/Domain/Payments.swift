/// Payments: money from a wallet to a wallet or to an external label, with the schedule's fee.
///
/// Life of a payment on the internal rail:
///
///     pay ──▶ completed      in one event; its number is the payment's
///
/// What became of it afterwards is its ``Status``. Payments out of a reservation are its captures.
///
/// Invariant: the payer's available covers what he pays before, so it is not negative after; what
/// the payer loses is what payee and fee income gain.
public enum Payments {
  /// Whom a command pays.
  public enum Recipient: Hashable, Sendable {
    /// A wallet of this ledger.
    case wallet(WalletNumber)
    /// An external label, by the keyed hash of (tenant of the payer, label). On first use it is
    /// registered; the label itself is the request's second text.
    case external(label: UInt128)
    /// Several of them: the request's body lists them (``Splits/Share``).
    case split
  }

  /// Who was paid.
  public enum Payee: Hashable, Sendable {
    /// A wallet of this ledger.
    case wallet(WalletNumber)
    /// An external payee.
    case external(PayeeNumber)
    /// So many of them: the event's body lists them (``Splits/Part``).
    case split(UInt64)
  }

  // MARK: - Commands

  /// What can be asked about payments.
  public enum Command: Hashable, Sendable {
    /// Pays `amount`, before the fee, from a wallet of the actor's [AP-14 to AP-20].
    ///
    /// The request's first text is the description.
    /// - `asset`: the currency named, or none for the payer's own [AP-17].
    /// - `category`: what it is for, by keyed hash, or 0; policies may ask for it.
    case pay(
      from: WalletNumber, to: Recipient, amount: Amount, asset: AssetNumber = .none,
      rail: Rail = .internal, category: UInt128 = 0)
  }

  // MARK: - Events

  /// A completed payment, with every fact that its effects need.
  public struct Payment: Hashable, Sendable {
    /// What the payment is of: ledger units of ``asset``, greater than zero.
    public var amount: Amount
    /// What ``side`` bears, by ``schedule``. At least zero.
    public var fee: Amount
    /// The wallet debited with ``debited``.
    public var payer: WalletNumber
    /// Who was credited with ``credited``.
    public var payee: Payee
    /// The fee schedule that counted.
    public var schedule: ScheduleNumber
    /// The asset of payer, payee and fee.
    public var asset: AssetNumber
    /// How it settled.
    public var rail: Rail
    /// Who bears the fee.
    public var side: Fees.Side

    /// A payment of these facts.
    public init(
      amount: Amount, fee: Amount, payer: WalletNumber, payee: Payee, schedule: ScheduleNumber,
      asset: AssetNumber, rail: Rail, side: Fees.Side = .payer
    ) {
      self.amount = amount
      self.fee = fee
      self.payer = payer
      self.payee = payee
      self.schedule = schedule
      self.asset = asset
      self.rail = rail
      self.side = side
    }

    /// What the payer pays: the amount, and the fee where he bears it.
    public var debited: Amount { side == .payer ? amount + fee : amount }
    /// What the payee gets: the amount, less the fee where he bears it.
    public var credited: Amount { side == .payer ? amount : amount - fee }
  }

  /// What happens to payments and external payees.
  public enum Event: Hashable, Sendable {
    /// A payment was made and is complete.
    case completed(Payment)
    /// An external label is used for the first time in this asset by this tenant.
    /// `label` is a keyed hash; the label is in the event's text.
    case payeeRegistered(
      payee: PayeeNumber, tenant: TenantNumber, asset: AssetNumber, label: UInt128)
  }

  // MARK: - State

  /// External payees and what they are owed. Completed payments are in the log only.
  struct State: ~Copyable {
    struct Payee: BitwiseCopyable {
      var label: UInt128
      var balance: Int128
      var tenant: TenantNumber
      var asset: AssetNumber
      var registered: EventNumber
      var unused: UInt64 = 0
    }

    var payees: Table<Kinds.Payee, Payee>
    fileprivate var payeeByLabel: Index

    init(undo: Undo) {
      payees = Table(undo: undo)
      payeeByLabel = Index(undo: undo)
    }

    /// Credits whoever was paid, each receiver of a split with his part of `body`.
    @inline(__always)
    mutating func credit(
      _ amount: Amount, to payee: Payments.Payee, _ wallets: inout Wallets.State,
      body: Span<UInt8> = Span()
    ) {
      switch payee {
      case .wallet(let number): wallets.wallets[number].available += amount.units
      case .external(let number): payees[number].balance += amount.units
      case .split:
        for index in 0..<Splits.Part.count(body) {
          let part = Splits.Part.read(body, index)
          let credited = part.amount - part.fee
          switch part.payee {
          case .wallet(let number): wallets.wallets[number].available += credited.units
          case .external(let number): payees[number].balance += credited.units
          case .split: preconditionFailure("a receiver of a split is one receiver")
          }
        }
      }
    }

    /// Takes `amount` back from whoever was paid, and has as much; of the fee that he bore, `fee`
    /// goes back to him. Each receiver of a split gives and gets his part of `body`.
    mutating func takeBack(
      _ amount: Amount, fee: Amount, from payee: Payments.Payee, _ wallets: inout Wallets.State,
      body: Span<UInt8>
    ) {
      switch payee {
      case .wallet(let number):
        wallets.debit(amount.units, from: number)
        wallets.wallets[number].available += fee.units
      case .external(let number):
        let left = payees[number].balance - amount.units
        precondition(left >= 0, "a label is owed less than it gives back")
        payees[number].balance = left + fee.units
      case .split:
        for index in 0..<Splits.Part.count(body) {
          let part = Splits.Part.read(body, index)
          precondition(!part.payee.isSplit, "a receiver of a split is one receiver")
          takeBack(part.amount, fee: part.fee, from: part.payee, &wallets, body: Span())
        }
      }
    }

    /// The payee of this label in this asset, or none.
    func payee(
      labelled label: UInt128, of tenant: TenantNumber, in asset: AssetNumber
    ) -> PayeeNumber {
      PayeeNumber(payeeByLabel.find(Self.indexKey(label, tenant, asset)))
    }

    /// A label is a keyed hash, so mixing in tenant and asset cannot make two of them meet.
    fileprivate static func indexKey(
      _ label: UInt128, _ tenant: TenantNumber, _ asset: AssetNumber
    ) -> UInt128 {
      label ^ UInt128(asset.rawValue) << 64 ^ UInt128(tenant.rawValue) << 80
    }

    mutating func reserve(_ events: Int) {
      payees.reserve(events)
      payeeByLabel.reserve(events)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try payees.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try payees.load(from: &source)
    }

    /// Makes the index of tables that were loaded.
    mutating func rebuildIndexes() {
      payeeByLabel.reserve(payees.count)
      for raw in 1..<payees.next.rawValue {
        let row = payees[PayeeNumber(raw)]
        payeeByLabel.insert(Self.indexKey(row.label, row.tenant, row.asset), raw)
      }
    }
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, body: Span<UInt8>, by actor: Actor, _ ledger: borrowing Ledger,
    at now: Timestamp, into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .pay(let from, .split, let amount, let asset, let rail, let category):
      try Splits.decide(
        body, from: from, amount, asset, rail, category, by: actor, ledger, at: now,
        into: &decision)
    case .pay(let from, let to, let amount, let asset, let rail, let category):
      let payer = try payer(from, by: actor, amount, asset, ledger)
      let payee = try payee(of: to, from: from, payer: payer, ledger, into: &decision)
      let schedule = ledger.fees.current
      let side = ledger.fees.side(of: schedule)
      let fee = try ledger.fees.fee(on: amount, by: schedule)
      let total = try amount.adding(try feeOnTop(fee, of: amount, side))
      try checkRoom(for: amount, of: payee, ledger)
      let spend = Policies.Spend(
        payer: from, asset: payer.asset, amount: total, recipient: to,
        rail: rail, category: category, isHold: false)
      let pass = try Policies.check(spend, shares: Span(), ledger, at: now)
      try check(payer, covers: total)
      let payment = Payment(
        amount: amount, fee: fee, payer: from, payee: payee, schedule: schedule,
        asset: payer.asset, rail: rail, side: side)
      guard let pass else {
        return decision.emit(.payment(.completed(payment)), with: .own)
      }
      try emit(payment, spend, pass, payer, ledger, at: now, into: &decision)
    }
  }

  /// A payment that passed its policies: complete, or waiting for approval with its money held.
  @inline(never)
  static func emit(
    _ payment: Payment, _ spend: Policies.Spend, _ pass: Policies.Pass,
    _ payer: Wallets.State.Wallet, _ ledger: borrowing Ledger, at now: Timestamp,
    into decision: inout Decision
  ) throws(Refusal) {
    let hasBody = payment.payee.isSplit
    guard let seconds = pass.waitSeconds else {
      decision.emit(
        .payment(.completed(payment)), with: .own, isAnswer: true, hasBody: hasBody)
      return Policies.count(pass, spend, at: now, into: &decision)
    }
    _ = try Amount(units: payer.held).adding(spend.amount)
    let hold = Reservations.Hold(
      amount: payment.amount, fee: spend.amount - payment.amount, payer: payment.payer,
      payee: payment.payee, deadline: decision.time(now).adding(seconds: UInt64(seconds)),
      slot: ledger.reservations.rows.next, schedule: payment.schedule, asset: payment.asset,
      purpose: .approval, isMultiple: false)
    decision.emit(
      .reservation(.reserved(hold)), with: .own, isAnswer: true, hasBody: hasBody)
    Policies.count(pass, spend, hold: hold.slot, at: now, into: &decision)
  }

  /// The wallet that a payment or a hold of `amount` is taken from: the actor's own, or any for
  /// staff, and one from which something new may begin.
  @inline(__always)
  static func payer(
    _ number: WalletNumber, by actor: Actor, _ amount: Amount, _ asset: AssetNumber,
    _ ledger: borrowing Ledger
  ) throws(Refusal) -> Wallets.State.Wallet {
    guard amount > .zero else { throw Refusal(.amountNotPositive, asked: amount) }
    guard amount <= .commandMax else {
      throw Refusal(.amountOutOfRange, limit: .commandMax, asked: amount)
    }
    guard ledger.wallets.contains(number) else { throw Refusal(.walletNotFound) }
    let payer = ledger.wallets.wallets[number]
    guard actor.isStaff || actor.agent == payer.agent else { throw Refusal(.walletNotFound) }
    guard asset == .none || asset == payer.asset else { throw Refusal(.currencyDiffers) }
    guard payer.status == .open else {
      throw Refusal(payer.status == .frozen ? .walletFrozen : .walletClosed)
    }
    try Pauses.check(payer, ledger)
    return payer
  }

  /// The fee where the payer bears it, else nothing; where the payee bears it, something of the
  /// amount must be left for him.
  @inline(__always)
  static func feeOnTop(
    _ fee: Amount, of amount: Amount, _ side: Fees.Side
  ) throws(Refusal) -> Amount {
    guard side == .payee else { return fee }
    guard fee < amount else { throw Refusal(.feeTakesAll, limit: fee, asked: amount) }
    return .zero
  }

  /// Whether the payee's balance can take `amount`.
  @inline(__always)
  static func checkRoom(
    for amount: Amount, of payee: Payee, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    switch payee {
    case .wallet(let number):
      _ = try Amount(units: ledger.wallets.wallets[number].available).adding(amount)
    case .external(let number):
      // A payee that this command registers is owed nothing yet.
      guard ledger.payments.payees.contains(number) else { return }
      _ = try Amount(units: ledger.payments.payees[number].balance).adding(amount)
    case .split: preconditionFailure("room is looked for receiver by receiver")
    }
  }

  @inline(__always)
  static func check(
    _ payer: Wallets.State.Wallet, covers total: Amount
  ) throws(Refusal) {
    guard Amount(units: payer.available) >= total else {
      throw Refusal(.insufficientFunds, limit: Amount(units: payer.available), asked: total)
    }
  }

  /// The payee, registered first where an external label is new, with its `text`.
  @inline(__always)
  static func payee(
    of recipient: Recipient, from: WalletNumber, payer: Wallets.State.Wallet,
    _ ledger: borrowing Ledger, into decision: inout Decision, text: Decision.Text = .label(0)
  ) throws(Refusal) -> Payee {
    switch recipient {
    case .wallet(let number):
      guard ledger.wallets.contains(number) else { throw Refusal(.payeeNotFound) }
      guard number != from else { throw Refusal(.selfPayment) }
      let payee = ledger.wallets.wallets[number]
      guard payee.asset == payer.asset else { throw Refusal(.currencyDiffers) }
      guard payee.status != .closed else { throw Refusal(.payeeClosed) }
      return .wallet(number)
    case .external(let label):
      guard label != 0 else { throw Refusal(.payeeNotFound) }
      let tenant = ledger.identity.agents[payer.agent].tenant
      let known = ledger.payments.payee(labelled: label, of: tenant, in: payer.asset)
      guard !known.isSome else { return .external(known) }
      // Whatever was decided so far registered a label too.
      guard decision.count < Splits.newLabelCountMax else { throw Refusal(.splitInvalid) }
      let new = PayeeNumber(ledger.payments.payees.next.rawValue + UInt64(decision.count))
      decision.emit(
        .payment(
          .payeeRegistered(payee: new, tenant: tenant, asset: payer.asset, label: label)),
        with: text)
      return .external(new)
    case .split: throw Refusal(.splitInvalid)
    }
  }

  // MARK: - Evolve

  static func evolve(
    _ state: inout State, _ wallets: inout Wallets.State, _ event: Event, _ header: Header,
    body: Span<UInt8>
  ) {
    switch event {
    case .completed(let payment):
      wallets.debit(payment.debited.units, from: payment.payer)
      state.credit(payment.credited, to: payment.payee, &wallets, body: body)
    case .payeeRegistered(let payee, let tenant, let asset, let label):
      precondition(state.payees.next == payee)
      state.payees.append(
        State.Payee(
          label: label, balance: 0, tenant: tenant, asset: asset, registered: header.number))
      state.payeeByLabel.insert(State.indexKey(label, tenant, asset), payee.rawValue)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, body: Span<UInt8>, into postings: inout Postings) {
    switch event {
    case .payeeRegistered: break
    case .completed(let payment):
      Self.postings(
        payment, from: .walletAvailable(payment.payer), body: body, into: &postings)
    }
  }

  /// A payment's postings, out of what the payer has available or holds.
  static func postings(
    _ payment: Payment, from payer: Account, body: Span<UInt8> = Span(),
    into postings: inout Postings
  ) {
    if case .split = payment.payee {
      for index in 0..<Splits.Part.count(body) {
        let part = Splits.Part.read(body, index)
        postings.post(
          part.amount - part.fee, payment.asset, debit: payer, credit: part.payee.account)
      }
    } else {
      postings.post(
        payment.credited, payment.asset, debit: payer, credit: payment.payee.account)
    }
    postings.post(payment.fee, payment.asset, debit: payer, credit: .feeIncome(payment.rail))
  }
}

extension Payments.Payee {
  /// Where he is credited, who is one.
  @inline(__always)
  var account: Account {
    switch self {
    case .wallet(let number): .walletAvailable(number)
    case .external(let number): .external(number)
    case .split: preconditionFailure("several receivers have no account in common")
    }
  }

  /// His number, whichever kind he is of; of several how many they are.
  var number: UInt64 {
    switch self {
    case .wallet(let number): number.rawValue
    case .external(let number): number.rawValue
    case .split(let count): count
    }
  }

  /// Whether they are several.
  var isSplit: Bool {
    if case .split = self { true } else { false }
  }
}

extension Event {
  /// The payment that this event is: one that was asked for, or a capture of a reservation.
  public var payment: Payments.Payment? {
    switch self {
    case .payment(.completed(let payment)): payment
    case .reservation(.captured(let capture)): capture.payment
    case .payment, .reservation, .genesis, .refusal, .identity, .wallet, .fee, .refund, .pause,
      .dispute, .receivable, .policy:
      nil
    }
  }
}
