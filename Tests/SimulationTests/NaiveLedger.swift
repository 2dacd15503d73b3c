@testable import LedgerCore

/// The ledger a second time, as simply as it can be said: lists, searched from the front, and a
/// list of entries between named accounts. Written from `accounting.md`, not from `Domain/`; it
/// shares with the engine the types of commands, events and outcomes, and nothing that counts.
///
/// What it does to a command is in `NaiveLedger+Commands.swift` and the files that it names.
struct NaiveLedger {
  struct Agent {
    var tenant: UInt64
    var name: UInt128
    /// The one it was registered with.
    var wallet: WalletNumber
  }

  struct Credential {
    var key: UInt128
    var kind: Identity.CredentialKind
    var holder: Actor
    var isRevoked: Bool
  }

  struct Wallet {
    var agent: UInt64
    var asset: AssetNumber
    var opened: EventNumber
    var status = Wallets.Status.open
  }

  struct Payee {
    var tenant: UInt64
    var asset: AssetNumber
    var label: UInt128
  }

  /// A flat part and a share for amounts from one on, as a number of units each.
  struct Tier {
    var from: Int128
    var flat: Int128
    var basisPoints: Int128
  }

  struct Schedule {
    var terms: Fees.Terms
    var tiers: [Tier] = []
    /// The deadline of its timer; `nil` once it has begun.
    var waitsFor: UInt64?
    /// The event that set it.
    var set: EventNumber
  }

  struct Reservation {
    /// The event that made it.
    var number: EventNumber
    var payer: Int
    var payee: Payments.Payee
    var amount: Int128
    /// What of it was captured, without fees.
    var captured: Int128 = 0
    /// What is held of amount and fee now.
    var held: Int128
    var schedule: Int
    var deadline: UInt64
    var slot: Int
    var isMultiple: Bool
    /// What it is for, and who asked.
    var purpose: Reservations.Purpose
    var asker: Actor
    /// What each receiver gets, where it is a split that waits.
    var parts: [Part] = []
    /// Where it is in ``uses``.
    var use: Int
    var isOpen = true
  }

  /// A payment that may be refunded, whether it was paid at once or captured.
  struct Paid {
    var number: EventNumber
    var payment: Payments.Payment
    /// What each receiver got: of a payment that is not split, one.
    var parts: [Part]
    var refunded: Int128 = 0
    var feeRefunded: Int128 = 0
  }

  /// One receiver's part of a payment and of the fee that he bears, and what of both came back.
  struct Part {
    var payee: Payments.Payee
    var amount: Int128
    var fee: Int128
    var refunded: Int128 = 0
    var feeRefunded: Int128 = 0
  }

  struct Entry {
    var debit: String
    var credit: String
    var asset: AssetNumber
    var units: Int128
  }

  /// What a key was answered, and the digest of what was asked.
  struct Answer {
    var fingerprint: UInt128
    var digest: UInt64
    var outcome: Outcome
  }

  let livemode: Bool
  /// What it gets wrong, if anything.
  let bug: Bug?
  var assets: [AssetCode]
  /// How many decimals the ledger unit of each asset has.
  var scales: [UInt8]
  var tenants: [UInt128] = []
  var agents: [Agent] = []
  var operators = 0
  /// Whose refusals were recorded, and when.
  private var refusals: [(actor: Actor, time: UInt64)] = []
  var credentials: [Credential] = []
  var wallets: [Wallet] = []
  var payees: [Payee] = []
  var schedules: [Schedule]
  /// The schedule that counts, from 1.
  var schedule = 1
  var reservations: [Reservation] = []
  /// How many rows for open reservations there are, and which are free, the last freed last.
  var slotCount = 0
  var freeSlots: [Int] = []
  var paid: [Paid] = []
  var disputes: [Dispute] = []
  var disputeSlots = Slots()
  /// What is owed, the oldest first.
  var debts: [Debt] = []
  var debtSlots = Slots()
  /// How much may be advanced, of tenant 0 in all.
  var caps: [Cap] = []
  /// Every policy that was ever set.
  var policies: [Policy] = []
  var policySlots = Slots()
  /// Every payment and hold that was ever made.
  var uses: [Use] = []
  /// What is paused now.
  var pauses: [Pauses.Scope] = []
  var entries: [Entry] = []
  /// Each account's credits less its debits, in the order of first use.
  var sums: [(account: String, asset: AssetNumber, units: Int128)] = []
  var answers: [Answer] = []
  /// Every event that was ever predicted; the first is genesis.
  var log: [Recorded]
  /// The texts of events that have one.
  var texts: [(event: EventNumber, text: String)] = []
  /// The bodies of events that have one.
  var bodies: [(event: EventNumber, body: [UInt8])]
  /// What the wall clock says.
  var wall: UInt64

