import Foundation
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: damaged, foreign, missing or misplaced files are refused by name, never opened with a
/// wrong balance; and a refusal harms nothing.
/// Method: a small ledger, closed; one thing wrong with it; open it and read the error. Then the
/// thing is put right again, and the ledger must open with the balances it had.
@Suite struct DamageTests {
  /// A closed ledger with 500, 20 and 1 payments in three commits.
  private struct Ruin {
    let scene: Scene
    let options: Engine.Options
    let state: [UInt8]

    var path: String { scene.directory.path }
    var data: String { path + "/log/data.mdb" }
    var headLog: String { path + "/head.log" }

    init(_ spans: [Int] = [500, 20, 1], _ options: Engine.Options = TestClock().options) throws {
      self.options = options
      let scene = try Scene(options)
      for count in spans {
        _ = try scene.engine.submitAndWait((0..<count).map { _ in try scene.pay(1_000) })
      }
      state = try scene.engine.read { $0.bytes }
      scene.engine.close()
      self.scene = scene
    }

    func bytes(_ path: String) throws -> [UInt8] {
      Array(try Data(contentsOf: URL(filePath: path)))
    }

    /// Over the old file and not beside it, as whoever edits a file in place.
    func write(_ bytes: [UInt8], _ path: String) throws {
      try Data(bytes).write(to: URL(filePath: path))
    }

    /// The refusal of opening; records an issue where it opens.
    func refusal(
      _ options: Engine.Options? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) -> StorageError? {
      do throws(StorageError) {
        let engine = try Engine.open(path, options ?? self.options)
        engine.close()
        Issue.record("it opened", sourceLocation: sourceLocation)
        return nil
      } catch {
        return error
      }
    }

    func expectWhole(sourceLocation: SourceLocation = #_sourceLocation) throws {
      let engine = try Engine.open(path, options)
      #expect(try engine.read { $0.bytes } == state, sourceLocation: sourceLocation)
      engine.close()
    }
  }

  /// Damaged, and the message names each of these.
  private func expectDamaged(
    _ error: StorageError?, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    guard case .damaged(let message)? = error else {
      Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
      return
    }
    for word in words {
      #expect(message.contains(word), "\(message)", sourceLocation: sourceLocation)
    }
    #expect(error?.exitCode == 74, sourceLocation: sourceLocation)
  }

  private func expectRefused(
    _ error: StorageError?, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    guard case .refused(let message)? = error else {
      Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
      return
    }
    for word in words {
      #expect(message.contains(word), "\(message)", sourceLocation: sourceLocation)
    }
    #expect(error?.exitCode == 78, sourceLocation: sourceLocation)
  }

  // MARK: - data.mdb

  @Test func `a data file that was cut short is refused at any length`() throws {
    let ruin = try Ruin()
    let whole = try ruin.bytes(ruin.data)
    for count in [1, 4_095, 4_096, 8_191, 8_192, whole.count / 2, whole.count - 4_096] {
      try ruin.write(Array(whole.prefix(count)), ruin.data)
      expectDamaged(ruin.refusal(), "data.mdb", "\(count) bytes")
    }
    try ruin.write([], ruin.data)
    expectDamaged(ruin.refusal())
    try ruin.write(whole, ruin.data)
    try ruin.expectWhole()
  }

  @Test func `a file of something else is refused`() throws {
    let ruin = try Ruin([3])
    let whole = try ruin.bytes(ruin.data)
    var random = SplitMix64(seeded: "garbage")
    try ruin.write(random.bytes(20_000), ruin.data)
    expectDamaged(ruin.refusal(), "data.mdb", "meta page 0")
    try ruin.write([UInt8](repeating: 0, count: 20_000), ruin.data)
    expectDamaged(ruin.refusal(), "data.mdb", "meta page 0")
    try ruin.write(whole, ruin.data)
    try ruin.expectWhole()
  }

