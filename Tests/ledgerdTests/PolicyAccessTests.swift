import LedgerCore
import Testing

@testable import ledgerd

/// Goal: nobody sets or sees the policy of another tenant, and what is no policy is refused by the
/// field that is wrong.
/// Method: tables of who asks for what, and of bodies.
@Suite struct PolicyAccessTests {
  @Test func `policies are set by who manages the tenant, and seen by whom they bear on`()
    async throws
  {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.agent("ann"), try await scene.agent("bob"))
      let eve = try await scene.agent("eve", of: "evil")
      let (mine, theirs) = (try await scene.tenantKey(), try await scene.tenantKey("evil"))
      let tenant = try await scene.get("/v1/agents/\(ann.id)", key: mine)["tenant_id"] ?? ""
      let subjects = [
        #""wallet_id":"\#(ann.wallet)""#, #""agent_id":"\#(ann.id)""#, #""tenant_id":"\#(tenant)""#,
      ]
      let staff = try scene.operatorKey
      for (index, subject) in subjects.enumerated() {
        let body = #"{\#(subject),"daily_count":9}"#
        #expect(try await PolicyTests.set(scene, body, key: ann.key).status == 403)
        let foreign = try await PolicyTests.set(scene, body, key: theirs)
        #expect(foreign.status == 404 && foreign["retryable"] == "false", "\(subject)")
        let made = try await PolicyTests.set(scene, body, key: mine)
        #expect(made.status == 201, "\(subject)")
        let path = "/v1/policies/\(made["policy_id"] ?? "")"
        for (key, status) in [
          (ann.key, 200), (mine, 200), (staff, 200), (eve.key, 404), (theirs, 404),
          (bob.key, index < 2 ? 404 : 200),
        ] as [(String, Int)] {
          #expect(try await scene.get(path, key: key).status == status, "\(subject)")
        }
      }
      #expect(
        try await PolicyTests.set(
          scene, #"{"scope":"ledger","daily_count":9}"#, key: mine
        ).status == 403)
      let bears = try await scene.get("/v1/policies", key: ann.key).list("policies")
      #expect(bears.map { $0["scope"] } == ["wallet", "agent", "tenant"])
      #expect(
        try await scene.get("/v1/policies", key: bob.key).list("policies").map { $0["scope"] }
          == ["tenant"])
      let whole = try await scene.get("/v1/policies", key: mine).list("policies")
      #expect(whole.map { $0["tenant_id"] } == [tenant])
      #expect(try await scene.get("/v1/policies", key: eve.key).list("policies").isEmpty)
      for query in ["wallet_id=\(ann.wallet)", "agent_id=\(ann.id)", "tenant_id=\(tenant)"] {
        for key in [eve.key, theirs] {
          let reply = try await scene.get("/v1/policies?\(query)", key: key)
          #expect(reply.status == 404, "\(query)")
        }
        #expect(try await scene.get("/v1/policies?\(query)", key: mine).status == 200)
      }
    }
  }

  @Test func `nobody sheds a policy, or lifts what staff set`() async throws {
    try await Scene.run { scene in
      let (ann, admin) = (try await scene.payer("ann"), try await scene.tenantKey())
      let (key, staff) = (ann.key, try scene.operatorKey)
      let other = try await scene.post("/v1/wallets", "{}", key: key)
      let body = #"{"wallet_id":"\#(ann.wallet)","daily_count":1}"#
      #expect(try await PolicyTests.set(scene, body, key: staff).status == 201)
      let lifted = try await PolicyTests.set(
        scene, #"{"wallet_id":"\#(ann.wallet)"}"#, key: admin)
      #expect(lifted.status == 403 && lifted["reason"] == "not_permitted")
      let close = #"{"to_wallet_id":"\#(other["wallet_id"] ?? "")"}"#
      let path = "/v1/wallets/\(ann.wallet)/close"
      let shed = try await scene.post(path, close, key: key)
      #expect(shed.status == 403 && shed["code"] == "AP-1002")
      #expect(shed["reason"] == "wallet_restricted" && shed["final"] == "false")
      #expect(try await scene.post(path, close, key: admin).status == 200)
    }
  }

  @Test func `what is no policy is refused by its field`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      let long = String(repeating: "c", count: 65)
      let usd = #"{"currency":"USD","amount":1}"#
      let rows: [(rules: String, reason: String, field: String)] = [
        (#""daily":[]"#, "invalid_field", "daily"),
        (#""daily":[{"amount":1}]"#, "missing_field", "daily[0].currency"),
        (#""daily":[{"currency":"USD","amount":0}]"#, "invalid_amount", "daily[0].amount"),
        (#""daily":[{"currency":"NONE","amount":1}]"#, "invalid_currency", "daily[0].currency"),
        (#""daily":[\#(usd),\#(usd)]"#, "policy_invalid", "daily[1]"),
        (#""daily":[{"currency":"USD","amount":1,"x":1}]"#, "unknown_field", "daily[0].x"),
        (#""daily_count":0"#, "invalid_field", "daily_count"),
        (#""allow":{}"#, "policy_invalid", "allow"),
        (#""allow":[]"#, "invalid_field", "allow"),
        (#""allow":{"payees":["a"]}"#, "unknown_field", "allow.payees"),
        (#""allow":{"labels":[]}"#, "invalid_field", "allow.labels"),
        (#""allow":{"labels":[1]}"#, "invalid_field", "allow.labels[0]"),
        (#""allow":{"labels":["a","b c"]}"#, "invalid_id", "allow.labels[1]"),
        (#""allow":{"labels":["a","a"]}"#, "policy_invalid", "allow.labels[1]"),
        (#""deny":{"categories":["\#(long)"]}"#, "invalid_id", "deny.categories[0]"),
        (#""deny":{"rails":["x402"]}"#, "invalid_field", "deny.rails[0]"),
        (#""deny":{"wallet_ids":["wallet_0"]}"#, "policy_invalid", "deny.wallet_ids[0]"),
        (
          #""hours":[{"days":["mon"],"from":"8:00","until":"9:00"}]"#, "invalid_field",
          "hours[0].from"
        ),
        (
          #""hours":[{"days":["mon"],"from":"08:60","until":"09:00"}]"#, "invalid_field",
          "hours[0].from"
        ),
        (
          #""hours":[{"days":["mon"],"from":"08:00","until":"24:01"}]"#, "invalid_field",
          "hours[0].until"
        ),
        (
          #""hours":[{"days":["mon"],"from":"18:00","until":"08:00"}]"#, "policy_invalid",
          "hours[0].until"
        ),
        (
          #""hours":[{"days":["day"],"from":"08:00","until":"09:00"}]"#, "invalid_field",
          "hours[0].days[0]"
        ),
        (
          #""approval":[{"currency":"USD","above":1,"expires_in":0}]"#, "invalid_field",
          "approval[0].expires_in"
        ),
      ]
      let head = scene.engine.head
      for (rules, reason, field) in rows {
        let reply = try await PolicyTests.set(
          scene, #"{"wallet_id":"\#(ann.wallet)",\#(rules)}"#, key: scene.operatorKey)
        #expect(reply.status == 400 && reply["reason"] == reason, "\(rules): \(reply.json)")
        #expect(reply["field"] == field, "\(rules): \(reply.json)")
      }
      let subjects: [(String, String, String)] = [
        ("{}", "missing_field", "wallet_id"),
        (#"{"wallet_id":"\#(ann.wallet)","scope":"ledger"}"#, "invalid_field", "wallet_id"),
        (#"{"scope":"world"}"#, "invalid_field", "scope"),
        (#"{"scope":"ledger","allow":{"labels":["a"]}}"#, "policy_invalid", "allow.labels[0]"),
        (#"{"agent_id":"agent_0"}"#, "agent_not_found", "agent_id"),
        (#"{"tenant_id":"tnt_0"}"#, "tenant_not_found", "tenant_id"),
      ]
      for (body, reason, field) in subjects {
        let reply = try await PolicyTests.set(scene, body, key: scene.operatorKey)
        #expect(reply["reason"] == reason && reply["field"] == field, "\(body): \(reply.json)")
      }
      #expect(scene.engine.head == head)
    }
  }
}
