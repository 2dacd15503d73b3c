/// Everything that happens between a path and a running engine.
struct Opening: ~Copyable {
  let directory: DataDirectory
  var writer: EventLog.Writer
  var ledger: Ledger
  var keys: KeyIndex
  var batch: Batch
  let preparation: Preparation

  /// Locks the directory, checks it, creates the ledger where it may, and folds the log from the
  /// newest snapshot on.
  init(_ path: String, _ options: Engine.Options) throws(StorageError) {
    let directory = try DataDirectory(path, mayCreate: options.mayCreate)
    let hadData = File.exists(directory.dataFile)
    if !hadData {
      guard options.mayCreate else { throw .refused("there is no ledger in \(path)") }
      // At genesis head.log comes before the key, so a key alone is not a crash's work.
      guard File.exists(directory.headLog) || !File.exists(directory.masterKey) else {
        throw .damaged("\(path): log and head.log are gone, but the ledger's key is there")
      }
      try HeadLog.create(directory.headLog)
    }
    let master = try Self.masterKey(directory.masterKey, options, mayCreate: !hadData)
    let headLog = try HeadLog(directory.headLog)
    // A genesis that never became durable left nothing behind that anyone was told of.
    let isEmpty = headLog.newest == nil && options.mayCreate
    guard hadData || isEmpty else {
      throw .damaged("\(directory.dataFile) is gone, but events were acknowledged")
    }
    let isHalfMade = headLog.newest == nil && !options.mayCreate
    if isHalfMade, try MetaPages.haveNoDatabase(directory.dataFile) { throw Self.halfMade(path) }
    if hadData, isEmpty, try MetaPages.areUnwritten(directory.dataFile) {
      try File.remove(directory.dataFile)
    }
    try MetaPages.check(directory.dataFile)
    let environment = try Environment(
      directory: directory.log, databases: EventLog.names, mapByteCount: options.mapByteCount,
      durability: .synced, mayCreate: isEmpty)
    try File.syncDirectory(directory.log)
    let log = EventLog(environment)
    if let head = try log.head() {
      self = try Opening(existing: log, head, directory, headLog, master, options)
    } else {
      if isHalfMade { throw Self.halfMade(path) }
      guard isEmpty else { throw .damaged("the log has no head") }
      self = try Opening(new: log, directory, headLog, master, options)
    }
  }

  private init(
    _ directory: consuming DataDirectory, _ writer: consuming EventLog.Writer,
    _ ledger: consuming Ledger, _ keys: consuming KeyIndex,
    _ batch: consuming Batch, _ preparation: Preparation
  ) {
    self.directory = directory
    self.writer = writer
    self.ledger = ledger
    self.keys = keys
    self.batch = batch
    self.preparation = preparation
  }

  // MARK: - Genesis

  /// Whoever may create a ledger makes it anew; whoever only looks must not.
  private static func halfMade(_ path: String) -> StorageError {
    .refused(
      "making the ledger in \(path) was cut off before anything was in it; start ledgerd, which "
        + "makes it, or remove the directory")
  }

  /// The six assets every ledger begins with, all of scale 9.
  private static let firstAssets = [
    "USD", "USDC.base", "USDC.ethereum", "USDC.solana", "USDm.megaeth", "USDC.e.tempo",
  ]

  private init(
    new log: EventLog, _ directory: consuming DataDirectory, _ headLog: consuming HeadLog,
    _ master: [UInt8], _ options: Engine.Options
  ) throws(StorageError) {
    let id = UInt128(littleEndianBytes: Random.bytes(16))
    let secrets = Secrets()
    var body: [UInt8] = []
    for name in Self.firstAssets {
      guard let code = AssetCode(name) else { preconditionFailure("\(name) is no asset code") }
      body += UInt128.bytes(code.bytes) + [9, 0]
    }
    var ledger = Ledger()
    var batch = Batch(first: EventNumber(1), after: .none)
    let event = Event.genesis(
      .opened(ledger: id, terms: .standard, livemode: options.livemode))
    let header = Header(
      number: EventNumber(1), time: Timestamp(nanoseconds: options.clock()), actor: .ledger)
    ledger.evolve(event, header, body: body.span)
    batch.append(event, header, body: body.span)
    var writer = EventLog.Writer(
      log, tree: MerkleTree(), headLog: headLog, epoch: 1,
      reserve: Self.reserve(directory, options), uptime: options.uptime)
    try writer.commit(
      &batch,
      records: [
        ("format", EventLog.number(UInt64(EventLog.format))),
        ("ledger", UInt128.bytes(id)),
        ("epoch", EventLog.number(1)),
        ("secrets", try secrets.sealed(with: master, ledger: id)),
      ])
    let keys = try KeyIndex(
      Self.shelf(directory, id, options), log, upTo: EventNumber(1), undo: ledger.undo)
    self.init(
      directory, writer, ledger, keys, batch,
      Preparation(ledger: id, secrets: secrets))
  }

  // MARK: - An existing ledger

