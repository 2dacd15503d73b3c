import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The append-only log in LMDB: reading. Writing is ``EventLog/Writer``.
///
/// Safe to use from any thread; each read is a transaction of its own.
final class EventLog: Sendable {
  typealias Database = Environment.Database
  typealias Key = Environment.Key

  static let blocks = Database(index: 0)
  static let notes = Database(index: 1)
  static let tree = Database(index: 2)
  static let meta = Database(index: 3)
  static let names = ["blocks", "notes", "tree", "meta"]

  /// The format of everything in the directory; a program opens only its own.
  static let format: UInt32 = 1

  let environment: Environment
  /// Blocks whose checksum was looked at since the log was opened.
  private let checked = Mutex<Set<UInt64>>([])
  private static let checkedCountMax = 1 << 16

  init(_ environment: Environment) { self.environment = environment }

  /// The header of a block, after checking the block's checksum where that was not done yet.
  private func header(of block: RawSpan, key: Key) throws(StorageError) -> Block.Header {
    let isChecked = checked.withLock { $0.contains(key.first) }
    let header = try Block.header(
      of: block, key: EventNumber(key.first), checksum: !isChecked)
    if !isChecked {
      checked.withLock { checked in
        if checked.count == Self.checkedCountMax { checked.removeAll(keepingCapacity: true) }
        checked.insert(key.first)
      }
    }
    return header
  }

  /// Where the `tree` database has a node.
  static func key(of node: MerkleTree.Node) -> Key { Key(node.end, node.level) }

  /// The newest event as the environment has it, with the tree over all events.
  struct Head {
    var last: EventNumber
    var time: Timestamp
    var tree: [Digest32]
  }

  /// Reads the head; `nil` in an environment whose genesis was never committed.
  func head() throws(StorageError) -> Head? {
    try environment.read { transaction throws(StorageError) in
      try transaction.get(Self.meta, Key("head")) { bytes throws(StorageError) in
        try Self.decodeHead(bytes)
      }
    }
  }

  /// Hands the frame of an event to `body`; `nil` where the log has none of this number. The first
  /// read of a block checks all of it: some 60 microseconds for a full one.
  func withFrame<Result>(
    _ number: EventNumber, _ body: (RawSpan) throws(StorageError) -> Result
  ) throws(StorageError) -> Result? {
    try environment.read { transaction throws(StorageError) in
      var result: Result?
      try transaction.walk(
        Self.blocks, from: .atOrBefore(Key(number.rawValue))
      ) { key, bytes throws(StorageError) in
        let header = try header(of: bytes, key: key)
        guard number.isSome, number >= header.first, number <= header.last else { return false }
        let index = Int(number.rawValue - header.first.rawValue)
        result = try body(try Block.frame(index, of: header, in: bytes))
        return false
      }
      return result
    }
  }

  /// Which blocks of a walk have their checksum looked at.
  enum Checking {
    /// All of them.
    case every
    /// Those that were not read before.
    case unread
    /// None: they were written by this process a moment ago, or only their headers count.
    case none
  }

  /// Hands the blocks from the one that holds `first` on to `body`, in order, until it answers
  /// false or `countMax` were seen. Answers where to go on: the number after the last event seen.
  func walkBlocks(
    from first: EventNumber, countMax: Int, checking: Checking,
    _ body: (Block.Header, RawSpan) throws(StorageError) -> Bool
  ) throws(StorageError) -> EventNumber {
    var next = first
    var seen = 0
    try environment.read { transaction throws(StorageError) in
      try transaction.walk(
        Self.blocks, from: .atOrBefore(Key(first.rawValue))
      ) { key, bytes throws(StorageError) in
        let header =
          checking == .unread
          ? try header(of: bytes, key: key)
          : try Block.header(
            of: bytes, key: EventNumber(key.first), checksum: checking == .every)
        guard header.last >= first else { return true }
        guard header.first <= next else {
          throw .damaged("the log has no events from \(next) to \(header.first)")
        }
        next = EventNumber(header.last.rawValue + 1)
        seen += 1
        return try body(header, bytes) && seen < countMax
      }
    }
    return next
  }

