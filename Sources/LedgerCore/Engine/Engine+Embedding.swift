/// The short way for a service that embeds the engine: a request is prepared and submitted in one
/// call, on the caller's task.
extension Engine {
  /// Prepares and submits one command; see
  /// ``Preparation/request(_:by:key:text:registering:body:)``.
  /// - Throws: ``Preparation/Failure`` where it cannot be a request, ``LedgerFailure`` where the
  ///   ledger cannot answer. A refusal is not thrown: it is an outcome.
  public func submit(
    _ command: Command, by actor: Actor, key: String? = nil, text: [String] = [],
    registering: [String] = [], body: [UInt8] = []
  ) async throws -> Outcome {
    try await submit(
      preparation.request(
        command, by: actor, key: key, text: text, registering: registering, body: body))
  }

  /// Registers an agent with its default wallet, for a service that authenticates callers itself.
  ///
  /// - `name`: 1 to 60,000 bytes, unique within `tenant` where one is named, sealed beside the
  ///   event.
  /// - `tenant`: the tenant's name; `nil` for a tenant of the agent's own.
  /// - `apiKey`, `secretKey`: kept as keyed hashes; `nil` for random ones that nobody knows.
  /// - Throws: ``Refusal`` where the ledger refuses, and as
  ///   ``submit(_:by:key:text:registering:body:)``.
  public func register(
    agent name: String, of tenant: String? = nil, in asset: AssetNumber = AssetNumber(1),
    apiKey: String? = nil, secretKey: String? = nil
  ) async throws -> Agent {
    let unknown = { UInt128(littleEndianBytes: Random.bytes(16)) | 1 }
    let command = Identity.Command.registerAgent(
      tenant: tenant.map { preparation.hash(tenant: $0) } ?? 0,
      name: tenant.map { preparation.hash(agent: name, tenant: $0) } ?? 0, asset: asset,
      apiKey: apiKey.map { preparation.hash(credential: $0) } ?? unknown(),
      secretKey: secretKey.map { preparation.hash(credential: $0) } ?? unknown())
    let outcome = try await submit(
      .identity(command), by: .anonymous, text: [name, tenant ?? "", ""],
      registering: tenant.map { [$0] } ?? [])
    let recorded = try outcome.done()
    let event = recorded.event
    guard case .identity(.agentRegistered(let agent, let tenant, let wallet, _, _, _)) = event
    else {
      preconditionFailure("registering an agent ends in its event")
    }
    return Agent(number: agent, tenant: tenant, wallet: wallet, registered: recorded.number)
  }
}

extension Outcome {
  /// The event of a command that was done; throws the refusal of one that was not.
  public func done() throws(Refusal) -> Recorded {
    switch self {
    case .done(let recorded, _): return recorded
    case .refused(let refusal, _, _): throw refusal
    }
  }
}
