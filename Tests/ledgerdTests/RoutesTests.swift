import Foundation
import LedgerCore
import Synchronization
import Testing

@testable import ledgerd

/// Goal: an agent platform can register, fund, pay and read, and sees exact amounts only.
/// Method: the real router over a real ledger in a temporary directory.
@Suite struct RoutesTests {
  @Test func `an agent registers, is funded and pays`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      let bob = try await scene.agent("bob")
      #expect(ann.id.hasPrefix("agent_") && ann.wallet.hasPrefix("wallet_"))
      #expect(ann.key.hasPrefix("pk_test_") && ann.secret.hasPrefix("sk_test_"))

      let funded = try await scene.post(
        "/v1/wallets/\(ann.wallet)/fund", #"{"amount":100,"source":"test_faucet"}"#, key: ann.key)
      #expect(funded.status == 201 && funded["amount"] == "100" && funded["currency"] == "USD")

      let paid = try await scene.pay(
        ann, bob.wallet, "5", #","description":"tea","currency":"USD""#)
      #expect(paid.status == 201)
      #expect(paid["id"]?.hasPrefix("tx_") == true && paid["status"] == "completed")
      #expect(paid["amount"] == "5" && paid["amount_text"] == "5")
      #expect(paid["fee"] == "0.02" && paid["fee_text"] == "0.02")
      #expect(paid["total_debited"] == "5.02" && paid["rail"] == "internal")
      #expect(paid["from_wallet_id"] == ann.wallet && paid["to_wallet_id"] == bob.wallet)
      #expect(paid["description"] == "tea" && paid["to_external"] == nil)

      for reader in [ann.key, bob.key, try scene.operatorKey] {
        let read = try await scene.get("/v1/payments/\(paid["id"] ?? "")", key: reader)
        #expect(read.json == paid.json)
      }
      #expect(try await scene.available(ann) == "94.98")
      #expect(try await scene.available(bob) == "5.00")
    }
  }

