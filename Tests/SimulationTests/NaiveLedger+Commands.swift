@testable import LedgerCore

/// Payments and reservations are in `NaiveLedger+Payments.swift`, payments with several receivers
/// in `NaiveLedger+Splits.swift`, refunds in `NaiveLedger+Refunds.swift`, disputes in
/// `NaiveLedger+Disputes.swift`, fees in `NaiveLedger+Fees.swift`, what stops wallets and more in
/// `NaiveLedger+Wallets.swift`.
extension NaiveLedger {
  /// Does the command and records its events, or leaves everything as it is.
  mutating func perform(_ request: Request) throws(Refusal) {
    let actor = request.actor
    // The command's own text, and that of what it may register.
    let own = request.texts.first?.readable
    let other = request.texts.dropFirst().first?.readable
    switch request.command {
    case .identity(.registerAgent(let tenant, let name, let asset, let apiKey, let secretKey)):
      try checkAgent(name, asset, apiKey, secretKey, by: actor)
      registerTenant(tenant, by: actor, other)
      registerAgent(tenant, name, asset, apiKey, secretKey, by: actor, own)
    case .identity(.registerOperator(let key)):
      try registerOperator(key, by: actor)
    case .identity(.issue(let key, let kind)):
      try issue(key, kind, by: actor)
    case .identity(.revoke(let credential)):
      try revoke(credential, by: actor)
    case .wallet(let command):
      try perform(command, by: actor, own)
    case .payment(.pay(let from, .split, let amount, let asset, let rail)):
      try paySplit(
        from: from, among: request.body, amount.units, asset, rail, by: actor, own,
        labels: request.texts.dropFirst().map(\.readable))
    case .payment(.pay(let from, let to, let amount, let asset, let rail)):
      try pay(from: from, to: to, amount.units, asset, rail, by: actor, own, label: other)
    case .fee(.set(let terms, let begins)):
      try setFees(terms, request.body, begins: begins.nanoseconds, by: actor)
    case .reservation(
      .reserve(let from, let to, let amount, let asset, let seconds, let isMultiple)):
      try reserve(
        from: from, to: to, amount.units, asset, seconds: seconds, isMultiple: isMultiple,
        by: actor, own, label: other)
    case .reservation(.capture(let number, let amount, let isLast)):
      try capture(number, amount?.units, isLast: isLast, by: actor)
    case .reservation(.release(let number)):
      try release(number, by: actor)
    case .refund(.refund(let number, let amount)):
      try refund(number, amount?.units, by: actor, own)
    case .dispute(let command):
      try perform(command, by: actor, own)
    case .pause(.pause(let scope)):
      try pause(scope, by: actor, own)
    case .pause(.resume(let scope)):
      try resume(scope, by: actor, own)
    }
  }
}

// MARK: - Identity

extension NaiveLedger {
  private func checkAgent(
    _ name: UInt128, _ asset: AssetNumber, _ apiKey: UInt128, _ secretKey: UInt128,
    by actor: Actor
  ) throws(Refusal) {
    guard actor.role != .agent else { throw Refusal(.notPermitted) }
    guard place(asset.rawValue, in: assets.count) != nil else { throw Refusal(.assetNotFound) }
    let isTaken = name != 0 && agents.contains { $0.name == name }
    guard !isTaken || bug == .nameIsNeverTaken else { throw Refusal(.agentNameTaken) }
    try checkFree([apiKey, secretKey])
  }

  /// The tenant of this name, from 1; each 0 is a tenant of its own.
  private func tenant(_ name: UInt128) -> UInt64? {
    guard name != 0, bug != .tenantIsNeverFound else { return nil }
    return tenants.firstIndex(of: name).map { UInt64($0 + 1) }
  }

  private mutating func registerTenant(_ name: UInt128, by actor: Actor, _ text: String?) {
    guard tenant(name) == nil else { return }
    tenants.append(name)
    let number = TenantNumber(UInt64(tenants.count))
    let event = Identity.Event.tenantRegistered(tenant: number, name: name)
    // A tenant that is an agent's own has no name.
    record(.identity(event), by: actor, name == 0 ? nil : text)
  }

  private mutating func registerAgent(
    _ tenantName: UInt128, _ name: UInt128, _ asset: AssetNumber, _ apiKey: UInt128,
    _ secretKey: UInt128, by actor: Actor, _ text: String?
  ) {
    let tenant = tenant(tenantName) ?? UInt64(tenants.count)
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

  private mutating func registerOperator(_ key: UInt128, by actor: Actor) throws(Refusal) {
    guard actor.role == .administrator else { throw Refusal(.notPermitted) }
    try checkFree([key])
    operators += 1
    let number = OperatorNumber(UInt64(operators))
    let credential = issueCredential(key, .operatorKey, to: .operator(number), by: actor)
    let event = Identity.Event.operatorRegistered(operator: number, credential: credential)
    record(.identity(event), by: actor)
  }

  private mutating func issue(
    _ key: UInt128, _ kind: Identity.CredentialKind, by actor: Actor
  ) throws(Refusal) {
    switch (actor.role, kind) {
    case (.agent, .apiKey), (.agent, .secretKey):
      guard agent(actor) != nil else { throw Refusal(.agentNotFound) }
    case (.operator, .operatorKey):
      let number = actor.rawValue & 0x00FF_FFFF_FFFF_FFFF
      guard place(number, in: operators) != nil else { throw Refusal(.operatorNotFound) }
    default:
      throw Refusal(.notPermitted)
    }
    try checkFree([key])
    _ = issueCredential(key, kind, to: actor, by: actor)
  }

  private mutating func revoke(_ number: CredentialNumber, by actor: Actor) throws(Refusal) {
    // One's own; the administrator ends any, because replacing keys is his (`design.md` 4.16).
    guard let credential = place(number.rawValue, in: credentials.count),
      credentials[credential].holder == actor || actor.role == .administrator,
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

extension SealedText {
  /// A run's texts are not sealed before a ledger takes them.
  init(readable text: String) {
    self.init(commitment: .none, ciphertext: Array(text.utf8))
  }

  var readable: String { String(decoding: ciphertext, as: UTF8.self) }
}
