@testable import LedgerCore

/// Fee schedules and their tiers.
extension Generator {
  mutating func setFees(_ model: NaiveLedger, _ broken: Int) -> Request {
    var terms = Fees.Terms(basisPoints: dice.pick([0, 1, 40, 40, 333, 333, 3_333, 10_000]))
    if dice.isOne(in: 2) { terms.flat = Amount(units: Int128(dice.below(1_000))) }
    if dice.isOne(in: 3) { terms.min = Amount(units: Int128(dice.below(1_000))) }
    if dice.isOne(in: 3) {
      terms.max = Amount(units: terms.min.units + Int128(dice.below(1_000_000)))
    }
    if dice.isOne(in: 2) { terms.side = .payee }
    terms.isFeeRefunded = dice.isOne(in: 2)
    // Soon means within one batch or unit, where each event is a nanosecond later than the last.
    let later: [UInt64] = [0, 1, 3, 10, 1_000_000_000, 60_000_000_000, 3_600_000_000_000]
    var begins = dice.isOne(in: 3) ? 0 : model.time + dice.pick(later)
    // At the very moment at which something else is due.
    let timers = model.timers
    if !timers.isEmpty, dice.isOne(in: 4) { begins = dice.pick(timers).deadline }
    var tiers = dice.isOne(in: 2) ? tiers(of: terms, model) : []
    if dice.isOne(in: 8), !tiers.isEmpty {
      tiers[dice.below(tiers.count)].flat = Amount(units: Int128(dice.below(1_000)))
    }
    var body = Fees.Tier.body(tiers)
    var actor = staff(model)
    for _ in 0..<broken {
      switch dice.below(10) {
      case 0: terms.flat.units = -1
      case 1: terms.min.units = terms.max.units + 1
      case 2: terms.max.units = Amount.commandMax.units + 1
      case 3: terms.basisPoints = dice.isOne(in: 2) ? 10_001 : .max
      case 4: begins = model.time - 1 - UInt64(dice.below(2))
      case 5: begins = 1
      case 6: terms.flat.units = .max
      case 7, 8: body = spoilt(tiers)
      default: actor = anybody(model)
      }
    }
    let command = Fees.Command.set(terms, begins: Timestamp(nanoseconds: begins))
    return Request(.fee(command), by: actor, body: body)
  }

  /// Tiers of which none lets the fee fall, each beginning where payments are.
  private mutating func tiers(of terms: Fees.Terms, _ model: NaiveLedger) -> [Fees.Tier] {
    var schedule = NaiveLedger.Schedule(terms: terms, set: .none)
    var tiers: [Fees.Tier] = []
    let count = dice.isOne(in: 12) ? Fees.tierCountMax : 1 + dice.below(3)
    var from: Int128 = 0
    for _ in 0..<count {
      from += dice.isOne(in: 2) ? Int128(1 + dice.below(300)) : dice.magnitude(to: 5_000_000_000)
      // Mostly dearer in both; else a smaller share, and flat just what the fee needs to not fall.
      var points = (tiers.last?.basisPoints ?? terms.basisPoints) + UInt32(dice.below(20))
      var flat = (tiers.last?.flat.units ?? terms.flat.units) + Int128(dice.below(20))
      if dice.isOne(in: 2) {
        points = UInt32(dice.below(Int(points) + 1))
        let before = model.fee(on: from - 1, by: schedule)
        schedule.tiers.append(
          NaiveLedger.Tier(from: from, flat: 0, basisPoints: Int128(points)))
        flat = max(before - model.fee(on: from, by: schedule), 0)
        schedule.tiers.removeLast()
      }
      points = min(points, 10_000)
      schedule.tiers.append(
        NaiveLedger.Tier(from: from, flat: flat, basisPoints: Int128(points)))
      tiers.append(
        Fees.Tier(from: Amount(units: from), flat: Amount(units: flat), basisPoints: points))
    }
    return tiers
  }

  /// A schedule with a tier, a reservation beyond its border, and captures on both sides of it.
  mutating func holdAcrossBorder(_ model: NaiveLedger) -> [Request] {
    let staff = staff(model)
    let border = Int128(100 + dice.below(1_000))
    let tier = Fees.Tier(
      from: Amount(units: border), flat: Amount(units: Int128(dice.below(9))),
      basisPoints: UInt32(40 + dice.below(400)))
    let terms = Fees.Terms(
      basisPoints: 40, side: dice.isOne(in: 2) ? .payer : .payee, isFeeRefunded: true)
    let payer = WalletNumber(UInt64(payer(model) + 1))
    let reserve = Reservations.Command.reserve(
      from: payer, to: .external(label: UInt128(1 + dice.below(4))),
      amount: Amount(units: border * 2), seconds: 3_600, isMultiple: true)
    // Two events of the schedule, and one of the label where that is new.
    let made = EventNumber(UInt64(model.log.count + 3 + dice.below(2)))
    let parts = [dice.magnitude(to: border), border / 2, border / 3, 1]
    return [
      Request(.fee(.set(terms, begins: .none)), by: staff, body: Fees.Tier.body([tier])),
      Request(.reservation(reserve), by: staff),
    ]
      + parts.map { part in
        Request(.reservation(.capture(made, amount: Amount(units: max(part, 1)))), by: staff)
      }
  }

  /// Tiers that are none, or that let the fee fall.
  private mutating func spoilt(_ tiers: [Fees.Tier]) -> [UInt8] {
    var tiers = tiers
    if tiers.isEmpty { tiers = [Fees.Tier(from: Amount(units: 100), basisPoints: 10)] }
    let place = dice.below(tiers.count)
    switch dice.below(9) {
    case 0: tiers[place].from = .zero
    case 1: tiers[place].from = Amount(units: Amount.commandMax.units + Int128(dice.below(2)))
    case 2: tiers.append(tiers[place])
    case 3: tiers[place].flat.units = dice.pick([-1, .max, Amount.commandMax.units + 1])
    case 4: tiers[place].basisPoints = dice.pick([10_001, .max])
    case 5:
      while tiers.count <= Fees.tierCountMax {
        let last = tiers[tiers.count - 1]
        tiers.append(
          Fees.Tier(
            from: last.from + Amount(units: 1), flat: last.flat, basisPoints: last.basisPoints))
      }
    case 6:
      tiers[place].flat = .zero
      tiers[place].basisPoints = 0
    case 7: return garbled(Fees.Tier.body(tiers))
    default:  // not ours: a random number
      let last = tiers[tiers.count - 1]
      let flat = max(last.flat.units - 1, 0)
      tiers.append(
        Fees.Tier(
          from: last.from + Amount(units: 1), flat: Amount(units: flat),
          basisPoints: last.basisPoints))
    }
    return Fees.Tier.body(tiers)
  }

  /// The bytes cut off somewhere, with some more, or with one that is another.
  mutating func garbled(_ body: [UInt8]) -> [UInt8] {
    var body = body
    switch dice.below(3) {
    case 0: body.removeLast(min(1 + dice.below(47), body.count))
    case 1: body += [UInt8](repeating: UInt8(dice.below(2)), count: 1 + dice.below(60))
    default:  // not ours: a random number
      guard !body.isEmpty else { return [0] }
      body[dice.below(body.count)] ^= 1 << UInt8(dice.below(8))
    }
    return body
  }
}
