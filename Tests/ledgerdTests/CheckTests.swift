import LedgerCore
import Testing

@testable import ledgerd

/// Goal: what is checked is what paying would do, and checking records nothing.
/// Method: each outcome checked and then paid; exact JSON, and the log's head.
@Suite struct CheckTests {
  private static func check(
    _ scene: Scene, _ from: Member, _ to: String, _ amount: String, _ rest: String = ""
  ) async throws -> Reply {
    try await scene.post(
      "/v1/payments/check",
      #"{"from_wallet_id":"\#(from.wallet)","to_wallet_id":"\#(to)","amount":\#(amount)\#(rest)}"#,
      key: from.key)
  }

  @Test func `checking says what paying does, and records nothing`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      let plain = try await Self.check(scene, ann, bob.wallet, "10")
      let amounts =
        #""amount":10,"amount_text":"10","fee":0.04,"fee_text":"0.04","#
        + #""total_debited":10.04,"total_debited_text":"10.04""#
      let left = #""remaining":89.96,"remaining_text":"89.96""#
      #expect(
        String(decoding: plain.json.bytes, as: UTF8.self)
          == #"{"decision":"allowed",\#(amounts),\#(left),"currency":"USD","limits":[]}"#)
      let set = try await PolicyTests.set(
        scene,
        #"{"wallet_id":"\#(ann.wallet)","daily":[{"currency":"USD","amount":20}],"#
          + #""approval":[{"currency":"USD","above":5}]}"#, key: scene.operatorKey)
      let policy = #""policy_id":"\#(set["policy_id"] ?? "")","policy_version":1"#
      let head = scene.engine.head
      let waits = try await Self.check(scene, ann, bob.wallet, "10", #","idempotency_key":"k""#)
      let resets = waits.list("limits").first?["resets_at"] ?? ""
      let limits =
        #""limits":[{\#(policy),"rule":1,"field":"daily[0]","currency":"USD","limit":20,"#
        + #""limit_text":"20","used":0,"used_text":"0","remaining":20,"remaining_text":"20","#
        + #""resets_at":"\#(resets)"},{\#(policy),"rule":2,"field":"approval[0]","#
        + #""currency":"USD","limit":5,"limit_text":"5"}]"#
      #expect(
        String(decoding: waits.json.bytes, as: UTF8.self)
          == #"{"decision":"needs_approval",\#(amounts),\#(left),"currency":"USD",\#(limits)}"#)

      let denied = try await Self.check(scene, ann, bob.wallet, "20")
      #expect(denied.status == 200 && denied["decision"] == "denied")
      #expect(denied["total_debited"] == "20.08" && denied["remaining"] == nil)
      #expect(scene.engine.head == head)
      let refused = try await scene.pay(ann, bob.wallet, "20")
      #expect(refused.status == 403 && denied.json["problem"] == refused.json)
    }
  }

  @Test func `what is unknown or cannot be paid is denied`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann", "1"), try await scene.agent("bob"))
      let eve = try await scene.agent("eve", of: "evil")
      let head = scene.engine.head
      for (to, amount, reason) in [
        ("wallet_0", "1", "payee_not_found"), (ann.wallet, "1", "self_payment"),
        (bob.wallet, "5", "insufficient_funds"),
      ] {
        let reply = try await Self.check(scene, ann, to, amount)
        #expect(reply.status == 200 && reply["decision"] == "denied")
        #expect(reply.json["problem"]?["reason"]?.text == reason)
      }
      let foreign = try await scene.post(
        "/v1/payments/check",
        #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(bob.wallet)","amount":1}"#,
        key: eve.key)
      #expect(foreign.status == 404 && foreign["reason"] == "wallet_not_found")
      let zero = try await Self.check(scene, ann, bob.wallet, "0")
      #expect(zero.status == 400 && zero["field"] == "amount")
      let split = try await scene.post(
        "/v1/payments/check",
        #"{"from_wallet_id":"\#(ann.wallet)","amount":0.5,"split":["#
          + #"{"to_wallet_id":"\#(bob.wallet)","share":1},{"to_external":"shop","share":1}]}"#,
        key: ann.key)
      #expect(split["decision"] == "allowed" && split["remaining"] == "0.498")
      #expect(scene.engine.head == head)
    }
  }
}
