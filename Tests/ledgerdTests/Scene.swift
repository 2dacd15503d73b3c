import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import LedgerCore
import Logging
import NIOCore
import Testing

@testable import ledgerd

/// A daemon on a directory of its own, asked through its router, without a port.
///
/// Every answer is held against the declaration of its route: success has the declared members, a
/// refusal is one that the route declares.
struct Scene: Sendable {
  let daemon: Daemon
  let directory: String
  let routes: [Route]
  private let client: any TestClientProtocol

  var engine: Engine { daemon.backend.engine }

  /// Runs `body` with a daemon that is gone afterwards.
  static func run(
    routes: [Route] = PublicRoutes.all, with settings: [Setting: String] = [:],
    options: Engine.Options = Engine.Options(), _ body: @Sendable (Scene) async throws -> Void
  ) async throws {
    let directory = NSTemporaryDirectory() + "ledgerd-test-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await run(in: directory, routes: routes, with: settings, options: options, body)
  }

  /// As ``run(routes:with:options:_:)``, in a directory that stays.
  static func run(
    in directory: String, routes: [Route] = PublicRoutes.all,
    with settings: [Setting: String] = [:], options: Engine.Options = Engine.Options(),
    _ body: @Sendable (Scene) async throws -> Void
  ) async throws {
    let arguments = settings.merging([.data: directory, .port: "0"]) { said, _ in said }
    let settings = try Settings.resolve(
      arguments: arguments, environment: [:], contents: { _ throws(SettingsError) in nil })
    var options = options
    options.mapByteCount = 1 << 30
    let daemon = try await Daemon.open(settings, Logger(label: "test"), options)
    defer { daemon.close() }
    let dispatch = Dispatch(backend: daemon.backend, routes: routes)
    try await Application(router: dispatch.router()).test(.router) { client in
      try await body(
        Scene(daemon: daemon, directory: directory, routes: routes, client: client))
    }
  }

  /// The first operator's key.
  var operatorKey: String {
    get throws {
      try String(contentsOfFile: directory + "/admin.token", encoding: .utf8)
        .trimmingCharacters(in: .newlines)
    }
  }

  // MARK: - Asking

  func post(
    _ path: String, _ body: String, key: String? = nil, headers: [(String, String)] = []
  ) async throws -> Reply {
    try await send(.post, path, Array(body.utf8), key: key, headers: headers)
  }

  func get(
    _ path: String, key: String? = nil, headers: [(String, String)] = []
  ) async throws -> Reply {
    try await send(.get, path, nil, key: key, headers: headers)
  }

