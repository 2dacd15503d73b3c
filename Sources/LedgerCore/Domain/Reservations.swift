/// Reservations: money held for a purpose, until it is captured, released or expires.
///
/// Life of a reservation, as ``Status/after(_:)`` has it:
///
///     reserve ──▶ open ──▶ captured   the whole, or a part while the rest is given back
///                 │ ▲ ├──▶ released   given up by its holder
///                 └─┘ └──▶ expired    by its deadline, as an event of its own
///          a part, where several captures were declared
///
/// Every capture is a payment: the number of its event is the payment's (`accounting.md` 4). A
/// reservation's own number is that of the event that made it.
///
/// Invariant: a wallet's held is the sum of its open reservations, and each has exactly one end.
/// What was held equals what was captured, with its fees, and what was given back. A hold includes
/// the payer's fee on all of it, and fees over parts are cumulative, so it always suffices.
public enum Reservations {
  /// What a reservation is for; only who may end it and when differs. One byte in the frame, never
  /// reused.
  public enum Purpose: UInt8, Hashable, Sendable, CaseIterable {
    /// Held by the payer for himself: he captures it, or releases it.
    case hold = 1
    /// A payment that waits for approval (``Approvals``).
    case approval = 5
  }

  /// What became of a reservation so far.
  public enum Status: UInt8, Hashable, Sendable, CaseIterable {
    /// Money is held.
    case open
    /// Captured, and whatever was not captured was given back.
    case captured
    /// Given up by its holder.
    case released
    /// Its deadline passed.
    case expired

    /// The status after `step`, or `nil` where the step is not allowed. The one table of this
    /// machine: the documentation and the tests read it.
    public func after(_ step: Step) -> Status? {
      switch (self, step) {
      case (.open, .capturePart): .open
      case (.open, .captureLast): .captured
      case (.open, .release): .released
      case (.open, .expire): .expired
      case (.captured, _), (.released, _), (.expired, _): nil
      }
    }
  }

  /// What can be done to a reservation.
  public enum Step: UInt8, Hashable, Sendable, CaseIterable {
    /// A payment from it that leaves it open.
    case capturePart
    /// The payment that ends it.
    case captureLast
    /// Its holder gives it up.
    case release
    /// Its deadline passes.
    case expire
  }

  /// The longest that money may be held, in seconds: 30 days.
  public static let secondsMax: UInt32 = 30 * 86_400

  /// The most captures of one reservation, so that what became of it can be told in one answer.
  public static let captureCountMax: UInt64 = 1_000

  // MARK: - Commands

  /// What can be asked about reservations.
  public enum Command: Hashable, Sendable {
    /// Holds `amount` of a wallet of the actor's, and the payer's fee on it.
    ///
    /// The request's first text is the description.
    /// - `asset`: the currency named, or none for the payer's own.
    /// - `seconds`: until it expires, from the recorded time on; 1 to ``secondsMax``.
    /// - `isMultiple`: whether several captures may follow; else the first ends it.
    /// - `category`: as that of ``Payments/Command/pay(from:to:amount:asset:rail:category:)``.
    case reserve(
      from: WalletNumber, to: Payments.Recipient, amount: Amount, asset: AssetNumber = .none,
      seconds: UInt32, isMultiple: Bool = false, category: UInt128 = 0)
    /// Pays from what the reservation made by this event holds: `amount`, or all that is left. The
    /// first capture ends a reservation that is not for several; otherwise the one that `isLast`,
    /// or that leaves nothing. What is left of an ended one is given back.
    case capture(EventNumber, amount: Amount?, isLast: Bool = false)
    /// Gives back all that is left.
    case release(EventNumber)
  }

  // MARK: - Events

