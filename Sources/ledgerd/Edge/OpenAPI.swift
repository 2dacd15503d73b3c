import LedgerCore

/// The OpenAPI 3.1 document of declared routes. The same routes always give the same bytes.
enum OpenAPI {
  static let version = "3.1.0"

  static func document(of routes: [Route]) -> JSONValue {
    var paths: [JSONObject.Member] = []
    for route in routes where !paths.contains(where: { $0.name == route.path }) {
      var item = Members()
      for other in routes where other.path == route.path {
        item.value(other.method.rawValue, operation(other))
      }
      paths.append(JSONObject.Member(name: route.path, value: item.json))
    }
    return [
      "openapi": .string(version),
      "info": [
        "title": "Ledger",
        "version": "1",
        "description": .string(
          "Payments between agents. Amounts are exact: a number in its decimal text, and beside it "
            + "the text. Errors are application/problem+json with a stable code and reason."),
      ],
      "paths": .object(JSONObject(members: paths)),
      "components": [
        "schemas": ["Problem": problem],
        "securitySchemes": [
          "key": [
            "type": "http", "scheme": "bearer",
            "description": "An agent's api_key, a tenant's key, or an operator's.",
          ]
        ],
      ],
    ]
  }

  // MARK: - Operations

  private static func operation(_ route: Route) -> JSONValue {
    var members = Members()
    members.string("operationId", route.name)
    members.string("summary", route.summary)
    switch route.who {
    case .everyone, .administrator: members.value("security", [])
    case .everyoneOr: members.value("security", [["key": []], [:]])
    case .holders: members.value("security", [["key": []]])
    }
    let parameters =
      route.parameters.map { parameter($0.property, in: "path") }
      + route.query.map { parameter($0.property, in: "query") }
      + route.keys.names.map(header)
    if !parameters.isEmpty { members.value("parameters", .array(parameters)) }
    if let body = route.body {
      members.value(
        "requestBody",
        [
          "required": true,
          "content": content(route, object(body.map(\.property), isClosed: true)),
        ])
    }
    members.value("responses", responses(route))
    return members.json
  }

  private static func parameter(_ property: Property, in place: String) -> JSONValue {
    [
      "name": .string(property.name), "in": .string(place), "required": .bool(property.isRequired),
      "description": .string(property.about), "schema": schema(property.shape),
    ]
  }

  private static func header(_ name: String) -> JSONValue {
    [
      "name": .string(name), "in": "header", "required": false,
      "description": .string(Route.key.property.about), "schema": schema(.label),
    ]
  }

  private static func responses(_ route: Route) -> JSONValue {
    var members = Members()
    members.value(
      String(route.status),
      [
        "description": .string(route.summary),
        "content": content(route, answer(route)),
      ])
    let refusals = route.refusals
    for status in Set(refusals.map(\.status)).sorted() {
      let reasons = refusals.filter { $0.status == status }
      members.value(String(status), refusal(reasons))
    }
    return members.json
  }

  /// Of one line, where the route takes and answers lines.
  private static func content(_ route: Route, _ schema: JSONValue) -> JSONValue {
    let type = route.handleLines == nil ? "application/json" : "application/x-ndjson"
    return .object(JSONObject(members: [.init(name: type, value: ["schema": schema])]))
  }

  private static func answer(_ route: Route) -> JSONValue {
    guard route.handleLines != nil else { return object(route.answer, isClosed: false) }
    let replayed = Property(
      Lines.replayedMember, .flag, isRequired: false, "True where it was done before.")
    return [
      "oneOf": [
        object(route.answer + [replayed], isClosed: false),
        ["$ref": "#/components/schemas/Problem"],
      ]
    ]
  }

  private static func refusal(_ reasons: [Reason]) -> JSONValue {
    let codes = ProblemCode.allCases.filter { code in reasons.contains { $0.code == code } }
    let narrowed: JSONValue = [
      "properties": [
        "code": ["enum": .array(codes.map { .string($0.rawValue) })],
        "reason": ["enum": .array(reasons.map { .string($0.rawValue) })],
      ]
    ]
    return [
      "description": .string(reasons.map(\.terms.title).joined(separator: "; ")),
      "content": [
        "application/problem+json": [
          "schema": ["allOf": [["$ref": "#/components/schemas/Problem"], narrowed]]
        ]
      ],
    ]
  }

  // MARK: - Schemas

  private static func object(_ properties: [Property], isClosed: Bool) -> JSONValue {
    var described = Members()
    for property in properties {
      guard case .object(let object) = schema(property.shape) else {
        preconditionFailure("a schema is an object")
      }
      let about = JSONObject.Member(name: "description", value: .string(property.about))
      described.value(
        property.name, .object(JSONObject(members: object.members + [about])))
    }
    let required = properties.filter(\.isRequired).map { JSONValue.string($0.name) }
    var members: [JSONObject.Member] = [
      .init(name: "type", value: "object"), .init(name: "properties", value: described.json),
    ]
    if !required.isEmpty { members.append(.init(name: "required", value: .array(required))) }
    if isClosed { members.append(.init(name: "additionalProperties", value: false)) }
    return .object(JSONObject(members: members))
  }

