import LedgerCore

/// Receivables: what agents owe because disputed payments were no longer there, how much of it the
/// platform advances, and what it gives up (`accounting.md` 4).
enum ReceivableRoutes {
  static let agentId = Field.id(
    "agent_id", .agent, "Whose debts; the agent's own where it is not said.")
  static let debtor: Field<String> = Field.id("agent_id", .agent, "Who owes it.").required()
  static let tenantId = Field.id(
    "tenant_id", .tenant, "Of this tenant's debtors; of all together where it is not said.")
  static let currency: Field<String> = Field.currency("currency", "Of the amount.").required()
  static let amount: Field<String> = Field.amountOrZero(
    "amount", "How much may be advanced and not be paid back yet; zero for nothing."
  ).required()
  static let reason: Field<String> = Field.text(
    "reason", bytes: 1...1_000, lines: true, "Why, for people."
  ).required()

  static let all = [list, setCap, writeOff]

  private static let debt =
    [
      Property("dispute_id", .id(.dispute), "The dispute that it is owed for."),
      Property("agent_id", .id(.agent), "Who owes it."),
      Property("currency", .currency, "Of both amounts."),
      Property("settled", .flag, "Whether the dispute was decided."),
      Property(
        "write_off_asked", .flag, "Whether an operator asked for it to be written off."),
    ] + Property.amount("receivable", "What the platform advanced, and is owed.")
    + Property.amount("uncovered", "What it did not advance, and moves on as it comes in.")

  private static let exposure =
    [
      Property(
        "tenant_id", .id(.tenant), isRequired: false, "Whose debtors; absent for the total."),
      Property("currency", .currency, "Of both amounts."),
    ] + Property.amount("outstanding", "What was advanced, and is owed now.")
    + Property.amount("cap", isRequired: false, "How much may be, where that was said.")

  static let list = Route(
    method: .get, path: "/v1/receivables", name: "receivables",
    summary: "Lists what an agent owes, oldest first in each currency; to an operator who names no "
      + "agent, how much was advanced, and the caps.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), query: [agentId],
    answer: [
      Property(
        "debts", .list(debt), isRequired: false, "Of the agent; empty where he owes nothing."),
      Property(
        "exposures", .list(exposure), isRequired: false, "Where no agent is named, to operators."),
    ], errors: [.agentNotFound],
    handle: { call throws(Problem) in try await list(call) })

  static let setCap = Route(
    method: .post, path: "/v1/receivables/caps", name: "setReceivableCap",
    summary: "Says how much may be advanced for a tenant's debtors, or for all together. What was "
      + "advanced before stays.",
    who: .holders([.operatorKey]), body: [tenantId, currency, amount, Route.key],
    keys: .idempotencyKey, status: 201,
    answer: [
      Property("tenant_id", .id(.tenant), isRequired: false, "The tenant, where one was named."),
      Property("currency", .currency, "Of the amount."),
      Property("created_at", .time, "From when on it counts."),
    ] + Property.amount("amount", "The cap."),
    errors: [.tenantNotFound, .invalidAmount, .invalidCurrency],
    handle: { call throws(Problem) in try await setCap(call) })

  static let writeOff = Route(
    method: .post, path: "/v1/receivables/write-off", name: "writeOff",
    summary: "Gives up what an agent owes the platform for a dispute that was decided, once a "
      + "second operator asks for the same.",
    who: .holders([.operatorKey]), body: [DisputeRoutes.disputeId, debtor, reason, Route.key],
    keys: .idempotencyKey,
    answer: [
      Property("dispute_id", .id(.dispute), "The dispute that it is or was owed for."),
      Property("agent_id", .id(.agent), "Who owes or owed it."),
      Property(
        "status", .choice(["asked", "written_off"]),
        "Whether a second operator must ask, or did."),
      Property("currency", .currency, "Of the amount."),
      Property("created_at", .time, "When it was recorded."),
    ] + Property.amount("amount", "What is given up."),
    errors: [.disputeNotFound, .debtNotFound, .debtUnsettled, .sameOperator],
    handle: { call throws(Problem) in try await writeOff(call) })

  // MARK: - Handlers

