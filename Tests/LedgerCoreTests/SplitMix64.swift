import Foundation

@testable import LedgerCore

/// A small generator with a printed seed, so that a failing run can be repeated.
///
/// `LEDGER_TEST_SEED=…` takes the place of the random seed in every test of a run.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64
  /// What it began with.
  let seed: UInt64

  /// Prints the seed beside what it is for.
  init(seeded purpose: String) {
    let given = ProcessInfo.processInfo.environment["LEDGER_TEST_SEED"].flatMap { UInt64($0) }
    seed = given ?? UInt64.random(in: 0...UInt64.max)
    state = seed
    print("\(purpose): seed \(seed)")
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }

  mutating func wide() -> UInt128 { UInt128(next()) << 64 | UInt128(next()) }

  /// An amount from 0 up, of any magnitude, so that both small and huge ones are common.
  mutating func amount() -> Amount {
    Amount(units: Int128(truncatingIfNeeded: wide() >> UInt128(1 + below(127))))
  }
}
