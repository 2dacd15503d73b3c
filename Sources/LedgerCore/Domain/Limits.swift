/// Limits: one counter and one way to count, for whatever may be used up in a period.
///
/// Invariant: what a counter says was used is the sum of what was counted in its period since it
/// began, less what of that came back within the same period; never below zero.
public enum Limits {
  /// The stretch of time that a limit counts in, by the calendar in UTC. One byte in the
  /// frame, never reused.
  public enum Period: UInt8, Hashable, Sendable, CaseIterable {
    /// From midnight to midnight.
    case day = 1
    /// From Monday's midnight on.
    case week = 2
    /// From the first of a month on.
    case month = 3

    /// The number of the period that `time` is in: days since 1970, weeks since the first Monday
    /// before it, months since January 1970.
    public func index(of time: Timestamp) -> UInt64 {
      let day = time.day
      switch self {
      case .day: return day
      // 1970 began on a Thursday, three days into its week.
      case .week: return (day + 3) / 7
      case .month:
        let date = CalendarDate(day: day)
        return UInt64(date.year - 1970) * 12 + UInt64(date.month - 1)
      }
    }

    /// When the period after that of `time` begins: when what was used counts no longer.
    public func end(of time: Timestamp) -> Timestamp {
      let next = index(of: time) + 1
      switch self {
      case .day: return Timestamp(day: next)
      case .week: return Timestamp(day: next * 7 - 3)
      case .month:
        return Timestamp(
          day: CalendarDate.firstDay(year: 1970 + Int(next / 12), month: Int(next % 12) + 1))
      }
    }
  }

  /// How much of a limit was used in the latest period that has any.
  struct Counter: BitwiseCopyable {
    /// Ledger units, or how many.
    private(set) var units: Int128 = 0
    private(set) var index: UInt64 = 0
    /// Since when it counts. What was used before that it never saw.
    private(set) var began: UInt64 = 0

    init(began: Timestamp) { self.began = began.nanoseconds }

    /// What was used in the period of `now`.
    func used(in period: Period, at now: Timestamp) -> Int128 {
      index == period.index(of: now) ? units : 0
    }

    /// Counts `more` at `time`, which is in no earlier period than anything counted before.
    mutating func add(_ more: Int128, in period: Period, at time: Timestamp) {
      let index = period.index(of: time)
      precondition(index >= self.index, "time goes on")
      if index > self.index { (self.index, units) = (index, 0) }
      units += more
    }

    /// Takes back `less` of what was counted at `time`, where that still counts.
    mutating func giveBack(_ less: Int128, in period: Period, countedAt time: Timestamp) {
      guard time.nanoseconds >= began, period.index(of: time) == index else { return }
      units -= less
      precondition(units >= 0, "more comes back than was counted")
    }
  }
}
