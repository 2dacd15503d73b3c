import LedgerCore

/// The members of a JSON object, one call each. What is nil is left out.
struct Members: Sendable {
  private var members: [JSONObject.Member] = []

  var json: JSONValue { .object(JSONObject(members: members)) }

  mutating func value(_ name: String, _ value: JSONValue?) {
    guard let value else { return }
    members.append(JSONObject.Member(name: name, value: value))
  }

  mutating func string(_ name: String, _ text: String?) {
    value(name, text.map { .string($0) })
  }

  mutating func bool(_ name: String, _ flag: Bool?) {
    value(name, flag.map { .bool($0) })
  }

  mutating func integer(_ name: String, _ number: (some FixedWidthInteger)?) {
    value(name, number.map { .number(String($0)) })
  }

  /// An amount twice: a number in its exact text, and beside it the text, for those whose numbers
  /// are doubles.
  mutating func amount(_ name: String, _ amount: Amount, of asset: Asset) {
    let text = amount.text(scale: asset.scale)
    value(name, .number(text))
    string(name + "_text", text)
  }

  mutating func time(_ name: String, _ time: Timestamp) {
    string(name, time.text)
  }
}

extension Timestamp {
  /// RFC 3339 in UTC with nine decimals, the exact time: `2026-05-01T09:30:00.000125000Z`.
  var text: String {
    let seconds = Int64(nanoseconds / 1_000_000_000)
    let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = Self.civil(days)
    let fraction = Self.padded(Int64(nanoseconds % 1_000_000_000), 9)
    let date = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
    let minutes = "\(Self.padded(rest / 3600, 2)):\(Self.padded(rest / 60 % 60, 2))"
    return "\(date)T\(minutes):\(Self.padded(rest % 60, 2)).\(fraction)Z"
  }

  private static func padded(_ number: Int64, _ digitCount: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, digitCount - digits.utf8.count)) + digits
  }

  /// The Gregorian date, `days` days after 1970-01-01. Counts from 0000-03-01, so that the leap day
  /// is a year's last, in eras of 400 years; months of such a year average 30.6 days.
  private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
    let shifted = days + 719_468
    let (era, day) = shifted.quotientAndRemainder(dividingBy: 146_097)
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
    let dayOfYear = day - (365 * year + year / 4 - year / 100)
    let month = (5 * dayOfYear + 2) / 153
    let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
    let isAfterFebruary = month < 10
    return (
      era * 400 + year + (isAfterFebruary ? 0 : 1), isAfterFebruary ? month + 3 : month - 9,
      dayOfMonth
    )
  }
}
