/// Refunds: money of a completed payment, back from its payee to its payer.
///
/// Life of a refund on the internal rail:
///
///     refund ──▶ completed      in one event; its number is the refund's
///
/// Invariant: what is refunded of a payment never exceeds its amount, and what is refunded of its
/// fee never exceeds the fee.
public enum Refunds {
  // MARK: - Commands

  /// What can be asked about refunds.
  public enum Command: Hashable, Sendable {
    /// Gives back `amount` of the payment that this event is, or all that was not refunded yet
    /// [AP-28]. By the payee's agent, his tenant's admin or staff; of an external label's by the
    /// admin of its tenant or staff. Of a split each receiver gives back his part, all or
    /// none: by whoever may do so for each.
    ///
    /// The request's first text is the reason.
    case refund(EventNumber, amount: Amount?)
  }

  // MARK: - Events

  /// A refund, with every fact that its effects need.
  public struct Refund: Hashable, Sendable {
    /// What the payee gives back: ledger units of ``asset``, greater than zero.
    public var amount: Amount
    /// What of the payment's fee is given back as well, where its schedule says so. At least zero.
    public var fee: Amount
    /// The event of the payment.
    public var payment: EventNumber
    /// Who gets it: the wallet that paid.
    public var payer: WalletNumber
    /// Who gives it: whoever was paid.
    public var payee: Payments.Payee
    /// The payment's asset.
    public var asset: AssetNumber
    /// How the payment settled, which is whose fee income it was.
    public var rail: Rail
    /// Who bore the payment's fee, and gets back what is given back of it.
    public var side: Fees.Side
  }

  /// What happens to refunds.
  public enum Event: Hashable, Sendable {
    /// A refund was made and is complete. Of a split the body lists what each receiver gives, in
    /// the payment's order (``Splits/Part``).
    case completed(Refund)
  }

  // MARK: - State

  /// What was refunded of each payment that was refunded at all.
  struct State: ~Copyable {
    private enum Rows {}
    private enum Parts {}
    struct Row: BitwiseCopyable {
      var refunded: Int128 = 0
      var fee: Int128 = 0
      var payment: EventNumber
      /// The row of a split's first receiver, or none; the others follow.
      var firstPart: UInt64 = 0
    }
    /// What one receiver of a split gave back.
    struct PartRow: BitwiseCopyable {
      var refunded: Int128 = 0
      var fee: Int128 = 0
    }
    private var rows: Table<Rows, Row>
    private var parts: Table<Parts, PartRow>
    private var rowByPayment: Index

    init(undo: Undo) {
      rows = Table(undo: undo)
      parts = Table(undo: undo)
      rowByPayment = Index(undo: undo)
    }

    /// What was refunded of a payment, and of its fee.
    func refunded(of payment: EventNumber) -> (amount: Amount, fee: Amount) {
      let row = Number<Rows>(rowByPayment.find(UInt128(payment.rawValue)))
      guard row.isSome else { return (.zero, .zero) }
      return (Amount(units: rows[row].refunded), Amount(units: rows[row].fee))
    }

    /// What the receiver at `index` of a split gave back of a payment, and got back of its fee.
    func refunded(of payment: EventNumber, part index: Int) -> (amount: Amount, fee: Amount) {
      let row = Number<Rows>(rowByPayment.find(UInt128(payment.rawValue)))
      guard row.isSome else { return (.zero, .zero) }
      let part = parts[Number(rows[row].firstPart + UInt64(index))]
      return (Amount(units: part.refunded), Amount(units: part.fee))
    }

    fileprivate mutating func add(_ refund: Refund, body: Span<UInt8>) {
      let count = Splits.Part.count(body)
      let row = row(of: refund.payment, partCount: count)
      rows[row].refunded += refund.amount.units
      rows[row].fee += refund.fee.units
      for index in 0..<count {
        let part = Splits.Part.read(body, index)
        let number = Number<Parts>(rows[row].firstPart + UInt64(index))
        parts[number].refunded += part.amount.units
        parts[number].fee += part.fee.units
      }
    }

