/// Fees: what a payment costs, as data.
///
/// Life of a schedule:
///
///     set ──▶ waiting ──▶ current ──▶ replaced
///              its begin, by timer
///
/// Invariant: exactly one schedule is current; an amount's fee never falls while the amount grows.
public enum Fees {
  /// Who bears a fee. One byte in the frame, never reused.
  public enum Side: UInt8, Hashable, Sendable, CaseIterable {
    /// The payer, on top of the amount.
    case payer = 0
    /// The payee, out of the amount, of which something must be left.
    case payee = 1
  }

  /// The terms of a schedule: flat part, then a share, then bounds, in ledger units of the
  /// payment's asset; who bears it, and what becomes of it when the payment is refunded.
  public struct Terms: Hashable, Sendable {
    /// Added to every fee. At least 0.
    public var flat: Amount
    /// The least fee. At least 0.
    public var min: Amount
    /// The greatest fee; at least ``min``.
    public var max: Amount
    /// Share of the amount in hundredths of a percent, rounded up to the ledger unit. 0 to 10,000.
    public var basisPoints: UInt32
    /// Who bears it.
    public var side: Side
    /// Whether a refund gives back the fee's share too, in proportion; else the fee stays.
    public var isFeeRefunded: Bool

    /// Terms of a flat part, a share and bounds.
    public init(
      flat: Amount = .zero, basisPoints: UInt32, min: Amount = .zero, max: Amount = .commandMax,
      side: Side = .payer, isFeeRefunded: Bool = false
    ) {
      self.flat = flat
      self.basisPoints = basisPoints
      self.min = min
      self.max = max
      self.side = side
      self.isFeeRefunded = isFeeRefunded
    }

    /// 40 basis points, rounded up: 5 costs 0.02.
    public static let standard = Terms(basisPoints: 40)

    /// The fee on `amount`, rounded up once.
    func fee(on amount: Amount) throws(Refusal) -> Amount {
      let share = try amount.scaledUp(by: Int128(basisPoints), over: 10_000)
      let fee = try flat.adding(share)
      return Swift.min(Swift.max(fee, min), max)
    }

    /// The fee that a part bears when `before` came before it: parts add up to the fee on their sum
    /// (`accounting.md` 2). Both are non-negative.
    func part(of amount: Amount, after before: Amount) throws(Refusal) -> Amount {
      let whole = try fee(on: try before.adding(amount))
      return before == .zero ? whole : whole - (try fee(on: before))
    }

    /// Whether every term is within its bounds.
    var isValid: Bool {
      let amounts = [flat, min, max]
      return amounts.allSatisfy { $0 >= .zero && $0 <= .commandMax }
        && basisPoints <= 10_000 && min <= max
    }
  }

  // MARK: - Commands

  /// What can be asked about fees. Operators only.
  public enum Command: Hashable, Sendable {
    /// Sets the terms that count from `begins`, which must be later than now, or at once where it
    /// is ``Timestamp/none``.
    case set(Terms, begins: Timestamp)
  }

  // MARK: - Events

  /// What happens to fee schedules.
  public enum Event: Hashable, Sendable {
    /// A schedule was set. It counts from `begins`, when an event of its own says so.
    case set(schedule: ScheduleNumber, terms: Terms, begins: Timestamp)
    /// The schedule counts from here on. `effective` is its deadline, not the recorded time.
    case began(schedule: ScheduleNumber, effective: Timestamp)
  }

  // MARK: - State

  /// The schedules and which one counts.
  struct State: ~Copyable {
    private enum Current {}
    struct Row: BitwiseCopyable {
      var flat: Int128
      var min: Int128
      var max: Int128
      var basisPoints: UInt32
      var side: UInt16
      var isFeeRefunded: UInt16
      /// The armed timer of its begin, or none.
      var timer: Timers.Handle = .none
    }
    fileprivate var rows: Table<Kinds.Schedule, Row>
    private var currents: Table<Current, UInt64>

    init(undo: Undo) {
      rows = Table(undo: undo)
      currents = Table(undo: undo)
      currents.append(0)
    }

    /// The schedule that counts now.
    var current: ScheduleNumber { ScheduleNumber(currents[Number(1)]) }
    /// The number that the next schedule gets.
    var next: ScheduleNumber { rows.next }

    /// The terms of a schedule that exists.
    func terms(_ number: ScheduleNumber) -> Terms {
      let row = rows[number]
      return Terms(
        flat: Amount(units: row.flat), basisPoints: row.basisPoints,
        min: Amount(units: row.min), max: Amount(units: row.max),
        side: row.side == 0 ? .payer : .payee, isFeeRefunded: row.isFeeRefunded == 1)
    }

    mutating func add(_ terms: Terms) -> ScheduleNumber {
      let number = rows.next
      rows.append(
        Row(
          flat: terms.flat.units, min: terms.min.units, max: terms.max.units,
          basisPoints: terms.basisPoints, side: UInt16(terms.side.rawValue),
          isFeeRefunded: terms.isFeeRefunded ? 1 : 0))
      return number
    }

    mutating func begin(_ number: ScheduleNumber) { currents[Number(1)] = number.rawValue }

    mutating func reserve(_ events: Int) { rows.reserve(events) }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try rows.withBytes(body)
      try currents.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try rows.load(from: &source)
      try currents.load(from: &source)
    }
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, by actor: Actor, _ ledger: borrowing Ledger, at now: Timestamp,
    into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .set(let terms, let begins):
      guard actor.isStaff else { throw Refusal(.notPermitted) }
      guard terms.isValid else { throw Refusal(.scheduleInvalid) }
      let number = ledger.fees.next
      guard number.rawValue <= UInt64(UInt32.max) else { throw Refusal(.scheduleInvalid) }
      guard begins == .none || begins > now else { throw Refusal(.scheduleInPast) }
      if begins == .none {
        decision.emit(.fee(.set(schedule: number, terms: terms, begins: now)))
        decision.emit(.fee(.began(schedule: number, effective: now)))
      } else {
        decision.emit(.fee(.set(schedule: number, terms: terms, begins: begins)))
      }
    }
  }

  /// The event of a schedule whose begin has come.
  static func fire(_ timer: Timers.Armed) -> Event {
    .began(schedule: ScheduleNumber(timer.subject), effective: timer.deadline)
  }

  // MARK: - Evolve

  static func evolve(
    _ state: inout State, _ timers: inout Timers, _ event: Event, _ header: Header
  ) {
    switch event {
    case .set(let schedule, let terms, let begins):
      let number = state.add(terms)
      precondition(number == schedule, "schedules are numbered in the order of their events")
      // One that counts at once is followed by its own event in the same command.
      if begins > header.time {
        state.rows[number].timer = timers.arm(
          Timers.Armed(deadline: begins, kind: .feeScheduleBegins, subject: number.rawValue))
      }
    case .began(let schedule, _):
      let timer = state.rows[schedule].timer
      if timer.isSome {
        timers.cancel(timer)
        state.rows[schedule].timer = .none
      }
      state.begin(schedule)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .set, .began: break
    }
  }
}
