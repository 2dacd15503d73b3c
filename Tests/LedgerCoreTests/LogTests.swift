import Foundation
import Synchronization
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: the log holds every event once, in blocks within their bounds, with their texts beside
/// them.
/// Method: the real engine on a real directory; then the blocks, read without the engine.
@Suite struct LogTests {
  /// Closes the engine and hands its log to `body`.
  private func withLog<Value>(
    _ scene: Scene, _ body: (EventLog) throws -> Value
  ) throws -> Value {
    scene.engine.close()
    let environment = try Environment(
      directory: scene.directory.path + "/log", databases: EventLog.names, mapByteCount: 1 << 30,
      durability: .synced, mayCreate: false)
    return try body(EventLog(environment))
  }

  private func headers(_ log: EventLog) throws -> [Block.Header] {
    var blocks: [Block.Header] = []
    _ = try log.walkBlocks(from: EventNumber(1), countMax: .max, checking: .every) {
      header, bytes throws(StorageError) in
      #expect(header.framesByteCount <= Block.framesByteCountMax)
      #expect(header.count <= Block.eventCountMax)
      blocks.append(header)
      return true
    }
    for (block, next) in zip(blocks, blocks.dropFirst()) {
      #expect(next.first.rawValue == block.last.rawValue + 1)
      #expect(next.time > block.time)
    }
    return blocks
  }

  @Test func `a span beyond 8,192 events is split there`() throws {
    let scene = try Scene()
    let head = scene.engine.head.rawValue
    _ = try scene.engine.submitAndWait((0..<20_000).map { _ in try scene.pay(1) })
    let blocks = try withLog(scene) { try headers($0) }
    let sizes = blocks.filter { $0.first.rawValue > head }.map(\.count)
    #expect(sizes == [8_192, 8_192, 20_000 - 2 * 8_192])
  }

  @Test func `a span beyond 1 MiB is split before`() throws {
    let scene = try Scene()
    let head = scene.engine.head.rawValue
    let requests = try (0..<9_000).map { index -> Request in
      var request = try scene.pay(1, key: "k\(index)")
      request.texts = [SealedText(commitment: Golden.commitment, ciphertext: [1])]
      return request
    }
    _ = try scene.engine.submitAndWait(requests)
    let blocks = try withLog(scene) { try headers($0) }
    // 144 bytes a frame: header 24, key 24, commitment 32, payload 64.
    let first = try #require(blocks.first { $0.first.rawValue == head + 1 })
    #expect(first.framesByteCount == first.count * 144)
    #expect(first.count < Block.eventCountMax)
    #expect(first.framesByteCount + Frame.fixedByteCountMax > Block.framesByteCountMax)
  }

  @Test func `the tree in the log is that of its frames`() throws {
    let scene = try Scene()
    _ = try scene.engine.submitAndWait((0..<10_000).map { _ in try scene.pay(1) })
    _ = try scene.engine.submitAndWait((0..<500).map { _ in try scene.pay(1) })
    try withLog(scene) { log in
      var tree = MerkleTree()
      _ = try log.walkBlocks(from: EventNumber(1), countMax: .max, checking: .every) {
        header, bytes throws(StorageError) in
        var frames: [[UInt8]] = []
        for index in 0..<header.count {
          frames.append(try Block.frame(index, of: header, in: bytes).copied())
        }
        var offsets: [UInt32] = [0]
        for frame in frames { offsets.append(offsets[offsets.count - 1] + UInt32(frame.count)) }
        let all = frames.flatMap { $0 }
        unsafe tree.append(frames: all, offsets: offsets, count: header.count) { _ in }
        #expect(header.root == tree.root, "block \(header.first)")
        return true
      }
      let head = try #require(try log.head())
      #expect(head.tree == tree.storedPeaks && head.last.rawValue == tree.size)
      // A complete subtree of 2^8 leaves and more is stored, each once.
      let stored = try log.environment.read { transaction throws(StorageError) in
        try transaction.count(EventLog.tree)
      }
      let levels = stride(from: 8, through: 40, by: 1)
      #expect(stored == levels.reduce(0) { $0 + Int(tree.size >> UInt64($1)) })
    }
  }

