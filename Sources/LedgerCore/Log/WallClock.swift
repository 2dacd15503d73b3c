#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The system's wall clock. Never read by the domain: the engine reads it once a batch.
enum WallClock {
  /// Nanoseconds since 1970, UTC.
  static func now() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
