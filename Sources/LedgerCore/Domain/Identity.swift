/// Identity: tenants, agents, operators, and the credentials by which they are known.
///
/// Life of a credential:
///
///     issued ──▶ revoked      dead at once, for ever
///
/// Invariant: a credential belongs to one agent or operator for ever; an agent belongs to one
/// tenant; an agent's name is unique within its tenant.
public enum Identity {
  /// What a credential is good for. One byte in the frame, never reused.
  public enum CredentialKind: UInt8, Hashable, Sendable, CaseIterable {
    /// `pk_…`: acts as the agent.
    case apiKey = 1
    /// `sk_…`: manages the agent's keys, and nothing else.
    case secretKey = 2
    /// Acts as an operator.
    case operatorKey = 3
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
    /// Gives the actor's agent, or for an operator himself, another credential.
    case issue(key: UInt128, kind: CredentialKind)
    /// Ends a credential of the actor's, or as administrator anyone's.
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
      return RefusalCount()
    }

    mutating func countRefusal(of actor: Actor, in minute: UInt32) {
      var counted = refusals(of: actor)
      if counted.minute != minute { counted = RefusalCount(minute: minute) }
      counted.count += 1
      if agents.contains(actor.agent) { agents[actor.agent].refusals = counted }
      if operators.contains(actor.operator) { operators[actor.operator].refusals = counted }
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
    case .issue(let key, let kind):
      let isOperator = actor.role == .operator && kind == .operatorKey
      let isAgent = actor.role == .agent && kind != .operatorKey
      guard isOperator || isAgent else { throw Refusal(.notPermitted) }
      guard isOperator || ledger.identity.agents.contains(actor.agent) else {
        throw Refusal(.agentNotFound)
      }
      guard isAgent || ledger.identity.operators.contains(actor.operator) else {
        throw Refusal(.operatorNotFound)
      }
      guard key != 0, !ledger.identity.isTaken(key) else { throw Refusal(.credentialTaken) }
      decision.emit(
        .identity(.credentialIssued(credential: next, key: key, kind: kind, holder: actor)))
    case .revoke(let credential):
      guard ledger.identity.credentials.contains(credential) else {
        throw Refusal(.credentialNotFound)
      }
      let row = ledger.identity.credentials[credential]
      guard row.isLive == 1, row.holder == actor.rawValue || actor.role == .administrator else {
        throw Refusal(.credentialNotFound)
      }
      decision.emit(.identity(.credentialRevoked(credential: credential)))
    }
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
    guard !ledger.identity.isTaken(name: name) else { throw Refusal(.agentNameTaken) }
    guard apiKey != 0, secretKey != 0, apiKey != secretKey,
      !ledger.identity.isTaken(apiKey), !ledger.identity.isTaken(secretKey)
    else { throw Refusal(.credentialTaken) }

    var tenant = ledger.identity.tenant(named: tenantName)
    if !tenant.isSome {
      tenant = ledger.identity.tenants.next
      let text: Decision.Text = tenantName == 0 ? .none : .label(0)
      decision.emit(.identity(.tenantRegistered(tenant: tenant, name: tenantName)), with: text)
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
          agent: agent, tenant: tenant, wallet: wallet, name: name, apiKey: first,
          secretKey: second)),
      with: .own)
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
