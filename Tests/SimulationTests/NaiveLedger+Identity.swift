@testable import LedgerCore

/// Who is who: tenants and their admins, agents, operators and their keys.
extension NaiveLedger {
  mutating func registerAgent(
    _ tenantName: UInt128, _ name: UInt128, _ asset: AssetNumber, _ apiKey: UInt128,
    _ secretKey: UInt128, by actor: Actor, _ text: String?, tenantText: String?
  ) throws(Refusal) {
    guard actor.role != .agent else { throw Refusal(.notPermitted) }
    guard place(asset.rawValue, in: assets.count) != nil else { throw Refusal(.assetNotFound) }
    let known = tenant(tenantName)
    let isStranger = !isStaff(actor) && actor.role != .tenantAdmin && hasAdmin(known)
    if actor.role == .tenantAdmin {
      let isHis = tenantName == 0 || known == actor.tenant.rawValue || bug == .adminNamesOthers
      guard isHis, place(actor.tenant.rawValue, in: tenants.count) != nil
      else { throw Refusal(.notPermitted) }
    }
    let takesName = !isStranger || bug == .strangersNameTakesAPlace
    let isTaken = name != 0 && agents.contains { $0.name == name }
    guard !takesName || !isTaken || bug == .nameIsNeverTaken else { throw Refusal(.agentNameTaken) }
    try checkFree([apiKey, secretKey])

    var tenant = actor.role == .tenantAdmin ? actor.tenant.rawValue : known
    if isStranger { tenant = nil }
    if tenant == nil { registerTenant(isStranger ? 0 : tenantName, by: actor, tenantText) }
    addAgent(
      tenant ?? UInt64(tenants.count), takesName ? name : 0, asset, apiKey, secretKey, by: actor,
      text)
  }

  /// The tenant of this name, from 1; each 0 is a tenant of its own.
  private func tenant(_ name: UInt128) -> UInt64? {
    guard name != 0, bug != .tenantIsNeverFound else { return nil }
    return tenants.firstIndex(of: name).map { UInt64($0 + 1) }
  }

  /// Whether the tenant ever had a key of its own.
  private func hasAdmin(_ tenant: UInt64?) -> Bool {
    guard let tenant, bug != .strangerJoinsTheTenant else { return false }
    return credentials.contains { credential in
      credential.kind == .tenantKey && credential.holder.tenant.rawValue == tenant
        && !(credential.isRevoked && bug == .revokedKeyOpensTheTenant)
    }
  }

  private mutating func registerTenant(_ name: UInt128, by actor: Actor, _ text: String?) {
    tenants.append(name)
    let number = TenantNumber(UInt64(tenants.count))
    let event = Identity.Event.tenantRegistered(tenant: number, name: name)
    // A tenant that is an agent's own has no name.
    record(.identity(event), by: actor, name == 0 ? nil : text)
  }

  private mutating func addAgent(
    _ tenant: UInt64, _ name: UInt128, _ asset: AssetNumber, _ apiKey: UInt128,
    _ secretKey: UInt128, by actor: Actor, _ text: String?
  ) {
    let wallet = WalletNumber(UInt64(wallets.count + 1))
    agents.append(Agent(tenant: tenant, name: name, wallet: wallet))
    let agent = AgentNumber(UInt64(agents.count))
    openWallet(agent.rawValue, asset, by: actor)
    let apiNumber = issueCredential(apiKey, .apiKey, to: .agent(agent), by: actor)
    let secretNumber = issueCredential(secretKey, .secretKey, to: .agent(agent), by: actor)
    let event = Identity.Event.agentRegistered(
      agent: agent, tenant: TenantNumber(tenant), wallet: wallet, name: name,
      apiKey: apiNumber, secretKey: secretNumber)
    record(.identity(event), by: actor, text)
  }

  /// Gives a tenant, by number or by name, a key of its own; a new name registers it.
  mutating func registerTenantAdmin(
    _ number: TenantNumber, _ name: UInt128, _ key: UInt128, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    guard isStaff(actor) || bug == .anybodyAddsAdmins else { throw Refusal(.notPermitted) }
    try checkFree([key])
    var holder = number.rawValue
    if name != 0 {
      if tenant(name) == nil { registerTenant(name, by: actor, text) }
      holder = tenant(name) ?? UInt64(tenants.count)
    }
    guard place(holder, in: tenants.count) != nil else { throw Refusal(.tenantNotFound) }
    _ = issueCredential(key, .tenantKey, to: .tenantAdmin(TenantNumber(holder)), by: actor)
  }

  mutating func registerOperator(_ key: UInt128, by actor: Actor) throws(Refusal) {
    guard actor.role == .administrator else { throw Refusal(.notPermitted) }
    try checkFree([key])
    operators += 1
    let number = OperatorNumber(UInt64(operators))
    let credential = issueCredential(key, .operatorKey, to: .operator(number), by: actor)
    let event = Identity.Event.operatorRegistered(operator: number, credential: credential)
    record(.identity(event), by: actor)
  }

  mutating func issue(
    _ key: UInt128, _ kind: Identity.CredentialKind, by actor: Actor
  ) throws(Refusal) {
    switch (actor.role, kind) {
    case (.agent, .apiKey), (.agent, .secretKey):
      guard agent(actor) != nil else { throw Refusal(.agentNotFound) }
    case (.operator, .operatorKey):
      let number = actor.rawValue & 0x00FF_FFFF_FFFF_FFFF
      guard place(number, in: operators) != nil else { throw Refusal(.operatorNotFound) }
    case (.tenantAdmin, .tenantKey):
      guard place(actor.tenant.rawValue, in: tenants.count) != nil
      else { throw Refusal(.tenantNotFound) }
    default:
      guard case (.tenantAdmin, .operatorKey) = (actor.role, kind), bug == .adminIssuesAnyKey
      else { throw Refusal(.notPermitted) }
    }
    try checkFree([key])
    _ = issueCredential(key, kind, to: actor, by: actor)
  }

  mutating func revoke(_ number: CredentialNumber, by actor: Actor) throws(Refusal) {
    // One's own; staff ends a tenant's; the administrator ends any, because replacing keys is his
    // (`design.md` 4.16).
    guard let credential = place(number.rawValue, in: credentials.count),
      credentials[credential].holder == actor || actor.role == .administrator
        || isStaff(actor) && credentials[credential].kind == .tenantKey,
      !credentials[credential].isRevoked
    else { throw Refusal(.credentialNotFound) }
    credentials[credential].isRevoked = true
    record(.identity(.credentialRevoked(credential: number)), by: actor)
  }

  /// No key is nothing, used twice in one command, or was ever used.
  private func checkFree(_ keys: [UInt128]) throws(Refusal) {
    for (index, key) in keys.enumerated() {
      let isTaken =
        key == 0 || keys[..<index].contains(key)
        || credentials.contains { used in
          used.key == key && !(used.isRevoked && bug == .revokedKeyIsFree)
        }
      guard !isTaken else { throw Refusal(.credentialTaken) }
    }
  }

  private mutating func issueCredential(
    _ key: UInt128, _ kind: Identity.CredentialKind, to holder: Actor, by actor: Actor
  ) -> CredentialNumber {
    credentials.append(Credential(key: key, kind: kind, holder: holder, isRevoked: false))
    let number = CredentialNumber(UInt64(credentials.count))
    let event = Identity.Event.credentialIssued(
      credential: number, key: key, kind: kind, holder: holder)
    record(.identity(event), by: actor)
    return number
  }
}