  private static let decimalPattern = "^(0|[1-9][0-9]{0,17})(\\.[0-9]{1,18})?$"

  private static func schema(_ shape: Shape) -> JSONValue {
    switch shape {
    case .text(let bytes, _):
      return [
        "type": "string", "minLength": .number(String(min(bytes.lowerBound, 1))),
        "maxLength": .number(String(bytes.upperBound)),
      ]
    case .id(let kind):
      return ["type": "string", "pattern": .string("^\(kind.prefix)_[0-9a-z]{26}$")]
    case .ids(let kind): return ["type": "array", "items": schema(.id(kind))]
    case .label:
      return [
        "type": "string", "minLength": .number("1"), "maxLength": .number("255"),
        "pattern": "^[!-~]+$",
      ]
    case .category:
      return [
        "type": "string", "minLength": .number("1"), "maxLength": .number("64"),
        "pattern": "^[!-~]+$",
      ]
    case .amount:
      return [
        "oneOf": [
          ["type": "number", "exclusiveMinimum": .number("0")],
          ["type": "string", "pattern": .string(decimalPattern)],
        ]
      ]
    case .amountOrZero:
      return [
        "oneOf": [
          ["type": "number", "minimum": .number("0")],
          ["type": "string", "pattern": .string(decimalPattern)],
        ]
      ]
    case .number: return ["type": "number"]
    case .decimal:
      return ["type": "string", "pattern": "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?$"]
    case .currency:
      return ["type": "string", "pattern": "^[!-~]{1,16}$"]
    case .choice(let values):
      return ["type": "string", "enum": .array(values.map { .string($0) })]
    case .whole(let range):
      return [
        "type": "integer", "minimum": .number(String(range.lowerBound)),
        "maximum": .number(String(range.upperBound)),
      ]
    case .object: return ["type": "object"]
    case .flag: return ["type": "boolean"]
    case .time: return ["type": "string", "format": "date-time"]
    case .clock:
      return ["type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"]
    case .nested(let properties, let isClosed): return object(properties, isClosed: isClosed)
    case .several(let shape, let count):
      return [
        "type": "array", "items": schema(shape), "minItems": .number(String(count.lowerBound)),
        "maxItems": .number(String(count.upperBound)),
      ]
    case .objects(let properties, let count):
      return [
        "type": "array", "items": object(properties, isClosed: true),
        "minItems": .number(String(count.lowerBound)),
        "maxItems": .number(String(count.upperBound)),
      ]
    case .list(let properties):
      return ["type": "array", "items": object(properties, isClosed: false)]
    case .problem: return ["$ref": "#/components/schemas/Problem"]
    case .any: return [:]
    }
  }

  private static var problem: JSONValue {
    let text = ["type", "title", "detail", "code", "reason", "next_action"]
    let properties =
      text.map { Property($0, .text(bytes: 1...1_000), "See the description.") } + [
        Property("status", .whole(400...599), "The HTTP status."),
        Property("retryable", .flag, "Whether the same request may be answered differently later."),
        Property("final", .flag, "Whether the refusal is recorded: the same key gets it for ever."),
        Property("rejection", .whole(1...65_535), isRequired: false, "The ledger's own number."),
        Property(
          "field", .text(bytes: 1...1_000), isRequired: false, "What is wrong, by its path."),
        Property("limit", .decimal, isRequired: false, "What binds: a balance, a cap."),
        Property("used", .decimal, isRequired: false, "How much of it was used before."),
        Property("asked", .decimal, isRequired: false, "What was asked for, fees included."),
        Property(
          "dispute_id", .id(.dispute), isRequired: false, "The dispute that stands in the way."),
        Property("policy_id", .id(.policy), isRequired: false, "The policy that denied."),
        Property(
          "policy_version", .whole(1...Int(UInt32.max)), isRequired: false,
          "The how-manieth of its wallet, agent or tenant."),
        Property(
          "rule", .whole(1...Policies.ruleCountMax), isRequired: false,
          "Which of the policy's rules denied, by its place in it."),
        Property(
          "resets_at", .time, isRequired: false, "When what was used counts no longer."),
      ]
    return object(properties, isClosed: false)
  }
}

// Documents are written as literals here, and only here.
extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  init(stringLiteral value: String) { self = .string(value) }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(
      JSONObject(members: elements.map { JSONObject.Member(name: $0, value: $1) }))
  }
}
