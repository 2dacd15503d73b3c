import Benchmark
import Scene

@testable import LedgerCore

/// Opening a ledger: blocks to a state, keys' table included, as ``Replay`` does after reading each
/// block and checking its CRC.
func benchmarkFolding() {
  for (name, count) in [("1 k", 1_000), ("1 M", 1_000_000)] {
    let shelf = Shelf(walletCount: count)
    Benchmark("fold a stored payment, \(name) wallets") { benchmark in
      let stage = shelf.stage
      let blocks = try shelf.blocks.get()
      var keys = KeysInMemory(undo: stage.scene.ledger.undo)
      var position = Replay.Position()
      benchmark.startMeasurement()
      for block in blocks {
        let bytes = unsafe block.span.bytes
        let header = try Block.header(of: bytes, key: position.next, checksum: true)
        try Replay.fold(header, bytes, into: &stage.scene.ledger, &keys, &position)
      }
      blackHole(position.next)
    }
  }
}

/// A million payments in sealed blocks.
private final class Shelf {
  private let walletCount: Int
  private(set) lazy var stage = Stage(walletCount: walletCount)
  private(set) lazy var blocks = Result { try seal() }

  init(walletCount: Int) { self.walletCount = walletCount }

  private func seal() throws(StorageError) -> [[UInt8]] {
    var blocks: [[UInt8]] = []
    var batch = Batch(first: EventNumber(1), after: .none)
    var tree = MerkleTree()
    for index in 0..<million {
      batch.append(
        .payment(stage.payments[index]), Scene.header(batch.next.rawValue),
        key: stage.traffic.key(index))
      if batch.count < 8_000 { continue }
      batch.seal(&tree)
      try batch.withBlock { bytes throws(StorageError) in blocks.append(bytes.copied()) }
      batch.reset()
    }
    precondition(batch.count == 0, "a million is a multiple of the block's size")
    return blocks
  }
}

/// The table of recent keys alone, as at opening.
private struct KeysInMemory: ~Copyable, KeySink {
  private var keys: Fingerprints

  init(undo: Undo) { keys = Fingerprints(undo: undo) }

  mutating func insert(_ fingerprint: UInt128, _ event: EventNumber) {
    keys.insert(fingerprint, event)
  }

  func finishBlock(_ header: Block.Header) {}

  func prefetch(_ fingerprint: UInt128) { keys.prefetch(fingerprint) }
}
