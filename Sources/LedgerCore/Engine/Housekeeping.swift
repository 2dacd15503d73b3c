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
      // A table's last event is durable a moment after it was handed over.
      let pause = keys.hasFrozen ? Self.soonMilliseconds : untilSnapshot(since: last, began)
      wakeup.wait(milliseconds: areWritten ? pause : Self.retryMilliseconds)
    }
  }

  /// How long to sleep for the next snapshot: until its time or its event, whichever is first.
  /// Where nothing came since the last one there is nothing to make at its time.
  private func untilSnapshot(
    since last: EventNumber, _ began: ContinuousClock.Instant
  ) -> Int {
    let hour = 3_600
    guard eventCount > 0 else { return hour * 1_000 }
    let left = (Duration.seconds(seconds) - began.duration(to: .now)).components.seconds
    let isIdle = left <= 0 && heads.head == last
    heads.wake(wakeup, at: EventNumber(last.rawValue + (isIdle ? 1 : eventCount)))
    return isIdle ? hour * 1_000 : Int(max(min(left, Int64(hour)), 0)) * 1_000 + 1
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

  /// Waits after each piece as long as that takes at such a pace. Gives up when the ledger closes,
  /// and when the disk is nearly full: the reserve is for what ends obligations.
  private func pace(_ byteCountPerSecond: Int) -> (Int) throws(StorageError) -> Void {
    var due = ContinuousClock.now
    return { [self] (count: Int) throws(StorageError) in
      guard !isStopped.load(ordering: .relaxed) else { throw .refused("the ledger is closing") }
      guard reserve.room == .ample else { throw .refused("the disk is nearly full") }
      // Time in which nothing was written is not saved up.
      due = max(due, .now) + Duration.seconds(1) * count / byteCountPerSecond
      let ahead = ContinuousClock.now.duration(to: due)
      if ahead > .zero { Priority.sleep(ahead) }
    }
  }
}
