import LedgerCore
import Testing

@testable import ledgerd

/// Goal: money is held, captured, given back and refunded over HTTP, to the unit, and whoever is
/// refused learns which field, what binds and what is left.
/// Method: the real router over a real ledger in a temporary directory.
@Suite struct ReservationTests {
  private static func reserve(
    _ scene: Scene, _ payer: Member, _ to: String, _ amount: String, _ rest: String = ""
  ) async throws -> Reply {
    let parties = #""from_wallet_id":"\#(payer.wallet)","to_wallet_id":"\#(to)""#
    return try await scene.post(
      "/v1/reservations", "{\(parties),\"amount\":\(amount),\"expires_in\":600\(rest)}",
      key: payer.key)
  }

  private static func capture(
    _ scene: Scene, _ id: String, _ body: String, by member: Member
  ) async throws -> Reply {
    try await scene.post("/v1/reservations/\(id)/capture", body, key: member.key)
  }

  @Test func `money is held with its fee, and a part of it is paid`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let made = try await Self.reserve(scene, ann, bob.wallet, "10", #","description":"tea""#)
      #expect(made.status == 201 && made["status"] == "open" && made["captures"] == "one")
      #expect(made["fee_text"] == "0.04" && made["held_text"] == "10.04")
      #expect(try await scene.available(ann) == "89.96")
      let balance = try await scene.get("/v1/wallets/\(ann.wallet)/balance", key: ann.key)
      #expect(balance["held_text"] == "10.04" && balance["balance_text"] == "100.00")

      let id = try #require(made["id"])
      let paid = try await Self.capture(scene, id, #"{"amount":4}"#, by: ann)
      #expect(paid.status == 201 && paid["reservation_id"] == id && paid["description"] == "tea")
      #expect(paid["fee_text"] == "0.016" && paid["total_debited_text"] == "4.016")
      #expect(try await scene.available(ann) == "95.984")
      #expect(try await scene.available(bob) == "4.00")

      for reader in [ann.key, bob.key, try scene.operatorKey] {
        let read = try await scene.get("/v1/reservations/\(id)", key: reader)
        #expect(read["status"] == "captured" && read["captured_text"] == "4")
        #expect(read["held_text"] == "0" && read["ended_at"] == paid["created_at"])
      }
      let payments = try await scene.get("/v1/payments", key: bob.key).list("payments")
      #expect(payments.map { $0["id"] } == [paid["id"]])
    }
  }

