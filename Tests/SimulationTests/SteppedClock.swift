import Synchronization

/// A wall clock that stands still until it is set, forward or back.
final class SteppedClock: Sendable {
  private let nanoseconds: Atomic<UInt64>

  init(at nanoseconds: UInt64) {
    self.nanoseconds = Atomic(nanoseconds)
  }

  /// Nanoseconds since 1970.
  var now: UInt64 { nanoseconds.load(ordering: .sequentiallyConsistent) }

  func set(_ time: UInt64) {
    nanoseconds.store(time, ordering: .sequentiallyConsistent)
  }
}
