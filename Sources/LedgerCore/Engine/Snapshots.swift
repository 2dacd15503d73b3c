import Foundation

/// A snapshot: the state after an event, on disk, so that opening begins there and folds only what
/// came later.
///
/// Life of a snapshot: `EVENT.zst.partial`, written in synced pieces ──▶ `EVENT.zst` ──▶ pruned
///
/// It is a cache of the log: one that is damaged, of another layout of the state or of another
/// ledger is passed over, and everything is as before but for the time that opening takes.
public struct Snapshot: Hashable, Sendable {
  /// The event that it is the state after.
  public var last: EventNumber
  /// When that event was recorded.
  public var time: Timestamp
  /// SHA-256 over the state. Equal logs give equal states.
  public var state: Digest32
  /// The size of its file.
  public var byteCount: Int
}

/// The snapshots of one ledger, in `DIR/snapshots/`.
struct Snapshots: Sendable {
  let directory: String
  let ledger: UInt128
  let warn: @Sendable (String) -> Void

  private static let suffix = ".zst"

  private func path(of last: EventNumber) -> String {
    let number = String(last.rawValue)
    return directory + "/" + String(repeating: "0", count: 20 - number.count) + number + Self.suffix
  }

  /// The events that there are snapshots after, newest first, whether they are good or not.
  func numbers() -> [EventNumber] {
    let numbers = File.names(in: directory).compactMap { name -> EventNumber? in
      guard name.hasSuffix(Self.suffix), name.count == 20 + Self.suffix.count else { return nil }
      return UInt64(name.dropLast(Self.suffix.count)).map { EventNumber($0) }
    }
    return numbers.sorted(by: >)
  }

  /// Removes what a kill left half written. For whoever holds the ledger's lock.
  func removeUnfinished() throws(StorageError) {
    for name in File.names(in: directory) where name.hasSuffix(Self.suffix + ".partial") {
      try File.remove(directory + "/" + name)
    }
  }

  /// Those whose head can be read, newest first.
  func list() -> [Snapshot] {
    numbers().compactMap { number in
      do throws(StorageError) {
        let path = path(of: number)
        let head = try SnapshotFile.head(path)
        return Snapshot(
          last: head.last, time: head.time, state: head.state,
          byteCount: try File(path, flags: O_RDONLY).byteCount)
      } catch {
        warn("snapshot \(number) is passed over: \(error)")
        return nil
      }
    }
  }

  // MARK: - Reading

  /// The newest good snapshot of events up to `head`; the empty state where there is none.
  ///
  /// - Throws: ``StorageError/damaged(_:)`` where a good one is of events that the log has not:
  ///   then not the snapshot is wrong, but the log lost its tail.
  func newest(_ log: EventLog, upTo head: EventNumber) throws(StorageError) -> LoadedState {
    for number in numbers() {
      do throws(StorageError) {
        let loaded = try load(number, log, upTo: head)
        guard number > head else { return loaded }
      } catch {
        warn("snapshot \(number) is passed over: \(error)")
        continue
      }
      throw .damaged("the log lost events: snapshot \(number) has seen more than \(head)")
    }
    return LoadedState()
  }

  private func load(
    _ number: EventNumber, _ log: EventLog, upTo end: EventNumber
  ) throws(StorageError) -> LoadedState {
    let loaded = try LoadedState(path(of: number), of: ledger, log, upTo: end, hasWords: false)
    guard loaded.head.last == number else {
      throw .damaged("it is of event \(loaded.head.last)")
    }
    return loaded
  }

  /// Reads a snapshot through without keeping its state; answers the state's digest.
  ///
  /// - Throws: ``StorageError/refused(_:)`` where it is whole as far as this program can tell, but
  ///   of another format or layout.
  func check(_ number: EventNumber) throws(StorageError) -> Digest32 {
    var reader = try SnapshotFile.Reader(path(of: number))
    try Self.checkLayout(reader.head)
    var state = Ledger()
    try state.load(from: &reader)
    try reader.finish()
    return reader.head.state
  }

  fileprivate static func checkLayout(_ head: SnapshotFile.Head) throws(StorageError) {
    guard head.layout == Ledger.layout else {
      throw .refused("it has layout \(head.layout) of the state, not \(Ledger.layout)")
    }
  }

  /// Whether it is still there: another thread may prune.
  func contains(_ number: EventNumber) -> Bool { File.exists(path(of: number)) }

  // MARK: - Writing

  /// Writes the state after `head.last`. `pause` is called after each piece, and may give up.
  func write(
    _ state: borrowing Ledger, at head: EventLog.Head,
    pause: @escaping (Int) throws(StorageError) -> Void
  ) throws(StorageError) -> Snapshot {
    if !File.exists(directory) { try File.makeDirectory(directory) }
    let final = path(of: head.last)
    let digest = try SnapshotFile.create(final, of: ledger, state, at: head, pause: pause)
    return Snapshot(
      last: head.last, time: head.time, state: digest,
      byteCount: try File(final, flags: O_RDONLY).byteCount)
  }

