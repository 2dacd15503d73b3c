import Foundation
import Testing

@testable import LedgerCore

/// A directory that is gone when the test is.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    path = NSTemporaryDirectory() + "ledger-test-" + UUID().uuidString
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension Engine.Options {
  /// A small map, so that many tests fit beside each other.
  static var test: Engine.Options {
    var options = Engine.Options()
    options.mapByteCount = 1 << 30
    return options
  }
}

/// What an engine warned of.
final class Warnings: Sendable {
  private let sentences = Guarded<[String]>([])

  var all: [String] { sentences.with { $0 } }

  func options(_ options: Engine.Options) -> Engine.Options {
    var options = options
    options.onWarning = { [self] sentence in sentences.with { $0.append(sentence) } }
    return options
  }
}

/// A ledger with two agents who have a wallet each, for tests that need no more.
struct Scene {
  let directory: TemporaryDirectory
  let engine: Engine
  let ann: AgentNumber
  let bob: AgentNumber
  let from: WalletNumber
  let to: WalletNumber

  init(funds: Int128 = 1_000_000_000_000, _ options: Engine.Options = .test) throws {
    directory = TemporaryDirectory()
    engine = try Engine.open(directory.path, options)
    (ann, from) = try Scene.agent("ann", engine)
    (bob, to) = try Scene.agent("bob", engine)
    _ = try engine.submitAndWait(
      Request(
        .wallet(
          .fund(from, amount: Amount(units: funds), asset: .none, cap: .commandMax)),
        by: .administrator))
  }

  static func agent(_ name: String, _ engine: Engine) throws -> (AgentNumber, WalletNumber) {
    let preparation = engine.preparation
    let request = try preparation.request(
      .identity(
        .registerAgent(
          tenant: 0, name: preparation.hash(agent: name, tenant: ""), asset: AssetNumber(1),
          apiKey: preparation.hash(credential: "pk_" + name),
          secretKey: preparation.hash(credential: "sk_" + name))),
      by: .anonymous, text: [name])
    let outcome = try engine.submitAndWait(request)
    guard
      case .identity(.agentRegistered(let agent, _, let wallet, _, _, _))? = outcome.recorded?.event
    else { throw Unexpected(outcome) }
    return (agent, wallet)
  }

  func pay(
    _ units: Int128, key: String? = nil, text: [String] = []
  ) throws -> Request {
    try engine.preparation.request(
      .payment(
        .pay(
          from: from, to: .wallet(to), amount: Amount(units: units), asset: .none,
          rail: .internal)),
      by: .agent(ann), key: key, text: text)
  }

  /// Closes the ledger and opens it again: the state must be the same, byte for byte.
  func expectReplayAgrees(
    _ options: Engine.Options = .test, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let live = try engine.read { $0.bytes }
    let head = engine.head
    engine.close()
    let again = try Engine.open(directory.path, options)
    #expect(again.head == head, sourceLocation: sourceLocation)
    #expect(try again.read { $0.bytes } == live, sourceLocation: sourceLocation)
    again.close()
  }

  /// All events.
  func events() throws -> [Recorded] {
    var events: [Recorded] = []
    while true {
      let next = EventNumber(UInt64(events.count + 1))
      let more = try engine.events(from: next, limit: 50_000)
      if more.isEmpty { return events }
      events += more
    }
  }

  func available(_ wallet: WalletNumber) throws -> Int128 {
    try engine.read { ledger in ledger.wallets.wallets[wallet].available }
  }
}

struct Unexpected: Error, CustomStringConvertible {
  let description: String
  init(_ value: Any) { description = "unexpected: \(value)" }
}
