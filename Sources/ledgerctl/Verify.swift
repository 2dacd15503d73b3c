import ArgumentParser
import Foundation
import LedgerCore
import Projections

/// Is everything that was written still so?
///
/// LMDB follows its own pages without looking twice, so a damaged one may crash whoever reads it.
/// That is to happen to a child, which this program starts of itself, and is a finding like others.
struct Verify: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every frame, block, subtree, text, balance and invariant.",
    discussion: """
      Exit code 1 where anything is found; the first finding names the first bad place. With \
      --quick, only what opening checks: meta pages, checksums, the order of events, the roots.
      """)

  /// The parent tells of the child's.
  static let explainsCrashes = false

  @OptionGroup var access: Access
  @Flag(help: "Do not hash every event again: as at every start of ledgerd.")
  var quick = false
  @Flag(help: .hidden)
  var inChild = false

  /// What the child says at its end.
  private struct View: Codable {
    var events = 0
    var blocks = 0
    var texts = 0
    var snapshots = 0
    var root = ""
    var state = ""
    var seconds = 0.0
    var eventsPerSecond = 0
    var findings: [String] = []
  }

  func perform() async throws {
    if inChild { return try check() }
    let view = try ask()
    if access.json {
      try printJSON(view)
    } else {
      let blocks =
        quick ? "" : " in \(view.blocks) blocks, \(view.texts) texts, \(view.snapshots) snapshots"
      print("\(view.events) events\(blocks), \(view.eventsPerSecond)/s")
      if view.root != "" { print("root  \(view.root)\nstate \(view.state)") }
      for finding in view.findings { print("FOUND: \(finding)") }
      print(view.findings.isEmpty ? "nothing found" : "\(view.findings.count) findings")
    }
    if !view.findings.isEmpty { throw ExitCode(1) }
  }

  // MARK: - The child

  /// Checks, and writes a line `total N`, lines `checked N`, and a last line of JSON.
  private func check() throws {
    var view = View()
    let start = ContinuousClock.now
    do {
      let engine = try access.open()
      defer { engine.close() }
      print("total \(engine.head)")
      view.events = Int(engine.head.rawValue)
      if quick {
        view.root = try engine.treeHead().root.hex
        view.state = try engine.stateDigest().1.hex
      } else {
        let report = try engine.verify { count in Self.say("checked \(count)") }
        view = View(
          events: report.eventCount, blocks: report.blockCount, texts: report.textCount,
          snapshots: report.snapshotCount,
          root: report.root.hex, state: report.state.hex, findings: report.findings)
      }
    } catch let failure as Failure where failure.code == 74 {
      // Damage that already opening finds is a finding, not an accident.
      view.findings = [failure.message]
    }
    view.seconds = (ContinuousClock.now - start).seconds
    view.eventsPerSecond = Int(Double(view.events) / max(view.seconds, 1e-9))
    Self.say(String(decoding: try JSONEncoder().encode(view), as: UTF8.self))
  }

  /// At once, so that the parent knows how far it was when it crashed.
  private static func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }

  // MARK: - The parent

  /// What a child found, or that it crashed.
  private func ask() throws -> View {
    let child = Process()
    child.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    child.arguments =
      ["verify", "--in-child", "--data", access.data] + (quick ? ["--quick"] : [])
      + (access.masterKeyFile.map { ["--master-key-file", $0] } ?? [])
    // Its crash is a finding, and told as one.
    var environment = ProcessInfo.processInfo.environment
    environment["SWIFT_BACKTRACE"] = "enable=no"
    child.environment = environment
    let pipe = Pipe()
    child.standardOutput = pipe
    try child.run()
    var (last, checked) = ("", 0)
    var progress: Progress?
    for line in Lines(pipe.fileHandleForReading) {
      let words = line.split(separator: " ")
      switch (words.first, words.last.flatMap { Int($0) }) {
      case ("total", let total?): progress = Progress("verify", total: total)
      case ("checked", let count?):
        progress?.reach(count)
        checked = count
      default: last = line  // not ours: what it found
      }
    }
    progress?.finish()
    child.waitUntilExit()
    if child.terminationReason == .uncaughtSignal {
      let place = progress == nil ? "while opening" : "after event \(checked)"
      let finding =
        "the check crashed \(place) (signal \(child.terminationStatus)): "
        + "\(access.data)/log/data.mdb has damaged pages"
      return View(events: checked, findings: [finding])
    }
    guard child.terminationStatus == 0 else { throw ExitCode(child.terminationStatus) }
    return try JSONDecoder().decode(View.self, from: Data(last.utf8))
  }
}

/// The lines that come through a pipe, until its end.
private struct Lines: Sequence, IteratorProtocol {
  private let handle: FileHandle
  private var rest = Data()

  init(_ handle: FileHandle) { self.handle = handle }

  mutating func next() -> String? {
    while !rest.contains(UInt8(ascii: "\n")) {
      let more = handle.availableData
      if more.isEmpty { return nil }
      rest += more
    }
    let line = rest.prefix { $0 != UInt8(ascii: "\n") }
    rest = Data(rest.dropFirst(line.count + 1))
    return String(decoding: line, as: UTF8.self)
  }
}
