import LedgerCore
import Testing

@testable import ledgerd

/// Goal: whoever shows a tenant's key manages that tenant, sees what is its and nothing else, and
/// never decides a dispute.
/// Method: the real router over a real ledger; two tenants, and each other's ids.
@Suite struct TenantTests {
  @Test func `a tenant's key is shown once, and takes the tenant's name`() async throws {
    try await Scene.run { scene in
      let before = try await scene.agent("ann")
      let body = #"{"name":"acme","idempotency_key":"k"}"#
      let given = try await scene.post("/v1/tenants", body, key: scene.operatorKey)
      let key = try #require(given["tenant_key"])
      #expect(given.status == 201 && key.hasPrefix("ta_test_") && given["name"] == "acme")
      let again = try await scene.post("/v1/tenants", body, key: scene.operatorKey)
      #expect(again["tenant_key"] == "already_shown" && again["next_action"] == "rotate")
      #expect(again["tenant_id"] == given["tenant_id"])
      let mine = try await scene.get("/v1/agents/\(before.id)", key: key)
      #expect(mine["tenant_id"] == given["tenant_id"] && mine["operator"] == "acme")

      // From now on a stranger who names the tenant is one of his own.
      let stranger = try await scene.agent("eve")
      let seen = try await scene.get("/v1/agents/\(stranger.id)", key: stranger.key)
      #expect(seen["tenant_id"] != given["tenant_id"] && seen["operator"] == nil)
      let hers = try await scene.get("/v1/agents/\(stranger.id)", key: key)
      #expect(hers.status == 404 && hers["reason"] == "agent_not_found")

      for body in [#"{"name":"bob","operator":"acme"}"#, #"{"name":"carl"}"#] {
        let made = try await scene.post("/v1/agents", body, key: key)
        #expect(made.status == 201)
        let agent = try await scene.get("/v1/agents/\(made["id"] ?? "")", key: key)
        #expect(agent["tenant_id"] == given["tenant_id"])
      }
      let taken = try await scene.post("/v1/agents", #"{"name":"carl"}"#, key: key)
      #expect(taken.status == 409 && taken["reason"] == "agent_name_taken")
      let other = try await scene.post(
        "/v1/agents", #"{"name":"dora","operator":"evil"}"#, key: key)
      #expect(other.status == 403 && other["reason"] == "not_permitted")
    }
  }

  @Test func `a tenant that there is gets a key by its id`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann", of: nil)
      let tenant = try await scene.get("/v1/agents/\(ann.id)", key: ann.key)["tenant_id"] ?? ""
      let given = try await scene.post(
        "/v1/tenants", #"{"tenant_id":"\#(tenant)"}"#, key: scene.operatorKey)
      #expect(given.status == 201 && given["tenant_id"] == tenant)
      let key = try #require(given["tenant_key"])
      #expect(try await scene.get("/v1/wallets/\(ann.wallet)", key: key).status == 200)
      let rows: [(String, Int, String)] = [
        (#"{"tenant_id":"tnt_0"}"#, 404, "tenant_not_found"),
        ("{}", 400, "invalid_field"),
        (#"{"name":"a","tenant_id":"\#(tenant)"}"#, 400, "invalid_field"),
      ]
      for (body, status, reason) in rows {
        let reply = try await scene.post("/v1/tenants", body, key: scene.operatorKey)
        #expect(reply.status == status && reply["reason"] == reason, "\(body)")
      }
      let notStaff = try await scene.post("/v1/tenants", #"{"name":"x"}"#, key: key)
      #expect(notStaff.status == 403 && notStaff["reason"] == "not_permitted")
    }
  }

  @Test func `an admin sees what is his tenant's, and of others' nothing`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let eve = try await scene.agent("eve", of: "evil")
      let payment = try #require(try await scene.pay(ann, eve.wallet, "10")["id"])
      let dispute = try await scene.post(
        "/v1/disputes", #"{"payment_id":"\#(payment)","reason":"other"}"#, key: ann.key)
      let id = try #require(dispute["id"])
      let inside = try #require(try await scene.pay(ann, bob.wallet, "5")["id"])
      let (mine, theirs) = (try await scene.tenantKey(), try await scene.tenantKey("evil"))
      let third = try await scene.tenantKey("third")
      let shared = ["/v1/payments/\(payment)", "/v1/disputes/\(id)"]
      let own = [
        "/v1/wallets/\(ann.wallet)", "/v1/wallets/\(ann.wallet)/balance",
        "/v1/payments/\(inside)", "/v1/agents/\(ann.id)",
        "/v1/payments?wallet_id=\(ann.wallet)", "/v1/wallets?agent_id=\(ann.id)",
        "/v1/disputes?wallet_id=\(ann.wallet)", "/v1/reservations?wallet_id=\(ann.wallet)",
      ]
      for path in shared {
        #expect(try await scene.get(path, key: mine).status == 200, "\(path)")
        #expect(try await scene.get(path, key: theirs).status == 200, "\(path)")
        #expect(try await scene.get(path, key: third).status == 404, "\(path)")
      }
      for path in own {
        #expect(try await scene.get(path, key: mine).status == 200, "\(path)")
        #expect(try await scene.get(path, key: theirs).status == 404, "\(path)")
      }
      let list = try await scene.get("/v1/payments", key: mine)
      #expect(list.status == 400 && list["field"] == "wallet_id")
      for word in ["review", "resolve"] {
        let reply = try await scene.post(
          "/v1/disputes/\(id)/\(word)", #"{"outcome":"denied"}"#, key: mine)
        #expect(reply.status == 403 && reply["reason"] == "not_permitted", "\(word)")
      }
    }
  }
}
