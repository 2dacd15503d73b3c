/// Why a command was refused.
///
/// No money or authority moved. The raw value is public: it appears in answers and in recorded
/// refusals, and is never reused. Failures of the disk are not rejections; see ``StorageError``.
public enum Rejection: UInt16, Error, Hashable, Sendable, CaseIterable {
  // Of the unit and its key.
  /// A linked unit of more than 1,000 commands, 4,096 events or 1 MiB.
  case unitTooLarge = 1
  /// Another command of the same linked unit was refused, so this one did nothing.
  case linkedCommandRefused = 2
  /// Of a linked unit, some keys were used before and some were not.
  case linkedKeysDiffer = 3
  /// The idempotency key was used before with another request.
  case idempotencyConflict = 4
  /// The actor's role does not allow this command.
  case notPermitted = 5
  /// The command exists in test ledgers only.
  case testLedgerOnly = 6
  /// 65,536 commands are waiting already.
  case queueFull = 7
  /// More recorded refusals a minute than one principal may cause.
  case refusalRateExceeded = 8
  /// An asset's code or scale is not one, or 65,535 assets exist.
  case assetInvalid = 9

  // Of amounts.
  /// The amount is zero or negative.
  case amountNotPositive = 10
  /// The amount, or a sum that it leads to, is beyond what the ledger counts.
  case amountOutOfRange = 11

  // Of the machine.
  /// The disk is nearly full: nothing new is begun, what ends an obligation still goes through.
  case storageFull = 12
  /// The wall clock jumped ahead of the time that passed, and nobody accepted it yet.
  case clockAhead = 13

  // Identity.
  /// No such tenant.
  case tenantNotFound = 101
  /// No such agent, or not yours.
  case agentNotFound = 102
  /// An agent of this tenant has this name already.
  case agentNameTaken = 103
  /// No such credential, or not yours.
  case credentialNotFound = 104
  /// The credential is another's already.
  case credentialTaken = 105
  /// No such operator.
  case operatorNotFound = 106

  // Wallets.
  /// No such wallet, or not yours.
  case walletNotFound = 201
  /// No such asset.
  case assetNotFound = 202
  /// An asset of this code exists already.
  case assetExists = 203
  /// More than the faucet gives at once.
  case fundingCapExceeded = 204
  /// The wallet is frozen: nothing new is taken from it.
  case walletFrozen = 205
  /// The wallet is closed.
  case walletClosed = 206
  /// The wallet is open already.
  case walletOpen = 207
  /// The wallet holds money for reservations, so it cannot be closed.
  case walletInUse = 208
  /// More is left in the wallet than may be given up: name another that takes it.
  case walletNotEmpty = 209

  // Payments.
  /// No such payee.
  case payeeNotFound = 301
  /// Payer and payee are the same wallet.
  case selfPayment = 302
  /// The currency is not that of both wallets.
  case currencyDiffers = 303
  /// The payer's available balance is less than amount and fee.
  case insufficientFunds = 304
  /// The payee's wallet is closed.
  case payeeClosed = 305
  /// The payee bears the fee, and it would leave him nothing.
  case feeTakesAll = 306
  /// No such payment, or not yours.
  case paymentNotFound = 307
  /// A payment is split among 2 to 32 receivers, each of them once, of whom at most 6 are labels
  /// that are new, and each must get something.
  case splitInvalid = 308

  // Fees.
  /// No such fee schedule.
  case scheduleNotFound = 401
  /// A term is negative or out of range, or the minimum is above the maximum.
  case scheduleInvalid = 402
  /// A fee schedule cannot begin in the past.
  case scheduleInPast = 403
  /// Where a tier begins, the fee would be less than just below.
  case scheduleFalls = 404

  // Reservations.
  /// No such reservation, or not yours.
  case reservationNotFound = 501
  /// The reservation was captured, released or expired.
  case reservationEnded = 502
  /// More than is left of the reservation.
  case captureExceedsHold = 503
  /// A hold lasts from 1 second to 30 days.
  case deadlineOutOfRange = 504
  /// 1,000 captures were made of the reservation.
  case tooManyCaptures = 505

  // Refunds.
  /// More than was not refunded yet of the payment.
  case refundExceedsPayment = 601
  /// The label was settled, so the money is no longer here.
  case alreadySettled = 602

  // Pauses.
  /// The ledger, the tenant or the rail is stopped for what is new.
  case paused = 701
  /// It is stopped already.
  case alreadyPaused = 702
  /// It is not stopped.
  case notPaused = 703

  // Disputes.
  /// No such dispute, or not yours.
  case disputeNotFound = 801
  /// The payment is disputed, or was, in a way that bars another dispute; the refusal names it.
  case duplicateDispute = 802
  /// Too long ago to be disputed.
  case disputeWindowPassed = 803
  /// All of the payment was refunded.
  case nothingToDispute = 804
  /// The dispute was decided or withdrawn.
  case disputeEnded = 805
  /// The dispute is under review: it can be decided, and no longer be dropped.
  case disputeUnderReview = 806
  /// The dispute is not under review yet, so it cannot be decided.
  case disputeNotReviewed = 807
  /// The payment is in dispute, so it is not refunded; the refusal names the dispute.
  case paymentDisputed = 808
  /// The party, or staff, added 100 pieces of evidence.
  case tooMuchEvidence = 809
  /// Something is claimed of the wallet by a dispute, or owed by its agent.
  case walletInDispute = 810

