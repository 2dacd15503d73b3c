import Benchmark
import Scene

@testable import LedgerCore

/// From an event to a sealed block, and back. A block is 8,000 payments with keys; a million
/// payments are 125 of them.
func benchmarkLog() {
  let press = Press()
  Benchmark("encode a frame into the batch") { benchmark in
    var batch = Batch(first: EventNumber(1), after: .none)
    let (payments, keys) = (press.payments, press.keys)
    benchmark.startMeasurement()
    for _ in 0..<Press.blockCount {
      append(payments, keys, to: &batch)
      blackHole(batch.framesByteCount)
      batch.reset()
    }
  }
  Benchmark("leaf and node hashes of a payment") { benchmark in
    try press.withBlock { header, bytes throws(StorageError) in
      var tree = MerkleTree()
      benchmark.startMeasurement()
      for _ in 0..<Press.blockCount { try tree.append(header, of: bytes) { _ in } }
      blackHole(tree.root)
    }
  }
  Benchmark("CRC32C of a payment's share of a block") { benchmark in
    try press.withBlock { _, bytes throws(StorageError) in
      benchmark.startMeasurement()
      var sum: UInt32 = 0
      for _ in 0..<Press.blockCount { sum &+= Hashing.crc(ofBlock: bytes) }
      blackHole(sum)
    }
  }
  Benchmark("append to the batch and seal it") { benchmark in
    var batch = Batch(first: EventNumber(1), after: .none)
    var tree = MerkleTree()
    let (payments, keys) = (press.payments, press.keys)
    benchmark.startMeasurement()
    for _ in 0..<Press.blockCount {
      append(payments, keys, to: &batch)
      batch.seal(&tree)
      batch.reset()
    }
    blackHole(tree.root)
  }
  Benchmark("decode a frame") { benchmark in
    try press.withBlock { header, bytes throws(StorageError) in
      benchmark.startMeasurement()
      var sum: UInt64 = 0
      for _ in 0..<Press.blockCount {
        for index in 0..<header.count {
          let parts = try Frame.decode(try Block.frame(index, of: header, in: bytes))
          sum &+= parts.time.nanoseconds &+ UInt64(parts.event.code)
        }
      }
      blackHole(sum)
    }
  }
}

/// One block and what it is made of.
private final class Press {
  static let blockCount = 125
  static let eventCount = million / blockCount

  let payments = Stage(walletCount: 1_000, paymentCount: Press.eventCount).payments
  let keys: [IdempotencyKey]

  init() {
    let traffic = Traffic(count: Press.eventCount, walletCount: 1_000)
    keys = (0..<traffic.count).map { traffic.key($0) }
  }

  func withBlock(
    _ body: (Block.Header, RawSpan) throws(StorageError) -> Void
  ) throws(StorageError) {
    var batch = Batch(first: EventNumber(1), after: .none)
    var tree = MerkleTree()
    append(payments, keys, to: &batch)
    batch.seal(&tree)
    try batch.withBlock { bytes throws(StorageError) in
      try body(
        try Block.header(of: bytes, key: EventNumber(1), checksum: true), bytes)
    }
  }
}

func append(
  _ payments: [Payments.Event], _ keys: [IdempotencyKey], to batch: inout Batch
) {
  for index in payments.indices {
    batch.append(
      .payment(payments[index]), Scene.header(batch.next.rawValue), key: keys[index])
  }
}
