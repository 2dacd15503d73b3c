import AsyncHTTPClient
import Foundation
import LedgerCore
import NIOCore
import NIOHTTP1
import Projections

/// Answers from the `ledgerd` that has the ledger open, through the Unix socket in its directory
/// (`design.md` 4.12).
final class RunningDaemon: Source {
  /// A socket that has not answered by then does not.
  static let answerSecondsMax: Int64 = 5
  /// Copying and checking a ledger takes a second for a million events; nobody waits for a day.
  private static let backupSecondsMax: Int64 = 24 * 3_600
  private static let answerByteCountMax = 256 << 20
  /// How often a view that is behind is asked again; each time `ledgerd` itself waits 2 s.
  private static let attemptCountMax = 10

  private let socket: String
  private let client: HTTPClient

  init(in directory: String) {
    socket = Self.socket(in: directory)
    var configuration = HTTPClient.Configuration()
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1
    client = HTTPClient(configuration: configuration)
  }

  static func socket(in directory: String) -> String { directory + "/ledgerd.sock" }

  func close() async {
    // What is left of the connections ends with the process.
    try? await client.shutdown()
  }

  func status() async throws -> StatusView {
    guard let view: StatusView = try await ask("status") else { throw mute }
    return view
  }

  func wallet(_ name: String) async throws -> WalletView? {
    guard let found: Wallet = try await ask("wallets/\(escaped(name))") else { return nil }
    return WalletView(
      wallet: found.wallet, agent: found.agent, asset: found.currency,
      available: found.available, held: found.held, status: found.status, opened: found.opened)
  }

  func balance(of wallet: String) async throws -> BalanceView? {
    guard let found: WalletBalance = try await ask("wallets/\(escaped(wallet))/balance") else {
      return nil
    }
    return BalanceView(
      wallet: found.wallet, asset: found.currency, available: found.available, held: found.held,
      pending: found.pending)
  }

  func event(_ name: String) async throws -> EventView? {
    try await ask("events/\(escaped(name))")
  }

  func events(from first: UInt64, limit: Int) async throws -> LogPage {
    let from = min(first, UInt64(Int.max))
    guard let page: LogPage = try await ask("events?from=\(from)&limit=\(limit)") else {
      throw mute
    }
    return page
  }

  func history(of wallet: String, before: UInt64?, limit: Int) async throws -> HistoryPage? {
    let start = before.map { "&before=\(min($0, UInt64(Int.max)))" } ?? ""
    return try await ask("wallets/\(escaped(wallet))/history?limit=\(limit)\(start)")
  }

  func disputes(
    in status: Disputes.Status?, before: UInt64?, limit: Int
  ) async throws -> [DisputeWords] {
    var path = "disputes?limit=\(limit)"
    if let status { path += "&status=\(status.word)" }
    if let before { path += "&before=\(min(before, UInt64(Int.max)))" }
    guard let list: [String: [DisputeWords]] = try await ask(path),
      let disputes = list["disputes"]
    else { throw mute }
    return disputes
  }

  func backup(to directory: String) async throws -> BackupView {
    try await tell("backup", ["directory": directory], within: Self.backupSecondsMax)
  }

  private struct SnapshotList: Decodable {
    var snapshots: [SnapshotView]
  }

  func snapshots() async throws -> [SnapshotView] {
    guard let list: SnapshotList = try await ask("snapshots") else { throw mute }
    return list.snapshots
  }

  func makeSnapshot() async throws -> SnapshotView {
    try await tell("snapshots", [String: Int](), within: Self.backupSecondsMax)
  }

  func pruneSnapshots(keeping count: Int, isDryRun: Bool) async throws -> [SnapshotView] {
    struct Pruning: Encodable {
      var keep: Int
      var isDryRun: Bool
      enum CodingKeys: String, CodingKey {
        case keep
        case isDryRun = "dry_run"
      }
    }
    let list: SnapshotList = try await tell(
      "snapshots/prune", Pruning(keep: count, isDryRun: isDryRun))
    return list.snapshots
  }

