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

    /// The fee on `amount`, rounded up once, with the flat part and share of a tier, if one counts.
    func fee(on amount: Amount, tier: Tier? = nil) throws(Refusal) -> Amount {
      let points = tier?.basisPoints ?? basisPoints
      let share = try amount.scaledUp(by: Int128(points), over: 10_000)
      let fee = try (tier?.flat ?? flat).adding(share)
      return Swift.min(Swift.max(fee, min), max)
    }

    /// The fee just below `tier` and where it begins, if it falls there; `before` is the tier that
    /// ends there, where one does. Amounts of both are within their bounds. Below one unit there is
    /// nothing that is paid.
    public func fall(
      at tier: Tier, after before: Tier?
    ) throws(Refusal) -> (below: Amount, at: Amount)? {
      guard tier.from.units > 1 else { return nil }
      let below = try fee(on: tier.from - Amount(units: 1), tier: before)
      let at = try fee(on: tier.from, tier: tier)
      return at < below ? (below, at) : nil
    }

    /// Whether every term is within its bounds.
    var isValid: Bool {
      let amounts = [flat, min, max]
      return amounts.allSatisfy { $0 >= .zero && $0 <= .commandMax }
        && basisPoints <= 10_000 && min <= max
    }
  }

  /// A flat part and a share in place of the terms', for amounts from ``from`` on: for all of the
  /// amount, not for what is above.
  public struct Tier: Hashable, Sendable {
    /// The least amount that it counts for. Greater than zero, and than that of the tier before.
    public var from: Amount
    /// As ``Terms/flat``.
    public var flat: Amount
    /// As ``Terms/basisPoints``.
    public var basisPoints: UInt32

    /// A tier of these terms.
    public init(from: Amount, flat: Amount = .zero, basisPoints: UInt32) {
      self.from = from
      self.flat = flat
      self.basisPoints = basisPoints
    }

    var isValid: Bool {
      from > .zero && from <= .commandMax && flat >= .zero && flat <= .commandMax
        && basisPoints <= 10_000
    }
  }

  /// The most tiers of one schedule.
  public static let tierCountMax = 32

  // MARK: - Commands

  /// What can be asked about fees. Operators only.
  public enum Command: Hashable, Sendable {
    /// Sets the terms that count from `begins`, which must be later than now, or at once where it
    /// is ``Timestamp/none``. The request's body lists the tiers, if there are any, by
    /// ``Tier/from`` (``Tier/body(_:)``); the fee must not fall where a tier begins.
    case set(Terms, begins: Timestamp)
  }

  // MARK: - Events

  /// What happens to fee schedules.
  public enum Event: Hashable, Sendable {
    /// A schedule was set, with the tiers in the body. It counts from `begins`, when an event of
    /// its own says so.
    case set(schedule: ScheduleNumber, terms: Terms, begins: Timestamp)
    /// The schedule counts from here on. `effective` is its deadline, not the recorded time.
    case began(schedule: ScheduleNumber, effective: Timestamp)
  }

  // MARK: - State

  /// The schedules and which one counts.
  struct State: ~Copyable {
    private enum Current {}
    private enum Tiers {}
    struct Row: BitwiseCopyable {
      var flat: Int128
      var min: Int128
      var max: Int128
      var basisPoints: UInt32
      var side: UInt16
      var isFeeRefunded: UInt16
      /// The armed timer of its begin, or none.
      var timer: Timers.Handle = .none
      /// Its tiers: the first one's row, and how many there are.
      var firstTier: UInt64
      var tierCount: UInt64
    }
    struct TierRow: BitwiseCopyable {
      var from: Int128
      var flat: Int128
      var basisPoints: UInt64
      var unused: UInt64 = 0
    }
    fileprivate var rows: Table<Kinds.Schedule, Row>
    private var tiers: Table<Tiers, TierRow>
    private var currents: Table<Current, UInt64>

    init(undo: Undo) {
      rows = Table(undo: undo)
      tiers = Table(undo: undo)
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

    /// Who bears the fee of a schedule that exists.
    @inline(__always)
    func side(of number: ScheduleNumber) -> Side { rows[number].side == 0 ? .payer : .payee }

    /// The tiers of a schedule that exists, by where they begin.
    func tiers(_ number: ScheduleNumber) -> [Tier] {
      let row = rows[number]
      return (row.firstTier..<row.firstTier + row.tierCount).map { tier($0) }
    }

    private func tier(_ number: UInt64) -> Tier {
      let row = tiers[Number(number)]
      return Tier(
        from: Amount(units: row.from), flat: Amount(units: row.flat),
        basisPoints: UInt32(truncatingIfNeeded: row.basisPoints))
    }

    /// The fee of a schedule that exists on `amount`, rounded up once. O(tiers).
    @inline(__always)
    func fee(on amount: Amount, by schedule: ScheduleNumber) throws(Refusal) -> Amount {
      let row = rows[schedule]
      guard row.tierCount > 0 else { return try terms(schedule).fee(on: amount) }
      return try terms(schedule).fee(on: amount, tier: tier(for: amount, row))
    }

    private func tier(for amount: Amount, _ row: Row) -> Tier? {
      var found: Tier?
      for number in row.firstTier..<row.firstTier + row.tierCount {
        let tier = tier(number)
        if tier.from > amount { break }
        found = tier
      }
      return found
    }

    /// The fee that a part bears when `before` came before it: parts add up to the fee on their sum
    /// (`accounting.md` 2). Both are non-negative.
    func fee(
      onPart amount: Amount, after before: Amount, by schedule: ScheduleNumber
    ) throws(Refusal) -> Amount {
      let whole = try fee(on: try before.adding(amount), by: schedule)
      return before == .zero ? whole : whole - (try fee(on: before, by: schedule))
    }

    mutating func add(_ terms: Terms, tiers: Span<UInt8> = Span()) -> ScheduleNumber {
      let number = rows.next
      let count = UInt64(Tier.count(tiers) ?? 0)
      rows.append(
        Row(
          flat: terms.flat.units, min: terms.min.units, max: terms.max.units,
          basisPoints: terms.basisPoints, side: UInt16(terms.side.rawValue),
          isFeeRefunded: terms.isFeeRefunded ? 1 : 0,
          firstTier: count == 0 ? 0 : self.tiers.next.rawValue, tierCount: count))
      for index in 0..<Int(count) {
        let tier = Tier.read(tiers, index)
        self.tiers.append(
          TierRow(
            from: tier.from.units, flat: tier.flat.units, basisPoints: UInt64(tier.basisPoints)))
      }
      return number
    }

    mutating func begin(_ number: ScheduleNumber) { currents[Number(1)] = number.rawValue }

    mutating func reserve(_ events: Int, tiers count: Int) {
      rows.reserve(events)
      tiers.reserve(count)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try rows.withBytes(body)
      try tiers.withBytes(body)
      try currents.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try rows.load(from: &source)
      try tiers.load(from: &source)
      try currents.load(from: &source)
    }
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, body: Span<UInt8>, by actor: Actor, _ ledger: borrowing Ledger,
    at now: Timestamp, into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .set(let terms, let begins):
      guard actor.isStaff else { throw Refusal(.notPermitted) }
      guard terms.isValid else { throw Refusal(.scheduleInvalid) }
      try check(body, of: terms)
      for index in body.indices { decision.body.append(body[index]) }
      let number = ledger.fees.next
      guard number.rawValue <= UInt64(UInt32.max) else { throw Refusal(.scheduleInvalid) }
      guard begins == .none || begins > now else { throw Refusal(.scheduleInPast) }
      if begins == .none {
        decision.emit(
          .fee(.set(schedule: number, terms: terms, begins: now)), hasBody: !body.isEmpty)
        decision.emit(.fee(.began(schedule: number, effective: now)))
      } else {
        decision.emit(
          .fee(.set(schedule: number, terms: terms, begins: begins)), hasBody: !body.isEmpty)
      }
    }
  }

  /// Whether the tiers rise, and no fee falls where one begins. Within a tier it never does.
  private static func check(_ tiers: Span<UInt8>, of terms: Terms) throws(Refusal) {
    guard let count = Tier.count(tiers), count <= tierCountMax else {
      throw Refusal(.scheduleInvalid)
    }
    var before: Tier?
    for index in 0..<count {
      let tier = Tier.read(tiers, index)
      guard tier.isValid, tier.from > before?.from ?? .zero else {
        throw Refusal(.scheduleInvalid)
      }
      if let fall = try terms.fall(at: tier, after: before) {
        throw Refusal(.scheduleFalls, limit: fall.below, asked: fall.at)
      }
      before = tier
    }
  }

  /// The event of a schedule whose begin has come.
  static func fire(_ timer: Timers.Armed) -> Event {
    .began(schedule: ScheduleNumber(timer.subject), effective: timer.deadline)
  }

  // MARK: - Evolve

  static func evolve(
    _ state: inout State, _ timers: inout Timers, _ event: Event, _ header: Header,
    body: Span<UInt8>
  ) {
    switch event {
    case .set(let schedule, let terms, let begins):
      let number = state.add(terms, tiers: body)
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
