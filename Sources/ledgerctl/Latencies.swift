/// How long things took, counted in buckets of a fixed array: 32 to each power of two, so that a
/// quantile is told within 3 %, at the cost of one addition each.
struct Latencies: Sendable {
  private static let bucketsPerPower = 32
  private static let bitCount = 5

  private var counts = [UInt32](repeating: 0, count: (64 - bitCount + 1) * bucketsPerPower)
  /// How many were counted.
  private(set) var count = 0
  /// The longest, in nanoseconds, as it was.
  private(set) var max: UInt64 = 0

  /// Counts one.
  mutating func record(nanoseconds: UInt64) {
    counts[Self.bucket(nanoseconds)] += 1
    count += 1
    max = Swift.max(max, nanoseconds)
  }

  /// Counts all of another's.
  mutating func add(_ other: Latencies) {
    for index in counts.indices { counts[index] += other.counts[index] }
    count += other.count
    max = Swift.max(max, other.max)
  }

  /// What the share `q` of all did not exceed, in nanoseconds; 0 where there are none.
  func quantile(_ q: Double) -> UInt64 {
    let rank = Swift.max(1, Int((Double(count) * q).rounded(.up)))
    var passed = 0
    for index in counts.indices {
      passed += Int(counts[index])
      if passed >= rank { return Swift.min(Self.greatest(in: index), max) }
    }
    return max
  }

  /// Below 32 each value has a bucket; above, those of its power of two are told apart by the five
  /// bits that follow the first.
  private static func bucket(_ value: UInt64) -> Int {
    if value < UInt64(bucketsPerPower) { return Int(value) }
    let shift = 63 - value.leadingZeroBitCount - bitCount
    return (shift + 1) * bucketsPerPower + Int(value >> UInt64(shift)) % bucketsPerPower
  }

  private static func greatest(in bucket: Int) -> UInt64 {
    if bucket < bucketsPerPower { return UInt64(bucket) }
    let shift = UInt64(bucket / bucketsPerPower - 1)
    let least = UInt64(bucketsPerPower + bucket % bucketsPerPower) << shift
    return least + ((1 << shift) - 1)
  }
}
