#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// An environment whose commits are not synced, for what can be rebuilt from the log.
///
/// A killed process loses nothing, because the system has every commit; a power loss may leave half
/// a page, which LMDB would follow. So a file beside the environment says whether the bytes in it
/// can be trusted, and is read before LMDB opens them:
///
///     DIR/data.mdb    the environment
///     DIR/mark        "open BOOT" while it is in use, "clean BOOT" after everything was synced
///
/// Trusted are a clean one, and an open one of this very boot. Everything else is thrown away.
package final class DisposableStore: Sendable {
  /// The environment. Closed when the store and all who use it are gone.
  package let environment: Environment
  /// Whether the environment holds what an earlier store wrote.
  package let wasKept: Bool
  private let directory: String

  /// Opens the store in `directory`, which is made where it is missing, and with it the databases.
  ///
  /// - `keeps`: false to begin empty whatever lies there.
  /// - Throws: ``StorageError/locked(holder:)`` where this process has it open already.
  package init(
    _ directory: String, databases: [String], mapByteCount: Int, keeps: Bool = true
  ) throws(StorageError) {
    if !File.exists(directory) {
      guard unsafe mkdir(directory, 0o700) == 0 else { throw .system("mkdir", directory) }
    }
    var kept: Environment?
    if keeps, try Self.isTrusted(directory) {
      do throws(StorageError) {
        try MetaPages.check(directory + "/data.mdb")
        kept = try Environment(
          directory: directory, databases: databases, mapByteCount: mapByteCount,
          durability: .unsynced, mayCreate: true)
      } catch {
        if case .locked = error { throw error }
        if error.mayPass { throw error }
      }
    }
    if let kept {
      environment = kept
      wasKept = true
      // On disk before the first page changes: a later power loss must not find the old mark.
      try Self.mark(directory, "open")
    } else {
      try Self.clear(directory)
      environment = try Environment(
        directory: directory, databases: databases, mapByteCount: mapByteCount,
        durability: .unsynced, mayCreate: true)
      wasKept = false
      try Self.mark(directory, "open")
    }
    self.directory = directory
  }

  /// Puts everything on disk and says so, so that it can be trusted after a power loss too. Nothing
  /// may be written afterwards.
  package func markClean() throws(StorageError) {
    try environment.sync()
    try Self.mark(directory, "clean")
  }

  /// Says that what lies here is wrong: the next store in this directory begins empty.
  package func distrust() throws(StorageError) { try File.remove(directory + "/mark") }

  /// Removes what a store left in `directory`, and the directory where nothing else is in it.
  /// Nobody may have it open.
  package static func remove(_ directory: String) throws(StorageError) {
    try clear(directory)
    _ = unsafe rmdir(directory)
  }

  private static func clear(_ directory: String) throws(StorageError) {
    // The mark goes first: without it, what is left of the rest is not trusted.
    for name in ["/mark", "/mark.partial", "/data.mdb", "/lock.mdb"] {
      try File.remove(directory + name)
    }
  }

  private static func isTrusted(_ directory: String) throws(StorageError) -> Bool {
    guard File.exists(directory + "/data.mdb"), let mark = try File.contents(directory + "/mark")
    else { return false }
    let text = String(decoding: mark, as: UTF8.self)
    if text.hasPrefix("clean ") { return true }
    let boot = bootId
    return !boot.isEmpty && text == "open \(boot)\n"
  }

  private static func mark(_ directory: String, _ word: String) throws(StorageError) {
    try File.create(directory + "/mark", Array("\(word) \(bootId)\n".utf8))
  }

  /// What tells this run of the machine from the one before; empty where the system does not say,
  /// so that an unclean store is then always rebuilt.
  private static var bootId: String {
    do throws(StorageError) {
      let file = try File("/proc/sys/kernel/random/boot_id", flags: O_RDONLY)
      let text = String(decoding: try file.read(at: 0, count: 64), as: UTF8.self)
      return String(text.prefix { $0.isHexDigit || $0 == "-" })
    } catch {
      return ""
    }
  }
}
