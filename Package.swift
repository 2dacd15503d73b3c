// swift-tools-version: 6.3
import PackageDescription

/// One list for every target, so that none is quietly laxer than the rest.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),  // SE-0458: `unsafe` marks each such line
  .treatAllWarnings(as: .error),  // SE-0480
  .enableUpcomingFeature("ExistentialAny"),  // SE-0335: `any` is visible, so findable
  .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409: imports do not leak
  .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // SE-0461
  .enableUpcomingFeature("InferIsolatedConformances"),  // SE-0470
  .enableUpcomingFeature("ImmutableWeakCaptures"),  // SE-0481
  // `@_lifetime` on values that hold spans (Frame, ByteReader). swift-nio relies on the same flag.
  // Drop it when the attribute loses its underscore.
  .enableExperimentalFeature("Lifetimes"),
]

let package = Package(
  name: "ledger",
  products: [
    .library(name: "LedgerCore", targets: ["LedgerCore"]),
    .library(name: "Projections", targets: ["Projections"]),
    .executable(name: "ledgerctl", targets: ["ledgerctl"]),
    .executable(name: "ledgerd", targets: ["ledgerd"]),
  ],
  dependencies: [
    .package(
      url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", .upToNextMinor(from: "0.2.0")),
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-async-algorithms.git", from: "1.1.4"),
    .package(url: "https://github.com/apple/swift-configuration.git", from: "1.4.0"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
    .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "CLedger"),
    .target(
      name: "LedgerCore",
      dependencies: [
        "CLMDB", "CZstd", "CLedger",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "CryptoExtras", package: "swift-crypto"),
      ],
      swiftSettings: settings),
    .target(name: "Projections", dependencies: ["LedgerCore"], swiftSettings: settings),
    .executableTarget(
      name: "ledgerctl",
      dependencies: [
        "LedgerCore", "Projections",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: settings),
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
    .testTarget(
      name: "LedgerCoreTests",
      dependencies: [
        "LedgerCore", "CLedger", "KillTarget", "TestSupport",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: settings),
    // Its own system calls, for the process below: with a fault at the n-th.
    .target(name: "Faults", path: "Tests/Faults"),
    // A process for the tests above to kill, and one in which damaged files may crash.
    .executableTarget(
      name: "KillTarget", dependencies: ["LedgerCore", "Faults"], path: "Tests/KillTarget",
      swiftSettings: settings),
    .testTarget(
      name: "ProjectionsTests", dependencies: ["Projections", "LedgerCore"],
      swiftSettings: settings),
    // The README's program, and what checks that it is and that it runs.
    .executableTarget(
      name: "ReadmeSnippet", dependencies: ["LedgerCore"], path: "Tests/ReadmeSnippet",
      swiftSettings: settings),
    .testTarget(
      name: "ReadmeTests", dependencies: ["ReadmeSnippet", "TestSupport", "ledgerd"],
      swiftSettings: settings),
    .testTarget(
      name: "SimulationTests", dependencies: ["LedgerCore", "Faults", "TestSupport"],
      swiftSettings: settings),
    .executableTarget(
      name: "ledgerd",
      dependencies: [
        "LedgerCore", "Projections",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
        .product(name: "Configuration", package: "swift-configuration"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ledgerdTests",
      dependencies: [
        "LedgerCore", "TestSupport", "ledgerd",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdTesting", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ledgerctlTests",
      // Not imported: the tests run the programs that are built for them.
      dependencies: ["TestSupport", "ledgerctl", "ledgerd"],
      swiftSettings: settings),
    .testTarget(name: "TidyTests", swiftSettings: settings),
  ]
)
