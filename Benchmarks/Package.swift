// swift-tools-version: 6.3
import PackageDescription

/// As in the package above.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

// A package of its own, so that who uses the ledger never resolves what only measuring needs.
// Internals are reached by `@testable import`: build with `-Xswiftc -enable-testing`.
let package = Package(
  name: "benchmarks",
  dependencies: [
    .package(name: "ledger", path: "../"),
    .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
    // Without its malloc and instruction counts: they preload a library of their own, and what
    // this machine's noise leaves of them says less than `Allocations/` does.
    .package(url: "https://github.com/ordo-one/benchmark.git", from: "1.38.1", traits: []),
  ],
  targets: [
    // A ledger in memory with wallets and payments, for both executables.
    .target(
      name: "Scene", dependencies: [.product(name: "LedgerCore", package: "ledger")],
      path: "Scene", swiftSettings: settings),
    .executableTarget(
      name: "Micro",
      dependencies: [
        "Scene",
        .product(name: "LedgerCore", package: "ledger"),
        .product(name: "Benchmark", package: "benchmark"),
      ],
      path: "Micro",
      swiftSettings: settings,
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    .executableTarget(
      name: "Loop",
      dependencies: ["Scene", .product(name: "LedgerCore", package: "ledger")],
      path: "Allocations/Loop", swiftSettings: settings),
    .executableTarget(
      name: "Echo", dependencies: [.product(name: "Hummingbird", package: "hummingbird")],
      path: "HTTP/Echo", swiftSettings: settings),
  ]
)
