/// Why a request was refused: the closed list that an answer's `reason` is one of.
///
/// The raw value is public, stable and never reused. Each reason has one status, one code and one
/// thing to do next, so that all answers for it agree.
enum Reason: String, CaseIterable, Sendable {
  // What was sent
  case invalidJSON = "invalid_json"
  case duplicateField = "duplicate_field"
  case unknownField = "unknown_field"
  case missingField = "missing_field"
  case invalidField = "invalid_field"
  case invalidText = "invalid_text"
  case invalidId = "invalid_id"
  case invalidAmount = "invalid_amount"
  case invalidCurrency = "invalid_currency"
  case invalidRecipient = "invalid_recipient"
  case invalidHeader = "invalid_header"
  case idempotencyKeysDiffer = "idempotency_keys_differ"
  case bodyTooLarge = "body_too_large"
  case routeNotFound = "route_not_found"
  case methodNotAllowed = "method_not_allowed"

  // Who sent it
  case credentialMissing = "credential_missing"
  case credentialUnknown = "credential_unknown"
  case notPermitted = "not_permitted"
  case testLedgerOnly = "test_ledger_only"

  // What is there
  case walletNotFound = "wallet_not_found"
  case payeeNotFound = "payee_not_found"
  case paymentNotFound = "payment_not_found"
  case eventNotFound = "event_not_found"
  case tenantNotFound = "tenant_not_found"
  case agentNotFound = "agent_not_found"
  case operatorNotFound = "operator_not_found"
  case credentialNotFound = "credential_not_found"
  case scheduleNotFound = "schedule_not_found"
  case reservationNotFound = "reservation_not_found"
  case disputeNotFound = "dispute_not_found"

  // What is so
  case insufficientFunds = "insufficient_funds"
  case fundingCapExceeded = "funding_cap_exceeded"
  case currencyDiffers = "currency_differs"
  case selfPayment = "self_payment"
  case agentNameTaken = "agent_name_taken"
  case credentialTaken = "credential_taken"
  case assetExists = "asset_exists"
  case assetInvalid = "asset_invalid"
  case scheduleInvalid = "schedule_invalid"
  case scheduleInPast = "schedule_in_past"
  case scheduleFalls = "schedule_falls"
  case walletFrozen = "wallet_frozen"
  case walletClosed = "wallet_closed"
  case walletOpen = "wallet_open"
  case walletInUse = "wallet_in_use"
  case walletNotEmpty = "wallet_not_empty"
  case payeeClosed = "payee_closed"
  case feeTakesAll = "fee_takes_all"
  case splitInvalid = "split_invalid"
  case reservationEnded = "reservation_ended"
  case captureExceedsHold = "capture_exceeds_hold"
  case tooManyCaptures = "too_many_captures"
  case refundExceedsPayment = "refund_exceeds_payment"
  case alreadySettled = "already_settled"
  case duplicateDispute = "duplicate_dispute"
  case disputeWindowPassed = "dispute_window_passed"
  case nothingToDispute = "nothing_to_dispute"
  case disputeEnded = "dispute_ended"
  case disputeUnderReview = "dispute_under_review"
  case disputeNotReviewed = "dispute_not_reviewed"
  case paymentDisputed = "payment_disputed"
  case tooMuchEvidence = "too_much_evidence"
  case walletInDispute = "wallet_in_dispute"
  case paused = "paused"
  case alreadyPaused = "already_paused"
  case notPaused = "not_paused"
  case debtNotFound = "debt_not_found"
  case debtUnsettled = "debt_unsettled"
  case sameOperator = "same_operator"
  case policyInvalid = "policy_invalid"
  case policyInPast = "policy_in_past"
  case policyNotFound = "policy_not_found"
  case paymentNotPending = "payment_not_pending"
  case paymentNotCompleted = "payment_not_completed"

  // What a policy denies
  case perPaymentExceeded = "per_payment_exceeded"
  case limitExceeded = "limit_exceeded"
  case countExceeded = "count_exceeded"
  case payeeNotAllowed = "payee_not_allowed"
  case railNotAllowed = "rail_not_allowed"
  case categoryNotAllowed = "category_not_allowed"
  case outsideHours = "outside_hours"
  case assetNotCovered = "asset_not_covered"
  case approvalNeeded = "approval_needed"
  case walletRestricted = "wallet_restricted"

  // Of the request itself
  case settlementNotConfigured = "settlement_not_configured"
  case idempotencyConflict = "idempotency_conflict"
  case linkedCommandRefused = "linked_command_refused"
  case unitTooLarge = "unit_too_large"
  case refusalRateExceeded = "refusal_rate_exceeded"

