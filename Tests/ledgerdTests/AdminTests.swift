import LedgerCore
import Testing

@testable import ledgerd

/// Goal: whoever can open the socket sees the ledger as it is; the port does not know these paths.
/// Method: the same daemon through either list of routes.
@Suite struct AdminTests {
  @Test func `on the port there is no administration`() async throws {
    try await Scene.run { scene in
      for route in AdminRoutes.all {
        let path = route.path.replacing("{wallet}", with: "1").replacing("{event}", with: "1")
        let reply = try await scene.get(path, key: try scene.operatorKey)
        #expect(reply.status == 404 && reply["code"] == "NOT_FOUND")
      }
    }
  }

  @Test func `on the socket wallets, histories and events are told`() async throws {
    try await Scene.run(routes: PublicRoutes.all + AdminRoutes.all) { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let paid = try await scene.pay(ann, bob.wallet, "5", #","description":"tea""#)
      let status = try await scene.get("/admin/status")
      #expect(status["head"] == String(scene.engine.head.rawValue))
      #expect(status["root"]?.utf8.count == 64)
      #expect(status.json["counts"]?["agents"] == .number("2"))

      for name in ["1", ann.wallet] {
        let wallet = try await scene.get("/admin/wallets/\(name)")
        #expect(wallet["wallet_id"] == ann.wallet && wallet["available_text"] == "94.98")
        let balance = try await scene.get("/admin/wallets/\(name)/balance")
        #expect(balance["available_text"] == "94.98")
        let history = try await scene.get("/admin/wallets/\(name)/history?limit=1")
        #expect(history.list("events").map { $0["name"] } == ["payment.completed"])
        let next = try #require(history["next"])
        let rest = try await scene.get("/admin/wallets/\(name)/history?before=\(next)")
        #expect(rest.list("events").map { $0["name"] } == ["wallet.funded", "wallet.opened"])
      }
      #expect(try await scene.get("/admin/wallets/99").status == 404)

      let events = try await scene.get("/admin/events?from=1&limit=1000").list("events")
      #expect(events.compactMap { $0["event"] } == (1...events.count).map(String.init))
      #expect(events.first?["name"] == "genesis")
      #expect(events.count == Int(scene.engine.head.rawValue))
      let found = try await scene.get("/admin/events/\(paid["id"] ?? "")")
      #expect(found.json["text"] == .array([.string("tea")]))
      #expect(try await scene.get("/admin/events/999999").status == 404)
    }
  }
}