  private init(
    existing log: EventLog, _ head: EventLog.Head, _ directory: consuming DataDirectory,
    _ newestHeads: consuming HeadLog, _ master: [UInt8], _ options: Engine.Options
  ) throws(StorageError) {
    let format = try log.number("format")
    guard format == UInt64(EventLog.format) else {
      throw .refused(
        "the ledger has format \(format ?? 0); this program reads \(EventLog.format)")
    }
    guard let idBytes = try log.record("ledger"), idBytes.count == 16,
      let sealed = try log.record("secrets"), let before = try log.number("epoch")
    else { throw .damaged("the meta database is incomplete") }
    let id = UInt128(littleEndianBytes: idBytes)
    let secrets = try Secrets(opening: sealed, with: master, ledger: id)
    let tree = try MerkleTree(size: head.last.rawValue, peaks: head.tree)
    var headLog = newestHeads
    try Self.check(headLog.newest, against: head, tree.root, log)
    if headLog.newest == nil {
      // Killed between genesis and its record: without one, a power loss after the next commits
      // would leave a ring that says nothing beside a log that has them.
      try headLog.append(
        last: head.last, transaction: log.environment.usage.transaction, root: tree.root,
        epoch: before)
      try headLog.sync()
    }

    let snapshots = Snapshots(
      directory: directory.snapshots, ledger: id, warn: options.onWarning)
    try snapshots.removeUnfinished()
    let newest = try snapshots.newest(log, upTo: head.last)
    var ledger = newest.ledger
    var position = newest.position
    var keys = try KeyIndex(
      Self.shelf(directory, id, options), log, upTo: head.last, undo: ledger.undo)
    try Replay.keys(
      log, from: EventNumber(keys.last.rawValue + 1), before: position.next, into: &keys)
    let start = position.next.rawValue
    while try Replay.fold(log, into: &ledger, &keys, &position, upTo: head.last) {
      options.onOpening(
        Int(position.next.rawValue - start), Int(head.last.rawValue + 1 - start))
    }
    guard position.next.rawValue == head.last.rawValue + 1, position.time == head.time,
      position.root == tree.root
    else {
      throw .damaged(
        "the log ends at event \(position.next.rawValue - 1), its head says \(head.last)")
    }
    guard ledger.genesis.isOpen, ledger.genesis.ledger == id else {
      throw .damaged("event 1 is not the genesis of this ledger")
    }
    guard ledger.genesis.livemode == options.livemode || options.mayBeEitherMode else {
      throw .refused(
        "this is a \(ledger.genesis.livemode ? "live" : "test") ledger, opened as the other kind")
    }
    try Self.checkClock(options.clock(), against: head.time, options)
    let epoch = before + 1
    log.environment.growMap(toHold: 2 * Batch.byteCountMax)
    try log.environment.write { transaction throws(StorageError) in
      try EventLog.put(transaction, "epoch", EventLog.number(epoch))
    }
    let writer = EventLog.Writer(
      log, tree: tree, headLog: headLog, epoch: epoch, reserve: Self.reserve(directory, options),
      uptime: options.uptime)
    self.init(
      directory, writer, ledger, keys,
      Batch(first: position.next, after: position.time), Preparation(ledger: id, secrets: secrets))
  }

  private static func shelf(
    _ directory: borrowing DataDirectory, _ ledger: UInt128, _ options: Engine.Options
  ) -> KeyShelf {
    KeyShelf(
      directory.index, ledger: ledger, memoryByteCount: options.keyMemoryByteCount,
      limit: options.keysPerRun, warn: options.onWarning)
  }

  private static func reserve(
    _ directory: borrowing DataDirectory, _ options: Engine.Options
  ) -> Reserve {
    Reserve(
      directory: directory.log, byteCount: options.reserveByteCount + Batch.byteCountMax,
      free: options.free)
  }

  /// What was acknowledged must be there, unchanged (`reliability.md` 2.1).
  private static func check(
    _ newest: HeadLog.Record?, against head: EventLog.Head, _ root: Digest32, _ log: EventLog
  ) throws(StorageError) {
    guard let newest else {
      guard head.last == EventNumber(1) else {
        throw .damaged("head.log is empty, but the log has \(head.last) events")
      }
      return
    }
    guard newest.last <= head.last else {
      throw .damaged(
        "events \(head.last.rawValue + 1) to \(newest.last) were acknowledged and are missing")
    }
    guard try log.root(at: newest.last)?.first == newest.root else {
      throw .damaged("event \(newest.last) is not the one that was acknowledged")
    }
  }

  /// A host that boots in 2090 must not expire everything for good (`design.md` 4.6).
  private static func checkClock(
    _ now: UInt64, against last: Timestamp, _ options: Engine.Options
  ) throws(StorageError) {
    guard !options.acceptsClock else { return }
    let (second, days): (UInt64, UInt64) = (1_000_000_000, 366)
    guard now >= last.nanoseconds || last.nanoseconds - now <= second else {
      throw .refused("the clock is more than 1 s behind the last event; set it, or accept it")
    }
    guard now <= last.nanoseconds || now - last.nanoseconds <= days * 86_400 * second else {
      throw .refused(
        "the clock is more than 366 days ahead of the last event; set it, or accept it")
    }
  }

  private static func masterKey(
    _ path: String, _ options: Engine.Options, mayCreate: Bool
  ) throws(StorageError) -> [UInt8] {
    if let key = options.masterKey {
      guard key.count == 32 else { throw .refused("the master key is \(key.count) bytes, not 32") }
      return key
    }
    if let key = try File.contents(path) {
      guard key.count == 32 else { throw .refused("\(path) is \(key.count) bytes long, not 32") }
      return key
    }
    guard mayCreate else {
      throw .refused("\(path) is missing, and no other file with the master key was named")
    }
    let key = Random.bytes(32)
    try File.create(path, key)
    return key
  }
}

extension EventLog {
  /// A record of one number.
  func number(_ name: StaticString) throws(StorageError) -> UInt64? {
    guard let bytes = try record(name) else { return nil }
    guard bytes.count == 8 else { throw .damaged("meta record '\(name)' is not a number") }
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  static func number(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
  }
}