  init(
    genesis: Recorded, body: [UInt8], livemode: Bool, assets: [AssetCode], bug: Bug? = nil
  ) {
    self.livemode = livemode
    self.bug = bug
    self.assets = assets
    // Every asset of genesis counts in units of 1e-9 (`accounting.md` 2).
    scales = assets.map { _ in 9 }
    let terms = Fees.Terms(basisPoints: 40)
    schedules = [Schedule(terms: terms, waitsFor: nil, set: EventNumber(1))]
    log = [genesis]
    bodies = [(genesis.number, body)]
    wall = genesis.header.time.nanoseconds
  }
}

// MARK: - Submitting

extension NaiveLedger {
  /// What becomes of these requests at this time on the clock: each for itself, or linked.
  mutating func submit(_ requests: [Request], isLinked: Bool, at time: UInt64) -> [Outcome] {
    wall = time
    if isLinked {
      fireTimers()
      return unit(requests)
    }
    return requests.map { request in
      fireTimers()
      return single(request)
    }
  }

  /// Time passed and nothing was asked.
  mutating func tick(at time: UInt64) {
    wall = time
    fireTimers()
  }

  private mutating func single(_ request: Request) -> Outcome {
    if let key = request.key, let answer = answer(of: key), bug != .replayAppliesAgain {
      return again(answer, key)
    }
    do throws(Refusal) {
      return done(request, try performed(request))
    } catch {
      return refuse(error, request)
    }
  }

  /// All of them or none.
  private mutating func unit(_ requests: [Request]) -> [Outcome] {
    let commandCountMax = bug == .unitMayBeOneTooLong ? 1_001 : 1_000
    guard requests.count <= commandCountMax else {
      return requests.map { _ in Self.leavesNoTrace(.unitTooLarge) }
    }
    if let outcomes = repeated(requests) { return outcomes }
    let before = self
    var afterFirst = self
    var outcomes: [Outcome] = []
    for (index, request) in requests.enumerated() {
      do throws(Refusal) {
        if let key = request.key, let answer = answer(of: key), bug == .keyTwiceInUnitIsReplayed {
          outcomes.append(again(answer, key))
          continue
        }
        let answer = try performed(request)
        guard log.count - before.log.count <= 4_096 else { throw Refusal(.unitTooLarge) }
        outcomes.append(done(request, answer))
      } catch {
        self = bug == .firstOfUnitIsKept && index > 0 ? afterFirst : before
        let outcome =
          bug == .unitRefusalIsNotRecorded
          ? .refused(error, event: .none, isReplay: false) : refuse(error, request)
        return Self.others(requests, but: index, outcome)
      }
      if index == 0 { afterFirst = self }
    }
    return outcomes
  }

  /// What a unit is answered that has a key twice, or a key that was used before; else `nil`.
  private func repeated(_ requests: [Request]) -> [Outcome]? {
    let known = requests.map { request in request.key.flatMap { answer(of: $0) } }
    if let conflict = firstConflict(requests, known) {
      return Self.others(requests, but: conflict, Self.leavesNoTrace(.idempotencyConflict))
    }
    for (index, request) in requests.enumerated() {
      guard let key = request.key, let answer = known[index], answer.outcome.refusal != nil
      else { continue }
      return Self.others(requests, but: index, again(answer, key))
    }
    guard known.contains(where: { $0 != nil }) else { return nil }
    guard known.allSatisfy({ $0 != nil }) else {
      if bug == .unitRunsWhereKeysDiffer { return nil }
      return requests.map { _ in Self.leavesNoTrace(.linkedKeysDiffer) }
    }
    return zip(requests, known).compactMap { request, answer in
      guard let key = request.key, let answer else { return nil }
      return again(answer, key)
    }
  }