  @Test func `several captures, a release, and what is left after each`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let made = try await Self.reserve(scene, ann, bob.wallet, "10", #","captures":"several""#)
      let id = try #require(made["id"])
      for _ in 0..<2 {
        let paid = try await Self.capture(
          scene, id, #"{"amount":3,"idempotency_key":"first"}"#, by: ann)
        #expect(paid.status == 201)
      }
      let tooMuch = try await Self.capture(scene, id, #"{"amount":7.5}"#, by: ann)
      #expect(tooMuch["reason"] == "capture_exceeds_hold" && tooMuch["field"] == "amount")
      #expect(tooMuch["limit"] == "7" && tooMuch["used"] == "3" && tooMuch["asked"] == "7.5")
      #expect(try await Self.capture(scene, id, #"{"amount":2}"#, by: ann).status == 201)
      let released = try await scene.post("/v1/reservations/\(id)/release", "{}", key: ann.key)
      #expect(released.status == 200 && released["status"] == "released")
      #expect(released["released_text"] == "5.02" && released["from_wallet_id"] == ann.wallet)
      let read = try await scene.get("/v1/reservations/\(id)", key: ann.key)
      #expect(read["captured_text"] == "5" && read["held_text"] == "0")
      let again = try await scene.post("/v1/reservations/\(id)/release", "{}", key: ann.key)
      #expect(again.status == 409 && again["reason"] == "reservation_ended")
      #expect(try await scene.available(ann) == "94.98")
    }
  }

  @Test func `reservations are listed with what became of them, in pages`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      for amount in 1...3 { _ = try await Self.reserve(scene, ann, bob.wallet, "\(amount)") }
      _ = try await scene.pay(ann, bob.wallet, "1")
      var (path, amounts) = ("/v1/reservations?limit=2", [String?]())
      while true {
        let page = try await scene.get(path, key: ann.key)
        amounts += page.list("reservations").map { $0["amount"] }
        guard let next = page["next_cursor"] else { break }
        path = "/v1/reservations?limit=2&cursor=\(next)"
      }
      #expect(amounts == ["3", "2", "1"])
    }
  }

  @Test func `a stranger sees no reservation, and bad requests name their field`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let eve = try await scene.agent("eve", of: "evil")
      let id = try #require(try await Self.reserve(scene, ann, bob.wallet, "10")["id"])
      let read = try await scene.get("/v1/reservations/\(id)", key: eve.key)
      #expect(read.status == 404 && read["reason"] == "reservation_not_found")
      for member in [bob, eve] {
        let capture = try await Self.capture(scene, id, "{}", by: member)
        #expect(capture.status == 404 && capture["reason"] == "reservation_not_found")
      }
      let paymentId = try #require(try await scene.pay(ann, bob.wallet, "1")["id"])
      let wrong = try await scene.get("/v1/reservations/\(paymentId)", key: ann.key)
      #expect(wrong.status == 404)
      let far = try await scene.post(
        "/v1/reservations",
        #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(bob.wallet)","amount":1,"#
          + #""expires_in":2592001}"#, key: ann.key)
      #expect(far.status == 400 && far["field"] == "expires_in")
      for amount in ["0", "-1", #""NaN""#, "1e30", "0.0000000001"] {
        let reply = try await Self.capture(scene, id, #"{"amount":\#(amount)}"#, by: ann)
        #expect(reply.status == 400 && reply["field"] == "amount", "\(amount)")
      }
      #expect(try await scene.available(ann) == "88.956")
    }
  }

  // MARK: - Refunds

  @Test func `a payment is refunded in parts, and says so`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let id = try #require(try await scene.pay(ann, bob.wallet, "10")["id"])
      let path = "/v1/payments/\(id)/refund"
      let part = try await scene.post(
        path, #"{"amount":3,"reason":"late","idempotency_key":"r1"}"#, key: bob.key)
      #expect(part.status == 201 && part["id"]?.hasPrefix("ref_") == true)
      #expect(part["amount_text"] == "3" && part["to_wallet_id"] == ann.wallet)
      let same = try await scene.post(
        path, #"{"amount":3,"reason":"late","idempotency_key":"r1"}"#, key: bob.key)
      #expect(same.json == part.json && same.header("Idempotent-Replayed") == "true")
      let read = try await scene.get("/v1/payments/\(id)", key: ann.key)
      #expect(read["status"] == "partially_refunded" && read["refunded_text"] == "3")
      let more = try await scene.post(path, #"{"amount":7.1}"#, key: bob.key)
      #expect(more.status == 409 && more["reason"] == "refund_exceeds_payment")
      #expect(more["limit"] == "7" && more["used"] == "3" && more["asked"] == "7.1")
      #expect(try await scene.post(path, "{}", key: bob.key)["amount_text"] == "7")
      let none = try await scene.post(path, "{}", key: bob.key)
      #expect(none["reason"] == "refund_exceeds_payment" && none["limit"] == "0")
      #expect(try await scene.get("/v1/payments/\(id)", key: ann.key)["status"] == "refunded")
      // The fee stays (Q-06).
      #expect(try await scene.available(ann) == "99.96")
    }
  }

  @Test func `only the payee and operators refund`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let eve = try await scene.agent("eve", of: "evil")
      let id = try #require(try await scene.pay(ann, bob.wallet, "10")["id"])
      let path = "/v1/payments/\(id)/refund"
      #expect(try await scene.post(path, "{}", key: ann.key).status == 403)
      #expect(try await scene.post(path, "{}", key: eve.key)["reason"] == "payment_not_found")
      #expect(try await scene.post(path, "{}", key: try scene.operatorKey).status == 201)
      let external = try await scene.post(
        "/v1/payments",
        #"{"from_wallet_id":"\#(ann.wallet)","to_external":"merchant:demo","amount":1}"#,
        key: ann.key)
      let label = "/v1/payments/\(external["id"] ?? "")/refund"
      #expect(try await scene.post(label, "{}", key: ann.key).status == 403)
      #expect(try await scene.post(label, "{}", key: try scene.operatorKey).status == 201)
    }
  }
}
