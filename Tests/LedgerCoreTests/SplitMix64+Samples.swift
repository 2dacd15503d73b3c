import Foundation
import TestSupport

@testable import LedgerCore

extension SplitMix64 {
  /// Begins with a random seed, printed beside what it is for; `LEDGER_TEST_SEED=…` takes its place
  /// in every test of a run.
  init(seeded purpose: String) {
    let given = ProcessInfo.processInfo.environment["LEDGER_TEST_SEED"].flatMap { UInt64($0) }
    let seed = given ?? UInt64.random(in: 0...UInt64.max)
    print("\(purpose): seed \(seed)")
    self.init(seed: seed)
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }

  /// An amount from 0 up, of any magnitude, so that both small and huge ones are common.
  mutating func amount() -> Amount {
    Amount(units: Int128(truncatingIfNeeded: wide() >> UInt128(1 + below(127))))
  }
}
