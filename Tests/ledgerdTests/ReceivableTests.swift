import LedgerCore
import Testing

@testable import ledgerd

/// Goal: what is advanced stays under its caps, is seen by whom it concerns, and is given up by two
/// operators only.
/// Method: the real router over a real ledger; a payee who spent what is disputed.
@Suite struct ReceivableTests {
  /// Bob got 10 of ann and spent them; ann's dispute of it.
  private static func dispute(_ scene: Scene) async throws -> (Member, Member, String) {
    let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob", of: "bobs"))
    let paid = try await scene.pay(ann, bob.wallet, "10")
    try #require(try await scene.pay(bob, ann.wallet, "9.96").status == 201)
    let opened = try await scene.post(
      "/v1/disputes", #"{"payment_id":"\#(paid["id"] ?? "")","reason":"other"}"#, key: ann.key)
    return (ann, bob, try #require(opened["id"]))
  }

  private static func cap(
    _ scene: Scene, _ amount: String, _ rest: String = ""
  ) async throws -> Reply {
    try await scene.post(
      "/v1/receivables/caps", #"{"currency":"USD","amount":\#(amount)\#(rest)}"#,
      key: scene.operatorKey)
  }

  @Test func `a cap bounds what is advanced, zero included`() async throws {
    for (cap, receivable, uncovered) in [("4", "4", "5.99984"), ("0", "0", "9.99984")] {
      try await Scene.run { scene in
        let set = try await Self.cap(scene, cap)
        #expect(set.status == 201 && set["amount"] == cap && set["tenant_id"] == nil)
        let (ann, bob, id) = try await Self.dispute(scene)
        let debts = try await scene.get("/v1/receivables", key: bob.key).list("debts")
        #expect(debts.map { $0["dispute_id"] } == [id])
        #expect(debts.first?["receivable_text"] == receivable)
        #expect(debts.first?["uncovered_text"] == uncovered)
        #expect(debts.first?["settled"] == "false")
        #expect(try await scene.get("/v1/receivables", key: ann.key).list("debts").isEmpty)
      }
    }
  }

  @Test func `debts are seen by the debtor, his tenant's admin and operators`() async throws {
    try await Scene.run { scene in
      let (ann, bob, id) = try await Self.dispute(scene)
      let (his, hers) = (try await scene.tenantKey("bobs"), try await scene.tenantKey())
      let path = "/v1/receivables?agent_id=\(bob.id)"
      for (key, status) in [
        (bob.key, 200), (his, 200), (try scene.operatorKey, 200), (ann.key, 404), (hers, 404),
      ] as [(String, Int)] {
        let reply = try await scene.get(path, key: key)
        #expect(reply.status == status)
        if status == 200 { #expect(reply.list("debts").map { $0["dispute_id"] } == [id]) }
      }
      let unsaid = try await scene.get("/v1/receivables", key: his)
      #expect(unsaid.status == 400 && unsaid["field"] == "agent_id")
      let tenant = try await scene.get("/v1/agents/\(bob.id)", key: bob.key)["tenant_id"] ?? ""
      let set = try await Self.cap(scene, #""25.5""#, #","tenant_id":"\#(tenant)""#)
      #expect(set["tenant_id"] == tenant && set["amount"] == "25.5")
      let all = try await scene.get("/v1/receivables", key: scene.operatorKey).list("exposures")
      #expect(all.map { $0["tenant_id"] } == [nil, tenant])
      #expect(all.map { $0["cap_text"] } == [nil, "25.5"])
      #expect(all.map { $0["outstanding"] } == [all[0]["outstanding"], all[0]["outstanding"]])
    }
  }

  @Test func `two operators give a debt up, once its dispute is decided`() async throws {
    try await Scene.run { scene in
      let (_, bob, id) = try await Self.dispute(scene)
      let (first, second) = (try scene.operatorKey, try await scene.secondOperatorKey())
      let body = #"{"dispute_id":"\#(id)","agent_id":"\#(bob.id)","reason":"gone"}"#
      let early = try await scene.post("/v1/receivables/write-off", body, key: first)
      #expect(early.status == 409 && early["reason"] == "debt_unsettled")
      for (word, body) in [("review", "{}"), ("resolve", #"{"outcome":"refunded"}"#)] {
        let step = try await scene.post("/v1/disputes/\(id)/\(word)", body, key: first)
        #expect(step.status == 200)
      }
      let debts = try await scene.get("/v1/receivables", key: bob.key).list("debts")
      let owed = debts.first?["receivable_text"]
      let asked = try await scene.post("/v1/receivables/write-off", body, key: first)
      #expect(asked.status == 200 && asked["status"] == "asked" && asked["amount_text"] == owed)
      let again = try await scene.post("/v1/receivables/write-off", body, key: first)
      #expect(again.status == 409 && again["reason"] == "same_operator")
      let done = try await scene.post("/v1/receivables/write-off", body, key: second)
      #expect(done.status == 200 && done["status"] == "written_off" && done["amount_text"] == owed)
      #expect(try await scene.get("/v1/receivables", key: bob.key).list("debts").isEmpty)
      let late = try await scene.post("/v1/receivables/write-off", body, key: second)
      #expect(late.status == 404 && late["reason"] == "debt_not_found")
      let agents = try await scene.post("/v1/receivables/write-off", body, key: bob.key)
      #expect(agents.status == 403)
    }
  }

  @Test func `what is no cap or no debt is refused`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      for (amount, rest, status, field) in [
        ("-1", "", 400, "amount"), (#""1e3""#, "", 400, "amount"),
        ("0.0000000001", "", 400, "amount"),
        ("1", #","tenant_id":"tnt_0""#, 404, nil),
      ] as [(String, String, Int, String?)] {
        let reply = try await Self.cap(scene, amount, rest)
        #expect(reply.status == status && reply["field"] == field, "\(amount)")
      }
      let write = { (body: String) in
        try await scene.post("/v1/receivables/write-off", body, key: scene.operatorKey)
      }
      let none = try await write(
        #"{"dispute_id":"disp_0","agent_id":"\#(ann.id)","reason":"x"}"#)
      #expect(none.status == 404 && none["reason"] == "dispute_not_found")
      let silent = try await write(#"{"dispute_id":"disp_0","agent_id":"\#(ann.id)"}"#)
      #expect(silent.status == 400 && silent["field"] == "reason")
    }
  }
}
