/// A mistake that the naive ledger makes on demand, so that the simulation can be tested too: one
/// that is not found means that the simulation is blind there.
enum Bug: String, CaseIterable, Sendable {
  // Payments
  case feeRoundsDown
  case feeGoesToPayee
  case feeIsNotCovered
  case balanceIsNeverEmptied
  case selfPaymentIsAllowed
  case payeeIsCheckedFirst
  case payeeAssetIsIgnored
  case namedAssetIsIgnored
  case anybodyMayPay
  case externalPayeeIsSharedByTenants
  case externalPayeeIsSharedByAssets
  case textIsOfTheNextEvent
  // Funding
  case capIsIgnored
  case capIsOneLess
  // Fees
  case timerFiresOneLate
  case timersFireInOrderOfSetting
  case scheduleCountsAtOnce
  // Identity
  case revokedKeyIsFree
  case nameIsNeverTaken
  case tenantIsNeverFound
  // Keys
  case replayAppliesAgain
  case replayIgnoresTheDigest
  case restartForgetsKeys
  case restartForgetsTheRefusalRate
  case restartForgetsTimers
  case refusalIsNotRecorded
  case refusalRateIsOneMore
  case refusalRateCountsForEver
  // Linked units
  case firstOfUnitIsKept
  case unitRefusalIsNotRecorded
  case unitRunsWhereKeysDiffer
  case keyTwiceInUnitIsReplayed
  case unitMayBeOneTooLong
  // Time
  case recordedTimeGoesBack
  // A disk that fails
  case brokenDiskForgetsAnAnswer
  case fullDiskKeepsHalfAJob
  case failedOpeningLosesAnEvent
}
