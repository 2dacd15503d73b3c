import ArgumentParser
import Foundation
import LedgerCore

/// A new, empty ledger.
struct Init: LedgerCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Create a ledger; refuses where one is.")

  @OptionGroup var access: Access
  @Flag(help: "A live ledger: real money, no faucet. Never changes afterwards.")
  var live = false

  func perform() async throws {
    try refuseIfHeld(access.data)
    guard !FileManager.default.fileExists(atPath: access.data + "/log/data.mdb") else {
      throw Failure("\(access.data) is there already, with a ledger in it", code: 78)
    }
    var options = Engine.Options()
    options.livemode = live
    let engine = try access.open(options)
    engine.close()
    try await Status.show(access)
  }
}
