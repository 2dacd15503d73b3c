import Foundation
import Testing

@testable import LedgerCore

/// Goal: each state machine is one table, and the page shows that table.
/// Method: write the table of every machine from its `after`, and look for it in the page.
@Suite struct StateMachineTests {
  private static let page: Result<String, any Error> = Result {
    let root = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return try String(
      contentsOf: root.appending(path: "Sources/LedgerCore/LedgerCore.docc/StateMachines.md"),
      encoding: .utf8)
  }

  /// A row for each status, a column for each step: the status after it, or a dash.
  private static func table<Status: CaseIterable & Equatable, Step: CaseIterable>(
    _ after: (Status) -> (Step) -> Status?
  ) -> String {
    var lines = [
      "| from | " + Step.allCases.map { "\($0)" }.joined(separator: " | ") + " |",
      "|---|" + Step.allCases.map { _ in "---|" }.joined(),
    ]
    for status in Status.allCases {
      let cells = Step.allCases.map { step in after(status)(step).map { "\($0)" } ?? "–" }
      lines.append("| `\(status)` | " + cells.joined(separator: " | ") + " |")
    }
    return lines.joined(separator: "\n")
  }

  @Test func `the page shows every machine as it is`() throws {
    let page = try Self.page.get()
    for table in [
      Self.table(Wallets.Status.after), Self.table(Reservations.Status.after),
      Self.table(Payments.Status.after), Self.table(Disputes.Status.after),
    ] {
      #expect(page.contains(table), "the page lacks\n\(table)")
    }
  }

  /// From an end nothing leads on, and every status is reached from the first.
  @Test func `every status is reached, and ends are ends`() {
    #expect(Self.reached(from: .open, Wallets.Status.after) == Wallets.Status.allCases.count)
    #expect(
      Self.reached(from: .open, Reservations.Status.after) == Reservations.Status.allCases.count)
    #expect(
      Self.reached(from: .pending, Payments.Status.after) == Payments.Status.allCases.count)
    #expect(Self.reached(from: .open, Disputes.Status.after) == Disputes.Status.allCases.count)
    for status in [Disputes.Status.resolvedRefunded, .resolvedDenied, .withdrawn] {
      #expect(Disputes.Step.allCases.allSatisfy { status.after($0) == nil })
    }
    for status in [Reservations.Status.captured, .released, .expired] {
      #expect(Reservations.Step.allCases.allSatisfy { status.after($0) == nil })
    }
    for status in [Payments.Status.refunded, .failed, .expired] {
      #expect(Payments.Step.allCases.allSatisfy { status.after($0) == nil })
    }
  }

  private static func reached<Status: CaseIterable & Hashable, Step: CaseIterable>(
    from first: Status, _ after: (Status) -> (Step) -> Status?
  ) -> Int {
    var seen: Set<Status> = [first]
    var rest = [first]
    while let status = rest.popLast() {
      for step in Step.allCases {
        if let next = after(status)(step), seen.insert(next).inserted { rest.append(next) }
      }
    }
    return seen.count
  }

  @Test func `a payment's status follows from what went back of it`() {
    let amount = Amount(units: 10)
    #expect(Payments.Status(amount, refunded: .zero) == .completed)
    #expect(Payments.Status(amount, refunded: Amount(units: 1)) == .partiallyRefunded)
    #expect(Payments.Status(amount, refunded: Amount(units: 9)) == .partiallyRefunded)
    #expect(Payments.Status(amount, refunded: amount) == .refunded)
  }
}