  /// Too many requests from one address.
  case rateExceeded = "rate_exceeded"

  // Ourselves
  case outcomeUnknown = "outcome_unknown"
  case queueFull = "queue_full"
  case storageFull = "storage_full"
  case clockAhead = "clock_ahead"
  case projectionBehind = "projection_behind"
  case unavailable = "unavailable"
  case notWritten = "not_written"
  case internalError = "internal_error"
}

/// The family of a reason, by which existing clients decide what to do [AP-112 to AP-119].
enum ProblemCode: String, CaseIterable, Sendable {
  /// A wallet, an authorisation or a balance is the problem.
  case ledger = "AP-1001"
  /// A policy or a cap denied it.
  case policy = "AP-1002"
  /// Too fast.
  case rate = "AP-3002"
  case settlementNotConfigured = "SETTLEMENT_NOT_CONFIGURED"
  case alreadySettled = "ALREADY_SETTLED"
  case duplicateDispute = "DUPLICATE_DISPUTE"
  case invalidJSON = "INVALID_JSON"
  case duplicateField = "DUPLICATE_FIELD"
  case unknownField = "UNKNOWN_FIELD"
  case missingField = "MISSING_FIELD"
  case invalidField = "INVALID_FIELD"
  case invalidText = "INVALID_TEXT"
  case invalidId = "INVALID_ID"
  case invalidAmount = "INVALID_AMOUNT"
  case invalidCurrency = "INVALID_CURRENCY"
  case invalidRecipient = "INVALID_RECIPIENT"
  case invalidHeader = "INVALID_HEADER"
  case idempotencyKeysDiffer = "IDEMPOTENCY_KEYS_DIFFER"
  case idempotencyConflict = "IDEMPOTENCY_CONFLICT"
  case bodyTooLarge = "BODY_TOO_LARGE"
  case notFound = "NOT_FOUND"
  case methodNotAllowed = "METHOD_NOT_ALLOWED"
  case outcomeUnknown = "OUTCOME_UNKNOWN"
  case overloaded = "OVERLOADED"
  case storageFull = "STORAGE_FULL"
  case clockAhead = "CLOCK_AHEAD"
  case projectionBehind = "PROJECTION_BEHIND"
  case unavailable = "UNAVAILABLE"
  case notWritten = "NOT_WRITTEN"
  case internalError = "INTERNAL_ERROR"
}

/// What whoever was refused does next. Public and stable, as the reasons are.
enum NextAction: String, CaseIterable, Sendable {
  /// Send something else; the detail says what.
  case fixRequest = "fix_request"
  /// Show a live credential that may do this.
  case authenticate
  /// Name another wallet, payee or amount.
  case chooseAnother = "choose_another"
  /// Bring money into the wallet first.
  case addFunds = "add_funds"
  /// The answer stands for this key; a new one asks again.
  case newKey = "new_key"
  /// A secret was shown once and is not shown again; replace it.
  case rotate
  /// Wait as long as `Retry-After` says, then send the same.
  case retryLater = "retry_later"
  /// Nobody knows yet whether it was done: send the same with the same key.
  case retrySameKey = "retry_same_key"
  /// Asking again does not help.
  case stop

  /// Whether sending the same request again may be answered differently.
  var isRetry: Bool { self == .retryLater || self == .retrySameKey }
}

extension Reason {
  /// Why a policy denies a payment; a hold also where it would need approval.
  static let ofPolicies: [Reason] = [
    .perPaymentExceeded, .limitExceeded, .countExceeded, .payeeNotAllowed, .railNotAllowed,
    .categoryNotAllowed, .outsideHours, .assetNotCovered,
  ]

  /// What all problems of one reason have in common.
  struct Terms: Sendable {
    let status: Int
    let code: ProblemCode
    let next: NextAction
    let title: String

    init(_ status: Int, _ code: ProblemCode, _ next: NextAction, _ title: String) {
      self.status = status
      self.code = code
      self.next = next
      self.title = title
    }
  }

