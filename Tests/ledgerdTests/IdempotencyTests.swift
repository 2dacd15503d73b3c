import LedgerCore
import Testing

@testable import ledgerd

/// Goal: a retry under the same key never moves money twice and never changes the answer.
/// Method: the same request again, another request under the same key, keys in every place.
@Suite struct IdempotencyTests {
  @Test func `a payment under a key is made once`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let first = try await scene.pay(ann, bob.wallet, "5", #","idempotency_key":"k""#)
      #expect(first.status == 201 && first.header("Idempotent-Replayed") == nil)
      let head = scene.engine.head
      let inHeader = try await scene.pay(ann, bob.wallet, "5", headers: [("Idempotency-Key", "k")])
      let quoted = try await scene.pay(
        ann, bob.wallet, "5.0", headers: [("Idempotency-Key", "\"k\"")])
      for again in [inHeader, quoted] {
        #expect(again.status == 201 && again.json == first.json)
        #expect(again.header("Idempotent-Replayed") == "true")
      }
      let other = try await scene.pay(ann, bob.wallet, "6", #","idempotency_key":"k""#)
      #expect(other.status == 422 && other["code"] == "IDEMPOTENCY_CONFLICT")
      #expect(other["rejection"] == "4" && other["next_action"] == "new_key")
      #expect(scene.engine.head == head)
      #expect(try await scene.available(bob) == "5.00")
    }
  }

  @Test func `a key is its agent's and its operation's own`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.payer("bob")
      let key = #","idempotency_key":"k""#
      #expect(try await scene.pay(ann, bob.wallet, "1", key).status == 201)
      #expect(try await scene.pay(bob, ann.wallet, "2", key).status == 201)
      let funded = try await scene.post(
        "/v1/wallets/\(ann.wallet)/fund", #"{"amount":3,"source":"test_faucet"\#(key)}"#,
        key: ann.key)
      #expect(funded.status == 201 && funded.header("Idempotent-Replayed") == nil)
      let again = try await scene.post(
        "/v1/wallets/\(ann.wallet)/fund", #"{"amount":3,"source":"test_faucet"\#(key)}"#,
        key: ann.key)
      #expect(again.header("Idempotent-Replayed") == "true" && again.json == funded.json)
    }
  }

  @Test func `a refusal under a key stands, even when money has come`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann", "1")
      let bob = try await scene.agent("bob")
      let refused = try await scene.pay(ann, bob.wallet, "5", #","idempotency_key":"k""#)
      #expect(refused.status == 402 && refused["final"] == "true")
      #expect(refused["next_action"] == "new_key" && refused["retryable"] == "false")
      _ = try await scene.post(
        "/v1/wallets/\(ann.wallet)/fund", #"{"amount":50,"source":"test_faucet"}"#, key: ann.key)
      let again = try await scene.pay(ann, bob.wallet, "5", #","idempotency_key":"k""#)
      #expect(again.json == refused.json && again.header("Idempotent-Replayed") == "true")
      #expect(try await scene.pay(ann, bob.wallet, "5", #","idempotency_key":"n""#).status == 201)
    }
  }

  @Test func `registering again shows no secret again`() async throws {
    try await Scene.run { scene in
      let body = #"{"name":"ann","operator":"acme","metadata":{"a":1}}"#
      let first = try await scene.post("/v1/agents", body, headers: [("X-Request-Id", "r")])
      let head = scene.engine.head
      for header in ["X-Request-Id", "Idempotency-Key"] {
        let again = try await scene.post("/v1/agents", body, headers: [(header, "r")])
        #expect(again.status == 201 && again.header("Idempotent-Replayed") == "true")
        #expect(again["id"] == first["id"] && again["wallet_id"] == first["wallet_id"])
        #expect(again["api_key"] == "already_shown" && again["secret_key"] == "already_shown")
        #expect(again["next_action"] == "rotate" && again["created_at"] == first["created_at"])
      }
      let other = try await scene.post(
        "/v1/agents", #"{"name":"bob","operator":"acme"}"#, headers: [("X-Request-Id", "r")])
      #expect(other.status == 422)
      #expect(scene.engine.head == head)
    }
  }

  @Test func `keys that differ, or are none, are refused`() async throws {
    try await Scene.run { scene in
      let body = #"{"name":"ann","idempotency_key":"a"}"#
      let differ: [[(String, String)]] = [
        [("Idempotency-Key", "b")], [("X-Request-Id", "b")],
        [("Idempotency-Key", "a"), ("X-Request-Id", "b")],
      ]
      let head = scene.engine.head
      for headers in differ {
        let reply = try await scene.post("/v1/agents", body, headers: headers)
        #expect(reply.status == 400 && reply["code"] == "IDEMPOTENCY_KEYS_DIFFER")
      }
      let long = String(repeating: "k", count: 256)
      for value in ["a b", "\"a", "\"a\"b\"", "", "\"\"", "\u{e9}", long] {
        let reply = try await scene.post(
          "/v1/agents", #"{"name":"ann"}"#, headers: [("Idempotency-Key", value)])
        #expect(reply.status == 400 && reply["code"] == "INVALID_HEADER", "\(value)")
      }
      let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
      #expect(try await scene.post("/v1/agents", body, headers: twice)["code"] == "INVALID_HEADER")
      #expect(scene.engine.head == head)
      let same = [("Idempotency-Key", "\"a\""), ("X-Request-Id", "a")]
      #expect(try await scene.post("/v1/agents", body, headers: same).status == 201)
    }
  }

  @Test func `a request id is no key of a payment`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      for _ in 0..<2 {
        let paid = try await scene.pay(ann, bob.wallet, "1", headers: [("X-Request-Id", "r")])
        #expect(paid.status == 201 && paid.header("Idempotent-Replayed") == nil)
      }
      #expect(try await scene.available(bob) == "2.00")
    }
  }

  @Test func `one key under many hands moves money once`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let replays = try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<32 {
          group.addTask {
            let reply = try await scene.pay(ann, bob.wallet, "1", #","idempotency_key":"k""#)
            #expect(reply.status == 201)
            return reply.header("Idempotent-Replayed") == "true"
          }
        }
        return try await group.reduce(into: 0) { count, isReplay in count += isReplay ? 1 : 0 }
      }
      #expect(replays == 31)
      #expect(try await scene.available(bob) == "1.00")
    }
  }
}
