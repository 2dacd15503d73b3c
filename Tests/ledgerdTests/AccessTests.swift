import Foundation
import LedgerCore
import Testing

@testable import ledgerd

/// Goal: a credential opens what is its holder's, and nothing else; none is found on disk.
/// Method: two tenants who try each other's ids; headers that are nearly right; a search for what
/// was issued in every file of the data directory.
@Suite struct AccessTests {
  @Test func `another agent's objects are not there`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let eve = try await scene.payer("eve")
      let paid = try await scene.pay(ann, bob.wallet, "1")
      let head = scene.engine.head

      let balance = try await scene.get("/v1/wallets/\(ann.wallet)/balance", key: eve.key)
      #expect(balance.status == 404 && balance["reason"] == "wallet_not_found")
      #expect(balance["field"] == "wallet_id")
      let unknown = try await scene.get("/v1/wallets/wallet_nothing/balance", key: eve.key)
      #expect(balance.json == unknown.json)

      let read = try await scene.get("/v1/payments/\(paid["id"] ?? "")", key: eve.key)
      #expect(read.status == 404 && read["reason"] == "payment_not_found")
      let none = try await scene.get("/v1/payments/tx_nothing", key: eve.key)
      #expect(read.json == none.json)

      let list = try await scene.get("/v1/payments?wallet_id=\(ann.wallet)", key: eve.key)
      #expect(list.status == 404 && list["field"] == "wallet_id")
      let pay = try await scene.post(
        "/v1/payments",
        #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(eve.wallet)","amount":1}"#,
        key: eve.key)
      #expect(pay.status == 404 && pay["reason"] == "wallet_not_found")
      #expect(pay["field"] == "from_wallet_id")
      let fund = try await scene.post(
        "/v1/wallets/\(ann.wallet)/fund", #"{"amount":1,"source":"test_faucet"}"#, key: eve.key)
      #expect(fund.status == 404)
      #expect(scene.engine.head == head)
    }
  }

  @Test func `ids of one kind do not stand for another`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let paid = try await scene.pay(ann, bob.wallet, "1")
      let id = try #require(paid["id"])
      let posed = "wallet_" + id.dropFirst("tx_".count)
      #expect(try await scene.get("/v1/wallets/\(posed)/balance", key: ann.key).status == 404)
      #expect(try await scene.get("/v1/payments/\(ann.wallet)", key: ann.key).status == 404)
    }
  }

  @Test func `a secret key does not pay, nor does an operator's`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      for key in [ann.secret, try scene.operatorKey] {
        let reply = try await scene.post(
          "/v1/payments",
          #"{"from_wallet_id":"\#(ann.wallet)","to_wallet_id":"\#(bob.wallet)","amount":1}"#,
          key: key)
        #expect(reply.status == 403 && reply["reason"] == "not_permitted")
      }
      let list = try await scene.get("/v1/payments", key: try scene.operatorKey)
      #expect(list.status == 400 && list["field"] == "wallet_id")
      let funded = try await scene.post(
        "/v1/wallets/\(bob.wallet)/fund", #"{"amount":1,"source":"test_faucet"}"#,
        key: try scene.operatorKey)
      #expect(funded.status == 201)
    }
  }

  @Test func `only a live key in one strict header is a credential`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      let path = "/v1/wallets/\(ann.wallet)/balance"
      let none = try await scene.get(path)
      #expect(none.status == 401 && none["reason"] == "credential_missing")
      #expect(none.header("WWW-Authenticate") == "Bearer")

      let flipped = String(ann.key.dropLast()) + (ann.key.hasSuffix("0") ? "1" : "0")
      let neverIssued = Credential(.apiKey, livemode: false).text
      let values = [
        "Basic \(ann.key)", ann.key, "Bearer", "Bearer ", "Bearer  \(ann.key)",
        "Bearer \(ann.key) x", "Bearer \(ann.key),Bearer \(ann.key)", "Bearer \(flipped)",
        "Bearer \(neverIssued)", "Bearer pk_live_\(ann.key.dropFirst(8))",
        "Bearer sk_test_\(ann.key.dropFirst(8))", "Bearer \(ann.key.uppercased())",
      ]
      var answers: Set<String> = []
      for value in values {
        let reply = try await scene.get(path, headers: [("Authorization", value)])
        #expect(reply.status == 401 && reply["reason"] == "credential_unknown", "\(value)")
        answers.insert(String(decoding: reply.json.bytes, as: UTF8.self))
      }
      #expect(answers.count == 1, "no answer tells how near a guess was")

      let two = [("Authorization", "Bearer \(ann.key)"), ("Authorization", "Bearer \(ann.key)")]
      let twice = try await scene.get(path, headers: two)
      #expect(twice.status == 400 && twice["code"] == "INVALID_HEADER")
      let lower = try await scene.get(path, headers: [("authorization", "bearer \(ann.key)")])
      #expect(lower.status == 200)
    }
  }

  @Test func `a revoked key is dead on the next request`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.agent("ann")
      let preparation = scene.engine.preparation
      let hash = preparation.hash(credential: ann.key)
      let principal = try #require(try await scene.engine.principal(of: hash))
      let path = "/v1/wallets/\(ann.wallet)/balance"
      #expect(try await scene.get(path, key: ann.key).status == 200)
      #expect(try await scene.get(path, key: ann.key).status == 200)
      let revoke = try preparation.request(
        .identity(.revoke(principal.credential)), by: principal.actor)
      #expect(try await scene.engine.submit(revoke).recorded != nil)
      let reply = try await scene.get(path, key: ann.key)
      #expect(reply.status == 401 && reply["reason"] == "credential_unknown")
    }
  }

  @Test func `in hosted hosting a stranger cannot join a tenant by naming it`() async throws {
    let directory = NSTemporaryDirectory() + "ledgerd-test-" + UUID().uuidString
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let master = directory + "/master"
    try Data((0..<32).map { UInt8($0 * 7) }).write(to: URL(filePath: master))
    let key = Credential(.operatorKey, livemode: false).text
    try Data(key.utf8).write(to: URL(filePath: directory + "/operator"))
    let settings: [Setting: String] = [
      .hosting: "hosted", .masterKeyFile: master, .operatorKeyFile: directory + "/operator",
      .origins: "https://example.com", .proxyHops: "1",
    ]
    try await Scene.run(in: directory + "/data", with: settings) { scene in
      let body = #"{"name":"ann","operator":"acme"}"#
      let first = try await scene.post("/v1/agents", body)
      let second = try await scene.post("/v1/agents", body)
      #expect(first.status == 201 && second.status == 201 && first["operator"] == nil)
      let staff = try await scene.post("/v1/agents", body, key: key)
      #expect(staff.status == 201 && staff["operator"] == "acme")
      #expect(!FileManager.default.fileExists(atPath: scene.directory + "/admin.token"))
    }
  }

  @Test func `no secret and no text lies on disk in clear`() async throws {
    let directory = NSTemporaryDirectory() + "ledgerd-test-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let canaries = Canaries()
    try await Scene.run(in: directory) { scene in
      let ann = try await scene.payer("canary-name-1f")
      let body =
        #"{"from_wallet_id":"\#(ann.wallet)","to_external":"canary-label-2e","amount":1"#
        + #","description":"canary-text-3d","idempotency_key":"canary-key-4c"}"#
      #expect(try await scene.post("/v1/payments", body, key: ann.key).status == 201)
      await canaries.add([
        ann.key, ann.secret, String(ann.key.dropFirst(8)), String(ann.secret.dropFirst(8)),
        "canary-name-1f", "canary-label-2e", "canary-text-3d", "canary-key-4c", "acme",
      ])
    }
    let files = try #require(FileManager.default.enumerator(atPath: directory))
      .compactMap { $0 as? String }
    #expect(files.contains("log/data.mdb"))
    for file in files {
      guard let data = FileManager.default.contents(atPath: directory + "/" + file) else {
        continue
      }
      for canary in await canaries.texts {
        #expect(data.range(of: Data(canary.utf8)) == nil, "\(canary) in \(file)")
      }
    }
  }

  private actor Canaries {
    var texts: [String] = []
    func add(_ new: [String]) { texts += new }
  }
}

/// Goal: a credential's text is random, whole and of one kind.
/// Method: make many, damage them, read them back.
@Suite struct CredentialTests {
  @Test(arguments: Identity.CredentialKind.allCases, [false, true])
  func `what is made is read again as the same kind`(
    kind: Identity.CredentialKind, livemode: Bool
  ) {
    for _ in 0..<200 {
      let made = Credential(kind, livemode: livemode)
      let prefix = Credential.prefix(kind, livemode: livemode)
      #expect(made.text.utf8.count == prefix.utf8.count + 52)
      #expect(Credential(made.text, livemode: livemode)?.kind == kind)
      #expect(Credential(made.text, livemode: !livemode) == nil)
    }
  }

  @Test func `most slips of the pen are caught`() {
    var caught = 0
    for _ in 0..<1_000 {
      var bytes = Array(Credential(.apiKey, livemode: false).text.utf8)
      let place = Int.random(in: 8..<bytes.count)
      bytes[place] = bytes[place] == UInt8(ascii: "7") ? UInt8(ascii: "8") : UInt8(ascii: "7")
      if Credential(String(decoding: bytes, as: UTF8.self), livemode: false) == nil { caught += 1 }
    }
    #expect(caught > 850)
  }
}
