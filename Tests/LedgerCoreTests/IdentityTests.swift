import Testing

@testable import LedgerCore

/// Goal: whoever acts is known, by exactly one holder per credential, and a revoked one is dead.
/// Method: events in, one command, events out. No engine, no disk, no clock.
@Suite struct IdentityTests {
  private static let name: UInt128 = 0xACE
  private static let acme: UInt128 = 0xAC3E
  private static let (newKey, newSecret): (UInt128, UInt128) = (0x1111, 0x2222)
  private static let `operator` = OperatorNumber(1)
  private static let operatorKey: UInt128 = 0x0909
  /// The three agents, then operator 1 with credential 7.
  private static let given =
    Scenario.agents + [
      .identity(
        .credentialIssued(
          credential: CredentialNumber(7), key: operatorKey, kind: .operatorKey,
          holder: .operator(`operator`))),
      .identity(
        .operatorRegistered(operator: `operator`, credential: CredentialNumber(7))),
    ]

  private static func register(
    tenant: UInt128 = 0, name: UInt128 = name, asset: AssetNumber = Scenario.usd,
    _ apiKey: UInt128 = newKey, _ secretKey: UInt128 = newSecret
  ) -> Command {
    .identity(
      .registerAgent(
        tenant: tenant, name: name, asset: asset, apiKey: apiKey, secretKey: secretKey))
  }

  private static func registered(in tenant: UInt64, asset: AssetNumber = Scenario.usd) -> [Event] {
    let agent = AgentNumber(4)
    return [
      .wallet(.opened(wallet: WalletNumber(4), agent: agent, asset: asset)),
      .identity(
        .credentialIssued(
          credential: CredentialNumber(7), key: newKey, kind: .apiKey, holder: .agent(agent))),
      .identity(
        .credentialIssued(
          credential: CredentialNumber(8), key: newSecret, kind: .secretKey,
          holder: .agent(agent))),
      .identity(
        .agentRegistered(
          agent: agent, tenant: TenantNumber(tenant), wallet: WalletNumber(4), name: name,
          apiKey: CredentialNumber(7), secretKey: CredentialNumber(8))),
    ]
  }

  // MARK: - Tenants' admins

  private static let adminKey: UInt128 = 0xAD01
  private static let admin = Actor.tenantAdmin(TenantNumber(1))

  private static func registerAdmin(
    of tenant: TenantNumber = .none, named name: UInt128 = 0, key: UInt128 = adminKey
  ) -> Command {
    .identity(.registerTenantAdmin(tenant: tenant, name: name, key: key))
  }

  private static func issued(
    _ credential: UInt64, to tenant: UInt64, key: UInt128 = adminKey
  ) -> Event {
    .identity(
      .credentialIssued(
        credential: CredentialNumber(credential), key: key, kind: .tenantKey,
        holder: .tenantAdmin(TenantNumber(tenant))))
  }

  @Test func `staff gives a tenant its key, by number or by a name that may be new`() {
    let staff = Actor.operator(Self.operator)
    expect(
      when: Self.registerAdmin(of: TenantNumber(1)), by: staff, then: [Self.issued(7, to: 1)])
    let new = Event.identity(.tenantRegistered(tenant: TenantNumber(4), name: Self.acme))
    expect(
      when: Self.registerAdmin(named: Self.acme), by: staff, then: [new, Self.issued(7, to: 4)],
      texts: [.label(0), .none])
    expect(
      given: Scenario.agents + [new], when: Self.registerAdmin(named: Self.acme), by: staff,
      then: [Self.issued(7, to: 4)])
    for (command, actor, reason) in [
      (Self.registerAdmin(of: TenantNumber(1)), Actor.anonymous, Rejection.notPermitted),
      (Self.registerAdmin(of: TenantNumber(1)), .agent(Scenario.ann), .notPermitted),
      (Self.registerAdmin(of: TenantNumber(1)), Self.admin, .notPermitted),
      (Self.registerAdmin(of: TenantNumber(9)), staff, .tenantNotFound),
      (Self.registerAdmin(), staff, .tenantNotFound),
      (Self.registerAdmin(of: TenantNumber(1), key: 0), staff, .credentialTaken),
      (
        Self.registerAdmin(of: TenantNumber(1), key: Scenario.apiKey(1)), staff, .credentialTaken
      ),
    ] {
      expect(when: command, by: actor, refused: reason)
    }
  }

