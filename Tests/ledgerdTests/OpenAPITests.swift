import LedgerCore
import Testing

@testable import ledgerd

/// Goal: what the document says is what the router does.
/// Method: the document as it is served, compared with the declarations, and walked for references.
@Suite struct OpenAPITests {
  @Test func `the document lists exactly the declared routes`() async throws {
    try await Scene.run { scene in
      let reply = try await scene.get("/openapi/spec.json")
      #expect(reply["openapi"] == "3.1.0")
      let paths = try #require(reply.json["paths"]?.members)
      var operations: Set<String> = []
      for path in paths {
        for operation in try #require(path.value.members) {
          operations.insert("\(operation.name) \(path.name)")
        }
      }
      #expect(operations == Set(PublicRoutes.all.map { "\($0.method.rawValue) \($0.path)" }))
      #expect(!paths.contains { $0.name.hasPrefix("/admin") })
    }
  }

  @Test func `every operation has what the standard asks for`() throws {
    let bytes = OpenAPI.document(of: PublicRoutes.all).bytes
    let document = try JSONValue.parse(bytes, byteCountMax: 1 << 20)
    #expect(document["info"]?["title"]?.text != nil && document["info"]?["version"]?.text != nil)
    var names: Set<String> = []
    for route in PublicRoutes.all {
      let operation = try #require(document["paths"]?[route.path]?[route.method.rawValue])
      let isNew = names.insert(operation["operationId"]?.text ?? "").inserted
      #expect(isNew)
      let responses = try #require(operation["responses"]?.members)
      #expect(responses.contains { $0.name == String(route.status) })
      #expect(responses.allSatisfy { $0.value["description"]?.text?.isEmpty == false })
      var inPath: Set<String> = []
      if case .array(let parameters)? = operation["parameters"] {
        for parameter in parameters where parameter["in"]?.text == "path" {
          inPath.insert(parameter["name"]?.text ?? "")
          #expect(parameter["required"] == .bool(true))
        }
      }
      let declared = route.path.split(separator: "/").filter { $0.hasPrefix("{") }
      #expect(inPath == Set(declared.map { String($0.dropFirst().dropLast()) }), "\(route.name)")
      #expect((operation["requestBody"] != nil) == (route.body != nil))
    }
  }

  @Test func `references lead somewhere, and the bytes are always the same`() throws {
    let bytes = OpenAPI.document(of: PublicRoutes.all).bytes
    let document = try JSONValue.parse(bytes, byteCountMax: 1 << 20)
    var references: [String] = []
    document.walk { name, value in
      if name == "$ref", let text = value.text { references.append(text) }
    }
    #expect(!references.isEmpty)
    for reference in references {
      let target = reference.split(separator: "/").dropFirst().reduce(JSONValue?.some(document)) {
        $0?[String($1)]
      }
      #expect(target != nil, "\(reference)")
    }
    #expect(bytes == OpenAPI.document(of: PublicRoutes.all).bytes)
  }

  @Test func `a list in a request says how many, and that its objects are closed`() throws {
    let bytes = OpenAPI.document(of: PublicRoutes.all).bytes
    let document = try JSONValue.parse(bytes, byteCountMax: 1 << 20)
    let body = document["paths"]?["/v1/payments"]?["post"]?["requestBody"]?["content"]
    let split = body?["application/json"]?["schema"]?["properties"]?["split"]
    #expect(split?["minItems"] == .number("2") && split?["maxItems"] == .number("32"))
    #expect(split?["items"]?["additionalProperties"] == .bool(false))
    #expect(split?["items"]?["required"] == .array([.string("share")]))
  }

  @Test func `every rejection has a reason, and a reason has one status`() {
    for rejection in Rejection.allCases {
      #expect((400...599).contains(rejection.reason.status), "\(rejection)")
    }
    // 402 is said only where certainly nothing was paid.
    #expect(Reason.allCases.filter { $0.status == 402 } == [.insufficientFunds])
    #expect(Set(Reason.allCases.map(\.code)) == Set(ProblemCode.allCases))
  }

  @Test func `route names and paths are unique and parameters are declared`() {
    let all = PublicRoutes.all + AdminRoutes.all
    #expect(Set(all.map(\.name)).count == all.count)
    #expect(Set(all.map { "\($0.method) \($0.path)" }).count == all.count)
    for route in all {
      let inPath = route.path.split(separator: "/").filter { $0.hasPrefix("{") }
      #expect(
        inPath.map { String($0.dropFirst().dropLast()) } == route.parameters.map(\.property.name))
      #expect(route.keys.names.isEmpty || route.body != nil)
    }
  }
}

extension JSONValue {
  var members: [JSONObject.Member]? {
    guard case .object(let object) = self else { return nil }
    return object.members
  }

  var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  subscript(name: String) -> JSONValue? {
    guard case .object(let object) = self else { return nil }
    return object[name]
  }

  /// Visits every member, however deep.
  func walk(_ visit: (String, JSONValue) -> Void) {
    switch self {
    case .object(let object):
      for member in object.members {
        visit(member.name, member.value)
        member.value.walk(visit)
      }
    case .array(let elements):
      for element in elements { element.walk(visit) }
    case .null, .bool, .number, .string, .written: break
    }
  }
}
