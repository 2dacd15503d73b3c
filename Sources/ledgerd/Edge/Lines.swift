import Hummingbird
import LedgerCore
import NIOCore

/// A request of many lines of JSON (NDJSON), answered line by line while it arrives.
///
///     body ──▶ whole lines that are there ──▶ fields ──▶ one span of commands ──▶ a line each
///
/// The lines of one span reach the engine together, so they cost one sync and no hops.
struct Lines: Sendable {
  /// The head: who asks, and the query.
  let call: Call
  let fields: [any AnyField]
  let handle: Route.LinesHandler

  /// The most lines that are handled, and the most bytes that are held, at once.
  static let countMax = 4_096
  static let byteCountMax = 1 << 20
  static let lineByteCountMax = JSONValue.byteCountMax
  /// All lines, or none of them.
  static let isAtomic = Field.flag(
    "atomic", "All lines are done, or none; at most 1,000. Each for itself where it is not said.")

  func response(to request: Hummingbird.Request) -> Response {
    let body = request.body
    let headers: HTTPFields = [
      .contentType: "application/x-ndjson", .cacheControl: "no-store",
      .xContentTypeOptions: "nosniff",
    ]
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody { @concurrent writer in
        var reader = Reader(body.makeAsyncIterator())
        if call[Self.isAtomic] ?? false {
          try await answerAtOnce(&reader, &writer)
        } else {
          while let lines = try await reader.next(countMax: Self.countMax) {
            try await writer.write(await answer(lines))
          }
          if let problem = reader.problem { try await writer.write(Self.line(problem)) }
        }
        try await writer.finish(nil)
      })
  }

  @concurrent
  private func answerAtOnce<Body: AsyncIteratorProtocol<ByteBuffer, any Error>>(
    _ reader: inout Reader<Body>, _ writer: inout any ResponseBodyWriter
  ) async throws {
    var lines: [[UInt8]] = []
    var byteCount = 0
    while let more = try await reader.next(countMax: Self.countMax) {
      lines += more
      byteCount += more.reduce(0) { $0 + $1.count }
      guard lines.count <= 1_000, byteCount <= Self.byteCountMax else {
        let problem = Problem(.unitTooLarge, "Send at most 1,000 lines and 1 MiB at once.")
        return try await writer.write(Self.line(problem))
      }
    }
    if let problem = reader.problem { return try await writer.write(Self.line(problem)) }
    if !lines.isEmpty { try await writer.write(await answer(lines)) }
  }

  private func answer(_ lines: [[UInt8]]) async -> ByteBuffer {
    let calls = lines.map { line in
      Result { () throws(Problem) in
        var input = call.input
        try input.read(fields, fromBody: line)
        return Call(
          backend: call.backend, input: input, principal: call.principal, key: input[Route.key])
      }
    }
    var buffer = ByteBuffer()
    for result in await handle(calls, call) {
      switch result {
      case .success(let answer): buffer.writeBytes(Self.bytes(answer))
      case .failure(let problem): buffer.writeBytes(problem.json.bytes)
      }
      buffer.writeInteger(UInt8(ascii: "\n"))
    }
    return buffer
  }

  /// As alone, where a header says that it was done before.
  private static func bytes(_ answer: Answer) -> [UInt8] {
    let bytes = answer.json.bytes
    guard answer.isReplay else { return bytes }
    return bytes.dropLast() + Array(",\"\(replayedMember)\":true}".utf8)
  }

  static let replayedMember = "idempotent_replayed"

  private static func line(_ problem: Problem) -> ByteBuffer {
    ByteBuffer(bytes: problem.json.bytes + [UInt8(ascii: "\n")])
  }
}

/// The lines of a body as they arrive.
private struct Reader<Body: AsyncIteratorProtocol<ByteBuffer, any Error>> {
  private var body: Body
  private var rest: [UInt8] = []
  /// How many bytes at the beginning of ``rest`` have no end of a line among them.
  private var searchedCount = 0
  private var isOver = false
  /// Why the rest was not read, where it was not.
  private(set) var problem: Problem?

  init(_ body: Body) { self.body = body }

  /// The whole lines that are there, at least one, waiting for that; nil at the end.
  @concurrent
  mutating func next(countMax: Int) async throws -> [[UInt8]]? {
    while problem == nil {
      let lines = take(countMax)
      if !lines.isEmpty { return lines }
      if isOver {
        // The last line needs no end.
        defer { (rest, searchedCount) = ([], 0) }
        return rest.isEmpty ? nil : [rest]
      }
      guard rest.count <= Lines.lineByteCountMax else {
        problem = Self.tooLong
        break
      }
      if let more = try await body.next() { rest += more.readableBytesView } else { isOver = true }
    }
    return nil
  }

  private static var tooLong: Problem {
    Problem(
      .bodyTooLarge,
      "Send lines of at most \(Lines.lineByteCountMax) bytes; nothing from this one on was read.")
  }

  private mutating func take(_ countMax: Int) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    var start = 0
    while lines.count < countMax,
      let end = rest[max(start, searchedCount)...].firstIndex(of: UInt8(ascii: "\n"))
    {
      guard end - start <= Lines.lineByteCountMax else {
        problem = Self.tooLong
        break
      }
      // Blank ones say nothing, and an answer is longer than they are.
      if start < end { lines.append(Array(rest[start..<end])) }
      start = end + 1
    }
    rest.removeFirst(start)
    searchedCount = lines.count < countMax ? rest.count : 0
    return lines
  }
}