  /// Folds the log from the newest snapshot up to its head, and writes a new one; answers the
  /// newest where nothing came since. The engine is not involved.
  ///
  /// - `pause`: called now and then with how many bytes were written since the last call; may wait,
  ///   or give up by throwing.
  func make(
    _ log: EventLog, pause: @escaping (Int) throws(StorageError) -> Void
  ) throws(StorageError) -> Snapshot {
    guard let head = try log.head() else { throw .damaged("the log has no head") }
    var state = try newest(log, upTo: head.last)
    if state.position.next.rawValue == head.last.rawValue + 1, let newest = list().first {
      return newest
    }
    var none = NoKeys()
    while state.position.next <= head.last {
      let mayGoOn = try Replay.fold(
        log, into: &state.ledger, &none, &state.position, upTo: head.last, blockCount: 8)
      guard mayGoOn else { break }
      try pause(0)
    }
    let root = try MerkleTree(size: head.last.rawValue, peaks: head.tree).root
    guard state.position.next.rawValue == head.last.rawValue + 1, state.position.root == root
    else { throw .damaged("the log does not fold up to its head, event \(head.last)") }
    return try write(state.ledger, at: head, pause: pause)
  }

  // MARK: - Pruning

  /// Those that need not be kept: all but the newest `count`, and the newest of each month (UTC).
  func surplus(keeping count: Int) -> [Snapshot] {
    var months: Set<DateComponents> = []
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    return list().enumerated().filter { index, snapshot in
      let seconds = snapshot.time.nanoseconds / 1_000_000_000
      let date = Date(timeIntervalSince1970: TimeInterval(seconds))
      let isFirst = months.insert(calendar.dateComponents([.year, .month], from: date)).inserted
      return index >= count && !isFirst
    }.map(\.element)
  }

  func remove(_ snapshot: Snapshot) throws(StorageError) {
    try File.remove(path(of: snapshot.last))
  }
}

// MARK: - A state in a file

/// A state that was read from a file, and the place in the log where folding goes on.
struct LoadedState: ~Copyable {
  var ledger = Ledger()
  var position = Replay.Position()
  /// What the file is of.
  var head = SnapshotFile.Head(
    layout: Ledger.layout, tableCount: 0, ledger: 0, last: .none, time: .none, state: .none,
    peaks: [])
  /// The numbers behind the state, where the file has some.
  var words: [UInt64] = []

  /// Nothing happened yet.
  init() {}

  /// Reads the file at `path`: of this ledger and of this layout, and of events that the log has,
  /// where it ends at `end` or later.
  init(
    _ path: String, of ledger: UInt128, _ log: EventLog, upTo end: EventNumber, hasWords: Bool
  ) throws(StorageError) {
    var reader = try SnapshotFile.Reader(path)
    let head = reader.head
    guard head.ledger == ledger else { throw .refused("it is of another ledger") }
    try Snapshots.checkLayout(head)
    var state = Ledger()
    try state.load(from: &reader)
    let words = hasWords ? try reader.words() : []
    try reader.finish()
    let root = try MerkleTree(size: head.last.rawValue, peaks: head.peaks).root
    if head.last <= end, try log.root(at: head.last) != root {
      throw .damaged("its tree is not the log's at event \(head.last)")
    }
    state.rebuildIndexes()
    self.ledger = state
    self.head = head
    self.words = words
    position = Replay.Position(
      next: EventNumber(head.last.rawValue + 1), time: head.time, root: root)
  }
}

extension SnapshotFile {
  /// Writes the state after `head.last`, and the words behind it if there are any, to `path`: whole
  /// or not at all. `pause` is called after each piece, and may give up. Answers the digest over
  /// all.
  static func create(
    _ path: String, of ledger: UInt128, _ state: borrowing Ledger, at head: EventLog.Head,
    words: [UInt64] = [], pause: @escaping (Int) throws(StorageError) -> Void
  ) throws(StorageError) -> Digest32 {
    let partial = path + ".partial"
    try File.remove(partial)
    var tableCount: UInt32 = words.isEmpty ? 0 : 1
    var digester = Digester()
    state.withBytes { bytes, _ in
      tableCount += 1
      digester.update(bytes)
    }
    if !words.isEmpty { digester.update(words: words) }
    let digest = digester.finish()
    do throws(StorageError) {
      var writer = try Writer(
        partial,
        Head(
          layout: Ledger.layout, tableCount: tableCount, ledger: ledger, last: head.last,
          time: head.time, state: digest, peaks: head.tree),
        pause: pause)
      try state.withBytes { bytes, rowByteCount throws(StorageError) in
        try writer.put(bytes, rowByteCount: rowByteCount)
      }
      if !words.isEmpty { try writer.put(words: words) }
      try File.move(partial, to: path)
    } catch {
      do throws(StorageError) { try File.remove(partial) } catch {}
      throw error
    }
    return digest
  }
}

// MARK: - On demand

extension Engine {
  /// The snapshots that there are, newest first.
  public func snapshots() -> [Snapshot] { housekeeping.snapshots.list() }

  /// Makes a snapshot now, of everything that is durable, while the ledger goes on; answers the
  /// newest one where nothing came since. Blocks.
  /// - Complexity: O(state + events since the newest snapshot); memory as much again as the state.
  public func makeSnapshot() throws(LedgerFailure) -> Snapshot {
    try withLog(or: LedgerFailure.writeFailed) { log throws(StorageError) in
      try housekeeping.makeSnapshot(log)
    }
  }

  /// Removes all snapshots but the newest `count` (at least one) and the newest of each month;
  /// answers which. A dry run removes none.
  public func pruneSnapshots(
    keeping count: Int, isDryRun: Bool = false
  ) throws(LedgerFailure) -> [Snapshot] {
    let surplus = housekeeping.snapshots.surplus(keeping: max(count, 1))
    if isDryRun { return surplus }
    do throws(StorageError) {
      for snapshot in surplus { try housekeeping.snapshots.remove(snapshot) }
    } catch {
      throw .writeFailed(error)
    }
    return surplus
  }
}
