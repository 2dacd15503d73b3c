import LedgerCore
import Testing

@testable import ledgerd

/// Goal: fee schedules with tiers are set and told over HTTP, and payments cost what they say.
/// Method: the real router over a real ledger in a temporary directory.
@Suite struct TierTests {
  private static func set(_ scene: Scene, _ tiers: String, _ rest: String = "") async throws
    -> Reply
  {
    try await scene.post(
      "/v1/fees", #"{"basis_points":100\#(rest),"tiers":\#(tiers)}"#, key: try scene.operatorKey)
  }

  @Test func `tiers are set and told, and count for the whole amount`() async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann", "10000"), try await scene.agent("bob"))
      #expect(try await scene.get("/v1/fees").list("tiers").isEmpty)
      let tiers =
        #"[{"from":100,"flat":0.5,"basis_points":50},{"from":"1000","basis_points":55}]"#
      let set = try await Self.set(scene, tiers, #","idempotency_key":"k""#)
      #expect(set.status == 201 && set["basis_points"] == "100")
      #expect(set.list("tiers").map { $0["from_text"] } == ["100", "1000"])
      #expect(set.list("tiers").map { $0["flat_text"] } == ["0.5", "0"])
      #expect(set.list("tiers").map { $0["basis_points"] } == ["50", "55"])
      let again = try await Self.set(scene, tiers, #","idempotency_key":"k""#)
      #expect(again.json == set.json && again.header("Idempotent-Replayed") == "true")
      let told = try await scene.get("/v1/fees")
      #expect(
        told["schedule"] == "2" && told.list("tiers").map(\.json) == set.list("tiers").map(\.json))

      for (amount, fee) in [
        ("99.99", "0.9999"), ("100", "1"), ("200", "1.5"), ("999.99", "5.49995"), ("1000", "5.5"),
      ] {
        #expect(try await scene.pay(ann, bob.wallet, amount)["fee_text"] == fee, "\(amount)")
      }
      let split = try await scene.post(
        "/v1/payments",
        #"{"from_wallet_id":"\#(ann.wallet)","amount":200,"split":[{"to_external":"a","share":1},"#
          + #"{"to_wallet_id":"\#(bob.wallet)","share":1}]}"#, key: ann.key)
      #expect(split["fee_text"] == "1.5")

      // A schedule without tiers has none.
      _ = try await Self.set(scene, "[]")
      #expect(try await scene.get("/v1/fees").json["tiers"] == nil)
    }
  }

  @Test func `a schedule whose fee falls is refused with both fees`() async throws {
    try await Scene.run { scene in
      let head = scene.engine.head
      let falls = try await Self.set(
        scene, #"[{"from":100,"basis_points":100},{"from":200,"flat":1,"basis_points":40}]"#)
      #expect(falls.status == 400 && falls["reason"] == "schedule_falls")
      #expect(falls["rejection"] == "404" && falls["field"] == "tiers[1].from")
      #expect(falls["limit"] == "2" && falls["asked"] == "1.8")
      #expect(falls["detail"]?.contains("1.8 USD") == true)
      let free = try await Self.set(scene, #"[{"from":100,"basis_points":0}]"#)
      #expect(free["field"] == "tiers[0].from" && free["limit"] == "1" && free["asked"] == "0")
      // The least fee holds it up.
      let held = try await Self.set(scene, #"[{"from":100,"basis_points":0}]"#, #","min":1"#)
      #expect(held.status == 201 && scene.engine.head > head)
    }
  }

  private static let bad: [(tiers: String, reason: Reason, field: String)] = [
    ("1", .invalidField, "tiers"), ("[1]", .invalidField, "tiers[0]"),
    (#"[{"basis_points":1}]"#, .missingField, "tiers[0].from"),
    (#"[{"from":1}]"#, .missingField, "tiers[0].basis_points"),
    (#"[{"from":0,"basis_points":1}]"#, .invalidAmount, "tiers[0].from"),
    (#"[{"from":"0.0000000001","basis_points":1}]"#, .invalidAmount, "tiers[0].from"),
    (#"[{"from":1,"flat":-1,"basis_points":1}]"#, .invalidAmount, "tiers[0].flat"),
    (
      #"[{"from":1,"flat":"1.0000000001","basis_points":100}]"#, .invalidAmount, "tiers[0].flat"
    ),
    (#"[{"from":1,"basis_points":10001}]"#, .invalidField, "tiers[0].basis_points"),
    (#"[{"from":1,"basis_points":1.5}]"#, .invalidField, "tiers[0].basis_points"),
    (#"[{"from":1,"basis_points":100,"max":1}]"#, .unknownField, "tiers[0].max"),
    (
      #"[{"from":1,"basis_points":100},{"from":1,"basis_points":100}]"#, .scheduleInvalid,
      "tiers[1].from"
    ),
    (
      #"[{"from":2,"basis_points":100},{"from":1,"basis_points":100}]"#, .scheduleInvalid,
      "tiers[1].from"
    ),
  ]

  @Test func `tiers that are none are refused by their place`() async throws {
    try await Scene.run { scene in
      let head = scene.engine.head
      for (tiers, reason, field) in Self.bad {
        let reply = try await Self.set(scene, tiers)
        #expect(
          reply.status == 400 && reply["reason"] == reason.rawValue, "\(tiers): \(reply.json)")
        #expect(reply["field"] == field, "\(tiers): \(reply.json)")
      }
      let most = (1...33).map { #"{"from":\#($0),"basis_points":100}"# }
      let many = try await Self.set(scene, "[\(most.joined(separator: ","))]")
      #expect(many.status == 400 && many["field"] == "tiers")
      #expect(scene.engine.head == head)
      let full = try await Self.set(scene, "[\(most.dropLast().joined(separator: ","))]")
      #expect(full.status == 201 && full.list("tiers").count == 32)
    }
  }
}
