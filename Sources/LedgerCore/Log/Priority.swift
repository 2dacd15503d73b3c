#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// How a thread that may be late shares the processor.
enum Priority {
  /// Has the calling thread run when nobody else wants to. (Linux keeps the nice value by thread.)
  static func lower() { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19) }

  /// Sleeps on the calling thread.
  static func sleep(_ duration: Duration) {
    let parts = duration.components
    usleep(UInt32(min(parts.seconds, 3_600) * 1_000_000 + parts.attoseconds / 1_000_000_000_000))
  }
}
