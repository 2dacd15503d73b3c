import TestSupport
import Testing

@testable import LedgerCore

/// Goal: a fee is what its schedule says, to the unit, and a schedule counts exactly from its
/// begin. Method: a table of terms, amounts and fees worked out by hand; random amounts against the
/// definition in whole numbers; then events in, one command, events out. No engine, no disk.
@Suite struct FeesTests {
  private static let terms = Fees.Terms(basisPoints: 25)
  private static let invalid: [Fees.Terms] = [
    Fees.Terms(flat: Amount(units: -1), basisPoints: 0),
    Fees.Terms(flat: Amount(units: Amount.commandMax.units + 1), basisPoints: 0),
    Fees.Terms(basisPoints: 10_001),
    Fees.Terms(basisPoints: 0, min: Amount(units: -1)),
    Fees.Terms(basisPoints: 0, min: Amount(units: 2), max: Amount(units: 1)),
    Fees.Terms(basisPoints: 0, max: Amount(units: -1)),
    Fees.Terms(basisPoints: 0, max: Amount(units: Amount.commandMax.units + 1)),
  ]

  // MARK: - Arithmetic

  @Test(
    arguments: [
      // 40 basis points, rounded up: 5 USD costs 0.02, and the smallest payment one unit.
      (flat: 0, points: 40, min: 0, max: nil, amount: 5_000_000_000, fee: 20_000_000),
      (flat: 0, points: 40, min: 0, max: nil, amount: 1, fee: 1),
      (flat: 0, points: 40, min: 0, max: nil, amount: 249, fee: 1),
      (flat: 0, points: 40, min: 0, max: nil, amount: 250, fee: 1),
      (flat: 0, points: 40, min: 0, max: nil, amount: 251, fee: 2),
      (flat: 0, points: 40, min: 0, max: nil, amount: 500, fee: 2),
      (flat: 0, points: 40, min: 0, max: nil, amount: 501, fee: 3),
      // No share, the whole amount as share.
      (flat: 0, points: 0, min: 0, max: nil, amount: 1_000_000, fee: 0),
      (flat: 0, points: 10_000, min: 0, max: nil, amount: 1_000_001, fee: 1_000_001),
      // A flat part comes on top of the share, before the bounds.
      (flat: 30, points: 0, min: 0, max: nil, amount: 1, fee: 30),
      (flat: 30, points: 40, min: 0, max: nil, amount: 251, fee: 32),
      (flat: 30, points: 40, min: 40, max: nil, amount: 251, fee: 40),
      (flat: 30, points: 40, min: 0, max: 31, amount: 251, fee: 31),
      // Bounds: below, at and above.
      (flat: 0, points: 40, min: 100, max: nil, amount: 1, fee: 100),
      (flat: 0, points: 40, min: 100, max: nil, amount: 25_000, fee: 100),
      (flat: 0, points: 40, min: 100, max: nil, amount: 25_001, fee: 101),
      (flat: 0, points: 40, min: 0, max: 50, amount: 12_500, fee: 50),
      (flat: 0, points: 40, min: 0, max: 50, amount: 12_501, fee: 50),
      (flat: 0, points: 40, min: 7, max: 7, amount: 1_000_000_000, fee: 7),
      (flat: 0, points: 40, min: 0, max: 0, amount: 1_000_000_000, fee: 0),
    ] as [(flat: Int128, points: UInt32, min: Int128, max: Int128?, amount: Int128, fee: Int128)])
  func `a fee is the one worked out by hand`(
    _ row: (flat: Int128, points: UInt32, min: Int128, max: Int128?, amount: Int128, fee: Int128)
  ) throws {
    let terms = Fees.Terms(
      flat: Amount(units: row.flat), basisPoints: row.points, min: Amount(units: row.min),
      max: Amount(units: row.max ?? Amount.commandMax.units))
    #expect(try terms.fee(on: Amount(units: row.amount)).units == row.fee)
  }

  @Test func `the share is the exact quotient, rounded up, at any magnitude`() throws {
    var random = SplitMix64(seeded: "fee share")
    for _ in 0..<5_000 {
      let amount = Amount(units: random.amount().units % (Amount.commandMax.units + 1))
      let points = UInt32(random.below(10_001))
      let fee = try Fees.Terms(basisPoints: points).fee(on: amount).units
      // The definition: the least whole number that is not below amount × points / 10,000.
      #expect(fee * 10_000 >= amount.units * Int128(points))
      #expect((fee - 1) * 10_000 < amount.units * Int128(points))
    }
  }