    /// All that was disputed of a payment counts as refunded once its payer won. `body` lists the
    /// claims.
    mutating func add(resolved payment: EventNumber, _ principal: Amount, body: Span<UInt8>) {
      let count = Disputes.Claim.count(body)
      let row = row(of: payment, partCount: count > 1 ? count : 0)
      rows[row].refunded += principal.units
      for index in 0..<count where count > 1 {
        let claim = Disputes.Claim.read(body, index)
        parts[Number(rows[row].firstPart + UInt64(index))].refunded +=
          claim.held.units + claim.uncovered.units
      }
    }

    /// The row of a payment, made where it has none.
    private mutating func row(of payment: EventNumber, partCount: Int) -> Number<Rows> {
      let found = Number<Rows>(rowByPayment.find(UInt128(payment.rawValue)))
      guard !found.isSome else { return found }
      let row = rows.next
      var new = Row(payment: payment)
      if partCount > 0 { new.firstPart = parts.next.rawValue }
      for _ in 0..<partCount { parts.append(PartRow()) }
      rows.append(new)
      rowByPayment.insert(UInt128(payment.rawValue), row.rawValue)
      return row
    }

    mutating func reserve(_ events: Int, parts count: Int) {
      rows.reserve(events)
      parts.reserve(count)
      rowByPayment.reserve(events)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try rows.withBytes(body)
      try parts.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try rows.load(from: &source)
      try parts.load(from: &source)
    }

