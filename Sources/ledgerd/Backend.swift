import LedgerCore
import Projections
import Synchronization

/// What the routes work with: the engine, its views, and the settings that bear on answers.
struct Backend: Sendable {
  let engine: Engine
  let projections: Projections
  let assets: Assets
  private let wallets = KnownWallets()
  let isLive: Bool
  let settings: Settings

  init(_ engine: Engine, _ projections: Projections, isLive: Bool, _ settings: Settings) {
    self.engine = engine
    self.projections = projections
    self.isLive = isLive
    self.settings = settings
    assets = Assets(engine)
  }

  var ids: TextIds { engine.preparation.ids }

  func prefix(of kind: Identity.CredentialKind) -> String {
    Credential.prefix(kind, livemode: isLive)
  }

  /// A command as the engine takes it.
  func request(
    _ command: Command, by actor: Actor, key: String?, text: [String] = [],
    registering: [String] = [], body: [UInt8] = []
  ) throws(Problem) -> Request {
    do throws(Preparation.Failure) {
      return try engine.preparation.request(
        command, by: actor, key: key, text: text, registering: registering, body: body)
    } catch {
      switch error {
      case .keyInvalid:
        throw Problem(.invalidId, field: "idempotency_key", "Send 1 to 255 printable characters.")
      case .textTooLong:
        throw Problem(.invalidField, "Send at most 60,000 bytes of text in one request.")
      }
    }
  }

  /// Submits a command and answers its event, or throws what became of it instead.
  ///
  /// - `asset`: what the amounts of a refusal are of.
  func submit(
    _ request: Request, asset: Asset? = nil
  ) async throws(Problem) -> (event: Recorded, isReplay: Bool) {
    try event(of: try await outcome(of: request), asset: asset, hasKey: request.key != nil)
  }

  /// Submits a command and answers what became of it; throws where nobody knows.
  func outcome(of request: Request) async throws(Problem) -> Outcome {
    do throws(LedgerFailure) {
      return try await engine.submit(request)
    } catch {
      throw Problem(submitting: error)
    }
  }

  /// The event that a command was done with, or why it was not. `hasKey` says whether it had one.
  func event(
    of outcome: Outcome, asset: Asset?, hasKey: Bool
  ) throws(Problem) -> (event: Recorded, isReplay: Bool) {
    switch outcome {
    case .done(let event, let isReplay): return (event, isReplay)
    case .refused(let refusal, let event, let isReplay):
      throw problem(refusal, event: event, isReplay: isReplay, asset: asset, hasKey: hasKey)
    }
  }

  /// A refusal of the engine's, with the text id of what stands in the way.
  func problem(
    _ refusal: Refusal, event: EventNumber = .none, isReplay: Bool = false, asset: Asset?,
    hasKey: Bool = false
  ) -> Problem {
    var problem = Problem(
      refusal, event: event, isReplay: isReplay, in: asset, hasKey: hasKey)
    guard refusal.about.isSome else { return problem }
    if refusal.reason.isOfPolicy {
      problem.policyId = ids.text(.policy, refusal.about.rawValue)
    } else {
      problem.disputeId = ids.text(.dispute, refusal.about.rawValue)
    }
    return problem
  }

  /// Asks the engine, and says a failure as a problem.
  func read<Value>(
    _ look: () async throws(LedgerFailure) -> Value
  ) async throws(Problem) -> Value {
    do throws(LedgerFailure) {
      return try await look()
    } catch {
      throw Problem(reading: error)
    }
  }

  /// Asks the projections, and says a failure as a problem.
  func view<Value>(
    _ look: () async throws(ProjectionFailure) -> Value
  ) async throws(Problem) -> Value {
    do throws(ProjectionFailure) {
      return try await look()
    } catch {
      switch error {
      case .behind:
        throw Problem(.projectionBehind, "Try again in a second; the view has not caught up yet.")
      case .closed, .failed:
        throw Problem(.unavailable, "Try again later; the view is not available.")
      }
    }
  }