  /// Offsets in a page of what must be so, each with a value that cannot be.
  @Test(
    arguments: [
      (0, [9]), (10, [0]), (16, [0xDF]), (20, [2]), (40, [0, 0x20]), (41, [0x20]),
      (137, [0xFF]), (143, [0x7F]), (144, [0xFF, 0xFF]), (151, [1]),
    ] as [(Int, [UInt8])])
  func `a meta page with an impossible field is refused`(offset: Int, value: [UInt8]) throws {
    let ruin = try Ruin([3])
    let whole = try ruin.bytes(ruin.data)
    for page in 0..<2 {
      var bytes = whole
      bytes.replaceSubrange(
        (page * 4_096 + offset)..<(page * 4_096 + offset + value.count), with: value)
      try ruin.write(bytes, ruin.data)
      expectDamaged(ruin.refusal(), "data.mdb")
    }
    try ruin.write(whole, ruin.data)
    try ruin.expectWhole()
  }

  /// After a commit whose last write failed, LMDB leaves the newest roots in the older meta page,
  /// and does not follow them. (A sweep over all system calls found ledgers refused for it.)
  @Test(
    arguments: [(80, [0, 0xFF]), (81, [0xFF, 0xFF]), (128, [0xFF, 0xFF])] as [(Int, [UInt8])])
  func `a root outside the file is refused in the newer meta page`(
    offset: Int, value: [UInt8]
  ) throws {
    let ruin = try Ruin([3])
    let whole = try ruin.bytes(ruin.data)
    let newer =
      whole[144..<152].reversed().lexicographicallyPrecedes(
        whole[4_240..<4_248].reversed()) ? 1 : 0
    for page in 0..<2 {
      var bytes = whole
      let place = page * 4_096 + offset
      bytes.replaceSubrange(place..<place + value.count, with: value)
      try ruin.write(bytes, ruin.data)
      if page == newer {
        expectDamaged(ruin.refusal(), "data.mdb", "meta page \(page)", "root")
      } else {
        try ruin.expectWhole()
      }
    }
  }

  /// LMDB would open it without a word: of its two meta pages the older one is whole.
  @Test func `a meta page that rolls the last commit back is found out`() throws {
    let ruin = try Ruin()
    let whole = try ruin.bytes(ruin.data)
    let transaction = { (page: Int) in
      whole[(page * 4_096 + 144)..<(page * 4_096 + 152)].reversed().reduce(0) {
        $0 << 8 | UInt64($1)
      }
    }
    let newest = transaction(0) > transaction(1) ? 0 : 1
    var bytes = whole
    let older = transaction(newest) - 2
    for index in 0..<8 {
      bytes[newest * 4_096 + 144 + index] = UInt8(truncatingIfNeeded: older >> UInt64(index * 8))
    }
    try ruin.write(bytes, ruin.data)
    let last = ruin.scene.engine.head
    expectDamaged(ruin.refusal(), "events \(last) to \(last)", "acknowledged")
    try ruin.write(whole, ruin.data)
    try ruin.expectWhole()
  }

