import LedgerCore
import Projections

extension Rejection {
  /// What to do about what a policy denies, or about policies, in a sentence that names the limit,
  /// what was used, what is left and when it counts anew; `nil` of everything else. `text` tells
  /// an amount with its currency, or how many.
  func policyDetail(_ refusal: Refusal, _ text: (Amount) -> String) -> String? {
    guard
      isOfPolicy || self == .policyInvalid || self == .policyInPast || self == .walletRestricted
        || self == .paymentNotPending
    else { return nil }
    let (limit, used, asked) = (text(refusal.limit), text(refusal.used), text(refusal.asked))
    let left = text(max(.zero, refusal.limit - refusal.used))
    let resets = refusal.resets.text
    return switch self {
    case .policyInvalid:
      refusal.rule == 0
        ? "Send at most \(Policies.ruleCountMax) rules in one policy."
        : "Mend rule \(refusal.rule); it is out of bounds, or says again what another rule says."
    case .policyInPast: "Choose a begin that is not in the past."
    case .perPaymentExceeded:
      "Send less; this takes \(asked), fee included, and the policy allows \(limit) at once."
    case .limitExceeded where refusal.resets == .none:
      "Send less; this takes \(asked), fee included, and the policy never allows more than "
        + "\(limit), of which \(used) is used and \(left) is left."
    case .limitExceeded:
      "Send less, or wait until \(resets); this takes \(asked), fee included, and of the policy's "
        + "\(limit) \(used) is used and \(left) is left."
    case .countExceeded:
      "Wait until \(resets); of the \(limit) payments that the policy allows \(used) are used and "
        + "\(left) are left."
    case .payeeNotAllowed: "Pay somebody else; the policy does not allow this payee."
    case .railNotAllowed: "Use another rail; the policy does not allow this one."
    case .categoryNotAllowed: "Name another category; the policy does not allow this one, or none."
    case .outsideHours: "Try again at another hour; the policy allows nothing at this time."
    case .assetNotCovered:
      "Pay in another currency; the policy limits amounts and names no limit for this one."
    case .approvalNeeded:
      "Make it a payment; this takes \(asked), the policy has what is above \(limit) approved, and "
        + "a hold cannot wait for that."
    case .walletRestricted:
      "Ask whoever manages the tenant to close it; a policy is about the wallet."
    case .paymentNotPending:
      "Nothing to do; the payment was approved, denied or cancelled, or it expired."
    case .unitTooLarge, .linkedCommandRefused, .linkedKeysDiffer, .idempotencyConflict,
      .notPermitted, .testLedgerOnly, .queueFull, .refusalRateExceeded, .assetInvalid,
      .amountNotPositive, .amountOutOfRange, .storageFull, .clockAhead, .tenantNotFound,
      .agentNotFound, .agentNameTaken, .credentialNotFound, .credentialTaken, .operatorNotFound,
      .walletNotFound, .assetNotFound, .assetExists, .fundingCapExceeded, .walletFrozen,
      .walletClosed, .walletOpen, .walletInUse, .walletNotEmpty, .payeeNotFound, .selfPayment,
      .currencyDiffers, .insufficientFunds, .payeeClosed, .feeTakesAll, .paymentNotFound,
      .splitInvalid, .scheduleNotFound, .scheduleInvalid, .scheduleInPast, .scheduleFalls,
      .reservationNotFound, .reservationEnded, .captureExceedsHold, .deadlineOutOfRange,
      .tooManyCaptures, .refundExceedsPayment, .alreadySettled, .paused, .alreadyPaused,
      .notPaused, .disputeNotFound, .duplicateDispute, .disputeWindowPassed, .nothingToDispute,
      .disputeEnded, .disputeUnderReview, .disputeNotReviewed, .paymentDisputed,
      .tooMuchEvidence, .walletInDispute, .debtNotFound, .debtUnsettled, .sameOperator:
      nil
    }
  }
}

extension Problem {
  /// The rule of a policy that denied.
  struct Binding: Sendable, Equatable {
    /// The event that set the policy.
    let policy: EventNumber
    let version: UInt32
    /// Its place in the policy, from 1.
    let rule: UInt32
    /// When what was used counts no longer; none where nothing is counted over time.
    let resets: Timestamp

    init(_ refusal: Refusal) {
      policy = refusal.about
      version = refusal.ruleVersion
      rule = refusal.rule
      resets = refusal.resets
    }
  }
}
