import Synchronization

@testable import LedgerCore

/// A wall clock that stands still until it is set, forward or back.
final class TestClock: Sendable {
  /// 2026-01-01 00:00 UTC.
  static let start: UInt64 = 1_767_225_600_000_000_000
  static let second: UInt64 = 1_000_000_000
  static let day: UInt64 = 86_400 * second

  private let nanoseconds: Atomic<UInt64>

  init(at time: UInt64 = TestClock.start) { nanoseconds = Atomic(time) }

  var now: UInt64 { nanoseconds.load(ordering: .sequentiallyConsistent) }

  func set(_ time: UInt64) { nanoseconds.store(time, ordering: .sequentiallyConsistent) }

  /// Options of a test ledger that goes by this clock.
  var options: Engine.Options {
    var options = Engine.Options.test
    options.clock = { self.now }
    options.uptime = { self.now }
    return options
  }
}
