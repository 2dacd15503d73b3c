/// Identity: tenants, agents, operators, and the credentials by which they are known.
///
/// Life of a credential:
///
///     issued ──▶ revoked      dead at once, for ever
///
/// Invariant: a credential belongs to one agent, tenant or operator for ever; an agent belongs to
/// one tenant; an agent's name is unique within its tenant.
public enum Identity {
  /// What a credential is good for. One byte in the frame, never reused.
  public enum CredentialKind: UInt8, Hashable, Sendable, CaseIterable {
    /// `pk_…`: acts as the agent.
    case apiKey = 1
    /// `sk_…`: manages the agent's keys, and nothing else.
    case secretKey = 2
    /// Acts as an operator.
    case operatorKey = 3
    /// Manages a tenant.
    case tenantKey = 4
  }

  // MARK: - Commands

  /// What can be asked about who is who.
  public enum Command: Hashable, Sendable {
    /// Registers an agent with its default wallet and its two keys, all or none [AP-08, AP-09].
    ///
    /// Texts: first the agent's (name, …), second the tenant's name.
    /// - `tenant`: keyed hash of the tenant's name, or 0 for a tenant of its own.
    /// - `name`: keyed hash of the agent's name and its tenant, or 0 where names need not differ.
    /// - `asset`: of the default wallet.
    /// - `apiKey`, `secretKey`: keyed hashes of the new keys.
    case registerAgent(
      tenant: UInt128, name: UInt128, asset: AssetNumber, apiKey: UInt128, secretKey: UInt128)
    /// Registers an operator by the keyed hash of his key. Administrator only.
    case registerOperator(key: UInt128)
    /// Gives a tenant a key of its admin's. Staff only. From then on, only who shows such a key, or
    /// staff, registers agents of this tenant; whoever joined before stays.
    ///
    /// The second text is the tenant's name, where one is given.
    /// - `tenant`: the tenant, or none where `name` names it.
    /// - `name`: keyed hash of a tenant's name, which is registered if it is new; or 0.
    case registerTenantAdmin(tenant: TenantNumber, name: UInt128, key: UInt128)
    /// Gives the actor's agent or tenant, or for an operator himself, another credential.
    case issue(key: UInt128, kind: CredentialKind)
    /// Ends a credential of the actor's, as staff a tenant's, or as administrator anyone's.
    case revoke(CredentialNumber)
  }

  // MARK: - Events

  /// What happens to tenants, agents, operators and credentials.
  public enum Event: Hashable, Sendable {
    /// A tenant came to be. `name` is a keyed hash, 0 for an agent's own tenant.
    case tenantRegistered(tenant: TenantNumber, name: UInt128)
    /// An agent is registered: the last event of its command, so that a retry learns all numbers.
    /// `apiKey` and `secretKey` number the credentials that were issued with it.
    case agentRegistered(
      agent: AgentNumber, tenant: TenantNumber, wallet: WalletNumber, name: UInt128,
      apiKey: CredentialNumber, secretKey: CredentialNumber)
    /// An operator is registered.
    case operatorRegistered(operator: OperatorNumber, credential: CredentialNumber)
    /// A credential was issued. `key` is a keyed hash of it, `holder` whom it stands for.
    case credentialIssued(
      credential: CredentialNumber, key: UInt128, kind: CredentialKind, holder: Actor)
    /// A credential is dead.
    case credentialRevoked(credential: CredentialNumber)
  }

  // MARK: - State

  /// Who there is, and which keys live.
  struct State: ~Copyable {
    struct Tenant: BitwiseCopyable {
      var name: UInt128
      var refusals = RefusalCount()
      /// 1 once it has had a key of its own.
      var isTaken: UInt64 = 0
    }
    struct Agent: BitwiseCopyable {
      var name: UInt128
      var tenant: TenantNumber
      var wallet: WalletNumber
      var registered: EventNumber
      var refusals = RefusalCount()
    }
    struct Operator: BitwiseCopyable {
      var registered: EventNumber
      var refusals = RefusalCount()
    }
    /// How many refusals of one principal were recorded in the latest minute that has any.
    struct RefusalCount: BitwiseCopyable {
      var minute: UInt32 = 0
      var count: UInt32 = 0
    }
    struct Credential: BitwiseCopyable {
      var key: UInt128
      var holder: UInt64
      var kind: UInt32
      var isLive: UInt32
    }

