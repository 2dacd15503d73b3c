import ArgumentParser

/// The ledger on the command line, for a person on call.
@main
struct Ledgerctl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledgerctl",
    abstract: "Look at a ledger, check it, and measure it.",
    discussion: """
      Exit codes: 0 fine, 1 findings, 64 usage, 69 no daemon, 74 I/O, 75 locked by another \
      process, 78 refused configuration or format, or what is to be made is there already.
      """,
    subcommands: [
      Init.self, Seed.self, Status.self, Verify.self, Replay.self, Inspect.self,
      Balance.self, History.self, DisputeList.self, Tail.self, BackUp.self, Restore.self,
      SnapshotCommand.self, AcceptClock.self, Bench.self,
    ])
}
