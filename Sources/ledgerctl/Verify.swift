import ArgumentParser
import Foundation
import LedgerCore
import Projections

/// Is everything that was written still so?
struct Verify: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every frame, block, subtree, text, balance and invariant.",
    discussion: "Exit code 1 where anything is found; the first finding names the first bad place.")

  @OptionGroup var access: Access

  fileprivate struct View: Encodable {
    var events: Int
    var blocks: Int
    var texts: Int
    var root: String
    var state: String
    var seconds: Double
    var eventsPerSecond: Int
    var findings: [String]
  }

  func perform() async throws {
    let engine: Engine
    do {
      engine = try access.open()
    } catch let failure as Failure where failure.code == 74 {
      // Damage that already opening finds is a finding, not an accident.
      if access.json { try printJSON(["findings": [failure.message]]) }
      throw Failure(failure.message, code: 1)
    }
    defer { engine.close() }
    try check(engine)
  }

  private func check(_ engine: Engine) throws {
    let progress = Progress("verify", total: Int(engine.head.rawValue))
    let start = ContinuousClock.now
    var seen = 0
    let report = try engine.verify { count in
      progress.advance(count - seen)
      seen = count
    }
    progress.finish()
    let seconds = (ContinuousClock.now - start).seconds
    let view = View(
      events: report.eventCount, blocks: report.blockCount, texts: report.textCount,
      root: report.root.hex, state: report.state.hex, seconds: seconds,
      eventsPerSecond: Int(Double(report.eventCount) / max(seconds, 1e-9)),
      findings: report.findings)
    if access.json {
      try printJSON(view)
    } else {
      print(
        "\(view.events) events in \(view.blocks) blocks, \(view.texts) texts, "
          + "\(view.eventsPerSecond)/s"
      )
      print("root  \(view.root)")
      print("state \(view.state)")
      for finding in view.findings { print("FOUND: \(finding)") }
      print(view.findings.isEmpty ? "nothing found" : "\(view.findings.count) findings")
    }
    if !view.findings.isEmpty { throw ExitCode(1) }
  }
}
