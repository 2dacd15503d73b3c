import Foundation
import Testing

/// Goal: a check that a person interrupts, or a machine kills, can be gone on with, and says so.
/// Method: the built program as a process, stopped where it checks, then ended.
@Suite(.serialized, .timeLimit(.minutes(5))) struct VerifyTests {
  @Test func `an interrupted check keeps its place, and --resume goes on there`() async throws {
    try await Bed.run { bed in
      #expect(try bed.ledgerctl("seed", "--payments", "12000").code == 0)
      let whole = try #require(try bed.ledgerctl("verify", "--json").json as? [String: Any])
      #expect(whole["resumed"] == nil)
      for signal in [SIGINT, SIGTERM] {
        let kept = try interrupted(bed, signal)
        #expect(FileManager.default.fileExists(atPath: bed.directory + "/verify.progress"))
        let rest = try bed.ledgerctl("verify", "--resume", "--json")
        #expect(rest.code == 0 && rest.errors.isEmpty, "\(rest)")
        try expectRest(of: whole, rest, after: kept)
        #expect(!FileManager.default.fileExists(atPath: bed.directory + "/verify.progress"))
      }
      // For a person, in a sentence.
      let kept = try interrupted(bed, SIGINT)
      let rest = try bed.ledgerctl("verify", "--resume")
      #expect(rest.code == 0, "\(rest)")
      #expect(rest.output.contains("events 1 to \(kept) were not looked at again"), "\(rest)")
      // With no place kept all is checked, and nothing is said of it.
      let again = try bed.ledgerctl("verify", "--resume")
      #expect(again.code == 0 && !again.output.contains("looked at again"), "\(again)")
      #expect(again.errors.isEmpty)
      #expect(try bed.ledgerctl("verify", "--quick", "--resume").code == 64)
    }
  }

  private func expectRest(of whole: [String: Any], _ rest: Said, after kept: Int) throws {
    let view = try #require(rest.json as? [String: Any])
    let resumed = try #require(view["resumed"] as? [String: Any])
    #expect(resumed["event"] as? Int == kept && resumed["began"] is String)
    for name in ["events", "blocks", "texts", "snapshots"] {
      #expect(view[name] as? Int == whole[name] as? Int, "\(name)")
    }
    for name in ["root", "state"] { #expect(view[name] as? String == whole[name] as? String) }
    // The rate is that of what was looked at now.
    let (rate, seconds) = (view["events_per_second"] as? Double, view["seconds"] as? Double)
    let count = try #require(rate) * (try #require(seconds))
    #expect(count <= Double((whole["events"] as? Int ?? 0) - kept) + 1)
  }

  @Test func `a damaged place is a warning, and everything is checked`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      let place = URL(filePath: bed.directory + "/verify.progress")
      try Data("no place".utf8).write(to: place)
      let said = try bed.ledgerctl("verify", "--resume", "--json")
      #expect(said.code == 0 && said.errors.contains("warning: "), "\(said)")
      #expect((said.json as? [String: Any])?["resumed"] == nil)
    }
  }

  /// Runs a check and ends it by a signal before it is at its end; tries again where it was faster.
  /// Answers the event after which it says that it may be gone on with.
  private func interrupted(_ bed: Bed, _ signal: Int32) throws -> Int {
    for _ in 0..<60 {
      let process = Programs.process("ledgerctl", ["verify", "--data", bed.directory])
      let (output, errors) = (Pipe(), Pipe())
      process.standardOutput = output
      process.standardError = errors
      try process.run()
      // The child says to nobody that it has begun: look for it until it is there.
      while process.isRunning, !stopChild(of: bed) { usleep(500) }
      kill(process.processIdentifier, signal)
      // What it passes on comes while the child stands still.
      usleep(100_000)
      if let child = child(of: bed) { kill(child, SIGCONT) }
      let text = try output.fileHandleForReading.readToEnd() ?? Data()
      let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      guard process.terminationReason == .uncaughtSignal else { continue }
      let sentence = String(decoding: complaint, as: UTF8.self)
      #expect(process.terminationStatus == signal && text.isEmpty)
      let parts = sentence.split(separator: "; --resume goes on after event ")
      return try #require(Int((parts.last ?? "").dropLast()), "\(sentence)")
    }
    throw Failed()
  }

  private struct Failed: Error {}

  /// Who has the ledger open.
  private func child(of bed: Bed) -> Int32? {
    let text = try? String(contentsOfFile: bed.directory + "/daemon.lock", encoding: .utf8)
    return text.flatMap { Int32($0.prefix { $0.isNumber }) }
  }

  /// Stops the child once it minds SIGTERM, which it does as it begins to check.
  private func stopChild(of bed: Bed) -> Bool {
    guard let child = child(of: bed),
      let status = try? String(contentsOfFile: "/proc/\(child)/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigIgn:") }),
      let ignored = line.split(separator: "\t").last.flatMap({ UInt64($0, radix: 16) }),
      ignored & 1 << UInt64(SIGTERM - 1) != 0
    else { return false }
    // So that it stands still within the check, and not where that begins.
    usleep(5_000)
    kill(child, SIGSTOP)
    return true
  }
}
