import Foundation
import Testing

@testable import LedgerCore

/// Goal: the page that describes the format and the code that writes it list the same numbers.
/// Method: read the page's tables; compare every code, operation, rejection and number both ways.
@Suite struct FormatTests {
  private static let page: Result<String, any Error> = Result {
    let root = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return try String(
      contentsOf: root.appending(path: "Sources/LedgerCore/LedgerCore.docc/Format.md"),
      encoding: .utf8)
  }

  /// The rows of the table under `heading`: number and name, without the backticks.
  private static func table(_ heading: String) throws -> [String: String] {
    let lines = try page.get().components(separatedBy: "\n")
    let start = try #require(lines.firstIndex(of: heading), "no heading \(heading)")
    var rows: [String: String] = [:]
    for line in lines[(start + 1)...] {
      if line.hasPrefix("#") { break }
      let cells = line.split(separator: "|").map {
        $0.trimmingCharacters(in: CharacterSet(charactersIn: " `"))
      }
      guard line.hasPrefix("| "), cells.count >= 2, cells[0].first?.isNumber == true else {
        continue
      }
      #expect(rows.updateValue(cells[1], forKey: cells[0]) == nil, "\(cells[0]) stands twice")
    }
    return rows
  }

  private static func hex(_ code: UInt16) -> String {
    let digits = String(code, radix: 16)
    return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
  }

  @Test func `the page lists every event code`() throws {
    // A case prints as `payment(LedgerCore.Payments.Event.completed(…))`.
    let names = Samples.all.map { event in
      let text = "\(event)"
      let slice = text.prefix { $0 != "(" }
      let rest = text.components(separatedBy: ".Event.").dropFirst().first ?? ""
      return (Self.hex(event.code), "\(slice).\(rest.prefix { $0 != "(" })")
    }
    #expect(try Self.table("### Events") == Dictionary(uniqueKeysWithValues: names))
  }

  @Test func `the page lists every operation`() throws {
    let names = Operation.allCases.map { (Self.hex($0.rawValue), "\($0)") }
    #expect(try Self.table("### Operations") == Dictionary(uniqueKeysWithValues: names))
    for operation in Operation.allCases { #expect(operation.rawValue != 0) }
  }

  @Test func `the page lists every rejection`() throws {
    let names = Rejection.allCases.map { (String($0.rawValue), "\($0)") }
    #expect(try Self.table("### Rejections") == Dictionary(uniqueKeysWithValues: names))
  }

  @Test func `the page lists every role, credential kind, rail, purpose and reason`() throws {
    #expect(
      try Self.table("### Roles")
        == Dictionary(
          uniqueKeysWithValues: Actor.Role.allCases.map { (String($0.rawValue), "\($0)") }))
    #expect(
      try Self.table("### Credential kinds")
        == Dictionary(
          uniqueKeysWithValues: Identity.CredentialKind.allCases.map {
            (String($0.rawValue), "\($0)")
          }))
    #expect(
      try Self.table("### Rails")
        == Dictionary(
          uniqueKeysWithValues: Rail.allCases.map { (String($0.rawValue), "\($0)") }))
    #expect(
      try Self.table("### Purposes")
        == Dictionary(
          uniqueKeysWithValues: Reservations.Purpose.allCases.map {
            (String($0.rawValue), "\($0)")
          }))
    #expect(
      try Self.table("### Reasons of disputes")
        == Dictionary(
          uniqueKeysWithValues: Disputes.Reason.allCases.map { (String($0.rawValue), "\($0)") }))
  }

  @Test func `the page states the sizes that the code has`() throws {
    let page = try Self.page.get()
    for words in [
      "## Frame (\(Frame.headerByteCount) bytes and what follows)",
      "## Block (\(Block.headerByteCount) bytes, frames, offsets)",
      "\(Block.eventCountMax.formatted(.number.locale(.init(identifier: "en")))) events",
      "Format \(EventLog.format).", "records of \(HeadLog.recordByteCount) bytes",
    ] {
      #expect(page.contains(words), "\(words)")
    }
  }
}
