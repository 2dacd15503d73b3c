package import LedgerCore

extension Timestamp {
  /// RFC 3339 in UTC with nine decimals, the exact time: `2026-05-01T09:30:00.000125000Z`.
  package var text: String {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends ``text`` to a text in UTF-8.
  package func append(to bytes: inout [UInt8]) {
    let seconds = Int64(nanoseconds / 1_000_000_000)
    let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = Self.civil(days)
    bytes.append(addingCapacity: 30) { text in
      let put = { (number: Int64, count: Int, end: Unicode.Scalar, text: inout OutputSpan<UInt8>) in
        var power: Int64 = 1
        for _ in 1..<count { power *= 10 }
        while power > 0 {
          text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / power % 10))
          power /= 10
        }
        text.append(UInt8(ascii: end))
      }
      put(year, 4, "-", &text)
      put(month, 2, "-", &text)
      put(day, 2, "T", &text)
      put(rest / 3_600, 2, ":", &text)
      put(rest / 60 % 60, 2, ":", &text)
      put(rest % 60, 2, ".", &text)
      put(Int64(nanoseconds % 1_000_000_000), 9, "Z", &text)
    }
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

extension Digest32 {
  /// 64 hexadecimal digits.
  package var hex: String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}
