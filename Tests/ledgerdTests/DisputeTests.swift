import LedgerCore
import Testing

@testable import ledgerd

/// Goal: a payment is disputed, argued about and decided over HTTP, and whoever is refused learns
/// why and which dispute stands in the way.
/// Method: the real router over a real ledger in a temporary directory.
@Suite struct DisputeTests {
  /// Ann with 100, and bob, whom she paid 10.
  private static func paid(_ scene: Scene) async throws -> (Member, Member, payment: String) {
    let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
    let paid = try await scene.pay(ann, bob.wallet, "10")
    return (ann, bob, try #require(paid["id"]))
  }

  private static func open(
    _ scene: Scene, _ payment: String, key: String, _ rest: String = ""
  ) async throws -> Reply {
    try await scene.post(
      "/v1/disputes",
      #"{"payment_id":"\#(payment)","reason":"service_not_delivered"\#(rest)}"#, key: key)
  }

  private static func step(
    _ scene: Scene, _ dispute: String, _ word: String, _ body: String = "{}", key: String
  ) async throws -> Reply {
    try await scene.post("/v1/disputes/\(dispute)/\(word)", body, key: key)
  }

  @Test func `the payer's dispute holds the money until an operator decides`() async throws {
    for (outcome, ann, bob) in [("refunded", "99.96", "0.00"), ("denied", "89.96", "10.00")] {
      try await Scene.run { scene in
        let (payer, payee, payment) = try await Self.paid(scene)
        let opened = try await Self.open(
          scene, payment, key: payer.key, #","description":"nothing came""#)
        let id = try #require(opened["id"])
        #expect(opened.status == 201 && id.hasPrefix("disp_") && opened["status"] == "open")
        #expect(opened["payment_id"] == payment && opened["opened_by"] == "payer")
        #expect(opened["amount_text"] == "10" && opened["description"] == "nothing came")
        #expect(try await scene.available(payee) == "0.00")
        let refund = try await scene.post(
          "/v1/payments/\(payment)/refund", "{}", key: payee.key)
        #expect(refund.status == 409 && refund["reason"] == "payment_disputed")
        #expect(refund["dispute_id"] == id)

        let operatorKey = try scene.operatorKey
        let early = try await Self.step(
          scene, id, "resolve", #"{"outcome":"\#(outcome)"}"#, key: operatorKey)
        #expect(early.status == 409 && early["reason"] == "dispute_not_reviewed")
        let reviewed = try await Self.step(scene, id, "review", key: operatorKey)
        #expect(reviewed.status == 200 && reviewed["status"] == "under_review")
        let late = try await Self.step(scene, id, "withdraw", key: payer.key)
        #expect(late.status == 409 && late["reason"] == "dispute_under_review")
        let resolved = try await Self.step(
          scene, id, "resolve",
          #"{"outcome":"\#(outcome)","reason":"see logs","idempotency_key":"r"}"#,
          key: operatorKey)
        #expect(resolved.status == 200 && resolved["status"] == "resolved_\(outcome)")
        let again = try await Self.step(
          scene, id, "resolve",
          #"{"outcome":"\#(outcome)","reason":"see logs","idempotency_key":"r"}"#,
          key: operatorKey)
        #expect(again.json == resolved.json)
        #expect(try await scene.available(payer) == ann)
        #expect(try await scene.available(payee) == bob)
        let seen = try await scene.get("/v1/disputes/\(id)", key: payee.key)
        #expect(seen["status"] == "resolved_\(outcome)" && seen["held_text"] == nil)
        let disputed = try await scene.get("/v1/payments/\(payment)", key: payee.key)
        #expect(disputed["dispute_id"] == id)
        #expect(disputed["dispute_status"] == "resolved_\(outcome)")
        #expect(seen["ended_at"] == resolved["created_at"])
        let twice = try await Self.open(scene, payment, key: payer.key)
        #expect(twice.status == 409 && twice["code"] == "DUPLICATE_DISPUTE")
        #expect(twice["dispute_id"] == id)
      }
    }
  }

  @Test func `what the payee no longer has comes from what he is paid next`() async throws {
    try await Scene.run { scene in
      let (ann, bob, payment) = try await Self.paid(scene)
      #expect(try await scene.pay(bob, ann.wallet, "6").status == 201)
      let opened = try await Self.open(scene, payment, key: ann.key)
      let path = "/v1/disputes/\(opened["id"] ?? "")"
      #expect(try await scene.available(bob) == "0.00")
      // The payer does not learn how much of it was there.
      let payers = try await scene.get(path, key: ann.key)
      #expect(payers["amount_text"] == "10" && payers["held_text"] == nil)
      for key in [bob.key, try scene.operatorKey] {
        let seen = try await scene.get(path, key: key)
        #expect(seen["held_text"] == "10" && seen["receivable_text"] == "6.024")
        #expect(seen["uncovered_text"] == "0")
      }
      #expect(try await scene.pay(ann, bob.wallet, "5").status == 201)
      #expect(try await scene.available(bob) == "0.00")
      #expect(try await scene.pay(ann, bob.wallet, "5").status == 201)
      #expect(try await scene.available(bob) == "3.976")
    }
  }

  @Test func `each receiver of a split sees what is claimed of him`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let (bob, eve) = (try await scene.agent("bob"), try await scene.agent("eve", of: "evil"))
      let paid = try await scene.post(
        "/v1/payments",
        #"{"from_wallet_id":"\#(ann.wallet)","amount":10,"split":["#
          + #"{"to_wallet_id":"\#(bob.wallet)","share":7},"#
          + #"{"to_wallet_id":"\#(eve.wallet)","share":3}]}"#, key: ann.key)
      #expect(try await scene.pay(eve, ann.wallet, "2").status == 201)
      let payment = try #require(paid["id"])
      let opened = try await Self.open(scene, payment, key: ann.key)
      let path = "/v1/disputes/\(opened["id"] ?? "")"
      let rows: [(String, [String?])] = [
        (ann.key, [nil, nil, nil]), (bob.key, ["7", "0", "0"]), (eve.key, ["3", "2.008", "0"]),
        (try scene.operatorKey, ["10", "2.008", "0"]),
      ]
      let names = ["held_text", "receivable_text", "uncovered_text"]
      for (key, expected) in rows {
        let seen = try await scene.get(path, key: key)
        #expect(names.map { seen[$0] } == expected && seen["amount_text"] == "10")
        let listed = try await scene.get(
          "/v1/disputes" + (key == rows[3].0 ? "?status=open" : ""), key: key
        ).list("disputes")
        #expect(listed.map { list in names.map { list[$0] } } == [expected])
      }
      let id = try #require(opened["id"])
      #expect(try await Self.step(scene, id, "withdraw", key: ann.key).status == 200)
      for (key, _) in rows {
        #expect(try await scene.get(path, key: key)["held_text"] == nil)
      }
    }
  }

  @Test func `a payment names its newest dispute, to its parties`() async throws {
    try await Scene.run { scene in
      let (ann, bob, payment) = try await Self.paid(scene)
      let eve = try await scene.agent("eve", of: "evil")
      let path = "/v1/payments/\(payment)"
      #expect(try await scene.get(path, key: ann.key)["dispute_id"] == nil)
      let first = try #require(try await Self.open(scene, payment, key: bob.key)["id"])
      for key in [ann.key, bob.key, try scene.operatorKey] {
        let seen = try await scene.get(path, key: key)
        #expect(seen["dispute_id"] == first && seen["dispute_status"] == "open")
      }
      #expect(try await scene.get(path, key: eve.key).status == 404)
      _ = try await Self.step(scene, first, "withdraw", key: bob.key)
      #expect(try await scene.get(path, key: ann.key)["dispute_status"] == "withdrawn")
      let second = try #require(try await Self.open(scene, payment, key: ann.key)["id"])
      _ = try await Self.step(scene, second, "review", key: scene.operatorKey)
      let listed = try await scene.get("/v1/payments", key: bob.key).list("payments")
      #expect(listed.map { $0["dispute_id"] } == [second])
      #expect(listed.map { $0["dispute_status"] } == ["under_review"])
      #expect(listed.map { $0["status"] } == ["completed"])
    }
  }

  @Test func `evidence comes back as it was sent, to the parties only`() async throws {
    try await Scene.run { scene in
      let (ann, bob, payment) = try await Self.paid(scene)
      let eve = try await scene.agent("eve", of: "evil")
      let id = try #require(try await Self.open(scene, payment, key: ann.key)["id"])
      let path = "/v1/disputes/\(id)/evidence"
      let text = #"<script>alert(1)</script> \"quoted\"\nline two"#
      let sent = try await scene.post(
        path, #"{"type":"log_excerpt","content":"\#(text)"}"#, key: ann.key)
      #expect(sent.status == 201 && sent["dispute_id"] == id && sent["type"] == "log_excerpt")
      _ = try await scene.post(
        path, #"{"type":"screenshot","content":"aGVsbG8="}"#, key: bob.key)
      _ = try await scene.post(
        path, #"{"type":"api_response","content":"200 OK"}"#, key: scene.operatorKey)
      let list = try await scene.get("\(path)?limit=2", key: bob.key)
      #expect(list.list("evidence").map { $0["by"] } == ["operator", "payee"])
      let next = try #require(list["next_cursor"])
      let rest = try await scene.get("\(path)?limit=2&cursor=\(next)", key: bob.key)
      #expect(rest.list("evidence").map { $0["by"] } == ["payer"])
      #expect(
        rest.list("evidence").first?["content"]
          == "<script>alert(1)</script> \"quoted\"\nline two")
      for (method, key) in [("get", eve.key), ("post", eve.key)] {
        let reply =
          method == "get"
          ? try await scene.get(path, key: key)
          : try await scene.post(path, #"{"type":"screenshot","content":"x"}"#, key: key)
        #expect(reply.status == 404 && reply["reason"] == "dispute_not_found")
      }
      let bad = [
        (#"{"type":"poem","content":"x"}"#, "type"), (#"{"type":"screenshot"}"#, "content"),
        (#"{"type":"screenshot","content":""}"#, "content"),
        (#"{"type":"log_excerpt","content":"a\u001bb"}"#, "content"),
        (
          #"{"type":"log_excerpt","content":"\#(String(repeating: "x", count: 48_001))"}"#,
          "content"
        ),
      ]
      for (body, field) in bad {
        let reply = try await scene.post(path, body, key: ann.key)
        #expect(reply.status == 400 && reply["field"] == field, "\(field)")
      }
      #expect(try await Self.step(scene, id, "withdraw", key: ann.key).status == 200)
      let late = try await scene.post(
        path, #"{"type":"screenshot","content":"x"}"#, key: ann.key)
      #expect(late.status == 409 && late["reason"] == "dispute_ended")
    }
  }

  @Test func `disputes are listed by wallet, and for operators those to decide`() async throws {
    try await Scene.run { scene in
      let (ann, bob, payment) = try await Self.paid(scene)
      let eve = try await scene.agent("eve", of: "evil")
      let other = try #require(try await scene.pay(ann, bob.wallet, "1")["id"])
      let first = try #require(try await Self.open(scene, payment, key: ann.key)["id"])
      let second = try #require(try await Self.open(scene, other, key: bob.key)["id"])
      let ids = { (reply: Reply) in reply.list("disputes").map { $0["id"] } }
      for key in [ann.key, bob.key] {
        #expect(ids(try await scene.get("/v1/disputes", key: key)) == [second, first])
      }
      #expect(ids(try await scene.get("/v1/disputes", key: eve.key)).isEmpty)
      let operatorKey = try scene.operatorKey
      let queue = try await scene.get("/v1/disputes?limit=1", key: operatorKey)
      #expect(ids(queue) == [second])
      let next = try #require(queue["next_cursor"])
      let rest = try await scene.get("/v1/disputes?limit=1&cursor=\(next)", key: operatorKey)
      #expect(ids(rest) == [first] && rest["next_cursor"] == nil)
      _ = try await Self.step(scene, first, "review", key: operatorKey)
      _ = try await Self.step(scene, second, "withdraw", key: bob.key)
      for (status, expected) in [("under_review", [first]), ("withdrawn", [second]), ("open", [])] {
        let list = try await scene.get("/v1/disputes?status=\(status)", key: ann.key)
        #expect(ids(list) == expected, "\(status)")
      }
      #expect(ids(try await scene.get("/v1/disputes", key: operatorKey)) == [first])
      for (status, expected) in [("under_review", [first]), ("withdrawn", [second]), ("open", [])] {
        let list = try await scene.get("/v1/disputes?status=\(status)", key: operatorKey)
        #expect(ids(list) == expected, "\(status)")
      }
      #expect(try await scene.get("/v1/disputes/\(first)", key: eve.key).status == 404)
      #expect(try await scene.get("/v1/disputes?status=lost", key: ann.key).status == 400)
    }
  }

  @Test func `who may not, and what is not there`() async throws {
    try await Scene.run { scene in
      let (ann, bob, payment) = try await Self.paid(scene)
      let eve = try await scene.agent("eve", of: "evil")
      let operatorKey = try scene.operatorKey
      for (id, key) in [(payment, eve.key), ("tx_" + String(repeating: "0", count: 26), ann.key)] {
        let reply = try await Self.open(scene, id, key: key)
        #expect(reply.status == 404 && reply["reason"] == "payment_not_found")
      }
      let wrong = try await scene.post(
        "/v1/disputes", #"{"payment_id":"\#(payment)","reason":"grumpy"}"#, key: ann.key)
      #expect(wrong.status == 400 && wrong["field"] == "reason")
      let id = try #require(try await Self.open(scene, payment, key: operatorKey)["id"])
      #expect(try await Self.step(scene, id, "review", key: ann.key).status == 403)
      #expect(
        try await Self.step(scene, id, "resolve", #"{"outcome":"denied"}"#, key: bob.key).status
          == 403)
      let notYours = try await Self.step(scene, id, "withdraw", key: bob.key)
      #expect(notYours.status == 403 && notYours["reason"] == "not_permitted")
      let close = try await scene.post("/v1/wallets/\(bob.wallet)/close", "{}", key: bob.key)
      #expect(close.status == 409 && close["reason"] == "wallet_in_dispute")
      _ = try await scene.post("/v1/payments/\(payment)/refund", "{}", key: bob.key)
      #expect(try await Self.step(scene, id, "withdraw", key: ann.key).status == 200)
      _ = try await scene.post("/v1/payments/\(payment)/refund", "{}", key: bob.key)
      let nothing = try await Self.open(scene, payment, key: bob.key)
      #expect(nothing.status == 409 && nothing["reason"] == "nothing_to_dispute")
    }
  }
}
