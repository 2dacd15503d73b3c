import LedgerCore
import Testing

@testable import ledgerd

/// Goal: one payment to several is made, looked up, listed and refunded over HTTP, to the unit, and
/// whoever is refused learns which receiver it is.
/// Method: the real router over a real ledger in a temporary directory.
@Suite struct SplitTests {
  private static func pay(
    _ scene: Scene, _ payer: Member, _ split: String, _ amount: String, _ rest: String = ""
  ) async throws -> Reply {
    try await scene.post("/v1/payments", body(payer, split, amount, rest), key: payer.key)
  }

  private static func body(
    _ payer: Member, _ split: String, _ amount: String, _ rest: String = ""
  ) -> String {
    #"{"from_wallet_id":"\#(payer.wallet)","split":\#(split),"amount":\#(amount)\#(rest)}"#
  }

  private static func to(_ wallet: Member, _ share: String) -> String {
    #"{"to_wallet_id":"\#(wallet.wallet)","share":\#(share)}"#
  }

  private static func label(_ label: String, _ share: String) -> String {
    #"{"to_external":"\#(label)","share":\#(share)}"#
  }

  /// Ann with money, and Bob and Cid.
  private static func three(_ scene: Scene) async throws -> (Member, Member, Member) {
    (try await scene.payer("ann"), try await scene.agent("bob"), try await scene.agent("cid"))
  }

  // MARK: - Paying

  @Test func `wallets and labels are paid at once, each his share`() async throws {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      let split =
        "[\(Self.to(bob, "70")),\(Self.label("merchant:x", "20")),\(Self.to(cid, #""10""#))]"
      let paid = try await Self.pay(scene, ann, split, "5", #","description":"tea""#)
      #expect(paid.status == 201 && paid["id"]?.hasPrefix("tx_") == true)
      #expect(paid["amount_text"] == "5" && paid["fee_text"] == "0.02")
      #expect(paid["total_debited_text"] == "5.02" && paid["description"] == "tea")
      #expect(paid["to_wallet_id"] == nil && paid["to_external"] == nil)
      let parts = paid.list("split")
      #expect(parts.map { $0["to_wallet_id"] } == [bob.wallet, nil, cid.wallet])
      #expect(parts.map { $0["to_external"] } == [nil, "merchant:x", nil])
      #expect(parts.map { $0["amount"] } == ["3.5", "1", "0.5"])
      #expect(parts.map { $0["amount_text"] } == ["3.5", "1", "0.5"])
      #expect(parts.allSatisfy { $0["fee"] == nil && $0["refunded"] == nil })
      #expect(try await scene.available(ann) == "94.98")
      #expect(try await scene.available(bob) == "3.50")
      #expect(try await scene.available(cid) == "0.50")
    }
  }

