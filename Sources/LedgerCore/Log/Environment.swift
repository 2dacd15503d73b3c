import CLMDB
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// One LMDB environment: the only file that knows LMDB (its traps: `reliability.md` 6).
///
/// Opened once in a process; a second open of the same directory is refused, because closing one of
/// two would drop the other's locks. Never `WRITEMAP`, `NOMETASYNC` or `DUPSORT`.
@safe
// Safe: LMDB serialises writers and gives each read transaction a snapshot; handles are set once.
package final class Environment: @unchecked Sendable {
  private let environment: OpaquePointer
  private let databases: [MDB_dbi]
  private let identity: FileIdentity
  private let gate = Gate()

  /// A named database, by its place in the list the environment was opened with.
  package struct Database: Hashable, Sendable {
    package var index: Int

    /// The database at `index`.
    package init(index: Int) { self.index = index }
  }

  /// How commits reach the disk.
  package enum Durability: Sendable {
    /// Every commit is synced: LMDB's default.
    case synced
    /// The system writes when it likes. For what can be rebuilt from the log.
    case unsynced
  }

  private struct FileIdentity: Hashable {
    var device: UInt64
    var inode: UInt64
  }

  private static let open = Mutex<Set<FileIdentity>>([])

  /// Opens, or where `mayCreate` creates, the environment in `directory` with these databases.
  ///
  /// - `mapByteCount`: address space, not disk: the most that the file may grow to.
  init(
    directory: String, databases names: [String], mapByteCount: Int, durability: Durability,
    mayCreate: Bool
  ) throws(StorageError) {
    try Self.checkVersion()
    var created: OpaquePointer?
    try unsafe Self.check(mdb_env_create(&created), "mdb_env_create")
    guard let environment = unsafe created else { preconditionFailure("LMDB gave no environment") }
    var identity = FileIdentity(device: 0, inode: 0)
    do throws(StorageError) {
      try unsafe Self.check(mdb_env_set_mapsize(environment, mapByteCount), "mdb_env_set_mapsize")
      let count = UInt32(names.count)
      try unsafe Self.check(mdb_env_set_maxdbs(environment, count), "mdb_env_set_maxdbs")
      try unsafe Self.check(mdb_env_set_maxreaders(environment, 1024), "mdb_env_set_maxreaders")
      identity = try Self.register(directory)
    } catch {
      unsafe mdb_env_close(environment)
      throw error
    }
    do throws(StorageError) {
      let flags = UInt32(MDB_NOTLS) | (durability == .unsynced ? UInt32(MDB_NOSYNC) : 0)
      try unsafe Self.check(
        mdb_env_open(environment, directory, flags, 0o600), "mdb_env_open \(directory)")
      // A program started by us must not inherit the file (`reliability.md` E11).
      var descriptor: Int32 = -1
      try unsafe Self.check(mdb_env_get_fd(environment, &descriptor), "mdb_env_get_fd")
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      var dead: Int32 = 0
      try unsafe Self.check(mdb_reader_check(environment, &dead), "mdb_reader_check")
      unsafe databases = try Self.open(names, in: environment, mayCreate: mayCreate)
    } catch {
      unsafe mdb_env_close(environment)
      Self.open.withLock { open in _ = open.remove(identity) }
      throw error
    }
    unsafe self.environment = environment
    self.identity = identity
  }

  deinit {
    unsafe mdb_env_close(environment)
    Self.open.withLock { open in _ = open.remove(identity) }
  }

  /// Runs `body` on a snapshot. Keep it under 100 ms and copy what outlives it: spans point into
  /// the map and die with the transaction.
  package func read<Result>(
    _ body: (Transaction) throws(StorageError) -> Result
  ) throws(StorageError) -> Result {
    gate.enter()
    defer { gate.leave() }
    var begun: OpaquePointer?
    try unsafe Self.check(
      mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &begun), "mdb_txn_begin")
    guard let handle = unsafe begun else { preconditionFailure("LMDB gave no transaction") }
    defer { unsafe mdb_txn_abort(handle) }
    return try body(unsafe Transaction(handle: handle, databases: databases))
  }

  /// Runs `body` in the write transaction and commits it; when this returns, a synced environment
  /// has it on disk. Anything thrown aborts it whole.
  package func write<Result>(
    _ body: (Transaction) throws(StorageError) -> Result
  ) throws(StorageError) -> Result {
    var begun: OpaquePointer?
    try unsafe Self.check(mdb_txn_begin(environment, nil, 0, &begun), "mdb_txn_begin")
    guard let handle = unsafe begun else { preconditionFailure("LMDB gave no transaction") }
    let result: Result
    do throws(StorageError) {
      result = try body(unsafe Transaction(handle: handle, databases: databases))
    } catch {
      unsafe mdb_txn_abort(handle)
      throw error
    }
    // After a failed commit the handle is gone: never abort it again.
    try unsafe Self.check(mdb_txn_commit(handle), "mdb_txn_commit")
    return result
  }

  /// Writes a copy of the newest snapshot, without the pages that are free, to an empty file, while
  /// commits go on. Not synced. Keeps the map from growing meanwhile.
  func copy(to descriptor: Int32) throws(StorageError) {
    gate.enter()
    defer { gate.leave() }
    try unsafe Self.check(
      mdb_env_copyfd2(environment, descriptor, UInt32(MDB_CP_COMPACT)), "mdb_env_copyfd2")
  }

  /// Puts every commit so far on the disk, for an unsynced environment that is about to be left.
  func sync() throws(StorageError) {
    try unsafe Self.check(mdb_env_sync(environment, 1), "mdb_env_sync")
  }

  /// The last committed transaction's number, the bytes in use, and the most that they may become.
  var usage: (transaction: UInt64, byteCount: Int, mapByteCount: Int) {
    var info = unsafe MDB_envinfo()
    var status = MDB_stat()
    _ = unsafe mdb_env_info(environment, &info)
    _ = unsafe mdb_env_stat(environment, &status)
    let pages = unsafe Int(info.me_last_pgno) + 1
    return unsafe (UInt64(info.me_last_txnid), pages * Int(status.ms_psize), Int(info.me_mapsize))
  }

  /// The same for another thread than the writer's, which may be moving the map.
  var usageBesideWriter: (transaction: UInt64, byteCount: Int, mapByteCount: Int) {
    gate.enter()
    defer { gate.leave() }
    return usage
  }

  /// Doubles the map where less than `byteCount` is left of it. For the one writer, between its
  /// transactions: waits until no reader is in and keeps new ones out meanwhile, since every
  /// pointer into the map dies. Where the system has no address space left, the map stays as it is,
  /// and the next write says that it is full.
  func growMap(toHold byteCount: Int) {
    let usage = usage
    guard usage.mapByteCount - usage.byteCount < byteCount else { return }
    gate.close()
    defer { gate.open() }
    _ = unsafe mdb_env_set_mapsize(environment, max(usage.mapByteCount * 2, byteCount * 2))
  }

  static func check(_ code: Int32, _ operation: String) throws(StorageError) {
    guard code != 0 else { return }
    let message = unsafe String(cString: mdb_strerror(code))
    throw .call(operation, code: code, message: message)
  }

  /// The oldest release whose source was read for what we rely on, and the newest of its series:
  /// the next one has another file format.
  static func isKnown(major: Int32, minor: Int32, patch: Int32) -> Bool {
    major == 0 && minor == 9 && patch >= 24
  }

  private static func checkVersion() throws(StorageError) {
    var (major, minor, patch): (Int32, Int32, Int32) = (0, 0, 0)
    _ = unsafe mdb_version(&major, &minor, &patch)
    guard isKnown(major: major, minor: minor, patch: patch) else {
      throw .refused("liblmdb \(major).\(minor).\(patch) is not 0.9.24 or a later 0.9")
    }
  }

  private static func register(_ directory: String) throws(StorageError) -> FileIdentity {
    let status = try File.status(directory)
    let identity = FileIdentity(device: status.device, inode: status.inode)
    let isNew = open.withLock { open in open.insert(identity).inserted }
    guard isNew else { throw .locked(holder: getpid()) }
    return identity
  }

  private static func open(
    _ names: [String], in environment: OpaquePointer, mayCreate: Bool
  ) throws(StorageError) -> [MDB_dbi] {
    var begun: OpaquePointer?
    let flags = mayCreate ? 0 : UInt32(MDB_RDONLY)
    try unsafe check(mdb_txn_begin(environment, nil, flags, &begun), "mdb_txn_begin")
    guard let handle = unsafe begun else { preconditionFailure("LMDB gave no transaction") }
    var handles: [MDB_dbi] = []
    for name in names {
      var database: MDB_dbi = 0
      let code = unsafe mdb_dbi_open(handle, name, mayCreate ? UInt32(MDB_CREATE) : 0, &database)
      guard code == 0 else {
        unsafe mdb_txn_abort(handle)
        guard code != MDB_NOTFOUND else { throw .damaged("database '\(name)' is missing") }
        try check(code, "mdb_dbi_open \(name)")
        return []
      }
      handles.append(database)
    }
    try unsafe check(mdb_txn_commit(handle), "mdb_txn_commit")
    return handles
  }
}

