import LedgerCore

/// What the engine refused, as the edge says it. Exhaustive: a new refusal must choose.
extension Rejection {
  var reason: Reason {
    switch self {
    case .unitTooLarge: .unitTooLarge
    case .linkedCommandRefused: .linkedCommandRefused
    case .linkedKeysDiffer: .idempotencyConflict
    case .idempotencyConflict: .idempotencyConflict
    case .notPermitted: .notPermitted
    case .testLedgerOnly: .testLedgerOnly
    case .queueFull: .queueFull
    case .storageFull: .storageFull
    case .clockAhead: .clockAhead
    case .refusalRateExceeded: .refusalRateExceeded
    case .assetInvalid: .assetInvalid
    case .amountNotPositive, .amountOutOfRange: .invalidAmount
    case .tenantNotFound: .tenantNotFound
    case .agentNotFound: .agentNotFound
    case .agentNameTaken: .agentNameTaken
    case .credentialNotFound: .credentialNotFound
    case .credentialTaken: .credentialTaken
    case .operatorNotFound: .operatorNotFound
    case .walletNotFound: .walletNotFound
    case .assetNotFound: .invalidCurrency
    case .assetExists: .assetExists
    case .fundingCapExceeded: .fundingCapExceeded
    case .payeeNotFound: .payeeNotFound
    case .selfPayment: .selfPayment
    case .currencyDiffers: .currencyDiffers
    case .insufficientFunds: .insufficientFunds
    case .scheduleNotFound: .scheduleNotFound
    case .scheduleInvalid: .scheduleInvalid
    case .scheduleInPast: .scheduleInPast
    case .scheduleFalls: .scheduleFalls
    case .walletFrozen: .walletFrozen
    case .walletClosed: .walletClosed
    case .walletOpen: .walletOpen
    case .walletInUse: .walletInUse
    case .walletNotEmpty: .walletNotEmpty
    case .payeeClosed: .payeeClosed
    case .feeTakesAll: .feeTakesAll
    case .splitInvalid: .splitInvalid
    case .paymentNotFound: .paymentNotFound
    case .reservationNotFound: .reservationNotFound
    case .reservationEnded: .reservationEnded
    case .captureExceedsHold: .captureExceedsHold
    case .deadlineOutOfRange: .invalidField
    case .tooManyCaptures: .tooManyCaptures
    case .refundExceedsPayment: .refundExceedsPayment
    case .alreadySettled: .alreadySettled
    case .disputeNotFound: .disputeNotFound
    case .duplicateDispute: .duplicateDispute
    case .disputeWindowPassed: .disputeWindowPassed
    case .nothingToDispute: .nothingToDispute
    case .disputeEnded: .disputeEnded
    case .disputeUnderReview: .disputeUnderReview
    case .disputeNotReviewed: .disputeNotReviewed
    case .paymentDisputed: .paymentDisputed
    case .tooMuchEvidence: .tooMuchEvidence
    case .walletInDispute: .walletInDispute
    case .paused: .paused
    case .alreadyPaused: .alreadyPaused
    case .notPaused: .notPaused
    case .debtNotFound: .debtNotFound
    case .debtUnsettled: .debtUnsettled
    case .sameOperator: .sameOperator
    case .policyInvalid: .policyInvalid
    case .policyInPast: .policyInPast
    case .perPaymentExceeded: .perPaymentExceeded
    case .limitExceeded: .limitExceeded
    case .countExceeded: .countExceeded
    case .payeeNotAllowed: .payeeNotAllowed
    case .railNotAllowed: .railNotAllowed
    case .categoryNotAllowed: .categoryNotAllowed
    case .outsideHours: .outsideHours
    case .assetNotCovered: .assetNotCovered
    case .approvalNeeded: .approvalNeeded
    case .walletRestricted: .walletRestricted
    case .paymentNotPending: .paymentNotPending
    }
  }

