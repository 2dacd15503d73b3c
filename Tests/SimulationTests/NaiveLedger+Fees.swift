@testable import LedgerCore

extension NaiveLedger {
  /// The terms that count now.
  var terms: Fees.Terms { schedules[schedule - 1].terms }

  /// The fee that counts now.
  func fee(on amount: Int128) -> Int128 { fee(on: amount, by: schedule) }

  /// The fee by the schedule of this number.
  func fee(on amount: Int128, by schedule: Int) -> Int128 {
    fee(on: amount, by: schedules[schedule - 1])
  }

  /// What is flat and the share of the whole amount, both of the last tier that has begun, within
  /// the bounds of the terms.
  func fee(on amount: Int128, by schedule: Schedule) -> Int128 {
    let terms = schedule.terms
    var (flat, points) = (terms.flat.units, Int128(terms.basisPoints))
    var counted = amount
    for tier in schedule.tiers {
      let hasBegun = bug == .tierBeginsOneLate ? amount > tier.from : amount >= tier.from
      guard hasBegun else { continue }
      if bug == .tierIsMarginal {
        flat += share(points, of: tier.from)
        counted = amount - tier.from
      } else {
        flat = tier.flat
      }
      points = tier.basisPoints
      if bug == .tierEndsTheBounds { return flat + share(points, of: counted) }
    }
    let fee = flat + share(points, of: counted)
    if fee < terms.min.units { return terms.min.units }
    return fee > terms.max.units ? terms.max.units : fee
  }

  /// So many ten-thousandths, rounded up: whole ten-thousands first, then what is left of them.
  private func share(_ basisPoints: Int128, of amount: Int128) -> Int128 {
    let rest = amount % 10_000 * basisPoints
    var share = amount / 10_000 * basisPoints + rest / 10_000
    if bug == .feeRoundsDown { return share }
    if rest % 10_000 != 0 { share += 1 }
    // The least number of units that is no less than the exact share.
    precondition(share * 10_000 >= amount * basisPoints)
    precondition(share == 0 || (share - 1) * 10_000 < amount * basisPoints)
    return share
  }

  mutating func setFees(
    _ terms: Fees.Terms, _ body: [UInt8], begins: UInt64, by actor: Actor
  ) throws(Refusal) {
    guard isStaff(actor) else { throw Refusal(.notPermitted) }
    for amount in [terms.flat, terms.min, terms.max] {
      guard amount.units >= 0, amount.units <= Self.amountMax
      else { throw Refusal(.scheduleInvalid) }
    }
    guard terms.basisPoints <= 10_000, terms.min.units <= terms.max.units
    else { throw Refusal(.scheduleInvalid) }
    let tiers = try tiers(in: body, of: terms)
    // A deadline that is now has passed (`accounting.md` 6).
    guard begins == 0 || begins > time else { throw Refusal(.scheduleInPast) }

    let deadline = begins == 0 ? time : begins
    let waitsFor = begins == 0 ? nil : begins
    schedules.append(
      Schedule(
        terms: terms, tiers: tiers, waitsFor: waitsFor, set: EventNumber(UInt64(log.count + 1))))
    let number = ScheduleNumber(UInt64(schedules.count))
    if begins == 0 || bug == .scheduleCountsAtOnce { schedule = schedules.count }
    let moment = Timestamp(nanoseconds: deadline)
    record(
      .fee(.set(schedule: number, terms: terms, begins: moment)), by: actor, body: body)
    if begins == 0 { record(.fee(.began(schedule: number, effective: moment)), by: actor) }
  }

  /// The tiers that a body lists, of 40 bytes each: they rise, and nowhere does the fee fall.
  private func tiers(in body: [UInt8], of terms: Fees.Terms) throws(Refusal) -> [Tier] {
    guard body.count % 40 == 0, body.count / 40 <= 32 else { throw Refusal(.scheduleInvalid) }
    var schedule = Schedule(terms: terms, set: .none)
    for at in stride(from: 0, to: body.count, by: 40) {
      let tier = Tier(
        from: Int128(truncatingIfNeeded: Self.number(in: body, at: at, byteCount: 16)),
        flat: Int128(truncatingIfNeeded: Self.number(in: body, at: at + 16, byteCount: 16)),
        basisPoints: Int128(Self.number(in: body, at: at + 32, byteCount: 8)))
      let before = schedule.tiers.last?.from ?? 0
      guard tier.from > before, tier.from <= Self.amountMax, tier.flat >= 0,
        tier.flat <= Self.amountMax, tier.basisPoints <= 10_000
      else { throw Refusal(.scheduleInvalid) }
      schedule.tiers.append(tier)
      if bug != .fallingScheduleIsAccepted { try checkRise(schedule, around: tier.from) }
    }
    return schedule.tiers
  }

  /// No amount around a border costs less than one unit less does; nothing is never paid.
  private func checkRise(_ schedule: Schedule, around border: Int128) throws(Refusal) {
    for amount in max(border - 3, 2)...border + 3 {
      let less = fee(on: amount - 1, by: schedule)
      let more = fee(on: amount, by: schedule)
      guard more < less else { continue }
      throw Refusal(.scheduleFalls, limit: Amount(units: less), asked: Amount(units: more))
    }
  }

  /// The number in these bytes, the lowest first.
  static func number(in body: [UInt8], at start: Int, byteCount: Int) -> UInt128 {
    var number: UInt128 = 0
    for byte in body[start..<start + byteCount].reversed() { number = number * 256 + UInt128(byte) }
    return number
  }

  /// The bytes of a number that is not negative, the lowest first.
  static func bytes(_ number: Int128, count: Int) -> [UInt8] {
    precondition(number >= 0)
    var rest = number
    return (0..<count).map { _ in
      defer { rest /= 256 }
      return UInt8(rest % 256)
    }
  }
}
