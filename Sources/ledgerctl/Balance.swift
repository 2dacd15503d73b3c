import ArgumentParser

/// One wallet's balance.
struct Balance: LedgerCommand {
  static let configuration = CommandConfiguration(abstract: "Show what a wallet holds.")

  @OptionGroup var access: Access
  @Argument(help: "The wallet: its text id or its number.")
  var wallet: String

  private struct View: Encodable {
    var wallet: String
    var asset: String
    var available: String
    var held: String
  }

  func perform() async throws {
    let found = try await access.look { try await $0.knownWallet(wallet) }
    let view = View(
      wallet: found.wallet, asset: found.asset, available: found.available, held: found.held)
    if access.json { return try printJSON(view) }
    print(
      Table.render([
        ["wallet", "asset", "available", "held"],
        [view.wallet, view.asset, view.available, view.held],
      ]))
  }
}
