import Foundation
import LedgerCore
import Testing

@testable import ledgerd

/// Goal: policies are set, seen by whom they bear on, and a denial names the rule that bound.
/// Method: the real router over a real ledger; exact answers, and tables of what is refused.
@Suite struct PolicyTests {
  static func set(
    _ scene: Scene, _ body: String, key: String
  ) async throws -> Reply {
    try await scene.post("/v1/policies", body, key: key)
  }

  @Test func `a limit denies, and says what is used, what is left and when it resets`()
    async throws
  {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let policy = try await Self.set(
        scene,
        #"{"wallet_id":"\#(ann.wallet)","per_payment":[{"currency":"USD","amount":8}],"#
          + #""daily":[{"currency":"USD","amount":"10"}]}"#, key: scene.operatorKey)
      #expect(policy.status == 201 && policy["version"] == "1" && policy["scope"] == "wallet")
      let id = try #require(policy["policy_id"])
      #expect(id.hasPrefix("pol_"))
      #expect(try await scene.pay(ann, bob.wallet, "5").status == 201)

      let denied = try await scene.pay(ann, bob.wallet, "5")
      let resets = try #require(denied["resets_at"])
      #expect(resets.hasSuffix("T00:00:00.000000000Z"))
      let expected =
        #"{"type":"urn:ledger:problem:limit_exceeded","title":"Over what is allowed in a period","#
        + #""status":403,"detail":"Send less, or wait until \#(resets); this takes 5.02 USD, fee "#
        + #"included, and of the policy's 10 USD 5.02 USD is used and 4.98 USD is left.","#
        + #""code":"AP-1002","reason":"limit_exceeded","rejection":1004,"field":"amount","#
        + #""retryable":false,"final":false,"next_action":"stop","limit":"10","used":"5.02","#
        + #""asked":"5.02","policy_id":"\#(id)","policy_version":1,"rule":2,"#
        + #""resets_at":"\#(resets)"}"#
      #expect(denied.status == 403)
      #expect(String(decoding: denied.json.bytes, as: UTF8.self) == expected)

      let large = try await scene.pay(ann, bob.wallet, "8", #","idempotency_key":"k""#)
      #expect(large["reason"] == "per_payment_exceeded" && large["rule"] == "1")
      #expect(large["limit"] == "8" && large["asked"] == "8.032" && large["used"] == nil)
      #expect(large["final"] == "true" && large["resets_at"] == nil)
      let again = try await scene.pay(ann, bob.wallet, "8", #","idempotency_key":"k""#)
      #expect(again.json == large.json && again.header("Idempotent-Replayed") == "true")
      #expect(try await scene.available(ann) == "94.98")

      // More than the limit itself is too much at any time.
      let lifted = try await Self.set(
        scene, #"{"agent_id":"\#(ann.id)","weekly":[{"currency":"USD","amount":2}]}"#,
        key: scene.operatorKey)
      #expect(lifted.status == 201)
      let never = try await scene.pay(ann, bob.wallet, "3")
      #expect(never["reason"] == "limit_exceeded" && never["resets_at"] == nil)
      #expect(never["detail"]?.contains("never allows more than 2 USD") == true)
      #expect(
        try await Self.set(scene, #"{"agent_id":"\#(ann.id)"}"#, key: scene.operatorKey)
          .status == 201)

      let seen = try await scene.get("/v1/policies", key: ann.key).list("policies")
      #expect(seen.count == 1 && seen[0]["policy_id"] == id && seen[0]["in_force"] == "true")
      let rules = seen[0].list("rules")
      #expect(rules.map { $0["field"] } == ["per_payment[0]", "daily[0]"])
      #expect(rules.map { $0["used_text"] } == [nil, "5.02"])
      #expect(rules[1]["remaining_text"] == "4.98" && rules[1]["resets_at"] == resets)
      #expect(rules[1]["limit_text"] == "10" && rules[1]["currency"] == "USD")
    }
  }

  /// Every rule in one body, in the order of the answer.
  private static func every(_ wallet: String, _ payee: String) -> String {
    let usd = { (amount: String) in
      #"[{"currency":"USD","amount":\#(amount),"amount_text":"\#(amount)"}]"#
    }
    return #""per_payment":\#(usd("5")),"daily":\#(usd("10")),"weekly":\#(usd("20")),"#
      + #""monthly":\#(usd("30.5")),"daily_count":3,"weekly_count":4,"monthly_count":5,"#
      + #""allow":{"wallet_ids":["\#(payee)"],"labels":["shop:a","shop:b"],"#
      + #""rails":["internal"],"categories":["food"]},"#
      + #""deny":{"labels":["shop:c"],"categories":["games"]},"#
      + #""hours":[{"days":["mon","fri"],"from":"08:30","until":"24:00"}],"#
      + #""approval":[{"currency":"USD","above":4,"above_text":"4","expires_in":3600}]"#
  }

  @Test func `a policy comes back in the shape that it was sent in`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.agent("ann"), try await scene.agent("bob"))
      let shape = Self.every(ann.wallet, bob.wallet)
      let sent = shape.replacing(#/,"(amount|above)_text":"[^"]*"/#, with: "")
      let key = try await scene.tenantKey()
      let body = #"{"agent_id":"\#(ann.id)",\#(sent),"idempotency_key":"p"}"#
      let made = try await Self.set(scene, body, key: key)
      let id = made["policy_id"] ?? ""
      let (starts, created) = (made["starts_at"] ?? "", made["created_at"] ?? "")
      let head = #"{"policy_id":"\#(id)","version":1,"scope":"agent","agent_id":"\#(ann.id)","#
      let end = #""starts_at":"\#(starts)","created_at":"\#(created)"}"#
      #expect(made.status == 201 && starts == created)
      #expect(String(decoding: made.json.bytes, as: UTF8.self) == head + shape + "," + end)
      let again = try await Self.set(scene, body, key: key)
      #expect(again.json == made.json && again.header("Idempotent-Replayed") == "true")
      let found = try await scene.get("/v1/policies/\(id)", key: ann.key)
      #expect(
        String(decoding: found.json.bytes, as: UTF8.self)
          == head + shape + #","in_force":true,"# + end)

      let listed = try await scene.get("/v1/policies?agent_id=\(ann.id)", key: ann.key)
      let rules = try #require(listed.list("policies").first).list("rules")
      #expect(rules.map { $0["rule"] } == (1...16).map { String($0) })
      #expect(
        rules.map { $0["field"] } == [
          "per_payment[0]", "daily[0]", "weekly[0]", "monthly[0]", "daily_count", "weekly_count",
          "monthly_count", "allow.wallet_ids[0]", "allow.labels[0]", "allow.labels[1]",
          "allow.rails[0]", "allow.categories[0]", "deny.labels[0]", "deny.categories[0]",
          "hours[0]", "approval[0]",
        ])
      #expect(rules[4]["limit"] == "3" && rules[4]["used"] == "0" && rules[4]["remaining"] == "3")
    }
  }

  @Test func `what one rule denies is said in one word`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let hour =
        Calendar(identifier: .gregorian).dateComponents(
          in: .gmt, from: Date()
        ).hour ?? 0
      // Away from now by some hours, whichever side of noon it is.
      let other =
        hour < 12 ? #""from":"18:00","until":"24:00""# : #""from":"00:00","until":"06:00""#
      let rows: [(rules: String, reason: String, field: String?, next: String?)] = [
        (#""daily_count":1"#, "count_exceeded", nil, "1"),
        (#""allow":{"labels":["shop"]}"#, "payee_not_allowed", "to_wallet_id", nil),
        (#""deny":{"wallet_ids":["\#(bob.wallet)"]}"#, "payee_not_allowed", "to_wallet_id", nil),
        (#""deny":{"rails":["internal"]}"#, "rail_not_allowed", "rail", nil),
        (#""allow":{"categories":["food"]}"#, "category_not_allowed", "category", nil),
        (
          #""hours":[{"days":["mon","tue","wed","thu","fri","sat","sun"],\#(other)}]"#,
          "outside_hours", nil, nil
        ),
      ]
      for (rules, reason, field, limit) in rows {
        let set = try await Self.set(
          scene, #"{"wallet_id":"\#(ann.wallet)",\#(rules)}"#, key: scene.operatorKey)
        #expect(set.status == 201, "\(rules)")
        if limit != nil { #expect(try await scene.pay(ann, bob.wallet, "1").status == 201) }
        let denied = try await scene.pay(ann, bob.wallet, "1")
        #expect(denied.status == 403 && denied["code"] == "AP-1002", "\(rules)")
        #expect(denied["reason"] == reason && denied["field"] == field, "\(rules): \(denied.json)")
        #expect(denied["policy_id"] == set["policy_id"] && denied["rule"] == "1")
        #expect(denied["limit"] == limit && denied["used"] == limit)
        #expect(denied["asked"] == limit ?? "1.004")
        #expect((denied["resets_at"] != nil) == (limit != nil))
        #expect(denied["policy_version"] == set["version"])
      }
      let lifted = try await Self.set(
        scene, #"{"wallet_id":"\#(ann.wallet)"}"#, key: scene.operatorKey)
      #expect(lifted.status == 201 && lifted["version"] == String(rows.count + 1))
      #expect(try await scene.pay(ann, bob.wallet, "1").status == 201)
      #expect(try await scene.get("/v1/policies", key: ann.key).list("policies").isEmpty)
    }
  }

  @Test func `a hold of what needs approval is denied`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let set = try await Self.set(
        scene, #"{"wallet_id":"\#(ann.wallet)","approval":[{"currency":"USD","above":5}]}"#,
        key: scene.operatorKey)
      #expect(set.json["approval"]?.bytes.contains(Array(#""expires_in":86400"#.utf8)) == true)
      let denied = try await scene.post(
        "/v1/reservations",
        #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(bob.wallet)","amount":5,"#
          + #""expires_in":60}"#, key: ann.key)
      #expect(denied.status == 403 && denied["reason"] == "approval_needed")
      #expect(denied["limit"] == "5" && denied["asked"] == "5.02")
    }
  }

  @Test func `what a payment or a hold is for decides, where a policy asks`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let set = try await Self.set(
        scene,
        #"{"wallet_id":"\#(ann.wallet)","allow":{"categories":["food","books"]}}"#,
        key: scene.operatorKey)
      #expect(set.status == 201)
      let hold =
        #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(bob.wallet)","amount":1,"#
        + #""expires_in":60"#
      for (rest, status, reason) in [
        ("", 403, "category_not_allowed"), (#","category":"games""#, 403, "category_not_allowed"),
        (#","category":"books""#, 201, nil), (#","category":"a b""#, 400, "invalid_id"),
        (#","category":"\#(String(repeating: "c", count: 65))""#, 400, "invalid_id"),
      ] as [(String, Int, String?)] {
        let paid = try await scene.pay(ann, bob.wallet, "1", rest)
        #expect(paid.status == status && paid["reason"] == reason, "\(rest)")
        let held = try await scene.post("/v1/reservations", hold + rest + "}", key: ann.key)
        #expect(held.status == status && held["reason"] == reason, "\(rest)")
        if reason != nil { #expect(paid["field"] == "category" && held["field"] == "category") }
      }
      let lines = ["food", "games"].map { category in
        #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(bob.wallet)","amount":1,"#
          + #""category":"\#(category)"}"#
      }
      let replies = try await scene.lines("/v1/payments/batch", lines, key: ann.key)
      #expect(replies.map { $0["status"] } == ["completed", "403"])
    }
  }

  @Test func `a policy to come is shown beside the one in force`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      let key = try scene.operatorKey
      let one = try await Self.set(
        scene, #"{"wallet_id":"\#(ann.wallet)","daily_count":1}"#, key: key)
      let two = try await Self.set(
        scene,
        #"{"wallet_id":"\#(ann.wallet)","daily_count":2,"starts_at":"2100-01-01T00:00:00Z"}"#,
        key: key)
      #expect(two["starts_at"] == "2100-01-01T00:00:00.000000000Z" && two["version"] == "2")
      let all = try await Self.set(scene, #"{"scope":"ledger","weekly_count":9}"#, key: key)
      let seen = try await scene.get("/v1/policies", key: ann.key).list("policies")
      #expect(
        seen.map { $0["policy_id"] } == [one["policy_id"], two["policy_id"], all["policy_id"]])
      #expect(seen.map { $0["in_force"] } == ["true", "false", "true"])
      // What all tenants used together is told to staff only.
      let use = { (reply: Reply?) in reply?.list("rules").first?["used"] }
      #expect(use(seen.last) == nil)
      let staffs = try await scene.get("/v1/policies", key: key).list("policies")
      #expect(staffs.count == 1 && use(staffs.first) == "0")
      let past = try await Self.set(
        scene, #"{"scope":"ledger","starts_at":"2020-01-01T00:00:00Z"}"#, key: key)
      #expect(past.status == 409 && past["reason"] == "policy_in_past")
      #expect(past["field"] == "starts_at")
      let lift = try await Self.set(scene, #"{"scope":"ledger"}"#, key: key)
      let old = try await scene.get("/v1/policies/\(all["policy_id"] ?? "")", key: ann.key)
      #expect(lift.status == 201 && old["in_force"] == "false" && old["weekly_count"] == "9")
    }
  }
}
