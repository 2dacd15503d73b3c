/// A copy of a ledger in a directory of its own: the log and `head.log`, and no key.
///
/// Life of a backup: `DIR.partial`, copied, synced, checked whole ──▶ `DIR`
///
/// So one that was cut short never has its final name. The keys that seal texts are in it only
/// sealed with the master key, which is not: keep that elsewhere.
public struct Backup: Sendable {
  /// The newest event in it.
  public var head: EventNumber
  /// The root of the tree over all events up to it.
  public var root: Digest32
  /// When that event was recorded.
  public var time: Timestamp
  /// The size of its data file.
  public var byteCount: Int
}

extension Engine {
  /// Writes a backup to `directory`, which must not be there, while the ledger goes on. Every event
  /// that was durable when the call began is in it.
  ///
  /// The copy is checked as ``verify(progress:)`` checks, before it gets its name.
  /// - `progress`: gets the number of events checked so far.
  /// - Throws: ``LedgerFailure/writeFailed(_:)`` where the directory is there, where it cannot be
  ///   written, or where the copy is not whole, which says what is wrong with the ledger.
  /// - Complexity: O(events); blocks. Memory as much again as the state, for the check.
  public func backup(
    to directory: String, progress: (Int) -> Void = { _ in }
  ) throws(LedgerFailure) -> Backup {
    try withLog(or: LedgerFailure.writeFailed) { log throws(StorageError) in
      guard !File.exists(directory) else {
        throw .refused("\(directory) is there already; name one that is not")
      }
      let partial = directory + ".partial"
      try Backup.remove(partial)
      do throws(StorageError) {
        let backup = try copy(log, to: partial, progress)
        try File.move(partial, to: directory)
        return backup
      } catch {
        // What cannot be removed now will be by the next backup, which begins with that.
        do throws(StorageError) { try Backup.remove(partial) } catch {}
        throw error
      }
    }
  }

  private func copy(
    _ log: EventLog, to partial: String, _ progress: (Int) -> Void
  ) throws(StorageError) -> Backup {
    for path in [partial, partial + "/log"] { try File.makeDirectory(path) }
    let data = try File(new: partial + "/log/data.mdb")
    try data.withDescriptor { descriptor throws(StorageError) in
      try log.environment.copy(to: descriptor)
    }
    try data.sync()
    try File.syncDirectory(partial + "/log")
    let backup = try Backup.finish(
      partial, byteCount: try data.byteCount, preparation, housekeeping.keys.runs, progress)
    try File.remove(partial + "/log/lock.mdb")
    return backup
  }
}

extension Backup {
  /// Checks the copied log and writes the `head.log` that belongs to it.
  fileprivate static func finish(
    _ partial: String, byteCount: Int, _ preparation: Preparation, _ runs: [KeyRun],
    _ progress: (Int) -> Void
  ) throws(StorageError) -> Backup {
    try MetaPages.check(partial + "/log/data.mdb")
    let environment = try Environment(
      directory: partial + "/log", databases: EventLog.names, mapByteCount: byteCount,
      durability: .synced, mayCreate: false)
    let log = EventLog(environment)
    guard let head = try log.head(), let epoch = try log.number("epoch") else {
      throw .damaged("the copy has no head")
    }
    let found = Verification.of(
      log, upTo: head.last, preparation, runs: runs, progress: progress)
    if let finding = found.findings.first { throw .damaged(finding) }
    let tree = try MerkleTree(size: head.last.rawValue, peaks: head.tree)
    try HeadLog.create(partial + "/head.log")
    var headLog = try HeadLog(partial + "/head.log")
    try headLog.append(
      last: head.last, transaction: environment.usage.transaction, root: tree.root, epoch: epoch)
    try headLog.sync()
    return Backup(head: head.last, root: tree.root, time: head.time, byteCount: byteCount)
  }