  // MARK: - Reading

  @Test func `events are read from anywhere, as many as asked for`() throws {
    let scene = try Scene()
    for count in [1, 2, 700, 3] {
      _ = try scene.engine.submitAndWait((0..<count).map { _ in try scene.pay(1) })
    }
    let all = try scene.events()
    #expect(all.map(\.number.rawValue) == Array(1...scene.engine.head.rawValue))
    var random = SplitMix64(seeded: "log reads")
    for _ in 0..<300 {
      let first = random.below(all.count + 5)
      let limit = random.below(50)
      let events = try scene.engine.events(from: EventNumber(UInt64(first)), limit: limit)
      #expect(events == Array(all.dropFirst(max(first, 1) - 1).prefix(limit)))
    }
    #expect(try scene.engine.events(from: EventNumber(.max), limit: 10).isEmpty)
    #expect(try scene.engine.event(.none) == nil)
    #expect(try scene.engine.event(EventNumber(UInt64(all.count + 1))) == nil)
    #expect(try scene.engine.event(EventNumber(5)) == all[4])
  }

  @Test func `each event has its own text and no other`() throws {
    let scene = try Scene()
    let head = scene.engine.head.rawValue
    let requests = try (0..<300).map { index in
      try scene.pay(1, text: index % 3 == 0 ? ["text \(index)", "", "ünï\u{0} 🎈"] : [])
    }
    _ = try scene.engine.submitAndWait(requests)
    for index in 0..<300 {
      let text = try scene.engine.text(of: EventNumber(head + UInt64(index) + 1))
      #expect(text == (index % 3 == 0 ? ["text \(index)", "", "ünï\u{0} 🎈"] : nil))
    }
    #expect(try scene.engine.text(of: .none) == nil)
    #expect(try scene.engine.text(of: EventNumber(.max)) == nil)
    // The agents' names were given when they were registered.
    let registered = try scene.events().filter {
      if case .identity(.agentRegistered) = $0.event { return true }
      return false
    }
    #expect(try registered.map { try scene.engine.text(of: $0.number) } == [["ann"], ["bob"]])
  }

  @Test func `a command's two texts go to their two events`() throws {
    let scene = try Scene()
    let label = scene.engine.preparation.hash(label: "rent", of: TenantNumber(1))
    let request = try scene.engine.preparation.request(
      .payment(
        .pay(
          from: scene.from, to: .external(label: label), amount: Amount(units: 5),
          asset: .none, rail: .internal)),
      by: .agent(scene.ann), text: ["for March"], registering: ["rent"])
    let paid = try #require(try scene.engine.submitAndWait(request).recorded).number
    #expect(try scene.engine.text(of: paid) == ["for March"])
    #expect(try scene.engine.text(of: EventNumber(paid.rawValue - 1)) == ["rent"])
    // The second time nothing is registered, so the label's text is not stored again.
    let again = try #require(try scene.engine.submitAndWait(request).recorded).number
    #expect(again.rawValue == paid.rawValue + 1)
    #expect(try scene.engine.text(of: again) == ["for March"])
  }

  @Test func `a request says what cannot be one`() throws {
    let scene = try Scene()
    for key in ["", " ", "a b", "é", "a\u{0}", "a\n", String(repeating: "k", count: 256)] {
      #expect(throws: Preparation.Failure.keyInvalid) { try scene.pay(1, key: key) }
    }
    #expect(try scene.pay(1, key: String(repeating: "k", count: 255)).key != nil)
    let long = String(repeating: "x", count: Preparation.textByteCountMax)
    #expect(throws: Preparation.Failure.textTooLong) { try scene.pay(1, text: [long, "x"]) }
    let number = try #require(
      try scene.engine.submitAndWait(scene.pay(1, text: [long])).recorded
    ).number
    #expect(try scene.engine.text(of: number) == [long])
  }
}
