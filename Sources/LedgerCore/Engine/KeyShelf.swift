import Synchronization

/// The runs of old idempotency keys in `DIR/index/`, and what is to become one.
///
/// The engine's thread offers a full table and takes news; the housekeeping thread writes, merges
/// and gives news. Neither waits for the other.
final class KeyShelf: Sendable {
  let directory: String
  let warn: @Sendable (String) -> Void
  /// How many keys make a table full.
  let limit: Int
  private let ledger: UInt128
  private let filterByteCountMax: Int
  private let state = Mutex(State())
  private let isNew = Atomic<Bool>(false)
  /// Woken when a table is offered.
  let wakeup = Wakeup()

  private struct State {
    var frozen: FrozenKeys?
    var runs: [KeyRun] = []
    /// What the engine has no use for any more.
    var discarded = Discarded()
  }

  private struct Discarded {
    var runs: [KeyRun] = []
    var frozen: FrozenKeys?
  }

  /// How many runs of one length are merged into one of the next.
  private static let fanIn = 8

  init(
    _ directory: String, ledger: UInt128, memoryByteCount: Int, limit: Int?,
    warn: @escaping @Sendable (String) -> Void
  ) {
    self.directory = directory
    self.ledger = ledger
    self.warn = warn
    // Half of the memory for the filters; the other for two tables, each half full at most.
    filterByteCountMax = memoryByteCount / 2
    var slots = 1 << 13
    while slots * 2 * 16 <= memoryByteCount / 4 { slots *= 2 }
    self.limit = limit ?? min(slots / 2, 4_000_000)
  }

  private func path(_ first: EventNumber, _ last: EventNumber) -> String {
    func padded(_ number: EventNumber) -> String {
      let text = String(number.rawValue)
      return String(repeating: "0", count: 20 - text.count) + text
    }
    return "\(directory)/\(padded(first))-\(padded(last)).keys"
  }

  // MARK: - Opening

  /// The runs that lie here and are the log's, oldest first, without gaps from event 1. Those that
  /// are damaged, of another history or covered by a longer one are removed.
  ///
  /// - Throws: ``StorageError/damaged(_:)`` where a run is of events that the log has not.
  func open(_ log: EventLog, upTo end: EventNumber) throws(StorageError) -> [KeyRun] {
    var runs: [KeyRun] = []
    var next = EventNumber(1)
    var paths = Set(File.names(in: directory).map { directory + "/" + $0 })
    while true {
      // Of several that begin here, the longest one: the others were merged into it.
      let candidates = paths.filter { $0.hasPrefix(prefix(next)) }.sorted(by: >)
      guard let run = try firstGood(of: candidates, log, upTo: end) else { break }
      paths.remove(run.path)
      runs.append(run)
      next = EventNumber(run.head.last.rawValue + 1)
    }
    for path in paths { try File.remove(path) }
    let all = arranged(runs)
    state.withLock { $0.runs = all }
    return all
  }

  private func prefix(_ first: EventNumber) -> String { String(path(first, first).dropLast(25)) }

  private func firstGood(
    of paths: [String], _ log: EventLog, upTo end: EventNumber
  ) throws(StorageError) -> KeyRun? {
    for path in paths where path.hasSuffix(".keys") {
      let run: KeyRun
      do throws(StorageError) {
        run = try KeyRun(path, filterByteCountMax: 0)
        guard run.head.ledger == ledger, self.path(run.head.first, run.head.last) == path else {
          throw .refused("\(path) is not of these events")
        }
      } catch {
        warn("\(error); it is made anew")
        continue
      }
      guard run.head.last <= end else {
        throw .damaged("the log lost events: \(path) has seen more than \(end)")
      }
      if try log.root(at: run.head.last) == run.head.root { return run }
      warn("\(path) is of another history; it is made anew")
    }
    return nil
  }

