/// The one source of chance in a run: SplitMix64, so that a seed names its run on every machine.
struct Dice {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number from 0 up to, not including, `count`.
  mutating func below(_ count: Int) -> Int {
    precondition(count > 0)
    return Int(next() % UInt64(count))
  }

  /// True once in `count` on average; never where `count` is 0.
  mutating func isOne(in count: Int) -> Bool {
    count > 0 && below(count) == 0
  }

  mutating func pick<Element>(_ list: [Element]) -> Element {
    list[below(list.count)]
  }

  /// A place in `weights`, each as likely as it is heavy.
  mutating func weighted(_ weights: [Int]) -> Int {
    var rest = below(weights.reduce(0, +))
    for (place, weight) in weights.enumerated() {
      if rest < weight { return place }
      rest -= weight
    }
    preconditionFailure("the rest is below the sum of the weights")
  }

  mutating func bits128() -> UInt128 {
    UInt128(next()) << 64 | UInt128(next())
  }

  /// A number from 1 to `limit`, every order of magnitude as likely as the next.
  mutating func magnitude(to limit: Int128) -> Int128 {
    precondition(limit > 0)
    let bits = below(128 - limit.leadingZeroBitCount) + 1
    let number = Int128(truncatingIfNeeded: bits128() >> UInt128(128 - bits))
    return min(max(number, 1), limit)
  }
}
