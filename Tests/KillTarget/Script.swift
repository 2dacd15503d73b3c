import Faults
import Foundation
import LedgerCore

/// Fifty payments, one after the other, with a fault at one of the system calls that they make.
///
/// Writes a line `done KEY EVENT` for what was answered, `unknown KEY` for what may have been done,
/// `full KEY` for what was refused for want of room, and at the end `calls N`. Where something was
/// unknown or refused, room comes back: the calls work again, and the same keys are sent once more.
struct Script {
  static let keys = (0..<50).map { "\($0 % 5 == 4 ? "t" : "p")-script-\($0)" }

  private let directory: String

  /// `fault`: none, exit, torn, eio, eio-on, enospc or enospc-on, and `at` which call.
  init(_ directory: String, fault: String, at call: Int) throws {
    self.directory = directory
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

  /// Without a fault, and with a trace of every call in a file.
  init(_ directory: String, trace: String) {
    self.directory = directory
    unsafe faults_record(directory, trace)
  }

  func run() throws {
    var options = Engine.Options()
    options.mapByteCount = 1 << 30
    options.patience = .milliseconds(150)
    let engine = try Engine.open(directory, options)
    let workload = try Workload(engine)
    for key in Self.keys {
      while try !say(key, engine, workload.request(key)) { faults_disarm() }
    }
    engine.close()
    Victim.say("calls \(faults_count())")
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
