import Benchmark

/// Every figure is nanoseconds of one operation, in a loop of a million (or, where it says so, a
/// thousand) whose result is consumed.
let benchmarks: @Sendable () -> Void = {
  // Safe: set here, before anything runs, and nowhere else.
  unsafe Benchmark.defaultConfiguration = configuration(.mega, maxIterations: 15)
  benchmarkDeciding()
  benchmarkKeys()
  benchmarkLog()
  benchmarkFolding()
  benchmarkEdge()
}

/// Wall clock, reported for one of the operations that a measurement repeats.
func configuration(
  _ scale: BenchmarkScalingFactor, maxIterations: Int
) -> Benchmark.Configuration {
  Benchmark.Configuration(
    metrics: [.wallClock], timeUnits: .nanoseconds, warmupIterations: 1, scalingFactor: scale,
    maxDuration: .seconds(5), maxIterations: maxIterations)
}

/// How many operations one measurement of scale mega, or kilo, has.
let million = 1_000_000
let thousand = 1_000

/// How far ahead the engine prefetches.
let ahead = 12
