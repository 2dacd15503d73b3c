import LedgerCore

/// A ledger under test: the engine, or for testing the simulation itself a naive ledger with a bug.
protocol Subject {
  /// Each for itself, or linked: all or none.
  mutating func submit(_ requests: [Request], isLinked: Bool) throws -> [Outcome]
  /// Fires the timers that are due, as the engine does where it has nothing else to do.
  mutating func tick() throws
  /// What the wallet has available.
  mutating func balance(of wallet: WalletNumber) throws -> Int128
  /// The log from `number` on.
  func events(from number: EventNumber) throws -> [Recorded]
  /// Closes the ledger and opens it again.
  mutating func restart() throws
}

/// A naive ledger in the engine's place.
struct NaiveSubject: Subject {
  var ledger: NaiveLedger
  let clock: SteppedClock

  mutating func submit(_ requests: [Request], isLinked: Bool) -> [Outcome] {
    ledger.submit(requests, isLinked: isLinked, at: clock.now)
  }

  mutating func tick() {
    ledger.tick(at: clock.now)
  }

  func balance(of wallet: WalletNumber) -> Int128 {
    ledger.available(Int(wallet.rawValue) - 1)
  }

  func events(from number: EventNumber) -> [Recorded] {
    Array(ledger.log[(Int(number.rawValue) - 1)...])
  }

  mutating func restart() {
    ledger.restart()
  }
}
