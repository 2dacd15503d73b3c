import Testing

/// A text with a known number of violations of one rule; none makes it a near miss.
struct Plant: Sendable, CustomTestStringConvertible {
  let rule: Rule
  let path: String
  /// Where the rule must object, counted from 1, in the order it reports them.
  let lines: [Int]
  let text: String

  var testDescription: String { "\(rule) in \(path), lines \(lines)" }

  init(_ rule: Rule, in path: String, at lines: Int..., text: String) {
    self.rule = rule
    self.path = path
    self.lines = lines
    self.text = text
  }

  static let all = size + direction + safety + domain + finish + documents

  private static let slice = "Sources/LedgerCore/Domain/Refunds.swift"
  private static let server = "Sources/ledgerd/Server.swift"
}

// MARK: - Size

extension Plant {
  private static let size = [
    Plant(.lineLength, in: slice, at: 2, text: "\n" + String(repeating: "é", count: 101)),
    Plant(.lineLength, in: "Sources/CLedger/a.h", at: 1, text: String(repeating: "x", count: 101)),
    Plant(.lineLength, in: slice, text: String(repeating: "é", count: 100)),
    Plant(.lineLength, in: "docs/a.md", text: String(repeating: "x", count: 101)),

    Plant(.fileLength, in: slice, at: 501, text: String(repeating: "\n", count: 501)),
    Plant(.fileLength, in: slice, text: String(repeating: "\n", count: 500)),
    Plant(.fileLength, in: "Tests/A.swift", text: String(repeating: "\n", count: 501)),

    Plant(.functionLength, in: slice, at: 2, text: "\n" + function("func f()", lines: 71)),
    Plant(
      .functionLength, in: slice, at: 1,
      text: function("init?(_ a: () -> Int = { 1 }) throws(Failure)", lines: 71)),
    Plant(.functionLength, in: slice, text: function("func f<T>() -> [T] where T: P", lines: 70)),
    Plant(
      .functionLength, in: slice,
      text: "protocol P {\n  func f() -> Int\n}\n" + function("struct S", lines: 71)),
    Plant(
      .functionLength, in: slice,
      text: "protocol P {\n  init()\n" + function("var a: Int", lines: 71) + "\n}"),
    Plant(.functionLength, in: slice, text: function("a.init()", lines: 71)),
  ]

  private static func function(_ signature: String, lines: Int) -> String {
    signature + " {" + String(repeating: "\n", count: lines - 1) + "}"
  }
}

// MARK: - Direction

extension Plant {
  private static let direction = [
    Plant(.cLibraries, in: server, at: 1, 2, text: "internal import CLMDB\nimport CZstd"),
    Plant(.cLibraries, in: "Sources/LedgerCore/Log/EventLog.swift", at: 1, text: "import CLMDB"),
    Plant(.cLibraries, in: "Sources/LedgerCore/Log/Environment.swift", text: "import CLMDB"),
    Plant(.cLibraries, in: "Sources/LedgerCore/Log/Compression.swift", text: "import CZstd"),

    Plant(.domainImports, in: slice, at: 1, 2, text: "import Foundation\npublic import CLedger"),
    Plant(.domainImports, in: slice, text: "// import Foundation\nlet a = \"import Foundation\""),

    Plant(
      .kernelImports, in: "Sources/LedgerCore/Kernel/Amount.swift", at: 2,
      text: "import CLedger\nimport struct Foundation.Date"),
    Plant(.kernelImports, in: "Sources/LedgerCore/Kernel/CPU.swift", text: "import CLedger"),

    Plant(
      .projectionsImports, in: "Sources/Projections/Balances.swift", at: 2,
      text: "import LedgerCore\nimport Foundation"),
    Plant(
      .projectionsImports, in: "Sources/Projections/Balances.swift",
      text: "public import LedgerCore"),

    Plant(
      .hummingbird, in: "Sources/ledgerctl/Tail.swift", at: 1, text: "import HummingbirdRouter"),
    Plant(.hummingbird, in: server, text: "import Hummingbird"),

    Plant(
      .rulesInLog, in: "Sources/LedgerCore/Log/EventLog.swift", at: 2,
      text: "// Not the place to decide(command).\nledger.decide(command)"),
    Plant(.rulesInLog, in: "Sources/LedgerCore/Log/EventLog.swift", text: "decided(command)"),
    Plant(.rulesInLog, in: "Sources/LedgerCore/Engine/Engine.swift", text: "decide(command)"),
  ]
}

