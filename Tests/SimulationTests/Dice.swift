import TestSupport

/// The one source of chance in a run.
struct Dice {
  private var source: SplitMix64

  init(seed: UInt64) { source = SplitMix64(seed: seed) }

  mutating func next() -> UInt64 { source.next() }

  /// A number from 0 up to, not including, `count`.
  mutating func below(_ count: Int) -> Int { source.below(count) }

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

  mutating func bits128() -> UInt128 { source.wide() }

  /// A number from 1 to `limit`, every order of magnitude as likely as the next.
  mutating func magnitude(to limit: Int128) -> Int128 {
    precondition(limit > 0)
    let bits = below(128 - limit.leadingZeroBitCount) + 1
    let number = Int128(truncatingIfNeeded: bits128() >> UInt128(128 - bits))
    return min(max(number, 1), limit)
  }
}
