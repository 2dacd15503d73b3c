import ArgumentParser

/// One wallet's balance.
struct Balance: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a wallet holds, by the double entries.")

  @OptionGroup var access: Access
  @Argument(help: "The wallet: its text id or its number.")
  var wallet: String

  func perform() async throws {
    let found = try await access.look { try await $0.balance(of: wallet) }
    guard let view = found else { throw Failure(noWallet: wallet) }
    if access.json { return try printJSON(view) }
    print(
      Table.render([
        ["wallet", "asset", "available", "held", "pending"],
        [view.wallet, view.asset, view.available, view.held, view.pending],
      ]))
  }
}
