import Foundation
import LedgerCore
import Testing

@testable import Projections

/// A directory that is gone when the test is.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "projections-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A ledger with agents who have a wallet each, and where its projections go.
final class Scene: Sendable {
  let directory: TemporaryDirectory
  let engine: Engine
  let agents: [AgentNumber]
  let wallets: [WalletNumber]
  var path: String { directory.path + "/projections" }

  init(agents count: Int = 2, funds: Int128 = 1_000_000) throws {
    directory = try TemporaryDirectory()
    var options = Engine.Options()
    options.mapByteCount = 1 << 30
    engine = try Engine.open(directory.path + "/ledger", options)
    var agents: [AgentNumber] = []
    var wallets: [WalletNumber] = []
    for index in 0..<count {
      let name = engine.preparation.hash(agent: "agent \(index)", tenant: "")
      let request = Request(
        .identity(
          .registerAgent(
            tenant: 0, name: name, asset: AssetNumber(1),
            apiKey: engine.preparation.hash(credential: "pk \(index)"),
            secretKey: engine.preparation.hash(credential: "sk \(index)"))),
        by: .anonymous)
      let outcome = try engine.submitAndWait(request)
      guard
        case .identity(.agentRegistered(let agent, _, let wallet, _, _, _))? =
          outcome.recorded?.event
      else { throw Unexpected(outcome) }
      agents.append(agent)
      wallets.append(wallet)
    }
    self.agents = agents
    self.wallets = wallets
    if funds > 0 { for wallet in wallets { _ = try engine.submitAndWait(fund(wallet, funds)) } }
  }

  deinit { engine.close() }

  func open() throws -> Projections {
    try Projections.open(path, following: engine, mapByteCount: 1 << 30)
  }

  func fund(_ wallet: WalletNumber, _ units: Int128) -> Request {
    Request(
      .wallet(.fund(wallet, amount: Amount(units: units), asset: .none, cap: .commandMax)),
      by: .administrator)
  }

  func pay(_ from: Int, _ to: Int, _ units: Int128) -> Request {
    Request(
      .payment(
        .pay(
          from: wallets[from], to: .wallet(wallets[to]), amount: Amount(units: units),
          asset: .none, rail: .internal)),
      by: .agent(agents[from]))
  }

  func pay(_ from: Int, label: String, _ units: Int128) throws -> Request {
    let hash = UInt128(truncatingIfNeeded: engine.preparation.hash(credential: label))
    return try engine.preparation.request(
      .payment(
        .pay(
          from: wallets[from], to: .external(label: hash), amount: Amount(units: units),
          asset: .none, rail: .internal)),
      by: .agent(agents[from]), registering: [label])
  }
}

extension DisposableStore {
  /// Every row of every database: what two equal projections have in common.
  func dump() throws -> [Row] {
    try environment.read { transaction throws(StorageError) in
      var rows: [Row] = []
      for (index, name) in Layout.names.enumerated() {
        try transaction.rows(Database(index: index)) { key, words throws(StorageError) in
          rows.append(Row(database: name, key: key, words: words))
          return true
        }
      }
      return rows
    }
  }
}

extension Projections {
  /// Every row, once everything durable is in them.
  func dump() async throws -> [Row] {
    try await follower.wait(for: engine.head, onDisk: true)
    return try #require(store.with { $0.store }).dump()
  }

  /// Waits until everything durable is applied, by a read.
  func catchUp() async throws { _ = try await balance(of: WalletNumber(1)) }
}

struct Row: Equatable {
  var database: String
  var key: UInt64
  var words: [UInt64]
}

/// The one source of chance in a run: SplitMix64, so that a seed names its run on every machine.
struct Dice {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func below(_ count: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ (mixed >> 31)) % UInt64(count))
  }
}

struct Unexpected: Error, CustomStringConvertible {
  let description: String
  init(_ value: Any) { description = "unexpected: \(value)" }
}