  var terms: Terms {
    switch self {
    case .invalidJSON: Terms(400, .invalidJSON, .fixRequest, "The body is not strict JSON")
    case .duplicateField: Terms(400, .duplicateField, .fixRequest, "A field came twice")
    case .unknownField: Terms(400, .unknownField, .fixRequest, "A field is not known here")
    case .missingField: Terms(400, .missingField, .fixRequest, "A field is missing")
    case .invalidField: Terms(400, .invalidField, .fixRequest, "A field has a wrong value")
    case .invalidText:
      Terms(400, .invalidText, .fixRequest, "A text has characters it may not have")
    case .invalidId: Terms(400, .invalidId, .fixRequest, "An id is not spelled as ids are")
    case .invalidAmount: Terms(400, .invalidAmount, .fixRequest, "The amount is not one")
    case .invalidCurrency: Terms(400, .invalidCurrency, .fixRequest, "There is no such currency")
    case .invalidRecipient: Terms(400, .invalidRecipient, .fixRequest, "Not exactly one recipient")
    case .invalidHeader: Terms(400, .invalidHeader, .fixRequest, "A header has a wrong value")
    case .idempotencyKeysDiffer:
      Terms(400, .idempotencyKeysDiffer, .fixRequest, "Two idempotency keys differ")
    case .bodyTooLarge: Terms(413, .bodyTooLarge, .fixRequest, "The body is too large")
    case .routeNotFound: Terms(404, .notFound, .fixRequest, "There is nothing at this path")
    case .methodNotAllowed: Terms(405, .methodNotAllowed, .fixRequest, "Not with this method")
    case .credentialMissing: Terms(401, .ledger, .authenticate, "No credential")
    case .credentialUnknown: Terms(401, .ledger, .authenticate, "Not a live credential")
    case .notPermitted: Terms(403, .ledger, .authenticate, "Not with this credential")
    case .testLedgerOnly: Terms(403, .ledger, .stop, "Only in a test ledger")
    case .walletNotFound: Terms(404, .ledger, .chooseAnother, "No such wallet")
    case .payeeNotFound: Terms(404, .ledger, .chooseAnother, "No such payee")
    case .paymentNotFound: Terms(404, .ledger, .chooseAnother, "No such payment")
    case .eventNotFound: Terms(404, .ledger, .chooseAnother, "No such event")
    case .tenantNotFound: Terms(404, .ledger, .chooseAnother, "No such tenant")
    case .agentNotFound: Terms(404, .ledger, .chooseAnother, "No such agent")
    case .operatorNotFound: Terms(404, .ledger, .chooseAnother, "No such operator")
    case .credentialNotFound: Terms(404, .ledger, .chooseAnother, "No such credential")
    case .scheduleNotFound: Terms(404, .ledger, .chooseAnother, "No such fee schedule")
    case .insufficientFunds: Terms(402, .ledger, .addFunds, "Not enough money")
    case .fundingCapExceeded: Terms(403, .policy, .chooseAnother, "Over the faucet's cap")
    case .currencyDiffers: Terms(409, .ledger, .chooseAnother, "The currencies differ")
    case .selfPayment: Terms(409, .ledger, .chooseAnother, "Payer and payee are the same")
    case .agentNameTaken: Terms(409, .ledger, .chooseAnother, "The name is taken")
    case .credentialTaken: Terms(409, .ledger, .retryLater, "The credential is taken")
    case .assetExists: Terms(409, .ledger, .chooseAnother, "The asset exists")
    case .assetInvalid: Terms(400, .invalidCurrency, .fixRequest, "Not an asset")
    case .scheduleInvalid: Terms(400, .invalidField, .fixRequest, "Not a fee schedule")
    case .scheduleInPast: Terms(409, .ledger, .chooseAnother, "The schedule begins in the past")
    case .scheduleFalls: Terms(400, .invalidField, .fixRequest, "The fee would fall at a tier")
    case .reservationNotFound: Terms(404, .ledger, .chooseAnother, "No such reservation")
    case .walletFrozen: Terms(403, .policy, .chooseAnother, "The wallet is frozen")
    case .walletClosed: Terms(409, .ledger, .chooseAnother, "The wallet is closed")
    case .walletOpen: Terms(409, .ledger, .stop, "The wallet is open")
    case .walletInUse: Terms(409, .ledger, .chooseAnother, "The wallet holds money")
    case .walletNotEmpty: Terms(409, .ledger, .chooseAnother, "The wallet is not empty")
    case .payeeClosed: Terms(409, .ledger, .chooseAnother, "The payee's wallet is closed")
    case .feeTakesAll: Terms(409, .ledger, .chooseAnother, "The fee would take all of it")
    case .splitInvalid: Terms(400, .invalidRecipient, .fixRequest, "Not a split among receivers")
    case .reservationEnded: Terms(409, .ledger, .stop, "The reservation has ended")
    case .captureExceedsHold:
      Terms(409, .ledger, .chooseAnother, "More than is left of the reservation")
    case .tooManyCaptures: Terms(409, .ledger, .stop, "Too many captures of one reservation")
    case .refundExceedsPayment:
      Terms(409, .ledger, .chooseAnother, "More than is left of the payment")
    case .alreadySettled: Terms(409, .alreadySettled, .stop, "The payee was settled")
    case .disputeNotFound: Terms(404, .ledger, .chooseAnother, "No such dispute")
    case .duplicateDispute:
      Terms(409, .duplicateDispute, .chooseAnother, "The payment was disputed already")
    case .disputeWindowPassed: Terms(409, .ledger, .stop, "Too late for a dispute")
    case .nothingToDispute: Terms(409, .ledger, .stop, "Nothing is left to dispute")
    case .disputeEnded: Terms(409, .ledger, .stop, "The dispute has ended")
    case .disputeUnderReview: Terms(409, .ledger, .stop, "The dispute is under review")
    case .disputeNotReviewed: Terms(409, .ledger, .fixRequest, "The dispute is not under review")
    case .paymentDisputed: Terms(409, .ledger, .stop, "The payment is in dispute")
    case .tooMuchEvidence: Terms(409, .ledger, .stop, "There is too much evidence already")
    case .walletInDispute: Terms(409, .ledger, .stop, "A dispute claims from the wallet")
    case .paused: Terms(403, .policy, .retryLater, "New payments are stopped")
    case .alreadyPaused: Terms(409, .ledger, .stop, "It is stopped already")
    case .notPaused: Terms(409, .ledger, .stop, "It is not stopped")
    case .debtNotFound: Terms(404, .ledger, .chooseAnother, "No such debt")
    case .debtUnsettled: Terms(409, .ledger, .stop, "The dispute is not decided")
    case .sameOperator: Terms(409, .ledger, .stop, "A second operator must ask")
    case .policyInvalid: Terms(400, .invalidField, .fixRequest, "Not a policy")
    case .policyInPast: Terms(409, .ledger, .chooseAnother, "The policy begins in the past")
    case .policyNotFound: Terms(404, .ledger, .chooseAnother, "No such policy")
    case .paymentNotPending: Terms(409, .ledger, .stop, "The payment does not wait")
    case .paymentNotCompleted: Terms(409, .ledger, .stop, "The payment is not complete")
    case .perPaymentExceeded: Terms(403, .policy, .stop, "Over what is allowed at once")
    case .limitExceeded: Terms(403, .policy, .stop, "Over what is allowed in a period")
    case .countExceeded: Terms(403, .policy, .stop, "Too many payments in a period")
    case .payeeNotAllowed: Terms(403, .policy, .stop, "Not to this payee")
    case .railNotAllowed: Terms(403, .policy, .stop, "Not on this rail")
    case .categoryNotAllowed: Terms(403, .policy, .stop, "Not for this")
    case .outsideHours: Terms(403, .policy, .stop, "Not at this time")
    case .assetNotCovered: Terms(403, .policy, .stop, "Not in this currency")
    case .approvalNeeded: Terms(403, .policy, .stop, "Somebody must approve it")
    case .walletRestricted: Terms(403, .policy, .stop, "A policy is about the wallet")
    case .settlementNotConfigured:
      Terms(422, .settlementNotConfigured, .chooseAnother, "Nothing settles on this rail")
    case .idempotencyConflict:
      Terms(422, .idempotencyConflict, .newKey, "The key was used with another request")
    case .linkedCommandRefused: Terms(409, .ledger, .fixRequest, "A linked command was refused")
    case .unitTooLarge: Terms(400, .invalidField, .fixRequest, "Too many linked commands")
    case .refusalRateExceeded: Terms(429, .rate, .retryLater, "Too many refusals")
    case .rateExceeded: Terms(429, .rate, .retryLater, "Too many requests")
    case .outcomeUnknown: Terms(503, .outcomeUnknown, .retrySameKey, "The outcome is unknown")
    case .queueFull: Terms(503, .overloaded, .retryLater, "Too much is waiting")
    case .storageFull: Terms(507, .storageFull, .retryLater, "The disk is nearly full")
    case .clockAhead: Terms(503, .clockAhead, .retryLater, "The ledger's clock jumped ahead")
    case .projectionBehind: Terms(503, .projectionBehind, .retryLater, "The view is behind")
    case .unavailable: Terms(503, .unavailable, .retryLater, "The ledger is not available")
    case .notWritten: Terms(409, .notWritten, .fixRequest, "It was not written")
    case .internalError: Terms(500, .internalError, .stop, "Our mistake")
    }
  }

  var status: Int { terms.status }
  var code: ProblemCode { terms.code }
}
