import LedgerCore
import Projections

/// Policies: what may be spent, set by whoever manages the tenant, seen by whom they bear on
/// [AP-30 to AP-32].
enum PolicyRoutes {
  static let walletId = Field.id("wallet_id", .wallet, "Of one wallet.")
  static let agentId = Field.id("agent_id", .agent, "Of all wallets of an agent, together.")
  static let tenantId = Field.id("tenant_id", .tenant, "Of all agents of a tenant, together.")
  static let scope = Field.choice(
    "scope", ["ledger"], "Of everybody, together; by operators, and without labels.")
  static let startsAt = Field.time(
    "starts_at", "From when on it is in force, later than now; at once where it is not said.")
  static let bearsOn = Field.id(
    "wallet_id", .wallet,
    "Everything that bears on this wallet, closest first; the agent's own wallet where nothing is "
      + "said.")
  static let policyId: Field<String> = Field.id("policy_id", .policy, "The policy.").required()

  static let all = [list, set, find]

  static let set = Route(
    method: .post, path: "/v1/policies", name: "setPolicy",
    summary: "Says what a wallet, an agent, a tenant or everybody may spend, in place of what was "
      + "said before; nothing is restricted where no rule is sent.",
    who: .holders([.tenantKey, .operatorKey]),
    body: [walletId, agentId, tenantId, scope] + PolicyRules.fields + [startsAt, Route.key],
    keys: .idempotencyKey, status: 201, answer: PolicyView.properties,
    errors: [
      .walletNotFound, .agentNotFound, .tenantNotFound, .policyInvalid, .policyInPast,
      .invalidAmount, .invalidCurrency,
    ],
    handle: { call throws(Problem) in try await set(call) })

  static let list = Route(
    method: .get, path: "/v1/policies", name: "policies",
    summary: "Lists policies in force and to come, with what was used of their limits.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), query: [bearsOn, agentId, tenantId, scope],
    answer: [
      Property("policies", .list(PolicyView.properties + [PolicyView.line]), "All of them.")
    ],
    errors: [.walletNotFound, .agentNotFound, .tenantNotFound],
    handle: { call throws(Problem) in try await list(call) })

  static let find = Route(
    method: .get, path: "/v1/policies/{policy_id}", name: "policy",
    summary: "Shows a policy as it was set, in force or not, to whom it bears on.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), parameters: [policyId],
    answer: PolicyView.properties, errors: [.policyNotFound],
    handle: { call throws(Problem) in try await find(call) })

  // MARK: - Handlers

  private static func set(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    guard let (scope, tenant) = try await subject(call, walletId) else {
      throw Problem(.missingField, field: walletId.property.name, oneOfFour)
    }
    let all = try await backend.assets.all()
    let asked = try PolicyRules.read(call, of: tenant, in: all)
    let assets = try await backend.named(by: asked.rules)
    let request = try backend.request(
      .policy(.set(scope, begins: call[startsAt] ?? .none)), by: call.holder.actor, key: call.key,
      text: asked.texts, body: Policies.Rule.body(asked.rules))
    let (event, isReplay): (Recorded, Bool)
    do throws(Problem) {
      (event, isReplay) = try await backend.submit(request)
    } catch {
      throw placed(error, asked, scope)
    }
    guard case .policy(.set(let setting)) = event.event else {
      preconditionFailure("setting a policy ends in another event")
    }
    let view = PolicyView(
      made: event.number, scope: scope, version: setting.version, begins: setting.begins,
      created: event.header.time, rules: asked.rules, texts: asked.texts, assets: assets)
    return Answer(view.json(backend.ids), isReplay: isReplay)
  }

  /// A refusal, said of the field that it is about.
  private static func placed(
    _ problem: Problem, _ asked: PolicyRules.Asked, _ scope: Policies.Scope
  ) -> Problem {
    var problem = problem
    if problem.rejection == .policyInvalid, let rule = problem.binding?.rule, rule > 0 {
      let path = asked.paths[Int(rule) - 1]
      problem.field = path
      problem.detail =
        "In \"\(path)\", mend the rule; it is out of bounds, or says again what another rule says."
    }
    if problem.rejection == .tenantNotFound { problem.field = tenantId.property.name }
    return problem
  }

