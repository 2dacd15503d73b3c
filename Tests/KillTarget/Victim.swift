import Dispatch
import Foundation
import LedgerCore
import Synchronization

/// Pays for ever and says what was answered, until somebody kills it.
///
/// It writes a line `sent KEY…` before it submits, and a line `done KEY EVENT` or `refused KEY
/// EVENT` for each key once the engine answered. A line is one write to the pipe, so a kill tears
/// none.
struct Victim {
  private let workload: Workload
  private let incarnation: UInt64

  init(_ directory: String) throws {
    var options = Engine.Options()
    options.mapByteCount = 1 << 30
    // Often, so that a kill meets them at any of their steps.
    options.snapshotEventCount = 700
    options.keysPerRun = 300
    let engine = try Engine.open(directory, options)
    incarnation = engine.head.rawValue
    workload = try Workload(engine)
  }

  /// Up to four spans are under way at once, so that the engine always has a backlog.
  func run() throws -> Never {
    let room = DispatchSemaphore(value: 4)
    let engine = workload.engine
    var turn = 0
    while true {
      room.wait()
      turn += 1
      let keys = self.keys(of: turn)
      Self.say("sent " + keys.joined(separator: " "))
      let requests = try keys.map { key in try workload.request(key) }
      let answered: @Sendable (Result<[Outcome], LedgerFailure>) -> Void = { result in
        if case .success(let outcomes) = result { Self.say(keys, outcomes) }
        room.signal()
      }
      if turn % 7 == 3 {
        engine.submit(linked: requests, completion: answered)
      } else {
        engine.submit(requests, completion: answered)
      }
    }
  }

  private func keys(of turn: Int) -> [String] {
    let kinds = ["p", "p", "t", "p", "x", "p", "r"]
    // Linked units hold no refused command, since then none of them would be done.
    let isLinked = turn % 7 == 3
    let count = [1, 40, 5, 6, 1, 200, 3][turn % 7]
    return (0..<count).map { index in
      let kind = kinds[(turn + index) % (isLinked ? 6 : 7)]
      return "\(kind)-\(incarnation)-\(turn)-\(index)"
    }
  }

  /// Which linked unit the key is of, if any.
  static func unit(of key: String) -> String? {
    let parts = key.split(separator: "-")
    guard parts.count == 4, let turn = Int(parts[2]), turn % 7 == 3 else { return nil }
    return "\(parts[1])-\(turn)"
  }

  private static func say(_ keys: [String], _ outcomes: [Outcome]) {
    for (key, outcome) in zip(keys, outcomes) {
      switch outcome {
      case .done(let recorded, _): say("done \(key) \(recorded.number)")
      case .refused(_, let event, _): say("refused \(key) \(event)")
      }
    }
  }

  private static let mouth = Mutex(())

  static func say(_ line: String) {
    mouth.withLock { _ in FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
  }
}
