import Synchronization

/// The thread that writes down what shortens the next start: snapshots.
///
/// It has the lowest priority, holds nothing that the engine's thread waits for, and may fail
/// without harm: then the next start takes longer.
final class Housekeeping: Sendable {
  let snapshots: Snapshots
  private let heads: Heads
  private let eventCount: UInt64
  private let seconds: Int
  private let reserve: Reserve
  private let wakeup = Wakeup()
  private let isStopped = Atomic<Bool>(false)
  private let worker = Mutex<Worker?>(nil)
  /// Held while a snapshot is made, so that there is one at a time.
  private let making = Mutex(())

  /// The most bytes a second that it writes, so that the log keeps the disk.
  private static let byteCountPerSecond = 100 << 20

  init(
    _ snapshots: Snapshots, _ heads: Heads, _ reserve: Reserve, _ options: Engine.Options
  ) {
    self.snapshots = snapshots
    self.heads = heads
    self.reserve = reserve
    eventCount = UInt64(max(options.snapshotEventCount, 0))
    seconds = max(options.snapshotSeconds, 1)
  }

  /// Starts the thread, unless no snapshots are asked for.
  func start(_ log: EventLog) {
    guard eventCount > 0 else { return }
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
    while !isStopped.load(ordering: .relaxed) {
      let goal = EventNumber(last.rawValue + eventCount)
      heads.wake(wakeup, at: goal)
      let passed = began.duration(to: .now)
      let left = max(.seconds(seconds) - passed, .zero)
      let milliseconds = min(left.components.seconds, 86_400) * 1_000 + 1
      let isEarly = left > .zero && goal > heads.head
      if isEarly, heads.failure == nil { wakeup.wait(milliseconds: Int(milliseconds)) }
      guard !isStopped.load(ordering: .relaxed), heads.failure == nil else { return }
      let isDue = heads.head >= goal || began.duration(to: .now) >= .seconds(seconds)
      guard isDue else { continue }
      began = .now
      // Where it fails, it is tried again when as many events have come once more.
      last = heads.head
      guard reserve.room == .ample else {
        snapshots.warn("no snapshot: the disk is nearly full")
        continue
      }
      do throws(StorageError) {
        last = try makeSnapshot(log).last
        for old in snapshots.surplus(keeping: 3) { try snapshots.remove(old) }
      } catch {
        if !isStopped.load(ordering: .relaxed) { snapshots.warn("no snapshot: \(error)") }
      }
    }
  }

  /// Makes one on the caller's thread.
  func makeSnapshot(_ log: EventLog) throws(StorageError) -> Snapshot {
    let began = ContinuousClock.now
    var written = 0
    let pause = { [self] (count: Int) throws(StorageError) in
      guard !isStopped.load(ordering: .relaxed) else { throw .refused("the ledger is closing") }
      written += count
      let due = Duration.seconds(1) * written / Self.byteCountPerSecond
      let ahead = due - began.duration(to: .now)
      if ahead > .zero { Priority.sleep(ahead) }
    }
    return try making.withLock { _ throws(StorageError) in
      try snapshots.make(log, pause: pause)
    }
  }
}
