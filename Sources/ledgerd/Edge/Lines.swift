import AsyncAlgorithms
import Hummingbird
import LedgerCore
import NIOCore

/// A request of many lines of JSON (NDJSON), answered line by line while it arrives.
///
///     body ──▶ whole lines that are there ──▶ one span of commands ──▶ durable ──▶ a line each
///              └──────────── a chunk ────────────┘
///
/// The lines of one chunk reach the engine together, so they cost one sync and no hops. The next
/// chunks are read while those before them become durable.
struct Lines: Sendable {
  /// The head: who asks, and the query.
  let call: Call
  let fields: [any AnyField]
  let handle: Route.LinesHandler

  /// Lines that came together.
  struct Chunk: Sendable {
    /// The lines, and what is between them.
    var bytes: [UInt8] = []
    /// Where in ``bytes`` they are, without their ends.
    var lines: [Range<Int>] = []
    /// Why what follows was not read, where it was not.
    fileprivate(set) var problem: Problem?

    init(bytes: [UInt8] = [], lines: [Range<Int>] = []) {
      self.bytes = bytes
      self.lines = lines
    }
  }

  /// Makes the answers of a chunk once its commands are durable: a line each, in their order.
  /// Throws where nobody waits for them any more.
  typealias Answers = @Sendable () async throws(CancellationError) -> [UInt8]

  /// The most lines of one chunk, and the most chunks that are begun and not answered.
  static let countMax = 1_024
  static let chunkCountMax = 16
  static let lineByteCountMax = JSONValue.byteCountMax
  /// All lines, or none of them.
  static let isAtomic = Field.flag(
    "atomic", "All lines are done, or none; at most 1,000. Each for itself where it is not said.")

  func response(to request: Hummingbird.Request) -> Response {
    let chunks = Chunks(body: request.body)
    let headers: HTTPFields = [
      .contentType: "application/x-ndjson", .cacheControl: "no-store",
      .xContentTypeOptions: "nosniff",
    ]
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody { @concurrent writer in
        if call[Self.isAtomic] ?? false {
          try await writer.write(ByteBuffer(bytes: try await answerAtOnce(chunks)))
        } else {
          let begun = chunks.map { chunk in (await handle(chunk, self), chunk.problem) }
          for try await (answers, problem) in begun.buffer(policy: .bounded(Self.chunkCountMax)) {
            var bytes = try await answers()
            if let problem { bytes.append(line: problem.json) }
            try await writer.write(ByteBuffer(bytes: bytes))
          }
        }
        try await writer.finish(nil)
      })
  }

  private func answerAtOnce(_ chunks: Chunks) async throws -> [UInt8] {
    var whole = Chunk()
    for try await chunk in chunks {
      whole.lines += chunk.lines.map { line in
        line.lowerBound + whole.bytes.count..<line.upperBound + whole.bytes.count
      }
      whole.bytes += chunk.bytes
      whole.problem = chunk.problem
      if whole.lines.count > 1_000 || whole.bytes.count > 1 << 20 {
        whole.problem = Problem(.unitTooLarge, "Send at most 1,000 lines and 1 MiB at once.")
      }
      if whole.problem != nil { break }
    }
    guard let problem = whole.problem else { return try await handle(whole, self)() }
    var bytes: [UInt8] = []
    bytes.append(line: problem.json)
    return bytes
  }

  /// A line as a request of its own.
  func read(_ line: Range<Int>, of chunk: Chunk) throws(Problem) -> Call {
    var input = call.input
    try input.read(fields, fromBody: chunk.bytes[line])
    return Call(
      backend: call.backend, input: input, principal: call.principal, key: input[Route.key])
  }

  /// Beside an answer as alone, where a header says that it was done before.
  static let replayedMember = "idempotent_replayed"
}

extension [UInt8] {
  /// Appends one document and the end of its line.
  mutating func append(line json: JSONValue) {
    append(contentsOf: json.bytes)
    append(UInt8(ascii: "\n"))
  }
}

/// The lines of a body, as many at a time as are there.
private struct Chunks: AsyncSequence, Sendable {
  let body: RequestBody

  func makeAsyncIterator() -> Iterator { Iterator(body: body.makeAsyncIterator()) }

  struct Iterator: AsyncIteratorProtocol {
    var body: RequestBody.AsyncIterator
    private var rest: [UInt8] = []
    /// How many bytes at the beginning of ``rest`` have no end of a line among them.
    private var searchedCount = 0
    private var isOver = false

    init(body: RequestBody.AsyncIterator) { self.body = body }

    /// The whole lines that are there, at least one, waiting for that; nil at the end.
    @concurrent
    mutating func next() async throws -> Lines.Chunk? {
      while !isOver {
        let chunk = take()
        if !chunk.lines.isEmpty || chunk.problem != nil { return chunk }
        if let more = try await body.next() {
          rest.append(contentsOf: more.readableBytesView)
        } else {
          isOver = true
        }
      }
      // The last line needs no end.
      guard !rest.isEmpty else { return nil }
      var last = Lines.Chunk()
      swap(&last.bytes, &rest)
      last.lines = [last.bytes.indices]
      return last
    }

    private static var tooLong: Problem {
      Problem(
        .bodyTooLarge,
        "Send lines of at most \(Lines.lineByteCountMax) bytes; nothing from this one on was read.")
    }

    private mutating func take() -> Lines.Chunk {
      var chunk = Lines.Chunk()
      var start = 0
      var end = searchedCount
      while end < rest.count, chunk.lines.count < Lines.countMax {
        guard rest[end] == UInt8(ascii: "\n") else {
          end += 1
          continue
        }
        if end - start > Lines.lineByteCountMax { break }
        // Blank ones say nothing, and an answer is longer than they are.
        if start < end { chunk.lines.append(start..<end) }
        end += 1
        start = end
      }
      if end - start > Lines.lineByteCountMax {
        chunk.problem = Self.tooLong
        isOver = true
        (chunk.bytes, rest) = (rest, [])
        return chunk
      }
      searchedCount = end - start
      if chunk.lines.isEmpty {
        rest.removeFirst(start)
      } else {
        // The chunk keeps the bytes where they are; what is left is less than a line, but seldom.
        let left = Array(rest[start...])
        (chunk.bytes, rest) = (rest, left)
      }
      return chunk
    }
  }
}
