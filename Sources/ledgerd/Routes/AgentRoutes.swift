import Foundation
import LedgerCore

/// Agents: registered by anyone, each with a default wallet and two keys [AP-08, AP-09].
enum AgentRoutes {
  static let name: Field<String> = Field.text(
    "name", bytes: 1...255, "The agent's name, unique among the agents of its operator."
  ).required()
  static let tenant = Field.text(
    "operator", bytes: 1...255, "Whose agent it is. Without one, it is its own operator.")
  static let metadata = Field.object(
    "metadata", byteCountMax: 16_384, "Anything to keep with the agent, as JSON.")
  static let currency = Field.currency(
    "currency", "What the agent's wallet holds; USD where it is not said.")

  static let agentId: Field<String> = Field.id("agent_id", .agent, "The agent.").required()

  static let all = [register, find]

  static let find = Route(
    method: .get, path: "/v1/agents/{agent_id}", name: "agent",
    summary: "Says who an agent is, to itself, to its tenant's admins and to operators.",
    who: .holders([.apiKey, .secretKey, .tenantKey, .operatorKey]), parameters: [agentId],
    answer: [
      Property("id", .id(.agent), "The agent."),
      Property("name", .text(bytes: 1...255), "Its name."),
      Property("operator", .text(bytes: 1...255), isRequired: false, "Whose agent it is."),
      Property("tenant_id", .id(.tenant), "The same, as pauses name it."),
      Property("wallet_id", .id(.wallet), "Its first wallet."),
      Property("metadata", .object(byteCountMax: 16_384), isRequired: false, "As it was sent."),
      Property("created_at", .time, "When the agent was registered."),
    ], errors: [.agentNotFound],
    handle: { call throws(Problem) in try await find(call) })

  static let register = Route(
    method: .post, path: "/v1/agents", name: "registerAgent",
    summary: "Registers an agent with a wallet and two keys, which are shown once.",
    who: .everyoneOr([.tenantKey, .operatorKey]),
    body: [name, tenant, metadata, currency, Route.key],
    keys: .idempotencyKeyOrRequestId, perMinute: 30, status: 201,
    answer: [
      Property("id", .id(.agent), "The agent."),
      Property("name", .text(bytes: 1...255), "Its name."),
      Property("operator", .text(bytes: 1...255), isRequired: false, "Whose agent it is."),
      Property("wallet_id", .id(.wallet), "Its wallet, empty."),
      Property("currency", .currency, "What the wallet holds."),
      Property("api_key", .label, "Acts as the agent: send it as a bearer token. Shown once."),
      Property("secret_key", .label, "Manages the agent's keys, and nothing else. Shown once."),
      Property(
        "next_action", .choice([NextAction.rotate.rawValue]), isRequired: false,
        "Said where the keys were shown before and are lost."),
      Property("metadata", .object(byteCountMax: 16_384), isRequired: false, "As it was sent."),
      Property("created_at", .time, "When the agent was registered."),
    ],
    errors: [.agentNameTaken, .credentialTaken, .invalidCurrency, .notPermitted],
    handle: { call throws(Problem) in try await register(call) })

  /// In place of a secret that is not shown a second time.
  static let alreadyShown = "already_shown"

  private static func find(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let agent = try await backend.agent(
      call[agentId], seenBy: call.holder, field: agentId.property.name)
    let event = try await backend.read { () throws(LedgerFailure) in
      try backend.engine.event(agent.registered)
    }
    guard let event else { preconditionFailure("an agent was registered by an event") }
    let text = try await backend.read { () throws(LedgerFailure) in
      try backend.engine.text(of: agent.registered) ?? []
    }
    var members = Members()
    members.id("id", .agent, agent.number.rawValue, backend.ids)
    members.string("name", text.first ?? "")
    members.string("operator", text.count > 1 && isOfNamed(event.event) ? text[1] : nil)
    members.id("tenant_id", .tenant, agent.tenant.rawValue, backend.ids)
    members.id("wallet_id", .wallet, agent.wallet.rawValue, backend.ids)
    if text.count > 2, let metadata = try? JSONValue.parse(Array(text[2].utf8)) {
      members.value("metadata", metadata)
    }
    members.time("created_at", event.header.time)
    return Answer(members.json)
  }