    fileprivate(set) var tenants: Table<Kinds.Tenant, Tenant>
    var agents: Table<Kinds.Agent, Agent>
    var operators: Table<Kinds.Operator, Operator>
    fileprivate(set) var credentials: Table<Kinds.Credential, Credential>
    fileprivate var tenantByName: Index
    fileprivate var agentByName: Index
    fileprivate var credentialByKey: Index

    init(undo: Undo) {
      tenants = Table(undo: undo)
      agents = Table(undo: undo)
      operators = Table(undo: undo)
      credentials = Table(undo: undo)
      tenantByName = Index(undo: undo)
      agentByName = Index(undo: undo)
      credentialByKey = Index(undo: undo)
    }

    func contains(_ agent: AgentNumber) -> Bool { agents.contains(agent) }

    /// The tenant of this name, or none.
    func tenant(named name: UInt128) -> TenantNumber {
      name == 0 ? .none : TenantNumber(tenantByName.find(name))
    }

    /// Whom a live credential stands for, and since when it does.
    func holder(of key: UInt128) -> (CredentialNumber, CredentialKind, Actor)? {
      let number = CredentialNumber(credentialByKey.find(key))
      guard number.isSome, credentials[number].isLive == 1 else { return nil }
      let row = credentials[number]
      guard let kind = CredentialKind(rawValue: UInt8(truncatingIfNeeded: row.kind)),
        let holder = Actor(rawValue: row.holder)
      else { preconditionFailure("a credential of an unknown kind") }
      return (number, kind, holder)
    }

    /// Whether a key was ever issued, alive or not.
    func isTaken(_ key: UInt128) -> Bool { credentialByKey.find(key) != 0 }
    func isTaken(name: UInt128) -> Bool { name != 0 && agentByName.find(name) != 0 }

    /// The refusals of an agent or operator; none for whoever has no row.
    func refusals(of actor: Actor) -> RefusalCount {
      if agents.contains(actor.agent) { return agents[actor.agent].refusals }
      if operators.contains(actor.operator) { return operators[actor.operator].refusals }
      if tenants.contains(actor.tenant) { return tenants[actor.tenant].refusals }
      return RefusalCount()
    }

    mutating func countRefusal(of actor: Actor, in minute: UInt32) {
      var counted = refusals(of: actor)
      if counted.minute != minute { counted = RefusalCount(minute: minute) }
      counted.count += 1
      if agents.contains(actor.agent) { agents[actor.agent].refusals = counted }
      if operators.contains(actor.operator) { operators[actor.operator].refusals = counted }
      if tenants.contains(actor.tenant) { tenants[actor.tenant].refusals = counted }
    }

    mutating func reserve(_ events: Int) {
      tenants.reserve(events)
      agents.reserve(events)
      operators.reserve(events)
      credentials.reserve(events)
      tenantByName.reserve(events)
      agentByName.reserve(events)
      credentialByKey.reserve(events)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try tenants.withBytes(body)
      try agents.withBytes(body)
      try operators.withBytes(body)
      try credentials.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try tenants.load(from: &source)
      try agents.load(from: &source)
      try operators.load(from: &source)
      try credentials.load(from: &source)
    }