  /// The field of the request that it is about, where there is one.
  fileprivate var field: String? {
    switch self {
    case .amountNotPositive, .amountOutOfRange, .insufficientFunds, .fundingCapExceeded,
      .feeTakesAll, .captureExceedsHold, .refundExceedsPayment, .alreadySettled,
      .perPaymentExceeded, .limitExceeded, .approvalNeeded:
      "amount"
    case .assetInvalid, .assetNotFound, .currencyDiffers, .assetNotCovered: "currency"
    case .payeeNotFound, .selfPayment, .payeeClosed, .walletNotEmpty, .payeeNotAllowed:
      "to_wallet_id"
    case .railNotAllowed: "rail"
    case .categoryNotAllowed: "category"
    case .policyInPast: "starts_at"
    case .splitInvalid: "split"
    case .scheduleFalls: "tiers"
    case .deadlineOutOfRange: "expires_in"
    case .agentNameTaken: "name"
    case .paymentNotFound: "payment_id"
    case .idempotencyConflict, .linkedKeysDiffer: "idempotency_key"
    case .unitTooLarge, .linkedCommandRefused, .notPermitted, .testLedgerOnly, .queueFull,
      .storageFull, .clockAhead, .refusalRateExceeded, .tenantNotFound, .agentNotFound,
      .credentialNotFound, .credentialTaken, .operatorNotFound, .walletNotFound, .assetExists,
      .scheduleNotFound, .scheduleInvalid, .scheduleInPast, .walletFrozen, .walletClosed,
      .walletOpen, .walletInUse, .reservationNotFound, .reservationEnded,
      .tooManyCaptures, .paused, .alreadyPaused, .notPaused, .disputeNotFound, .duplicateDispute,
      .disputeWindowPassed, .nothingToDispute, .disputeEnded, .disputeUnderReview,
      .disputeNotReviewed, .paymentDisputed, .tooMuchEvidence, .walletInDispute, .debtNotFound,
      .debtUnsettled, .sameOperator, .policyInvalid, .countExceeded, .outsideHours,
      .walletRestricted, .paymentNotPending:
      nil
    }
  }

  /// Whether a refusal counts amounts, and in which unit they are told.
  enum Counts { case nothing, money, refusals, seconds, payments }

  var counts: Counts {
    switch self {
    case .insufficientFunds, .fundingCapExceeded, .amountOutOfRange, .amountNotPositive,
      .feeTakesAll, .captureExceedsHold, .refundExceedsPayment, .alreadySettled, .walletInUse,
      .walletNotEmpty, .scheduleFalls, .perPaymentExceeded, .limitExceeded, .approvalNeeded,
      .payeeNotAllowed, .railNotAllowed, .categoryNotAllowed, .outsideHours, .assetNotCovered:
      .money
    case .refusalRateExceeded: .refusals
    case .countExceeded: .payments
    case .deadlineOutOfRange, .disputeWindowPassed: .seconds
    case .unitTooLarge, .linkedCommandRefused, .linkedKeysDiffer, .idempotencyConflict,
      .notPermitted, .testLedgerOnly, .queueFull, .storageFull, .clockAhead, .assetInvalid,
      .tenantNotFound, .agentNotFound, .agentNameTaken, .credentialNotFound, .credentialTaken,
      .operatorNotFound, .walletNotFound, .assetNotFound, .assetExists, .payeeNotFound,
      .selfPayment, .currencyDiffers, .scheduleNotFound, .scheduleInvalid, .scheduleInPast,
      .walletFrozen, .walletClosed, .walletOpen, .payeeClosed, .paymentNotFound, .splitInvalid,
      .reservationNotFound, .reservationEnded, .tooManyCaptures, .paused, .alreadyPaused,
      .notPaused, .disputeNotFound, .duplicateDispute, .nothingToDispute, .disputeEnded,
      .disputeUnderReview, .disputeNotReviewed, .paymentDisputed, .tooMuchEvidence,
      .walletInDispute, .debtNotFound, .debtUnsettled, .sameOperator, .policyInvalid,
      .policyInPast, .walletRestricted, .paymentNotPending:
      .nothing
    }
  }

