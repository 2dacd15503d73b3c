import Foundation
import TestSupport
import Testing

@testable import KillTarget
@testable import LedgerCore

/// Goal: whatever a power loss leaves of what was not synced, everything that was answered is
/// there; and where syncs never reached the disk, the ledger is refused or ends earlier, and is
/// never wrong.
/// Method: a script's calls are written down; from them states are made in which the files may be
/// afterwards (see `PowerLoss`), and each is opened by a child, since damage may crash it.
/// `POWER_LOSS_STATES=100000` for more than the short form's 300.
@Suite(.serialized) struct PowerLossTests {
  private static let stateCount =
    ProcessInfo.processInfo.environment["POWER_LOSS_STATES"].flatMap { Int($0) } ?? 300

  /// What the child said of each state; a state at which it crashed counts by its signal.
  private func judge(
    _ disk: String
  ) throws -> (counts: [String: Int], bad: [String], seed: UInt64) {
    let (ledger, scratch) = (TemporaryDirectory(), TemporaryDirectory())
    try FileManager.default.createDirectory(
      atPath: scratch.path, withIntermediateDirectories: false)
    let trace = scratch.path + "/trace"
    let script = try Child(["trace", ledger.path, trace])
    #expect(script.wait() == .exit(0))
    var random = SplitMix64(seeded: "power loss, \(disk) disk")
    let seed = random.next() >> 1
    var counts: [String: Int] = [:]
    var bad: [String] = []
    var next = 0
    while next < Self.stateCount {
      let child = try Child([
        "powerloss", trace, ledger.path, scratch.path + "/copy", String(seed), String(next),
        String(Self.stateCount), disk,
      ])
      let end = child.wait()
      var state = -1
      for line in child.lines {
        let words = line.split(separator: " ")
        switch words.first {
        case "begin": state = Int(words[1]) ?? -1
        case "good", "refused", "WRONG":
          counts[String(words[0]), default: 0] += 1
          if words[0] != "good" { bad.append(line) }
          next = state + 1
        default: break  // not ours: a last word of the process that crashes
        }
      }
      if end == .exit(0) { break }
      try #require(state >= next, "the child ended by itself: \(end), \(child.lines.suffix(3))")
      counts["\(end)", default: 0] += 1
      next = state + 1
    }
    let judged = counts.values.reduce(0, +)
    let others = counts.filter { $0.key != "WRONG" }.sorted { $0.key < $1.key }
    let verdicts = others.map { "\($0.value) \($0.key)" } + ["\(counts["WRONG", default: 0]) wrong"]
    print(
      "prove: \(judged) states of a disk that is \(disk); seed \(random.seed);",
      verdicts.joined(separator: ", "))
    return (counts, bad, seed)
  }

  @Test func `an honest disk loses nothing that was answered`() throws {
    let (counts, bad, seed) = try judge("honest")
    #expect(counts == ["good": Self.stateCount], "seed \(seed): \(bad.prefix(3))")
  }

  @Test func `a lying disk gives an earlier ledger or none, never a wrong one`() throws {
    let (counts, bad, seed) = try judge("lying")
    let wrong = bad.filter { $0.hasPrefix("WRONG") }
    #expect(wrong.isEmpty, "seed \(seed): \(wrong.prefix(3))")
    #expect(counts["good", default: 0] > 0 && counts["refused", default: 0] > 0)
  }
}