  /// Whether an agent belongs to the tenant that it named: not where a stranger named one that has
  /// an admin, who is a tenant of his own then.
  private static func isOfNamed(_ event: Event) -> Bool {
    guard case .identity(.agentRegistered(_, _, _, let name, _, _)) = event else { return false }
    return name != 0
  }

  private static func register(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let preparation = backend.engine.preparation
    let asset = try await backend.assets.asset(
      coded: call[currency] ?? "USD", field: currency.property.name)
    let name = call[name].precomposedStringWithCanonicalMapping
    // Where strangers meet, a name alone makes nobody a member of a tenant.
    let mayJoin = backend.settings.hosting == .local || call.principal != nil
    let tenant = mayJoin ? call[tenant]?.precomposedStringWithCanonicalMapping : nil
    let apiKey = Credential(.apiKey, livemode: backend.isLive)
    let secretKey = Credential(.secretKey, livemode: backend.isLive)
    let metadata = call[metadata].map { String(decoding: $0.bytes, as: UTF8.self) }

    let request = try backend.request(
      .identity(
        .registerAgent(
          tenant: tenant.map { preparation.hash(tenant: $0) } ?? 0,
          name: scope(of: tenant, call).map { preparation.hash(agent: name, tenant: $0) } ?? 0,
          asset: asset.number, apiKey: preparation.hash(credential: apiKey.text),
          secretKey: preparation.hash(credential: secretKey.text))),
      by: call.principal?.actor ?? .anonymous, key: call.key,
      text: [name, tenant ?? "", metadata ?? ""], registering: tenant.map { [$0] } ?? [])
    let (event, isReplay) = try await backend.submit(request)
    guard case .identity(.agentRegistered(let agent, _, let wallet, _, _, _)) = event.event else {
      preconditionFailure("registering an agent ends in another event")
    }

    var members = Members()
    members.string("id", backend.ids.text(.agent, agent.rawValue))
    members.string("name", name)
    members.string("operator", isOfNamed(event.event) ? tenant : nil)
    members.string("wallet_id", backend.ids.text(.wallet, wallet.rawValue))
    members.string("currency", asset.code.description)
    members.string("api_key", isReplay ? alreadyShown : apiKey.text)
    members.string("secret_key", isReplay ? alreadyShown : secretKey.text)
    members.string("next_action", isReplay ? NextAction.rotate.rawValue : nil)
    members.value("metadata", call[Self.metadata])
    members.time("created_at", event.header.time)
    return Answer(members.json, isReplay: isReplay)
  }

  /// What an agent's name is unique in: the tenant's name or, where an admin registers it and says
  /// none, the text of his tenant's id. Nothing where it is a tenant of its own.
  private static func scope(of tenant: String?, _ call: Call) -> String? {
    if let tenant { return tenant }
    guard let admin = call.principal?.actor.tenant, admin.isSome else { return nil }
    return call.backend.ids.text(.tenant, admin.rawValue)
  }
}

extension Backend {
  /// The agent whose text id stands in `field`, if whoever asks is he, or manages his tenant.
  func agent(
    _ text: String, seenBy principal: Principal, field: String
  ) async throws(Problem) -> Agent {
    let number = ids.number(.agent, text).map { AgentNumber($0) } ?? .none
    let found = try await read { () throws(LedgerFailure) in try await engine.agent(number) }
    let actor = principal.actor
    guard let found, actor.agent == number || actor.manages(found.tenant) else {
      var problem = Problem(Refusal(.agentNotFound), event: .none, isReplay: false, in: nil)
      problem.field = field
      throw problem
    }
    return found
  }
}
