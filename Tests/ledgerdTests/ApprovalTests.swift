import LedgerCore
import Testing

@testable import ledgerd

/// Goal: a payment above the threshold waits under the id that it keeps, and is paid, denied,
/// cancelled or expired; nobody but whom it concerns learns of it.
/// Method: the real router over a real ledger; whole lives, and who may do what in them.
@Suite struct ApprovalTests {
  /// Ann with 100, whose payments above 5 wait, bob, and the key of their tenant's admin.
  private static func scene(
    seconds: Int = 3_600,
    _ body: @escaping @Sendable (Scene, Member, Member, String) async throws -> Void
  ) async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let admin = try await scene.tenantKey()
      let set = try await scene.post(
        "/v1/policies",
        #"{"wallet_id":"\#(ann.wallet)","daily":[{"currency":"USD","amount":50}],"#
          + #""approval":[{"currency":"USD","above":5,"expires_in":\#(seconds)}]}"#, key: admin)
      try #require(set.status == 201)
      try await body(scene, ann, bob, admin)
    }
  }

  private static func step(
    _ scene: Scene, _ payment: String, _ word: String, _ body: String = "{}", key: String
  ) async throws -> Reply {
    try await scene.post("/v1/payments/\(payment)/\(word)", body, key: key)
  }

  private static func used(_ scene: Scene, _ agent: Member) async throws -> String? {
    let policies = try await scene.get("/v1/policies", key: agent.key).list("policies")
    return policies.first?.list("rules").first?["used_text"]
  }

  @Test func `an approved payment keeps its id, in every answer`() async throws {
    try await Self.scene { scene, ann, bob, admin in
      let body =
        #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(bob.wallet)","amount":10,"#
        + #""description":"a book","idempotency_key":"k"}"#
      let asked = try await scene.post("/v1/payments", body, key: ann.key)
      let (id, at) = (asked["id"] ?? "", asked["created_at"] ?? "")
      let until = try #require(asked["expires_at"])
      let amounts =
        #""amount":10,"amount_text":"10","fee":0.04,"fee_text":"0.04","#
        + #""total_debited":10.04,"total_debited_text":"10.04""#
      let parties =
        #""currency":"USD","rail":"internal","from_wallet_id":"\#(ann.wallet)","#
        + #""to_wallet_id":"\#(bob.wallet)","description":"a book""#
      #expect(asked.status == 201 && id.hasPrefix("tx_"))
      let pending =
        #"{"id":"\#(id)","status":"pending",\#(amounts),\#(parties),"created_at":"\#(at)","#
        + #""expires_at":"\#(until)"}"#
      #expect(String(decoding: asked.json.bytes, as: UTF8.self) == pending)
      #expect(try await scene.available(ann) == "89.96")
      #expect(try await scene.available(bob) == "0.00")
      for key in [ann.key, bob.key, admin, try scene.operatorKey] {
        #expect(try await scene.get("/v1/payments/\(id)", key: key).json == asked.json)
      }

      let approved = try await Self.step(
        scene, id, "approve", #"{"idempotency_key":"a"}"#, key: admin)
      let decided = try #require(approved["decided_at"])
      let completed =
        #"{"id":"\#(id)","status":"completed",\#(amounts),\#(parties),"created_at":"\#(at)","#
        + #""decided_at":"\#(decided)"}"#
      #expect(approved.status == 200)
      #expect(String(decoding: approved.json.bytes, as: UTF8.self) == completed)
      let again = try await Self.step(
        scene, id, "approve", #"{"idempotency_key":"a"}"#, key: admin)
      #expect(again.json == approved.json && again.header("Idempotent-Replayed") == "true")
      #expect(try await scene.available(ann) == "89.96")
      #expect(try await scene.available(bob) == "10.00")
      for key in [ann.key, bob.key, admin] {
        #expect(try await scene.get("/v1/payments/\(id)", key: key).json == approved.json)
      }
      for agent in [ann, bob] {
        let list = try await scene.get("/v1/payments", key: agent.key).list("payments")
        #expect(list.map(\.json) == [approved.json])
      }
      // As it was answered first, for ever.
      let replayed = try await scene.post("/v1/payments", body, key: ann.key)
      #expect(replayed.json == asked.json && replayed.header("Idempotent-Replayed") == "true")
      #expect(try await Self.used(scene, ann) == "10.04")
    }
  }

  @Test func `an approved payment is refunded and disputed by its id`() async throws {
    try await Self.scene { scene, ann, bob, admin in
      let id = try #require(try await scene.pay(ann, bob.wallet, "10")["id"])
      #expect(try await Self.step(scene, id, "approve", key: admin).status == 200)
      let refund = try await Self.step(scene, id, "refund", #"{"amount":4}"#, key: bob.key)
      #expect(refund.status == 201 && refund["payment_id"] == id)
      let partly = try await scene.get("/v1/payments/\(id)", key: ann.key)
      #expect(partly["status"] == "partially_refunded" && partly["refunded_text"] == "4")
      let opened = try await scene.post(
        "/v1/disputes", #"{"payment_id":"\#(id)","reason":"other"}"#, key: ann.key)
      #expect(opened.status == 201 && opened["payment_id"] == id && opened["amount"] == "6")
      let path = "/v1/disputes/\(opened["id"] ?? "")"
      #expect(try await scene.get(path, key: bob.key)["payment_id"] == id)
      let list = try await scene.get("/v1/disputes", key: ann.key).list("disputes")
      #expect(list.map { $0["payment_id"] } == [id])
      let seen = try await scene.get("/v1/payments/\(id)", key: ann.key)
      #expect(seen["dispute_id"] == opened["id"])
      let late = try await Self.step(scene, id, "deny", key: admin)
      #expect(late.status == 409 && late["reason"] == "payment_not_pending")
    }
  }

  @Test func `a payment that is denied or cancelled gives the money back`() async throws {
    for (word, body, cause) in [
      ("deny", #"{"reason":"too dear"}"#, "denied"), ("cancel", "{}", "cancelled"),
    ] {
      try await Self.scene { scene, ann, bob, admin in
        let id = try #require(try await scene.pay(ann, bob.wallet, "10")["id"])
        let ended = try await Self.step(
          scene, id, word, body, key: word == "deny" ? admin : ann.key)
        #expect(ended.status == 200 && ended["status"] == "failed" && ended["cause"] == cause)
        #expect(ended["reason"] == (word == "deny" ? "too dear" : nil))
        #expect(ended["expires_at"] == nil && ended["decided_at"] != nil)
        #expect(try await scene.available(ann) == "100.00")
        #expect(try await Self.used(scene, ann) == "0")
        #expect(try await scene.get("/v1/payments/\(id)", key: ann.key).json == ended.json)
        let list = try await scene.get("/v1/payments", key: ann.key).list("payments")
        #expect(list.map(\.json) == [ended.json])
        #expect(try await scene.get("/v1/payments", key: bob.key).list("payments").isEmpty)
        let late = try await Self.step(scene, id, "approve", key: admin)
        #expect(late.status == 409 && late["reason"] == "payment_not_pending")
        let refund = try await Self.step(scene, id, "refund", key: bob.key)
        #expect(refund.status == 409 && refund["reason"] == "payment_not_completed")
      }
    }
  }

  @Test func `a payment that nobody approves expires`() async throws {
    try await Self.scene(seconds: 1) { scene, ann, bob, admin in
      let asked = try await scene.pay(ann, bob.wallet, "10")
      let id = try #require(asked["id"])
      try await Task.sleep(for: .milliseconds(1_100))
      let seen = try await scene.get("/v1/payments/\(id)", key: ann.key)
      #expect(seen["status"] == "expired" && seen["decided_at"] == asked["expires_at"])
      #expect(try await scene.available(ann) == "100.00")
      let late = try await Self.step(scene, id, "approve", key: admin)
      #expect(late.status == 409 && late["reason"] == "payment_not_pending")
      let waiting = try await scene.get("/v1/payments?status=pending", key: admin)
      #expect(waiting.list("payments").isEmpty)
    }
  }

  @Test func `only who manages the tenant decides, and others do not learn of it`() async throws {
    try await Self.scene { scene, ann, bob, admin in
      let eve = try await scene.agent("eve", of: "evil")
      let foreign = try await scene.tenantKey("evil")
      let id = try #require(try await scene.pay(ann, bob.wallet, "10")["id"])
      let done = try #require(try await scene.pay(ann, bob.wallet, "1")["id"])
      let rows: [(String, String, Int, String)] = [
        ("approve", ann.key, 403, "not_permitted"), ("deny", bob.key, 403, "not_permitted"),
        ("approve", foreign, 404, "payment_not_found"), ("deny", foreign, 404, "payment_not_found"),
        ("cancel", eve.key, 404, "payment_not_found"),
        ("cancel", bob.key, 404, "payment_not_found"),
        ("cancel", admin, 403, "not_permitted"), ("refund", eve.key, 404, "payment_not_found"),
        ("refund", bob.key, 409, "payment_not_completed"),
      ]
      for (word, key, status, reason) in rows {
        let reply = try await Self.step(scene, id, word, key: key)
        #expect(reply.status == status && reply["reason"] == reason, "\(word): \(reply.json)")
      }
      for key in [eve.key, foreign] {
        let seen = try await scene.get("/v1/payments/\(id)", key: key)
        let none = try await scene.get("/v1/payments/tx_0", key: key)
        #expect(seen.status == 404 && seen.json == none.json)
        let dispute = try await scene.post(
          "/v1/disputes", #"{"payment_id":"\#(id)","reason":"other"}"#, key: eve.key)
        #expect(dispute.status == 404 && dispute.json == none.json)
      }
      let early = try await scene.post(
        "/v1/disputes", #"{"payment_id":"\#(id)","reason":"other"}"#, key: ann.key)
      #expect(early.status == 409 && early["reason"] == "payment_not_completed")
      let never = try await Self.step(scene, done, "approve", key: admin)
      #expect(never.status == 409 && never["reason"] == "payment_not_pending")
      let none = try await Self.step(scene, done, "approve", key: foreign)
      #expect(none.status == 404 && none["reason"] == "payment_not_found")
    }
  }

  @Test func `what waits is no reservation, and is listed for who may approve it`() async throws {
    try await Self.scene { scene, ann, bob, admin in
      let foreign = try await scene.tenantKey("evil")
      var ids: [String] = []
      for _ in 0..<3 { ids.append(try await scene.pay(ann, bob.wallet, "6")["id"] ?? "") }
      let ledger = scene.daemon.backend.ids
      let number = try #require(ledger.number(.payment, ids[0]))
      let reservation = ledger.text(.reservation, number)
      #expect(try await scene.get("/v1/reservations/\(reservation)", key: ann.key).status == 404)
      for word in ["capture", "release"] {
        let reply = try await scene.post(
          "/v1/reservations/\(reservation)/\(word)", "{}", key: ann.key)
        #expect(reply.status == 404, "\(word)")
      }
      let held = try await scene.get("/v1/reservations", key: ann.key)
      #expect(held.list("reservations").isEmpty)

      let path = "/v1/payments?status=pending"
      for key in [admin, ann.key, try scene.operatorKey] {
        let list = try await scene.get(path, key: key).list("payments")
        #expect(list.map { $0["id"] } == ids.reversed())
        #expect(list.allSatisfy { $0["status"] == "pending" })
      }
      #expect(try await scene.get(path, key: foreign).list("payments").isEmpty)
      #expect(try await scene.get(path, key: bob.key).list("payments").isEmpty)
      let other = try await scene.get("\(path)&wallet_id=\(ann.wallet)", key: foreign)
      #expect(other.status == 404)
      let page = try await scene.get("\(path)&limit=2", key: admin)
      let next = try #require(page["next_cursor"])
      let rest = try await scene.get("\(path)&limit=2&cursor=\(next)", key: admin)
      #expect(rest.list("payments").map { $0["id"] } == [ids[0]] && rest["next_cursor"] == nil)
      #expect(try await Self.step(scene, ids[1], "approve", key: admin).status == 200)
      let left = try await scene.get(path, key: admin).list("payments")
      #expect(left.map { $0["id"] } == [ids[2], ids[0]])
      // The capture has an event of its own, and no id.
      let capture = ledger.text(.payment, scene.engine.head.rawValue)
      #expect(try await scene.get("/v1/payments/\(capture)", key: ann.key).status == 404)
    }
  }

  @Test func `lines wait too, and are answered as alone`() async throws {
    try await Self.scene { scene, ann, bob, _ in
      let line = { (rest: String) in
        #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(bob.wallet)","amount":6\#(rest)}"#
      }
      let lines = [line(#","idempotency_key":"p""#), line(#","description":"d""#)]
      let replies = try await scene.lines("/v1/payments/batch", lines, key: ann.key)
      #expect(replies.map { $0["status"] } == ["pending", "pending"])
      for reply in replies {
        let alone = try await scene.get("/v1/payments/\(reply["id"] ?? "")", key: ann.key)
        #expect(alone.json == reply.json)
      }
      let again = try await scene.lines("/v1/payments/batch", [lines[0]], key: ann.key)
      #expect(again[0]["id"] == replies[0]["id"] && again[0]["idempotent_replayed"] == "true")
    }
  }

  @Test func `a split waits with all its receivers, whoever bears the fee`() async throws {
    try await Self.scene { scene, ann, bob, admin in
      let fees = try await scene.post(
        "/v1/fees", #"{"basis_points":100,"side":"payee"}"#, key: scene.operatorKey)
      #expect(fees.status == 201)
      let asked = try await scene.post(
        "/v1/payments",
        #"{"from_wallet_id":"\#(ann.wallet)","amount":10,"split":["#
          + #"{"to_wallet_id":"\#(bob.wallet)","share":3},{"to_external":"shop","share":1}]}"#,
        key: ann.key)
      let id = try #require(asked["id"])
      #expect(asked["status"] == "pending" && asked["fee_text"] == "0.1")
      #expect(asked["total_debited"] == "10" && asked["total_credited"] == "9.9")
      let parts = asked.list("split")
      #expect(parts.map { $0["amount_text"] } == ["7.5", "2.5"])
      #expect(parts.map { $0["fee_text"] } == ["0.075", "0.025"])
      #expect(try await scene.get("/v1/payments/\(id)", key: ann.key).json == asked.json)
      // A receiver sees his own part only.
      let his = try await scene.get("/v1/payments/\(id)", key: bob.key).list("split")
      #expect(his.map { $0["to_wallet_id"] } == [bob.wallet])
      let approved = try await Self.step(scene, id, "approve", key: admin)
      #expect(approved["status"] == "completed")
      #expect(approved.list("split").map(\.json) == parts.map(\.json))
      #expect(try await scene.available(bob) == "7.425")
      let refund = try await Self.step(scene, id, "refund", key: scene.operatorKey)
      #expect(refund.status == 402 && refund["payment_id"] == nil)
    }
  }
}
