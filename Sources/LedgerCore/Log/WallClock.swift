import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The system's clocks. Never read by the domain: the engine reads them once a batch.
enum SystemClock {
  /// Nanoseconds since 1970, UTC: what somebody set.
  static func wall() -> UInt64 { read(CLOCK_REALTIME) }

  /// Nanoseconds since the machine started, sleep included: nobody sets it.
  static func uptime() -> UInt64 { read(CLOCK_BOOTTIME) }

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

/// The wall clock, held against one that nobody sets.
///
/// A wall clock that is suddenly ahead would expire everything that has a deadline, for good. So
/// one that gained more than 10 minutes on the time that passed is not believed until an operator
/// says so, or until it is set right (`reliability.md` 2.2). One that was set back harms nothing:
/// recorded time only ever increases.
final class WallClock: Sendable {
  /// How far it may gain on the time that passed, in nanoseconds.
  static let leadMax: Int64 = 600 * 1_000_000_000

  private let wall: @Sendable () -> UInt64
  private let uptime: @Sendable () -> UInt64
  /// The most by which the wall was ahead of the uptime when it was believed.
  private let lead: Atomic<Int64>

  /// Believes what the wall says now.
  init(wall: @escaping @Sendable () -> UInt64, uptime: @escaping @Sendable () -> UInt64) {
    self.wall = wall
    self.uptime = uptime
    lead = Atomic(Int64(bitPattern: wall() &- uptime()))
  }

  /// The time, nanoseconds since 1970; `nil` where it is not believed.
  func now() -> UInt64? {
    let now = wall()
    let believed = lead.load(ordering: .relaxed)
    let current = Int64(bitPattern: now &- uptime())
    guard current &- believed <= Self.leadMax else { return nil }
    if current > believed { lead.max(current, ordering: .relaxed) }
    return now
  }

  /// Believes what the wall says now, however far it jumped.
  func accept() { lead.max(Int64(bitPattern: wall() &- uptime()), ordering: .relaxed) }
}