// MARK: - Transactions

extension Environment {
  /// One transaction, on the thread that began it; never kept beyond the closure it is handed to.
  // Workaround: as `~Copyable` it crashes the optimiser of Swift 6.3.1 ("Cannot initialize a
  // nonCopyable type with a guaranteed value", GenericSpecializer). Retry with the next compiler.
  @safe
  package struct Transaction {
    fileprivate let handle: OpaquePointer
    fileprivate let databases: [MDB_dbi]

    /// The value of `key`, handed to `body`; `nil` where there is none.
    package func get<Result>(
      _ database: Database, _ key: Key,
      _ body: (RawSpan) throws(StorageError) -> Result
    ) throws(StorageError) -> Result? {
      var key = key
      let size = key.byteCount
      var found = unsafe MDB_val()
      let code = unsafe withUnsafeMutableBytes(of: &key.bytes) { bytes in
        var name = unsafe MDB_val(mv_size: size, mv_data: bytes.baseAddress)
        return unsafe mdb_get(handle, databases[database.index], &name, &found)
      }
      guard code != MDB_NOTFOUND else { return nil }
      try check(code, "mdb_get")
      return try body(
        unsafe UnsafeRawBufferPointer(start: found.mv_data, count: found.mv_size).bytes)
    }

    /// Stores `value` under `key`, replacing what was there.
    package func put(_ database: Database, _ key: Key, _ value: RawSpan) throws(StorageError) {
      try put(database, key, value, flags: 0)
    }

    /// Stores `value` under a key that is greater than every other in the database.
    package func append(_ database: Database, _ key: Key, _ value: RawSpan) throws(StorageError) {
      try put(database, key, value, flags: UInt32(MDB_APPEND))
    }

    private func put(
      _ database: Database, _ key: Key, _ value: RawSpan, flags: UInt32
    ) throws(StorageError) {
      var key = key
      let size = key.byteCount
      let code = unsafe value.withUnsafeBytes { bytes in
        unsafe withUnsafeMutableBytes(of: &key.bytes) { name in
          var name = unsafe MDB_val(mv_size: size, mv_data: name.baseAddress)
          // LMDB only reads the value; the C type does not say so.
          var data = unsafe MDB_val(
            mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
          return unsafe mdb_put(handle, databases[database.index], &name, &data, flags)
        }
      }
      try check(code, "mdb_put")
    }

    /// Removes `key` if it is there.
    func remove(_ database: Database, _ key: Key) throws(StorageError) {
      var key = key
      let size = key.byteCount
      let code = unsafe withUnsafeMutableBytes(of: &key.bytes) { bytes in
        var name = unsafe MDB_val(mv_size: size, mv_data: bytes.baseAddress)
        return unsafe mdb_del(handle, databases[database.index], &name, nil)
      }
      if code != MDB_NOTFOUND { try check(code, "mdb_del") }
    }

    /// How many keys the database has.
    package func count(_ database: Database) throws(StorageError) -> Int {
      var status = MDB_stat()
      try unsafe check(mdb_stat(handle, databases[database.index], &status), "mdb_stat")
      return Int(status.ms_entries)
    }

    /// Where a walk begins.
    package enum Start {
      /// At the first key.
      case first
      /// At the greatest key that is not greater than this one.
      case atOrBefore(Key)
      /// At the smallest key that is not smaller than this one.
      case atOrAfter(Key)
    }

    /// Walks entries in the order of their keys, until `body` answers false.
    package func walk(
      _ database: Database, from start: Start,
      _ body: (Key, RawSpan) throws(StorageError) -> Bool
    ) throws(StorageError) {
      var opened: OpaquePointer?
      try unsafe check(
        mdb_cursor_open(handle, databases[database.index], &opened), "mdb_cursor_open")
      guard let cursor = unsafe opened else { preconditionFailure("LMDB gave no cursor") }
      defer { unsafe mdb_cursor_close(cursor) }
      var name = unsafe MDB_val()
      var value = unsafe MDB_val()
      var code = unsafe seek(cursor, start, &name, &value)
      while code != MDB_NOTFOUND {
        try check(code, "mdb_cursor_get")
        let key = unsafe Key(UnsafeRawBufferPointer(start: name.mv_data, count: name.mv_size))
        let bytes = unsafe UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
        guard try body(key, unsafe bytes.bytes) else { return }
        code = unsafe mdb_cursor_get(cursor, &name, &value, MDB_NEXT)
      }
    }

    private func seek(
      _ cursor: OpaquePointer, _ start: Start, _ name: inout MDB_val, _ value: inout MDB_val
    ) -> Int32 {
      switch start {
      case .first: return unsafe mdb_cursor_get(cursor, &name, &value, MDB_FIRST)
      case .atOrAfter(let key): return unsafe range(cursor, key, &name, &value)
      case .atOrBefore(let key):
        let code = unsafe range(cursor, key, &name, &value)
        if code == MDB_NOTFOUND { return unsafe mdb_cursor_get(cursor, &name, &value, MDB_LAST) }
        let found = unsafe Key(UnsafeRawBufferPointer(start: name.mv_data, count: name.mv_size))
        if code != 0 || found == key { return code }
        return unsafe mdb_cursor_get(cursor, &name, &value, MDB_PREV)
      }
    }

    private func range(
      _ cursor: OpaquePointer, _ key: Key, _ name: inout MDB_val, _ value: inout MDB_val
    ) -> Int32 {
      var key = key
      let size = key.byteCount
      return unsafe withUnsafeMutableBytes(of: &key.bytes) { bytes in
        unsafe name = MDB_val(mv_size: size, mv_data: bytes.baseAddress)
        return unsafe mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE)
      }
    }

    private func check(_ code: Int32, _ operation: String) throws(StorageError) {
      try Environment.check(code, operation)
    }
  }

