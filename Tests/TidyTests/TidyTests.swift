import Foundation
import Testing

/// Goal: what we agreed on about the shape of the code stays true without anyone having to watch.
/// Method: read every source file of the package as text, split it into words, and look for what
/// breaks a rule. No compiler, no tool to install.
@Suite struct TidyTests {
  @Test func `lines fit in 100 columns`() throws { try expectKept(.lineLength) }
  @Test func `source files are at most 500 lines`() throws { try expectKept(.fileLength) }
  @Test func `functions are at most 70 lines`() throws { try expectKept(.functionLength) }

  @Test func `each C library is imported in one file`() throws { try expectKept(.cLibraries) }
  @Test func `the domain imports nothing`() throws { try expectKept(.domainImports) }
  @Test func `the kernel imports nothing but our C`() throws { try expectKept(.kernelImports) }
  @Test func `projections import the core only`() throws { try expectKept(.projectionsImports) }
  @Test func `only the server knows Hummingbird`() throws { try expectKept(.hummingbird) }
  @Test func `the log decides nothing`() throws { try expectKept(.rulesInLog) }

  @Test func `unsafe code has few homes`() throws { try expectKept(.unsafeWord) }
  @Test func `the manifest has no unsafe flags`() throws { try expectKept(.unsafeFlags) }
  @Test func `unchecked sharing carries its proof`() throws { try expectKept(.safeNotes) }
  @Test func `no error is forced`() throws { try expectKept(.forcedTry) }
  @Test func `assertions hold in release`() throws { try expectKept(.vanishingAssertions) }

  @Test func `switches over our enums list every case`() throws { try expectKept(.switchDefaults) }
  @Test func `state is built from what can be undone`() throws { try expectKept(.stateStorage) }
  @Test func `money never floats`() throws { try expectKept(.floatingPoint) }

  @Test func `nothing is left for later`() throws { try expectKept(.markers) }
  @Test func `nothing is declared before it works`() throws { try expectKept(.unimplemented) }
  @Test func `libraries do not print`() throws { try expectKept(.printing) }
  @Test func `what is public is documented`() throws { try expectKept(.publicDocumentation) }

  @Test func `a document has one title`() throws { try expectKept(.titles) }
  @Test func `the README is short`() throws { try expectKept(.readmeLength) }

  @Test(.enabled(if: isInClone || isInCI, "git lists no files here"))
  func `no tracked file names a path of one machine`() throws {
    let files = try #require(try SourceTree.tracked(), "git lists the tracked files; install it")
    try #require(files.contains { $0.path == "Package.swift" })
    expectKept(.machinePaths, in: files)
  }

  private static let isInCI = ProcessInfo.processInfo.environment["CI"] == "true"
  private static let isInClone = (try? SourceTree.tracked()) != nil

  private func expectKept(_ rule: Rule) throws {
    let files = try SourceTree.ours.get().files
    try #require(files.contains { $0.path == "Package.swift" }, "this is not the package's root")
    expectKept(rule, in: files)
  }

  private func expectKept(_ rule: Rule, in files: [SourceFile]) {
    for violation in files.flatMap(rule.violations) { Issue.record("\(violation)") }
  }
}

/// Goal: a rule that cannot fail is worthless, so each is seen to fail.
/// Method: plant a violation and a near miss in a text, and compare the lines the rule objects to.
@Suite struct PlantedTests {
  @Test(arguments: Plant.all)
  func `a rule finds what is planted and nothing else`(_ plant: Plant) {
    let found = plant.rule.violations(in: SourceFile(path: plant.path, text: plant.text))
    #expect(found.map(\.line) == plant.lines, "\(plant.rule): \(found)")
  }

  @Test(arguments: Rule.allCases)
  func `every rule is kept by a test and has a plant of either kind`(_ rule: Rule) throws {
    let plants = Plant.all.filter { $0.rule == rule }
    #expect(plants.contains { !$0.lines.isEmpty }, "plant a violation of \(rule)")
    #expect(plants.contains { $0.lines.isEmpty }, "plant a near miss of \(rule)")

    let file = try #require(
      try SourceTree.ours.get().files.first { $0.path == "Tests/TidyTests/TidyTests.swift" })
    let uses = file.calls(of: "expectKept").filter { file.text($0 + 3) == rule.rawValue }
    #expect(uses.count == 1, "write one test that expects \(rule) to be kept")
  }

  @Test func `comments and strings are not code`() {
    let file = SourceFile(
      path: "A.swift",
      text: """
        a // b
        /* c /* d */ e */ f "g \\(h("i")) \\" j" k #"l \\(m) "n"# o `p q` r
        "\""
        s "
        t \\(u + "v")
        "\"" w
        """)
    let words = file.tokens.map(\.text).filter { $0.allSatisfy(\.isLetter) }
    #expect(words == ["a", "f", "h", "k", "o", "r", "u", "w"])
    #expect(file.comments.map { $0.filter(\.isLetter) } == ["b", "cde", "", "", "", ""])
    #expect(file.tokens.last?.line == 6)
  }

  @Test func `a quoted quote in C opens no string`() {
    let file = SourceFile(path: "a.c", text: "char c = '\"'; int d; // e\n")
    #expect(file.tokens.map(\.text).contains("d"))
    #expect(file.comments.first?.contains("e") == true)
  }
}