  /// What to do, in a sentence. `limit` and `asked` are the numbers behind it, with their currency.
  fileprivate func detail(limit: String, used: String, asked: String) -> String {
    switch self {
    case .unitTooLarge: "Send at most 1,000 linked commands with at most 4,096 events."
    case .linkedCommandRefused: "See why another command of the same unit was refused."
    case .linkedKeysDiffer: "Give all linked commands new idempotency keys, or all the old ones."
    case .idempotencyConflict:
      "Use a new idempotency key; this one was used before with another request."
    case .notPermitted: "Use a credential whose role allows this."
    case .testLedgerOnly: "Use a test ledger for this; real money moves here."
    case .queueFull: "Try again in a second; too much is waiting and nothing was done."
    case .storageFull: "Try again later; the disk is nearly full and nothing new is begun."
    case .clockAhead:
      "Try again later; the ledger's clock jumped ahead, and an operator must look at it."
    case .refusalRateExceeded:
      "Wait a minute; this agent caused \(limit) recorded refusals in the last one."
    case .assetInvalid: "Send a code of 1 to 16 printable ASCII characters and a scale of 0 to 18."
    case .amountNotPositive: "Send an amount greater than zero."
    case .amountOutOfRange: "Send a smaller amount; a balance would leave what the ledger counts."
    case .tenantNotFound: "Check the tenant; there is none of this name."
    case .agentNotFound: "Check the agent; there is none of this id that is yours."
    case .agentNameTaken: "Choose another name; an agent of this operator has it already."
    case .credentialNotFound: "Check the credential; there is none of this id that is yours."
    case .credentialTaken: "Try again; the new credential was taken already."
    case .operatorNotFound: "Check the operator; there is none of this id."
    case .walletNotFound: "Use a wallet of your own; there is none of this id that is yours."
    case .assetNotFound: "Name a currency that this ledger has."
    case .assetExists: "Use the asset that has this code already, or another code."
    case .fundingCapExceeded: "Ask for at most \(limit); the faucet does not give \(asked) at once."
    case .payeeNotFound: "Check the payee's wallet id; there is no such wallet."
    case .selfPayment: "Pay to another wallet; payer and payee are the same."
    case .currencyDiffers: "Use wallets of one currency, and name that one or none."
    case .insufficientFunds:
      "Send less or add funds; this takes \(asked), fee included, and \(limit) is available."
    case .scheduleNotFound: "Check the fee schedule; there is none of this number."
    case .scheduleInvalid: "Send terms within their bounds, the minimum not above the maximum."
    case .scheduleInPast: "Choose a begin that is not in the past."
    case .scheduleFalls:
      "Raise the tier, or lower what is before it; where it begins the fee would be \(asked), and "
        + "just below it is \(limit)."
    case .walletFrozen: "Ask an operator; the wallet is frozen, and nothing new is taken from it."
    case .walletClosed: "Reopen the wallet first, or use another; it is closed."
    case .walletOpen: "Nothing to do; the wallet is open."
    case .walletInUse: "End the wallet's reservations first; they hold \(used)."
    case .walletNotEmpty:
      "In \"to_wallet_id\", name a wallet of the agent's that takes the \(asked) in this one."
    case .payeeClosed: "Pay to another wallet; the payee's is closed."
    case .feeTakesAll: "Send more than the fee, which is \(limit) and comes out of the amount."
    case .paymentNotFound: "Check the payment's id; there is none of this id that is yours."
    case .reservationNotFound:
      "Check the reservation's id; there is none of this id that is yours."
    case .reservationEnded: "Make a new reservation; this one was captured, released or expired."
    case .captureExceedsHold: "Capture at most \(limit), which is what is left to capture."
    case .deadlineOutOfRange: "Send 1 to \(limit) seconds."
    case .tooManyCaptures:
      "Release the reservation and make another; of this one \(Reservations.captureCountMax) "
        + "payments were made."
    case .refundExceedsPayment: "Refund at most \(limit), which is what is left of the payment."
    case .alreadySettled:
      "Ask the payee; what he was owed is settled but for \(limit), and no longer here."
    case .disputeNotFound, .duplicateDispute, .disputeWindowPassed, .nothingToDispute,
      .disputeEnded, .disputeUnderReview, .disputeNotReviewed, .paymentDisputed,
      .tooMuchEvidence, .walletInDispute, .debtNotFound, .debtUnsettled, .sameOperator,
      .policyInvalid, .policyInPast, .perPaymentExceeded, .limitExceeded, .countExceeded,
      .payeeNotAllowed, .railNotAllowed, .categoryNotAllowed, .outsideHours, .assetNotCovered,
      .approvalNeeded, .walletRestricted, .paymentNotPending, .paused, .alreadyPaused,
      .notPaused, .splitInvalid:
      moreDetail(limit: limit) ?? ""  // of policies: see policyDetail(_:_:)
    }
  }
}