  /// A reservation as it was made, with every fact that its effects need.
  public struct Hold: Hashable, Sendable {
    /// What can be captured: ledger units of ``asset``, greater than zero.
    public var amount: Amount
    /// Held on top for the fee that the payer bears. At least zero.
    public var fee: Amount
    /// Whose money is held.
    public var payer: WalletNumber
    /// Who will be paid.
    public var payee: Payments.Payee
    /// When it expires: at this time exactly, it has.
    public var deadline: Timestamp
    /// Its row while it is open.
    public var slot: ReservationSlot
    /// The fee schedule that counts for all of its captures.
    public var schedule: ScheduleNumber
    /// The asset of payer, payee and fee.
    public var asset: AssetNumber
    /// What it is for.
    public var purpose: Purpose
    /// Whether several captures may follow.
    public var isMultiple: Bool
  }

  /// A payment out of a reservation.
  public struct Capture: Hashable, Sendable {
    /// The payment. Its fee is the cumulative part that this capture bears.
    public var payment: Payments.Payment
    /// What was given back to the payer, because this capture ends the reservation. At least zero.
    public var released: Amount
    /// The event that made the reservation.
    public var reservation: EventNumber
    /// Its row until now.
    public var slot: ReservationSlot
    /// Whether this capture ends the reservation.
    public var isLast: Bool
  }

  /// The end of a reservation without a payment.
  public struct End: Hashable, Sendable {
    /// What was given back: all that was left, greater than zero.
    public var amount: Amount
    /// Whose money it is.
    public var payer: WalletNumber
    /// The event that made the reservation.
    public var reservation: EventNumber
    /// Its row until now.
    public var slot: ReservationSlot
    /// Its asset.
    public var asset: AssetNumber
  }

  /// What happens to reservations.
  public enum Event: Hashable, Sendable {
    /// Money is held.
    case reserved(Hold)
    /// A payment was made of it.
    case captured(Capture)
    /// Its holder gave it up.
    case released(End)
    /// Its deadline passed. `effective` is that deadline, not the recorded time.
    case expired(End, effective: Timestamp)
  }

  // MARK: - State

  /// The open reservations. Ended ones are in the log only.
  struct State: ~Copyable {
    struct Row: SlabRow {
      /// What can be captured in all, and what of it was.
      var amount: Int128
      var captured: Int128
      /// All that is left of the hold, the fee's part included.
      var held: Int128
      var made: EventNumber
      var payer: WalletNumber
      var schedule: ScheduleNumber
      var timer: Timers.Handle
      var asset: AssetNumber
      var captureCount: UInt32 = 0
      /// 1 where it is a payment that waits for approval.
      var isPayment: UInt32 = 0
      var nextFree: UInt64 = 0
      /// The moment at which it counts for the limits of policies, or 0 where it does not.
      var counted: UInt64 = 0
    }

    var rows: Slab<Kinds.ReservationSlot, Row>

    init(undo: Undo) { rows = Slab(undo: undo) }

    /// The row of the reservation that event `made` made, while it is open.
    func open(_ slot: ReservationSlot, made: EventNumber) -> Row? {
      guard rows.isTaken(slot), rows[slot].made == made else { return nil }
      return rows[slot]
    }

    mutating func reserve(_ events: Int) { rows.reserve(events) }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try rows.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try rows.load(from: &source)
    }
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, by actor: Actor, about named: Recorded?, _ ledger: borrowing Ledger,
    at now: Timestamp, into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .reserve(
      let from, let to, let amount, let asset, let seconds, let isMultiple, let category):
      let payer = try Payments.payer(from, by: actor, amount, asset, ledger)
      guard seconds > 0, seconds <= secondsMax else {
        throw Refusal(
          .deadlineOutOfRange, limit: Amount(units: Int128(secondsMax)),
          asked: Amount(units: Int128(seconds)))
      }
      let payee = try Payments.payee(of: to, from: from, payer: payer, ledger, into: &decision)
      let schedule = ledger.fees.current
      let fee = try ledger.fees.fee(on: amount, by: schedule)
      let onTop = try Payments.feeOnTop(fee, of: amount, ledger.fees.side(of: schedule))
      let spend = Policies.Spend(
        payer: from, asset: payer.asset, amount: try amount.adding(onTop),
        recipient: to, rail: .internal, category: category, isHold: true)
      let pass = try Policies.check(spend, shares: Span(), ledger, at: now)
      try Payments.check(payer, covers: spend.amount)
      _ = try Amount(units: payer.held).adding(spend.amount)
      let hold = Hold(
        amount: amount, fee: onTop, payer: from, payee: payee,
        deadline: decision.time(now).adding(seconds: UInt64(seconds)),
        slot: ledger.reservations.rows.next, schedule: schedule, asset: payer.asset,
        purpose: .hold, isMultiple: isMultiple)
      decision.emit(.reservation(.reserved(hold)), with: .own, isAnswer: true)
      Policies.count(pass, spend, hold: hold.slot, at: now, into: &decision)

