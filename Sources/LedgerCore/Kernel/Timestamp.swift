/// A moment: nanoseconds since 1970-01-01 00:00 UTC, without leap seconds. Reaches to the year
/// 2554.
///
/// An event's *recorded* time strictly increases along the log; an *effective* time says when
/// something was due (`accounting.md` 6).
public struct Timestamp: Hashable, Comparable, Sendable {
  /// Nanoseconds since 1970, UTC.
  public var nanoseconds: UInt64

  /// The moment `nanoseconds` after 1970.
  @inlinable
  public init(nanoseconds: UInt64) {
    self.nanoseconds = nanoseconds
  }

  /// 1970, which stands for "none" where a moment is optional.
  public static let none = Timestamp(nanoseconds: 0)

  /// One nanosecond later: the least by which the next event is younger.
  @inlinable
  public var next: Timestamp { Timestamp(nanoseconds: nanoseconds + 1) }

  /// So many seconds later; the last moment there is where that is beyond it.
  @inlinable
  public func adding(seconds: UInt64) -> Timestamp {
    let (product, isTooMuch) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isBeyond) = nanoseconds.addingReportingOverflow(product)
    return Timestamp(nanoseconds: isTooMuch || isBeyond ? .max : sum)
  }

  /// The whole minute of this moment, counted from 1970.
  @inlinable
  public var minute: UInt32 { UInt32(truncatingIfNeeded: nanoseconds / 60_000_000_000) }

  @inlinable
  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.nanoseconds < b.nanoseconds }
}