  func send(
    _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8]?, key: String? = nil,
    headers: [(String, String)] = []
  ) async throws -> Reply {
    var fields = HTTPFields()
    if let key { fields[.authorization] = "Bearer \(key)" }
    for (name, value) in headers {
      fields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value))
    }
    let response = try await client.executeRequest(
      uri: path, method: method, headers: fields, body: body.map { ByteBuffer(bytes: $0) })
    let bytes = Array(response.body.readableBytesView)
    let json = try JSONValue.parse(bytes, byteCountMax: 1 << 20)
    let reply = Reply(status: response.status.code, headers: response.headers, json: json)
    try expectDeclared(reply, method, path)
    return reply
  }

  /// Sends lines of JSON; answers those that come back.
  func lines(_ path: String, _ lines: [String], key: String?) async throws -> [Reply] {
    var fields = HTTPFields()
    if let key { fields[.authorization] = "Bearer \(key)" }
    let response = try await client.executeRequest(
      uri: path, method: .post, headers: fields,
      body: ByteBuffer(string: lines.joined(separator: "\n")))
    let text = String(buffer: response.body)
    return try text.split(separator: "\n").map { line in
      let json = try JSONValue.parse(Array(line.utf8))
      return Reply(status: response.status.code, headers: response.headers, json: json)
    }
  }

  private func expectDeclared(_ reply: Reply, _ method: HTTPRequest.Method, _ path: String) throws {
    let plain = path.prefix { $0 != "?" }
    let route = routes.first { $0.method.http == method && $0.matches(String(plain)) }
    guard case .object(let object) = reply.json else {
      Issue.record("\(path) answers something that is no object")
      return
    }
    let names = object.members.map(\.name)
    guard let route, reply.status == route.status else {
      let reason = try #require(Reason(rawValue: reply["reason"] ?? ""), "\(path): \(reply.json)")
      #expect(reason.status == reply.status && reason.code.rawValue == reply["code"])
      #expect(reply.headers[.contentType] == "application/problem+json")
      if let route { #expect(route.refusals.contains(reason), "\(route.name): \(reason)") }
      return
    }
    #expect(reply.headers[.contentType] == "application/json")
    #expect(reply.headers[.cacheControl] == "no-store")
    let declared = Set(route.answer.map(\.name))
    let required = Set(route.answer.filter(\.isRequired).map(\.name))
    #expect(declared.isSuperset(of: names), "\(route.name) answers more than it declares")
    #expect(required.isSubset(of: names), "\(route.name) answers less than it declares")
  }

  // MARK: - Actors

  func agent(_ name: String, of tenant: String? = "acme") async throws -> Member {
    let whose = tenant.map { #","operator":"\#($0)""# } ?? ""
    let reply = try await post("/v1/agents", #"{"name":"\#(name)"\#(whose)}"#)
    try #require(reply.status == 201)
    return Member(
      id: try #require(reply["id"]), wallet: try #require(reply["wallet_id"]),
      key: try #require(reply["api_key"]), secret: try #require(reply["secret_key"]))
  }

  /// The key of a tenant's admin.
  func tenantKey(_ name: String = "acme") async throws -> String {
    let reply = try await post("/v1/tenants", #"{"name":"\#(name)"}"#, key: operatorKey)
    try #require(reply.status == 201)
    return try #require(reply["tenant_key"])
  }

  /// Another operator's key, beside the first one's.
  func secondOperatorKey() async throws -> String {
    let credential = Credential(.operatorKey, livemode: false)
    let request = try engine.preparation.request(
      .identity(
        .registerOperator(key: engine.preparation.hash(credential: credential.text))),
      by: .administrator)
    let outcome = try await engine.submit(request)
    try #require(outcome.recorded != nil)
    return credential.text
  }

  /// An agent with money.
  func payer(_ name: String, _ amount: String = "100") async throws -> Member {
    let agent = try await agent(name)
    let reply = try await post(
      "/v1/wallets/\(agent.wallet)/fund", #"{"amount":\#(amount),"source":"test_faucet"}"#,
      key: agent.key)
    try #require(reply.status == 201)
    return agent
  }

  func pay(
    _ from: Member, _ to: String, _ amount: String, _ rest: String = "",
    headers: [(String, String)] = []
  ) async throws -> Reply {
    try await post(
      "/v1/payments",
      #"{"from_wallet_id":"\#(from.wallet)","to_wallet_id":"\#(to)","amount":\#(amount)\#(rest)}"#,
      key: from.key, headers: headers)
  }

  func available(_ agent: Member) async throws -> String? {
    try await get("/v1/wallets/\(agent.wallet)/balance", key: agent.key)["available_text"]
  }
}

/// A registered agent, as whoever registered it knows it.
struct Member: Sendable {
  let id: String
  let wallet: String
  let key: String
  let secret: String
}

/// An answer.
struct Reply: Sendable {
  let status: Int
  let headers: HTTPFields
  let json: JSONValue

  /// The exact text of a member: of a string, a number or a truth value.
  subscript(name: String) -> String? {
    guard case .object(let object) = json else { return nil }
    return switch object[name] {
    case .string(let text), .number(let text): text
    case .bool(let flag): String(flag)
    case .null, .array, .object, .written, nil: nil
    }
  }

  /// The objects of a member that is a list.
  func list(_ name: String) -> [Reply] {
    guard case .object(let object) = json, case .array(let elements) = object[name] else {
      return []
    }
    return elements.map { Reply(status: status, headers: headers, json: $0) }
  }

  func header(_ name: String) -> String? {
    HTTPField.Name(name).flatMap { headers[$0] }
  }
}