  /// The same runs with filters for as many of the newest as the memory allows.
  private func arranged(_ runs: [KeyRun]) -> [KeyRun] {
    var left = filterByteCountMax
    var arranged: [KeyRun] = []
    for run in runs.reversed() {
      let needed = KeyFilter.byteCount(keyCount: run.head.keyCount)
      let mayHave = needed <= left
      if mayHave { left -= needed } else { left = 0 }
      if (run.filterByteCount > 0) == mayHave {
        arranged.append(run)
      } else {
        arranged.append(reopened(run, filterByteCountMax: mayHave ? needed : 0))
      }
    }
    return arranged.reversed()
  }

  /// The run with or without its filter. Where that cannot be had, as it is: slower, never wrong.
  private func reopened(_ run: KeyRun, filterByteCountMax: Int) -> KeyRun {
    do throws(StorageError) {
      return try KeyRun(run.path, filterByteCountMax: filterByteCountMax)
    } catch {
      warn("\(error); its keys are looked up without a filter")
      return run
    }
  }

  // MARK: - Between the threads

  /// Whether ``takeNews()`` has any.
  @inline(__always)
  var hasNews: Bool { isNew.load(ordering: .relaxed) }

  /// The runs that there are now; `nil` where nothing changed.
  func takeNews() -> [KeyRun]? {
    guard isNew.exchange(false, ordering: .acquiringAndReleasing) else { return nil }
    return state.withLock { $0.runs }
  }

  /// Whether a table waits to be written.
  var hasFrozen: Bool { state.withLock { $0.frozen != nil } }

  /// Hands over a full table.
  func offer(_ frozen: FrozenKeys) {
    state.withLock { $0.frozen = frozen }
    wakeup.wake()
  }

  /// Takes what the engine has no use for any more, so that another thread lets go of it: giving
  /// 128 MiB back to the system takes some milliseconds, and closing a file that was merged and
  /// removed deletes it, 17 ms for each 64 MB.
  func discard(_ runs: [KeyRun], _ frozen: FrozenKeys?) {
    state.withLock { state in
      state.discarded.runs += runs
      if let frozen { state.discarded.frozen = frozen }
    }
    wakeup.wake()
  }

  private func letGo() {
    // Answered, so that it goes outside of the lock, for which the engine may wait.
    _ = state.withLock { state in
      let discarded = state.discarded
      state.discarded = Discarded()
      return discarded
    }
  }

  /// The runs that there are now, oldest first.
  var runs: [KeyRun] { state.withLock { $0.runs } }

  private func publish(_ runs: [KeyRun]) throws(StorageError) {
    let arranged = arranged(runs)
    guard arranged.areComplete else { throw Self.gap }
    state.withLock { $0.runs = arranged }
    isNew.store(true, ordering: .releasing)
  }

  private static let gap = StorageError.damaged("the runs of old keys do not follow each other")

  // MARK: - Writing

  /// Lets go of what was discarded, writes what was offered and merges what is to be merged.
  /// `pause` is called after each piece, and may wait or give up.
  ///
  /// - `log`: from which the tree's root after the last of the keys is read, when it is durable.
  func tidy(
    _ log: EventLog, pause: @escaping (Int) throws(StorageError) -> Void
  ) throws(StorageError) {
    letGo()
    // Also while it writes, which takes seconds where much is merged.
    let pause = { [self] (count: Int) throws(StorageError) in
      letGo()
      try pause(count)
    }
    if let frozen = state.withLock({ $0.frozen }), let root = try log.root(at: frozen.last) {
      let run = try write(frozen, root: root, pause: pause)
      // Taken away before the engine hears of it, and may offer the next one.
      state.withLock { $0.frozen = nil }
      do throws(StorageError) {
        try publish(runs + [run])
      } catch {
        state.withLock { $0.frozen = frozen }
        throw error
      }
    }
    while let some = mergeable() { try merge(some, pause: pause) }
  }

  /// At opening: writes a table as a run; answers all runs.
  func add(_ frozen: FrozenKeys, root: Digest32) throws(StorageError) -> [KeyRun] {
    let all = arranged(runs + [try write(frozen, root: root)])
    guard all.areComplete else { throw Self.gap }
    state.withLock { $0.runs = all }
    return all
  }