  /// AP-08: its name is taken, so a stranger who gives it is a tenant of his own.
  @Test func `a tenant that has an admin is joined through him or staff`() {
    let acme = Event.identity(.tenantRegistered(tenant: TenantNumber(4), name: Self.acme))
    let open = Scenario.agents + [acme]
    expect(
      given: open, when: Self.register(tenant: Self.acme), by: .anonymous,
      then: Self.registered(in: 4))
    let taken = open + [Self.issued(7, to: 4)]
    for (actor, tenant) in [
      (Actor.tenantAdmin(TenantNumber(4)), UInt64(4)), (.administrator, 4), (.anonymous, 5),
      (.tenantAdmin(TenantNumber(1)), 0),
    ] {
      guard tenant > 0 else {
        expect(
          given: taken, when: Self.register(tenant: Self.acme), by: actor, refused: .notPermitted)
        continue
      }
      let ledger = Scenario.ledger(after: taken)
      var decision = Decision()
      #expect(throws: Never.self) {
        try ledger.decide(
          Self.register(tenant: Self.acme), by: actor, at: Scenario.now, into: &decision)
      }
      guard
        case .identity(.agentRegistered(_, let joined, _, let name, _, _)) =
          decision[decision.answer]
      else {
        Issue.record("registering ends in the agent")
        continue
      }
      // The stranger's name takes no place within the tenant.
      #expect(joined == TenantNumber(tenant) && name == (tenant == 4 ? Self.name : 0))
    }
  }

  @Test func `an admin turns his own keys over`() {
    let given = Scenario.agents + [Self.issued(7, to: 1)]
    let issue = Command.identity(.issue(key: 0xAD02, kind: .tenantKey))
    expect(
      given: given, when: issue, by: Self.admin, then: [Self.issued(8, to: 1, key: 0xAD02)])
    expect(
      given: given, when: .identity(.revoke(CredentialNumber(7))), by: Self.admin,
      then: [.identity(.credentialRevoked(credential: CredentialNumber(7)))])
    expect(
      given: given, when: .identity(.revoke(CredentialNumber(7))), by: .operator(Self.operator),
      then: [.identity(.credentialRevoked(credential: CredentialNumber(7)))])
    for (kind, actor) in [
      (Identity.CredentialKind.apiKey, Self.admin), (.operatorKey, Self.admin),
      (.tenantKey, .agent(Scenario.ann)), (.tenantKey, .operator(Self.operator)),
    ] {
      expect(
        given: given, when: .identity(.issue(key: 0xAD02, kind: kind)), by: actor,
        refused: .notPermitted)
    }
  }

  // MARK: - Agents

  @Test(arguments: [Actor.anonymous, .operator(OperatorNumber(1)), .administrator])
  func `an agent gets a tenant of its own, a wallet and two keys`(actor: Actor) {
    let tenant = Event.identity(.tenantRegistered(tenant: TenantNumber(4), name: 0))
    expect(
      when: Self.register(), by: actor, then: [tenant] + Self.registered(in: 4),
      texts: [.none, .none, .none, .none, .own])
  }

  @Test func `a tenant is registered by its first agent and joined by the next`() {
    let tenant = Event.identity(.tenantRegistered(tenant: TenantNumber(4), name: Self.acme))
    expect(
      when: Self.register(tenant: Self.acme), by: .anonymous,
      then: [tenant] + Self.registered(in: 4), texts: [.label(0), .none, .none, .none, .own])
    expect(
      given: Scenario.agents + [tenant], when: Self.register(tenant: Self.acme), by: .anonymous,
      then: Self.registered(in: 4), texts: [.none, .none, .none, .own])
  }

  @Test func `agents without a name never collide`() {
    let first = Scenario.agents + Scenario.agent(4, Scenario.usd)
    #expect(refusal(given: first, when: Self.register(name: 0), by: .anonymous) == nil)
  }

  private static let taken = Scenario.agents + Scenario.agent(4, Scenario.usd, name: name)

  /// Each row breaks one rule fewer than the row above, so the order is tested, not only the set.
  @Test(
    arguments: [
      (.agent(Scenario.ann), 99, name, .notPermitted),
      (.ledger, 99, name, .notPermitted),
      (.anonymous, 99, name, .assetNotFound),
      (.anonymous, 1, name, .agentNameTaken),
      (.anonymous, 1, 1, .credentialTaken),
    ] as [(Actor, UInt64, UInt128, Rejection)])
  func `refusals of registering have an order`(
    actor: Actor, asset: UInt64, name: UInt128, reason: Rejection
  ) {
    expect(
      given: Self.taken,
      when: Self.register(name: name, asset: AssetNumber(asset), Scenario.apiKey(1), 0),
      by: actor, refused: reason)
  }

  @Test(
    arguments: [
      (0, newSecret), (newKey, 0), (newKey, newKey), (Scenario.apiKey(1), newSecret),
      (newKey, Scenario.apiKey(1)), (newKey, Scenario.secretKey(2)),
    ] as [(UInt128, UInt128)])
  func `a key that is taken, missing or given twice is refused`(
    apiKey: UInt128, secretKey: UInt128
  ) {
    expect(
      when: Self.register(apiKey, secretKey), by: .anonymous, refused: .credentialTaken)
  }

  // MARK: - Operators

  @Test func `the administrator registers an operator by his key`() {
    expect(
      when: .identity(.registerOperator(key: Self.operatorKey)), by: .administrator,
      then: Array(Self.given.suffix(2)))
  }

  @Test(arguments: [
    Actor.ledger, .anonymous, .agent(Scenario.ann), .operator(OperatorNumber(1)),
  ])
  func `nobody else registers operators`(actor: Actor) {
    expect(
      given: Self.given, when: .identity(.registerOperator(key: Scenario.apiKey(1))), by: actor,
      refused: .notPermitted)
  }

  @Test(arguments: [UInt128(0), operatorKey, Scenario.apiKey(1)])
  func `an operator needs a key of his own`(key: UInt128) {
    expect(
      given: Self.given, when: .identity(.registerOperator(key: key)), by: .administrator,
      refused: .credentialTaken)
  }

  // MARK: - Issuing

  @Test(
    arguments: [
      (.agent(Scenario.ann), .apiKey), (.agent(Scenario.bob), .secretKey),
      (.operator(OperatorNumber(1)), .operatorKey),
    ] as [(Actor, Identity.CredentialKind)])
  func `everyone gets further credentials of his own kinds`(
    actor: Actor, kind: Identity.CredentialKind
  ) {
    expect(
      given: Self.given, when: .identity(.issue(key: Self.newKey, kind: kind)), by: actor,
      then: [
        .identity(
          .credentialIssued(
            credential: CredentialNumber(8), key: Self.newKey, kind: kind, holder: actor))
      ])
  }

  @Test(
    arguments: [
      (.agent(Scenario.ann), .operatorKey), (.operator(OperatorNumber(1)), .apiKey),
      (.operator(OperatorNumber(1)), .secretKey), (.anonymous, .apiKey),
      (.administrator, .operatorKey), (.ledger, .apiKey),
    ] as [(Actor, Identity.CredentialKind)])
  func `nobody gets credentials of another kind`(actor: Actor, kind: Identity.CredentialKind) {
    expect(
      given: Self.given, when: .identity(.issue(key: Self.newKey, kind: kind)), by: actor,
      refused: .notPermitted)
  }

  /// Each row breaks one rule fewer than the row above.
  @Test(
    arguments: [
      (.agent(AgentNumber(99)), .operatorKey, 0, .notPermitted),
      (.agent(AgentNumber(99)), .apiKey, 0, .agentNotFound),
      (.operator(OperatorNumber(99)), .operatorKey, 0, .operatorNotFound),
      (.operator(OperatorNumber(1)), .operatorKey, 0, .credentialTaken),
      (.agent(Scenario.ann), .apiKey, 0, .credentialTaken),
      (.agent(Scenario.ann), .apiKey, Scenario.apiKey(2), .credentialTaken),
      (.agent(Scenario.ann), .apiKey, newKey, nil),
    ] as [(Actor, Identity.CredentialKind, UInt128, Rejection?)])
  func `refusals of issuing have an order`(
    actor: Actor, kind: Identity.CredentialKind, key: UInt128, reason: Rejection?
  ) {
    let found = refusal(
      given: Self.given, when: .identity(.issue(key: key, kind: kind)), by: actor)
    #expect(found?.reason == reason)
  }

  // MARK: - Revoking

  @Test(
    arguments: [
      (.agent(Scenario.ann), 1), (.agent(Scenario.ann), 2), (.operator(OperatorNumber(1)), 7),
      (.administrator, 1), (.administrator, 7),
    ] as [(Actor, UInt64)])
  func `the holder or the administrator ends a credential`(actor: Actor, number: UInt64) {
    let credential = CredentialNumber(number)
    expect(
      given: Self.given, when: .identity(.revoke(credential)), by: actor,
      then: [.identity(.credentialRevoked(credential: credential))])
  }

  @Test(
    arguments: [
      (.agent(Scenario.bob), 1), (.operator(OperatorNumber(1)), 1), (.anonymous, 1),
      (.agent(Scenario.ann), 7), (.administrator, 0), (.administrator, 8),
    ] as [(Actor, UInt64)])
  func `another's credential is not there`(actor: Actor, number: UInt64) {
    expect(
      given: Self.given, when: .identity(.revoke(CredentialNumber(number))), by: actor,
      refused: .credentialNotFound)
  }

  @Test func `a revoked credential stands for nobody, and its key stays taken`() {
    let revoked = Event.identity(.credentialRevoked(credential: CredentialNumber(1)))
    let before = Scenario.ledger(after: Self.given)
    let holder = before.identity.holder(of: Scenario.apiKey(1))
    #expect(holder?.0 == CredentialNumber(1) && holder?.2 == .agent(Scenario.ann))
    let after = Scenario.ledger(after: Self.given + [revoked])
    #expect(after.identity.holder(of: Scenario.apiKey(1)) == nil)
    #expect(after.identity.holder(of: Scenario.secretKey(1))?.1 == .secretKey)
    expect(
      given: Self.given + [revoked], when: .identity(.revoke(CredentialNumber(1))),
      by: .agent(Scenario.ann), refused: .credentialNotFound)
    expect(
      given: Self.given + [revoked],
      when: .identity(.issue(key: Scenario.apiKey(1), kind: .apiKey)), by: .agent(Scenario.ann),
      refused: .credentialTaken)
  }
}