  @Test func `a flipped byte anywhere in a block names the block`() throws {
    let ruin = try Ruin()
    let whole = try ruin.bytes(ruin.data)
    // The block of 500 payments, in pages of its own: "LBLK", version 1, then its first event.
    let first = ruin.scene.engine.head.rawValue - 520
    let mark: [UInt8] = Array("LBLK".utf8) + [1, 0, 0, 0] + EventLog.number(first)
    let start = try #require(
      stride(from: 0, to: whole.count - 16, by: 16).first {
        whole[$0..<$0 + 16].elementsEqual(mark)
      })
    let length = Block.headerByteCount + 500 * (88 + 4)
    var random = SplitMix64(seeded: "block flips")
    for round in 0..<40 {
      var bytes = whole
      let offset = round < 8 ? round * 8 : random.below(length)
      // The bytes of the header that stay zero are under the checksum like all others.
      bytes[start + offset] ^= 1 << UInt8(random.below(8))
      try ruin.write(bytes, ruin.data)
      let error = ruin.refusal()
      #expect(error?.description.contains("block \(first)") == true, "\(offset): \(error)")
    }
    try ruin.write(whole, ruin.data)
    try ruin.expectWhole()
  }

  /// Opening begins at the snapshot and does not read older blocks.
  @Test func `a flipped byte before the snapshot is found by whoever reads it, and by verify`()
    throws
  {
    var options = TestClock().options
    options.keysPerRun = 1
    let ruin = try Ruin([3], options)
    let maker = try Engine.open(ruin.path, ruin.options)
    let known = try maker.preparation.request(
      .payment(
        .pay(
          from: ruin.scene.from, to: .wallet(ruin.scene.to), amount: Amount(units: 7),
          asset: .none, rail: .internal)),
      by: .agent(ruin.scene.ann), key: "known")
    _ = try maker.submitAndWait(known)
    _ = try maker.makeSnapshot()
    let head = maker.head
    // Neither does it read the keys of the log that are on disk by themselves. Another thread
    // writes those, and says so to nobody: look until they are there.
    for _ in 0..<500 where maker.housekeeping.keys.runs.last?.head.last != head { usleep(10_000) }
    let state = try maker.read { $0.bytes }
    maker.close()
    let whole = try ruin.bytes(ruin.data)
    // The amount in the frame that the key's answer is made of: 7, where 8 would be as good.
    let frame = try Scene.frame(of: head, in: whole)
    var bytes = whole
    bytes[frame + 24 + 24] ^= 15
    try ruin.write(bytes, ruin.data)

    let engine = try Engine.open(ruin.path, ruin.options)
    #expect(try engine.read { $0.bytes } == state)
    #expect(throws: LedgerFailure.self) { try engine.event(head) }
    #expect(try engine.verify().findings.first?.contains("block \(head)") == true)
    // An answer that is not the one that was given ends the ledger instead.
    #expect(throws: LedgerFailure.self) { try engine.submitAndWait(known) }
    engine.close()
    try ruin.write(whole, ruin.data)
    let again = try Engine.open(ruin.path, ruin.options)
    guard case .done(let recorded, isReplay: true) = try again.submitAndWait(known) else {
      Issue.record("the key was not known")
      return
    }
    #expect(recorded.number == head)
    again.close()
  }

  @Test func `an older copy of the data file is refused, since events were acknowledged`() throws {
    let ruin = try Ruin([5])
    let old = try ruin.bytes(ruin.data)
    let engine = try Engine.open(ruin.path, ruin.options)
    _ = try engine.submitAndWait((0..<7).map { _ in try ruin.scene.pay(1) })
    let head = engine.head
    let state = try engine.read { $0.bytes }
    engine.close()
    let new = try ruin.bytes(ruin.data)
    try ruin.write(old, ruin.data)
    expectDamaged(ruin.refusal(), "events \(head.rawValue - 6) to \(head)", "acknowledged")
    try ruin.write(new, ruin.data)
    let again = try Engine.open(ruin.path, ruin.options)
    #expect(try again.read { $0.bytes } == state)
    again.close()
  }

  @Test func `a missing data file is refused, not made anew`() throws {
    let ruin = try Ruin([3])
    let whole = try ruin.bytes(ruin.data)
    try FileManager.default.removeItem(atPath: ruin.data)
    expectDamaged(ruin.refusal(), "data.mdb is gone", "acknowledged")
    #expect(!FileManager.default.fileExists(atPath: ruin.data))
    try ruin.write(whole, ruin.data)
    try ruin.expectWhole()
  }

  @Test func `the data file of another ledger is refused`() throws {
    var options = TestClock().options
    options.masterKey = [UInt8](repeating: 7, count: 32)
    let ours = try Ruin([5], options)
    let whole = try ours.bytes(ours.data)
    for count in [1, 5, 9] {
      let theirs = try Ruin([count], options)
      try ours.write(try theirs.bytes(theirs.data), ours.data)
      expectDamaged(ours.refusal(), "acknowledged")
    }
    // With a master key of its own the other ledger is not even readable.
    let foreign = try Ruin([5])
    try ours.write(try foreign.bytes(foreign.data), ours.data)
    expectRefused(ours.refusal(), "master key is not the one")
    try ours.write(whole, ours.data)
    try ours.expectWhole()
  }

  /// What a crash or a power loss leaves of a file that LMDB had begun to make.
  @Test func `a data file whose making was cut off is made again, once acknowledged never`() throws
  {
    for left in [[], [UInt8](repeating: 0, count: 100), [UInt8](repeating: 0, count: 8_192)] {
      let ruin = try Ruin([])
      let whole = try ruin.bytes(ruin.data)
      let records = try ruin.bytes(ruin.headLog)
      let half = left.isEmpty ? Array(whole.prefix(4_096)) : left
      try ruin.write(half, ruin.data)
      expectDamaged(ruin.refusal(), "data.mdb")
      try ruin.write([UInt8](repeating: 0, count: records.count), ruin.headLog)
      try FileManager.default.removeItem(atPath: ruin.path + "/log/lock.mdb")
      let engine = try Engine.open(ruin.path, ruin.options)
      #expect(engine.head == EventNumber(1))
      engine.close()
    }
  }

  // MARK: - head.log

  @Test func `a torn first record is that of genesis, whose commit is there`() throws {
    let directory = TemporaryDirectory()
    try Engine.open(directory.path, .test).close()
    let path = directory.path + "/head.log"
    var bytes = Array(try Data(contentsOf: URL(filePath: path)))
    bytes.replaceSubrange(96..<128, with: [UInt8](repeating: 0, count: 32))
    try Data(bytes).write(to: URL(filePath: path))
    let engine = try Engine.open(directory.path, .test)
    #expect(engine.head == EventNumber(1))
    // Written anew and synced, so that no power loss after the next commits finds an empty ring.
    #expect(try HeadLog(path).newest?.last == EventNumber(1))
    _ = try Scene.agent("ann", engine)
    engine.close()
    try Engine.open(directory.path, .test).close()
    // With more in the log, a record that says so is missing.
    try Data(bytes).write(to: URL(filePath: path))
    #expect(throws: StorageError.self) { _ = try Engine.open(directory.path, .test) }
  }

  @Test func `a missing, short or emptied head log is refused`() throws {
    let ruin = try Ruin([3])
    let whole = try ruin.bytes(ruin.headLog)
    try FileManager.default.removeItem(atPath: ruin.headLog)
    expectDamaged(ruin.refusal(), "head.log is missing")
    try ruin.write(Array(whole.dropLast(64)), ruin.headLog)
    expectDamaged(ruin.refusal(), "head.log is \(whole.count - 64) bytes")
    try ruin.write([UInt8](repeating: 0, count: whole.count), ruin.headLog)
    expectDamaged(ruin.refusal(), "head.log is empty")
    try ruin.write([UInt8](repeating: 0xA5, count: whole.count), ruin.headLog)
    expectDamaged(ruin.refusal(), "head.log has no whole record")
    try ruin.write(whole, ruin.headLog)
    try ruin.expectWhole()
  }

  @Test func `a head log that lags is caught up with, one of another ledger is refused`() throws {
    let ruin = try Ruin([3])
    let old = try ruin.bytes(ruin.headLog)
    let engine = try Engine.open(ruin.path, ruin.options)
    _ = try engine.submitAndWait(ruin.scene.pay(1))
    let state = try engine.read { $0.bytes }
    engine.close()
    // As after a power loss: the log was synced, the head log was not.
    try ruin.write(old, ruin.headLog)
    let again = try Engine.open(ruin.path, ruin.options)
    #expect(try again.read { $0.bytes } == state)
    again.close()
    let other = try Ruin([3])
    try ruin.write(try other.bytes(other.headLog), ruin.headLog)
    expectDamaged(ruin.refusal(), "is not the one that was acknowledged")
  }
}

extension Scene {
  /// Where in a data file the only frame of the block that begins with `event` begins.
  fileprivate static func frame(of event: EventNumber, in data: [UInt8]) throws -> Int {
    let mark = Array("LBLK".utf8) + [1, 0, 0, 0] + EventLog.number(event.rawValue)
    let start = data.indices.first { data[$0...].starts(with: mark) }
    return try #require(start) + Block.headerByteCount
  }
}