    case .capture(let number, let amount, let isLast):
      let (hold, row) = try open(number, named, by: actor, ledger, at: now)
      try capture(amount, isLast: isLast, of: hold, row, Span(), ledger, into: &decision)

    case .release(let number):
      let (hold, row) = try open(number, named, by: actor, ledger, at: now)
      decision.emit(.reservation(.released(end(hold.slot, row))))
    }
  }

  /// The open reservation that a command names, for whoever may end it. `named` is the event of
  /// that number, if there is one.
  private static func open(
    _ number: EventNumber, _ named: Recorded?, by actor: Actor, _ ledger: borrowing Ledger,
    at now: Timestamp
  ) throws(Refusal) -> (Hold, State.Row) {
    guard case .reservation(.reserved(let hold))? = named?.event, hold.purpose == .hold,
      actor.isStaff || ledger.wallets.wallets[hold.payer].agent == actor.agent
    else { throw Refusal(.reservationNotFound) }
    // Only an open one has a row, and from open every step is allowed. Its timer fires before each
    // command but not within a unit, which may go on beyond the deadline.
    guard let row = ledger.reservations.open(hold.slot, made: number), now < hold.deadline else {
      throw Refusal(.reservationEnded)
    }
    return (hold, row)
  }

  /// Pays what is asked of a hold, or all that is left. `body` lists the parts of a split, which is
  /// captured whole.
  static func capture(
    _ asked: Amount?, isLast: Bool, of hold: Hold, _ row: State.Row, _ body: Span<UInt8>,
    _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    let left = Amount(units: row.amount - row.captured)
    let amount = asked ?? left
    guard amount > .zero else { throw Refusal(.amountNotPositive, asked: amount) }
    guard UInt64(row.captureCount) < captureCountMax else { throw Refusal(.tooManyCaptures) }
    guard amount <= left else {
      throw Refusal(
        .captureExceedsHold, limit: left, used: Amount(units: row.captured), asked: amount)
    }
    let side = ledger.fees.side(of: row.schedule)
    let fee = try ledger.fees.fee(
      onPart: amount, after: Amount(units: row.captured), by: row.schedule)
    let onTop = try Payments.feeOnTop(fee, of: amount, side)
    try checkRoom(for: amount, of: hold.payee, body, ledger)
    let ends = isLast || !hold.isMultiple || amount == left
    for index in body.indices where hold.payee.isSplit { decision.body.append(body[index]) }
    let payment = Payments.Payment(
      amount: amount, fee: fee, payer: hold.payer, payee: hold.payee, schedule: row.schedule,
      asset: hold.asset, rail: .internal, side: side)
    decision.emit(
      .reservation(
        .captured(
          Capture(
            payment: payment,
            released: ends ? Amount(units: row.held) - amount - onTop : .zero,
            reservation: row.made, slot: hold.slot, isLast: ends))),
      isAnswer: true, hasBody: hold.payee.isSplit)
    if case .wallet(let wallet) = hold.payee {
      Wallets.setAside(payment.credited, of: wallet, ledger, into: &decision)
    }
  }

  private static func checkRoom(
    for amount: Amount, of payee: Payments.Payee, _ body: Span<UInt8>, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    guard payee.isSplit else { return try Payments.checkRoom(for: amount, of: payee, ledger) }
    for index in 0..<Splits.Part.count(body) {
      let part = Splits.Part.read(body, index)
      try Payments.checkRoom(for: part.amount, of: part.payee, ledger)
    }
  }

  /// The end of a reservation that gives back all that is left.
  static func end(_ slot: ReservationSlot, _ row: State.Row) -> End {
    End(
      amount: Amount(units: row.held), payer: row.payer, reservation: row.made, slot: slot,
      asset: row.asset)
  }

  /// The event of a reservation whose deadline has come.
  static func fire(_ timer: Timers.Armed, _ state: borrowing State) -> Event {
    let slot = ReservationSlot(timer.subject)
    return .expired(end(slot, state.rows[slot]), effective: timer.deadline)
  }

  // MARK: - Evolve

  static func evolve(
    _ state: inout State, _ payments: inout Payments.State, _ wallets: inout Wallets.State,
    _ timers: inout Timers, _ event: Event, _ header: Header, body: Span<UInt8>
  ) {
    switch event {
    case .reserved(let hold):
      let timer = timers.arm(
        Timers.Armed(
          deadline: hold.deadline, kind: .reservationExpires, subject: hold.slot.rawValue))
      let held = hold.amount.units + hold.fee.units
      let slot = state.rows.take(
        State.Row(
          amount: hold.amount.units, captured: 0, held: held, made: header.number,
          payer: hold.payer, schedule: hold.schedule, timer: timer, asset: hold.asset,
          isPayment: hold.purpose == .approval ? 1 : 0))
      precondition(slot == hold.slot, "a reservation's row is the first that is free")
      wallets.hold(held, of: hold.payer)

    case .captured(let capture):
      let payment = capture.payment
      let taken = payment.debited.units
      payments.credit(payment.credited, to: payment.payee, &wallets, body: body)
      wallets.spendHeld(taken, of: payment.payer)
      state.rows[capture.slot].captured += payment.amount.units
      state.rows[capture.slot].held -= taken
      state.rows[capture.slot].captureCount += 1
      precondition(state.rows[capture.slot].made == capture.reservation)
      if capture.isLast { end(&state, &wallets, &timers, capture.slot, capture.released) }
      precondition(capture.isLast || capture.released == .zero)

    case .released(let end), .expired(let end, _):
      precondition(state.rows[end.slot].made == end.reservation)
      Self.end(&state, &wallets, &timers, end.slot, end.amount)
    }
  }

  /// Gives back what is left, which must be `amount`, and frees the row.
  private static func end(
    _ state: inout State, _ wallets: inout Wallets.State, _ timers: inout Timers,
    _ slot: ReservationSlot, _ amount: Amount
  ) {
    let row = state.rows[slot]
    precondition(row.held == amount.units, "a reservation gives back what it held")
    wallets.giveBack(amount.units, to: row.payer)
    timers.cancel(row.timer)
    state.rows.free(slot)
  }

  // MARK: - Postings

  static func postings(_ event: Event, body: Span<UInt8>, into postings: inout Postings) {
    switch event {
    case .reserved(let hold):
      postings.post(
        hold.amount + hold.fee, hold.asset, debit: .walletAvailable(hold.payer),
        credit: .walletHeld(hold.payer))
    case .captured(let capture):
      let payment = capture.payment
      Payments.postings(
        payment, from: .walletHeld(payment.payer), body: body, into: &postings)
      postings.post(
        capture.released, payment.asset, debit: .walletHeld(payment.payer),
        credit: .walletAvailable(payment.payer))
    case .released(let end), .expired(let end, _):
      postings.post(
        end.amount, end.asset, debit: .walletHeld(end.payer), credit: .walletAvailable(end.payer))
    }
  }
}
