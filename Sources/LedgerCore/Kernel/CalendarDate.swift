/// A day of the Gregorian calendar. By hand, because the kernel imports nothing: the days of a year
/// that begins in March need no table. A test compares it with Foundation's calendar.
struct CalendarDate: Hashable {
  var year: Int
  /// 1 to 12.
  var month: Int

  /// The date so many days after 1970-01-01.
  init(day: UInt64) {
    // Days since 0000-03-01, in eras of 400 years.
    let days = Int(day) + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  }

  /// How many days after 1970-01-01 a month begins, from 1970 on.
  static func firstDay(year: Int, month: Int) -> UInt64 {
    let marchYear = month <= 2 ? year - 1 : year
    let marchMonth = month <= 2 ? month + 9 : month - 3
    let days = marchYear * 365 + marchYear / 4 - marchYear / 100 + marchYear / 400
    return UInt64(days + (153 * marchMonth + 2) / 5 - 719_468)
  }
}
