import Histogram

/// How long things took, in nanoseconds: counted in buckets, so that a quantile is told within 1 %
/// at the cost of an addition each.
struct Latencies: Sendable {
  /// What takes longer counts as so long.
  private static let longest: UInt64 = 3_600_000_000_000

  private var histogram = Histogram<UInt32>(
    highestTrackableValue: longest, numberOfSignificantValueDigits: .two)

  /// The longest, as it was.
  var max: UInt64 { histogram.maxRecorded }

  /// Counts one.
  mutating func record(nanoseconds: UInt64) { histogram.record(min(nanoseconds, Self.longest)) }

  /// Counts all of another's.
  mutating func add(_ other: Latencies) { histogram.add(other.histogram) }

  /// What the share `q` of all did not exceed, in nanoseconds; 0 where there are none.
  func quantile(_ q: Double) -> UInt64 {
    min(histogram.valueAtPercentile(q * 100), max)
  }
}
