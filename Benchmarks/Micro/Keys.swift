import Benchmark
import Scene

@testable import LedgerCore

/// The table of idempotency keys, with the engine's prefetching.
func benchmarkKeys() {
  let rack = Rack()
  Benchmark("key: look up a new one, empty table") { benchmark in
    let keys = rack.keys
    let fingerprints = Fingerprints(undo: rack.undo)
    benchmark.startMeasurement()
    blackHole(try count(keys, in: fingerprints))
  }
  Benchmark("key: look up a new one, 1 M keys") { benchmark in
    let keys = rack.keys
    let fingerprints = rack.filled()
    benchmark.startMeasurement()
    blackHole(try count(keys, in: fingerprints))
  }
  Benchmark("key: look up a known one, 1 M keys") { benchmark in
    let keys = rack.oldKeys
    let fingerprints = rack.filled()
    benchmark.startMeasurement()
    blackHole(try count(keys, in: fingerprints))
  }
  Benchmark("key: insert, table grows from empty to 1 M") { benchmark in
    let keys = rack.keys
    var fingerprints = Fingerprints(undo: rack.undo)
    benchmark.startMeasurement()
    insert(keys, into: &fingerprints)
    blackHole(fingerprints.count)
  }
  Benchmark("key: insert, table grows from 1 M to 2 M") { benchmark in
    let keys = rack.keys
    var fingerprints = rack.filled()
    benchmark.startMeasurement()
    insert(keys, into: &fingerprints)
    blackHole(fingerprints.count)
  }
}

/// A million keys, another million, and a table that has the second.
private final class Rack {
  let undo = Undo()
  private let traffic = Traffic(count: million, walletCount: 1_000)
  private(set) lazy var keys = (0..<million).map { traffic.key($0, round: 0).fingerprint }
  private(set) lazy var oldKeys = (0..<million).map { traffic.key($0, round: 1).fingerprint }

  func filled() -> Fingerprints {
    var fingerprints = Fingerprints(undo: undo)
    insert(oldKeys, into: &fingerprints)
    return fingerprints
  }
}

private func insert(_ keys: [UInt128], into fingerprints: inout Fingerprints) {
  for index in keys.indices {
    if index + ahead < keys.count { fingerprints.prefetch(keys[index + ahead]) }
    fingerprints.insert(keys[index], EventNumber(UInt64(index + 1)))
  }
}

private func count(
  _ keys: [UInt128], in fingerprints: borrowing Fingerprints
) throws(StorageError) -> Int {
  var found = 0
  for index in keys.indices {
    if index + ahead < keys.count { fingerprints.prefetch(keys[index + ahead]) }
    if try fingerprints.find(keys[index], isIt: { _ in true }) != nil { found += 1 }
  }
  return found
}
