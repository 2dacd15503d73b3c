import Foundation
import LedgerCore

/// Opens the ledger in a child process before the daemon does.
///
/// LMDB follows its own pages without looking twice, so damaged ones may crash whoever reads or
/// writes them (`reliability.md` E2, E3). That is to happen to the child: it opens the ledger as
/// the daemon will, first write included, and closes it.
enum BootCheck {
  /// The exit code to end with where the child could not open the ledger; `nil` where it could, or
  /// where there is none yet. What is wrong stands on stderr.
  static func child(of settings: Settings) throws -> Int32? {
    guard FileManager.default.fileExists(atPath: settings.data + "/log/data.mdb") else {
      return nil
    }
    let child = Process()
    child.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    child.arguments = CommandLine.arguments.dropFirst() + ["--check-only"]
    child.standardInput = FileHandle.nullDevice
    // Its crash is told in a sentence.
    var environment = ProcessInfo.processInfo.environment
    environment["SWIFT_BACKTRACE"] = "enable=no"
    child.environment = environment
    try child.run()
    child.waitUntilExit()
    guard child.terminationReason == .exit else {
      throw StorageError.damaged(
        "opening \(settings.data) crashed (signal \(child.terminationStatus)): log/data.mdb has "
          + "damaged pages; see ledgerctl verify, and restore a backup")
    }
    return child.terminationStatus == 0 ? nil : child.terminationStatus
  }

  /// The child's part.
  static func perform(_ settings: Settings) throws -> Int32 {
    var options = try settings.engineOptions(Engine.Options())
    options.mayCreate = false
    options.snapshotEventCount = 0
    try Engine.open(settings.data, options).close()
    return 0
  }
}
