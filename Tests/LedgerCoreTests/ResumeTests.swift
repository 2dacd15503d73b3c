import Foundation
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: a check that was interrupted goes on where it was and finds what a whole one finds; it
/// says what it did not see; and a place that is damaged or of another log never wins.
/// Method: a ledger of some 60 blocks with keys, texts, snapshots and subtrees, checked in parts.
@Suite(.timeLimit(.minutes(3))) struct ResumeTests {
  /// A ledger, what its opening and its checks warned of, and where their place is kept.
  private struct Bench {
    let scene: Scene
    let warnings = Warnings()
    let options: Engine.Options
    var engine: Engine
    var keyCount = 0

    var place: String { scene.directory.path + "/verify.progress" }

    init(keysPerRun: Int = 1_000) throws {
      var options = warnings.options(TestClock().options)
      options.keysPerRun = keysPerRun
      self.options = options
      scene = try Scene(options)
      engine = scene.engine
      try pay(batches: 30)
      _ = try engine.makeSnapshot()
      try pay(batches: 30)
    }

    /// Payments in batches of twelve, one a block, with keys, and one of each with a text.
    mutating func pay(batches: Int) throws {
      for _ in 0..<batches {
        var requests: [Request] = []
        for index in 0..<12 {
          keyCount += 1
          let command = Payments.Command.pay(
            from: scene.from, to: .wallet(scene.to), amount: Amount(units: 1_000), asset: .none,
            rail: .internal)
          requests.append(
            try engine.preparation.request(
              .payment(command), by: .agent(scene.ann), key: "key-\(keyCount)",
              text: index == 0 ? ["batch"] : []))
        }
        _ = try engine.submitAndWait(requests)
      }
    }

    mutating func reopen() throws {
      engine.close()
      engine = try Engine.open(scene.directory.path, options)
    }

    /// Checks until `steps` steps of eight blocks were made, to the end where nil.
    func check(_ steps: Int? = nil, resuming: Bool = false) throws -> Verification {
      var made = 0
      return try engine.verify(keepingPlaceAt: place, resuming: resuming) { _ in
        made += 1
        return steps.map { made <= $0 } ?? true
      }
    }

    func expectBegunAnew(_ what: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      let found = try check(resuming: true)
      #expect(found.earlier == nil && found.findings == [], sourceLocation: sourceLocation)
      let last = warnings.all.last ?? ""
      #expect(last.contains(what), "\(last)", sourceLocation: sourceLocation)
    }
  }

  /// All but who saw it.
  private func isSame(_ one: Verification, _ other: Verification) -> Bool {
    one.eventCount == other.eventCount && one.blockCount == other.blockCount
      && one.textCount == other.textCount && one.snapshotCount == other.snapshotCount
      && one.root == other.root && one.state == other.state && one.findings == other.findings
  }

  @Test func `stopped anywhere and resumed, it says what a whole check says`() throws {
    let bench = try Bench()
    let whole = try bench.engine.verify()
    #expect(whole.findings == [] && whole.snapshotCount == 1 && whole.textCount > 50)
    #expect(whole.earlier == nil && whole.kept == nil)
    for steps in 1...7 {
      let part = try bench.check(steps)
      let kept = try #require(part.kept)
      #expect(kept.rawValue == UInt64(part.eventCount) && part.findings == [])
      let rest = try bench.check(resuming: true)
      #expect(isSame(rest, whole) && rest.kept == nil, "\(steps): \(rest)")
      let earlier = try #require(rest.earlier)
      #expect(earlier.last == kept && earlier.began <= earlier.ended)
      #expect(!File.exists(bench.place) && !File.exists(bench.place + ".partial"))
    }
    #expect(bench.warnings.all == [])
    // Where nothing is kept it begins at event 1, and so it does where nobody says to resume.
    #expect(try bench.check(resuming: true).earlier == nil)
    _ = try bench.check(3)
    #expect(try bench.check().earlier == nil)
    bench.engine.close()
  }

  @Test func `in many parts it says when the first began`() throws {
    let bench = try Bench()
    let first = try #require(try bench.check(1).kept)
    var found = try bench.check(1, resuming: true)
    let began = try #require(found.earlier?.began)
    var last = first
    while let kept = found.kept {
      #expect(kept > last && found.earlier?.last == last)
      last = kept
      found = try bench.check(1, resuming: true)
      #expect(found.earlier?.began == began)
    }
    #expect(isSame(found, try bench.engine.verify()))
    bench.engine.close()
  }

  @Test func `it goes on though the log grew and its keys were written and merged meanwhile`()
    async throws
  {
    var bench = try Bench(keysPerRun: 90)
    for round in 0..<6 {
      for steps in [1, 3, 5] {
        #expect(try bench.check(steps).kept?.isSome == true)
        try bench.pay(batches: 8)
        // Runs are written and merged by a thread of the lowest priority.
        try await Task.sleep(for: .milliseconds(50))
        if round % 2 == 0 { try bench.reopen() }
        let rest = try bench.check(resuming: true)
        #expect(rest.findings == [] && rest.earlier != nil, "\(round) \(rest)")
        #expect(isSame(rest, try bench.engine.verify()))
      }
    }
    #expect(bench.engine.housekeeping.keys.runs.contains { $0.head.keyCount > 400 })
    bench.engine.close()
  }

  @Test func `where the index of old keys is another by now, it begins anew`() throws {
    var bench = try Bench(keysPerRun: 200)
    for _ in 0..<500 where bench.engine.housekeeping.keys.runs.isEmpty { usleep(10_000) }
    _ = try bench.check(7)
    bench.engine.close()
    try File.removeFiles(in: bench.scene.directory.path + "/index")
    var options = bench.options
    options.keysPerRun = 130
    bench.engine = try Engine.open(bench.scene.directory.path, options)
    try bench.expectBegunAnew("made anew")
    bench.engine.close()
  }

  @Test func `a damaged place is passed over with a warning`() throws {
    let bench = try Bench()
    _ = try bench.check(5)
    let whole = Array(try Data(contentsOf: URL(filePath: bench.place)))
    var random = SplitMix64(seeded: "flips of a place")
    for round in 0..<60 {
      var bytes = whole
      bytes[round < 30 ? random.below(200) : random.below(whole.count)] ^= 1 << random.below(8)
      try Data(bytes).write(to: URL(filePath: bench.place))
      try bench.expectBegunAnew("verify.progress is passed over")
    }
    for bytes in [[], Array(whole.dropLast()), whole + [0], Array(whole[..<100])] {
      try Data(bytes).write(to: URL(filePath: bench.place))
      try bench.expectBegunAnew("verify.progress is passed over")
    }
    #expect(bench.warnings.all.count == 64)
    bench.engine.close()
  }

  @Test func `a place in another ledger or in a log that was rolled back is passed over`() throws {
    var bench = try Bench()
    let other = try Bench()
    _ = try other.check(2)
    try FileManager.default.copyItem(atPath: other.place, toPath: bench.place)
    try bench.expectBegunAnew("another ledger")
    // An older copy of the log, in which other events follow.
    bench.engine.close()
    let older = TemporaryDirectory()
    try FileManager.default.copyItem(atPath: bench.scene.directory.path, toPath: older.path)
    try bench.reopen()
    try bench.pay(batches: 20)
    _ = try bench.check(9)
    let place = try Data(contentsOf: URL(filePath: bench.place))
    bench.engine.close()
    for batches in [0, 20] {
      let warnings = Warnings()
      let engine = try Engine.open(older.path, warnings.options(bench.options))
      bench.engine = engine
      if batches > 0 {
        // One event more shifts all that follow.
        _ = try engine.submitAndWait(bench.scene.pay(1))
        try bench.pay(batches: batches)
      }
      let path = older.path + "/verify.progress"
      try place.write(to: URL(filePath: path))
      let found = try engine.verify(keepingPlaceAt: path, resuming: true) { _ in true }
      #expect(found.earlier == nil && found.findings == [], "\(found)")
      #expect(warnings.all.count == 1 && !File.exists(path), "\(warnings.all)")
      engine.close()
    }
    other.engine.close()
  }

  /// Method: whatever is kept on the way is put back, as if the process had been killed then.
  @Test func `a check that is killed goes on from what it kept last`() throws {
    let bench = try Bench()
    let place = VerifierPlace(bench.place, bench.engine.housekeeping, interval: .zero)
    var kept: [Data] = []
    let whole = try bench.engine.verify(in: place, resuming: false) { _ in
      if let data = FileManager.default.contents(atPath: bench.place), data != kept.last {
        kept.append(data)
      }
      return true
    }
    #expect(!kept.isEmpty)
    for data in kept {
      try data.write(to: URL(filePath: bench.place))
      let rest = try bench.check(resuming: true)
      #expect(isSame(rest, whole) && rest.earlier != nil, "\(rest)")
    }
    bench.engine.close()
  }

  @Test func `a place that cannot be written is a warning, and the check goes on`() throws {
    let bench = try Bench()
    try File.makeDirectory(bench.place)
    #expect(try bench.check(2).kept == EventNumber.none)
    #expect(bench.warnings.all.count == 1 && bench.warnings.all[0].contains("not kept"))
    let found = try bench.check()
    #expect(found.findings == [] && found.kept == nil)
    bench.engine.close()
  }

  @Test func `what is found stays found, however often the check is stopped`() throws {
    let bench = try Bench()
    // The snapshot of an event in the middle: a finding that ends no check.
    let directory = bench.scene.directory.path + "/snapshots/"
    let path = directory + (try #require(File.names(in: directory).first))
    var data = try Data(contentsOf: URL(filePath: path))
    data[data.count - 1] ^= 1
    try data.write(to: URL(filePath: path))
    let clean = try #require(try bench.check(3).kept)
    let found = try bench.check(4, resuming: true)
    #expect(found.findings.count == 1 && found.kept == clean, "\(found)")
    let rest = try bench.check(resuming: true)
    #expect(rest.findings == found.findings && rest.earlier?.last == clean)
    #expect(!File.exists(bench.place))
    bench.engine.close()
  }
}