    /// Makes the indexes of tables that were loaded.
    mutating func rebuildIndexes() {
      tenantByName.reserve(tenants.count)
      for raw in 1..<tenants.next.rawValue {
        let name = tenants[TenantNumber(raw)].name
        if name != 0 { tenantByName.insert(name, raw) }
      }
      agentByName.reserve(agents.count)
      for raw in 1..<agents.next.rawValue {
        let name = agents[AgentNumber(raw)].name
        if name != 0 { agentByName.insert(name, raw) }
      }
      credentialByKey.reserve(credentials.count)
      for raw in 1..<credentials.next.rawValue {
        credentialByKey.insert(credentials[CredentialNumber(raw)].key, raw)
      }
    }
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, by actor: Actor, _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    let next = ledger.identity.credentials.next
    switch command {
    case .registerAgent:
      try registerAgent(command, by: actor, ledger, into: &decision)
    case .registerOperator(let key):
      guard actor.role == .administrator else { throw Refusal(.notPermitted) }
      guard key != 0, !ledger.identity.isTaken(key) else { throw Refusal(.credentialTaken) }
      let number = ledger.identity.operators.next
      decision.emit(
        .identity(
          .credentialIssued(
            credential: next, key: key, kind: .operatorKey, holder: .operator(number))))
      decision.emit(.identity(.operatorRegistered(operator: number, credential: next)))
    case .registerTenantAdmin(let tenant, let name, let key):
      try registerTenantAdmin(of: tenant, name, key, by: actor, ledger, into: &decision)
    case .issue(let key, let kind):
      try check(actor, mayIssue: kind, ledger)
      guard key != 0, !ledger.identity.isTaken(key) else { throw Refusal(.credentialTaken) }
      decision.emit(
        .identity(.credentialIssued(credential: next, key: key, kind: kind, holder: actor)))
    case .revoke(let credential):
      guard ledger.identity.credentials.contains(credential) else {
        throw Refusal(.credentialNotFound)
      }
      let row = ledger.identity.credentials[credential]
      let isTenants = row.kind == UInt32(CredentialKind.tenantKey.rawValue)
      guard row.isLive == 1,
        row.holder == actor.rawValue || actor.role == .administrator
          || actor.isStaff && isTenants
      else {
        throw Refusal(.credentialNotFound)
      }
      decision.emit(.identity(.credentialRevoked(credential: credential)))
    }
  }

  private static func check(
    _ actor: Actor, mayIssue kind: CredentialKind, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    switch (actor.role, kind) {
    case (.agent, .apiKey), (.agent, .secretKey):
      guard ledger.identity.agents.contains(actor.agent) else { throw Refusal(.agentNotFound) }
    case (.operator, .operatorKey):
      guard ledger.identity.operators.contains(actor.operator) else {
        throw Refusal(.operatorNotFound)
      }
    case (.tenantAdmin, .tenantKey):
      guard ledger.identity.tenants.contains(actor.tenant) else {
        throw Refusal(.tenantNotFound)
      }
    case (.ledger, _), (.anonymous, _), (.agent, _), (.operator, _), (.administrator, _),
      (.tenantAdmin, _):
      throw Refusal(.notPermitted)
    }
  }

  private static func registerTenantAdmin(
    of number: TenantNumber, _ name: UInt128, _ key: UInt128, by actor: Actor,
    _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    guard actor.isStaff else { throw Refusal(.notPermitted) }
    guard key != 0, !ledger.identity.isTaken(key) else { throw Refusal(.credentialTaken) }
    var tenant = name == 0 ? number : ledger.identity.tenant(named: name)
    if name != 0, !tenant.isSome {
      tenant = ledger.identity.tenants.next
      decision.emit(
        .identity(.tenantRegistered(tenant: tenant, name: name)), with: .label(0))
    } else if !ledger.identity.tenants.contains(tenant) {
      throw Refusal(.tenantNotFound)
    }
    decision.emit(
      .identity(
        .credentialIssued(
          credential: ledger.identity.credentials.next, key: key, kind: .tenantKey,
          holder: .tenantAdmin(tenant))))
  }

