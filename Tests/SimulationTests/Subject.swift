@testable import LedgerCore

/// A ledger under test: the engine, or for testing the simulation itself a naive ledger with a bug.
protocol Subject {
  /// Submits the jobs one behind the other; the outcomes of each, in order.
  mutating func submit(_ jobs: [Job]) async throws -> [[Outcome]]
  /// Submits one job while the disk fails; nil where the outcome is unknown or nothing was begun.
  mutating func submit(_ job: Job, during fault: DiskFault) async throws -> [Outcome]?
  /// Fires the timers that are due, as the engine does where it has nothing else to do.
  mutating func tick() async throws
  /// What these accounts of wallets, payees and agents have.
  func balances(of places: [Place]) async throws -> [Int128]
  /// The log from `number` on.
  func events(from number: EventNumber) throws -> [Recorded]
  /// The body of an event; empty where it has none.
  func body(of number: EventNumber) throws -> [UInt8]
  /// Says what was used of policies or is owed of advances that `model` says is otherwise.
  func compareLimits(with model: NaiveLedger) async throws
  /// Says what else it holds that `model` says is otherwise.
  func compare(with model: NaiveLedger) async throws
  /// Closes the ledger and opens it again.
  mutating func restart() throws
  /// Closes the ledger and opens it again while the disk fails, and once more where that failed.
  mutating func restart(during fault: DiskFault) async throws
  /// Opens what is on disk without having closed it.
  mutating func crash() throws
  /// Closes the ledger, writes these events behind its log, and opens it again.
  mutating func append(_ events: [Recorded]) throws
}

/// A naive ledger in the engine's place.
struct NaiveSubject: Subject {
  var ledger: NaiveLedger
  let clock: SteppedClock

  mutating func submit(_ jobs: [Job]) -> [[Outcome]] {
    jobs.map { ledger.submit($0.requests, isLinked: $0.isLinked, at: clock.now) }
  }

  /// A ledger without a disk has no faults of it, but for its bugs.
  mutating func submit(_ job: Job, during fault: DiskFault) -> [Outcome]? {
    let before = ledger
    if ledger.bug == .failedSnapshotLeavesNoAnswer, fault.place == .beside { return nil }
    if ledger.bug == .fullDiskKeepsHalfAJob, fault.isFull, fault.place == .log {
      let half = Job(requests: Array(job.requests.prefix(job.requests.count / 2)))
      _ = submit([half])
      return nil
    }
    let outcomes = submit([job])[0]
    if ledger.bug == .brokenDiskForgetsAnAnswer, !fault.isFull { ledger = before }
    return outcomes
  }

  mutating func tick() {
    ledger.tick(at: clock.now)
  }

  func balances(of places: [Place]) -> [Int128] {
    places.map { place in
      switch place.account {
      case .walletAvailable(let wallet): ledger.available(Int(wallet.rawValue) - 1)
      case .walletHeld(let wallet): ledger.held(Int(wallet.rawValue) - 1)
      case .external(let payee):
        ledger.balance(ledger.external(Int(payee.rawValue) - 1), place.asset)
      case .suspense(let agent):
        ledger.balance(NaiveLedger.suspense(agent.rawValue), place.asset)
      case .disputeHold(let dispute):
        ledger.balance(NaiveLedger.hold(dispute), place.asset)
      case .receivable(let dispute):
        -ledger.balance(NaiveLedger.receivable(dispute), place.asset)
      case .faucet, .feeIncome, .dust, .badDebt:
        preconditionFailure("nobody is told these balances")
      }
    }
  }

  func events(from number: EventNumber) -> [Recorded] {
    Array(ledger.log[(Int(number.rawValue) - 1)...])
  }

  func body(of number: EventNumber) -> [UInt8] { ledger.body(of: number) }

  func compareLimits(with model: NaiveLedger) throws(Mismatch) {
    guard ledger.limits == model.limits, ledger.exposures == model.exposures
    else { throw Mismatch("\(ledger.limits) are not \(model.limits)") }
  }

  func compare(with model: NaiveLedger) throws(Mismatch) {
    for number in 1...model.log.count where ledger.text(of: number) != model.text(of: number) {
      throw Mismatch("event \(number) has another text")
    }
    guard ledger.disputes.map(\.evidenceCounts) == model.disputes.map(\.evidenceCounts)
    else { throw Mismatch("disputes have another number of pieces of evidence") }
  }

  mutating func restart() {
    ledger.restart()
  }

  mutating func restart(during fault: DiskFault) {
    if ledger.bug == .failedOpeningLosesAnEvent { ledger.log.removeLast() }
    ledger.restart()
  }

  mutating func crash() {
    ledger.restart()
  }

  mutating func append(_ events: [Recorded]) {
    for recorded in events { ledger.take(deposit: recorded) }
  }
}