  /// Removes what an earlier backup or restore that was cut short left: files of these names only.
  fileprivate static func remove(_ partial: String) throws(StorageError) {
    guard File.exists(partial) else { return }
    // Through a link, or in a directory that somebody else may write to, a name is any file's.
    for part in ["", "/log", "/log.cut", "/keys", "/index", "/snapshots"]
    where File.exists(partial + part) {
      guard try File.isPrivateDirectory(partial + part) else {
        throw .refused(
          "\(partial)\(part) is in the way and not a directory that only you may enter; remove it")
      }
    }
    for name in [
      "/log/data.mdb", "/log/lock.mdb", "/head.log", "/head.log.partial", "/daemon.lock",
      "/keys/master.key", "/keys/master.key.partial", "/log.cut/data.mdb", "/log.cut/lock.mdb",
    ] { try File.remove(partial + name) }
    for part in ["/index", "/snapshots"] { try File.removeFiles(in: partial + part) }
    for name in ["/log", "/log.cut", "/keys", "/index", "/snapshots", ""] {
      File.removeDirectory(partial + name)
    }
    guard !File.exists(partial) else {
      throw .refused("\(partial) is in the way and holds more than a backup; remove it")
    }
  }
}

// MARK: - Restoring

extension Backup {
  /// Makes a ledger in `directory`, which must not be there, of the backup in `source`: to its end,
  /// or to event `last`.
  ///
  /// The ledger is opened and checked whole before it gets its name; the backup stays as it is.
  /// - `masterKey`: the 32 bytes that the ledger was made with. Where `keepsKey`, they are put into
  ///   the directory, as local hosting has them.
  /// - Throws: ``StorageError/refused(_:)`` where the directory is there, the key is not the one or
  ///   the backup does not reach to `last`; ``StorageError/damaged(_:)`` where it is not whole.
  /// - `progress`: gets the number of events checked so far, and how many there are.
  /// - Complexity: O(events).
  public static func restore(
    _ source: String, to directory: String, masterKey: [UInt8], keepsKey: Bool = true,
    upTo last: EventNumber? = nil, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(StorageError) -> Backup {
    guard !File.exists(directory) else {
      throw .refused("\(directory) is there already; name one that is not")
    }
    let partial = directory + ".partial"
    try remove(partial)
    do throws(StorageError) {
      let backup = try make(partial, of: source, masterKey, keepsKey: keepsKey, last, progress)
      try File.move(partial, to: directory)
      return backup
    } catch {
      do throws(StorageError) { try remove(partial) } catch {}
      throw error
    }
  }

  private static func make(
    _ partial: String, of source: String, _ masterKey: [UInt8], keepsKey: Bool,
    _ last: EventNumber?, _ progress: (Int, Int) -> Void
  ) throws(StorageError) -> Backup {
    for path in [partial, partial + "/log", partial + "/keys"] { try File.makeDirectory(path) }
    if keepsKey { try File.create(partial + "/keys/master.key", masterKey) }
    try MetaPages.check(source + "/log/data.mdb")
    for name in ["/log/data.mdb", "/head.log"] {
      try File.copy(source + name, to: partial + name)
    }
    for path in [partial, partial + "/log"] { try File.syncDirectory(path) }
    var options = Engine.Options()
    options.mayCreate = false
    options.mayBeEitherMode = true
    options.masterKey = masterKey
    options.acceptsClock = true
    options.clock = { 0 }
    options.snapshotEventCount = 0
    if let last { try cut(partial, after: last, options) }
    let engine = try Engine.open(partial, options)
    defer { engine.close() }
    do throws(LedgerFailure) {
      let total = Int(engine.head.rawValue)
      let found = try engine.verify { done in progress(done, total) }
      if let finding = found.findings.first { throw .readFailed(.damaged(finding)) }
      let head = try engine.treeHead()
      return Backup(
        head: head.last, root: head.root, time: head.time, byteCount: try engine.byteCount())
    } catch {
      if case .readFailed(let error) = error { throw error }
      throw .damaged(error.description)
    }
  }

  /// Writes the log anew with the events up to `last`: the same frames, so the tree over them has
  /// the root that it had when `last` was the newest.
  private static func cut(
    _ directory: String, after last: EventNumber, _ options: Engine.Options
  ) throws(StorageError) {
    let path = directory + "/log"
    do {
      let whole = EventLog(
        try Environment(
          directory: path, databases: EventLog.names, mapByteCount: options.mapByteCount,
          durability: .synced, mayCreate: false))
      guard let head = try whole.head(), last.isSome, last <= head.last else {
        throw .refused("the backup has events 1 to \(try whole.head()?.last ?? .none), not \(last)")
      }
      try check(whole, upTo: last)
      try File.remove(directory + "/head.log")
      try File.makeDirectory(path + ".cut")
      try write(whole, upTo: last, to: path + ".cut", directory, options)
    }
    for name in ["/data.mdb", "/lock.mdb"] { try File.remove(path + name) }
    File.removeDirectory(path)
    try File.remove(path + ".cut/lock.mdb")
    try File.move(path + ".cut", to: path)
  }

  /// Checks the blocks up to event `last` against their own checksums and roots: the log that is
  /// written of their frames has its own, which agree with whatever was read.
  private static func check(_ log: EventLog, upTo last: EventNumber) throws(StorageError) {
    var next = EventNumber(1)
    var tree = MerkleTree()
    while next <= last {
      let start = next
      next = try log.walkBlocks(from: start, countMax: 64, checking: .every) {
        header, bytes throws(StorageError) in
        try tree.append(header, of: bytes) { _ in }
        guard tree.root == header.root else {
          throw .damaged("block \(header.first): its frames do not hash to its root")
        }
        return header.last < last
      }
      guard next > start else { throw .damaged("the backup has no event \(start)") }
    }
  }

  private static func write(
    _ whole: EventLog, upTo last: EventNumber, to path: String, _ directory: String,
    _ options: Engine.Options
  ) throws(StorageError) {
    let part = EventLog(
      try Environment(
        directory: path, databases: EventLog.names, mapByteCount: options.mapByteCount,
        durability: .synced, mayCreate: true))
    try HeadLog.create(directory + "/head.log")
    var records: [(name: StaticString, bytes: [UInt8])] = []
    for name: StaticString in ["format", "ledger", "epoch", "secrets"] {
      guard let bytes = try whole.record(name) else {
        throw .damaged("the meta database is incomplete")
      }
      records.append((name, bytes))
    }
    let epoch = try whole.number("epoch") ?? 0
    var writer = EventLog.Writer(
      part, tree: MerkleTree(), headLog: try HeadLog(directory + "/head.log"), epoch: epoch,
      reserve: Reserve(directory: path, byteCount: 0, free: options.free), uptime: options.uptime)
    var batch = Batch(first: EventNumber(1), after: .none)
    while batch.next <= last {
      let number = batch.next
      let text = try whole.ciphertext(of: number)
      let isThere: Void? = try whole.withFrame(number) { frame throws(StorageError) in
        let parts = try Frame.decode(frame)
        if !batch.hasRoom(
          for: 1, bodyByteCount: parts.body.count, textByteCount: text?.count ?? 0)
        {
          try writer.commit(&batch)
        }
        guard parts.commitment == nil || text != nil else {
          throw .damaged("event \(number): its text is missing")
        }
        let header = Header(number: number, time: parts.time, actor: parts.actor)
        let sealed = parts.commitment.map { SealedText(commitment: $0, ciphertext: text ?? []) }
        batch.append(
          parts.event, header, key: parts.key, text: sealed, body: frame.span(parts.body))
      }
      guard isThere != nil else { throw .damaged("the backup has no event \(number)") }
      // Genesis is a batch of its own, as in every ledger.
      if number == EventNumber(1) { try writer.commit(&batch, records: records) }
    }
    if batch.count > 0 { try writer.commit(&batch) }
  }
}
