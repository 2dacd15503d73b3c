import ArgumentParser
import Foundation
import LedgerCore
import Projections

/// A copy to keep elsewhere.
struct BackUp: LedgerCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Write a backup, also beside a running ledgerd.",
    discussion: """
      The copy is consistent, and checked whole before it gets its name; one that was cut short is \
      named TO.partial. It opens only with the master key, which is not in it: keep \
      DIR/keys/master.key elsewhere.
      """)

  @OptionGroup var access: Access
  @Argument(help: "Where it goes; must not exist.", completion: .directory)
  var to: String

  func perform() async throws {
    let path = URL(filePath: to).path(percentEncoded: false)
    guard !FileManager.default.fileExists(atPath: path) else {
      throw Failure("\(path) is there already; name one that is not", code: 78)
    }
    let view = try await access.look { try await $0.backup(to: path) }
    if access.json { return try printJSON(view) }
    print(Table.pairs([["backup", path]] + view.rows))
  }
}

/// A ledger again, of a backup.
struct Restore: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make a ledger of a backup: to its end, or to an event.",
    discussion: """
      DIR must not exist. The ledger is checked whole before it gets its name. The backup stays as \
      it is. With --to, what came after that event is left out, and the tree has the root that it \
      had then.
      """)

  @OptionGroup var access: Access
  @Argument(help: "The backup's directory.", completion: .directory)
  var from: String
  @Option(help: "The last event to keep; the backup's last where it is left out.")
  var to: UInt64?
  @Flag(help: "Do not put the key into DIR: ledgerd will be told its file.")
  var withoutKey = false

  func perform() async throws {
    let key = try access.masterKey()
    guard FileManager.default.fileExists(atPath: from + "/log/data.mdb") else {
      throw Failure("there is no backup in \(from)", code: 78)
    }
    var progress: Progress?
    let backup = try Backup.restore(
      from, to: access.data, masterKey: key, keepsKey: !withoutKey, upTo: to.map { EventNumber($0) }
    ) { done, total in
      progress = progress ?? Progress("restore", total: total)
      progress?.reach(done)
    }
    progress?.finish()
    if access.json { return try printJSON(BackupView(backup)) }
    print(Table.pairs([["ledger", access.data]] + BackupView(backup).rows))
  }
}
