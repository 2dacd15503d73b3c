import LedgerCore

/// Pauses: the kill switch, and the same for a tenant or a rail (`accounting.md` 5). For operators.
enum PauseRoutes {
  static let scope: Field<String> = Field.choice(
    "scope", Word.allCases.map(\.rawValue), "What is stopped, or goes on."
  ).required()
  static let tenantId = Field.id(
    "tenant_id", .tenant, "Which tenant, where the scope is one.")
  static let rail = Field.choice(
    "rail", [PaymentView.internalRail], "Which rail, where the scope is one.")
  static let reason = Field.text("reason", bytes: 0...1_000, lines: true, "Why, for people.")

  static let all = [list, pause, resume]

  /// What can be stopped.
  enum Word: String, CaseIterable { case ledger, tenant, rail }

  private static let properties = [
    Property("scope", .choice(Word.allCases.map(\.rawValue)), "What."),
    Property("tenant_id", .id(.tenant), isRequired: false, "Which tenant, where it is one."),
    Property("rail", .choice([PaymentView.internalRail]), isRequired: false, "Which rail."),
  ]

  static let list = Route(
    method: .get, path: "/v1/pauses", name: "pauses",
    summary: "Lists what is stopped now.", who: .holders([.operatorKey]),
    answer: [Property("pauses", .list(properties), "Empty where everything goes on.")],
    handle: { call throws(Problem) in
      let pauses = try await call.backend.read { () throws(LedgerFailure) in
        try await call.backend.engine.pauses()
      }
      var members = Members()
      members.value(
        "pauses",
        .array(
          pauses.map { pause in
            let members = json(pause, call.backend)
            return members.json
          }))
      return Answer(members.json)
    })

  static let pause = change(
    path: "/v1/pauses", name: "pause",
    summary: "Stops what is new: payments and reservations. What ends an obligation still passes.",
    status: "paused", errors: [.tenantNotFound, .alreadyPaused]
  ) { .pause($0) }

  static let resume = change(
    path: "/v1/pauses/resume", name: "resume", summary: "Lets what was stopped go on.",
    status: "resumed", errors: [.tenantNotFound, .notPaused]
  ) { .resume($0) }

  private static func change(
    path: String, name: String, summary: String, status: String, errors: [Reason],
    _ command: @escaping @Sendable (Pauses.Scope) -> Pauses.Command
  ) -> Route {
    Route(
      method: .post, path: path, name: name, summary: summary, who: .holders([.operatorKey]),
      body: [scope, tenantId, rail, reason, Route.key], keys: .idempotencyKey,
      answer: properties + [
        Property("status", .choice([status]), "What it is now."),
        Property("created_at", .time, "Since when."),
      ], errors: errors,
      handle: { call throws(Problem) in
        let scope = try scope(call)
        let request = try call.backend.request(
          .pause(command(scope)), by: call.holder.actor, key: call.key,
          text: call[reason].map { [$0] } ?? [])
        let (event, isReplay) = try await call.backend.submit(request)
        var members = json(scope, call.backend)
        members.string("status", status)
        members.time("created_at", event.header.time)
        return Answer(members.json, isReplay: isReplay)
      })
  }

  private static func scope(_ call: Call) throws(Problem) -> Pauses.Scope {
    let (tenant, rail) = (call[tenantId], call[rail])
    switch (Word(rawValue: call[scope]), tenant, rail) {
    case (.ledger, nil, nil): return .ledger
    case (.tenant, let text?, nil):
      return .tenant(call.backend.ids.number(.tenant, text).map { TenantNumber($0) } ?? .none)
    case (.rail, nil, .some): return .rail(.internal)
    case (.ledger, _, _), (.tenant, _, _), (.rail, _, _), (nil, _, _):
      throw Problem(
        .invalidField, field: scope.property.name,
        "Send \"tenant_id\" with the scope tenant, \"rail\" with rail, and neither with ledger.")
    }
  }

  private static func json(_ scope: Pauses.Scope, _ backend: Backend) -> Members {
    var members = Members()
    switch scope {
    case .ledger: members.string("scope", Word.ledger.rawValue)
    case .tenant(let tenant):
      members.string("scope", Word.tenant.rawValue)
      members.id("tenant_id", .tenant, tenant.rawValue, backend.ids)
    case .rail:
      members.string("scope", Word.rail.rawValue)
      members.string("rail", PaymentView.internalRail)
    }
    return members
  }
}
