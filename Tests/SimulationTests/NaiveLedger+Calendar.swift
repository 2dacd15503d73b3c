@testable import LedgerCore

/// Days, weeks and months in UTC, counted one by one from 1970.
extension NaiveLedger {
  static let day: UInt64 = 86_400_000_000_000

  /// From the first moment of the period that `time` is in, up to the first of the next.
  func span(of period: Limits.Period, around time: UInt64) -> Range<UInt64> {
    let time = bug == .periodEndsOneEarly ? time + 1 : time
    let today = time / Self.day
    switch period {
    case .day: return today * Self.day..<(today + 1) * Self.day
    case .week:
      let first = bug == .weekBeginsOnSunday ? "Sun" : "Mon"
      var began = today
      while Self.weekday(began) != first { began -= 1 }
      return began * Self.day..<(began + 7) * Self.day
    case .month:
      var (began, year, month) = (UInt64(0), 1970, 1)
      while true {
        let count = bug == .monthsHaveThirtyDays ? 30 : Self.dayCount(of: month, in: year)
        if today < began + count { return began * Self.day..<(began + count) * Self.day }
        began += count
        (year, month) = month == 12 ? (year + 1, 1) : (year, month + 1)
      }
    }
  }

  /// 1970 began on a Thursday.
  static func weekday(_ day: UInt64) -> String {
    ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(day % 7)]
  }

  private static func dayCount(of month: Int, in year: Int) -> UInt64 {
    switch month {
    case 2:
      let isLeap = year % 400 == 0 || year % 4 == 0 && year % 100 != 0
      return isLeap ? 29 : 28
    case 4, 6, 9, 11: return 30
    default: return 31
    }
  }

  /// Whether a policy's hours have `time` in them.
  func isWithin(_ hours: Policies.Hours, _ time: UInt64) -> Bool {
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    let today = Self.weekday(time / Self.day)
    let isDay = names.indices.contains { index in
      names[index] == today && hours.days & (1 << UInt8(index)) != 0
    }
    let minute = time % Self.day / 60_000_000_000
    let end = bug == .hoursHaveTheirEnd ? hours.until + 1 : hours.until
    return (isDay || bug == .hoursAreOfEveryDay) && minute >= UInt64(hours.from)
      && minute < UInt64(end)
  }
}
