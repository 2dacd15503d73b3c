import HTTPTypes
import Hummingbird
import LedgerCore
import Logging
import NIOCore

/// From declared routes to a router: the only place where a request becomes a ``Call``.
///
///     head ──▶ size ──▶ who ──▶ body ──▶ fields ──▶ key ──▶ handler ──▶ answer
///                 └───────┴───────┴────────┴─────────┴─────────┴──▶ problem
struct Dispatch: Sendable {
  let backend: Backend
  let routes: [Route]
  private let rate = Rate()

  init(backend: Backend, routes: [Route]) {
    self.backend = backend
    self.routes = routes
  }

  /// The largest body of any request.
  static let bodyByteCountMax = JSONValue.byteCountMax

  /// The paths of routes that take lines.
  var streams: Set<String> { Set(routes.filter { $0.handleLines != nil }.map(\.path)) }

  /// A router of `routes`, and of nothing else.
  func router() -> Router<EdgeContext> {
    let router = Router(
      context: EdgeContext.self, options: [.autoGenerateHeadEndpoints])
    router.add(middleware: Problems(routes: routes))
    for route in routes {
      router.on(RouterPath(route.path), method: route.method.http) { request, context in
        try await respond(to: request, context, route)
      }
    }
    return router
  }

  private func respond(
    to request: Hummingbird.Request, _ context: EdgeContext, _ route: Route
  ) async throws -> Response {
    if route.handleLines == nil,
      let length = request.headers[.contentLength].flatMap({ Int($0) }),
      length > Self.bodyByteCountMax
    {
      throw Self.bodyTooLarge
    }
    try checkRate(request, context, route)
    let principal = try await Principals.resolve(
      route.who, authorization: request.headers[values: .authorization], backend)
    var input = Input()
    do throws(JSONError) {
      try input.read(route.parameters, from: Self.parameters(context.parameters, of: route))
      try input.read(route.query, from: Self.query(request.uri.query, of: route))
    } catch {
      throw Problem(error)
    }
    let key = try Self.key(of: route, request.headers)
    if let handle = route.handleLines {
      let call = Call(backend: backend, input: input, principal: principal, key: nil)
      return Lines(call: call, fields: route.body ?? [], handle: handle).response(to: request)
    }
    if let fields = route.body {
      try input.read(fields, fromBody: try await Self.body(of: request))
    }
    let call = Call(
      backend: backend, input: input, principal: principal,
      key: try Self.key(of: route, input, key))
    let answer = try await route.handle(call)
    return Self.response(answer.json, status: route.status, isReplay: answer.isReplay)
  }

  private func checkRate(
    _ request: Hummingbird.Request, _ context: EdgeContext, _ route: Route
  ) throws(Problem) {
    guard let perMinute = route.perMinute, let name = HTTPField.Name("X-Forwarded-For"),
      let peer = context.peer(
        request.headers[values: name], proxyHops: backend.settings.proxyHops ?? 0),
      let seconds = rate.take(route.name + " " + peer, perMinute: perMinute)
    else { return }
    var problem = Problem(
      .rateExceeded, "Ask again in \(seconds) s; one address may ask \(perMinute) times a minute.")
    problem.seconds = seconds
    throw problem
  }

  static let bodyTooLarge = Problem(
    .bodyTooLarge, "Send at most \(bodyByteCountMax) bytes; nothing of it was read.")

  /// All bytes of the body. Errors of the connection itself travel on as they are.
  private static func body(of request: Hummingbird.Request) async throws -> [UInt8] {
    do {
      let buffer = try await request.body.collect(upTo: bodyByteCountMax)
      return Array(buffer.readableBytesView)
    } catch is NIOTooManyBytesError {
      throw bodyTooLarge
    }
  }

  // MARK: - Parameters

  private static func parameters(_ values: Parameters, of route: Route) -> JSONObject {
    JSONObject(
      members: route.parameters.map { field in
        let name = field.property.name
        return JSONObject.Member(name: name, value: .string(values.get(name) ?? ""))
      })
  }

  /// The query as an object, so that one reader checks both. Every name once, as in JSON.
  private static func query(_ query: String?, of route: Route) throws(JSONError) -> JSONObject {
    var members: [JSONObject.Member] = []
    // One more than there are: either unknown or there twice, and that one is told.
    for pair in (query ?? "").split(separator: "&", maxSplits: route.query.count + 1)
      .prefix(route.query.count + 1)
    {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = decoded(parts[0]), let text = decoded(parts.count > 1 ? parts[1] : "") else {
        throw JSONError(.invalidString, "Encode the query as percent-escaped UTF-8 without NUL.")
      }
      guard members.allSatisfy({ $0.name != name }) else {
        throw JSONError(
          .duplicateKey, field: name, "Send \(JSONError.quoted(name)) only once in the query.")
      }
      members.append(JSONObject.Member(name: name, value: value(text, of: name, route)))
    }
    return JSONObject(members: members)
  }

