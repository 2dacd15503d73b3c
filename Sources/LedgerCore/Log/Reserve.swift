#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Room on the disk that is kept for what ends obligations (`design.md` 2).
struct Reserve: Sendable {
  /// How much room there is, as far as commands are concerned.
  enum Room {
    /// For everything.
    case ample
    /// Less than two reserves: nothing new is begun.
    case short
    /// Less than one reserve: nothing at all is written.
    case none
  }

  let directory: String
  /// One reserve.
  let byteCount: Int
  /// Bytes that a file in a directory may still grow by.
  let free: @Sendable (String) -> Int

  /// As it is now. One system call.
  var room: Room {
    let free = free(directory)
    if free >= 2 * byteCount { return .ample }
    return free >= byteCount ? .short : .none
  }

  /// What the file system of `directory` has left for us. Where it cannot be asked, it is not what
  /// keeps anybody from writing: the write will tell.
  static func free(in directory: String) -> Int {
    var status = statvfs()
    guard unsafe statvfs(directory, &status) == 0 else { return .max }
    return Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
  }
}
