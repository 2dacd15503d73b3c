import Foundation
import TestSupport
import Testing

@testable import KillTarget
@testable import LedgerCore

/// Goal: whichever system call is the last one, or fails, everything that was answered is there
/// afterwards, and nothing twice; a full disk is waited for, and any other error ends the engine.
/// Method: a child makes fifty payments with one fault at the n-th of the calls that reach the
/// ledger's files, from the first directory made on; then the ledger is opened here without faults.
/// Every key is sent again: answered ones answer the same event, the payee has each payment once.
/// `FAULT_STEP=1` tries every n; the short form one in twenty, another one in each run.
@Suite(.serialized) struct FaultTests {
  private static let step =
    ProcessInfo.processInfo.environment["FAULT_STEP"].flatMap { Int($0) } ?? 20

  /// How a run with a fault ended.
  private struct Run {
    var end: Child.End
    var answered: [String: String] = [:]
    var unknown: Set<String> = []
    var full = 0

    init(
      _ directory: TemporaryDirectory, _ fault: String, at call: Int, isBurst: Bool = false
    ) throws {
      let script = isBurst ? "burst" : "script"
      let child = try Child([script, directory.path, fault, String(call)])
      end = child.wait()
      for line in child.lines {
        let words = line.split(separator: " ").map(String.init)
        switch words.first {
        case "done" where words.count == 3: answered[words[1]] = words[2]
        case "unknown" where words.count == 2: unknown.insert(words[1])
        case "full" where words.count == 2: full += 1
        default: break  // not ours: a sentence of why it ended
        }
      }
    }
  }

  /// Runs the script with `fault` at many calls, and checks what each leaves.
  private func sweep(
    _ fault: String, isBurst: Bool = false, _ body: (Run, Int) throws -> Void
  ) throws {
    var random = SplitMix64(seeded: "\(fault) at call")
    // A burst takes as many commits as it happens to; most of its calls are of opening.
    let callCount = isBurst ? 90 : try self.callCount()
    let first = 1 + random.below(min(Self.step, callCount))
    var (runCount, answered, wrong) = (0, 0, 0)
    for call in stride(from: first, through: callCount, by: Self.step) {
      let directory = TemporaryDirectory()
      let run = try Run(directory, fault, at: call, isBurst: isBurst)
      try body(run, call)
      let isRecovered = try check(directory, run, "\(fault) at call \(call)")
      wrong += isRecovered ? 0 : 1
      runCount += 1
      answered += run.answered.count
    }
    print(
      "prove: \(fault)\(isBurst ? " in a burst" : "") at \(runCount) of \(callCount) calls;",
      "seed \(random.seed); \(runCount - wrong) recovered, with \(answered) answers kept")
  }

  private func callCount() throws -> Int {
    let directory = TemporaryDirectory()
    let child = try Child(["script", directory.path, "none", "0"])
    #expect(child.wait() == .exit(0))
    let last = child.lines.last?.split(separator: " ").last.flatMap { Int($0) }
    let callCount = try #require(last)
    // Four calls a commit, and those of opening: fewer would mean that they are not counted.
    try #require(callCount > 200)
    return callCount
  }

  /// Whether what the run left is as it should be.
  private func check(_ directory: TemporaryDirectory, _ run: Run, _ what: String) throws -> Bool {
    let engine = try Engine.open(directory.path, .test)
    defer { engine.close() }
    let workload = try Workload(engine)
    var isWhole = true
    for key in Script.keys {
      let outcome = try engine.submitAndWait(workload.request(key))
      let recorded = try #require(outcome.recorded, "\(what): \(key) is \(outcome)")
      if let answered = run.answered[key] {
        let isSame = "\(recorded.number)" == answered
        let isReplay = outcome == .done(recorded, isReplay: true)
        #expect(isSame, "\(what): \(key) was answered otherwise")
        #expect(isReplay, "\(what): \(key) was done again")
        isWhole = isWhole && isSame && isReplay
      }
    }
    let paid = try engine.read { $0.wallets.wallets[WalletNumber(2)].available }
    let due = Int128(Script.keys.count) * Workload.amount
    let findings = try engine.verify().findings
    #expect(paid == due && findings == [], "\(what)")
    return isWhole && paid == due && findings == []
  }

  /// It harms nothing but time, so it is told, and forgotten a minute later.
  @Test func `a slow disk is told while a commit waits for it and for a minute after`() throws {
    let directory = TemporaryDirectory()
    let child = try Child(["slow", directory.path])
    #expect(child.wait() == .exit(0), "\(child.lines)")
    var said: [String: Int] = [:]
    for line in child.lines {
      let words = line.split(separator: " ")
      if words.count == 2 { said[String(words[0])] = Int(words[1]) }
    }
    #expect(said["before"] == 0 && said["later"] == 0, "\(said)")
    for moment in ["during", "after", "soon"] { #expect(said[moment] ?? 0 > 1_000, "\(said)") }
    #expect(said["soon"] == said["after"] && said["after"] ?? 0 >= 1_300, "\(said)")
  }

  @Test(arguments: ["exit", "torn"]) func `a process may end at any call`(_ fault: String) throws {
    try sweep(fault) { run, call in
      #expect(run.end == .exit(137), "call \(call)")
      #expect(run.unknown.isEmpty && run.full == 0, "call \(call)")
    }
  }

  @Test(arguments: ["eio", "eio-on"])
  func `an error of the disk ends the engine, at most one call after it`(_ fault: String) throws {
    try sweep(fault) { run, call in
      // The last call lets go of the lock, when everything was answered.
      let isOver = run.answered.count == Script.keys.count
      #expect(run.end == .exit(74) || (run.end == .exit(0) && isOver), "call \(call)")
      #expect(run.unknown.count <= 1 && run.full == 0, "call \(call): \(run.unknown)")
    }
  }

  /// A disk that is full for a moment is waited for. Only where the ledger is opened, or where a
  /// record was to be written after the commit, does it end, since nobody waits there.
  @Test func `a disk that was full once costs no answer`() throws {
    var recovered = 0
    try sweep("enospc") { run, call in
      if run.end == .exit(0) {
        recovered += 1
        #expect(run.answered.count == Script.keys.count && run.unknown.isEmpty, "call \(call)")
      } else {
        #expect(run.end == .exit(74), "call \(call)")
      }
    }
    #expect(recovered > 0)
  }

  @Test func `a disk that stays full says so, and goes on without a restart when it is not`() throws
  {
    var (recovered, waited) = (0, 0)
    try sweep("enospc-on") { run, call in
      if run.end == .exit(0) {
        recovered += 1
        waited += run.unknown.isEmpty ? 0 : 1
        #expect(run.answered.count == Script.keys.count, "call \(call)")
      } else {
        #expect(run.end == .exit(74), "call \(call)")
      }
    }
    #expect(recovered > 0 && waited > 0)
  }

  // MARK: - The same while one batch is committed and the next decided

  @Test(arguments: ["exit", "torn"])
  func `a process may end while batches follow each other`(_ fault: String) throws {
    try burst(fault, code: 137)
  }

  @Test(arguments: ["eio", "eio-on", "enospc", "enospc-on"])
  func `an error while batches follow each other loses nothing either`(_ fault: String) throws {
    try burst(fault, code: 74)
  }

  /// It ends with `code`, or was over before the fault.
  private func burst(_ fault: String, code: Int32) throws {
    try sweep(fault, isBurst: true) { run, call in
      let isOver = run.answered.count == Script.keys.count
      #expect(run.end == .exit(code) || (run.end == .exit(0) && isOver), "call \(call): \(run)")
    }
  }
}
