import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A file descriptor, closed on exec, with errors that name call and path.
struct File: ~Copyable {
  let path: String
  private let descriptor: Int32

  /// Opens a file; `flags` as for open(2), new files get mode 0600.
  init(_ path: String, flags: Int32) throws(StorageError) {
    self.path = path
    descriptor = unsafe open(path, flags | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system("open", path) }
  }

  /// Makes a file that is not there yet.
  init(new path: String) throws(StorageError) {
    try self.init(path, flags: O_RDWR | O_CREAT | O_EXCL)
  }

  deinit { _ = close(descriptor) }

  var byteCount: Int {
    get throws(StorageError) {
      let end = lseek(descriptor, 0, SEEK_END)
      guard end >= 0 else { throw .system("lseek", path) }
      return Int(end)
    }
  }

  /// Reads up to `count` bytes from `offset`; fewer only at the end of the file.
  func read(at offset: Int, count: Int) throws(StorageError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe pread(
          descriptor, buffer.baseAddress.map { unsafe $0 + done }, count - done, offset + done)
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw .system("pread", path) }
      if got == 0 { break }
      done += got
    }
    bytes.removeLast(count - done)
    return bytes
  }

  /// Writes all bytes at `offset`.
  func write(_ bytes: Span<UInt8>, at offset: Int) throws(StorageError) {
    var done = 0
    while done < bytes.count {
      let put = unsafe bytes.withUnsafeBytes { buffer in
        unsafe pwrite(
          descriptor, buffer.baseAddress.map { unsafe $0 + done }, bytes.count - done,
          offset + done)
      }
      if put < 0 && errno == EINTR { continue }
      guard put > 0 else { throw .system("pwrite", path) }
      done += put
    }
  }

  /// Hands the descriptor to `body`, for a call that takes no less.
  func withDescriptor(
    _ body: (Int32) throws(StorageError) -> Void
  ) throws(StorageError) { try body(descriptor) }

  func sync() throws(StorageError) {
    guard fsync(descriptor) == 0 else { throw .system("fsync", path) }
  }

  /// Takes the file's lock for as long as it is open; false where another process has it.
  func lock() throws(StorageError) -> Bool {
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
    guard errno == EWOULDBLOCK else { throw .system("flock", path) }
    return false
  }

  func truncate() throws(StorageError) {
    guard ftruncate(descriptor, 0) == 0 else { throw .system("ftruncate", path) }
  }

  /// Makes a directory's entries durable: creating a file does not.
  static func syncDirectory(_ path: String) throws(StorageError) {
    try File(path, flags: O_RDONLY | O_DIRECTORY).sync()
  }

  /// Creates a file with these bytes so that it exists whole or not at all.
  static func create(_ path: String, _ bytes: [UInt8]) throws(StorageError) {
    let temporary = path + ".partial"
    let file = try File(temporary, flags: O_WRONLY | O_CREAT | O_TRUNC)
    try file.write(bytes.span, at: 0)
    try file.sync()
    try move(temporary, to: path)
  }

  /// Makes a directory that nobody else may enter, and its name durable.
  static func makeDirectory(_ path: String) throws(StorageError) {
    guard unsafe mkdir(path, 0o700) == 0 else { throw .system("mkdir", path) }
    try syncDirectory(parent(of: path))
  }

  /// Gives a file or directory its final name, and makes that durable.
  static func move(_ path: String, to final: String) throws(StorageError) {
    guard unsafe rename(path, final) == 0 else { throw .system("rename", path) }
    try syncDirectory(parent(of: final))
  }

  private static func parent(of path: String) -> String {
    let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    return parent.isEmpty ? "/" : parent
  }

  /// Copies a file to one that is not there yet, and syncs it.
  static func copy(_ source: String, to target: String) throws(StorageError) {
    let from = try File(source, flags: O_RDONLY)
    let to = try File(new: target)
    var offset = 0
    while true {
      let bytes = try from.read(at: offset, count: 1 << 20)
      if bytes.isEmpty { break }
      try to.write(bytes.span, at: offset)
      offset += bytes.count
    }
    try to.sync()
  }

  /// The whole file, or `nil` where it does not exist.
  static func contents(_ path: String) throws(StorageError) -> [UInt8]? {
    guard exists(path) else { return nil }
    let file = try File(path, flags: O_RDONLY)
    return try file.read(at: 0, count: try file.byteCount)
  }

  /// Removes a file, if it is there.
  static func remove(_ path: String) throws(StorageError) {
    guard unsafe unlink(path) == 0 || errno == ENOENT else { throw .system("unlink", path) }
  }

  /// The names in a directory, in no order; none where it does not exist.
  static func names(in path: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  }

  /// Removes the files in a directory, if it is there.
  static func removeFiles(in path: String) throws(StorageError) {
    for name in names(in: path) { try remove(path + "/" + name) }
  }

  /// Removes an empty directory; leaves one that is not.
  static func removeDirectory(_ path: String) { _ = unsafe rmdir(path) }

  static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// Whether it is a directory itself, not a link to one, that is ours and nobody else may enter.
  static func isPrivateDirectory(_ path: String) throws(StorageError) -> Bool {
    let status = try status(path)
    return status.isDirectory && status.owner == geteuid() && status.mode & 0o077 == 0
  }

  /// What the file system says of a path; of a link, itself.
  struct Status {
    var isDirectory: Bool
    var owner: UInt32
    /// Permission bits.
    var mode: UInt32
    var device: UInt64
    var inode: UInt64
  }

  static func status(_ path: String) throws(StorageError) -> Status {
    // By Foundation: the C struct `stat` is a member of whichever module the compiler met it in
    // first, so that incremental builds of Swift 6.3.1 refuse it at random.
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
      let owner = attributes[.ownerAccountID] as? NSNumber,
      let mode = attributes[.posixPermissions] as? NSNumber,
      let device = attributes[.systemNumber] as? NSNumber,
      let inode = attributes[.systemFileNumber] as? NSNumber
    else { throw .system("stat", path) }
    return Status(
      isDirectory: attributes[.type] as? FileAttributeType == .typeDirectory,
      owner: owner.uint32Value, mode: mode.uint32Value, device: device.uint64Value,
      inode: inode.uint64Value)
  }
}