    /// Makes the index of tables that were loaded.
    mutating func rebuildIndexes() {
      rowByPayment.reserve(rows.count)
      for raw in 1..<rows.next.rawValue {
        rowByPayment.insert(UInt128(rows[Number(raw)].payment.rawValue), raw)
      }
    }
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, by actor: Actor, about named: Recorded?, body: Span<UInt8>,
    _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .refund(let number, let asked):
      guard let payment = named?.event.payment else { throw Refusal(.paymentNotFound) }
      try check(actor, mayRefund: payment, body, ledger)
      let dispute = ledger.disputes.unfinished(of: number)
      guard !dispute.isSome else { throw Refusal(.paymentDisputed, about: dispute) }
      let before = ledger.refunds.refunded(of: number)
      let left = payment.amount - before.amount
      let amount = asked ?? left
      guard amount > .zero || left == .zero else {
        throw Refusal(.amountNotPositive, asked: amount)
      }
      guard amount <= left, amount > .zero else {
        throw Refusal(
          .refundExceedsPayment, limit: left, used: before.amount,
          asked: asked ?? payment.amount)
      }
      let fee =
        ledger.fees.terms(payment.schedule).isFeeRefunded
        ? payment.fee.share(before.amount + amount, of: payment.amount) - before.fee : .zero
      if payment.payee.isSplit {
        let feeBack = payment.side == .payee ? fee : .zero
        try split(amount, fee: feeBack, of: number, body, ledger, into: &decision)
      } else {
        try check(payment.payee, covers: amount, ledger)
      }
      let payer = ledger.wallets.wallets[payment.payer]
      let credited = payment.side == .payer ? amount + fee : amount
      _ = try Amount(units: payer.available).adding(credited)
      decision.emit(
        .refund(
          .completed(
            Refund(
              amount: amount, fee: fee, payment: number, payer: payment.payer,
              payee: payment.payee, asset: payment.asset, rail: payment.rail, side: payment.side))),
        with: .own, isAnswer: true, hasBody: payment.payee.isSplit)
      Wallets.setAside(credited, of: payment.payer, ledger, into: &decision)
    }
  }

  /// The refund that a dispute of the payee's ends in: all that was not refunded when it was
  /// opened, and of the fee nothing. `body` lists the receivers with their parts.
  static func decide(
    resolved opening: Disputes.Opening, _ body: Span<UInt8>, _ ledger: borrowing Ledger,
    into decision: inout Decision
  ) throws(Refusal) {
    let count = Disputes.Claim.count(body)
    for index in 0..<count {
      let claim = Disputes.Claim.read(body, index)
      if case .wallet(let number) = claim.payee {
        let isClosed = ledger.wallets.wallets[number].status == .closed
        guard !isClosed || claim.uncovered == .zero else { throw Refusal(.walletClosed) }
      }
      try check(claim.payee, covers: claim.uncovered, ledger)
      if count > 1 {
        Splits.Part(amount: claim.uncovered, payee: claim.payee).append(to: &decision.body)
      }
    }
    decision.emit(
      .refund(
        .completed(
          Refund(
            amount: opening.principal, fee: .zero, payment: opening.payment, payer: opening.payer,
            payee: count > 1
              ? .split(UInt64(count)) : Disputes.Claim.read(body, 0).payee,
            asset: opening.asset, rail: .internal, side: .payer))),
      hasBody: count > 1)
  }

  /// What each receiver gives back of `amount`, in proportion to what he still has of this payment,
  /// and what he gets back of the fee, in proportion to what he still bears: the decision's body.
  private static func split(
    _ amount: Amount, fee: Amount, of payment: EventNumber, _ body: Span<UInt8>,
    _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    let count = Splits.Part.count(body)
    var (has, bears) = (Splits.Units(repeating: 0), Splits.Units(repeating: 0))
    for index in 0..<count {
      let part = Splits.Part.read(body, index)
      let before = ledger.refunds.refunded(of: payment, part: index)
      has[index] = (part.amount - before.amount).units
      bears[index] = (part.fee - before.fee).units
    }
    let amounts = Splits.divide(amount, by: has, count: count)
    let fees =
      fee > .zero ? Splits.divide(fee, by: bears, count: count) : Splits.Units(repeating: 0)
    for index in 0..<count {
      let part = Splits.Part(
        amount: Amount(units: amounts[index]), fee: Amount(units: fees[index]),
        payee: Splits.Part.read(body, index).payee)
      try check(part.payee, covers: part.amount, ledger)
      part.append(to: &decision.body)
    }
  }

  /// Whoever is every receiver may refund, and staff. Who is neither receiver nor payer learns
  /// nothing of the payment, and who may not refund nothing of the receivers' wallets.
  private static func check(
    _ actor: Actor, mayRefund payment: Payments.Payment, _ body: Span<UInt8>,
    _ ledger: borrowing Ledger
  ) throws(Refusal) {
    let count = payment.payee.isSplit ? Splits.Part.count(body) : 1
    let payer = ledger.wallets.wallets[payment.payer].agent
    var isParty =
      payer == actor.agent || actor.manages(ledger.identity.agents[payer].tenant)
    var isEach = true
    for index in 0..<count {
      if rules(actor, over: receiver(of: payment, body, index), ledger) {
        isParty = true
      } else {
        isEach = false
      }
    }
    guard isEach else { throw Refusal(isParty ? .notPermitted : .paymentNotFound) }
    for index in 0..<count {
      guard case .wallet(let number) = receiver(of: payment, body, index) else { continue }
      let status = ledger.wallets.wallets[number].status
      guard status != .closed else { throw Refusal(.walletClosed) }
      // An agent's own wallet is frozen against him, not against whoever manages it.
      guard !actor.agent.isSome || status == .open else { throw Refusal(.walletFrozen) }
    }
  }

  private static func receiver(
    of payment: Payments.Payment, _ body: Span<UInt8>, _ index: Int
  ) -> Payments.Payee {
    payment.payee.isSplit ? Splits.Part.read(body, index).payee : payment.payee
  }

  /// Whether what a receiver got is the actor's to give back: a wallet's agent's, or whoever
  /// manages the tenant; of a label the latter alone.
  private static func rules(
    _ actor: Actor, over payee: Payments.Payee, _ ledger: borrowing Ledger
  ) -> Bool {
    switch payee {
    case .wallet(let number):
      ledger.wallets.wallets[number].agent == actor.agent
        || actor.manages(ledger.tenant(of: number))
    case .external(let number): actor.manages(ledger.payments.payees[number].tenant)
    case .split: preconditionFailure("a receiver of a split is one receiver")
    }
  }

  private static func check(
    _ payee: Payments.Payee, covers amount: Amount, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    switch payee {
    case .wallet(let number):
      let available = Amount(units: ledger.wallets.wallets[number].available)
      guard available >= amount else {
        throw Refusal(.insufficientFunds, limit: available, asked: amount)
      }
    case .external(let number):
      let owed = Amount(units: ledger.payments.payees[number].balance)
      guard owed >= amount else { throw Refusal(.alreadySettled, limit: owed, asked: amount) }
    case .split: preconditionFailure("a receiver of a split is one receiver")
    }
  }

  // MARK: - Evolve

  static func evolve(
    _ state: inout State, _ payments: inout Payments.State, _ wallets: inout Wallets.State,
    _ event: Event, _ header: Header, body: Span<UInt8>
  ) {
    switch event {
    case .completed(let refund):
      let isPayers = refund.side == .payer
      payments.takeBack(
        refund.amount, fee: isPayers ? .zero : refund.fee, from: refund.payee, &wallets, body: body)
      wallets.wallets[refund.payer].available +=
        refund.amount.units + (isPayers ? refund.fee.units : 0)
      state.add(refund, body: body)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, body: Span<UInt8>, into postings: inout Postings) {
    switch event {
    case .completed(let refund):
      let payer = Account.walletAvailable(refund.payer)
      let income = Account.feeIncome(refund.rail)
      for index in 0..<Splits.Part.count(body) {
        let part = Splits.Part.read(body, index)
        postings.post(part.amount, refund.asset, debit: part.payee.account, credit: payer)
        postings.post(part.fee, refund.asset, debit: income, credit: part.payee.account)
      }
      if !refund.payee.isSplit {
        postings.post(
          refund.amount, refund.asset, debit: refund.payee.account, credit: payer)
      }
      if refund.side == .payer {
        postings.post(refund.fee, refund.asset, debit: income, credit: payer)
      } else if !refund.payee.isSplit {
        postings.post(refund.fee, refund.asset, debit: income, credit: refund.payee.account)
      }
    }
  }
}

