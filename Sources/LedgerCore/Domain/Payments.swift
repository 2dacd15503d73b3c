/// Payments: money from a wallet to a wallet or to an external label, fee on top.
///
/// Life of a payment on the internal rail:
///
///     pay ──▶ completed      in one event; its number is the payment's
///
/// Invariant: the payer's available covers amount and fee before, so it is not negative after; what
/// the payer loses is what payee and fee income gain.
public enum Payments {
  /// Whom a command pays.
  public enum Recipient: Hashable, Sendable {
    /// A wallet of this ledger.
    case wallet(WalletNumber)
    /// An external label, by the keyed hash of (tenant of the payer, label). On first use it is
    /// registered; the label itself is the request's second text.
    case external(label: UInt128)
  }

  /// Who was paid.
  public enum Payee: Hashable, Sendable {
    /// A wallet of this ledger.
    case wallet(WalletNumber)
    /// An external payee.
    case external(PayeeNumber)
  }

  // MARK: - Commands

  /// What can be asked about payments.
  public enum Command: Hashable, Sendable {
    /// Pays `amount`, before the fee, from a wallet of the actor's [AP-14 to AP-20].
    ///
    /// The request's first text is the description.
    /// - `asset`: the currency named, or none for the payer's own [AP-17].
    case pay(
      from: WalletNumber, to: Recipient, amount: Amount, asset: AssetNumber = .none,
      rail: Rail = .internal)
  }

  // MARK: - Events

  /// A completed payment, with every fact that its effects need.
  public struct Payment: Hashable, Sendable {
    /// What the payee gets: ledger units of ``asset``, greater than zero.
    public var amount: Amount
    /// What the payer pays on top, by ``schedule``. At least zero.
    public var fee: Amount
    /// The wallet debited with amount and fee.
    public var payer: WalletNumber
    /// Who was credited with the amount.
    public var payee: Payee
    /// The fee schedule that counted.
    public var schedule: ScheduleNumber
    /// The asset of payer, payee and fee.
    public var asset: AssetNumber
    /// How it settled.
    public var rail: Rail
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
    _ command: Command, by actor: Actor, _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .pay(let from, let to, let amount, let asset, let rail):
      guard amount > .zero else { throw Refusal(.amountNotPositive, asked: amount) }
      guard amount <= .commandMax else {
        throw Refusal(.amountOutOfRange, limit: .commandMax, asked: amount)
      }
      guard ledger.wallets.contains(from) else { throw Refusal(.walletNotFound) }
      let payer = ledger.wallets.wallets[from]
      guard actor.isStaff || actor.agent == payer.agent else { throw Refusal(.walletNotFound) }
      let payee = try payee(of: to, from: from, payer: payer, ledger, into: &decision)
      guard asset == .none || asset == payer.asset else { throw Refusal(.currencyDiffers) }

      let schedule = ledger.fees.current
      let fee = try ledger.fees.terms(schedule).fee(on: amount)
      let total = try amount.adding(fee)
      switch payee {
      case .wallet(let number):
        _ = try Amount(units: ledger.wallets.wallets[number].available).adding(amount)
      case .external(let number):
        // A payee that this command registers is owed nothing yet.
        if ledger.payments.payees.contains(number) {
          _ = try Amount(units: ledger.payments.payees[number].balance).adding(amount)
        }
      }
      guard Amount(units: payer.available) >= total else {
        throw Refusal(
          .insufficientFunds, limit: Amount(units: payer.available), asked: total)
      }
      decision.emit(
        .payment(
          .completed(
            Payment(
              amount: amount, fee: fee, payer: from, payee: payee, schedule: schedule,
              asset: payer.asset, rail: rail))),
        with: .first)
    }
  }

  /// The payee, registered first where an external label is new.
  @inline(__always)
  private static func payee(
    of recipient: Recipient, from: WalletNumber, payer: Wallets.State.Wallet,
    _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) -> Payee {
    switch recipient {
    case .wallet(let number):
      guard ledger.wallets.contains(number) else { throw Refusal(.payeeNotFound) }
      guard number != from else { throw Refusal(.selfPayment) }
      guard ledger.wallets.wallets[number].asset == payer.asset else {
        throw Refusal(.currencyDiffers)
      }
      return .wallet(number)
    case .external(let label):
      guard label != 0 else { throw Refusal(.payeeNotFound) }
      let tenant = ledger.identity.agents[payer.agent].tenant
      let known = ledger.payments.payee(labelled: label, of: tenant, in: payer.asset)
      guard !known.isSome else { return .external(known) }
      let new = ledger.payments.payees.next
      decision.emit(
        .payment(
          .payeeRegistered(payee: new, tenant: tenant, asset: payer.asset, label: label)),
        with: .second)
      return .external(new)
    }
  }

  // MARK: - Evolve

  static func evolve(
    _ state: inout State, _ wallets: inout Wallets.State, _ event: Event, _ header: Header
  ) {
    switch event {
    case .completed(let payment):
      // Decide refused what the payer cannot cover, so a negative balance here means the log is not
      // the one we wrote.
      let total = payment.amount.units + payment.fee.units
      let left = wallets.wallets[payment.payer].available - total
      precondition(left >= 0, "a payment overdraws its payer")
      wallets.wallets[payment.payer].available = left
      switch payment.payee {
      case .wallet(let number): wallets.wallets[number].available += payment.amount.units
      case .external(let number): state.payees[number].balance += payment.amount.units
      }
    case .payeeRegistered(let payee, let tenant, let asset, let label):
      precondition(state.payees.next == payee)
      state.payees.append(
        State.Payee(
          label: label, balance: 0, tenant: tenant, asset: asset, registered: header.number))
      state.payeeByLabel.insert(State.indexKey(label, tenant, asset), payee.rawValue)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .payeeRegistered: break
    case .completed(let payment):
      let payer = Account.walletAvailable(payment.payer)
      let payee: Account =
        switch payment.payee {
        case .wallet(let number): .walletAvailable(number)
        case .external(let number): .external(number)
        }
      postings.post(payment.amount, payment.asset, debit: payer, credit: payee)
      postings.post(payment.fee, payment.asset, debit: payer, credit: .feeIncome(payment.rail))
    }
  }
}
