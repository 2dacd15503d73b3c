import Scene

@testable import LedgerCore

/// Decides, evolves and encodes as many payments as its argument says, then ends.
///
/// The path is the engine's: key looked up, decided, evolved, framed into the batch, key
/// remembered; no engine around it, because that one's threads and its disk allocate as they
/// please. Run twice with different counts, what differs is what the loop itself allocates
/// (`check.sh`).
@main
enum Loop {
  static let walletCount = 1_000

  static func main() throws {
    guard let count = CommandLine.arguments.dropFirst().first.flatMap(Int.init) else {
      preconditionFailure("usage: Loop PAYMENTS")
    }
    var scene = Scene(walletCount: walletCount)
    var fingerprints = Fingerprints(undo: scene.ledger.undo)
    // Room for all: a table that grows holds a few slots back in an array, once a doubling.
    fingerprints.reserve(2_000_000)
    var batch = Batch(first: EventNumber(1), after: .none)
    let traffic = Traffic(count: 8_190, walletCount: walletCount)
    var decision = Decision()
    var bytes = 0
    for index in 0..<count {
      let row = index % traffic.count
      if row == 0 {
        bytes += batch.framesByteCount
        batch.reset()
      }
      let key = traffic.key(row, round: UInt64(index / traffic.count))
      let command = traffic.command(row)
      scene.ledger.prefetch(command)
      fingerprints.prefetch(key.fingerprint)
      let known = try fingerprints.find(key.fingerprint) { _ in false }
      precondition(known == nil)
      decision.removeAll()
      let header = Scene.header(batch.next.rawValue)
      try scene.ledger.decide(command, by: Scene.agent, at: header.time, into: &decision)
      for event in 0..<decision.count {
        scene.ledger.evolve(decision[event], header, body: Span())
        batch.append(decision[event], header, key: key)
      }
      fingerprints.insert(key.fingerprint, header.number)
    }
    print("\(count) payments, \(bytes + batch.framesByteCount) bytes of frames")
  }
}
