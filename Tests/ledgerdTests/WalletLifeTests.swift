import LedgerCore
import Testing

@testable import ledgerd

/// Goal: wallets are opened, frozen, closed and reopened, payments stopped and fees set, over HTTP.
/// Method: the real router over a real ledger in a temporary directory.
@Suite struct WalletLifeTests {
  @Test func `an agent opens wallets, lists them and closes one into another`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let opened = try await scene.post("/v1/wallets", "{}", key: ann.key)
      let other = try #require(opened["wallet_id"])
      #expect(opened.status == 201 && opened["status"] == "open" && opened["agent_id"] == ann.id)
      let ids = try await scene.get("/v1/wallets", key: ann.key).list("wallets")
        .map { $0["wallet_id"] }
      #expect(ids == [other, ann.wallet])
      let listed = try await scene.get("/v1/wallets?agent_id=\(ann.id)", key: scene.operatorKey)
      #expect(listed.list("wallets").count == 2)

      let path = "/v1/wallets/\(ann.wallet)"
      let full = try await scene.post("\(path)/close", "{}", key: ann.key)
      #expect(full.status == 409 && full["reason"] == "wallet_not_empty")
      #expect(full["field"] == "to_wallet_id" && full["asked"] == "100")
      let close = #"{"to_wallet_id":"\#(other)","idempotency_key":"bye"}"#
      let closed = try await scene.post("\(path)/close", close, key: ann.key)
      #expect(closed.status == 200 && closed["status"] == "closed")
      #expect(closed["moved_text"] == "100" && closed["to_wallet_id"] == other)
      let moved = try await scene.get("/v1/wallets/\(other)", key: ann.key)
      #expect(moved["available_text"] == "100.00")
      let pay = try await scene.pay(ann, other, "1")
      #expect(pay.status == 409 && pay["reason"] == "wallet_closed")
      let reopened = try await scene.post("\(path)/reopen", "{}", key: ann.key)
      #expect(reopened.status == 200 && reopened["status"] == "open")
      // A replay says what was, and not what is.
      let again = try await scene.post("\(path)/close", close, key: ann.key)
      #expect(again.json == closed.json && again.header("Idempotent-Replayed") == "true")
    }
  }

  /// Each page begins where the one before ended, however many wallets are newer.
  @Test func `wallets are listed in pages`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      for _ in 0..<120 { _ = try await scene.post("/v1/wallets", "{}", key: ann.key) }
      let first = try await scene.get("/v1/wallets", key: ann.key)
      let next = try #require(first["next_cursor"])
      let rest = try await scene.get("/v1/wallets?cursor=\(next)", key: ann.key)
      let ids = (first.list("wallets") + rest.list("wallets")).compactMap { $0["wallet_id"] }
      #expect(ids.count == 121 && Set(ids).count == 121 && ids.last == ann.wallet)
      #expect(rest["next_cursor"] == nil)
    }
  }

  @Test func `other people's wallets and agents are not there`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let eve = try await scene.agent("eve", of: "evil")
      for (path, body) in [("close", "{}"), ("reopen", "{}")] {
        let reply = try await scene.post("/v1/wallets/\(ann.wallet)/\(path)", body, key: eve.key)
        #expect(reply.status == 404 && reply["reason"] == "wallet_not_found")
      }
      #expect(try await scene.get("/v1/wallets/\(ann.wallet)", key: eve.key).status == 404)
      #expect(try await scene.get("/v1/agents/\(ann.id)", key: eve.key).status == 404)
      let list = try await scene.get("/v1/wallets?agent_id=\(ann.id)", key: eve.key)
      #expect(list.status == 404 && list["field"] == "agent_id")
      let own = try await scene.get("/v1/agents/\(ann.id)", key: ann.key)
      #expect(own.status == 200 && own["name"] == "ann" && own["wallet_id"] == ann.wallet)
      #expect(try await scene.get("/v1/agents/\(ann.id)", key: scene.operatorKey).status == 200)
    }
  }

  @Test func `an operator freezes a wallet and lets it go`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let path = "/v1/wallets/\(ann.wallet)"
      #expect(try await scene.post("\(path)/freeze", "{}", key: ann.key).status == 403)
      let operatorKey = try scene.operatorKey
      let frozen = try await scene.post(
        "\(path)/freeze", #"{"reason":"looks stolen"}"#, key: operatorKey)
      #expect(frozen.status == 200 && frozen["status"] == "frozen")
      let pay = try await scene.pay(ann, bob.wallet, "1")
      #expect(pay.status == 403 && pay["reason"] == "wallet_frozen" && pay["code"] == "AP-1002")
      let twice = try await scene.post("\(path)/freeze", "{}", key: operatorKey)
      #expect(twice.status == 409 || twice["reason"] == "wallet_frozen")
      #expect(try await scene.post("\(path)/unfreeze", "{}", key: operatorKey).status == 200)
      #expect(try await scene.pay(ann, bob.wallet, "1").status == 201)
    }
  }

  @Test func `an operator stops the ledger, a tenant or a rail, and lets it go on`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let operatorKey = try scene.operatorKey
      let tenant = try #require(
        try await scene.get("/v1/agents/\(ann.id)", key: ann.key)["tenant_id"])
      for scope in [
        #""scope":"ledger""#, #""scope":"tenant","tenant_id":"\#(tenant)""#,
        #""scope":"rail","rail":"internal""#,
      ] {
        #expect(try await scene.post("/v1/pauses", "{\(scope)}", key: ann.key).status == 403)
        let paused = try await scene.post("/v1/pauses", "{\(scope)}", key: operatorKey)
        #expect(paused.status == 200 && paused["status"] == "paused", "\(scope)")
        let pay = try await scene.pay(ann, bob.wallet, "1")
        #expect(pay.status == 403 && pay["reason"] == "paused" && pay["retryable"] == "true")
        #expect(try await scene.get("/v1/pauses", key: operatorKey).list("pauses").count == 1)
        let resumed = try await scene.post("/v1/pauses/resume", "{\(scope)}", key: operatorKey)
        #expect(resumed.status == 200)
        #expect(try await scene.pay(ann, bob.wallet, "1").status == 201)
      }
      for body in [
        #"{"scope":"ledger","tenant_id":"\#(tenant)"}"#, #"{"scope":"tenant"}"#,
        #"{"scope":"rail"}"#,
      ] {
        let reply = try await scene.post("/v1/pauses", body, key: operatorKey)
        #expect(reply.status == 400 && reply["field"] == "scope", "\(body)")
      }
    }
  }

  @Test func `fees are read by everyone and set by operators`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let operatorKey = try scene.operatorKey
      let standard = try await scene.get("/v1/fees")
      #expect(standard["basis_points"] == "40" && standard["side"] == "payer")
      let body = #"{"basis_points":100,"min":"0.05","side":"payee","on_refund":"proportional"}"#
      #expect(try await scene.post("/v1/fees", body, key: ann.key).status == 403)
      let set = try await scene.post("/v1/fees", body, key: operatorKey)
      #expect(set.status == 201 && set["schedule"] == "2" && set["min_text"] == "0.05")

      let paid = try await scene.pay(ann, bob.wallet, "10")
      #expect(paid["fee_text"] == "0.1" && paid["total_debited_text"] == "10")
      #expect(paid["total_credited_text"] == "9.9")
      let small = try await scene.pay(ann, bob.wallet, "0.05")
      #expect(small.status == 409 && small["reason"] == "fee_takes_all" && small["limit"] == "0.05")
      let refund = try await scene.post(
        "/v1/payments/\(paid["id"] ?? "")/refund", #"{"amount":5}"#, key: bob.key)
      #expect(refund["fee_text"] == "0.05")
      #expect(try await scene.available(bob) == "4.95")

      let past = try await scene.post(
        "/v1/fees", #"{"basis_points":1,"starts_at":"2020-01-01T00:00:00Z"}"#, key: operatorKey)
      #expect(past.status == 409 && past["reason"] == "schedule_in_past")
      for time in [
        "tomorrow", "2027-13-01T00:00:00Z", "1969-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
        "2027-01-01T00:00:00Zx", "2027-01-01T00:00:00+02:00",
      ] {
        let reply = try await scene.post(
          "/v1/fees", #"{"basis_points":1,"starts_at":"\#(time)"}"#, key: operatorKey)
        #expect(reply.status == 400 && reply["field"] == "starts_at", "\(time)")
      }
    }
  }
}
