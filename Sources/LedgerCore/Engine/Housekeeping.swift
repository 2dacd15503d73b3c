import Synchronization

/// The thread that writes down what shortens the next start and bounds the memory: snapshots, and
/// runs of old idempotency keys.
///
/// It has the lowest priority, holds nothing that the engine's thread waits for, and may fail
/// without harm: then the next start takes longer.
final class Housekeeping: Sendable {
  let snapshots: Snapshots
  let keys: KeyShelf
  private let heads: Heads
  private let eventCount: UInt64
  private let seconds: Int
  private let reserve: Reserve
  private var wakeup: Wakeup { keys.wakeup }
  private let isStopped = Atomic<Bool>(false)
  private let worker = Mutex<Worker?>(nil)
  /// Held while a snapshot is made, so that there is one at a time.
  private let making = Mutex(())

  init(
    _ snapshots: Snapshots, _ keys: KeyShelf, _ heads: Heads, _ reserve: Reserve,
    _ options: Engine.Options
  ) {
    self.snapshots = snapshots
    self.keys = keys
    self.heads = heads
    self.reserve = reserve
    eventCount = UInt64(max(options.snapshotEventCount, 0))
    seconds = max(options.snapshotSeconds, 1)
  }

  /// Whether new obligations are refused for want of room.
  var isStorageShort: Bool { reserve.room != .ample }

  /// Starts the thread.
  func start(_ log: EventLog) {
    worker.withLock { $0 = Worker(name: "housekeeping") { [self] in run(log) } }
  }

  /// Ends the thread; waits for it.
  func stop() {
    isStopped.store(true, ordering: .relaxed)
    wakeup.wake()
    worker.withLock { worker in
      worker?.join()
      worker = nil
    }
  }

  private func run(_ log: EventLog) {
    Priority.lower()
    var last = snapshots.numbers().first ?? .none
    var began = ContinuousClock.now
    while !isStopped.load(ordering: .relaxed), heads.failure == nil {
      let areWritten = writeKeys(log)
      if isSnapshotDue(since: last, began) {
        began = .now
        // Where it fails, it is tried again when as many events have come once more.
        last = writeSnapshot(log) ?? heads.head
      }
      let left = Duration.seconds(seconds) - began.duration(to: .now)
      let milliseconds = Int(max(min(left.components.seconds, 3_600), 0)) * 1_000 + 1
      if eventCount > 0 { heads.wake(wakeup, at: EventNumber(last.rawValue + eventCount)) }
      // A table's last event is durable a moment after it was handed over.
      let retry = keys.hasFrozen ? Self.soonMilliseconds : Self.retryMilliseconds
      wakeup.wait(milliseconds: areWritten && !keys.hasFrozen ? milliseconds : retry)
    }
  }

  private static let soonMilliseconds = 20
  private static let retryMilliseconds = 10_000

  // MARK: - Keys

  /// False where it is to be tried again: the disk is full, or worse.
  private func writeKeys(_ log: EventLog) -> Bool {
    guard reserve.room == .ample else { return false }
    do throws(StorageError) {
      try keys.tidy(log, pause: pace(Self.keyByteCountPerSecond))
      return true
    } catch {
      if !isStopped.load(ordering: .relaxed) { keys.warn("no index of old keys: \(error)") }
      return false
    }
  }

  // MARK: - Snapshots

  private func isSnapshotDue(since last: EventNumber, _ began: ContinuousClock.Instant) -> Bool {
    guard eventCount > 0, heads.head > last else { return false }
    return heads.head.rawValue - last.rawValue >= eventCount
      || began.duration(to: .now) >= .seconds(seconds)
  }

  /// The event of the newest snapshot; `nil` where none could be made.
  private func writeSnapshot(_ log: EventLog) -> EventNumber? {
    guard reserve.room == .ample else {
      snapshots.warn("no snapshot: the disk is nearly full")
      return nil
    }
    do throws(StorageError) {
      let last = try makeSnapshot(log).last
      for old in snapshots.surplus(keeping: 3) { try snapshots.remove(old) }
      return last
    } catch {
      if !isStopped.load(ordering: .relaxed) { snapshots.warn("no snapshot: \(error)") }
      return nil
    }
  }

  /// Makes one on the caller's thread.
  func makeSnapshot(_ log: EventLog) throws(StorageError) -> Snapshot {
    try making.withLock { _ throws(StorageError) in
      try snapshots.make(log, pause: pace(Self.snapshotByteCountPerSecond))
    }
  }

  // MARK: - Pace

  /// The most bytes a second that are written, so that the log keeps the disk. Keys come as fast as
  /// payments do, and are written about three times.
  private static let snapshotByteCountPerSecond = 100 << 20
  private static let keyByteCountPerSecond = 400 << 20

  /// Waits after each piece as long as that takes at such a pace; gives up when the ledger closes.
  private func pace(_ byteCountPerSecond: Int) -> (Int) throws(StorageError) -> Void {
    let began = ContinuousClock.now
    var written = 0
    return { [self] (count: Int) throws(StorageError) in
      guard !isStopped.load(ordering: .relaxed) else { throw .refused("the ledger is closing") }
      written += count
      let due = Duration.seconds(1) * written / byteCountPerSecond
      let ahead = due - began.duration(to: .now)
      if ahead > .zero { Priority.sleep(ahead) }
    }
  }
}