  /// Writes a table as a run.
  func write(
    _ frozen: FrozenKeys, root: Digest32,
    pause: @escaping (Int) throws(StorageError) -> Void = { _ in }
  ) throws(StorageError) -> KeyRun {
    let head = KeyRun.Head(
      ledger: ledger, first: frozen.first, last: frozen.last, root: root,
      keyCount: frozen.keys.count, sum: 0)
    return try make(head, pause: pause) { writer throws(StorageError) in
      try frozen.keys.sorted { tag, event throws(StorageError) in try writer.put(tag, event) }
    }
  }

  private func make(
    _ head: KeyRun.Head, pause: @escaping (Int) throws(StorageError) -> Void,
    _ fill: (inout KeyRun.Writer) throws(StorageError) -> Void
  ) throws(StorageError) -> KeyRun {
    if !File.exists(directory) { try File.makeDirectory(directory) }
    let (final, partial) = (path(head.first, head.last), path(head.first, head.last) + ".partial")
    try File.remove(partial)
    do throws(StorageError) {
      var writer = try KeyRun.Writer(partial, head, pause: pause)
      try fill(&writer)
      _ = try writer.finish()
      try File.move(partial, to: final)
    } catch {
      do throws(StorageError) { try File.remove(partial) } catch {}
      throw error
    }
    // Which runs have their filters in memory, the whole shelf decides.
    return try KeyRun(final, filterByteCountMax: 0)
  }

  /// The oldest eight neighbours of one length.
  private func mergeable() -> [KeyRun]? {
    let runs = runs
    let levels = runs.map { level($0.head.keyCount) }
    guard runs.count >= Self.fanIn else { return nil }
    for start in 0...runs.count - Self.fanIn {
      let range = start..<start + Self.fanIn
      if levels[range].allSatisfy({ $0 == levels[start] }) { return Array(runs[range]) }
    }
    return nil
  }

  /// How often eight tables went into a run of so many keys.
  private func level(_ keyCount: Int) -> Int {
    var (level, size) = (0, limit * Self.fanIn)
    while keyCount >= size { (level, size) = (level + 1, size * Self.fanIn) }
    return level
  }

  private func merge(
    _ some: [KeyRun], pause: @escaping (Int) throws(StorageError) -> Void
  ) throws(StorageError) {
    let (first, last) = (some[0], some[some.count - 1])
    let head = KeyRun.Head(
      ledger: ledger, first: first.head.first, last: last.head.last, root: last.head.root,
      keyCount: some.reduce(0) { $0 + $1.head.keyCount }, sum: 0)
    let merged = try make(head, pause: pause) { writer throws(StorageError) in
      try KeyRun.merged(some) { tag, event throws(StorageError) in try writer.put(tag, event) }
    }
    guard merged.head.sum == some.reduce(0, { $0 &+ $1.head.sum }) else {
      try File.remove(merged.path)
      throw .damaged("\(merged.path): its keys are not those it was made of")
    }
    var runs = runs
    guard let place = runs.firstIndex(where: { $0.path == first.path }) else { return }
    runs.replaceSubrange(place..<place + some.count, with: [merged])
    try publish(runs)
    // Whoever still reads them has them open.
    for run in some { try File.remove(run.path) }
  }
}

extension [KeyRun] {
  /// Whether they have the keys of all events from 1 to the last one's last.
  var areComplete: Bool {
    var next: UInt64 = 1
    for run in self {
      guard run.head.first.rawValue == next else { return false }
      next = run.head.last.rawValue + 1
    }
    return true
  }
}

extension KeyRun {
  /// Hands the keys of several runs to `body`, all in one order.
  static func merged(
    _ runs: [KeyRun], _ body: (_ tag: UInt64, _ event: UInt64) throws(StorageError) -> Void
  ) throws(StorageError) {
    var cursors = runs.map { Cursor($0) }
    var heads: [Key?] = []
    for index in cursors.indices { heads.append(try cursors[index].next()) }
    while true {
      var least: (index: Int, key: Key)?
      for index in heads.indices {
        guard let key = heads[index] else { continue }
        if least.map({ key < $0.key }) ?? true { least = (index, key) }
      }
      guard let (index, key) = least else { return }
      try body(key.tag, key.event)
      heads[index] = try cursors[index].next()
    }
  }
}
