import CLedger

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The directory a ledger lies in, and the lock that keeps a second writer out.
///
///     DIR/            0700, and every file 0600
///       log/          the LMDB environment
///       head.log      what was acknowledged last
///       daemon.lock   who has it open: the pid, under flock(2)
///       keys/         the master key, in local hosting
///       index/        old idempotency keys, sorted
///       snapshots/    states, so that opening need not fold the whole log
///
/// Others keep files of their own here: `Format.md` has them all.
struct DataDirectory: ~Copyable {
  let path: String
  private let lock: File

  /// Creates the directory where it is missing, checks that it is ours alone, and locks it.
  init(_ path: String, mayCreate: Bool) throws(StorageError) {
    if !File.exists(path) {
      guard mayCreate else { throw .refused("there is no ledger in \(path)") }
      try File.makeDirectory(path)
    }
    try Self.check(path)
    let lock = try File(path + "/daemon.lock", flags: O_RDWR | O_CREAT)
    var attemptCount = 0
    while try !lock.lock() {
      let text = String(decoding: try lock.read(at: 0, count: 16), as: UTF8.self)
      let holder = Int32(text.prefix { $0.isNumber }) ?? 0
      attemptCount += 1
      // Who has just taken the lock has not said yet who he is; the one named before him is gone.
      let isAlive = holder > 0 && (kill(holder, 0) == 0 || errno == EPERM)
      if isAlive || attemptCount == Self.lockAttemptCountMax { throw .locked(holder: holder) }
      // The holder writes its number right after it has the lock: a moment is enough.
      usleep(2_000)
    }
    try lock.truncate()
    try lock.write(Array("\(getpid())\n".utf8).span, at: 0)
    if mayCreate {
      for part in ["/log", "/keys"] where !File.exists(path + part) {
        try File.makeDirectory(path + part)
      }
    }
    self.path = path
    self.lock = lock
  }

  private static let lockAttemptCountMax = 100

  /// Whoever comes next must not be told our pid.
  deinit {
    do throws(StorageError) { try lock.truncate() } catch {}
  }

  var log: String { path + "/log" }
  var headLog: String { path + "/head.log" }
  var masterKey: String { path + "/keys/master.key" }
  var dataFile: String { path + "/log/data.mdb" }
  var index: String { path + "/index" }
  var snapshots: String { path + "/snapshots" }

  private static func check(_ path: String) throws(StorageError) {
    let status = try File.status(path)
    guard status.isDirectory else { throw .refused("\(path) is not a directory") }
    guard status.owner == geteuid() else {
      throw .refused("\(path) belongs to another user (\(status.owner))")
    }
    guard status.mode & 0o077 == 0 else {
      throw .refused("\(path) is open to other users; run: chmod 0700 \(path)")
    }
    var system = statfs()
    guard unsafe statfs(path, &system) == 0 else { throw .system("statfs", path) }
    try checkFileSystem(UInt64(truncatingIfNeeded: system.f_type), of: path)
  }

  /// Those on which a lock holds, a sync is one and a mapped page is the file's (`reliability.md`
  /// 6): ext2 to 4, XFS, Btrfs, ZFS, tmpfs. What comes over a network, FUSE or an overlay may do
  /// otherwise.
  static func checkFileSystem(_ type: UInt64, of path: String) throws(StorageError) {
    let local: [UInt64] = [0xEF53, 0x5846_5342, 0x9123_683E, 0x2FC1_2FC1, 0x0102_1994]
    guard local.contains(type & 0xFFFF_FFFF) else {
      throw .refused(
        "\(path) is on a file system of type 0x\(String(type & 0xFFFF_FFFF, radix: 16)), on which "
          + "locks or syncs may not hold; use ext4, XFS, Btrfs, ZFS or tmpfs")
    }
  }
}

