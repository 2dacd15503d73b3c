import LedgerCore

/// One thing that can be asked over HTTP, declared once: routing, validation and the OpenAPI
/// document come from here (`design.md` 4.15).
struct Route: Sendable {
  enum Method: String, Sendable { case get, post }

  /// Who may ask.
  enum Who: Sendable, Equatable {
    /// Everyone; a credential is not looked at.
    case everyone
    /// Everyone; a credential of one of these kinds is honoured.
    case everyoneOr([Identity.CredentialKind])
    /// Whoever shows a live credential of one of these kinds.
    case holders([Identity.CredentialKind])
    /// Whoever can open the Unix socket; the route exists there only.
    case administrator
  }

  /// Which headers may carry an idempotency key, beside the body's `idempotency_key`.
  enum KeyHeaders: Sendable {
    case none, idempotencyKey, idempotencyKeyOrRequestId

    var names: [String] {
      switch self {
      case .none: []
      case .idempotencyKey: ["Idempotency-Key"]
      case .idempotencyKeyOrRequestId: ["Idempotency-Key", "X-Request-Id"]
      }
    }
  }

  typealias Handler = @Sendable (Call) async throws(Problem) -> Answer
  /// Begins what the lines of a chunk ask for, in their order; what it gives back answers them.
  typealias LinesHandler =
    @Sendable (_ chunk: Lines.Chunk, _ lines: Lines) async -> Lines.Answers

  let method: Method
  /// With parameters in braces: `/v1/wallets/{wallet_id}/fund`.
  let path: String
  /// The operation's name, unique among all routes.
  let name: String
  /// One sentence.
  let summary: String
  let who: Who
  var parameters: [any AnyField] = []
  var query: [any AnyField] = []
  /// The fields of the body; nil where there is none.
  var body: [any AnyField]?
  var keys = KeyHeaders.none
  /// How often one address may ask in a minute; nil where credentials bound it.
  var perMinute: Int?
  /// The status of success.
  var status = 200
  let answer: [Property]
  /// Why it is refused, beside what follows from the declaration itself; see ``refusals``.
  var errors: [Reason] = []
  var handle: Handler = { _ throws(Problem) in
    preconditionFailure("a route handles a request, or the lines of one")
  }
  /// Where the body is lines of JSON (NDJSON), each with the fields of ``body``, and so is the
  /// answer: a line for each, in their order, as it is known.
  var handleLines: LinesHandler?

  /// The caller's own idempotency key, in the body of a route that takes one.
  static let key = Field.label(
    "idempotency_key",
    "Makes a retry safe: the same key with the same request is answered again, not done again.")

  /// Every reason for which this route refuses.
  var refusals: [Reason] {
    var reasons: [Reason] = [
      .unavailable, .queueFull, .storageFull, .clockAhead, .internalError,
    ]
    switch who {
    case .everyone, .administrator: break
    case .everyoneOr: reasons += [.credentialUnknown, .invalidHeader]
    case .holders:
      reasons += [.credentialMissing, .credentialUnknown, .notPermitted, .invalidHeader]
    }
    reasons += [.unknownField]
    if perMinute != nil { reasons += [.rateExceeded] }
    if method == .post { reasons += [.invalidHeader] }
    if !parameters.isEmpty { reasons += [.invalidId] }
    if !query.isEmpty {
      reasons += [.duplicateField, .missingField, .invalidField, .invalidText, .invalidId]
    }
    if body != nil {
      reasons += [
        .invalidJSON, .duplicateField, .missingField, .invalidField, .invalidText, .invalidId,
        .bodyTooLarge, .outcomeUnknown,
      ]
    }
    if !keys.names.isEmpty {
      reasons += [
        .invalidHeader, .idempotencyKeysDiffer, .idempotencyConflict, .refusalRateExceeded,
      ]
    }
    let all = Set(reasons + errors)
    return Reason.allCases.filter(all.contains)
  }
}

/// One request on its way through its route's handler.
struct Call: Sendable {
  let backend: Backend
  let input: Input
  /// Whose credential was shown; nil where none had to be.
  let principal: Principal?
  /// The idempotency key, from wherever it came.
  let key: String?

  subscript<Value>(field: Field<Value>) -> Value { input[field] }

  /// Whoever asks, on routes that only holders of credentials may use.
  var holder: Principal {
    guard let principal else { preconditionFailure("the route is for holders of credentials") }
    return principal
  }
}

/// What a handler answers.
struct Answer: Sendable {
  var json: JSONValue
  /// Whether the request was done before, and this is its answer again.
  var isReplay = false

  init(_ json: JSONValue, isReplay: Bool = false) {
    self.json = json
    self.isReplay = isReplay
  }
}
