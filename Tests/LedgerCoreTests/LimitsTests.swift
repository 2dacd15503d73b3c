import Foundation
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: what is used counts in the calendar's periods, and comes back only within them.
/// Method: compare periods with Foundation's calendar over all the years there are; then a counter
/// step by step.
@Suite struct LimitsTests {
  private static let calendar: Calendar = {
    var calendar = Calendar(identifier: .iso8601)
    calendar.timeZone = .gmt
    return calendar
  }()

  private static func date(_ time: Timestamp) -> Date {
    Date(timeIntervalSince1970: Double(time.nanoseconds / 1_000_000_000))
  }

  @Test func `periods are the calendar's`() throws {
    var random = SplitMix64(seeded: "periods")
    let components: [(Limits.Period, Calendar.Component)] = [
      (.day, .day), (.week, .weekOfYear), (.month, .month),
    ]
    for _ in 0..<2_000 {
      // Up to 2550: the last period there is has no end.
      let time = Timestamp(nanoseconds: random.next() % 18_300_000_000_000_000_000)
      for (period, component) in components {
        let interval = try #require(
          Self.calendar.dateInterval(of: component, for: Self.date(time)))
        let end = period.end(of: time)
        #expect(Self.date(end) == interval.end, "\(period) of \(time.nanoseconds)")
        #expect(end.nanoseconds % 1_000_000_000 == 0)
        #expect(period.index(of: end) == period.index(of: time) + 1)
        let before = Timestamp(nanoseconds: end.nanoseconds - 1)
        #expect(period.index(of: before) == period.index(of: time))
      }
      let weekday = Self.calendar.component(.weekday, from: Self.date(time))
      // Foundation counts from Sunday, which is 1.
      #expect(Int(time.weekday) == (weekday + 5) % 7)
    }
  }

  @Test func `a period that has no end ends with time`() {
    #expect(Limits.Period.month.end(of: Timestamp(nanoseconds: .max)).nanoseconds == .max)
  }

  /// Midnight, 1 January 2024, a Monday.
  private static let monday = Timestamp(nanoseconds: 1_704_067_200_000_000_000)

  @Test func `what was used is gone with its period`() {
    let late = Timestamp(nanoseconds: Self.monday.nanoseconds - 1)
    for period in Limits.Period.allCases {
      var counter = Limits.Counter(began: .none)
      counter.add(7, in: period, at: late)
      #expect(counter.used(in: period, at: late) == 7)
      #expect(counter.used(in: period, at: Self.monday) == 0)
      counter.add(2, in: period, at: Self.monday)
      #expect(counter.used(in: period, at: Self.monday) == 2)
    }
  }

  @Test func `what comes back does so in its own period only`() {
    let late = Timestamp(nanoseconds: Self.monday.nanoseconds - 1)
    var counter = Limits.Counter(began: .none)
    counter.add(7, in: .day, at: late)
    counter.giveBack(3, in: .day, countedAt: late)
    #expect(counter.used(in: .day, at: late) == 4)
    counter.add(5, in: .day, at: Self.monday)
    counter.giveBack(4, in: .day, countedAt: late)
    #expect(counter.used(in: .day, at: Self.monday) == 5)
  }

  @Test func `what a counter never saw does not come back`() {
    var counter = Limits.Counter(began: Self.monday)
    counter.add(5, in: .month, at: Self.monday.next)
    counter.giveBack(5, in: .month, countedAt: Timestamp(nanoseconds: Self.monday.nanoseconds - 1))
    #expect(counter.used(in: .month, at: Self.monday.next) == 5)
  }
}