  func acceptClock() async throws -> ClockView {
    let answer: [String: Bool] = try await tell("clock", [String: Int]())
    guard let wasAhead = answer["was_ahead"] else { throw mute }
    return ClockView(wasAhead: wasAhead)
  }

  // MARK: - Asking

  private struct Wallet: Decodable {
    var wallet: String
    var agent: String
    var currency: String
    var available: String
    var held: String
    var status: String
    var opened: UInt64

    private enum CodingKeys: String, CodingKey {
      case currency, status, opened
      case wallet = "wallet_id"
      case agent = "agent_id"
      case available = "available_text"
      case held = "held_text"
    }
  }

  private struct WalletBalance: Decodable {
    var wallet: String
    var currency: String
    var available: String
    var held: String
    var pending: String

    private enum CodingKeys: String, CodingKey {
      case currency
      case wallet = "wallet_id"
      case available = "available_text"
      case held = "held_text"
      case pending = "pending_text"
    }
  }

  private struct Problem: Decodable {
    var status: Int
    var reason: String
    var detail: String
  }

  /// What it answers, or nil where what was named is not there.
  private func ask<Value: Decodable>(_ path: String) async throws -> Value? {
    for _ in 0..<Self.attemptCountMax {
      let (status, body) = try await fetch("/admin/" + path)
      if status == 200 { return try decoded(body) }
      let problem: Problem = try decoded(body)
      switch problem.reason {
      case "wallet_not_found", "event_not_found", "route_not_found", "invalid_id": return nil
      case "projection_behind": continue
      default:
        throw Failure("ledgerd says: \(problem.detail)", code: status == 503 ? 69 : 74)
      }
    }
    throw Failure("ledgerd's views are behind its log; try again later", code: 69)
  }

  /// Has it do something, and says what came of it.
  private func tell<Value: Decodable>(
    _ path: String, _ body: some Encodable, within seconds: Int64 = answerSecondsMax
  ) async throws -> Value {
    let (status, answer) = try await fetch(
      "/admin/" + path, sending: try JSONEncoder().encode(body), within: seconds)
    guard status == 200 else {
      let problem: Problem = try decoded(answer)
      throw Failure("ledgerd says: \(problem.detail)", code: status == 503 ? 69 : 74)
    }
    return try decoded(answer)
  }

  private func decoded<Value: Decodable>(_ body: Data) throws -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: body)
    } catch is DecodingError {
      throw mute
    }
  }

  /// Asks for a path, or sends a body there.
  private func fetch(
    _ path: String, sending sent: Data? = nil, within seconds: Int64 = answerSecondsMax
  ) async throws -> (status: Int, body: Data) {
    guard let url = URL(httpURLWithSocketPath: socket, uri: path) else {
      throw Failure("\(socket) cannot be the path of a socket", code: 64)
    }
    do {
      var request = HTTPClientRequest(url: url.absoluteString)
      if let sent {
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: sent))
      }
      let answer = try await client.execute(request, timeout: .seconds(seconds))
      let body = try await answer.body.collect(upTo: Self.answerByteCountMax)
      return (Int(answer.status.code), Data(body.readableBytesView))
    } catch let error as HTTPClientError where error.isTimeout {
      throw Failure(
        "\(socket) is there, but nothing answers on it within \(seconds) s", code: 69)
    } catch SocketAddressError.unixDomainSocketPathTooLong {
      throw Failure("\(socket) is too long for a socket; go there and say --data .", code: 69)
    } catch {
      throw Failure("no ledgerd answers on \(socket): \(error)", code: 69)
    }
  }

  private var mute: Failure { Failure("the ledgerd on \(socket) is of another version", code: 69) }

  // MARK: - Text

  /// What a person typed, as one segment of a path.
  private func escaped(_ name: String) -> String {
    name.utf8.map { byte in
      switch UInt8(byte) {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        String(UnicodeScalar(byte))
      default:
        "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
      }
    }.joined()
  }
}

extension HTTPClientError {
  fileprivate var isTimeout: Bool {
    [.deadlineExceeded, .connectTimeout, .readTimeout, .getConnectionFromPoolTimeout].contains(self)
  }
}
