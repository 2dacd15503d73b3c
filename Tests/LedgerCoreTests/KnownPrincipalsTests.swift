import Testing

@testable import LedgerCore

/// Goal: a credential is remembered until one is revoked, and never beyond.
/// Method: what may happen between asking the engine and remembering its answer, step by step.
@Suite struct KnownPrincipalsTests {
  private static let principal = Principal(
    actor: .agent(AgentNumber(1)), tenant: TenantNumber(1), wallet: WalletNumber(1),
    credential: CredentialNumber(1), kind: .apiKey)

  @Test func `what the engine said is remembered`() {
    let known = KnownPrincipals()
    #expect(known.find(7) == nil)
    known.keep(Self.principal, of: 7, since: known.revocationCount)
    #expect(known.find(7) == Self.principal)
    #expect(known.find(8) == nil)
  }

  @Test func `a revocation forgets all of them`() {
    let known = KnownPrincipals()
    known.keep(Self.principal, of: 7, since: known.revocationCount)
    known.forget()
    #expect(known.find(7) == nil)
  }

  /// The engine was asked before the revocation, and its answer arrives after it.
  @Test func `an answer from before a revocation is not kept`() {
    let known = KnownPrincipals()
    let count = known.revocationCount
    known.forget()
    known.keep(Self.principal, of: 7, since: count)
    #expect(known.find(7) == nil)
    known.keep(Self.principal, of: 7, since: known.revocationCount)
    #expect(known.find(7) == Self.principal)
  }

  @Test func `a ledger that was closed knows nobody`() async throws {
    let scene = try Scene()
    let hash = scene.engine.preparation.hash(credential: "pk")
    _ = try await scene.engine.register(agent: "ann", apiKey: "pk")
    #expect(try await scene.engine.principal(of: hash) != nil)
    scene.engine.close()
    await #expect(throws: LedgerFailure.self) { try await scene.engine.principal(of: hash) }
  }
}
