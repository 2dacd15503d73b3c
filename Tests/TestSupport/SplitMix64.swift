/// A small seeded generator (Steele, Lea and Flood 2014): a seed names the same sequence on every
/// machine, so that a failing run can be repeated.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64
  /// What it began with.
  public let seed: UInt64

  public init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number from 0 up to, not including, `bound`.
  public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0)
    return Int(next() % UInt64(bound))
  }

  /// 128 random bits, the higher word first.
  public mutating func wide() -> UInt128 { UInt128(next()) << 64 | UInt128(next()) }
}