extension Rejection {
  /// ``detail(limit:used:asked:)`` of what is about disputes, debts, pauses and splits; `nil` of
  /// everything else.
  fileprivate func moreDetail(limit: String) -> String? {
    switch self {
    case .disputeNotFound: "Check the dispute's id; there is none of this id that is yours."
    case .duplicateDispute:
      "Look at the dispute in \"dispute_id\" and add evidence there; it bars another one."
    case .disputeWindowPassed: "Ask the payee; a payment can be disputed for \(limit) seconds."
    case .nothingToDispute: "Nothing to do; all of the payment was given back."
    case .disputeEnded: "Nothing to do; the dispute was decided or withdrawn."
    case .disputeUnderReview: "Wait for the decision; an operator looks at the dispute already."
    case .disputeNotReviewed: "Review the dispute first, then decide it."
    case .paymentDisputed:
      "Wait for the end of the dispute in \"dispute_id\"; until then nothing is refunded."
    case .tooMuchEvidence:
      "Wait for the decision; your side added \(Disputes.evidenceCountMax) pieces of evidence."
    case .walletInDispute:
      "Wait until the wallet's disputes are decided and what its agent owes for them is paid."
    case .debtNotFound:
      "Check dispute and agent; he owes the platform nothing for it that is not paid."
    case .debtUnsettled: "Decide the dispute first; until then nothing owed for it is given up."
    case .sameOperator: "Have another operator ask for the same; one alone gives nothing up."
    case .paused: "Try again later; an operator has stopped new payments."
    case .alreadyPaused, .notPaused: "Nothing to do; that is so already."
    case .splitInvalid:
      "Name 2 to \(Splits.countMax) receivers, each once and with a share that comes to something; "
        + "pay labels that are new in several payments, at most \(Splits.newLabelCountMax) in each."
    case .unitTooLarge, .linkedCommandRefused, .linkedKeysDiffer, .idempotencyConflict,
      .notPermitted, .testLedgerOnly, .queueFull, .refusalRateExceeded, .assetInvalid,
      .amountNotPositive, .amountOutOfRange, .storageFull, .clockAhead, .tenantNotFound,
      .agentNotFound, .agentNameTaken, .credentialNotFound, .credentialTaken, .operatorNotFound,
      .walletNotFound, .assetNotFound, .assetExists, .fundingCapExceeded, .walletFrozen,
      .walletClosed, .walletOpen, .walletInUse, .walletNotEmpty, .payeeNotFound, .selfPayment,
      .currencyDiffers, .insufficientFunds, .payeeClosed, .feeTakesAll, .paymentNotFound,
      .scheduleNotFound, .scheduleInvalid, .scheduleInPast, .scheduleFalls,
      .reservationNotFound, .reservationEnded, .captureExceedsHold, .deadlineOutOfRange,
      .tooManyCaptures, .refundExceedsPayment, .alreadySettled, .policyInvalid, .policyInPast,
      .perPaymentExceeded, .limitExceeded, .countExceeded, .payeeNotAllowed, .railNotAllowed,
      .categoryNotAllowed, .outsideHours, .assetNotCovered, .approvalNeeded, .walletRestricted,
      .paymentNotPending:
      nil
    }
  }
}

extension Rejection {
  /// Whether the limit is told even where it is zero: nothing left is an answer.
  fileprivate var isLimitTold: Bool {
    self == .insufficientFunds || self == .captureExceedsHold || self == .refundExceedsPayment
      || self == .alreadySettled || self == .scheduleFalls
  }

  /// Whether what was used is told even where it is zero.
  fileprivate var isUsedTold: Bool { self == .limitExceeded || self == .countExceeded }

  /// Whether what was asked is told even where it is zero.
  fileprivate var isAskedTold: Bool { self == .scheduleFalls }
}

extension Problem {
  /// A refusal of the engine's. `event` is where it is recorded, if it is; `asset` is what its
  /// amounts are of; `hasKey` says whether the caller gave a key that it stands for.
  init(
    _ refusal: Refusal, event: EventNumber, isReplay: Bool, in asset: Asset?, hasKey: Bool = true
  ) {
    let rejection = refusal.reason
    let scale = rejection.counts == .money ? asset?.scale : 0  // counts and seconds are whole
    let unit = rejection.counts == .money ? asset.map { " \($0.code)" } ?? "" : ""
    let text = { (amount: Amount) in scale.map { amount.text(scale: $0) } ?? "" }
    self.init(
      rejection.reason, field: rejection.field,
      rejection.policyDetail(refusal) { text($0) + unit }
        ?? rejection.detail(
          limit: text(refusal.limit) + unit, used: text(refusal.used) + unit,
          asked: text(refusal.asked) + unit))
    self.rejection = rejection
    self.isReplay = isReplay
    // A policy's denial is recorded also where no key will ever be answered with it.
    isFinal = event.isSome && hasKey
    if isFinal, !rejection.isOfPolicy { nextAction = .newKey }
    if rejection.isOfPolicy || rejection == .policyInvalid { binding = Binding(refusal) }
    guard rejection.counts != .nothing, scale != nil else { return }
    limit = refusal.limit > .zero ? text(refusal.limit) : nil
    if rejection.isLimitTold { limit = text(refusal.limit) }
    used = refusal.used > .zero || rejection.isUsedTold ? text(refusal.used) : nil
    asked = refusal.asked > .zero || rejection.isAskedTold ? text(refusal.asked) : nil
  }
}