/// LMDB's two meta pages, read as bytes before LMDB trusts them (`reliability.md` 2.1).
enum MetaPages {
  /// Whether the making of a data file was cut off before its first commit: LMDB writes both meta
  /// pages first, and syncs them with that commit. A meta page fills the front of its page, so it
  /// is there or all zero.
  static func areUnwritten(_ path: String) throws(StorageError) -> Bool {
    let bytes = try File(path, flags: O_RDONLY).read(at: 0, count: 8192)
    return bytes.count < 8192 || bytes[..<4096].allSatisfy { $0 == 0 }
      || bytes[4096...].allSatisfy { $0 == 0 }
  }

  /// Whether the making of a data file was cut off before its first database was there.
  static func haveNoDatabase(_ path: String) throws(StorageError) -> Bool {
    if try areUnwritten(path) { return true }
    let bytes = try File(path, flags: O_RDONLY).read(at: 0, count: 8192)
    let pages = unsafe bytes.span.bytes
    let (first, second): (UInt64, UInt64) = (pages.load(at: 144), pages.load(at: 4096 + 144))
    // The tree of names, which has no root while it is empty.
    return pages.load(at: (first < second ? 4096 : 0) + 40 + 48 + 40) as UInt64 == .max
  }

  /// Refuses a data file that is shorter than it says or whose meta pages cannot be.
  static func check(_ path: String) throws(StorageError) {
    guard File.exists(path) else { return }
    let file = try File(path, flags: O_RDONLY)
    let size = try file.byteCount
    guard size > 0 else { return }
    let bytes = try file.read(at: 0, count: 8192)
    guard bytes.count == 8192 else {
      throw .damaged("\(path) is \(size) bytes long: its meta pages are cut off")
    }
    let first = try transaction(of: 0, in: bytes, path, size)
    let second = try transaction(of: 1, in: bytes, path, size)
    let areNeighbours = max(first, second) - min(first, second) <= 1
    guard areNeighbours, first % 2 == 0, second % 2 == 1 || second == 0 else {
      throw .damaged("\(path): its meta pages are of transactions \(first) and \(second)")
    }
    // LMDB follows the newer one. Where it failed to write the other, it put back what tells its
    // age and left the new roots in it, so those of the older one may point anywhere.
    try checkRoots(of: first < second ? 1 : 0, in: bytes, path)
  }

  private static func checkRoots(
    of number: Int, in bytes: [UInt8], _ path: String
  ) throws(StorageError) {
    let page = unsafe bytes.span.bytes.extracting(number * 4096..<(number + 1) * 4096)
    let last: UInt64 = page.load(at: 136)
    for database in 0..<2 {
      let root: UInt64 = page.load(at: 40 + database * 48 + 40)
      guard root == .max || (root >= 2 && root <= last) else {
        throw .damaged("\(path): meta page \(number): a root outside the file")
      }
    }
  }

  /// One page: 16 bytes of page header, then LMDB's `MDB_meta`.
  private static func transaction(
    of number: Int, in bytes: [UInt8], _ path: String, _ size: Int
  ) throws(StorageError) -> UInt64 {
    let page = unsafe bytes.span.bytes.extracting(number * 4096..<(number + 1) * 4096)
    let place = "\(path): meta page \(number)"
    let flags: UInt16 = page.load(at: 10)
    guard page.load(at: 0) as UInt64 == UInt64(number), flags & 0x08 != 0,
      page.load(at: 16) as UInt32 == 0xBEEF_C0DE, page.load(at: 20) as UInt32 == 1
    else { throw .damaged("\(place) is not one of LMDB's") }
    let pageByteCount: UInt32 = page.load(at: 40)
    guard pageByteCount == 4096 else { throw .damaged("\(place): a page size of \(pageByteCount)") }
    let last: UInt64 = page.load(at: 136)
    guard last < 1 << 40, (last + 1) * 4096 <= UInt64(size) else {
      throw .damaged("\(path) is \(size) bytes long, but page \(last) is in use: it was cut short")
    }
    return page.load(at: 144)
  }
}
