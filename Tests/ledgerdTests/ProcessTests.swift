import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import ledgerd

/// Goal: the program itself starts, serves, refuses and stops as its documentation says.
/// Method: the built executable as a process, raw bytes over its port and its socket.
@Suite struct ProcessTests {
  @Test func `it serves until it is told to stop, and leaves no socket`() async throws {
    try await Program.run { program in
      let health = try await program.ask(
        "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(health.hasPrefix("HTTP/1.1 200 OK"))
      for name in ["ledgerd.sock", "admin.token"] {
        let path = "\(program.directory)/\(name)"
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
      }
      let status = try await program.askSocket(
        "GET /admin/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(status.hasPrefix("HTTP/1.1 200 OK") && status.contains(#""head":3"#))

      #expect(program.stop() == 0)
      #expect(!FileManager.default.fileExists(atPath: program.directory + "/ledgerd.sock"))
    }
  }

  @Test func `a second one is refused with the holder's pid`() async throws {
    try await Program.run { program in
      let (code, message) = try Program.end(["--data", program.directory, "--port", "0"])
      #expect(code == 75)
      #expect(message.contains("process \(program.pid)"))
      #expect(message.split(separator: "\n").count == 1)
    }
  }

  @Test func `a command line or a configuration that is refused has its own exit code`() throws {
    let directory = NSTemporaryDirectory() + "ledgerd-none-" + UUID().uuidString
    #expect(try Program.end(["--prot", "1"]).code == 64)
    #expect(try Program.end(["--help"]).code == 0)
    #expect(try Program.end(["--data", directory, "--port", "x"]).code == 78)
    #expect(try Program.end(["--data", directory], ["LEDGER_PROT": "1"]).code == 78)
    let (code, message) = try Program.end(["--data", directory], ["DATABASE_URL": "x"])
    #expect(code == 78 && message.contains("LEDGER_DATA"))
    #expect(!FileManager.default.fileExists(atPath: directory))
  }

  @Test func `a port that is taken ends it with 74`() async throws {
    try await Program.run { program in
      let other = NSTemporaryDirectory() + "ledgerd-other-" + UUID().uuidString
      defer { try? FileManager.default.removeItem(atPath: other) }
      let (code, message) = try Program.end(["--data", other, "--port", "\(program.port)"])
      #expect(code == 74, "\(message)")
    }
  }

  @Test func `what is no request is refused and ends the connection`() async throws {
    let long = String(repeating: "a", count: 17_000)
    let many = (0..<70).map { "X-\($0): 1\r\n" }.joined()
    let requests = [
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "POST /v1/agents HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /v1/agents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "POST /v1/agents HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX-A: \(long)\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\(many)\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\u{0}c\r\n\r\n",
      "NONSENSE\r\n\r\n",
    ]
    try await Program.run { program in
      for request in requests {
        let answer = try await program.ask(request)
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400"), "\(request.prefix(80))")
        #expect(answer.components(separatedBy: "HTTP/1.1 ").count <= 2, "\(request.prefix(80))")
      }
      let health = try await program.ask(
        "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(health.hasPrefix("HTTP/1.1 200 OK"))
    }
  }

  /// The disk gives back other bytes than were written: the code of a payment's event is changed
  /// under the running program, and then its idempotency key asks for that event.
  @Test func `a failed ledger answers that the outcome is unknown, and ends it with 74`()
    async throws
  {
    try await Program.run { program in
      let ann = try await program.post("/v1/agents", #"{"name":"ann"}"#)
      let bob = try await program.post("/v1/agents", #"{"name":"bob"}"#)
      let (from, to) = (try #require(ann["wallet_id"]?.text), try #require(bob["wallet_id"]?.text))
      let key = try #require(ann["api_key"]?.text)
      let fund = #"{"amount":10,"source":"test_faucet"}"#
      _ = try await program.post("/v1/wallets/\(from)/fund", fund, key: key)
      let body =
        #"{"from_wallet_id":"\#(from)","to_wallet_id":"\#(to)","amount":5"#
        + #","idempotency_key":"k"}"#
      #expect(try await program.post("/v1/payments", body, key: key)["status"] == "completed")

      // Amount and fee, sixteen bytes each, lead the payload. Before it are the idempotency key's
      // 24 bytes and of the header's 24 the last six, which begin with the event's code.
      let path = program.directory + "/log/data.mdb"
      let data = try #require(FileManager.default.contents(atPath: path))
      let amounts = Self.littleEndian(5_000_000_000) + Self.littleEndian(20_000_000)
      let file = try #require(FileHandle(forUpdatingAtPath: path))
      var found = data.range(of: Data(amounts))
      try #require(found != nil)
      while let place = found {
        try file.seek(toOffset: UInt64(place.lowerBound - 30))
        try file.write(contentsOf: Data([0xFF, 0xFF]))
        found = data.range(of: Data(amounts), in: place.upperBound..<data.endIndex)
      }

      let answer = try await program.post("/v1/payments", body, key: key)
      #expect(answer["code"] == "OUTCOME_UNKNOWN" && answer["next_action"] == "retry_same_key")
      #expect(program.wait() == 74)
    }
  }

  private static func littleEndian(_ value: UInt64) -> [UInt8] {
    (0..<16).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) : 0 }
  }

  @Test func `a request in flight is answered before it stops`() async throws {
    try await Program.run { program in
      let body = #"{"name":"ann"}"#
      let head = "POST /v1/agents HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
      let answer = try await program.ask(head, then: body) { program.terminate() }
      #expect(answer.hasPrefix("HTTP/1.1 201 Created"))
      #expect(program.wait() == 0)
    }
  }
}

/// The executable, running on a directory of its own.
private final class Program: Sendable {
  let directory: String
  let port: Int
  let pid: Int32
  private let process: Process

  private static let url = Products.url("ledgerd")

  private init(_ process: Process, _ directory: String, _ port: Int) {
    self.process = process
    self.directory = directory
    self.port = port
    pid = process.processIdentifier
  }

  private static func process(
    _ arguments: [String], _ environment: [String: String] = [:]
  ) throws -> (Process, Pipe) {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = url
    process.arguments = arguments
    process.environment = ["PATH": "/usr/bin:/bin"].merging(environment) { $1 }
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    return (process, pipe)
  }

  static func run(_ body: (Program) async throws -> Void) async throws {
    let directory = NSTemporaryDirectory() + "ledgerd-run-" + UUID().uuidString.prefix(8)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let (process, pipe) = try process(["--data", directory, "--port", "0"])
    defer {
      if process.isRunning { process.terminate() }
      process.waitUntilExit()
    }
    let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
    let digits = line.split(separator: "127.0.0.1:").last?.prefix { $0.isNumber } ?? ""
    let port = try #require(Int(digits), "\(line)")
    try await body(Program(process, directory, port))
  }

  /// Runs it to its end: exit code and what it said.
  static func end(
    _ arguments: [String], _ environment: [String: String] = [:]
  ) throws -> (code: Int32, message: String) {
    let (process, pipe) = try process(arguments, environment)
    let message = String(
      decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, message)
  }

  func terminate() { process.terminate() }

  func wait() -> Int32 {
    process.waitUntilExit()
    return process.terminationStatus
  }

  func stop() -> Int32 {
    terminate()
    return wait()
  }

  // MARK: - Asking

  /// Sends bytes, and reads until the other side closes.
  func ask(
    _ request: String, then rest: String? = nil, between: () -> Void = {}
  ) async throws -> String {
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connect(host: "127.0.0.1", port: port) { Self.wrapped($0) }
    return try await Self.ask(channel, request, rest, between)
  }

  /// Sends a body, and reads the JSON that is answered.
  func post(_ path: String, _ body: String, key: String? = nil) async throws -> JSONValue {
    let credential = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    let answer = try await ask(
      "POST \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(credential)"
        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    let parts = answer.components(separatedBy: "\r\n\r\n")
    return try JSONValue.parse(Array((parts.last ?? "").utf8))
  }

  func askSocket(_ request: String) async throws -> String {
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connect(unixDomainSocketPath: directory + "/ledgerd.sock") { Self.wrapped($0) }
    return try await Self.ask(channel, request, nil, {})
  }

  private typealias Wrapped = NIOAsyncChannel<ByteBuffer, ByteBuffer>

  private static func wrapped(_ channel: any Channel) -> EventLoopFuture<Wrapped> {
    channel.eventLoop.makeCompletedFuture { try Wrapped(wrappingChannelSynchronously: channel) }
  }

  private static func ask(
    _ channel: Wrapped, _ request: String, _ rest: String?, _ between: () -> Void
  ) async throws -> String {
    try await channel.executeThenClose { inbound, outbound in
      try await outbound.write(ByteBuffer(string: request))
      if let rest {
        try await Task.sleep(for: .milliseconds(200))
        between()
        try await Task.sleep(for: .milliseconds(200))
        try await outbound.write(ByteBuffer(string: rest))
      }
      var answer = ByteBuffer()
      // A connection that is reset was closed, too.
      do {
        for try await bytes in inbound { answer.writeImmutableBuffer(bytes) }
      } catch is IOError {}
      return String(buffer: answer)
    }
  }
}