  /// The root of the tree after event `last`, which must be a block's last; `nil` where it is not.
  func root(at last: EventNumber) throws(StorageError) -> Digest32? {
    var root: Digest32?
    _ = try walkBlocks(from: last, countMax: 1, checking: .none) { header, _ throws(StorageError) in
      if header.last == last { root = header.root }
      return false
    }
    return root
  }

  /// Events from `first` on, at most `limit`.
  func events(from first: EventNumber, limit: Int) throws(StorageError) -> [Recorded] {
    var events: [Recorded] = []
    guard limit > 0 else { return [] }
    let start = max(first, EventNumber(1))
    _ = try walkBlocks(from: start, countMax: limit, checking: .unread) {
      header, bytes throws(StorageError) in
      let skip = start > header.first ? Int(start.rawValue - header.first.rawValue) : 0
      for index in skip..<header.count where events.count < limit {
        let number = EventNumber(header.first.rawValue + UInt64(index))
        let parts = try Frame.decode(try Block.frame(index, of: header, in: bytes))
        events.append(parts.recorded(number))
      }
      return events.count < limit
    }
    return events
  }

  /// The ciphertext beside an event, or `nil` where it has none.
  func ciphertext(of number: EventNumber) throws(StorageError) -> [UInt8]? {
    try environment.read { transaction throws(StorageError) in
      var found: [UInt8]?
      try transaction.walk(
        Self.blocks, from: .atOrBefore(Key(number.rawValue))
      ) { key, bytes throws(StorageError) in
        let block = EventNumber(key.first)
        let header = try Block.header(of: bytes, key: block, checksum: false)
        guard number <= header.last else { return false }
        _ = try transaction.get(Self.notes, key) { notes throws(StorageError) in
          try Notes.decode(notes, block: block) { index, text throws(StorageError) in
            if block.rawValue + UInt64(index) == number.rawValue { found = text.copied() }
          }
        }
        return false
      }
      return found
    }
  }

  /// Throws where the texts of a block are not there, so many as its frames commit to, or have
  /// another checksum. That each is the one committed to is for who has their keys.
  func checkTexts(of block: EventNumber, count: Int) throws(StorageError) {
    try environment.read { transaction throws(StorageError) in
      var found = 0
      _ = try transaction.get(Self.notes, Key(block.rawValue)) { notes throws(StorageError) in
        try Notes.decode(notes, block: block) { _, _ throws(StorageError) in found += 1 }
      }
      guard found == count else {
        throw .damaged("block \(block): \(found) of its \(count) texts are there")
      }
    }
  }

  /// A record of the `meta` database.
  func record(_ name: StaticString) throws(StorageError) -> [UInt8]? {
    try environment.read { transaction throws(StorageError) in
      try transaction.get(Self.meta, Key(name)) { bytes throws(StorageError) in bytes.copied() }
    }
  }

  // MARK: - The head's record

  /// Number 8, time 8, peaks 32 each, highest level first.
  static func encodeHead(_ head: Head) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 16 + head.tree.count * 32)
    unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      var writer = unsafe ByteWriter(at: base)
      writer.put(head.last)
      writer.put(head.time)
      for peak in head.tree {
        writer.put(peak.first)
        writer.put(peak.second)
      }
    }
    return bytes
  }

  private static func decodeHead(_ bytes: RawSpan) throws(StorageError) -> Head {
    var reader = ByteReader(bytes)
    let last: EventNumber = try reader.number()
    let time = try reader.time()
    var tree: [Digest32] = []
    for _ in 0..<last.rawValue.nonzeroBitCount {
      tree.append(Digest32(first: try reader.take(), second: try reader.take()))
    }
    try reader.finish()
    return Head(last: last, time: time, tree: tree)
  }
}

// MARK: - Writing

extension EventLog {
  /// The one writer of a log: commits sealed batches.
  struct Writer: ~Copyable {
    let log: EventLog
    let reserve: Reserve
    let pace: CommitPace
    private(set) var tree: MerkleTree
    private var headLog: HeadLog
    private let epoch: UInt64
    /// LMDB's last transaction that was ours.
    private var transaction: UInt64

