/// The RFC 6962 Merkle tree over the frames, grown at its right edge (`design.md` 4.9).
///
/// Leaf `i` is the frame of event `i + 1`. Kept in memory are only the peaks: for every bit set in
/// the size, the root of a complete subtree. Complete subtrees of 2^8 leaves and more also go to
/// disk, so that a proof reads a handful of rows.
@safe
struct MerkleTree: ~Copyable {
  /// The root of a complete subtree of 2^level leaves, the `index`-th of its level.
  struct Node {
    var level: UInt64
    var index: UInt64
    var hash: Digest32

    /// The number of its last event. Rows are keyed by it and the level, so that a commit appends
    /// to the end of the `tree` database; by level and index it wrote to as many pages as there are
    /// levels (measured: 17 instead of 2).
    var end: UInt64 { (index + 1) << level }
  }

  /// The lowest level whose complete subtrees are stored.
  static let storedLevelMin: UInt64 = 8

  /// How many leaves there are.
  private(set) var size: UInt64
  /// The peak at each level whose bit is set in ``size``.
  private var peaks: InlineArray<64, Digest32>
  /// Scratch: 64 places for peaks that join from the left, then the leaves of a batch.
  private let scratch: UnsafeMutablePointer<UInt8>

  /// The tree of no leaves.
  init() {
    size = 0
    peaks = InlineArray(repeating: .none)
    unsafe scratch = UnsafeMutablePointer.allocate(capacity: (64 + Block.eventCountMax) * 32)
  }

  /// The tree of `size` leaves with these peaks, highest level first.
  init(size: UInt64, peaks stored: [Digest32]) throws(StorageError) {
    guard stored.count == size.nonzeroBitCount else {
      throw .damaged("the head has \(stored.count) peaks for \(size) events")
    }
    self.init()
    self.size = size
    var next = 0
    for level in (0..<64).reversed() where size >> UInt64(level) & 1 == 1 {
      peaks[level] = stored[next]
      next += 1
    }
  }

  deinit { unsafe scratch.deallocate() }

  /// The peaks, highest level first.
  var storedPeaks: [Digest32] {
    (0..<64).reversed().filter { size >> UInt64($0) & 1 == 1 }.map { peaks[$0] }
  }

  /// The root over all leaves. For no leaves, SHA-256 of nothing has no use here: all zero.
  var root: Digest32 {
    guard size > 0 else { return .none }
    var level = size.trailingZeroBitCount
    var root = peaks[level]
    level += 1
    while level < 64 {
      if size >> UInt64(level) & 1 == 1 { root = Self.node(peaks[level], root) }
      level += 1
    }
    return root
  }

  /// Adds the frames of a batch as leaves; `offsets` has `count` + 1 entries. Every subtree of 2^8
  /// leaves or more that this completes goes to `complete`.
  mutating func append(
    frames: UnsafePointer<UInt8>, offsets: UnsafePointer<UInt32>, count: Int,
    complete: (Node) -> Void
  ) {
    precondition(count <= Block.eventCountMax)
    var nodes = unsafe scratch + 64 * 32
    unsafe Hashing.leaves(frames, offsets, count, into: nodes)
    var nodeCount = count
    var level = 0
    while nodeCount > 0 {
      let known = size >> UInt64(level)
      if level >= Int(Self.storedLevelMin) {
        for index in 0..<nodeCount {
          let hash = unsafe Self.load(nodes + index * 32)
          complete(Node(level: UInt64(level), index: known + UInt64(index), hash: hash))
        }
      }
      if known & 1 == 1 {
        unsafe nodes -= 32
        unsafe Self.store(peaks[level], at: nodes)
        nodeCount += 1
      }
      if nodeCount & 1 == 1 { peaks[level] = unsafe Self.load(nodes + (nodeCount - 1) * 32) }
      unsafe Hashing.nodes(nodes, nodeCount / 2, into: nodes)
      nodeCount /= 2
      level += 1
    }
    size += UInt64(count)
  }

  static func node(_ left: Digest32, _ right: Digest32) -> Digest32 {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { buffer in
      guard let base = buffer.baseAddress else { return .none }
      unsafe store(left, at: base)
      unsafe store(right, at: base + 32)
      unsafe Hashing.nodes(base, 1, into: base)
      return unsafe load(base)
    }
  }

  private static func load(_ pointer: UnsafePointer<UInt8>) -> Digest32 {
    let raw = unsafe UnsafeRawPointer(pointer)
    return Digest32(
      first: UInt128(littleEndian: unsafe raw.loadUnaligned(as: UInt128.self)),
      second: UInt128(
        littleEndian: unsafe raw.loadUnaligned(fromByteOffset: 16, as: UInt128.self)))
  }

  private static func store(_ digest: Digest32, at pointer: UnsafeMutablePointer<UInt8>) {
    var writer = unsafe ByteWriter(at: UnsafeMutableRawPointer(pointer))
    writer.put(digest.first)
    writer.put(digest.second)
  }
}
