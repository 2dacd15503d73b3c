import LedgerCore
import Projections

/// Where the subcommands that only look get their answers: the ledger itself, or the `ledgerd` that
/// has it open. Both say the same of the same ledger.
///
/// Wallets and events go by what a person typed: a text id or a number.
protocol Source: Sendable {
  func status() async throws -> StatusView
  /// Nil where there is no such wallet.
  func wallet(_ name: String) async throws -> WalletView?
  /// Nil where there is no such wallet.
  func balance(of wallet: String) async throws -> BalanceView?
  /// With what it moved. Nil where there is no such event or payment.
  func event(_ name: String) async throws -> EventView?
  /// Events in the order of the log, at most ``Pages/eventCountMax``; none behind its end.
  func events(from first: UInt64, limit: Int) async throws -> LogPage
  /// The newest events of a wallet before one, newest first, at most ``Pages/eventCountMax``. Nil
  /// where there is no such wallet.
  func history(of wallet: String, before: UInt64?, limit: Int) async throws -> HistoryPage?
  /// The newest disputes before an event, newest first, at most ``Pages/eventCountMax``: those in a
  /// status, or that are not decided where none is said.
  func disputes(
    in status: Disputes.Status?, before: UInt64?, limit: Int
  ) async throws -> [DisputeWords]
  /// Writes a backup to an absolute path that is not there yet.
  func backup(to directory: String) async throws -> BackupView
  func snapshots() async throws -> [SnapshotView]
  func makeSnapshot() async throws -> SnapshotView
  /// Which are removed, or in a dry run would be.
  func pruneSnapshots(keeping count: Int, isDryRun: Bool) async throws -> [SnapshotView]
  func close() async
}

enum Pages {
  /// How many events one answer has at most.
  static let eventCountMax = 1_000
}

extension Source {

  func knownWallet(_ name: String) async throws -> WalletView {
    guard let found = try await wallet(name) else { throw Failure(noWallet: name) }
    return found
  }

  func head() async throws -> UInt64 { try await events(from: 1, limit: 1).head }

  /// The newest `count` events before one, in the order of the log.
  func newest(_ count: Int, before end: UInt64 = .max) async throws -> [EventView] {
    let end = min(end, try await head() + 1)
    var next = end > UInt64(count) ? end - UInt64(count) : 1
    var found: [EventView] = []
    while next < end {
      let limit = Int(min(end - next, UInt64(Pages.eventCountMax)))
      let page = try await events(from: next, limit: limit).events
      guard let last = page.last else { break }
      found += page
      next = last.event + 1
    }
    return found
  }
}

// MARK: - Answers

/// Where a ledger stands.
struct StatusView: Codable {
  var head: UInt64
  var root: String
  var time: String
  var bytes: Int
  var projections: UInt64
  /// Commands are refused, since the clock jumped ahead.
  var clockAhead: Bool
  /// Nothing new is begun, since the disk is full.
  var storageShort: Bool
  /// How long a commit took, where one of the last minute took more than a second.
  var slowCommitMilliseconds: Int?
  var counts: Counts

  private enum CodingKeys: String, CodingKey {
    case head, root, time, bytes, projections, counts
    case clockAhead = "clock_ahead"
    case storageShort = "storage_short"
    case slowCommitMilliseconds = "slow_commit_ms"
  }
}

/// What a wallet holds, by the postings; amounts in decimals of its asset.
struct BalanceView: Codable {
  var wallet: String
  var asset: String
  var available: String
  var held: String
  /// Announced and not final.
  var pending: String
}

/// A snapshot of the state.
struct SnapshotView: Codable {
  /// The event that it is the state after.
  var event: UInt64
  var time: String
  /// SHA-256 over the state, in hex.
  var state: String
  var bytes: Int

}

extension SnapshotView {
  init(_ snapshot: Snapshot) {
    self.init(
      event: snapshot.last.rawValue, time: snapshot.time.text, state: snapshot.state.hex,
      bytes: snapshot.byteCount)
  }
}

/// What is in a backup.
struct BackupView: Codable {
  /// Its newest event.
  var head: UInt64
  var root: String
  var time: String
  var bytes: Int

  var rows: [[String]] {
    [["head", "\(head)"], ["root", root], ["time", time], ["bytes", "\(bytes)"]]
  }
}

extension BackupView {
  init(_ backup: Backup) {
    self.init(
      head: backup.head.rawValue, root: backup.root.hex, time: backup.time.text,
      bytes: backup.byteCount)
  }
}

/// A wallet as the engine holds it; amounts in decimals of its asset.
struct WalletView: Codable {
  var wallet: String
  var agent: String
  var asset: String
  var available: String
  var held: String
  var status: String
  /// The event that opened it.
  var opened: UInt64
}

/// An event in words.
struct EventView: Codable {
  var event: UInt64
  var time: String
  var actor: String
  var name: String
  var fields: [String: String]
  var text: [String]?
  /// What it moved, where one event is looked at.
  var postings: [PostingView]?

  /// All of it in one line.
  var line: String {
    let facts = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let texts = text.map { ["text=\($0)"] } ?? []
    return "\(event)  \(time)  \(name)  \((facts + texts).joined(separator: " "))"
  }
}

struct PostingView: Codable {
  var debit: String
  var credit: String
  var amount: String
  var asset: String
}

struct LogPage: Codable {
  var events: [EventView]
  /// The newest durable event.
  var head: UInt64
}

struct HistoryPage: Codable {
  var events: [EventView]
  /// Before which event the next page begins; nil at the end.
  var next: UInt64?
}

extension Failure {
  /// There is no such wallet. Whoever guesses at text ids misspells them, and that is usage.
  init(noWallet name: String) {
    if UInt64(name) == nil {
      self.init("\(name) is neither a number nor a wallet of this ledger", code: 64)
    } else {
      self.init("there is no wallet \(name)", code: 1)
    }
  }

  init(noEvent name: String, head: UInt64) {
    if UInt64(name) == nil {
      self.init(
        "\(name) is no event's number, and no payment or wallet of this ledger", code: 64)
    } else {
      self.init("there is no event \(name); the last is \(head)", code: 1)
    }
  }
}