  private static func registerAgent(
    _ command: Command, by actor: Actor, _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    guard
      case .registerAgent(let tenantName, let name, let asset, let apiKey, let secretKey) =
        command
    else { preconditionFailure("only called for registerAgent") }
    guard actor.role != .agent, actor.role != .ledger else { throw Refusal(.notPermitted) }
    guard ledger.wallets.contains(asset) else { throw Refusal(.assetNotFound) }
    let (known, isStranger) = try tenant(named: tenantName, for: actor, ledger)
    guard isStranger || !ledger.identity.isTaken(name: name) else {
      throw Refusal(.agentNameTaken)
    }
    guard apiKey != 0, secretKey != 0, apiKey != secretKey,
      !ledger.identity.isTaken(apiKey), !ledger.identity.isTaken(secretKey)
    else { throw Refusal(.credentialTaken) }

    let tenant = known.isSome ? known : ledger.identity.tenants.next
    if !known.isSome {
      let isNamed = tenantName != 0 && !isStranger
      decision.emit(
        .identity(.tenantRegistered(tenant: tenant, name: isNamed ? tenantName : 0)),
        with: isNamed ? .label(0) : .none)
    }
    let agent = ledger.identity.agents.next
    let wallet = ledger.wallets.next
    let first = ledger.identity.credentials.next
    let second = CredentialNumber(first.rawValue + 1)
    decision.emit(.wallet(.opened(wallet: wallet, agent: agent, asset: asset)))
    decision.emit(
      .identity(
        .credentialIssued(credential: first, key: apiKey, kind: .apiKey, holder: .agent(agent))))
    decision.emit(
      .identity(
        .credentialIssued(
          credential: second, key: secretKey, kind: .secretKey, holder: .agent(agent))))
    decision.emit(
      .identity(
        .agentRegistered(
          agent: agent, tenant: tenant, wallet: wallet, name: isStranger ? 0 : name,
          apiKey: first, secretKey: second)),
      with: .own)
  }

  /// The tenant that an agent is registered with, or none where it is new. A tenant that has an
  /// admin takes only what he or staff registers: the agent of a stranger, who named it, is a
  /// tenant of its own, and its name takes no place [AP-08].
  private static func tenant(
    named name: UInt128, for actor: Actor, _ ledger: borrowing Ledger
  ) throws(Refusal) -> (TenantNumber, isStranger: Bool) {
    let known = ledger.identity.tenant(named: name)
    if actor.role == .tenantAdmin {
      guard ledger.identity.tenants.contains(actor.tenant), name == 0 || known == actor.tenant
      else { throw Refusal(.notPermitted) }
      return (actor.tenant, false)
    }
    guard known.isSome, ledger.identity.tenants[known].isTaken == 1, !actor.isStaff else {
      return (known, false)
    }
    return (.none, true)
  }

  // MARK: - Evolve

  static func evolve(_ state: inout State, _ event: Event, _ header: Header) {
    switch event {
    case .tenantRegistered(let tenant, let name):
      precondition(state.tenants.next == tenant)
      state.tenants.append(State.Tenant(name: name))
      if name != 0 { state.tenantByName.insert(name, tenant.rawValue) }
    case .agentRegistered(let agent, let tenant, let wallet, let name, _, _):
      precondition(state.agents.next == agent && state.tenants.contains(tenant))
      state.agents.append(
        State.Agent(name: name, tenant: tenant, wallet: wallet, registered: header.number))
      if name != 0 { state.agentByName.insert(name, agent.rawValue) }
    case .operatorRegistered(let number, _):
      precondition(state.operators.next == number)
      state.operators.append(State.Operator(registered: header.number))
    case .credentialIssued(let credential, let key, let kind, let holder):
      precondition(state.credentials.next == credential)
      state.credentials.append(
        State.Credential(
          key: key, holder: holder.rawValue, kind: UInt32(kind.rawValue), isLive: 1))
      state.credentialByKey.insert(key, credential.rawValue)
      if holder.tenant.isSome { state.tenants[holder.tenant].isTaken = 1 }
    case .credentialRevoked(let credential):
      precondition(state.credentials[credential].isLive == 1)
      state.credentials[credential].isLive = 0
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .tenantRegistered, .agentRegistered, .operatorRegistered, .credentialIssued,
      .credentialRevoked:
      break
    }
  }
}
