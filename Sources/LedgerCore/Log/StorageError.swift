#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The disk, the data or the directory is not as it must be. Not a ``Rejection``: no command caused
/// it.
public enum StorageError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A call into LMDB or the system failed. `code` is LMDB's (negative) or an errno.
  case call(String, code: Int32, message: String)
  /// Bytes are not the ones that were written. Names the file or database and the place.
  case damaged(String)
  /// Another process writes here. `holder` is its pid, 0 where it cannot be told.
  case locked(holder: Int32)
  /// What lies there is whole but not ours to open: another format, mode, ledger or owner.
  case refused(String)

  /// One sentence for a person.
  public var description: String {
    switch self {
    case .call(let name, let code, let message): "\(name): \(message) (\(code))"
    case .damaged(let what): "damaged: \(what)"
    case .locked(let holder): "the ledger is in use by process \(holder)"
    case .refused(let why): why
    }
  }

  /// The exit code of a program that ends for it (`design.md` 4.12).
  public var exitCode: Int32 {
    switch self {
    case .call, .damaged: 74
    case .locked: 75
    case .refused: 78
    }
  }

  /// Whether the same may succeed later: the system refused (a full disk, too many files), or the
  /// map is full. What LMDB says of the data itself does not pass.
  package var mayPass: Bool {
    guard case .call(_, let code, _) = self else { return false }
    return code > 0 || isFull
  }

  /// Whether the disk, the quota or the map had no room.
  var isFull: Bool {
    guard case .call(_, let code, _) = self else { return false }
    let mapFull: Int32 = -30_792
    return code == ENOSPC || code == EDQUOT || code == mapFull
  }

  /// The error of a system call that just failed on `subject`.
  static func system(_ name: String, _ subject: String, code: Int32 = errno) -> StorageError {
    let message = unsafe String(cString: strerror(code))
    return .call("\(name) \(subject)", code: code, message: message)
  }
}
