import Foundation
import TestSupport
import Testing

/// The programs that were built with the tests. One that is missing fails whoever runs it.
enum Programs {
  static func process(_ name: String, _ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = Products.url(name)
    process.arguments = arguments
    process.environment = ["PATH": "/usr/bin:/bin"]
    process.standardInput = FileHandle.nullDevice
    return process
  }
}

/// What `ledgerctl` said, and how it ended.
struct Said: Equatable {
  let code: Int32
  let output: String
  let errors: String

  var json: Any? { try? JSONSerialization.jsonObject(with: Data(output.utf8)) }
}

/// A ledger in a directory of its own.
struct Bed: Sendable {
  let directory: String

  /// Runs `body` with a directory that is not there yet, and is gone afterwards.
  static func run(_ body: (Bed) async throws -> Void) async throws {
    let directory = NSTemporaryDirectory() + "ledgerctl-" + UUID().uuidString.prefix(8)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await body(Bed(directory: directory))
  }

  /// Runs `ledgerctl` to its end.
  func ledgerctl(_ arguments: String...) throws -> Said { try ledgerctl(arguments) }

  func ledgerctl(_ arguments: [String]) throws -> Said {
    try Self.ledgerctl(arguments + ["--data", directory])
  }

  static func ledgerctl(_ arguments: [String]) throws -> Said { try run("ledgerctl", arguments) }

  /// Runs a `ledgerd` that does not get as far as serving.
  static func ledgerd(_ arguments: [String]) throws -> Said { try run("ledgerd", arguments) }

  private static func run(_ program: String, _ arguments: [String]) throws -> Said {
    let process = Programs.process(program, arguments)
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = try output.fileHandleForReading.readToEnd() ?? Data()
    let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return Said(
      code: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: complaint, as: UTF8.self))
  }

  func seed() throws {
    let said = try ledgerctl("seed", "--agents", "6", "--payments", "60")
    try #require(said.code == 0, "\(said.errors)")
  }

  /// Runs `body` beside a `ledgerd` that serves this ledger.
  func serve(_ body: (Served) async throws -> Void) async throws {
    let process = Programs.process("ledgerd", ["--data", directory, "--port", "0"])
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let served = Served(process: process)
    defer { served.end() }
    let line = String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
    try #require(line.contains("serving on"), "\(line)")
    try await socketIsReady()
    try await body(served)
  }

  /// The socket is another service than the port, and last of all it is closed to others.
  private func socketIsReady() async throws {
    for _ in 0..<100 {
      let path = directory + "/ledgerd.sock"
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      if attributes?[.posixPermissions] as? Int == 0o600 { return }
      try await Task.sleep(for: .milliseconds(100))
    }
    Issue.record("ledgerd opened no socket")
  }
}

/// A `ledgerd` that runs.
struct Served {
  fileprivate let process: Process

  var pid: Int32 { process.processIdentifier }

  /// Stops it and waits until it has let go of the ledger.
  func stop() -> Int32 {
    process.terminate()
    process.waitUntilExit()
    return process.terminationStatus
  }

  func signal(_ number: Int32) { kill(pid, number) }

  func wait() { process.waitUntilExit() }

  fileprivate func end() {
    guard process.isRunning else { return }
    signal(SIGKILL)
    process.waitUntilExit()
  }
}

/// The lines that a program writes, as they come.
final class Lines {
  private let pipe: Pipe
  private var rest = Data()

  init(_ pipe: Pipe) { self.pipe = pipe }

  /// Waits for the next line; nil at the end.
  func next() -> String? {
    let end = UInt8(ascii: "\n")
    while !rest.contains(end) {
      let more = pipe.fileHandleForReading.availableData
      guard !more.isEmpty else { return nil }
      rest += more
    }
    let line = rest.prefix { $0 != end }
    rest = Data(rest.dropFirst(line.count + 1))
    return String(decoding: line, as: UTF8.self)
  }
}
