import Foundation
import LedgerCore

/// Tenants' own keys: who shows one manages the tenant's agents, policies, approvals and refunds
/// [AP-08]. Given by operators.
enum TenantRoutes {
  static let name = Field.text(
    "name", bytes: 1...255, "A tenant's name, as agents name it as their operator; new or not.")
  static let tenantId = Field.id("tenant_id", .tenant, "A tenant that there is.")

  static let all = [register]

  static let register = Route(
    method: .post, path: "/v1/tenants", name: "registerTenant",
    summary: "Gives a tenant a key of its own, shown once. From its first key on, only who shows "
      + "one registers agents of this tenant.",
    who: .holders([.operatorKey]), body: [name, tenantId, Route.key], keys: .idempotencyKey,
    status: 201,
    answer: [
      Property("tenant_id", .id(.tenant), "The tenant."),
      Property("name", .text(bytes: 1...255), isRequired: false, "Its name, where one was sent."),
      Property("tenant_key", .label, "Manages the tenant: send it as a bearer token. Shown once."),
      Property(
        "next_action", .choice([NextAction.rotate.rawValue]), isRequired: false,
        "Said where the key was shown before and is lost."),
      Property("created_at", .time, "When the key was issued."),
    ], errors: [.tenantNotFound, .credentialTaken],
    handle: { call throws(Problem) in try await register(call) })

  private static func register(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let preparation = backend.engine.preparation
    let name = call[name]?.precomposedStringWithCanonicalMapping
    guard (name == nil) != (call[tenantId] == nil) else {
      throw Problem(
        .invalidField, field: Self.name.property.name,
        "Send either \"name\" or \"tenant_id\", and not both.")
    }
    // A text that is no tenant's stands for none, of which the engine says that it is not there.
    let number = call[tenantId].flatMap { backend.ids.number(.tenant, $0) } ?? 0
    let key = Credential(.tenantKey, livemode: backend.isLive)
    let request = try backend.request(
      .identity(
        .registerTenantAdmin(
          tenant: TenantNumber(number), name: name.map { preparation.hash(tenant: $0) } ?? 0,
          key: preparation.hash(credential: key.text))),
      by: call.holder.actor, key: call.key, registering: name.map { [$0] } ?? [])
    let (event, isReplay) = try await backend.submit(request)
    guard case .identity(.credentialIssued(_, _, _, let holder)) = event.event else {
      preconditionFailure("giving a tenant a key ends in another event")
    }
    var members = Members()
    members.id("tenant_id", .tenant, holder.tenant.rawValue, backend.ids)
    members.string("name", name)
    members.string("tenant_key", isReplay ? AgentRoutes.alreadyShown : key.text)
    members.string("next_action", isReplay ? NextAction.rotate.rawValue : nil)
    members.time("created_at", event.header.time)
    return Answer(members.json, isReplay: isReplay)
  }
}