  @Test func `shares that add up to the amount are the parts, others are divided to the unit`()
    async throws
  {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      let exact = try await Self.pay(
        scene, ann, "[\(Self.to(bob, "0.000000001")),\(Self.to(cid, "9.999999999"))]", "10")
      #expect(exact.list("split").map { $0["amount_text"] } == ["0.000000001", "9.999999999"])
      let thirds = "[\(Self.to(bob, "1")),\(Self.to(cid, "1")),\(Self.label("a", "1"))]"
      let divided = try await Self.pay(scene, ann, thirds, "0.00000002")
      #expect(
        divided.list("split").map { $0["amount_text"] }
          == ["0.000000007", "0.000000007", "0.000000006"])
    }
  }

  @Test func `payees who bear the fee are told their parts of it`() async throws {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      _ = try await scene.post(
        "/v1/fees", #"{"basis_points":100,"side":"payee"}"#, key: try scene.operatorKey)
      let split = "[\(Self.to(bob, "3")),\(Self.to(cid, "1"))]"
      let paid = try await Self.pay(scene, ann, split, "10")
      #expect(paid["total_debited_text"] == "10" && paid["total_credited_text"] == "9.9")
      #expect(paid.list("split").map { $0["amount_text"] } == ["7.5", "2.5"])
      #expect(paid.list("split").map { $0["fee_text"] } == ["0.075", "0.025"])
      #expect(try await scene.available(bob) == "7.425")
      let read = try await scene.get("/v1/payments/\(paid["id"] ?? "")", key: ann.key)
      #expect(read.json == paid.json)

      let tiny = try await Self.pay(
        scene, ann, "[\(Self.to(bob, "3")),\(Self.to(cid, "3"))]",
        "0.000000002")
      #expect(tiny.status == 409 && tiny["reason"] == "fee_takes_all" && tiny["field"] == "split")
      #expect(tiny["asked"] == "0.000000001" && tiny["limit"] == "0.000000001")
    }
  }

  @Test func `the same key is answered again with the same parts, another split is a conflict`()
    async throws
  {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      let split = "[\(Self.to(bob, "2")),\(Self.label("merchant:x", "1")),\(Self.to(cid, "1"))]"
      let key = #","idempotency_key":"k""#
      let paid = try await Self.pay(scene, ann, split, "4", key)
      let again = try await Self.pay(scene, ann, split, "4", key)
      #expect(paid.status == 201 && again.json == paid.json)
      #expect(again.header("Idempotent-Replayed") == "true")
      #expect(again.list("split").map { $0["amount_text"] } == ["2", "1", "1"])
      for other in [
        "[\(Self.to(bob, "2")),\(Self.label("merchant:y", "1")),\(Self.to(cid, "1"))]",
        "[\(Self.to(bob, "1")),\(Self.label("merchant:x", "2")),\(Self.to(cid, "1"))]",
        "[\(Self.to(bob, "4")),\(Self.label("merchant:x", "2")),\(Self.to(cid, "2"))]",
      ] {
        let conflict = try await Self.pay(scene, ann, other, "4", key)
        #expect(conflict.status == 422 && conflict["reason"] == "idempotency_conflict")
      }
      #expect(try await scene.available(ann) == "95.984")
    }
  }

  @Test func `32 receivers are paid at once`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      var wallets: [String] = []
      for _ in 0..<32 {
        let opened = try await scene.post("/v1/wallets", "{}", key: ann.key)
        wallets.append(try #require(opened["wallet_id"]))
      }
      let parts = wallets.map { #"{"to_wallet_id":"\#($0)","share":1}"# }
      let paid = try await Self.pay(scene, ann, "[\(parts.joined(separator: ","))]", "32")
      #expect(paid.status == 201 && paid.list("split").map { $0["to_wallet_id"] } == wallets)
      #expect(paid.list("split").allSatisfy { $0["amount_text"] == "1" })
      let read = try await scene.get("/v1/payments/\(paid["id"] ?? "")", key: ann.key)
      #expect(read.json == paid.json)
      let more = try await Self.pay(
        scene, ann, "[\((parts + [Self.label("a", "1")]).joined(separator: ","))]", "33")
      #expect(more.status == 400 && more["field"] == "split" && more["reason"] == "invalid_field")
    }
  }

  @Test func `lines of a batch are split too, and answered in their order`() async throws {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      let split = "[\(Self.to(bob, "1")),\(Self.label("merchant:x", "3"))]"
      let plain =
        #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(cid.wallet)","amount":1}"#
      let lines = [
        plain, Self.body(ann, split, "4", #","idempotency_key":"k""#),
        Self.body(ann, "[\(Self.to(bob, "1")),\(Self.to(bob, "3"))]", "4"),
        Self.body(ann, split, "4", #","idempotency_key":"k""#), plain,
      ]
      let replies = try await scene.lines("/v1/payments/batch", lines, key: ann.key)
      #expect(replies.map { $0["amount_text"] } == ["1", "4", nil, "4", "1"])
      #expect(replies[1].list("split").map { $0["amount_text"] } == ["1", "3"])
      #expect(replies[2]["field"] == "split[1].to_wallet_id")
      #expect(replies[3]["id"] == replies[1]["id"] && replies[3]["idempotent_replayed"] == "true")
      #expect(try await scene.available(bob) == "1.00")
    }
  }

  // MARK: - Looking

  @Test func `payer and staff see all receivers, a receiver his own parts, a stranger nothing`()
    async throws
  {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      let eve = try await scene.agent("eve", of: "evil")
      let second = try await scene.post("/v1/wallets", "{}", key: bob.key)
      let other = try #require(second["wallet_id"])
      let split =
        "[\(Self.to(bob, "3")),\(Self.label("person:mia", "2")),\(Self.to(cid, "1")),"
        + #"{"to_wallet_id":"\#(other)","share":4}]"#
      let paid = try await Self.pay(scene, ann, split, "10")
      let path = "/v1/payments/\(paid["id"] ?? "")"
      for key in [ann.key, try scene.operatorKey] {
        #expect(try await scene.get(path, key: key).json == paid.json)
        let list = try await scene.get("/v1/payments?wallet_id=\(bob.wallet)", key: key)
        #expect(list.status == (key == ann.key ? 404 : 200))
      }
      let rows = try await scene.get("/v1/payments", key: ann.key).list("payments")
      #expect(rows.map(\.json) == [paid.json])

      for (member, wallets, amounts) in [
        (bob, [bob.wallet, other], ["3", "4"]), (cid, [cid.wallet], ["1"]),
      ] {
        let read = try await scene.get(path, key: member.key)
        #expect(read.status == 200 && read["amount_text"] == "10")
        #expect(read.list("split").map { $0["to_wallet_id"] } == wallets)
        #expect(read.list("split").map { $0["amount_text"] } == amounts)
        for wallet in wallets {
          let listed = try await scene.get("/v1/payments?wallet_id=\(wallet)", key: member.key)
          #expect(listed.list("payments").map(\.json) == [read.json])
        }
      }
      let foreign = try await scene.get(path, key: eve.key)
      #expect(foreign.status == 404 && foreign["reason"] == "payment_not_found")
    }
  }

  // MARK: - Refunds

  @Test func `refunds in parts add up to each share`() async throws {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      let split = "[\(Self.to(bob, "7")),\(Self.label("merchant:x", "2")),\(Self.to(cid, "1"))]"
      let id = try #require(try await Self.pay(scene, ann, split, "10")["id"])
      let path = "/v1/payments/\(id)"
      for member in [ann, bob, cid] {
        let refused = try await scene.post("\(path)/refund", "{}", key: member.key)
        #expect(refused.status == 403 && refused["reason"] == "not_permitted")
      }
      let operatorKey = try scene.operatorKey
      let first = try await scene.post(
        "\(path)/refund", #"{"amount":"3.000000001"}"#, key: operatorKey)
      #expect(first.status == 201 && first["amount_text"] == "3.000000001")
      let partly = try await scene.get(path, key: ann.key)
      #expect(partly["status"] == "partially_refunded")
      #expect(partly["refunded_text"] == "3.000000001")
      #expect(
        partly.list("split").map { $0["refunded_text"] } == ["2.100000001", "0.6", "0.3"])
      let seen = try await scene.get(path, key: cid.key)
      #expect(seen["refunded_text"] == "3.000000001")
      #expect(seen.list("split").map { $0["refunded_text"] } == ["0.3"])

      for amount in ["0.000000001", "1.7", "2.299999998"] {
        let more = try await scene.post(
          "\(path)/refund", #"{"amount":"\#(amount)"}"#, key: operatorKey)
        #expect(more.status == 201)
      }
      let rest = try await scene.post("\(path)/refund", "{}", key: operatorKey)
      #expect(rest["amount_text"] == "3")
      let whole = try await scene.get(path, key: ann.key)
      #expect(whole["status"] == "refunded" && whole["refunded_text"] == "10")
      #expect(whole.list("split").map { $0["refunded_text"] } == ["7", "2", "1"])
      #expect(try await scene.available(bob) == "0.00")
      #expect(try await scene.available(ann) == "99.96")
      let none = try await scene.post("\(path)/refund", "{}", key: operatorKey)
      #expect(none["reason"] == "refund_exceeds_payment")
    }
  }

  @Test func `who owns all receivers refunds, a stranger learns nothing`() async throws {
    try await Scene.run { scene in
      let (ann, bob, _) = try await Self.three(scene)
      let eve = try await scene.agent("eve", of: "evil")
      let second = try await scene.post("/v1/wallets", "{}", key: bob.key)
      let split =
        #"[\#(Self.to(bob, "1")),{"to_wallet_id":"\#(second["wallet_id"] ?? "")","share":1}]"#
      let id = try #require(try await Self.pay(scene, ann, split, "10")["id"])
      let foreign = try await scene.post("/v1/payments/\(id)/refund", "{}", key: eve.key)
      #expect(foreign.status == 404 && foreign["reason"] == "payment_not_found")
      let done = try await scene.post("/v1/payments/\(id)/refund", "{}", key: bob.key)
      #expect(done.status == 201 && done["amount_text"] == "10")
    }
  }

  // MARK: - Refusals

  /// What stands for the split, and what is answered; BOB and CID stand for wallets, ANN for the
  /// payer's, FOREIGN for one of another currency.
  private static let bad: [(split: String, reason: Reason, field: String)] = [
    ("1", .invalidField, "split"), ("{}", .invalidField, "split"), ("[]", .invalidField, "split"),
    (#"[{"to_wallet_id":"BOB","share":1}]"#, .invalidField, "split"),
    (#"[{"to_wallet_id":"BOB","share":1},2]"#, .invalidField, "split[1]"),
    (#"[null,{"to_wallet_id":"BOB","share":1}]"#, .invalidField, "split[0]"),
    (pair(#"{"to_wallet_id":"CID"}"#), .missingField, "split[1].share"),
    (pair(#"{"to_wallet_id":"CID","share":null}"#), .missingField, "split[1].share"),
    (pair(#"{"to_wallet_id":"CID","share":0}"#), .invalidAmount, "split[1].share"),
    (pair(#"{"to_wallet_id":"CID","share":-1}"#), .invalidAmount, "split[1].share"),
    (pair(#"{"to_wallet_id":"CID","share":1e3}"#), .invalidAmount, "split[1].share"),
    (pair(#"{"to_wallet_id":"CID","share":01}"#), .invalidJSON, "split[1].share"),
    (pair(#"{"to_wallet_id":"CID","share":"0.0000000001"}"#), .invalidAmount, "split[1].share"),
    (pair(#"{"to_wallet_id":"CID","share":[1]}"#), .invalidField, "split[1].share"),
    (pair(#"{"share":1}"#), .invalidRecipient, "split[1].to_wallet_id"),
    (
      pair(#"{"to_wallet_id":"CID","to_external":"a","share":1}"#), .invalidRecipient,
      "split[1].to_wallet_id"
    ),
    (pair(#"{"to_wallet_id":"CID","share":1,"shar":2}"#), .unknownField, "split[1].shar"),
    (pair(#"{"to_wallet_id":"CID","share":1,"share":1}"#), .duplicateField, "share"),
    (pair(#"{"to_wallet_id":"C ID","share":1}"#), .invalidId, "split[1].to_wallet_id"),
    (pair(#"{"to_external":"caf\u00e9","share":1}"#), .invalidId, "split[1].to_external"),
    (pair(#"{"to_external":"a\u0000","share":1}"#), .invalidText, "split[1].to_external"),
    (pair(#"{"to_wallet_id":"wallet_x","share":1}"#), .payeeNotFound, "split[1].to_wallet_id"),
    (pair(#"{"to_wallet_id":"ANN","share":1}"#), .selfPayment, "split[1].to_wallet_id"),
    (pair(#"{"to_wallet_id":"FOREIGN","share":1}"#), .currencyDiffers, "split[1].to_wallet_id"),
    (pair(#"{"to_wallet_id":"BOB","share":1}"#), .splitInvalid, "split[1].to_wallet_id"),
    (
      pair(#"{"to_external":"a","share":1},{"to_external":"a","share":2}"#), .splitInvalid,
      "split[2].to_external"
    ),
    (pair(#"{"to_external":"a","share":"0.000000001"}"#), .splitInvalid, "split[1].share"),
  ]

  private static func pair(_ second: String) -> String {
    #"[{"to_wallet_id":"BOB","share":1000},\#(second)]"#
  }

  @Test func `a split that is none is refused by its place, and leaves no event`() async throws {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      let foreign = try await scene.post("/v1/wallets", #"{"currency":"USDC.base"}"#, key: bob.key)
      let head = scene.engine.head
      for (template, reason, field) in Self.bad {
        let split = template.replacing("BOB", with: bob.wallet).replacing("CID", with: cid.wallet)
          .replacing("ANN", with: ann.wallet)
          .replacing("FOREIGN", with: try #require(foreign["wallet_id"]))
        let reply = try await Self.pay(scene, ann, split, "1", #","idempotency_key":"k""#)
        #expect(reply.status == reason.status, "\(split): \(reply.json)")
        #expect(reply["reason"] == reason.rawValue, "\(split): \(reply.json)")
        #expect(reply["field"] == field, "\(split): \(reply.json)")
      }
      #expect(scene.engine.head == head)
    }
  }

  @Test func `a recipient is one, or a split`() async throws {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      let split = "[\(Self.to(bob, "1")),\(Self.to(cid, "1"))]"
      for other in [#","to_wallet_id":"\#(bob.wallet)""#, #","to_external":"a""#] {
        let reply = try await Self.pay(scene, ann, split, "1", other)
        #expect(reply.status == 400 && reply["reason"] == "invalid_recipient")
        #expect(reply["field"] == "split")
      }
      let reserved = try await scene.post(
        "/v1/reservations", Self.body(ann, split, "1", #","expires_in":60"#), key: ann.key)
      #expect(reserved.status == 400 && reserved["reason"] == "unknown_field")
      #expect(reserved["field"] == "split")
    }
  }

  @Test func `what only the engine knows is said of the split`() async throws {
    try await Scene.run { scene in
      let (ann, bob, cid) = try await Self.three(scene)
      let seven = (1...7).map { Self.label("label:\($0)", "1") }
      let many = try await Self.pay(scene, ann, "[\(seven.joined(separator: ","))]", "7")
      #expect(many.status == 400 && many["reason"] == "split_invalid" && many["field"] == "split")
      #expect(many["rejection"] == "308" && many["detail"]?.contains("at most 6") == true)
      let six = "[\(seven.dropLast().joined(separator: ","))]"
      #expect(try await Self.pay(scene, ann, six, "6").status == 201)
      #expect(
        try await Self.pay(scene, ann, "[\(seven.joined(separator: ","))]", "7").status == 201)

      #expect(
        try await scene.post("/v1/wallets/\(cid.wallet)/close", "{}", key: cid.key).status == 200)
      let both = "[\(Self.to(bob, "1")),\(Self.to(cid, "1"))]"
      let closed = try await Self.pay(scene, ann, both, "2")
      #expect(closed.status == 409 && closed["reason"] == "payee_closed")
      #expect(closed["field"] == "split")
      let poor = try await Self.pay(scene, ann, six, "100")
      #expect(poor.status == 402 && poor["field"] == "amount" && poor["asked"] == "100.4")
    }
  }
}
