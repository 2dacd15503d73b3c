import ArgumentParser
import LedgerCore
import Projections

/// Does the log still give the state that is live?
struct Replay: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fold the log from its start and compare the result with what is live.",
    discussion: "Exit code 1 where state or projections differ.")

  @OptionGroup var access: Access

  private struct View: Encodable {
    var event: UInt64
    var state: String
    var live: String
    var projectionRows: Int
    var findings: [String]
  }

  func perform() async throws {
    let engine = try access.open()
    defer { engine.close() }
    let (event, live) = try engine.stateDigest()
    let progress = Progress("replay", total: Int(engine.head.rawValue))
    let report = try engine.verify { progress.reach($0) }
    progress.finish()
    let projections = try await access.openProjections(engine)
    defer { projections.close() }
    // First, because it sees to it that what is compared below is the newest.
    let differences = try await projections.verify()
    let rebuild = Progress("rebuild", total: Int(engine.head.rawValue))
    let compared = try projections.compareWithRebuild { done, _ in rebuild.reach(Int(done.rawValue))
    }
    rebuild.finish()
    let view = View(
      event: event.rawValue, state: report.state.hex, live: live.hex,
      projectionRows: compared.rowCount,
      findings: report.findings + differences + compared.differences)
    if access.json {
      try printJSON(view)
    } else {
      print(
        Table.pairs([
          ["folded", "\(report.eventCount) events"], ["state", view.state], ["live", view.live],
          ["projections", "\(view.projectionRows) rows compared with a rebuild"],
        ]))
      for finding in view.findings { print("FOUND: \(finding)") }
      print(view.findings.isEmpty ? "nothing differs" : "\(view.findings.count) differences")
    }
    if !view.findings.isEmpty { throw ExitCode(1) }
  }
}