  @Test func `amounts are exact in and out, as numbers and as strings`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann", "999999.999999999")
      let bob = try await scene.agent("bob")
      let paid = try await scene.pay(ann, bob.wallet, #""123456.123456789""#)
      #expect(paid["amount"] == "123456.123456789" && paid["amount_text"] == "123456.123456789")
      // 40 basis points are 493.824493827156, rounded up to the ninth decimal.
      #expect(paid["fee_text"] == "493.824493828")
      #expect(paid["total_debited_text"] == "123949.947950617")
      #expect(try await scene.pay(ann, bob.wallet, "0.000000001")["fee"] == "0.000000001")
    }
  }

  @Test func `a label is paid, and shown to its payer`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let body = #"{"from_wallet_id":"\#(ann.wallet)","to_external":"merchant:demo","amount":1}"#
      let first = try await scene.post("/v1/payments", body, key: ann.key)
      let second = try await scene.post("/v1/payments", body, key: ann.key)
      for paid in [first, second] {
        #expect(paid.status == 201 && paid["to_external"] == "merchant:demo")
        let read = try await scene.get("/v1/payments/\(paid["id"] ?? "")", key: ann.key)
        #expect(read.json == paid.json)
      }
    }
  }

  @Test func `payments are listed newest first, in pages`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.payer("bob")
      for amount in 1...7 { _ = try await scene.pay(ann, bob.wallet, "\(amount)") }
      _ = try await scene.pay(bob, ann.wallet, "9")

      let all = try await scene.get("/v1/payments", key: bob.key)
      #expect(
        all.list("payments").compactMap { $0["amount"] }
          == "9 7 6 5 4 3 2 1".split(separator: " ").map(String.init))
      #expect(all["next_cursor"] == nil)

      var amounts: [String?] = []
      var path: String? = "/v1/payments?wallet_id=\(ann.wallet)&limit=3"
      while let next = path {
        let page = try await scene.get(next, key: ann.key)
        #expect(page.list("payments").count <= 3)
        amounts += page.list("payments").map { $0["amount"] }
        path = page["next_cursor"].map {
          "/v1/payments?limit=3&cursor=\($0)&wallet_id=\(ann.wallet)"
        }
      }
      #expect(amounts == ["9", "7", "6", "5", "4", "3", "2", "1"])
    }
  }

  @Test func `what does not settle here is refused, and leaves no event`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let head = scene.engine.head
      let reply = try await scene.pay(
        ann, bob.wallet, "1", #","rail":"stripe","idempotency_key":"k""#)
      #expect(reply.status == 422 && reply["code"] == "SETTLEMENT_NOT_CONFIGURED")
      #expect(reply["retryable"] == "false" && reply["field"] == "rail")
      #expect(scene.engine.head == head)
    }
  }

  @Test func `the ledger's own refusals say what binds`() async throws {
    try await Scene.run(with: [.fundingCap: "50"]) { scene in
      let ann = try await scene.payer("ann", "10")
      let bob = try await scene.agent("bob")
      let poor = try await scene.pay(ann, bob.wallet, "10")
      #expect(poor.status == 402 && poor["code"] == "AP-1001")
      #expect(poor["reason"] == "insufficient_funds" && poor["rejection"] == "304")
      #expect(poor["limit"] == "10" && poor["asked"] == "10.04")
      #expect(poor["final"] == "false" && poor["next_action"] == "add_funds")

      let own = try await scene.pay(ann, ann.wallet, "1")
      #expect(own.status == 409 && own["reason"] == "self_payment")
      let unknown = try await scene.pay(ann, "wallet_00000000000000000000000000", "1")
      #expect(unknown.status == 404 && unknown["reason"] == "payee_not_found")
      let foreign = try await scene.pay(ann, bob.wallet, "1", #","currency":"USDC.base""#)
      #expect(foreign.status == 409 && foreign["reason"] == "currency_differs")

      let capped = try await scene.post(
        "/v1/wallets/\(ann.wallet)/fund", #"{"amount":50.1,"source":"test_faucet"}"#, key: ann.key)
      #expect(capped.status == 403 && capped["code"] == "AP-1002")
      #expect(capped["limit"] == "50" && capped["asked"] == "50.1")
    }
  }

  @Test func `a name is unique within its operator only`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann", of: "acme")
      let taken = try await scene.post("/v1/agents", #"{"name":"ann","operator":"acme"}"#)
      #expect(taken.status == 409 && taken["reason"] == "agent_name_taken")
      // Composed and decomposed are the same name to a reader.
      _ = try await scene.agent("caf\u{e9}", of: "acme")
      let same = try await scene.post(
        "/v1/agents", "{\"name\":\"cafe\u{301}\",\"operator\":\"acme\"}")
      #expect(same["reason"] == "agent_name_taken")
      let other = try await scene.agent("ann", of: "umbrella")
      let free = try await scene.agent("ann", of: nil)
      _ = try await scene.agent("ann", of: nil)
      #expect(Set([ann.id, other.id, free.id]).count == 3)
    }
  }

  @Test func `health and readiness answer without a credential`() async throws {
    try await Scene.run { scene in
      #expect(try await scene.get("/healthz")["status"] == "ok")
      #expect(try await scene.get("/readyz")["livemode"] == "false")
      scene.engine.close()
      #expect(try await scene.get("/healthz").status == 200)
      let closed = try await scene.get("/readyz")
      #expect(closed.status == 503 && closed["code"] == "UNAVAILABLE")
      #expect(closed.header("Retry-After") != nil && closed["retryable"] == "true")
    }
  }

  @Test func `a clock that jumped ahead refuses commands until it is accepted`() async throws {
    let jump = Jump()
    var options = Engine.Options()
    let clock = options.clock
    options.clock = { clock() + jump.nanoseconds.load(ordering: .relaxed) }
    try await Scene.run(routes: PublicRoutes.all + AdminRoutes.all, options: options) { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      jump.nanoseconds.store(3_600_000_000_000, ordering: .relaxed)
      let refused = try await scene.pay(ann, bob.wallet, "5")
      #expect(refused.status == 503 && refused["code"] == "CLOCK_AHEAD")
      #expect(refused["retryable"] == "true" && refused.header("Retry-After") == "10")
      #expect(try await scene.get("/readyz")["code"] == "CLOCK_AHEAD")
      #expect(try await scene.available(ann) == "100.00")
      #expect(try await scene.get("/admin/status")["clock_ahead"] == "true")
      #expect(try await scene.post("/admin/clock", "{}")["was_ahead"] == "true")
      #expect(try await scene.post("/admin/clock", "{}")["was_ahead"] == "false")
      #expect(try await scene.get("/readyz").status == 200)
      #expect(try await scene.pay(ann, bob.wallet, "5").status == 201)
    }
  }

  @Test func `a slow commit makes it degraded for a minute, and refuses nothing`() async throws {
    let (step, jump) = (Jump(), Jump())
    var options = Engine.Options()
    let uptime = options.uptime
    // Whoever looks at the clock is so much later by it.
    options.uptime = {
      let step = step.nanoseconds.load(ordering: .relaxed)
      let jumped = jump.nanoseconds.wrappingAdd(step, ordering: .relaxed).newValue
      return uptime() + jumped
    }
    try await Scene.run(routes: PublicRoutes.all + AdminRoutes.all, options: options) { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      #expect(try await scene.get("/readyz")["status"] == "ready")
      #expect(try await scene.get("/admin/status")["slow_commit_ms"] == nil)
      step.nanoseconds.store(2_000_000_000, ordering: .relaxed)
      #expect(try await scene.pay(ann, bob.wallet, "5").status == 201)
      step.nanoseconds.store(0, ordering: .relaxed)
      let slow = try await scene.get("/readyz")
      #expect(slow.status == 200 && slow["status"] == "degraded")
      #expect(slow["reason"]?.contains("a commit took") == true)
      let told = try await scene.get("/admin/status")["slow_commit_ms"].flatMap { Int($0) }
      #expect(told ?? 0 >= 2_000)
      jump.nanoseconds.add(61_000_000_000, ordering: .relaxed)
      #expect(try await scene.get("/readyz")["status"] == "ready")
      #expect(try await scene.get("/readyz")["reason"] == nil)
    }
  }

  @Test func `everything answered is there after a restart`() async throws {
    let directory = NSTemporaryDirectory() + "ledgerd-test-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let before = Kept()
    try await Scene.run(in: directory) { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let paid = try await scene.pay(ann, bob.wallet, "5", #","idempotency_key":"k""#)
      await before.keep(ann, bob, paid, try scene.operatorKey)
    }
    try await Scene.run(in: directory) { scene in
      let (ann, bob, paid, token) = try #require(await before.kept)
      #expect(try await scene.available(ann) == "94.98")
      let again = try await scene.pay(ann, bob.wallet, "5", #","idempotency_key":"k""#)
      #expect(again.json == paid.json && again.header("Idempotent-Replayed") == "true")
      #expect(try scene.operatorKey == token)
      let read = try await scene.get("/v1/payments/\(paid["id"] ?? "")", key: token)
      #expect(read.status == 200)
    }
  }

  private actor Kept {
    var kept: (Member, Member, Reply, String)?
    func keep(_ ann: Member, _ bob: Member, _ paid: Reply, _ token: String) {
      kept = (ann, bob, paid, token)
    }
  }
}

/// By how much a clock is wrong.
private final class Jump: Sendable {
  let nanoseconds = Atomic<UInt64>(0)
}