  // Receivables.
  /// The agent owes the platform nothing for this dispute.
  case debtNotFound = 901
  /// The dispute is not decided, so what is owed for it is not written off.
  case debtUnsettled = 902
  /// Another operator must ask for the same.
  case sameOperator = 903

  // Policies.
  /// A rule of the policy cannot be one, or says again what another says; the refusal says which.
  case policyInvalid = 1001
  /// A policy cannot begin in the past.
  case policyInPast = 1002
  /// More than a policy allows at once.
  case perPaymentExceeded = 1003
  /// More than a policy allows in a day, a week or a month.
  case limitExceeded = 1004
  /// More payments than a policy allows in a day, a week or a month.
  case countExceeded = 1005
  /// A policy denies the payee, or names others only.
  case payeeNotAllowed = 1006
  /// A policy denies the rail, or names others only.
  case railNotAllowed = 1007
  /// A policy denies the category, or names others only.
  case categoryNotAllowed = 1008
  /// A policy allows nothing at this time.
  case outsideHours = 1009
  /// A policy limits amounts in other assets, and says nothing of this one.
  case assetNotCovered = 1010
  /// A policy has somebody approve such an amount, and a hold cannot wait for that.
  case approvalNeeded = 1011
  /// A policy is about the wallet, so whoever manages the tenant closes it, and not its agent.
  case walletRestricted = 1012

  // Approvals.
  /// The payment waits for nobody: it was approved, denied or cancelled, or it expired.
  case paymentNotPending = 1101

  /// Whether a refusal for this reason names an event that stands in the way: a dispute, or the
  /// policy that denies.
  var isAboutEvent: Bool { self == .duplicateDispute || self == .paymentDisputed || isOfPolicy }

  /// Whether it is a policy's denial: recorded also for a command without a key, because an auditor
  /// wants them (`design.md` 4.11). By number, as the format has it: what is added there has a
  /// longer record.
  public var isOfPolicy: Bool {
    (Self.perPaymentExceeded.rawValue...Self.approvalNeeded.rawValue).contains(rawValue)
  }

  /// Whether the refusal follows from the ledger's state, so that a command with a key has it
  /// recorded and a retry cannot flip the answer (`design.md` 4.11).
  ///
  /// Never recorded: what was malformed, not allowed, not found, too fast or too much.
  public var isRecorded: Bool {
    switch self {
    case .agentNameTaken, .credentialTaken, .assetExists, .fundingCapExceeded, .insufficientFunds,
      .scheduleInPast, .walletFrozen, .walletClosed, .walletOpen, .walletInUse, .walletNotEmpty,
      .payeeClosed, .feeTakesAll, .reservationEnded, .captureExceedsHold, .tooManyCaptures,
      .refundExceedsPayment, .alreadySettled, .alreadyPaused, .notPaused, .duplicateDispute,
      .disputeWindowPassed, .nothingToDispute, .disputeEnded, .disputeUnderReview,
      .disputeNotReviewed, .paymentDisputed, .tooMuchEvidence, .walletInDispute, .debtNotFound,
      .debtUnsettled, .sameOperator, .policyInPast, .paymentNotPending, .perPaymentExceeded,
      .limitExceeded, .countExceeded, .payeeNotAllowed, .railNotAllowed, .categoryNotAllowed,
      .outsideHours, .assetNotCovered, .approvalNeeded, .walletRestricted:
      true
    case .unitTooLarge, .linkedCommandRefused, .linkedKeysDiffer, .idempotencyConflict,
      .notPermitted, .testLedgerOnly, .queueFull, .storageFull, .clockAhead,
      .refusalRateExceeded, .assetInvalid, .amountNotPositive, .amountOutOfRange, .tenantNotFound,
      .agentNotFound, .credentialNotFound, .operatorNotFound, .walletNotFound, .assetNotFound,
      .payeeNotFound, .selfPayment, .currencyDiffers, .paymentNotFound, .splitInvalid,
      .scheduleNotFound, .scheduleInvalid, .scheduleFalls, .reservationNotFound,
      .deadlineOutOfRange, .paused, .disputeNotFound, .policyInvalid:
      false
    }
  }
}

/// A rejection with the numbers behind it: what bound, what was used and what was asked.
public struct Refusal: Error, Hashable, Sendable {
  /// What binds, in ledger units: a balance, a cap. Zero where nothing is counted.
  public var limit: Amount
  /// How much of the limit was used before.
  public var used: Amount
  /// What the command asked for, fees included.
  public var asked: Amount
  /// The rule that bound, by its place in the policy, from 1; zero for most.
  public var rule: UInt32
  /// The policy's version; zero for most.
  public var ruleVersion: UInt32
  /// The event that stands in the way, such as the one that opened a dispute or set the policy;
  /// none for most.
  public var about: EventNumber
  /// When what was used counts no longer; none where nothing is counted over time.
  public var resets: Timestamp
  /// Why.
  public var reason: Rejection

  /// A refusal for `reason`, with its numbers where it has any.
  public init(
    _ reason: Rejection, limit: Amount = .zero, used: Amount = .zero, asked: Amount = .zero,
    rule: UInt32 = 0, ruleVersion: UInt32 = 0, about: EventNumber = .none,
    resets: Timestamp = .none
  ) {
    self.reason = reason
    self.limit = limit
    self.used = used
    self.asked = asked
    self.rule = rule
    self.ruleVersion = ruleVersion
    self.about = about
    self.resets = resets
  }
}