  private static func list(_ call: Call) async throws(Problem) -> Answer {
    let (backend, holder) = (call.backend, call.holder)
    var members = Members()
    if call[agentId] == nil, holder.actor.isStaff {
      let exposures = try await backend.read { () throws(LedgerFailure) in
        try await backend.engine.exposures()
      }
      members.value("exposures", .array(exposures.map { view($0, backend.ids) }))
      return Answer(members.json)
    }
    let agent: AgentNumber
    if let text = call[agentId] {
      agent = try await backend.agent(text, seenBy: holder, field: agentId.property.name).number
    } else if holder.actor.agent.isSome {
      agent = holder.actor.agent
    } else {
      throw Problem(
        .missingField, field: agentId.property.name,
        "In \"agent_id\", say whose; the key that is shown has no debts.")
    }
    let debts = try await backend.read { () throws(LedgerFailure) in
      try await backend.engine.debts(of: agent)
    }
    members.value("debts", .array(debts.map { view($0, backend.ids) }))
    return Answer(members.json)
  }

  private static func view(_ debt: Debt, _ ids: TextIds) -> JSONValue {
    var members = Members()
    members.id("dispute_id", .dispute, debt.dispute.rawValue, ids)
    members.id("agent_id", .agent, debt.agent.rawValue, ids)
    members.amount("receivable", debt.receivable, of: debt.asset)
    members.amount("uncovered", debt.uncovered, of: debt.asset)
    members.string("currency", debt.asset.code.description)
    members.bool("settled", debt.isSettled)
    members.bool("write_off_asked", debt.isWriteOffAsked)
    return members.json
  }

  private static func view(_ exposure: Exposure, _ ids: TextIds) -> JSONValue {
    var members = Members()
    if exposure.tenant.isSome { members.id("tenant_id", .tenant, exposure.tenant.rawValue, ids) }
    members.amount("outstanding", exposure.outstanding, of: exposure.asset)
    if let cap = exposure.cap { members.amount("cap", cap, of: exposure.asset) }
    members.string("currency", exposure.asset.code.description)
    return members.json
  }

  private static func setCap(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let asset = try await backend.assets.asset(
      coded: call[currency], field: currency.property.name)
    let cap = try Amount(call[amount], of: asset, field: amount.property.name)
    // None is the total; a text that is no tenant's stands for one that cannot be there.
    let tenant = call[tenantId].map { TenantNumber(backend.ids.number(.tenant, $0) ?? .max) }
    let request = try backend.request(
      .receivable(.setCap(tenant ?? .none, asset.number, cap)), by: call.holder.actor,
      key: call.key)
    let (event, isReplay) = try await backend.submit(request, asset: asset)
    var members = Members()
    if let tenant { members.id("tenant_id", .tenant, tenant.rawValue, backend.ids) }
    members.amount("amount", cap, of: asset)
    members.string("currency", asset.code.description)
    members.time("created_at", event.header.time)
    return Answer(members.json, isReplay: isReplay)
  }

  private static func writeOff(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    // Texts that are none stand for what is not there, of which the engine says so.
    let dispute = EventNumber(backend.ids.number(.dispute, call[DisputeRoutes.disputeId]) ?? 0)
    let agent = AgentNumber(backend.ids.number(.agent, call[debtor]) ?? 0)
    let event = try await backend.read { () throws(LedgerFailure) in
      try backend.engine.event(dispute)
    }
    guard let event, case .dispute(.opened(let opening)) = event.event else {
      var problem = Problem(Refusal(.disputeNotFound), event: .none, isReplay: false, in: nil)
      problem.field = DisputeRoutes.disputeId.property.name
      throw problem
    }
    let asset = try await backend.assets.asset(opening.asset)
    let request = try backend.request(
      .receivable(.writeOff(dispute, of: agent)), by: call.holder.actor, key: call.key,
      text: [call[reason]])
    let (done, isReplay) = try await backend.submit(request, asset: asset)
    let (status, amount): (String, Amount)
    switch done.event {
    case .receivable(.writeOffAsked(let writeOff)): (status, amount) = ("asked", writeOff.amount)
    case .receivable(.writtenOff(let writeOff)): (status, amount) = ("written_off", writeOff.amount)
    case .receivable, .genesis, .refusal, .identity, .wallet, .payment, .reservation, .refund,
      .pause, .dispute, .fee, .policy:
      preconditionFailure("writing off ends in another event")
    }
    var members = Members()
    members.id("dispute_id", .dispute, dispute.rawValue, backend.ids)
    members.id("agent_id", .agent, agent.rawValue, backend.ids)
    members.string("status", status)
    members.amount("amount", amount, of: asset)
    members.string("currency", asset.code.description)
    members.time("created_at", done.header.time)
    return Answer(members.json, isReplay: isReplay)
  }
}
