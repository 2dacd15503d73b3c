import Testing

@testable import LedgerCore

/// Goal: a policy is set by who may, says what can be said, and begins and ends when it should.
/// Method: given, when, then; and stories over versions.
@Suite struct PolicySettingTests {
  private typealias Policy = PoliciesTests

  private static let limit = Policies.Rule.perPayment(Amount(units: 5), Scenario.usd)

  private static func set(
    _ scope: Policies.Scope = .wallet(Scenario.annWallet), begins: Timestamp = .none
  ) -> Command {
    .policy(.set(scope, begins: begins))
  }

  @Test func `setting a policy at once is two events, of which the first answers`() {
    let setting = Policies.Setting(
      scope: .tenant(TenantNumber(1)), version: 1, begins: Scenario.now, slot: PolicySlot(1))
    let body = Policies.Rule.body([Self.limit])
    expect(
      when: Self.set(.tenant(TenantNumber(1))), asked: body, by: Policy.annAdmin,
      then: [
        .policy(.set(setting)),
        .policy(
          .began(
            scope: setting.scope, version: 1, slot: PolicySlot(1), effective: Scenario.now)),
      ],
      body: body, texts: [.own, .none], answer: 0)
  }

  @Test func `one that is to come is one event, and begins by its timer`() throws {
    let later = Scenario.now.adding(seconds: 60)
    let story = Story(Scenario.agents + [Scenario.funded(Scenario.annWallet, 100_000)])
    try Policy.set([Self.limit], begins: later, in: story)
    #expect(story.past.last?.event.code == 0x0A01)
    story.now = Timestamp(nanoseconds: later.nanoseconds - 1)
    #expect(story.ledger.due(at: story.now) == nil)
    try story.after(Policy.pay(50), by: Policy.ann)
    story.now = later
    #expect(
      story.fire()
        == .policy(
          .began(
            scope: .wallet(Scenario.annWallet), version: 1, slot: PolicySlot(1), effective: later)))
    #expect(story.refusal(Policy.pay(50), by: Policy.ann)?.reason == .perPaymentExceeded)
    #expect(story.ledger.timers.count == 0)
  }

  @Test func `one that is to come takes the place of the one that was`() throws {
    let story = Story(Scenario.agents + [Scenario.funded(Scenario.annWallet, 100_000)])
    let (first, second) = (story.now.adding(seconds: 60), story.now.adding(seconds: 30))
    try Policy.set([Self.limit], begins: first, in: story)
    let other = Policies.Rule.perPayment(Amount(units: 50), Scenario.usd)
    try Policy.set([other], begins: second, in: story)
    #expect(story.ledger.timers.count == 1 && story.ledger.policies.rows.count == 1)
    // What is set at once leaves it.
    try Policy.set([.count(1, .day)], in: story)
    #expect(story.ledger.timers.count == 1 && story.ledger.policies.rows.count == 2)
    story.now = first
    #expect(story.fire()?.code == 0x0A02 && story.fire() == nil)
    #expect(story.refusal(Policy.pay(51), by: Policy.ann)?.limit == Amount(units: 50))
    #expect(story.refusal(Policy.pay(51), by: Policy.ann)?.ruleVersion == 2)
    #expect(story.ledger.policies.rows.count == 1 && story.ledger.policies.rules.count == 1)
  }

  @Test func `a limit that is raised goes on counting, others begin anew`() throws {
    let day = { (units: Int128) in
      Policies.Rule.spend(Amount(units: units), Scenario.usd, .day)
    }
    let story = try Policy.story([day(2_000), .count(5, .week)])
    try story.after(Policy.pay(1_000), by: Policy.ann)
    try Policy.set([.spend(Amount(units: 900), Scenario.usd, .month), day(3_000)], in: story)
    let refusal = story.refusal(Policy.pay(2_000), by: Policy.ann)
    #expect(refusal?.reason == .limitExceeded && refusal?.rule == 1 && refusal?.used == .zero)
    try story.after(Policy.pay(800), by: Policy.ann)
    try Policy.set([day(2_000), .count(2, .week)], in: story)
    #expect(story.refusal(Policy.pay(200), by: Policy.ann)?.used == Amount(units: 1_808))
    // The count of the week was gone with the version in between.
    try story.after(Policy.pay(1), by: Policy.ann)
    try story.after(Policy.pay(1), by: Policy.ann)
    #expect(story.refusal(Policy.pay(1), by: Policy.ann)?.reason == .countExceeded)
  }

  @Test func `only staff and the tenant's admin restrict`() {
    for (actor, scope, reason) in [
      (Policy.ann, .wallet(Scenario.annWallet), .notPermitted),
      (Policy.annAdmin, .ledger, .notPermitted),
      (Policy.bobAdmin, .tenant(TenantNumber(1)), .tenantNotFound),
      (Policy.bobAdmin, .agent(Scenario.ann), .agentNotFound),
      (Policy.bobAdmin, .wallet(Scenario.annWallet), .walletNotFound),
      (Policy.operator, .tenant(TenantNumber(9)), .tenantNotFound),
      (Policy.operator, .agent(AgentNumber(9)), .agentNotFound),
      (Policy.operator, .wallet(WalletNumber(9)), .walletNotFound),
    ] as [(Actor, Policies.Scope, Rejection)] {
      expect(
        when: Self.set(scope), asked: Policies.Rule.body([Self.limit]), by: actor, refused: reason)
    }
  }

  @Test func `what staff set, staff alone replaces`() throws {
    for begins in [Timestamp.none, Policy.noon.adding(seconds: 86_400)] {
      let story = try Policy.story([])
      try Policy.set([Self.limit], begins: begins, in: story)
      #expect(story.refusal(Self.set(), by: Policy.annAdmin)?.reason == .notPermitted)
      // Beside it, the admin restricts as he likes.
      let body = Policies.Rule.body([.count(5, .day)])
      try story.after(Self.set(.agent(Scenario.ann)), body: body, by: Policy.annAdmin)
      try story.after(Self.set(.agent(Scenario.ann)), by: Policy.annAdmin)
    }
    let story = try Policy.story([])
    try Policy.set([Self.limit], in: story)
    try Policy.set([], in: story)
    let body = Policies.Rule.body([.count(5, .day)])
    try story.after(Self.set(), body: body, by: Policy.annAdmin)
    try Policy.set([Self.limit], in: story)
  }

  @Test func `a rule that cannot be one is named by its place`() {
    let rules: [Policies.Rule] = [
      .perPayment(.zero, Scenario.usd), .perPayment(Amount(units: 5), AssetNumber(9)),
      .spend(.commandMax + Amount(units: 1), Scenario.usd, .day), .count(0, .day),
      .count(Policies.countLimitMax + 1, .day), .allow(.wallet(WalletNumber(9))),
      .deny(.label(0)), .allow(.category(0)), .hours(Policies.Hours(days: 0, from: 0, until: 1)),
      .hours(Policies.Hours(days: 0x80, from: 0, until: 1)),
      .hours(Policies.Hours(days: 1, from: 60, until: 60)),
      .hours(Policies.Hours(days: 1, from: 60, until: 1_441)),
      .approval(above: .zero, Scenario.usd, seconds: 1),
      .approval(above: Amount(units: 1), Scenario.usd, seconds: 0),
      .approval(above: Amount(units: 1), Scenario.usd, seconds: Reservations.secondsMax + 1),
      // Says again what the first says.
      .perPayment(Amount(units: 6), Scenario.usd), Self.limit,
    ]
    for rule in rules {
      let refusal = refusal(
        when: Self.set(), asked: Policies.Rule.body([Self.limit, .deny(.rail(.internal)), rule]),
        by: Policy.operator)
      #expect(refusal?.reason == .policyInvalid && refusal?.rule == 3, "\(rule)")
    }
  }

  @Test func `labels are a tenant's, so a policy of all has none`() {
    let body = Policies.Rule.body([.deny(.label(5))])
    expect(when: Self.set(.ledger), asked: body, by: Policy.operator, refused: .policyInvalid)
    #expect(refusal(when: Self.set(), asked: body, by: Policy.operator) == nil)
  }

  @Test func `a policy has 128 rules at most, and no bytes that are none`() {
    let rules = (1...129).map { Policies.Rule.allow(.label(UInt128($0))) }
    let body = Policies.Rule.body(rules)
    expect(when: Self.set(), asked: body, by: Policy.operator, refused: .policyInvalid)
    let fewer = Array(body.dropLast(40))
    #expect(refusal(when: Self.set(), asked: fewer, by: Policy.operator) == nil)
    for wrong in [[1], Array(body.prefix(41)), [9] + Array(body.prefix(39))] {
      expect(when: Self.set(), asked: wrong, by: Policy.operator, refused: .policyInvalid)
    }
    // A bit that the kind does not use.
    var extra = Policies.Rule.body([Self.limit])
    extra[1] = 1
    expect(when: Self.set(), asked: extra, by: Policy.operator, refused: .policyInvalid)
  }

  /// Where one byte of the second rule, a limit of 5 a day, must not have this value.
  @Test(arguments: [(0, 8, "kind"), (1, 4, "period"), (4, 1, "more"), (39, 1, "key")])
  func `a log with a rule that is none is refused`(place: Int, value: UInt8, field: String) {
    let event = Event.policy(
      .set(
        Policies.Setting(scope: .ledger, version: 1, begins: Scenario.now, slot: PolicySlot(1))))
    var body = Policies.Rule.body([
      Self.limit, .spend(Amount(units: 5), Scenario.usd, .day),
    ])
    #expect(throws: Never.self) { try event.check(body.span) }
    body[40 + place] = value
    #expect(throws: StorageError.self) { try event.check(body.span) }
    #expect(throws: StorageError.self) { try event.check(body.span.extracting(0..<41)) }
  }

  @Test func `a policy begins later than now`() {
    let body = Policies.Rule.body([Self.limit])
    expect(
      when: Self.set(begins: Scenario.now), asked: body, by: Policy.operator,
      refused: .policyInPast)
    #expect(
      refusal(when: Self.set(begins: Scenario.now.next), asked: body, by: Policy.operator) == nil)
  }
}
