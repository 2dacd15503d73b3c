import LedgerCore
import Projections

/// Whether the daemon lives, whether it can answer, and what it can be asked.
enum SystemRoutes {
  static let all: [Route] = [health, readiness, specification]

  static let health = Route(
    method: .get, path: "/healthz", name: "health", summary: "Says that the process answers.",
    who: .everyone, answer: [Property("status", .choice(["ok"]), "Always ok.")],
    handle: { _ throws(Problem) in
      var members = Members()
      members.string("status", "ok")
      return Answer(members.json)
    })

  static let readiness = Route(
    method: .get, path: "/readyz", name: "readiness",
    summary: "Says that the ledger takes commands, or answers 503.", who: .everyone,
    answer: [
      Property(
        "status", .choice(["ready", "degraded"]),
        "Degraded where a commit of the last minute took more than a second; it recovers by itself."
      ),
      Property("reason", .label, isRequired: false, "What is degraded, in a sentence."),
      Property("livemode", .flag, "Whether real money moves here."),
    ],
    errors: [.projectionBehind],
    handle: { call throws(Problem) in
      let isLive = try await call.backend.read { () throws(LedgerFailure) in
        try await call.backend.engine.isLive()
      }
      if call.backend.engine.isClockAhead {
        throw Problem(.clockAhead, "Set the host's clock, or say ledgerctl accept-clock.")
      }
      // Wallet 1 need not exist: what is asked is whether the view has caught up.
      _ = try await call.backend.view { () throws(ProjectionFailure) in
        try await call.backend.projections.balance(of: WalletNumber(1))
      }
      var members = Members()
      let slow = call.backend.engine.slowCommitMilliseconds
      members.string("status", slow == nil ? "ready" : "degraded")
      members.string("reason", slow.map { "The disk is slow: a commit took \($0) ms." })
      members.bool("livemode", isLive)
      return Answer(members.json)
    })

  static let specification: Route = Route(
    method: .get, path: "/openapi/spec.json", name: "specification",
    summary: "Describes every route of this API, as OpenAPI 3.1.", who: .everyone,
    answer: [
      Property("openapi", .label, "The version of OpenAPI."),
      Property("info", .any, "Title and version."),
      Property("paths", .any, "The routes."),
      Property("components", .any, "What they share."),
    ],
    handle: { call throws(Problem) in Answer(document) })

  private static let document = OpenAPI.document(of: PublicRoutes.all)
}

/// What is served on the public port.
enum PublicRoutes {
  static let all: [Route] =
    AgentRoutes.all + TenantRoutes.all + WalletRoutes.all + PaymentRoutes.all
    + ReservationRoutes.all
    + DisputeRoutes.all + FeeRoutes.all + PolicyRoutes.all + ReceivableRoutes.all + PauseRoutes.all
    + SystemRoutes.all
}