  /// A whole number is one in a query too, though nothing there has quotes.
  private static func value(_ text: String, of name: String, _ route: Route) -> JSONValue {
    let field = route.query.first { $0.property.name == name }
    if case .whole = field?.property.shape, JSONValue.isNumber(text) { return .number(text) }
    if case .flag = field?.property.shape, let flag = Bool(text) { return .bool(flag) }
    return .string(text)
  }

  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let digits = String(rest.prefix(2)), digits.utf8.count == 2,
        digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16)
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
  }

  // MARK: - Idempotency keys

  /// The one key of a request, wherever it stands; nil where there is none.
  private static func key(
    of route: Route, _ input: Input, _ inHeaders: (name: String, key: String)?
  ) throws(Problem) -> String? {
    guard !route.keys.names.isEmpty else { return nil }
    let key = input[Route.key]
    guard let (name, other) = inHeaders, let key, key != other else { return key ?? inHeaders?.key }
    throw differ(name)
  }

  private static func differ(_ name: String) -> Problem {
    Problem(
      .idempotencyKeysDiffer, field: name,
      "Send one idempotency key; \(name) has another than the rest of the request.")
  }

  /// The one key in the headers, and where; nil where there is none. Refused where the route would
  /// not honour it, since whoever sends one trusts it.
  private static func key(
    of route: Route, _ headers: HTTPFields
  ) throws(Problem) -> (name: String, key: String)? {
    let standard = "Idempotency-Key"
    if route.method == .post, route.keys.names.isEmpty, let field = HTTPField.Name(standard),
      headers[field] != nil
    {
      throw Problem(
        .invalidHeader, field: standard,
        route.handleLines == nil
          ? "Send no \(standard); this route does not take one."
          : "Put \"idempotency_key\" into each line instead of one \(standard) for all.")
    }
    var found: (name: String, key: String)?
    for name in route.keys.names {
      guard let field = HTTPField.Name(name) else { preconditionFailure("\(name) is a header") }
      let values = headers[values: field]
      guard values.count <= 1 else {
        throw Problem(.invalidHeader, field: name, "Send one \(name) header, not several.")
      }
      guard let value = values.first else { continue }
      guard let text = unquoted(value), isKey(text) else {
        throw Problem(
          .invalidHeader, field: name,
          "In \(name), send 1 to 255 printable ASCII characters without spaces, bare or quoted.")
      }
      guard found == nil || found?.key == text else { throw differ(name) }
      found = (name, text)
    }
    return found
  }

  private static func isKey(_ text: String) -> Bool {
    (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }

  /// The text of a header that is a string of RFC 8941, or that most clients send bare.
  private static func unquoted(_ value: String) -> String? {
    let quote = UInt8(ascii: "\"")
    guard value.utf8.first == quote else { return value }
    guard value.utf8.count >= 2, value.utf8.last == quote else { return nil }
    var bytes: [UInt8] = []
    var rest = value.utf8.dropFirst().dropLast()
    while let byte = rest.popFirst() {
      guard byte != quote else { return nil }
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      guard let next = rest.popFirst(), next == quote || next == UInt8(ascii: "\\") else {
        return nil
      }
      bytes.append(next)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: - Answers

  static func response(_ json: JSONValue, status: Int, isReplay: Bool) -> Response {
    var response = self.response(json, status: status, type: "application/json")
    if isReplay { response.headers[replayed] = "true" }
    return response
  }

  static func response(_ problem: Problem) -> Response {
    var response = self.response(
      problem.json, status: problem.reason.status, type: "application/problem+json")
    if problem.isReplay { response.headers[replayed] = "true" }
    if problem.reason.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
    if let seconds = problem.retryAfter { response.headers[.retryAfter] = String(seconds) }
    if let allow = problem.allow { response.headers[.allow] = allow }
    return response
  }

  private static let replayed: HTTPField.Name = {
    guard let name = HTTPField.Name("Idempotent-Replayed") else {
      preconditionFailure("a header's name")
    }
    return name
  }()

  private static func response(_ json: JSONValue, status: Int, type: String) -> Response {
    let headers: HTTPFields = [
      .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
    ]
    let body = ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes))
    return Response(status: HTTPResponse.Status(code: status), headers: headers, body: body)
  }
}

extension Input {
  /// Reads `fields` from a body, or a line of one, which must be one JSON object.
  mutating func read(
    _ fields: [any AnyField], fromBody bytes: some Collection<UInt8>
  ) throws(Problem) {
    do throws(JSONError) {
      guard case .object(let object) = try JSONValue.parse(bytes) else {
        throw JSONError(.malformed, at: 0, "Send a JSON object as the whole body.")
      }
      try read(fields, from: object)
    } catch {
      throw Problem(error)
    }
  }
}

extension Route.Method {
  var http: HTTPRequest.Method {
    switch self {
    case .get: .get
    case .post: .post
    }
  }
}

/// Says every problem, and what the router itself refuses, as one.
private struct Problems: RouterMiddleware {
  let routes: [Route]

  func handle(
    _ request: Hummingbird.Request, context: EdgeContext,
    next: @concurrent (Hummingbird.Request, EdgeContext) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch let problem as Problem {
      return Dispatch.response(problem)
    } catch let error as HTTPError {
      guard error.status == .notFound else {
        context.logger.error("the router refused a request with \(error.status.code)")
        return Dispatch.response(Problem(.internalError, "Report this; nothing was done."))
      }
      return Dispatch.response(unrouted(request.uri.path))
    }
  }

  private func unrouted(_ path: String) -> Problem {
    let there = routes.filter { $0.matches(path) }
    guard !there.isEmpty else {
      return Problem(.routeNotFound, "Use a path of /openapi/spec.json; this one is not known.")
    }
    let methods = there.flatMap { route in
      switch route.method {
      case .get: ["GET", "HEAD"]
      case .post: ["POST"]
      }
    }
    var problem = Problem(
      .methodNotAllowed, "Use \(methods.joined(separator: " or ")) with this path.")
    problem.allow = methods.joined(separator: ", ")
    return problem
  }
}

extension Route {
  /// Whether a path without its query is one of this route's.
  func matches(_ path: String) -> Bool {
    let ours = self.path.split(separator: "/")
    let theirs = path.split(separator: "/")
    return ours.count == theirs.count
      && zip(ours, theirs).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
  }
}
