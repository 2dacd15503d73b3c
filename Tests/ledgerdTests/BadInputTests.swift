import HTTPTypes
import LedgerCore
import Testing

@testable import ledgerd

/// Goal: what is malformed is refused with its own code and field, and leaves no event.
/// Method: tables of bodies and headers against the router; the log's head before and after.
@Suite struct BadInputTests {
  /// What stands for the amount, and the code of its refusal.
  static let amounts: [(text: String, code: ProblemCode)] = [
    ("0", .invalidAmount), ("0.000000000", .invalidAmount), ("-1", .invalidAmount),
    ("-0", .invalidAmount), ("1e30", .invalidAmount), ("1e-12", .invalidAmount),
    ("1E2", .invalidAmount), ("5.0000000000000000001", .invalidAmount),
    ("0.0000000001", .invalidAmount), ("1234567890123456789", .invalidAmount),
    (#"" 5""#, .invalidAmount), (#""5 ""#, .invalidAmount), (#""""#, .invalidAmount),
    (#""05""#, .invalidAmount), (#""5.""#, .invalidAmount), (#"".5""#, .invalidAmount),
    (#""+5""#, .invalidAmount), (#""0x5""#, .invalidAmount), (#""1,000""#, .invalidAmount),
    (#""NaN""#, .invalidAmount), (#""Infinity""#, .invalidAmount), (#""٥""#, .invalidAmount),
    ("true", .invalidField), ("[5]", .invalidField), (#"{"value":5}"#, .invalidField),
    ("null", .missingField),
  ]

  @Test func `an amount that is none is refused by its field`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let head = scene.engine.head
      for (text, code) in Self.amounts {
        let paid = try await scene.pay(ann, bob.wallet, text, #","idempotency_key":"k""#)
        #expect(paid.status == 400 && paid["code"] == code.rawValue, "\(text): \(paid.json)")
        #expect(paid["field"] == "amount", "\(text): \(paid.json)")
        let funded = try await scene.post(
          "/v1/wallets/\(ann.wallet)/fund", #"{"amount":\#(text),"source":"test_faucet"}"#,
          key: ann.key)
        #expect(funded.status == 400 && funded["code"] == code.rawValue, "\(text)")
      }
      #expect(scene.engine.head == head)
      #expect(try await scene.available(ann) == "100.00")
    }
  }

  /// Bodies of a payment in which WALLET and PAYEE stand for two real wallets.
  static let bodies: [(body: String, code: ProblemCode, field: String?)] = [
    ("", .invalidJSON, nil), ("null", .invalidJSON, nil), ("[]", .invalidJSON, nil),
    ("{", .invalidJSON, nil), ("{}}", .invalidJSON, nil), ("{'amount':5}", .invalidJSON, nil),
    (#"{"amount":05}"#, .invalidJSON, "amount"),
    (#"{"amount":NaN}"#, .invalidJSON, nil),
    (#"{"amount":5,"amount":5}"#, .duplicateField, "amount"),
    (#"{"amount":5,"\u0061mount":6}"#, .duplicateField, "amount"),
    (
      #"{"from_wallet_id":"WALLET","to_wallet_id":"PAYEE","amount":1,"amuont":2}"#, .unknownField,
      "amuont"
    ),
    (#"{"from_wallet_id":"WALLET","to_wallet_id":"PAYEE"}"#, .missingField, "amount"),
    (#"{"to_wallet_id":"PAYEE","amount":1}"#, .missingField, "from_wallet_id"),
    (#"{"from_wallet_id":"WALLET","amount":1}"#, .invalidRecipient, "to_wallet_id"),
    (
      #"{"from_wallet_id":"WALLET","to_wallet_id":"PAYEE","to_external":"a","amount":1}"#,
      .invalidRecipient, "to_wallet_id"
    ),
    (#"{"from_wallet_id":7,"to_wallet_id":"PAYEE","amount":1}"#, .invalidField, "from_wallet_id"),
    (#"{"from_wallet_id":"","to_wallet_id":"PAYEE","amount":1}"#, .invalidId, "from_wallet_id"),
    (
      #"{"from_wallet_id":"WALL\u0000ET","to_wallet_id":"PAYEE","amount":1}"#, .invalidText,
      "from_wallet_id"
    ),
    (
      #"{"from_wallet_id":"wallét","to_wallet_id":"PAYEE","amount":1}"#, .invalidId,
      "from_wallet_id"
    ),
    (
      #"{"from_wallet_id":" WALLET","to_wallet_id":"PAYEE","amount":1}"#, .invalidId,
      "from_wallet_id"
    ),
    (
      #"{"from_wallet_id":"WALLET","to_wallet_id":"PA YEE","amount":1}"#, .invalidId, "to_wallet_id"
    ),
    (
      #"{"from_wallet_id":"WALLET","to_external":"caf\u00e9","amount":1}"#, .invalidId,
      "to_external"
    ),
    (
      #"{"from_wallet_id":"WALLET","to_wallet_id":"PAYEE","amount":1,"currency":"EUR"}"#,
      .invalidCurrency, "currency"
    ),
    (
      #"{"from_wallet_id":"WALLET","to_wallet_id":"PAYEE","amount":1,"idempotency_key":"a b"}"#,
      .invalidId, "idempotency_key"
    ),
    (
      #"{"from_wallet_id":"WALLET","to_wallet_id":"PAYEE","amount":1,"description":"\u202e"}"#,
      .invalidText, "description"
    ),
  ]

  @Test func `a body that is no payment is refused by its code and field`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let head = scene.engine.head
      for (template, code, field) in Self.bodies {
        let body = template.replacing("WALLET", with: ann.wallet).replacing(
          "PAYEE", with: bob.wallet)
        let reply = try await scene.post("/v1/payments", body, key: ann.key)
        #expect(reply.status == 400 && reply["code"] == code.rawValue, "\(body): \(reply.json)")
        #expect(reply["field"] == field, "\(body): \(reply.json)")
        #expect(reply["retryable"] == "false" && reply["next_action"] == "fix_request")
      }
      #expect(scene.engine.head == head)
    }
  }

  @Test func `bytes that are no text are refused`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      for bytes: [UInt8] in [[0xEF, 0xBB, 0xBF, 0x7B, 0x7D], [0x7B, 0x22, 0xFF, 0x22], [0]] {
        let reply = try await scene.send(.post, "/v1/payments", bytes, key: ann.key)
        #expect(reply.status == 400)
      }
    }
  }

  @Test func `a body over 64 KiB is refused, one of 64 KiB is read`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      let frame = #"{"description":""}"#
      let full = frame.replacing(
        #""""#, with: "\"" + String(repeating: "a", count: 65_536 - frame.utf8.count) + "\"")
      #expect(full.utf8.count == 65_536)
      let read = try await scene.post("/v1/payments", full, key: ann.key)
      #expect(read.status == 400 && read["field"] == "from_wallet_id")
      let large = try await scene.post("/v1/payments", full + " ", key: ann.key)
      #expect(large.status == 413 && large["code"] == "BODY_TOO_LARGE")
    }
  }

  @Test func `registering takes only what it declares`() async throws {
    try await Scene.run { scene in
      let long = String(repeating: "n", count: 256)
      let rows: [(String, ProblemCode, String?)] = [
        ("{}", .missingField, "name"), (#"{"name":""}"#, .invalidField, "name"),
        (#"{"name":"\#(long)"}"#, .invalidField, "name"), (#"{"name":5}"#, .invalidField, "name"),
        (#"{"name":"a\u0000"}"#, .invalidText, "name"),
        (#"{"name":"a\nb"}"#, .invalidText, "name"),
        (#"{"name":"a","currency":"XXX"}"#, .invalidCurrency, "currency"),
        (#"{"name":"a","metadata":[]}"#, .invalidField, "metadata"),
        (
          #"{"name":"a","metadata":{"a":"\#(String(repeating: "m", count: 16_384))"}}"#,
          .invalidField, "metadata"
        ),
        (#"{"name":"a","api_key":"pk_test_mine"}"#, .unknownField, "api_key"),
      ]
      let head = scene.engine.head
      for (body, code, field) in rows {
        let reply = try await scene.post("/v1/agents", body)
        #expect(reply.status == 400 && reply["code"] == code.rawValue, "\(body.prefix(80))")
        #expect(reply["field"] == field)
      }
      #expect(scene.engine.head == head)
      let free = try await scene.post(
        "/v1/agents", #"{"name":"a","metadata":{"x":{"y":[1.50,null]}}}"#)
      #expect(free.status == 201)
      guard case .object(let object) = free.json else { return }
      #expect(object["metadata"]?.bytes == Array(#"{"x":{"y":[1.50,null]}}"#.utf8))
    }
  }

  @Test func `queries are as strict as bodies`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      let rows: [(String, ProblemCode, String?)] = [
        ("limit=0", .invalidField, "limit"), ("limit=101", .invalidField, "limit"),
        ("limit=x", .invalidField, "limit"), ("limit=1.0", .invalidField, "limit"),
        ("limit=1&limit=2", .duplicateField, "limit"), ("offset=1", .unknownField, "offset"),
        ("cursor=cur_0", .invalidId, "cursor"), ("cursor=%00", .invalidText, nil),
        ("cursor=%c3%a9", .invalidId, "cursor"), ("cursor=%zz", .invalidText, nil),
        ("wallet_id=", .invalidId, "wallet_id"),
      ]
      for (query, code, field) in rows {
        let reply = try await scene.get("/v1/payments?\(query)", key: ann.key)
        #expect(reply.status == 400 && reply["code"] == code.rawValue, "\(query): \(reply.json)")
        #expect(reply["field"] == field, "\(query)")
      }
      let stray = try await scene.post(
        "/v1/agents?name=a", #"{"name":"a"}"#)
      #expect(stray.status == 400 && stray["code"] == "UNKNOWN_FIELD")
      let path = try await scene.get("/v1/wallets/wallet%00/balance", key: ann.key)
      #expect(path.status == 404 || path.status == 400)
    }
  }

  @Test func `unknown paths and methods are told apart`() async throws {
    try await Scene.run { scene in
      #expect(try await scene.get("/v1/nothing")["code"] == "NOT_FOUND")
      let reply = try await scene.get("/v1/agents")
      #expect(reply.status == 405 && reply.header("Allow") == "POST")
    }
  }
}