  /// The first command whose key stands before it in the unit, or came with another request.
  private func firstConflict(_ requests: [Request], _ known: [Answer?]) -> Int? {
    requests.indices.first { index in
      guard let key = requests[index].key else { return false }
      let isTwice = requests[..<index].contains { $0.key?.fingerprint == key.fingerprint }
      if isTwice, bug != .keyTwiceInUnitIsReplayed { return true }
      guard let answer = known[index], bug != .replayIgnoresTheDigest else { return false }
      return answer.digest != key.digest
    }
  }

  /// One command's own answer; of the others, that a command of their unit was refused.
  private static func others(
    _ requests: [Request], but index: Int, _ outcome: Outcome
  ) -> [Outcome] {
    var outcomes = requests.map { _ in leavesNoTrace(.linkedCommandRefused) }
    outcomes[index] = outcome
    return outcomes
  }
}

// MARK: - Keys

extension NaiveLedger {
  private func answer(of key: IdempotencyKey) -> Answer? {
    answers.first { $0.fingerprint == key.fingerprint }
  }

  private func again(_ answer: Answer, _ key: IdempotencyKey) -> Outcome {
    guard answer.digest == key.digest || bug == .replayIgnoresTheDigest else {
      return Self.leavesNoTrace(.idempotencyConflict)
    }
    return switch answer.outcome {
    case .done(let recorded, _): .done(recorded, isReplay: true)
    case .refused(let refusal, let event, _): .refused(refusal, event: event, isReplay: true)
    }
  }

  /// Does the command and what follows from it; its last event answers for it. What is set aside,
  /// what is netted, that it counts and that a policy begins comes after the event that answers.
  private mutating func performed(_ request: Request) throws(Refusal) -> Recorded {
    let first = entries.count
    try perform(request)
    var answer = log[log.count - 1]
    let isAfter =
      switch answer.event {
      case .wallet(.setAside): bug != .setAsideAnswers
      case .policy(.counted): bug != .countedAnswers
      case .policy(.began): true
      default: false
      }
    if isAfter { answer = log[log.count - 2] }
    net(since: first)
    return bug == .nettingAnswers ? log[log.count - 1] : answer
  }

  /// The request is done; the answer is given now and whenever its key comes again.
  private mutating func done(_ request: Request, _ answer: Recorded) -> Outcome {
    remember(.done(answer, isReplay: false), for: request)
  }

  /// Records the refusal where it follows from the ledger's state, the request has a key or a
  /// policy denies it, and its agent had fewer than 60 in this minute of recorded time.
  private mutating func refuse(_ refused: Refusal, _ request: Request) -> Outcome {
    // What stood in the way within a unit is gone with it.
    var refusal = refused
    if refusal.about.rawValue > UInt64(log.count) { refusal.about = .none }
    let denials: [Rejection] = [
      .perPaymentExceeded, .limitExceeded, .countExceeded, .payeeNotAllowed, .railNotAllowed,
      .categoryNotAllowed, .outsideHours, .assetNotCovered, .approvalNeeded,
    ]
    let follows: [Rejection] = [
      .agentNameTaken, .credentialTaken, .assetExists, .fundingCapExceeded, .insufficientFunds,
      .scheduleInPast, .walletFrozen, .walletClosed, .walletOpen, .walletInUse, .walletNotEmpty,
      .payeeClosed, .feeTakesAll, .reservationEnded, .captureExceedsHold, .refundExceedsPayment,
      .alreadySettled, .alreadyPaused, .notPaused, .duplicateDispute, .disputeWindowPassed,
      .nothingToDispute, .disputeEnded, .disputeUnderReview, .disputeNotReviewed,
      .paymentDisputed, .tooMuchEvidence, .walletInDispute, .debtNotFound, .debtUnsettled,
      .sameOperator, .policyInPast, .paymentNotPending, .walletRestricted,
    ]
    let isDenied = denials.contains(refusal.reason)
    let isRecorded =
      request.key != nil && (isDenied || follows.contains(refusal.reason))
      || isDenied && bug != .denialNeedsAKey
    guard isRecorded, bug != .refusalIsNotRecorded else {
      return .refused(refusal, event: .none, isReplay: false)
    }
    guard request.actor.role != .anonymous else {
      return .refused(refusal, event: .none, isReplay: false)
    }
    if isKnown(request.actor) {
      let minute = time / 60_000_000_000
      let count = refusals.filter {
        $0.actor == request.actor
          && ($0.time / 60_000_000_000 == minute || bug == .refusalRateCountsForEver)
      }.count
      guard count < (bug == .refusalRateIsOneMore ? 61 : 60) else {
        let refusal = Refusal(
          .refusalRateExceeded, limit: Amount(units: 60), used: Amount(units: Int128(count)))
        return .refused(refusal, event: .none, isReplay: false)
      }
      refusals.append((request.actor, time))
    }
    let operation = request.command.operation
    record(.refusal(.recorded(refusal, operation: operation)), by: request.actor)
    let event = log[log.count - 1].number
    if isDenied, bug != .denialSaysNotWhat { recordDenial(of: request) }
    return remember(.refused(refusal, event: event, isReplay: false), for: request)
  }