// MARK: - Safety

extension Plant {
  private static let safety = [
    Plant(.unsafeWord, in: slice, at: 2, text: "\n  unsafe pointer.pointee"),
    Plant(.unsafeWord, in: server, at: 1, text: #"log("\(unsafe String(cString: name))")"#),
    Plant(.unsafeWord, in: "Sources/LedgerCore/Kernel/Amount.swift", at: 1, text: "@unsafe var a"),
    Plant(.unsafeWord, in: "Sources/LedgerCore/Kernel/Table.swift", text: "unsafe a.pointee"),
    Plant(.unsafeWord, in: "Sources/LedgerCore/Log/Frame.swift", text: "unsafe a.pointee"),
    Plant(.unsafeWord, in: slice, text: "// unsafe\nlet unsafeFlags = \"unsafe\", `unsafe or` = 1"),

    Plant(.unsafeFlags, in: "Package.swift", at: 1, text: "settings: [.unsafeFlags([])]"),
    Plant(.unsafeFlags, in: "Package.swift", text: "// Never unsafeFlags."),

    Plant(.safeNotes, in: server, at: 2, text: "// Fine.\nfinal class A: @unchecked Sendable {}"),
    Plant(.safeNotes, in: server, at: 3, text: "// Safe: no.\n\nnonisolated(unsafe) var a = 1"),
    Plant(
      .safeNotes, in: server,
      text: """
        /// A.
        // Safe: every access
        // holds the lock.
        final class A: @unchecked Sendable {}
        nonisolated(unsafe) var a = 1  // Safe: written once.
        """),

    Plant(.forcedTry, in: "Tests/ATests.swift", at: 1, text: "let a = try! open()"),
    Plant(.forcedTry, in: "Tests/ATests.swift", text: "let a = try? open()\nlet b = try !c()"),

    Plant(.vanishingAssertions, in: slice, at: 1, text: "assert(a > 0)"),
    Plant(.vanishingAssertions, in: server, at: 1, text: "assertionFailure(\"no\")"),
    Plant(.vanishingAssertions, in: slice, text: "precondition(a > 0)\na.assert(b)"),
    Plant(.vanishingAssertions, in: "Tests/ATests.swift", text: "assert(a > 0)"),
  ]
}

// MARK: - Domain

extension Plant {
  private static let domain = [
    Plant(
      .switchDefaults, in: slice, at: 3, 7,
      text: """
        switch event {
        case .settled: 1
        default: 2
        }
        switch event {
        case .settled: 1
        @unknown default: 2  // not ours:
        }
        """),
    Plant(
      .switchDefaults, in: "Sources/LedgerCore/Ledger.swift",
      text: """
        switch byte {
        case 1: 1
        default: 2  // not ours: a byte has 256 values
        }
        sums[payment, default: 0] += 1
        func f(default: Int) {}
        """),
    Plant(.switchDefaults, in: server, text: "switch a {\ndefault: 2\n}"),

    Plant(
      .stateStorage, in: slice, at: 2, 3, 4, 5, 7, 8,
      text: """
        struct State: ~Copyable {
          private var names: [Int: Int] = [:]
          var amounts: Dictionary<Int, Int>
          var queue: Array<Int>
          let open: Table<[Int]>
          static let limit: [Int] = [1]
          var last = Money()
          var name: String { didSet { count += 1 } }
        }
        """),
    Plant(
      .stateStorage, in: slice,
      text: """
        public struct State: ~Copyable {
          private(set) var rows: Table<
            Row
          >
          var index: Index = Index(), due = 0
          var open = Bitset(), due2: Timers
          var expiring: Timers
          var count: UInt64 = 0
          var next = 1
          var names: [Int] { [] }
          init(_ names: [Int]) { let copy: [Int] = names }
        }
        struct Row { var names: [Int] }
        """),

    Plant(.floatingPoint, in: slice, at: 1, text: "let rate: Double = 0.1"),
    Plant(
      .floatingPoint, in: "Sources/LedgerCore/Kernel/Amount.swift", at: 1, text: "Float(minor)"),
    Plant(.floatingPoint, in: slice, text: "let isDouble = DoubleEntry() // Double"),
    Plant(.floatingPoint, in: "Sources/Projections/Trust.swift", text: "let a: Double = 1"),
  ]
}

// MARK: - Finish

extension Plant {
  private static let finish = [
    Plant(.markers, in: slice, at: 1, 2, text: "// TODO: later\n/* FIXME */ let a = 1"),
    Plant(.markers, in: "Sources/CLedger/a.c", at: 1, text: "int a; // XXX"),
    Plant(.markers, in: slice, text: "let path = \"XXX\", TODO = 1  // a XXXXXX of mkstemp"),

    Plant(.unimplemented, in: slice, at: 1, text: "fatalError(\"unimplemented: refunds\")"),
    Plant(.unimplemented, in: slice, text: "// fatalError(\"unimplemented\")\nfatalError(reason)"),

    Plant(.printing, in: slice, at: 1, text: "print(amount)"),
    Plant(.printing, in: slice, text: "page.print(amount)\nfunc print() {}  // print(amount)"),
    Plant(.printing, in: "Sources/ledgerctl/Tail.swift", text: "print(amount)"),

    Plant(
      .publicDocumentation, in: slice, at: 1, 5, 7,
      text: """
        public enum Refunds {
          /// Who.

          @inline(always)
          public static func decide() {}
          // Not documentation.
          public private(set) var count: Int
        }
        """),
    Plant(
      .publicDocumentation, in: slice,
      text: """
        public import CLedger
        /// Refunds.
        @frozen
        @usableFromInline
        public enum Refunds {
          /// Why.
          @inlinable public init() {}
          case one
        }
        public extension Refunds {}
        extension Refunds: Hashable {
          public static func == (a: Self, b: Self) -> Bool { true }
          public static func < (a: Self, b: Self) -> Bool { true }
          public func hash(into hasher: inout Hasher) {}
          public var description: String { "public" }
        }
        """),
    Plant(.publicDocumentation, in: "Sources/Projections/Balances.swift", text: "public enum A {}"),
  ]
}

// MARK: - Documents

extension Plant {
  private static let documents = [
    Plant(.titles, in: "docs/A.md", at: 1, text: "\n## A"),
    Plant(.titles, in: "docs/A.md", at: 1, 2, text: "Hello\n# A"),
    Plant(.titles, in: "docs/A.md", at: 4, text: "# A\n\n## B\n# C"),
    Plant(.titles, in: "docs/A.md", text: "# A\n```sh\n# a comment\n```\n## B"),

    Plant(
      .readmeLength, in: "README.md", at: 121, text: String(repeating: "\n", count: 121)),
    Plant(.readmeLength, in: "README.md", text: String(repeating: "\n", count: 120)),
    Plant(.readmeLength, in: "docs/README.md", text: String(repeating: "\n", count: 121)),

    Plant(.machinePaths, in: "Makefile", at: 2, text: "run:\n\tcd /\("work")/main && make"),
    Plant(.machinePaths, in: slice, at: 1, text: "let home = \"/\("root")/ledger\""),
    Plant(.machinePaths, in: "a.json", at: 1, text: "\"file:///\("home")/me/a\""),
    Plant(
      .machinePaths, in: "Makefile",
      text:
        "\thttps://example.com/\("work")/a ./data/\("root")/b $(HOME)/\("work")/ /workers/ /root"),
  ]
}
