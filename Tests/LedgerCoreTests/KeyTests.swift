import Foundation
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: an idempotency key is known for ever, in bounded memory, whatever becomes of the files in
/// which old ones lie.
/// Method: the filter and the run alone over random keys; then the engine with tables of a few
/// hundred keys, so that they are frozen, written and merged over and over, against a plain list of
/// what was paid.
@Suite(.timeLimit(.minutes(3))) struct KeyTests {
  // MARK: - The parts

  @Test func `a filter lets every key through, and of others about one in a hundred`() {
    var random = SplitMix64(seeded: "filter")
    for count in [1, 100, 50_000] {
      var filter = KeyFilter(keyCount: count)
      let tags = (0..<count).map { _ in random.next() }
      for tag in tags { filter.insert(tag) }
      #expect(tags.allSatisfy { filter.view.mayContain($0) })
      let others = (0..<30_000).map { _ in random.next() }
      let through = others.count { filter.view.mayContain($0) }
      if count == 50_000 { #expect(through > 30 && through < 450, "\(through)") }
    }
    #expect(KeyFilter.View.none.mayContain(7))
  }

  @Test func `a table hands its keys over in order`() {
    var random = SplitMix64(seeded: "sorted")
    let undo = Undo()
    defer { undo.destroy() }
    for count in [0, 1, 3_000, 200_000] {
      var table = Fingerprints(undo: undo)
      var expected: [KeyRun.Key] = []
      for event in 1...max(count, 1) where count > 0 {
        // Some tags twice, and some that all belong to the last places.
        let tag: UInt64 =
          switch random.below(20) {
          case 0: expected.randomElement(using: &random)?.tag ?? 1
          case 1 where event < 900: .max - UInt64(random.below(30))
          default: random.next()
          }
        table.insert(UInt128(tag), EventNumber(UInt64(event)))
        expected.append((tag, UInt64(event)))
      }
      expected.sort { $0 < $1 }
      var found: [KeyRun.Key] = []
      table.sorted { tag, event in found.append((tag, event)) }
      #expect(found.count == expected.count)
      #expect(zip(found, expected).allSatisfy { $0 == $1 })
    }
  }

  /// Giving back its memory would hold up whoever answers callers.
  @Test func `a table and runs that are discarded are let go of on another thread`() async throws {
    var till = try Till(100)
    for _ in 0..<20 {
      try till.pay(60)
      try await till.settle()
    }
    let keys = till.engine.housekeeping.keys
    let undo = Undo()
    defer { undo.destroy() }
    weak var table: FrozenKeys?
    weak var run: KeyRun?
    do {
      let frozen = FrozenKeys(Fingerprints(undo: undo), first: .none, last: .none)
      let opened = try KeyRun(keys.runs[0].path, filterByteCountMax: 0)
      (table, run) = (frozen, opened)
      keys.discard([opened], frozen)
    }
    for _ in 0..<1_000 where table != nil || run != nil {
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(table == nil && run == nil)
    try till.expectAllKnown()
    till.engine.close()
  }

  private static func write(_ keys: [KeyRun.Key], _ path: String) throws -> KeyRun.Head {
    var writer = try KeyRun.Writer(
      path,
      KeyRun.Head(
        ledger: 5, first: EventNumber(1), last: EventNumber(1_000_000), root: .none,
        keyCount: keys.count, sum: 0), pause: { _ in })
    for key in keys { try writer.put(key.tag, key.event) }
    return try writer.finish()
  }

  private static func keys(_ count: Int, _ random: inout SplitMix64) -> [KeyRun.Key] {
    var keys: [KeyRun.Key] = []
    for event in 1...count {
      // Runs of equal tags, some longer than a page.
      let tag = random.below(8) == 0 ? keys.last?.tag ?? 9 : random.next()
      keys.append((event > 1_000 && event < 1_600 ? 77 : tag, UInt64(event)))
    }
    return keys.sorted { $0 < $1 }
  }

  @Test func `every key of a run is found, with and without its filter`() throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: true)
    var random = SplitMix64(seeded: "run")
    let path = directory.path + "/a.keys"
    let keys = Self.keys(5_000, &random)
    let head = try Self.write(keys, path)
    for filterByteCountMax in [0, 1 << 20] {
      let run = try KeyRun(path, filterByteCountMax: filterByteCountMax)
      #expect(run.head == head && run.head.keyCount == 5_000)
      var index = 0
      try run.walk { tag, event in
        #expect(keys[index] == (tag, event))
        index += 1
      }
      #expect(index == keys.count)
      for (tag, same) in Dictionary(grouping: keys, by: \.tag) {
        #expect(run.view.mayContain(tag))
        #expect(try run.events(of: tag).map(\.rawValue) == same.map(\.event))
      }
      for _ in 0..<1_000 {
        let tag = random.next()
        #expect(try run.events(of: tag).isEmpty)
      }
    }
  }

  /// A key that is not found is paid twice, so no damage may hide one.
  @Test func `a changed byte anywhere in a run hides no key`() throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: true)
    var random = SplitMix64(seeded: "run flips")
    let path = directory.path + "/a.keys"
    var keys = (1...260).map { (tag: random.next(), event: UInt64($0)) }
    keys.sort { $0 < $1 }
    _ = try Self.write(keys, path)
    let whole = try Data(contentsOf: URL(filePath: path))
    var refusals = 0
    for index in whole.indices where index < 250 || random.below(9) == 0 {
      var data = whole
      data[index] ^= 1 << UInt8(random.below(8))
      try data.write(to: URL(filePath: path))
      do throws(StorageError) {
        let run = try KeyRun(path, filterByteCountMax: 1 << 20)
        for key in keys {
          #expect(run.view.mayContain(key.tag), "byte \(index)")
          let events = try run.events(of: key.tag)
          #expect(events.count == 1, "byte \(index)")
        }
        Issue.record("byte \(index): nothing was noticed")
      } catch {
        refusals += 1
      }
    }
    #expect(refusals > 500)
    for spoiled in [whole.dropLast(), whole + [0], Data()] {
      try Data(spoiled).write(to: URL(filePath: path))
      #expect(throws: StorageError.self) { try KeyRun(path, filterByteCountMax: 0) }
    }
  }

  // MARK: - The engine

  /// An engine whose tables hold few keys, and what was paid with which key.
  private struct Till {
    let scene: Scene
    let options: Engine.Options
    var engine: Engine
    /// The event of each key, by its number.
    var paid: [EventNumber] = []

    init(_ keysPerRun: Int, memory: Int = 512 << 20) throws {
      var options = TestClock().options
      options.keysPerRun = keysPerRun
      options.keyMemoryByteCount = memory
      self.options = options
      scene = try Scene(options)
      engine = scene.engine
    }

    var index: String { scene.directory.path + "/index" }

    func names() -> [String] {
      File.names(in: index).filter { $0.hasSuffix(".keys") }.sorted()
    }

    private func request(_ key: Int, _ units: Int128 = 1) throws -> Request {
      try engine.preparation.request(
        .payment(
          .pay(
            from: scene.from, to: .wallet(scene.to), amount: Amount(units: units), asset: .none,
            rail: .internal)),
        by: .agent(scene.ann), key: "key-\(key)")
    }

    mutating func pay(_ count: Int) throws {
      let requests = try (paid.count..<paid.count + count).map { try request($0) }
      for outcome in try engine.submitAndWait(requests) {
        guard case .done(let recorded, isReplay: false) = outcome else {
          throw Unexpected(outcome)
        }
        paid.append(recorded.number)
      }
    }

    /// Every key answers with its payment, and with another amount it is a conflict.
    func expectAllKnown(sourceLocation: SourceLocation = #_sourceLocation) throws {
      let head = engine.head
      let outcomes = try engine.submitAndWait(paid.indices.map { try request($0) })
      for (index, outcome) in outcomes.enumerated() {
        guard case .done(let recorded, isReplay: true) = outcome, recorded.number == paid[index]
        else {
          Issue.record("key \(index): \(outcome)", sourceLocation: sourceLocation)
          return
        }
      }
      let others = try engine.submitAndWait(paid.indices.map { try request($0, 2) })
      #expect(
        others.allSatisfy { $0.refusal?.reason == .idempotencyConflict },
        sourceLocation: sourceLocation)
      #expect(engine.head == head, sourceLocation: sourceLocation)
    }

    mutating func reopen() throws {
      engine.close()
      engine = try Engine.open(scene.directory.path, options)
    }

    /// Waits until nothing is left to write or to merge. A table is handed over when a batch was
    /// committed, so small ones are.
    func settle() async throws {
      for _ in 0..<1_000 {
        _ = try await engine.submit(
          .wallet(
            .fund(scene.to, amount: Amount(units: 1), asset: .none, cap: .commandMax)),
          by: .administrator)
        let (runs, limit) = (engine.housekeeping.keys.runs, engine.housekeeping.keys.limit)
        let written = runs.reduce(0) { $0 + $1.head.keyCount }
        let short = runs.count { $0.head.keyCount < limit * 8 }
        if paid.count - written < limit, short < 8 { return }
        try await Task.sleep(for: .milliseconds(10))
      }
      Issue.record("the keys are not written: \(names())")
    }
  }

  @Test func `keys are known for ever, in memory, on disk and merged`() async throws {
    var till = try Till(300)
    for round in 0..<40 {
      try till.pay(100)
      // A busy disk is handed larger tables, and then fewer of them.
      if round % 3 == 2 { try await till.settle() }
      if round % 10 == 9 { try till.expectAllKnown() }
    }
    try await till.settle()
    // Thirteen tables or so: eight of them in one run.
    let counts = till.engine.housekeeping.keys.runs.map(\.head.keyCount)
    #expect(counts.contains { $0 >= 2_400 } && counts.count < 13, "\(counts)")
    try till.expectAllKnown()
    #expect(try till.engine.verify().findings == [])
    try till.reopen()
    #expect(till.engine.housekeeping.keys.runs.map(\.head.keyCount) == counts)
    try till.expectAllKnown()
    try till.pay(700)
    try await till.settle()
    try till.expectAllKnown()
    till.engine.close()
  }

  @Test func `with a snapshot newer or older than the runs, opening finds every key`() async throws
  {
    var till = try Till(300)
    try till.pay(250)
    _ = try till.engine.makeSnapshot()
    try till.pay(500)
    try await till.settle()
    try till.reopen()
    try till.expectAllKnown()
    _ = try till.engine.makeSnapshot()
    try till.pay(10)
    try till.reopen()
    try till.expectAllKnown()
    #expect(try till.engine.verify().findings == [])
    till.engine.close()
  }

  /// A kill test found it: what opening wrote was not in the list that later merges went by.
  @Test func `runs that opening wrote are merged with those that came later`() async throws {
    var till = try Till(100)
    for round in 0..<6 {
      for _ in 0..<4 { try till.pay(40) }
      try await till.settle()
      // Without it, opening writes runs of what it reads from the log.
      till.engine.close()
      if round % 2 == 1, let name = till.names().last {
        try FileManager.default.removeItem(atPath: till.index + "/" + name)
      }
      try till.reopen()
    }
    for _ in 0..<20 { try till.pay(40) }
    try await till.settle()
    #expect(try till.engine.verify().findings == [])
    try till.reopen()
    try till.expectAllKnown()
    #expect(try till.engine.verify().findings == [])
    till.engine.close()
  }

  @Test func `missing, damaged and foreign runs are made anew`() async throws {
    var till = try Till(200)
    for _ in 0..<6 { try till.pay(150) }
    try await till.settle()
    let names = till.names()
    #expect(!names.isEmpty)
    let first = till.index + "/" + names[0]
    let whole = try Data(contentsOf: URL(filePath: first))

    for spoiled in [Data(), whole.dropLast(), Data(whole.map { $0 ^ 1 })] {
      till.engine.close()
      try Data(spoiled).write(to: URL(filePath: first))
      try till.reopen()
      #expect(till.names().first == names.first)
      try till.expectAllKnown()
    }
    till.engine.close()
    try FileManager.default.removeItem(atPath: till.index)
    try till.reopen()
    #expect(!till.names().isEmpty)
    try till.expectAllKnown()

    // Of another ledger, under the name of ours.
    var other = try Till(200)
    for _ in 0..<3 { try other.pay(150) }
    try await other.settle()
    other.engine.close()
    till.engine.close()
    try Data(contentsOf: URL(filePath: other.index + "/" + other.names()[0]))
      .write(to: URL(filePath: first))
    try till.reopen()
    try till.expectAllKnown()
    #expect(try till.engine.verify().findings == [])
    till.engine.close()
  }

  @Test func `a run with a damaged filter is used without one`() async throws {
    var till = try Till(200)
    for _ in 0..<4 { try till.pay(150) }
    try await till.settle()
    till.engine.close()
    let path = till.index + "/" + till.names()[0]
    var data = try Data(contentsOf: URL(filePath: path))
    data[data.count - 10] ^= 4
    try data.write(to: URL(filePath: path))
    try till.reopen()
    try till.expectAllKnown()
    till.engine.close()
  }

  /// What is read only when it is asked for is checked only then; the ledger ends rather than pay
  /// twice, and the next opening makes the run anew.
  @Test func `a damaged page ends the ledger before a key is paid twice`() async throws {
    var till = try Till(200)
    for _ in 0..<4 { try till.pay(150) }
    try await till.settle()
    till.engine.close()
    let path = till.index + "/" + till.names()[0]
    var data = try Data(contentsOf: URL(filePath: path))
    data[KeyRun.pageByteCount + 100] ^= 4
    try data.write(to: URL(filePath: path))
    try till.reopen()
    let finding = try till.engine.verify().findings
    #expect(finding.count == 1 && finding[0].contains("page 0"), "\(finding)")
    do {
      try till.expectAllKnown()
      Issue.record("nothing was noticed")
    } catch LedgerFailure.outcomeUnknown {
    } catch LedgerFailure.ledgerFailed {
    }
    try till.reopen()
    try till.expectAllKnown()
    #expect(try till.engine.verify().findings == [])
    till.engine.close()
  }

  @Test func `a run whose keys are not the log's is found by verify`() async throws {
    var till = try Till(200)
    for _ in 0..<4 { try till.pay(150) }
    try await till.settle()
    let run = till.engine.housekeeping.keys.runs[0]
    till.engine.close()
    var keys: [KeyRun.Key] = []
    try run.walk { tag, event in keys.append((tag, event)) }
    keys[3].event = keys[4].event
    try FileManager.default.removeItem(atPath: run.path)
    var writer = try KeyRun.Writer(run.path, run.head, pause: { _ in })
    for key in keys.sorted(by: { $0 < $1 }) { try writer.put(key.tag, key.event) }
    _ = try writer.finish()
    try till.reopen()
    let findings = try till.engine.verify().findings
    #expect(findings.count == 1 && findings[0].contains("not those of the log"), "\(findings)")
    till.engine.close()
  }

  @Test func `without memory for filters every key is known too`() async throws {
    var till = try Till(200, memory: 1_000)
    for _ in 0..<8 { try till.pay(150) }
    try await till.settle()
    #expect(till.engine.housekeeping.keys.runs.contains { $0.filterByteCount == 0 })
    try till.expectAllKnown()
    try till.reopen()
    try till.expectAllKnown()
    try till.pay(50)
    till.engine.close()
  }

  @Test func `a refused unit takes its keys back, also while a table is full`() async throws {
    var till = try Till(50)
    for round in 0..<10 {
      try till.pay(45)
      let unit = try (0..<20).map { index in
        try till.engine.preparation.request(
          .payment(
            .pay(
              from: till.scene.from, to: .wallet(till.scene.to),
              amount: Amount(units: index == 19 ? .max / 2 : 1), asset: .none, rail: .internal)),
          by: .agent(till.scene.ann), key: "unit-\(round)-\(index)")
      }
      #expect(try till.engine.submitAndWait(linked: unit).allSatisfy { $0.refusal != nil })
      // All but the one whose refusal is recorded are free again.
      let again = try till.engine.submitAndWait(Array(unit.dropLast()))
      #expect(again.allSatisfy { if case .done(_, isReplay: false) = $0 { true } else { false } })
    }
    try till.expectAllKnown()
    try till.reopen()
    try till.expectAllKnown()
    #expect(try till.engine.verify().findings == [])
    till.engine.close()
  }

  @Test func `runs of a history that was rolled back are not used`() async throws {
    var till = try Till(100)
    try till.pay(40)
    till.engine.close()
    let directory = till.scene.directory.path
    let kept = TemporaryDirectory()
    try FileManager.default.copyItem(atPath: directory, toPath: kept.path)
    try till.reopen()
    for _ in 0..<5 { try till.pay(50) }
    try await till.settle()
    #expect(!till.names().isEmpty)
    till.engine.close()
    // The log of before, the index of after: the log lost events, unless as many come again.
    for name in ["/log/data.mdb", "/head.log"] {
      try Data(contentsOf: URL(filePath: kept.path + name)).write(
        to: URL(filePath: directory + name))
    }
    #expect(throws: StorageError.self) { try Engine.open(directory, till.options) }
    let hidden = TemporaryDirectory()
    try FileManager.default.moveItem(atPath: till.index, toPath: hidden.path)
    till.paid = Array(till.paid.prefix(40))
    try till.reopen()
    for _ in 0..<8 {
      let requests = try (0..<50).map { _ in try till.scene.pay(3) }
      _ = try till.engine.submitAndWait(requests)
    }
    till.engine.close()
    try? FileManager.default.removeItem(atPath: till.index)
    try FileManager.default.moveItem(atPath: hidden.path, toPath: till.index)
    try till.reopen()
    try till.expectAllKnown()
    try till.pay(120)
    try till.expectAllKnown()
    till.engine.close()
  }
}
