import ArgumentParser

/// Every event that touched a wallet, or all events.
struct History: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the events of a wallet, or of the ledger, newest first.")

  @OptionGroup var access: Access
  @Argument(help: "The wallet: its text id or its number. All events where it is left out.")
  var wallet: String?
  @Option(help: "How many events, 1 to 10000.")
  var limit = 20
  @Option(help: "Only events before this number.")
  var before: UInt64?

  func validate() throws {
    guard (1...10_000).contains(limit) else { throw ValidationError("--limit is 1 to 10000") }
    guard before != 0 else { throw ValidationError("--before is at least 1") }
  }

  func perform() async throws {
    let events = try await access.look(find)
    if access.json { return try printJSON(events) }
    for event in events { print(event.line) }
  }

  private func find(_ source: any Source) async throws -> [EventView] {
    guard let wallet else {
      return try await source.newest(limit, before: before ?? .max).reversed()
    }
    var found: [EventView] = []
    var cursor = before
    repeat {
      let count = min(limit - found.count, Pages.eventCountMax)
      guard let page = try await source.history(of: wallet, before: cursor, limit: count) else {
        throw Failure(noWallet: wallet)
      }
      found += page.events
      cursor = page.next
    } while cursor != nil && found.count < limit
    return found
  }
}
