import ArgumentParser
import Foundation
import LedgerCore
import Projections
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

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

      A check that is interrupted keeps its place in DIR/verify.progress, and once a minute, for \
      one that is killed: say --resume to go on there. The answer then says which events an \
      earlier check saw and this one did not. Without --resume everything is checked.
      """)

  /// The parent tells of the child's.
  static let explainsCrashes = false

  @OptionGroup var access: Access
  @Flag(help: "Do not hash every event again: as at every start of ledgerd.")
  var quick = false
  @Flag(help: "Go on where a check was interrupted; from the start where none was.")
  var resume = false
  @Flag(help: .hidden)
  var inChild = false

  func validate() throws {
    if quick, resume { throw ValidationError("--quick is never interrupted: leave out --resume") }
  }

  /// What the child says at its end.
  private struct View: Codable {
    /// With those of an earlier check.
    var events = 0
    var blocks = 0
    var texts = 0
    var snapshots = 0
    var root = ""
    var state = ""
    var seconds = 0.0
    /// Of this check.
    var eventsPerSecond = 0
    /// What was not looked at again; missing where everything was.
    var resumed: Resumed?
    /// Of a check that was interrupted: where the next may go on, 0 for nowhere.
    var kept: UInt64?
    var findings: [String] = []
  }

  /// The events from 1 to `event` were checked before, from `began` to `ended`.
  private struct Resumed: Codable {
    var event: UInt64
    var began: String
    var ended: String
  }

  func perform() async throws {
    if inChild { return try check() }
    let signals = Signals([SIGINT, SIGTERM])
    let view = try ask(signals)
    if access.json, view.kept == nil {
      try printJSON(view)
    } else {
      // Of one that was interrupted there is no answer, only what it found.
      say(view)
    }
    if let kept = view.kept {
      let isThere = FileManager.default.fileExists(atPath: place)
      let earlier = isThere ? "--resume goes on at an earlier place" : "no place to resume at"
      let next = kept > 0 ? "--resume goes on after event \(kept)" : earlier
      Failure("interrupted after event \(view.events); \(next)", code: 0).say()
      signals.end()
    }
    if !view.findings.isEmpty { throw ExitCode(1) }
  }

  private func say(_ view: View) {
    let isWhole = view.kept == nil
    if isWhole {
      let blocks =
        quick ? "" : " in \(view.blocks) blocks, \(view.texts) texts, \(view.snapshots) snapshots"
      print("\(view.events) events\(blocks), \(view.eventsPerSecond)/s")
    }
    if isWhole, let resumed = view.resumed {
      print(
        "events 1 to \(resumed.event) were not looked at again: an earlier check saw them, "
          + "\(resumed.began) to \(resumed.ended)")
    }
    if isWhole, view.root != "" { print("root  \(view.root)\nstate \(view.state)") }
    for finding in view.findings { print("FOUND: \(finding)") }
    if isWhole {
      print(view.findings.isEmpty ? "nothing found" : "\(view.findings.count) findings")
    }
  }

  // MARK: - The child

  /// Checks, and writes a line `total N`, lines `checked N`, and a last line of JSON. Of the lines
  /// `checked N`, the first says where it begins.
  private func check() throws {
    var view = View()
    let start = ContinuousClock.now
    do {
      let engine = try access.open()
      defer { engine.close() }
      Self.say("total \(engine.head)")
      view.events = Int(engine.head.rawValue)
      if quick {
        view.root = try engine.treeHead().root.hex
        view.state = try engine.stateDigest().1.hex
      } else {
        view = try check(engine)
      }
    } catch let failure as Failure where failure.code == 74 {
      // Damage that already opening finds is a finding, not an accident.
      view.findings = [failure.message]
    }
    view.seconds = (ContinuousClock.now - start).seconds
    let count = view.events - Int(view.resumed?.event ?? 0)
    view.eventsPerSecond = Int(Double(count) / max(view.seconds, 1e-9))
    Self.say(String(decoding: try JSONEncoder().encode(view), as: UTF8.self))
  }

  private func check(_ engine: Engine) throws -> View {
    let signals = Signals([SIGTERM])
    signals.watch {}
    let report = try engine.verify(keepingPlaceAt: place, resuming: resume) { count in
      Self.say("checked \(count)")
      return signals.first == nil
    }
    return View(
      events: report.eventCount, blocks: report.blockCount, texts: report.textCount,
      snapshots: report.snapshotCount, root: report.root.hex, state: report.state.hex,
      resumed: report.earlier.map { earlier in
        Resumed(
          event: earlier.last.rawValue, began: earlier.began.text, ended: earlier.ended.text)
      },
      kept: report.kept?.rawValue, findings: report.findings)
  }

  private var place: String { access.data + "/verify.progress" }

  /// At once, so that the parent knows how far it was when it crashed.
  private static func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }

  // MARK: - The parent

  /// What a child found, or that it crashed. The first signal has it keep its place, the second
  /// kills it.
  private func ask(_ signals: Signals) throws -> View {
    let child = Process()
    child.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    child.arguments =
      ["verify", "--in-child", "--data", access.data] + (quick ? ["--quick"] : [])
      + (resume ? ["--resume"] : [])
      + (access.masterKeyFile.map { ["--master-key-file", $0] } ?? [])
    // Its crash is a finding, and told as one.
    var environment = ProcessInfo.processInfo.environment
    environment["SWIFT_BACKTRACE"] = "enable=no"
    child.environment = environment
    let pipe = Pipe()
    child.standardOutput = pipe
    try child.run()
    // It is in a group of its own, so that what a terminal sends comes only here. What is ignored
    // here before it runs, it would ignore.
    let pid = child.processIdentifier
    signals.watch { kill(pid, signals.count == 1 ? SIGTERM : SIGKILL) }
    let (last, checked) = follow(pipe)
    child.waitUntilExit()
    if child.terminationReason == .uncaughtSignal {
      return ended(by: child.terminationStatus, checked)
    }
    guard child.terminationStatus == 0 else { throw ExitCode(child.terminationStatus) }
    return try JSONDecoder().decode(View.self, from: Data(last.utf8))
  }

  /// Shows how far the child is; answers its last line, and how many events it had checked, which
  /// is nil while it opened the ledger.
  private func follow(_ pipe: Pipe) -> (last: String, checked: Int?) {
    var (last, total, first) = ("", 0, 0)
    var (checked, progress): (Int?, Progress?)
    for line in Lines(pipe.fileHandleForReading) {
      let words = line.split(separator: " ")
      switch (words.first, words.last.flatMap { Int($0) }) {
      case ("total", let count?):
        total = count
        checked = 0
      case ("checked", let count?):
        if progress == nil {
          first = count
          progress = Progress("verify", total: total - first)
        }
        progress?.reach(count - first)
        checked = count
      default: last = line  // not ours: what it found
      }
    }
    progress?.finish()
    return (last, checked)
  }

  private func ended(by signal: Int32, _ checked: Int?) -> View {
    // Nobody can say where its place is, if it has one.
    if [SIGTERM, SIGKILL].contains(signal) { return View(events: checked ?? 0, kept: 0) }
    let moment = checked.map { "after event \($0)" } ?? "while opening"
    let finding =
      "the check crashed \(moment) (signal \(signal)): "
      + "\(access.data)/log/data.mdb has damaged pages"
    return View(events: checked ?? 0, findings: [finding])
  }
}

/// The signals by which a person ends a program, for one that has something to do first.
private final class Signals: Sendable {
  private let numbers: [Int32]
  private let came = Mutex<[Int32]>([])

  init(_ numbers: [Int32]) { self.numbers = numbers }

  /// The first that came.
  var first: Int32? { came.withLock { $0.first } }
  /// How many came.
  var count: Int { came.withLock { $0.count } }

  /// From now on none of them ends the process; `act` is called for each, on another thread.
  func watch(_ act: @escaping @Sendable () -> Void) {
    for number in numbers {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { [self] in
        // Keeps the source as long as this object.
        _ = source
        came.withLock { $0.append(number) }
        act()
      }
      source.resume()
    }
  }

  /// Ends the process by the first that came, as if nobody had watched.
  func end() -> Never {
    let number = first ?? SIGTERM
    signal(number, SIG_DFL)
    kill(getpid(), number)
    // It is blocked in this thread: what a shell would say of it.
    Ledgerctl.exit(withError: ExitCode(128 + number))
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