  @Test func `a fee never falls while the amount grows`() throws {
    var random = SplitMix64(seeded: "fee monotone")
    for _ in 0..<5_000 {
      let bounds = [random.below(1_000), random.below(1_000)].sorted()
      let terms = Fees.Terms(
        flat: Amount(units: Int128(random.below(100))), basisPoints: UInt32(random.below(10_001)),
        min: Amount(units: Int128(bounds[0])), max: Amount(units: Int128(bounds[1])))
      let amount = Int128(random.below(100_000))
      let more = amount + Int128(random.below(1_000))
      #expect(
        try terms.fee(on: Amount(units: amount)) <= terms.fee(on: Amount(units: more)))
    }
  }

  // MARK: - Tiers

  private static let tiers = [
    Fees.Tier(from: Amount(units: 1_000), flat: Amount(units: 2), basisPoints: 30),
    Fees.Tier(from: Amount(units: 10_000), flat: Amount(units: 12), basisPoints: 20),
  ]
  private static let tiered = Event.fee(
    .set(schedule: ScheduleNumber(2), terms: .standard, begins: Timestamp(nanoseconds: 1)))
  private static let given =
    Scenario.agents + [
      Scenario.funded(Scenario.annWallet, 100_000), tiered,
      .fee(.began(schedule: ScheduleNumber(2), effective: Timestamp(nanoseconds: 1))),
    ]
  private static let bodies = [
    EventNumber(UInt64(Scenario.agents.count + 3)): Fees.Tier.body(tiers)
  ]

  /// The terms' 0.4 % below 1,000; then 2 and 0.3 % of all; from 10,000 on 12 and 0.2 % of all.
  @Test(
    arguments: [
      (1, 1), (999, 4), (1_000, 5), (1_001, 6), (9_999, 32), (10_000, 32), (10_001, 33),
      (50_000, 112),
    ] as [(Int128, Int128)])
  func `a tier counts for all of an amount from its begin on`(_ row: (Int128, Int128)) {
    expect(
      given: Self.given, bodies: Self.bodies, when: Scenario.pay(row.0),
      by: .agent(Scenario.ann),
      then: [Scenario.paid(row.0, fee: row.1, schedule: ScheduleNumber(2))])
  }

  @Test func `a schedule takes its tiers along, at once or later`() {
    let body = Fees.Tier.body(Self.tiers)
    let later = Timestamp(nanoseconds: Scenario.now.nanoseconds + 1)
    expect(
      when: .fee(.set(.standard, begins: .none)), asked: body, by: .administrator,
      then: [
        .fee(.set(schedule: ScheduleNumber(2), terms: .standard, begins: Scenario.now)),
        .fee(.began(schedule: ScheduleNumber(2), effective: Scenario.now)),
      ], body: body)
    expect(
      when: .fee(.set(.standard, begins: later)), asked: body, by: .administrator,
      then: [.fee(.set(schedule: ScheduleNumber(2), terms: .standard, begins: later))],
      body: body)
  }

  /// `accounting.md` 2: a schedule that falls while the amount grows is refused.
  @Test func `a schedule that falls where a tier begins is refused with both fees`() {
    let falls = Refusal(.scheduleFalls, limit: Amount(units: 4), asked: Amount(units: 3))
    for (flat, expected) in [(Int128(0), falls), (1, nil)] {
      let tiers = [
        Fees.Tier(from: Amount(units: 1_001), flat: Amount(units: flat), basisPoints: 20)
      ]
      let refusal = refusal(
        when: .fee(.set(.standard, begins: .none)), asked: Fees.Tier.body(tiers),
        by: .administrator)
      #expect(refusal == expected, "\(flat)")
    }
  }

  /// A tier from the least amount on is in place of the terms, and nothing is below it.
  @Test func `a tier may begin with the least amount and cost less than the terms`() {
    let tiers = Fees.Tier.body([Fees.Tier(from: Amount(units: 1), basisPoints: 10)])
    let terms = Fees.Terms(flat: Amount(units: 5), basisPoints: 40)
    #expect(
      refusal(when: .fee(.set(terms, begins: .none)), asked: tiers, by: .administrator) == nil)
  }

  @Test func `tiers that are none are refused`() {
    let valid = Self.tiers[0]
    var lists = [[UInt8](repeating: 0, count: 39), [UInt8](repeating: 0, count: 40)]
    lists.append(Fees.Tier.body([valid, valid]))
    lists.append(
      Fees.Tier.body(
        [2_000, 1_000].map { Fees.Tier(from: Amount(units: $0), basisPoints: 40) }))
    lists.append(Fees.Tier.body([Fees.Tier(from: valid.from, basisPoints: 10_001)]))
    lists.append(
      Fees.Tier.body([Fees.Tier(from: valid.from, flat: Amount(units: -1), basisPoints: 1)]))
    lists.append(
      Fees.Tier.body([
        Fees.Tier(from: Amount(units: Amount.commandMax.units + 1), basisPoints: 40)
      ]))
    lists.append(
      Fees.Tier.body(
        (1...33).map { Fees.Tier(from: Amount(units: Int128($0) * 1_000), basisPoints: 40) }))
    for list in lists {
      expect(
        when: .fee(.set(.standard, begins: .none)), asked: list, by: .administrator,
        refused: .scheduleInvalid)
    }
    let most = (1...32).map { Fees.Tier(from: Amount(units: Int128($0) * 1_000), basisPoints: 40) }
    #expect(
      refusal(
        when: .fee(.set(.standard, begins: .none)), asked: Fees.Tier.body(most),
        by: .administrator) == nil)
  }

  @Test func `captures across a tier's begin add up to the fee on their sum`() throws {
    let ledger = Scenario.ledger(after: Self.given, bodies: Self.bodies)
    var random = SplitMix64(seeded: "tiers over parts")
    for _ in 0..<200 {
      var (sum, fees) = (Amount.zero, Amount.zero)
      while sum.units < 15_000 {
        let part = Amount(units: Int128(1 + random.below(3_000)))
        let fee = try ledger.fees.fee(onPart: part, after: sum, by: ScheduleNumber(2))
        #expect(fee >= .zero)
        (sum, fees) = (sum + part, fees + fee)
      }
      #expect(fees == (try ledger.fees.fee(on: sum, by: ScheduleNumber(2))))
    }
  }

  // MARK: - Setting

  @Test(arguments: [Actor.administrator, .operator(OperatorNumber(1))])
  func `staff sets a schedule that counts at once`(actor: Actor) {
    expect(
      when: .fee(.set(Self.terms, begins: .none)), by: actor,
      then: [
        .fee(.set(schedule: ScheduleNumber(2), terms: Self.terms, begins: Scenario.now)),
        .fee(.began(schedule: ScheduleNumber(2), effective: Scenario.now)),
      ])
  }

  @Test func `a schedule for later waits for its begin`() {
    let begins = Timestamp(nanoseconds: Scenario.now.nanoseconds + 1)
    expect(
      when: .fee(.set(Self.terms, begins: begins)), by: .administrator,
      then: [.fee(.set(schedule: ScheduleNumber(2), terms: Self.terms, begins: begins))])
  }

  @Test func `a payment takes the schedule that counts, not the one that waits`() {
    let later = Timestamp(nanoseconds: Scenario.now.nanoseconds * 2)
    let waiting = Event.fee(
      .set(schedule: ScheduleNumber(2), terms: Fees.Terms(basisPoints: 100), begins: later))
    let began = Event.fee(.began(schedule: ScheduleNumber(2), effective: later))
    let given = Scenario.agents + [Scenario.funded(Scenario.annWallet, 10_000), waiting]
    expect(
      given: given, when: Scenario.pay(1_000), by: .agent(Scenario.ann),
      then: [Scenario.paid(1_000, fee: 4)])
    expect(
      given: given + [began], when: Scenario.pay(1_000), by: .agent(Scenario.ann),
      then: [Scenario.paid(1_000, fee: 10, schedule: ScheduleNumber(2))])
  }

  @Test(arguments: FeesTests.invalid)
  func `terms outside their bounds are refused`(terms: Fees.Terms) {
    expect(
      when: .fee(.set(terms, begins: .none)), by: .administrator, refused: .scheduleInvalid)
  }

  @Test(arguments: [Actor.ledger, .anonymous, .agent(Scenario.ann)])
  func `nobody else sets fees`(actor: Actor) {
    expect(when: .fee(.set(Self.terms, begins: .none)), by: actor, refused: .notPermitted)
  }

  @Test func `a schedule cannot begin now or before`() {
    let now = Scenario.now.nanoseconds
    for begins in [now, now - 1, 1] {
      expect(
        when: .fee(.set(Self.terms, begins: Timestamp(nanoseconds: begins))),
        by: .administrator, refused: .scheduleInPast)
    }
  }

  /// Each row breaks one rule fewer than the row above, so the order is tested, not only the set.
  @Test(
    arguments: [
      (actor: Actor.anonymous, terms: FeesTests.invalid[0], past: true, refused: .notPermitted),
      (actor: .administrator, terms: FeesTests.invalid[0], past: true, refused: .scheduleInvalid),
      (actor: .administrator, terms: .standard, past: true, refused: .scheduleInPast),
      (actor: .administrator, terms: .standard, past: false, refused: nil),
    ] as [(actor: Actor, terms: Fees.Terms, past: Bool, refused: Rejection?)])
  func `refusals have an order`(
    _ row: (actor: Actor, terms: Fees.Terms, past: Bool, refused: Rejection?)
  ) {
    let begins = Timestamp(nanoseconds: row.past ? 1 : Scenario.now.nanoseconds + 1)
    let found = refusal(when: .fee(.set(row.terms, begins: begins)), by: row.actor)
    #expect(found?.reason == row.refused)
  }
}
