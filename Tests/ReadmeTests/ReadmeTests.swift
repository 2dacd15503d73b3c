import Foundation
import TestSupport
import Testing

/// Goal: what the README says can be pasted works as it says.
/// Method: the snippets are taken from README.md itself; the Swift one is compared with the program
/// that is built from it and run, the shell one is run by bash against a real `ledgerd`.
@Suite(.serialized) struct ReadmeTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static func snippet(_ language: String) throws -> String {
    let text = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    let start = try #require(text.range(of: "```\(language)\n"))
    let end = try #require(text.range(of: "```", range: start.upperBound..<text.endIndex))
    return String(text[start.upperBound..<end.lowerBound])
  }

  private static func directory() throws -> URL {
    let path = FileManager.default.temporaryDirectory.appending(path: "readme-\(UUID())")
    try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
    return path
  }

  /// Runs a program to its end and answers its exit code and what it wrote to stdout.
  private static func run(
    _ program: URL, _ arguments: [String], in directory: URL
  ) throws -> (code: Int32, output: String) {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.currentDirectoryURL = directory
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  @Test func `the Swift snippet is the program that is built and prints 94_98`() throws {
    let source = Self.root.appending(path: "Tests/ReadmeSnippet/main.swift")
    #expect(try Self.snippet("swift") == String(contentsOf: source, encoding: .utf8))
    let directory = try Self.directory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let program = Products.url("ReadmeSnippet")
    let (code, output) = try Self.run(program, [], in: directory)
    #expect(code == 0)
    #expect(output == "94.98\n")
  }

  @Test func `the shell snippet registers, funds, pays and reads`() throws {
    let directory = try Self.directory()
    defer { try? FileManager.default.removeItem(at: directory) }
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/curl") else {
      let isRequired = ProcessInfo.processInfo.environment["CI"] == "true"
      if isRequired { Issue.record("curl is missing") }
      print("skipped: curl is needed to run the README's calls")
      return
    }
    let port = Int.random(in: 20_000..<60_000)
    let daemon = Process()
    daemon.executableURL = Products.url("ledgerd")
    daemon.arguments = ["--data", directory.path + "/data", "--port", "\(port)"]
    try daemon.run()
    defer {
      daemon.terminate()
      daemon.waitUntilExit()
    }
    let calls = try Self.snippet("sh").replacingOccurrences(of: ":3100", with: ":\(port)")
    let ready = "curl -sf http://127.0.0.1:\(port)/readyz"
    let wait = "for i in $(seq 100); do \(ready) && break; sleep 0.1; done"
    let bash = URL(filePath: "/bin/bash")
    let (code, output) = try Self.run(bash, ["-c", wait + " >/dev/null\n" + calls], in: directory)
    #expect(code == 0)
    #expect(output.contains("\"total_debited\":5.02"))
    #expect(output.contains("94.98"))
  }
}
