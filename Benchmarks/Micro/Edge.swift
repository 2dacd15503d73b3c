import Benchmark
import Scene

@testable import LedgerCore

/// What callers' threads do before the engine sees a request, and after.
func benchmarkEdge() {
  Benchmark("read an amount, 12.000000001") { benchmark in
    let texts = (0..<thousand).map { "12.00000\($0 + 1_000)" }
    benchmark.startMeasurement()
    var sum = Amount.zero
    for _ in 0..<thousand {
      for text in texts { sum += try Amount(text: text, scale: 9) }
    }
    blackHole(sum)
  }
  Benchmark("print an amount, 12.000001") { benchmark in
    benchmark.startMeasurement()
    var bytes = 0
    for units in 0..<million {
      bytes += Amount(units: 12_000_001_000 + Int128(units)).text(scale: 9).utf8.count
    }
    blackHole(bytes)
  }

  let configuration = configuration(.kilo, maxIterations: 500)
  let preparation = Preparation(ledger: 1, secrets: Secrets())
  let traffic = Traffic(count: thousand, walletCount: 1_000)
  let keys = (0..<thousand).map { "order-2026-000\($0)" }
  let description = String(repeating: "forty bytes ", count: 4).prefix(40)
  Benchmark("prepare a payment without a key", configuration: configuration) { benchmark in
    benchmark.startMeasurement()
    for index in keys.indices {
      blackHole(try preparation.request(traffic.command(index), by: Scene.agent))
    }
  }
  Benchmark("prepare a payment with a key", configuration: configuration) { benchmark in
    benchmark.startMeasurement()
    for (index, key) in keys.enumerated() {
      blackHole(
        try preparation.request(traffic.command(index), by: Scene.agent, key: key))
    }
  }
  Benchmark(
    "prepare a payment with a key and a description of 40 bytes", configuration: configuration
  ) { benchmark in
    benchmark.startMeasurement()
    for (index, key) in keys.enumerated() {
      blackHole(
        try preparation.request(
          traffic.command(index), by: Scene.agent, key: key, text: [String(description)]))
    }
  }
}
