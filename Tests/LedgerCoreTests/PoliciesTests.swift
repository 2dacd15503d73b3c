import Testing

@testable import LedgerCore

/// Goal: nothing is spent that a policy denies, and what passes counts.
/// Method: stories in which a policy is set and somebody spends.
@Suite struct PoliciesTests {
  static let `operator` = Actor.operator(OperatorNumber(1))
  static let ann = Actor.agent(Scenario.ann)
  static let annAdmin = Actor.tenantAdmin(TenantNumber(1))
  static let bobAdmin = Actor.tenantAdmin(TenantNumber(2))
  /// Monday, 1 January 2024, 12:00.
  static let noon = Timestamp(nanoseconds: 1_704_110_400_000_000_000)
  static let day: UInt64 = 86_400_000_000_000

  /// At noon, ann has 100,000 units, and her wallet this policy.
  static func story(
    _ rules: [Policies.Rule], of scope: Policies.Scope = .wallet(Scenario.annWallet)
  ) throws -> Story {
    let story = Story(Scenario.agents + [Scenario.funded(Scenario.annWallet, 100_000)])
    story.now = noon
    try set(rules, of: scope, in: story)
    return story
  }

  @discardableResult
  static func set(
    _ rules: [Policies.Rule], of scope: Policies.Scope = .wallet(Scenario.annWallet),
    begins: Timestamp = .none, in story: Story
  ) throws -> Recorded {
    let command = Command.policy(.set(scope, begins: begins))
    return try story.after(command, body: Policies.Rule.body(rules), by: Self.operator)
  }

  static func units(_ units: Int128) -> Amount { Amount(units: units) }

  static func hold(
    _ units: Int128, seconds: UInt32 = 3_600, category: UInt128 = 0
  ) -> Command {
    .reservation(
      .reserve(
        from: Scenario.annWallet, to: .wallet(Scenario.bobWallet), amount: Self.units(units),
        seconds: seconds, category: category))
  }

  static func pay(
    _ units: Int128, to: Payments.Recipient = .wallet(Scenario.bobWallet), category: UInt128 = 0
  ) -> Command {
    .payment(
      .pay(from: Scenario.annWallet, to: to, amount: Self.units(units), category: category))
  }

  // MARK: - Limits

