import Foundation
@testable import LedgerCore

/// Directories of simulated ledgers, to be taken away together.
final class Directories {
  private let root = FileManager.default.temporaryDirectory.appending(
    path: "simulation-\(UUID().uuidString)")
  private var count = 0

  init() throws {
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
  }

  /// A new ledger in a directory of its own.
  func start(_ clock: SteppedClock, livemode: Bool) throws -> EngineSubject {
    count += 1
    return try EngineSubject(in: root.appending(path: "\(count)"), clock, livemode: livemode)
  }

  func removeAll() {
    do {
      try FileManager.default.removeItem(at: root)
    } catch {
      print("\(root.path) was not removed: \(error)")
    }
  }
}

/// The engine.
struct EngineSubject: Subject {
  private let directory: URL
  private let options: Engine.Options
  private var engine: Engine

  init(in directory: URL, _ clock: SteppedClock, livemode: Bool) throws {
    self.directory = directory
    var options = Engine.Options()
    options.livemode = livemode
    // A run sets its clock back by an hour, and closes and opens the ledger then.
    options.acceptsClock = true
    options.mapByteCount = 1 << 28
    options.clock = { clock.now }
    self.options = options
    engine = try Engine.open(directory.path, options)
  }

  func submit(_ requests: [Request], isLinked: Bool) throws -> [Outcome] {
    isLinked
      ? try engine.submitAndWait(linked: requests) : try engine.submitAndWait(requests)
  }

  /// Every look at the state fires what is due.
  func tick() throws {
    try engine.read { _ in }
  }

  func balance(of wallet: WalletNumber) throws -> Int128 {
    try engine.read { ledger in ledger.wallets.wallets[wallet].available }
  }

  func events(from number: EventNumber) throws -> [Recorded] {
    var events: [Recorded] = []
    while true {
      let next = EventNumber(number.rawValue + UInt64(events.count))
      let more = try engine.events(from: next, limit: 100)
      if more.isEmpty { return events }
      events += more
    }
  }

  mutating func restart() throws {
    engine.close()
    engine = try Engine.open(directory.path, options)
  }
}