  private static func list(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let scope = try await subject(call, bearsOn)?.scope ?? own(call)
    let policies = try await backend.read { () throws(LedgerFailure) in
      if case .wallet(let number) = scope {
        return try await backend.engine.policies(bearingOn: number)
      }
      return try await backend.engine.policies(of: [scope])
    }
    var rows: [JSONValue] = []
    for policy in policies {
      rows.append(try await backend.view(of: policy, seenBy: call.holder).json(backend.ids))
    }
    var members = Members()
    members.value("policies", .array(rows))
    return Answer(members.json)
  }

  private static func find(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let notFound = Problem(
      .policyNotFound, field: policyId.property.name,
      "Check the policy's id; there is none of this id that is yours.")
    guard let number = backend.ids.number(.policy, call[policyId]).map({ EventNumber($0) })
    else { throw notFound }
    let (event, body, texts) = try await backend.read { () throws(LedgerFailure) in
      let engine = backend.engine
      return (try engine.event(number), try engine.body(of: number), try engine.text(of: number))
    }
    guard let event, case .policy(.set(let setting)) = event.event,
      try await call.holder.maySee(setting.scope, backend)
    else { throw notFound }
    let current = try await backend.read { () throws(LedgerFailure) in
      try await backend.engine.policies(of: [setting.scope])
    }
    let rules = Policies.Rule.all(body.span)
    var view = PolicyView(
      made: number, scope: setting.scope, version: setting.version, begins: setting.begins,
      created: event.header.time, rules: rules, texts: texts ?? [],
      assets: try await backend.named(by: rules))
    view.isInForce = current.contains { $0.made == number && $0.isInForce }
    return Answer(view.json(backend.ids))
  }

  // MARK: - Subject

  private static let oneOfFour =
    "Send one of \"wallet_id\", \"agent_id\", \"tenant_id\" and \"scope\", and no other of them."

  /// Whose policy a call names, if whoever asks may see it, and whose labels count there; nil where
  /// it names none.
  private static func subject(
    _ call: Call, _ walletId: Field<String?>
  ) async throws(Problem) -> (scope: Policies.Scope, tenant: TenantNumber)? {
    let (backend, holder) = (call.backend, call.holder)
    let name = walletId.property.name
    switch (call[walletId], call[agentId], call[tenantId], call[scope]) {
    case (nil, nil, nil, nil): return nil
    case (let text?, nil, nil, nil):
      let wallet = try await backend.wallet(text, seenBy: holder, field: name)
      return (.wallet(wallet.number), wallet.tenant)
    case (nil, let text?, nil, nil):
      let agent = try await backend.agent(text, seenBy: holder, field: agentId.property.name)
      return (.agent(agent.number), agent.tenant)
    case (nil, nil, let text?, nil):
      let number = TenantNumber(backend.ids.number(.tenant, text) ?? 0)
      guard holder.actor.isStaff || number.isSome && number == holder.tenant else {
        var problem = Problem(Refusal(.tenantNotFound), event: .none, isReplay: false, in: nil)
        problem.field = tenantId.property.name
        throw problem
      }
      return (.tenant(number), number)
    case (nil, nil, nil, .some): return (.ledger, .none)
    case (.some, _, _, _), (nil, .some, _, _), (nil, nil, .some, .some):
      throw Problem(.invalidField, field: name, oneOfFour)
    }
  }

  /// What whoever names nothing asks for: an agent for his own wallet, the admin of a tenant for
  /// it, an operator for everybody.
  private static func own(_ call: Call) -> Policies.Scope {
    let holder = call.holder
    if holder.wallet.isSome { return .wallet(holder.wallet) }
    return holder.tenant.isSome ? .tenant(holder.tenant) : .ledger
  }
}

extension Principal {
  /// Whether a policy of this scope bears on him, or he manages whom it bears on.
  fileprivate func maySee(
    _ scope: Policies.Scope, _ backend: Backend
  ) async throws(Problem) -> Bool {
    switch scope {
    case .ledger: return true
    case .tenant(let number): return actor.isStaff || number == tenant
    case .agent(let number):
      if actor.agent == number { return true }
      let agent = try await backend.read { () throws(LedgerFailure) in
        try await backend.engine.agent(number)
      }
      return agent.map { actor.manages($0.tenant) } ?? false
    case .wallet(let number):
      return try await backend.facts(of: number).map { maySee($0) } ?? false
    }
  }
}