// MARK: - Status of a payment

extension Payments {
  /// What a payment is in: complete at once, unless it waits for approval first; then as far as
  /// money went back of it.
  public enum Status: UInt8, Hashable, Sendable, CaseIterable {
    /// Waits for approval, with its money held (``Approvals``).
    case pending
    /// Complete; nothing went back.
    case completed
    /// A part went back.
    case partiallyRefunded
    /// All of it went back.
    case refunded
    /// Denied, or cancelled by its payer.
    case failed
    /// Nobody approved it in time.
    case expired

    /// The status after `step`, or `nil` where the step is not allowed. The one table of this
    /// machine: the documentation and the tests read it.
    public func after(_ step: Step) -> Status? {
      switch (self, step) {
      case (.pending, .approve): .completed
      case (.pending, .deny), (.pending, .cancel): .failed
      case (.pending, .expire): .expired
      case (.completed, .refundPart), (.partiallyRefunded, .refundPart): .partiallyRefunded
      case (.completed, .refundRest), (.partiallyRefunded, .refundRest): .refunded
      case (.pending, .refundPart), (.pending, .refundRest), (.completed, _),
        (.partiallyRefunded, _), (.refunded, _), (.failed, _), (.expired, _):
        nil
      }
    }

    /// What a completed payment of `amount` is in when so much of it was refunded.
    public init(_ amount: Amount, refunded: Amount) {
      self = refunded == .zero ? .completed : refunded < amount ? .partiallyRefunded : .refunded
    }
  }

  /// What can be done to a payment.
  public enum Step: UInt8, Hashable, Sendable, CaseIterable {
    /// Somebody who manages the payer's tenant lets it be paid.
    case approve
    /// He does not.
    case deny
    /// The payer wants it no more.
    case cancel
    /// Its deadline passes.
    case expire
    /// A refund that leaves a rest.
    case refundPart
    /// The refund of all that is left.
    case refundRest
  }
}
