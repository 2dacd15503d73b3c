import LedgerCore

/// One refused request, as `application/problem+json` (RFC 9457) says it.
///
/// An error answer never accompanies a change: whoever throws a problem has recorded nothing but,
/// where `isFinal`, the refusal itself. No paths, stacks or secrets stand in it.
struct Problem: Error, Sendable, Equatable {
  let reason: Reason
  /// One sentence that a model can act on.
  var detail: String
  /// The field, parameter or header that is wrong, by its path.
  var field: String?
  /// The engine's own number of the refusal, if it refused.
  var rejection: Rejection?
  /// Whether the refusal is recorded, so that the same key is answered with it for ever.
  var isFinal = false
  /// Whether it is such an answer again.
  var isReplay = false
  var nextAction: NextAction
  /// The numbers behind a refusal, as exact decimals.
  var limit: String?
  var used: String?
  var asked: String?
  /// The dispute that stands in the way.
  var disputeId: String?
  /// The rule of a policy that denied, and the text id of that policy.
  var binding: Binding?
  var policyId: String?
  /// The methods that a path has.
  var allow: String?

  init(_ reason: Reason, field: String? = nil, _ detail: String) {
    self.reason = reason
    self.field = field
    self.detail = detail
    nextAction = reason.terms.next
  }

  /// Seconds after which asking again may help, where the ledger knows them.
  var seconds: Int?

  /// Seconds after which asking again may help.
  var retryAfter: Int? {
    guard nextAction.isRetry else { return nil }
    if let seconds { return seconds }
    if reason == .storageFull || reason == .clockAhead { return 10 }
    return reason == .refusalRateExceeded ? 60 : 1
  }

  var json: JSONValue {
    let members = written
    return members.json
  }

  /// Its members, for an answer that it is part of.
  var written: Members {
    let terms = reason.terms
    var members = Members()
    members.string("type", "urn:ledger:problem:\(reason.rawValue)")
    members.string("title", terms.title)
    members.integer("status", terms.status)
    members.string("detail", detail)
    members.string("code", terms.code.rawValue)
    members.string("reason", reason.rawValue)
    members.integer("rejection", rejection?.rawValue)
    members.string("field", field)
    members.bool("retryable", nextAction.isRetry)
    members.bool("final", isFinal)
    members.string("next_action", nextAction.rawValue)
    members.string("limit", limit)
    members.string("used", used)
    members.string("asked", asked)
    members.string("dispute_id", disputeId)
    members.string("policy_id", policyId)
    if let binding {
      if binding.version > 0 { members.integer("policy_version", binding.version) }
      if binding.rule > 0 { members.integer("rule", binding.rule) }
      if binding.resets > .none { members.time("resets_at", binding.resets) }
    }
    return members
  }
}

// MARK: - What was sent

extension Problem {
  /// A document or a field that the strict reader refused.
  init(_ error: JSONError) {
    self.init(error.code.reason, field: error.field, error.message)
  }

  /// A text that is no amount of an asset with `code` and its scale.
  init(_ error: Amount.TextError, of field: String, in code: AssetCode) {
    switch error {
    case .malformed:
      self.init(
        .invalidAmount, field: field,
        "Send \"\(field)\" as digits with at most one decimal point.")
    case .tooPrecise(let decimals):
      self.init(
        .invalidAmount, field: field,
        "Send \"\(field)\" with at most \(decimals) decimals; \(code) has no more.")
    case .tooLarge:
      self.init(
        .invalidAmount, field: field,
        "Send \"\(field)\" with at most 18 digits before the decimal point.")
    }
  }
}

extension JSONError.Code {
  var reason: Reason {
    switch self {
    case .malformed, .tooDeep, .tooLarge, .invalidNumber: .invalidJSON
    case .duplicateKey: .duplicateField
    case .invalidUTF8, .invalidString: .invalidText
    case .missingField: .missingField
    case .unknownField: .unknownField
    case .wrongType, .outOfRange: .invalidField
    case .invalidAmount: .invalidAmount
    case .invalidId: .invalidId
    }
  }
}

// MARK: - What failed

extension Problem {
  /// A command whose outcome the engine did not give.
  init(submitting failure: LedgerFailure) {
    switch failure {
    case .outcomeUnknown:
      self.init(
        .outcomeUnknown,
        "Send the same request with the same idempotency key; it may have been done.")
    case .ledgerFailed, .closed, .queueFull, .storageFull, .readFailed, .writeFailed:
      self.init(reading: failure)
    }
  }

  /// A read that the engine did not answer. Nothing was done.
  init(reading failure: LedgerFailure) {
    switch failure {
    case .outcomeUnknown, .ledgerFailed, .closed:
      self.init(.unavailable, "Try again later; the ledger is stopping and did nothing.")
    case .readFailed:
      self.init(.internalError, "Tell the operator: what was asked for cannot be read any more.")
    // Only administrators have anything written beside the log; they see why, paths and all.
    case .writeFailed(let why):
      self.init(.notWritten, "Mend this first: \(why).")
    case .queueFull:
      self.init(.queueFull, "Try again in a second; too much is waiting and nothing was done.")
    case .storageFull:
      self.init(.storageFull, "Try again later; the disk is full and nothing was done.")
    }
  }
}