  /// A key of at most 32 bytes; integers in it are big-endian, so that LMDB's order is theirs.
  package struct Key: Equatable {
    fileprivate var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    package fileprivate(set) var byteCount = 0

    /// One integer.
    package init(_ number: UInt64) {
      bytes.0 = number.bigEndian
      byteCount = 8
    }

    /// Two integers, the first deciding.
    init(_ first: UInt64, _ second: UInt64) {
      bytes = (first.bigEndian, second.bigEndian, 0, 0)
      byteCount = 16
    }

    /// A name of at most 32 bytes of ASCII.
    init(_ name: StaticString) {
      let count = name.utf8CodeUnitCount
      precondition(count <= 32)
      unsafe withUnsafeMutableBytes(of: &bytes) { bytes in
        unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: name.utf8Start, count: count))
      }
      byteCount = count
    }

    fileprivate init(_ source: UnsafeRawBufferPointer) {
      // Every key in our databases was made by the initialisers above; a longer one is damage and
      // compares unequal to all of them.
      let count = min(source.count, 32)
      unsafe withUnsafeMutableBytes(of: &bytes) { bytes in
        unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
      }
      byteCount = source.count
    }

    /// The first integer of the key.
    package var first: UInt64 { UInt64(bigEndian: bytes.0) }
    /// The second integer of the key.
    var second: UInt64 { UInt64(bigEndian: bytes.1) }

    package static func == (a: Key, b: Key) -> Bool {
      a.byteCount == b.byteCount && a.bytes == b.bytes
    }
  }
}