  @Test func `a payment counts with its fee, and what is left is told`() throws {
    let limit = Policies.Rule.spend(Self.units(1_100), Scenario.usd, .day)
    let story = try Self.story([.count(9, .day), limit])
    try story.after(Self.pay(1_000), by: Self.ann)
    guard case .policy(.counted(let use))? = story.past.last?.event else {
      Issue.record("what passed is counted")
      return
    }
    // 1,000 and 0.4 % of it.
    #expect(use.amount == Self.units(1_004) && use.payment.rawValue == story.last.rawValue - 1)
    #expect(use.policies.wallet == EventNumber(story.last.rawValue - 3))
    #expect(!use.policies.agent.isSome && !use.policies.tenant.isSome)
    let refusal = story.refusal(Self.pay(96), by: Self.ann)
    #expect(
      refusal
        == Refusal(
          .limitExceeded, limit: Self.units(1_100), used: Self.units(1_004), asked: Self.units(97),
          rule: 2, ruleVersion: 1, about: use.policies.wallet,
          resets: Timestamp(nanoseconds: Self.noon.nanoseconds + Self.day / 2)))
    // 95 and its fee are what is left exactly.
    try story.after(Self.pay(95), by: Self.ann)
    #expect(story.refusal(Self.pay(1), by: Self.ann)?.reason == .limitExceeded)
  }

  @Test func `a limit is whole again when its period ends, to the nanosecond`() throws {
    for (period, days) in [(Limits.Period.day, 1), (.week, 7), (.month, 31)] {
      let story = try Self.story([.spend(Self.units(1_004), Scenario.usd, period)])
      try story.after(Self.pay(1_000), by: Self.ann)
      let end = Self.noon.nanoseconds - Self.day / 2 + UInt64(days) * Self.day
      story.now = Timestamp(nanoseconds: end - 1)
      #expect(story.refusal(Self.pay(1), by: Self.ann)?.reason == .limitExceeded, "\(period)")
      story.now = Timestamp(nanoseconds: end)
      try story.after(Self.pay(1_000), by: Self.ann)
    }
  }

  @Test func `so many payments and holds, whatever they are of`() throws {
    let story = try Self.story([.count(2, .day)])
    try story.after(Self.pay(1), by: Self.ann)
    let hold = try story.after(Self.hold(1), by: Self.ann)
    try story.after(.reservation(.release(hold.number)), by: Self.ann)
    let refusal = story.refusal(Self.pay(1), by: Self.ann)
    #expect(refusal?.reason == .countExceeded && refusal?.used == Self.units(2))
    #expect(refusal?.limit == Self.units(2) && refusal?.asked == Self.units(1))
  }

  @Test func `no more at once than that`() throws {
    let story = try Self.story([.perPayment(Self.units(1_004), Scenario.usd)])
    try story.after(Self.pay(1_000), by: Self.ann)
    #expect(story.refusal(Self.pay(1_001), by: Self.ann)?.reason == .perPaymentExceeded)
    #expect(story.refusal(Self.hold(1_001), by: Self.ann)?.reason == .perPaymentExceeded)
  }

  @Test func `an asset beside limits in others is denied`() throws {
    let story = try Self.story([.spend(Self.units(1_000), Scenario.usdc, .month)])
    let refusal = story.refusal(Self.pay(1), by: Self.ann)
    #expect(refusal?.reason == .assetNotCovered && refusal?.rule == 1)
    try Self.set([.count(1_000, .day)], in: story)
    try story.after(Self.pay(1), by: Self.ann)
  }

  @Test func `what a hold gives back counts no longer on its day`() throws {
    for days in [UInt64(0), 1] {
      let story = try Self.story([.spend(Self.units(1_004), Scenario.usd, .day)])
      let hold = try story.after(Self.hold(1_000, seconds: 172_800), by: Self.ann)
      #expect(story.refusal(Self.pay(1), by: Self.ann)?.reason == .limitExceeded)
      story.now = Timestamp(nanoseconds: Self.noon.nanoseconds + days * Self.day + 1_000)
      if days == 1 { try story.after(Self.pay(1_000), by: Self.ann) }
      try story.after(.reservation(.release(hold.number)), by: Self.ann)
      let refusal = story.refusal(Self.pay(1_000), by: Self.ann)
      #expect(refusal?.reason == (days == 0 ? nil : .limitExceeded))
    }
  }

  @Test func `a hold that expires counts no longer on its day`() throws {
    let story = try Self.story([.spend(Self.units(1_004), Scenario.usd, .day)])
    let hold = try story.after(Self.hold(1_000, seconds: 60), by: Self.ann)
    story.now = hold.header.time.adding(seconds: 60)
    #expect(story.fire()?.code == 0x0504)
    try story.after(Self.pay(1_000), by: Self.ann)
  }

  @Test func `the rest of a captured hold counts no longer`() throws {
    let story = try Self.story([.spend(Self.units(1_004), Scenario.usd, .day)])
    let hold = try story.after(Self.hold(1_000), by: Self.ann)
    try story.after(
      .reservation(.capture(hold.number, amount: Self.units(500))), by: Self.ann)
    // 502 are used, so 502 are left.
    #expect(story.refusal(Self.pay(501), by: Self.ann)?.reason == .limitExceeded)
    try story.after(Self.pay(500), by: Self.ann)
  }

  @Test func `a hold made before a policy does not come back to it`() throws {
    let story = try Self.story([])
    let hold = try story.after(Self.hold(1_000), by: Self.ann)
    try Self.set([.spend(Self.units(1_004), Scenario.usd, .day)], in: story)
    try story.after(Self.pay(1_000), by: Self.ann)
    try story.after(.reservation(.release(hold.number)), by: Self.ann)
    #expect(story.refusal(Self.pay(1), by: Self.ann)?.used == Self.units(1_004))
  }

  // MARK: - Scopes

  @Test func `every policy that bears on a wallet is asked, the closest first`() throws {
    let limit = { (units: Int128) in [Policies.Rule.perPayment(Self.units(units), Scenario.usd)] }
    let story = try Self.story(limit(400), of: .ledger)
    try Self.set(limit(300), of: .tenant(TenantNumber(1)), in: story)
    try Self.set(limit(200), of: .agent(Scenario.ann), in: story)
    let closest = try Self.set(limit(100), in: story)
    #expect(story.refusal(Self.pay(500), by: Self.ann)?.about == closest.number)
    for (scope, units) in [
      (Policies.Scope.wallet(Scenario.annWallet), Int128(200)), (.agent(Scenario.ann), 300),
      (.tenant(TenantNumber(1)), 400),
    ] {
      try Self.set([], of: scope, in: story)
      #expect(story.refusal(Self.pay(500), by: Self.ann)?.limit == Self.units(units))
    }
    try Self.set([], of: .ledger, in: story)
    try story.after(Self.pay(500), by: Self.ann)
    #expect(!story.ledger.policies.isAny && story.ledger.policies.rows.count == 0)
    #expect(story.ledger.policies.rules.count == 0)
  }

  @Test func `another's policy is not asked`() throws {
    let story = try Self.story(
      [.perPayment(Self.units(1), Scenario.usd)], of: .tenant(TenantNumber(2)))
    try story.after(Self.pay(500), by: Self.ann)
    // Nor is anything counted.
    #expect(story.past.last?.event.payment != nil)
  }

  @Test func `wallets of an agent use his limit together`() throws {
    let story = try Self.story(
      [.spend(Self.units(1_004), Scenario.usd, .day)], of: .agent(Scenario.ann))
    try story.after(.wallet(.open(agent: Scenario.ann, asset: Scenario.usd)), by: Self.ann)
    try story.after(
      .wallet(.fund(WalletNumber(4), amount: Self.units(1_000))), by: Self.ann)
    try story.after(Self.pay(600), by: Self.ann)
    let second = Scenario.pay(500, from: WalletNumber(4))
    #expect(story.refusal(second, by: Self.ann)?.used == Self.units(603))
  }

  // MARK: - Targets and hours

  @Test func `only who is allowed is paid`() throws {
    let story = try Self.story([
      .allow(.wallet(Scenario.bobWallet)), .allow(.label(7)), .count(99, .day),
    ])
    try story.after(Self.pay(5), by: Self.ann)
    try story.after(Self.pay(5, to: .external(label: 7)), by: Self.ann)
    let refusal = story.refusal(Self.pay(5, to: .external(label: 8)), by: Self.ann)
    #expect(refusal?.reason == .payeeNotAllowed && refusal?.rule == 1)
  }

  @Test func `who is denied is not, also as one of several`() throws {
    let story = try Self.story([.count(99, .day), .deny(.label(8))])
    try story.after(Self.pay(5, to: .external(label: 7)), by: Self.ann)
    let refusal = story.refusal(Self.pay(5, to: .external(label: 8)), by: Self.ann)
    #expect(refusal?.reason == .payeeNotAllowed && refusal?.rule == 2)
    let split = Splits.Share.body([
      Splits.Share(.wallet(Scenario.bobWallet), weight: 1),
      Splits.Share(.external(label: 8), weight: 1),
    ])
    let command = Self.pay(10, to: .split)
    #expect(story.refusal(command, body: split, by: Self.ann)?.reason == .payeeNotAllowed)
    try Self.set([.allow(.wallet(Scenario.bobWallet))], in: story)
    #expect(story.refusal(command, body: split, by: Self.ann)?.reason == .payeeNotAllowed)
    try Self.set([.allow(.wallet(Scenario.bobWallet)), .allow(.label(8))], in: story)
    try story.after(command, body: split, by: Self.ann)
  }

  @Test func `a payment of no category is none of those allowed`() throws {
    let story = try Self.story([.allow(.category(5))])
    #expect(story.refusal(Self.pay(5), by: Self.ann)?.reason == .categoryNotAllowed)
    #expect(story.refusal(Self.hold(5), by: Self.ann)?.reason == .categoryNotAllowed)
    try story.after(Self.pay(5, category: 5), by: Self.ann)
    try story.after(Self.hold(5, category: 5), by: Self.ann)
    try Self.set([.deny(.category(5))], in: story)
    try story.after(Self.pay(5), by: Self.ann)
    #expect(story.refusal(Self.pay(5, category: 5), by: Self.ann)?.reason == .categoryNotAllowed)
  }

  @Test func `a rail may be denied`() throws {
    let story = try Self.story([.deny(.rail(.internal))])
    #expect(story.refusal(Self.pay(5), by: Self.ann)?.reason == .railNotAllowed)
    try Self.set([.allow(.rail(.internal))], in: story)
    try story.after(Self.pay(5), by: Self.ann)
  }

  @Test func `nothing is spent outside the hours`() throws {
    // Mondays from 12:00 to 12:01, and Tuesdays to Sundays all day.
    let story = try Self.story([
      .hours(Policies.Hours(days: 1, from: 720, until: 721)),
      .hours(Policies.Hours(days: 0x7E, from: 0, until: 1_440)),
    ])
    try story.after(Self.pay(5), by: Self.ann)
    let minute: UInt64 = 60_000_000_000
    story.now = Timestamp(nanoseconds: Self.noon.nanoseconds + minute - 1)
    try story.after(Self.pay(5), by: Self.ann)
    story.now = Timestamp(nanoseconds: Self.noon.nanoseconds + minute)
    let refusal = story.refusal(Self.pay(5), by: Self.ann)
    #expect(refusal?.reason == .outsideHours && refusal?.rule == 1)
    for days in 1...6 {
      story.now = Timestamp(nanoseconds: Self.noon.nanoseconds + UInt64(days) * Self.day)
      try story.after(Self.pay(5), by: Self.ann)
    }
    story.now = Timestamp(nanoseconds: Self.noon.nanoseconds + 7 * Self.day - 1)
    #expect(story.refusal(Self.pay(5), by: Self.ann)?.reason == .outsideHours)
  }

  // MARK: - What is asked first

  @Test func `policies are asked before the balance, and after whether it is a payment at all`()
    throws
  {
    let story = try Self.story([.deny(.rail(.internal))])
    #expect(story.refusal(Self.pay(1_000_000), by: Self.ann)?.reason == .railNotAllowed)
    #expect(
      story.refusal(Self.pay(5, to: .wallet(Scenario.annWallet)), by: Self.ann)?.reason
        == .selfPayment)
    #expect(story.refusal(Self.pay(5), by: .agent(Scenario.bob))?.reason == .walletNotFound)
  }

  @Test func `what ends an obligation passes`() throws {
    let story = try Self.story([])
    let hold = try story.after(Self.hold(500), by: Self.ann)
    let paid = try story.after(Self.pay(500), by: Self.ann)
    for scope in [Policies.Scope.ledger, .agent(Scenario.bob)] {
      try Self.set([.deny(.rail(.internal))], of: scope, in: story)
    }
    try story.after(.reservation(.capture(hold.number, amount: nil)), by: Self.ann)
    try story.after(.refund(.refund(paid.number, amount: nil)), by: .agent(Scenario.bob))
  }

  /// Another wallet of the agent's has no such policy, and closing moves the money there.
  @Test func `an agent does not shed a policy by closing its wallet`() throws {
    for begins in [Timestamp.none, Self.noon.adding(seconds: 86_400)] {
      let story = try Self.story([])
      try Self.set([.count(1, .day)], begins: begins, in: story)
      try story.after(.wallet(.open(agent: Scenario.ann, asset: Scenario.usd)), by: Self.ann)
      let close = Command.wallet(.close(Scenario.annWallet, to: WalletNumber(4)))
      #expect(story.refusal(close, by: Self.ann)?.reason == .walletRestricted)
      #expect(story.refusal(close, by: Self.bobAdmin)?.reason == .walletNotFound)
      try story.after(close, by: Self.annAdmin)
      try story.after(.wallet(.reopen(Scenario.annWallet)), by: Self.ann)
    }
  }
}
