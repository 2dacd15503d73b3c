import ArgumentParser

/// States on disk, from which opening begins.
struct SnapshotCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "List, make or remove snapshots of the state, also beside a running ledgerd.",
    discussion: """
      ledgerd makes one every 4 million events and every day, and keeps the last three and one a \
      month. They only shorten opening: with none, the whole log is folded.
      """,
    subcommands: [List.self, Create.self, Prune.self])

  struct List: LedgerCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the snapshots that there are, newest first.")

    @OptionGroup var access: Access

    func perform() async throws {
      try show(try await access.look { try await $0.snapshots() }, access)
    }
  }

  struct Create: LedgerCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a snapshot of everything that is durable now.",
      discussion: "Takes as much memory again as the state.")

    @OptionGroup var access: Access

    func perform() async throws {
      let made = try await access.look { try await $0.makeSnapshot() }
      if access.json { return try printJSON(made) }
      try show([made], access)
    }
  }

  struct Prune: LedgerCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove old snapshots, and show which.",
      discussion: "Kept are the newest ones and the newest of each month.")

    @OptionGroup var access: Access
    @Option(help: "How many of the newest to keep, at least 1.")
    var keep = 3
    @Flag(help: "Only show which would be removed.")
    var dryRun = false

    func validate() throws {
      guard keep >= 1, keep <= 1_000_000 else { throw ValidationError("--keep must be 1 or more.") }
    }

    func perform() async throws {
      let removed = try await access.look { source in
        try await source.pruneSnapshots(keeping: keep, isDryRun: dryRun)
      }
      try show(removed, access)
    }
  }
}

private func show(_ snapshots: [SnapshotView], _ access: Access) throws {
  if access.json { return try printJSON(["snapshots": snapshots]) }
  let rows = snapshots.map { ["\($0.event)", $0.time, "\($0.bytes)", $0.state] }
  print(Table.render([["event", "time", "bytes", "state"]] + rows))
}