  /// Whether an agent, operator or tenant of this number was registered.
  private func isKnown(_ actor: Actor) -> Bool {
    agent(actor) != nil
      || (actor.role == .tenantAdmin && bug != .adminsRefusalsAreNotCounted
        && place(actor.tenant.rawValue, in: tenants.count) != nil)
      || (actor.role == .operator && actor.rawValue & 0xFF_FFFF_FFFF_FFFF >= 1
        && actor.rawValue & 0xFF_FFFF_FFFF_FFFF <= UInt64(operators))
  }

  private mutating func remember(_ outcome: Outcome, for request: Request) -> Outcome {
    if let key = request.key {
      answers.append(
        Answer(fingerprint: key.fingerprint, digest: key.digest, outcome: outcome))
    }
    return outcome
  }

  private static func leavesNoTrace(_ reason: Rejection) -> Outcome {
    .refused(Refusal(reason), event: .none, isReplay: false)
  }

  /// Closed and opened again: nothing changes.
  mutating func restart() {
    if bug == .restartForgetsKeys { answers = [] }
    if bug == .restartForgetsTheRefusalRate {
      refusals = []
    }
    if bug == .restartForgetsTimers {
      for schedule in schedules.indices { schedules[schedule].waitsFor = nil }
    }
    if bug == .restartForgetsPauses { pauses = [] }
    if bug == .restartForgetsDebts { debts = [] }
    for use in uses.indices where bug == .restartForgetsWhatWasUsed { uses[use].units = 0 }
    for debt in debts.indices where bug == .restartForgetsWhoAsked { debts[debt].asker = nil }
    if bug == .restartForgetsCaps { caps = [] }
    for dispute in disputes.indices where bug == .restartForgetsEvidence {
      disputes[dispute].evidenceCounts = [0, 0, 0]
    }
    for schedule in schedules.indices where bug == .restartForgetsTiers {
      schedules[schedule].tiers = []
    }
    for place in paid.indices where bug == .restartForgetsWhatReceiversGave {
      for part in paid[place].parts.indices {
        (paid[place].parts[part].refunded, paid[place].parts[part].feeRefunded) = (0, 0)
      }
    }
  }
}

// MARK: - Who

extension NaiveLedger {
  /// The agent that acts, from 0.
  func agent(_ actor: Actor) -> Int? {
    guard actor.role == .agent else { return nil }
    return place(actor.agent.rawValue, in: agents.count)
  }

  func isStaff(_ actor: Actor) -> Bool {
    actor.role == .operator || actor.role == .administrator
  }

  /// Staff, and the admin of the tenant.
  func manages(_ tenant: UInt64, _ actor: Actor) -> Bool {
    isStaff(actor) || actor.role == .tenantAdmin && actor.tenant.rawValue == tenant
  }

  /// The tenant of the wallet's agent, by number; `wallet` from 0.
  func tenant(of wallet: Int) -> UInt64 { agents[Int(wallets[wallet].agent) - 1].tenant }

  /// Where the thing of this number is in its list of `count`, if there is one.
  func place(_ number: UInt64, in count: Int) -> Int? {
    number >= 1 && number <= UInt64(count) ? Int(number) - 1 : nil
  }
}
