import ArgumentParser
import LedgerCore
import Projections

/// The disputes, for whoever decides them.
struct DisputeList: LedgerCommand {
  private static let statuses = Disputes.Status.allCases.map(\.word)

  static let configuration = CommandConfiguration(
    commandName: "disputes",
    abstract: "List the disputes that are not decided, or those in a status, newest first.",
    discussion: """
      Held is what is in the dispute's hold now. Of that, receivable was advanced by the platform \
      and is still owed; uncovered is owed and not held.
      """)

  @OptionGroup var access: Access
  @Option(
    help: "\(statuses.joined(separator: ", ")); of each payment its newest dispute is looked at.",
    completion: .list(statuses))
  var status: String?
  @Option(help: "How many disputes, 1 to 10000.")
  var limit = 20
  @Option(help: "Only disputes opened before this event.")
  var before: UInt64?

  func validate() throws {
    guard status.map(Self.statuses.contains) ?? true else {
      throw ValidationError("--status is one of \(Self.statuses.joined(separator: ", "))")
    }
    guard (1...10_000).contains(limit) else { throw ValidationError("--limit is 1 to 10000") }
    guard before != 0 else { throw ValidationError("--before is at least 1") }
  }

  func perform() async throws {
    let disputes = try await access.look(find)
    if access.json { return try printJSON(disputes) }
    let header = [
      "dispute", "event", "created", "status", "by", "reason", "amount", "held", "receivable",
      "uncovered", "asset", "payment",
    ]
    print(Table.render([header] + disputes.map(\.row)))
  }

  private func find(_ source: any Source) async throws -> [DisputeWords] {
    let wanted = Disputes.Status.allCases.first { $0.word == status }
    var found: [DisputeWords] = []
    while found.count < limit {
      let count = min(limit - found.count, Pages.eventCountMax)
      let page = try await source.disputes(
        in: wanted, before: found.last?.event ?? before, limit: count)
      found += page
      if page.count < count { break }
    }
    return found
  }
}

extension DisputeWords {
  fileprivate var row: [String] {
    [
      dispute, "\(event)", created, status, openedBy, reason, amount, held ?? "-",
      receivable ?? "-", uncovered ?? "-", asset, payment,
    ]
  }
}
