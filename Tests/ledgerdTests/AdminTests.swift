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

  @Test func `receivers, what they gave back and tiers are told in words`() async throws {
    try await Scene.run(routes: PublicRoutes.all + AdminRoutes.all) { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let operatorKey = try scene.operatorKey
      let paid = try await scene.post(
        "/v1/payments",
        #"{"from_wallet_id":"\#(ann.wallet)","amount":10,"split":[{"to_external":"a","share":1},"#
          + #"{"to_wallet_id":"\#(bob.wallet)","share":4}]}"#, key: ann.key)
      let refunded = try await scene.post(
        "/v1/payments/\(paid["id"] ?? "")/refund", #"{"amount":1}"#, key: operatorKey)
      let found = try await scene.get("/admin/events/\(paid["id"] ?? "")")
      #expect(found.json["fields"]?["to"] == .string("external 1 2.00, \(bob.wallet) 8.00"))
      #expect(found.list("postings").map { $0["amount"] } == ["2.00", "8.00", "0.04"])
      let back = try await scene.get("/admin/events/\(refunded["id"] ?? "")")
      #expect(back.json["fields"]?["from"] == .string("external 1 0.20, \(bob.wallet) 0.80"))
      #expect(back.list("postings").map { $0["amount"] } == ["0.20", "0.80"])
      let history = try await scene.get("/admin/wallets/\(bob.wallet)/history")
      #expect(
        history.list("events").map { $0.json["fields"]?["from"] }.first
          == back.json["fields"]?["from"])

      let tiers = #"[{"from":100,"flat":1,"basis_points":40},{"from":1000,"basis_points":50}]"#
      _ = try await scene.post(
        "/v1/fees", #"{"basis_points":40,"side":"payee","tiers":\#(tiers)}"#, key: operatorKey)
      let last = scene.engine.head.rawValue
      let events = try await scene.get("/admin/events?from=\(last - 1)").list("events")
      #expect(
        events.first?.json["fields"]?["tiers"]
          == .string("from 100.00: 1.00 + 40 bps, from 1000.00: 50 bps"))
      let borne = try await scene.post(
        "/v1/payments",
        #"{"from_wallet_id":"\#(ann.wallet)","amount":5,"split":[{"to_external":"a","share":1},"#
          + #"{"to_wallet_id":"\#(bob.wallet)","share":4}]}"#, key: ann.key)
      let fees = try await scene.get("/admin/events/\(borne["id"] ?? "")")
      #expect(
        fees.json["fields"]?["to"]
          == .string("external 1 1.00 (fee 0.004), \(bob.wallet) 4.00 (fee 0.016)"))
    }
  }
}
