import Dispatch
import Faults
import Foundation
import LedgerCore
import Synchronization

/// Fifty payments, one after the other, with a fault at one of the system calls that they make.
///
/// Writes a line `done KEY EVENT` for what was answered, `unknown KEY` for what may have been done,
/// `full KEY` for what was refused for want of room, and at the end `calls N`. Where something was
/// unknown or refused, room comes back: the calls work again, and the same keys are sent once more.
struct Script {
  static let keys = (0..<50).map { "\($0 % 5 == 4 ? "t" : "p")-script-\($0)" }

  private let directory: String
  /// All fifty are sent before the first is answered, so that batches are committed while others
  /// are decided.
  private let isBurst: Bool

  /// `fault`: none, exit, torn, eio, eio-on, enospc or enospc-on, and `at` which call.
  init(_ directory: String, fault: String, at call: Int, isBurst: Bool = false) throws {
    self.directory = directory
    self.isBurst = isBurst
    try Self.arm(directory, fault, at: call)
  }

  private static func arm(_ directory: String, _ fault: String, at call: Int) throws {
    let kinds: [String: (kind: fault, error: Int32)] = [
      "none": (FAULT_NONE, 0), "exit": (FAULT_EXIT, 0), "torn": (FAULT_TORN, 0),
      "eio": (FAULT_ERROR, EIO), "eio-on": (FAULT_ERROR_FOR_GOOD, EIO),
      "enospc": (FAULT_ERROR, ENOSPC), "enospc-on": (FAULT_ERROR_FOR_GOOD, ENOSPC),
    ]
    guard let (kind, error) = kinds[fault] else { throw Workload.Unexpected() }
    unsafe faults_arm(directory, kind, call, error)
  }

  /// Backs a ledger up, with a fault at one of the calls that reach the backup; writes `calls N`.
  static func backUp(_ directory: String, to backup: String, _ fault: String, at call: Int) throws {
    var options = Engine.Options()
    options.mapByteCount = 1 << 30
    let engine = try Engine.open(directory, options)
    defer { engine.close() }
    try arm(backup, fault, at: call)
    _ = try engine.backup(to: backup)
    Victim.say("calls \(faults_count())")
  }

  /// Pays once with syncs that take 1,300 ms longer, and once without. Writes a line `WHEN MS` with
  /// what the ledger says of it at each moment, 0 for nothing; a minute passes by its own clock.
  static func paySlowly(_ directory: String) throws {
    let passed = Atomic<UInt64>(0)
    var options = Engine.Options()
    options.mapByteCount = 1 << 30
    let uptime = options.uptime
    options.uptime = { uptime() + passed.load(ordering: .relaxed) }
    let engine = try Engine.open(directory, options)
    let workload = try Workload(engine)
    func say(_ moment: String) { Victim.say("\(moment) \(engine.slowCommitMilliseconds ?? 0)") }
    say("before")
    unsafe faults_arm(directory, FAULT_SLOW, 1, 1_300)
    let isAnswered = DispatchSemaphore(value: 0)
    engine.submit(try workload.request(keys[0])) { _ in isAnswered.signal() }
    // Past the second from which on a commit is slow, and before the end of this one.
    usleep(1_150_000)
    say("during")
    isAnswered.wait()
    faults_disarm()
    say("after")
    _ = try engine.submitAndWait(try workload.request(keys[1]))
    passed.store(59_000_000_000, ordering: .relaxed)
    say("soon")
    passed.store(61_000_000_000, ordering: .relaxed)
    say("later")
    engine.close()
  }

  /// Without a fault, and with a trace of every call in a file.
  init(_ directory: String, trace: String) {
    self.directory = directory
    isBurst = false
    unsafe faults_record(directory, trace)
  }

  func run() throws {
    var options = Engine.Options()
    options.mapByteCount = 1 << 30
    options.patience = .milliseconds(150)
    let engine = try Engine.open(directory, options)
    let workload = try Workload(engine)
    if isBurst {
      var left = Self.keys
      while !left.isEmpty {
        left = try burst(left, workload)
        if !left.isEmpty { faults_disarm() }
      }
    } else {
      for key in Self.keys {
        while try !say(key, engine, workload.request(key)) { faults_disarm() }
      }
    }
    engine.close()
    Victim.say("calls \(faults_count())")
  }

  /// Sends all keys at once; answers those that were not done, and throws where the ledger failed.
  private func burst(_ keys: [String], _ workload: Workload) throws -> [String] {
    let heard = Heard()
    let isAnswered = DispatchSemaphore(value: 0)
    for key in keys {
      workload.engine.submit(try workload.request(key)) { result in
        heard.take(key, result)
        isAnswered.signal()
      }
    }
    for _ in keys { isAnswered.wait() }
    if let failure = heard.failure { throw failure }
    return keys.filter { !heard.isDone($0) }
  }

  /// Whether it was done.
  private func say(_ key: String, _ engine: Engine, _ request: Request) throws -> Bool {
    do throws(LedgerFailure) {
      switch try engine.submitAndWait(request) {
      case .done(let recorded, _):
        faults_answered(Int(recorded.number.rawValue))
        Victim.say("done \(key) \(recorded.number)")
        return true
      case .refused(let refusal, _, _):
        guard refusal.reason == .storageFull else { throw .closed }
        Victim.say("full \(key)")
      }
    } catch {
      guard error == .outcomeUnknown else { throw error }
      Victim.say("unknown \(key)")
    }
    return false
  }
}

/// What was answered to the keys of a burst, on whichever thread.
private final class Heard: Sendable {
  private let state = Mutex<(done: Set<String>, failure: LedgerFailure?)>(([], nil))

  var failure: LedgerFailure? { state.withLock { $0.failure } }

  func isDone(_ key: String) -> Bool { state.withLock { $0.done.contains(key) } }

  func take(_ key: String, _ result: Result<Outcome, LedgerFailure>) {
    switch result {
    case .success(.done(let recorded, _)):
      faults_answered(Int(recorded.number.rawValue))
      Victim.say("done \(key) \(recorded.number)")
      state.withLock { _ = $0.done.insert(key) }
    case .success(.refused(let refusal, _, _)):
      precondition(refusal.reason == .storageFull, "\(refusal)")
      Victim.say("full \(key)")
    case .failure(.outcomeUnknown): Victim.say("unknown \(key)")
    case .failure(let failure): state.withLock { $0.failure = failure }
    }
  }
}