    init(
      _ log: EventLog, tree: consuming MerkleTree, headLog: consuming HeadLog, epoch: UInt64,
      reserve: Reserve, uptime: @escaping @Sendable () -> UInt64
    ) {
      self.log = log
      self.tree = tree
      self.headLog = headLog
      self.epoch = epoch
      self.reserve = reserve
      pace = CommitPace(uptime: uptime)
      transaction = log.environment.usage.transaction
    }

    /// Makes a batch durable: one transaction, then the record in `head.log`. When this returns,
    /// the callers may be answered. Extra records of `meta` are for genesis only.
    ///
    /// After an error that ``isForWantOfRoom(_:)``, the batch is sealed and may be committed again:
    /// a new transaction writes the same bytes, all of them. After any other, nobody knows what is
    /// on the disk.
    mutating func commit(
      _ batch: inout Batch, records: [(name: StaticString, bytes: [UInt8])] = []
    ) throws(StorageError) {
      if !batch.isSealed { batch.seal(&tree) }
      // LMDB copies what it changes: the pages of one batch are needed twice.
      log.environment.growMap(toHold: 2 * Batch.byteCountMax)
      let last = EventNumber(batch.next.rawValue - 1)
      let head = EventLog.encodeHead(Head(last: last, time: batch.time, tree: tree.storedPeaks))
      let (nodes, notes) = (batch.nodes, batch.notes())
      let key = Key(batch.first.rawValue)
      try batch.withBlock { block throws(StorageError) in
        try pace.measure { () throws(StorageError) in
          try log.environment.write { transaction throws(StorageError) in
            if records.isEmpty { try assertMine(transaction, size: batch.first.rawValue - 1) }
            for record in records {
              try transaction.put(EventLog.meta, Key(record.name), unsafe record.bytes.span.bytes)
            }
            try transaction.append(EventLog.blocks, key, block)
            if let notes { try transaction.append(EventLog.notes, key, unsafe notes.span.bytes) }
            for node in nodes {
              try transaction.append(
                EventLog.tree, EventLog.key(of: node), unsafe node.hash.bytes.span.bytes)
            }
            try transaction.put(EventLog.meta, Key("head"), unsafe head.span.bytes)
          }
        }
      }
      transaction = log.environment.usage.transaction
      try headLog.append(last: last, transaction: transaction, root: tree.root, epoch: epoch)
      if !records.isEmpty { try headLog.sync() }
      batch.reset()
    }

    /// Whether a commit failed only because the disk or the map is full, and certainly left the log
    /// as it was (`design.md` 2). A full disk may say EIO, so then the free space decides.
    func isForWantOfRoom(_ error: StorageError) -> Bool {
      guard case .call(let operation, let code, _) = error, operation.hasPrefix("mdb_"),
        log.environment.usage.transaction == transaction
      else { return false }
      return error.isFull || (code == EIO && reserve.room == .none)
    }

    /// A second writer that slipped past the lock would have raised the epoch (`design.md` 4.12).
    private func assertMine(
      _ transaction: Environment.Transaction, size: UInt64
    ) throws(StorageError) {
      let stored = try transaction.get(EventLog.meta, Key("epoch")) {
        bytes throws(StorageError) in
        var reader = ByteReader(bytes)
        return try reader.take(UInt64.self)
      }
      guard stored == epoch else {
        throw .damaged("another writer opened the ledger: epoch \(stored ?? 0), not \(epoch)")
      }
      let last = try transaction.get(EventLog.meta, Key("head")) { bytes throws(StorageError) in
        try EventLog.decodeHead(bytes).last
      }
      guard last?.rawValue == size else {
        throw .damaged("the log ends at event \(last ?? .none), not at \(size)")
      }
    }
  }
}

extension EventLog {
  /// Stores a record of the `meta` database.
  static func put(
    _ transaction: Environment.Transaction, _ name: StaticString, _ bytes: [UInt8]
  ) throws(StorageError) {
    try transaction.put(meta, Key(name), unsafe bytes.span.bytes)
  }
}