  /// The wallet whose text id stands in `field`, if whoever asks may see it; else there is none.
  func wallet(
    _ text: String, seenBy principal: Principal, field: String
  ) async throws(Problem) -> WalletFacts {
    try await wallet(
      ids.number(.wallet, text).map { WalletNumber($0) } ?? .none, seenBy: principal, field: field)
  }

  func wallet(
    _ number: WalletNumber, seenBy principal: Principal, field: String
  ) async throws(Problem) -> WalletFacts {
    guard let facts = try await facts(of: number), principal.maySee(facts) else {
      var problem = Problem(Refusal(.walletNotFound), event: .none, isReplay: false, in: nil)
      problem.field = field
      throw problem
    }
    return facts
  }

  /// As ``facts(of:)``, where they are at hand.
  func knownFacts(of number: WalletNumber) -> WalletFacts? { wallets.find(number) }

  /// Whose a wallet is and what it holds, or nil where there is no such wallet.
  func facts(of number: WalletNumber) async throws(Problem) -> WalletFacts? {
    guard number.isSome else { return nil }
    if let known = wallets.find(number) { return known }
    let found = try await read { () throws(LedgerFailure) in try await engine.wallet(number) }
    guard let facts = found.map({ WalletFacts($0) }) else { return nil }
    wallets.keep(facts)
    return facts
  }
}

/// What never changes about a wallet.
struct WalletFacts: Sendable {
  let number: WalletNumber
  let agent: AgentNumber
  let tenant: TenantNumber
  let asset: Asset

  init(_ wallet: Wallet) {
    number = wallet.number
    agent = wallet.agent
    tenant = wallet.tenant
    asset = wallet.asset
  }
}

/// The facts of wallets that were asked for. Saves a money command a trip through the engine's
/// queue, and decides nothing: the engine checks the owner again.
private final class KnownWallets: Sendable {
  /// Then it is emptied, and fills anew.
  private static let countMax = 65_536
  private let known = Mutex<[WalletNumber: WalletFacts]>([:])

  func find(_ number: WalletNumber) -> WalletFacts? { known.withLock { $0[number] } }

  func keep(_ facts: WalletFacts) {
    known.withLock { known in
      if known.count >= Self.countMax { known.removeAll(keepingCapacity: true) }
      known[facts.number] = facts
    }
  }
}

extension Principal {
  /// Tenant and agent must both be the wallet's [AP-27]; the admin of a tenant sees all that is
  /// the tenant's, staff sees everything.
  func maySee(_ wallet: WalletFacts) -> Bool {
    if actor.manages(wallet.tenant) { return true }
    return actor.agent.isSome && wallet.agent == actor.agent && wallet.tenant == tenant
  }
}

/// The assets, which are added and never change. Asks the engine only for one it does not know.
final class Assets: Sendable {
  private let engine: Engine
  private let known = Mutex<[Asset]>([])

  init(_ engine: Engine) { self.engine = engine }

  func asset(_ number: AssetNumber) async throws(Problem) -> Asset {
    guard let found = try await find(where: { $0.number == number }) else {
      preconditionFailure("an event names asset \(number), which was never added")
    }
    return found
  }

  /// The asset that a request names in `field`.
  func asset(coded text: String, field: String) async throws(Problem) -> Asset {
    guard let code = AssetCode(text), let found = try await find(where: { $0.code == code }) else {
      throw Self.unknown(field)
    }
    return found
  }

  /// That `field` names no asset.
  static func unknown(_ field: String) -> Problem {
    Problem(
      .invalidCurrency, field: field,
      "In \"\(field)\", name a currency of this ledger, such as USD.")
  }

  /// Every asset, as the engine has them now.
  func all() async throws(Problem) -> [Asset] {
    let assets: [Asset]
    do throws(LedgerFailure) {
      assets = try await engine.assets()
    } catch {
      throw Problem(reading: error)
    }
    known.withLock { $0 = assets }
    return assets
  }

  private func find(where isMatch: (Asset) -> Bool) async throws(Problem) -> Asset? {
    if let asset = known.withLock({ $0.first(where: isMatch) }) { return asset }
    return try await all().first(where: isMatch)
  }
}
