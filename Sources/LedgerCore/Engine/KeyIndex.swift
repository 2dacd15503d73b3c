/// Which idempotency keys were used, and by which event: for ever, in bounded memory (`design.md`
/// 4.11).
///
///     recent ──full──▶ frozen ──written beside the engine──▶ runs on disk ──by eights──▶ longer
///
/// Holds 64 of a fingerprint's 128 bits, so every hit is only a candidate that the caller confirms
/// in the log.
struct KeyIndex: ~Copyable, KeySink {
  private var recent: Fingerprints
  /// Full, and not on disk yet.
  private var frozen: FrozenKeys?
  /// Oldest first.
  private var runs: [KeyRun]
  private var filters: [KeyFilter.View]
  /// The last event whose key is in ``frozen`` or ``runs``.
  private(set) var last: EventNumber
  let shelf: KeyShelf
  private let undo: Undo

  /// The keys that `shelf` has; those of later events are inserted then.
  init(_ shelf: KeyShelf, _ log: EventLog, upTo head: EventNumber, undo: Undo) throws(StorageError)
  {
    runs = try shelf.open(log, upTo: head)
    filters = runs.map(\.view)
    last = runs.last?.head.last ?? .none
    recent = Fingerprints(undo: undo)
    self.shelf = shelf
    self.undo = undo
  }

  // MARK: - Looking up

  /// A walk over the events that may have used one fingerprint lately.
  struct Search {
    fileprivate let fingerprint: UInt128
    fileprivate var recent: Fingerprints.Search
    fileprivate var frozen: Fingerprints.Search?
  }

  /// Begins to look for `fingerprint` in memory.
  @inline(__always)
  func search(_ fingerprint: UInt128) -> Search {
    Search(fingerprint: fingerprint, recent: recent.search(fingerprint))
  }

  /// The next candidate in memory; `nil` where there is no other.
  @inline(__always)
  func next(_ search: inout Search) -> EventNumber? {
    if let event = recent.next(&search.recent) { return event }
    return frozen == nil ? nil : nextFrozen(&search)
  }

  @inline(never)
  private func nextFrozen(_ search: inout Search) -> EventNumber? {
    guard let frozen else { return nil }
    var walk = search.frozen ?? frozen.keys.search(search.fingerprint)
    defer { search.frozen = walk }
    return frozen.keys.next(&walk)
  }

  /// Whether the key may be on disk. Of new keys about one in a hundred a run may.
  @inline(__always)
  func mayBeOnDisk(_ fingerprint: UInt128) -> Bool {
    let tag = Fingerprints.tag(fingerprint)
    for index in filters.indices where filters[index].mayContain(tag) { return true }
    return false
  }

  /// The events on disk that may have used the key.
  ///
  /// - Throws: ``StorageError`` where a page cannot be read or is damaged: a key that is not found
  ///   would be paid twice. The run is removed, so that the next opening makes it anew.
  @inline(never)
  func onDisk(_ fingerprint: UInt128) throws(StorageError) -> [EventNumber] {
    let tag = Fingerprints.tag(fingerprint)
    var events: [EventNumber] = []
    for run in runs where run.view.mayContain(tag) {
      do throws(StorageError) {
        events += try run.events(of: tag)
      } catch {
        try File.remove(run.path)
        throw error
      }
    }
    return events
  }

  /// Asks for what looking up `fingerprint` will touch.
  @inline(__always)
  func prefetch(_ fingerprint: UInt128) {
    recent.prefetch(fingerprint)
    if frozen != nil { prefetchFrozen(fingerprint) }
    let tag = Fingerprints.tag(fingerprint)
    for index in filters.indices { filters[index].prefetch(tag) }
  }

  @inline(never)
  private func prefetchFrozen(_ fingerprint: UInt128) { frozen?.keys.prefetch(fingerprint) }

  // MARK: - Inserting

  /// Remembers that `event` used a fingerprint that was not found.
  @inline(__always)
  mutating func insert(_ fingerprint: UInt128, _ event: EventNumber) {
    // At opening, the fold goes over events whose keys are on disk already.
    if event > last { recent.insert(fingerprint, event) }
  }

  /// Makes room for `additional` more keys, so that a unit moves nothing.
  mutating func reserve(_ additional: Int) { recent.reserve(additional) }

  /// Takes over what was written meanwhile, and hands over what is full. Between two batches: all
  /// keys are of events up to `end`, which is the last of its block.
  @inline(__always)
  mutating func settle(at end: EventNumber) {
    if shelf.hasNews { adopt() }
    if recent.count >= shelf.limit, frozen == nil, end > last { freeze(at: end) }
  }

  private mutating func adopt() {
    guard let news = shelf.takeNews() else { return }
    precondition(news.areComplete, "a run without its neighbour would lose keys")
    let old = runs
    runs = news
    filters = runs.map(\.view)
    let end = runs.last?.head.last ?? .none
    let isWritten = frozen.map { $0.last <= end } ?? false
    shelf.discard(old, isWritten ? frozen.take() : nil)
  }

  private mutating func freeze(at end: EventNumber) {
    frozen = takeRecent(at: end)
    if let frozen { shelf.offer(frozen) }
  }

  private mutating func takeRecent(at end: EventNumber) -> FrozenKeys {
    // A small one, that grows: the first batch would wait for all of a large one's memory.
    var full = Fingerprints(undo: undo)
    swap(&full, &recent)
    let first = EventNumber(last.rawValue + 1)
    last = end
    return FrozenKeys(full, first: first, last: end)
  }

  /// At opening, a full table is written at once.
  mutating func finishBlock(_ header: Block.Header) {
    guard recent.count >= shelf.limit, frozen == nil, header.last > last else { return }
    let full = takeRecent(at: header.last)
    do throws(StorageError) {
      runs = try shelf.add(full, root: header.root)
      filters = runs.map(\.view)
    } catch {
      // What cannot be written now stays in memory, and is tried again later.
      shelf.warn("the index of idempotency keys stays in memory: \(error)")
      frozen = full
      shelf.offer(full)
    }
  }
}

/// A full table of keys, on its way to the disk.
// Safe: nobody inserts into it any more.
final class FrozenKeys: @unchecked Sendable {
  let keys: Fingerprints
  let first: EventNumber
  /// The last of a block, which may not be durable yet.
  let last: EventNumber

  init(_ keys: consuming Fingerprints, first: EventNumber, last: EventNumber) {
    self.keys = keys
    self.first = first
    self.last = last
  }
}
