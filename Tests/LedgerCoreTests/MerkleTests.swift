import Crypto
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: the tree that grows at its right edge is RFC 6962's tree, so that anyone's verifier
/// agrees. Method: random batches of random frames, against the recursive definition written down
/// with swift-crypto; stored nodes against the same; and the same log resumed from its peaks
/// anywhere.
@Suite struct MerkleTests {
  /// RFC 6962 2.1, as it stands there.
  private static func naive(_ leaves: ArraySlice<[UInt8]>) -> [UInt8] {
    guard leaves.count > 1, let first = leaves.first else { return leaves.first ?? [] }
    _ = first
    var split = 1
    while split * 2 < leaves.count { split *= 2 }
    let middle = leaves.startIndex + split
    return sha256([1] + naive(leaves[..<middle]) + naive(leaves[middle...]))
  }

  private static func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

  /// Adds frames as one batch and answers the nodes that it completed.
  private static func append(
    _ frames: [[UInt8]], to tree: inout MerkleTree
  ) -> [MerkleTree.Node] {
    var offsets: [UInt32] = [0]
    for frame in frames { offsets.append(offsets[offsets.count - 1] + UInt32(frame.count)) }
    let bytes = frames.flatMap { $0 }
    var nodes: [MerkleTree.Node] = []
    unsafe tree.append(
      frames: bytes, offsets: offsets, count: frames.count, complete: { nodes.append($0) })
    return nodes
  }

  @Test func `the root is that of the definition after every batch`() {
    var random = SplitMix64(seeded: "merkle")
    for _ in 0..<12 {
      var tree = MerkleTree()
      var leaves: [[UInt8]] = []
      for _ in 0..<(1 + random.below(8)) {
        let limit = [3, 40, 700][random.below(3)]
        let frames = (0..<(1 + random.below(limit))).map { _ in random.bytes(24 + random.below(80))
        }
        _ = Self.append(frames, to: &tree)
        leaves += frames.map { Self.sha256([0] + $0) }
        #expect(tree.size == UInt64(leaves.count))
        #expect(tree.root.bytes == Self.naive(leaves[...]), "\(leaves.count) leaves")
      }
    }
  }

  @Test(arguments: 1...70)
  func `the root is that of the definition at every small size`(size: Int) {
    var tree = MerkleTree()
    let frames = (0..<size).map { [UInt8](repeating: UInt8($0), count: 30) }
    for frame in frames { _ = Self.append([frame], to: &tree) }
    #expect(tree.root.bytes == Self.naive(frames.map { Self.sha256([0] + $0) }[...]))
    var atOnce = MerkleTree()
    _ = Self.append(frames, to: &atOnce)
    #expect(atOnce.root == tree.root)
  }

  @Test func `stored nodes are the roots of complete subtrees, each once`() {
    var random = SplitMix64(seeded: "merkle nodes")
    var tree = MerkleTree()
    var leaves: [[UInt8]] = []
    var stored: [String: [UInt8]] = [:]
    while leaves.count < 9_000 {
      let count = 1 + random.below(random.below(4) == 0 ? 3_000 : 300)
      let frames = (0..<count).map { _ in random.bytes(30) }
      leaves += frames.map { Self.sha256([0] + $0) }
      for node in Self.append(frames, to: &tree) {
        #expect(node.level >= MerkleTree.storedLevelMin)
        let old = stored.updateValue(node.hash.bytes, forKey: "\(node.level) \(node.index)")
        #expect(old == nil, "level \(node.level), index \(node.index) came twice")
      }
    }
    var expected = 0
    var level = 8
    while 1 << level <= leaves.count {
      for index in 0..<(leaves.count >> level) {
        let range = (index << level)..<((index + 1) << level)
        #expect(stored["\(level) \(index)"] == Self.naive(leaves[range]))
        expected += 1
      }
      level += 1
    }
    #expect(stored.count == expected)
  }

  @Test func `a tree resumed from its peaks goes on as if it had never stopped`() throws {
    var random = SplitMix64(seeded: "merkle peaks")
    var tree = MerkleTree()
    for _ in 0..<60 {
      var resumed = try MerkleTree(size: tree.size, peaks: tree.storedPeaks)
      #expect(resumed.root == tree.root)
      let frames = (0..<(1 + random.below(400))).map { _ in random.bytes(24 + random.below(60)) }
      let nodes = Self.append(frames, to: &tree).map { [$0.level, $0.index] }
      let again = Self.append(frames, to: &resumed).map { [$0.level, $0.index] }
      #expect(nodes == again && resumed.root == tree.root && resumed.size == tree.size)
    }
  }

  @Test func `peaks that do not fit the size are refused`() {
    #expect(throws: StorageError.damaged("the head has 1 peaks for 3 events")) {
      _ = try MerkleTree(size: 3, peaks: [.none])
    }
  }

  @Test func `no leaves have no root`() {
    #expect(MerkleTree().root == .none)
  }
}
