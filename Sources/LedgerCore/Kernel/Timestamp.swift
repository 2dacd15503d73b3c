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

  /// The whole day of this moment in UTC, counted from 1970.
  var day: UInt64 { nanoseconds / 86_400_000_000_000 }

  /// The minute of the day, 0 to 1,439, in UTC.
  var minuteOfDay: UInt64 { nanoseconds / 60_000_000_000 % 1_440 }

  /// The weekday in UTC: 0 for Monday to 6 for Sunday.
  var weekday: UInt64 { (day + 3) % 7 }

  /// Midnight of that day, counted from 1970; the last moment there is where it is beyond it.
  init(day: UInt64) { self = Timestamp.none.adding(seconds: day * 86_400) }

  @inlinable
  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.nanoseconds < b.nanoseconds }
}
