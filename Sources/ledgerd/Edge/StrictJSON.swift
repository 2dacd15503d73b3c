/// Strict JSON: what a client sent, exactly, or a refusal that says what to change.
///
///     bytes ──▶ JSONValue.parse ──▶ JSONObjectReader ──▶ typed fields of one command
///                    │                     │
///                    └── JSONError ────────┘      a byte offset, or the name of a field
///
/// Written by hand because Foundation's decoder silently rounds long numbers and keeps the first of
/// two equal keys. Either would let a client and the ledger disagree about an amount. Here a number
/// stays the text it was, and an object with two equal keys is refused.
///
/// Grammar: RFC 8259 in UTF-8, with nothing optional taken: no byte order mark, no comments, no
/// trailing commas or bytes. Narrower than the RFC in three: equal keys are refused, NUL is refused
/// however it is spelled, and bytes, depth, members per object and a number's length are bounded.

/// Why a document or a field was refused. Nothing was done with it.
struct JSONError: Error, Sendable, CustomStringConvertible {
  /// Public and stable: the raw value appears in HTTP bodies, and is never reused.
  enum Code: String, Sendable, CaseIterable {
    case malformed
    case duplicateKey = "duplicate_key"
    case tooDeep = "too_deep"
    case tooLarge = "too_large"
    case invalidUTF8 = "invalid_utf8"
    case invalidString = "invalid_string"
    case invalidNumber = "invalid_number"
    case missingField = "missing_field"
    case unknownField = "unknown_field"
    case wrongType = "wrong_type"
    case outOfRange = "out_of_range"
    case invalidAmount = "invalid_amount"
    case invalidId = "invalid_id"
  }

  let code: Code
  /// Where parsing stopped, in bytes from the start. Nil when a field was refused after parsing.
  let byteOffset: Int?
  /// The field's path, as in `split[1].share`, or the key that came twice, exactly as sent. While
  /// parsing, only the text of a string or a number has one.
  let field: String?
  /// One sentence that says what to do. Printable ASCII, under 300 bytes, safe to log.
  let message: String

  var description: String { "\(code.rawValue): \(message)" }

  init(_ code: Code, at byteOffset: Int? = nil, field: String? = nil, _ message: String) {
    self.code = code
    self.byteOffset = byteOffset
    self.field = field
    self.message = message
  }

  /// A client's text as a message may repeat it: quoted, ASCII, at most 64 characters of it.
  static func quoted(_ text: String) -> String {
    // A client may send 64 KiB as a name, or characters that reorder the line it is logged on.
    let scalarCountMax = 64
    var escaped = ""
    for scalar in text.unicodeScalars.prefix(scalarCountMax) {
      let next = scalar.escaped(asASCII: true)
      guard escaped.utf8.count + next.utf8.count <= scalarCountMax else { break }
      escaped += next
    }
    return "\"\(escaped)\""
  }
}

/// A JSON document, with nothing lost: numbers are text, members keep their order.
///
/// Equality is of bytes. `"é"` composed and `"é"` decomposed differ, although they are equal as
/// Swift strings, and so do the numbers `1` and `1.0`.
enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// The number's exact source text, at most ``numberByteCountMax`` bytes.
  case number(String)
  /// Any text without NUL. Other control characters can be in it, when the client escaped them.
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
  /// Of ours, written already; the parser makes none.
  case written([UInt8])

  /// The largest document read, unless the caller says otherwise. 64 KiB.
  static let byteCountMax = 65_536
  /// Arrays and objects open at once.
  static let depthMax = 32
  static let memberCountMax = 1_000
  static let numberByteCountMax = 64

  /// Reads one document, which is all of `bytes`.
  ///
  /// Throws at the first byte that is not strict JSON, and when a bound above or `byteCountMax`
  /// (bytes, inclusive) is exceeded. Time and memory are linear in the number of bytes.
  static func parse(
    _ bytes: some Collection<UInt8>, byteCountMax: Int = JSONValue.byteCountMax
  ) throws(JSONError) -> JSONValue {
    // Counted before the copy, so that an oversized body costs nothing more.
    guard bytes.count <= byteCountMax else {
      throw JSONError(.tooLarge, at: byteCountMax, "Send at most \(byteCountMax) bytes of JSON.")
    }
    var parser = JSONParser(bytes: Array(bytes))
    return try parser.document()
  }

  /// Whether `text` is one JSON number, and nothing else, within ``numberByteCountMax``.
  static func isNumber(_ text: String) -> Bool {
    var parser = JSONParser(bytes: Array(text.utf8))
    return (try? parser.number()) != nil && parser.offset == parser.bytes.count
  }

  static func == (left: JSONValue, right: JSONValue) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.bool(let left), .bool(let right)): left == right
    case (.number(let left), .number(let right)): left.hasSameBytes(as: right)
    case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
    case (.array(let left), .array(let right)): left == right
    case (.object(let left), .object(let right)): left == right
    case (.written(let left), .written(let right)): left == right
    default: false
    }
  }
}

/// The members of one object, in the order of the document. No two names have the same bytes.
struct JSONObject: Sendable, Equatable, ExpressibleByDictionaryLiteral {
  struct Member: Sendable, Equatable {
    let name: String
    let value: JSONValue

    static func == (left: Member, right: Member) -> Bool {
      left.name.hasSameBytes(as: right.name) && left.value == right.value
    }
  }

  let members: [Member]

  /// The caller has made sure that the names differ.
  init(members: [Member]) {
    self.members = members
  }

  init(dictionaryLiteral elements: (String, JSONValue)...) {
    let names = Set(elements.map { name, _ in Array(name.utf8) })
    precondition(names.count == elements.count)
    self.members = elements.map { name, value in Member(name: name, value: value) }
  }

  /// Where the member called `name`, byte for byte, stands.
  func index(of name: String) -> Int? {
    members.firstIndex { $0.name.hasSameBytes(as: name) }
  }

  subscript(name: String) -> JSONValue? {
    index(of: name).map { members[$0].value }
  }
}

extension String {
  /// Swift's `==` follows Unicode equivalence, and would merge names that the store keeps apart.
  fileprivate func hasSameBytes(as other: String) -> Bool {
    utf8.elementsEqual(other.utf8)
  }
}

/// One pass over the bytes, by recursive descent. ``JSONValue/depthMax`` bounds the recursion.
private struct JSONParser {
  let bytes: [UInt8]
  /// The next byte to look at. Every method starts on its first byte and ends after its last.
  var offset = 0
  private var depth = 0

  init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  mutating func document() throws(JSONError) -> JSONValue {
    guard !bytes.starts(with: [0xEF, 0xBB, 0xBF]) else {
      throw JSONError(.malformed, at: 0, "Remove the byte order mark before the JSON.")
    }
    // Once for all bytes: from here on, decoding a part of them cannot repair anything.
    do throws(UTF8.ValidationError) {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      throw JSONError(
        .invalidUTF8, at: error.byteOffsets.lowerBound, "Encode the JSON as valid UTF-8.")
    }
    skipWhitespace()
    let value = try value()
    skipWhitespace()
    guard offset == bytes.count else {
      throw JSONError(.malformed, at: offset, "Remove what follows the end of the JSON.")
    }
    return value
  }

  private mutating func skipWhitespace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      offset += 1
    }
  }

  private mutating func value() throws(JSONError) -> JSONValue {
    guard let next else {
      throw JSONError(.malformed, at: offset, "Complete the JSON, which ends too early.")
    }
    switch next {
    case UInt8(ascii: "{"): return .object(try object())
    case UInt8(ascii: "["): return .array(try array())
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: throw JSONError(.malformed, at: offset, "Put a JSON value here.")
    }
  }

  /// The value of a member, or at a place such as `[1]`. What is wrong with its own text is refused
  /// by its path.
  private mutating func value(at place: @autoclosure () -> String) throws(JSONError) -> JSONValue {
    do throws(JSONError) {
      return try value()
    } catch {
      switch error.code {
      case .invalidString, .invalidNumber:
        let inner = error.field.map { $0.hasPrefix("[") ? $0 : "." + $0 } ?? ""
        throw JSONError(error.code, at: error.byteOffset, field: place() + inner, error.message)
      default: throw error
      }
    }
  }

  private mutating func literal(
    _ text: StaticString, _ value: JSONValue
  ) throws(JSONError) -> JSONValue {
    let word = text.description
    guard bytes[offset...].starts(with: word.utf8) else {
      throw JSONError(.malformed, at: offset, "Put a JSON value here, such as \(word).")
    }
    offset += word.utf8.count
    return value
  }

  /// Counts an opening bracket. Its closing one is counted where the container ends.
  private mutating func open() throws(JSONError) {
    guard depth < JSONValue.depthMax else {
      throw JSONError(.tooDeep, at: offset, "Nest at most \(JSONValue.depthMax) levels.")
    }
    depth += 1
    offset += 1
    skipWhitespace()
  }

  private mutating func close() {
    precondition(depth > 0)
    depth -= 1
    offset += 1
  }

  /// Steps over the comma between two elements. False at `end`, which is left to ``close()``.
  private mutating func hasAnother(until end: UInt8) throws(JSONError) -> Bool {
    skipWhitespace()
    if next == end { return false }
    guard next == UInt8(ascii: ",") else {
      let bracket = Character(Unicode.Scalar(end))
      throw JSONError(.malformed, at: offset, "Put a comma or \(bracket) here.")
    }
    offset += 1
    skipWhitespace()
    return true
  }

  private mutating func array() throws(JSONError) -> [JSONValue] {
    let end = UInt8(ascii: "]")
    var elements: [JSONValue] = []
    try open()
    if next != end {
      repeat {
        elements.append(try value(at: "[\(elements.count)]"))
      } while try hasAnother(until: end)
    }
    close()
    return elements
  }

  private mutating func object() throws(JSONError) -> JSONObject {
    let end = UInt8(ascii: "}")
    var members: [JSONObject.Member] = []
    // Bytes, because a set of strings would merge names that are only canonically equal.
    var names: Set<[UInt8]> = []
    try open()
    if next != end {
      repeat {
        let start = offset
        guard next == UInt8(ascii: "\"") else {
          throw JSONError(.malformed, at: offset, "Put the name of a member here, in quotes.")
        }
        guard members.count < JSONValue.memberCountMax else {
          let message = "Send at most \(JSONValue.memberCountMax) members in one object."
          throw JSONError(.tooLarge, at: offset, message)
        }
        let name = try string()
        guard names.insert(Array(name.utf8)).inserted else {
          let message = "Send \(JSONError.quoted(name)) only once in its object."
          throw JSONError(.duplicateKey, at: start, field: name, message)
        }
        skipWhitespace()
        guard next == UInt8(ascii: ":") else {
          throw JSONError(.malformed, at: offset, "Put a colon after the name of the member.")
        }
        offset += 1
        skipWhitespace()
        members.append(JSONObject.Member(name: name, value: try value(at: name)))
      } while try hasAnother(until: end)
    }
    close()
    precondition(names.count == members.count)
    return JSONObject(members: members)
  }
}

/// Numbers: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`, checked and never computed.
extension JSONParser {
  mutating func number() throws(JSONError) -> String {
    let start = offset
    if next == UInt8(ascii: "-") { offset += 1 }
    let isZero = next == UInt8(ascii: "0")
    let integerDigitCount = try digits()
    guard !isZero || integerDigitCount == 1 else {
      throw JSONError(.invalidNumber, at: start, "Remove the leading zeros of the number.")
    }
    if next == UInt8(ascii: ".") {
      offset += 1
      _ = try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      offset += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { offset += 1 }
      _ = try digits()
    }
    guard offset - start <= JSONValue.numberByteCountMax else {
      let message = "Write the number in at most \(JSONValue.numberByteCountMax) bytes."
      throw JSONError(.invalidNumber, at: start, message)
    }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }

  /// Steps over one digit or more, and returns how many.
  private mutating func digits() throws(JSONError) -> Int {
    let start = offset
    while let byte = next, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { offset += 1 }
    guard offset > start else {
      throw JSONError(.invalidNumber, at: offset, "Put a digit here, to complete the number.")
    }
    return offset - start
  }
}

/// Strings. The document is known to be UTF-8, so every byte from 0x80 up is copied as it is.
extension JSONParser {
  fileprivate mutating func string() throws(JSONError) -> String {
    let start = offset
    offset += 1
    // Decoded text so far, up to the run of plain bytes that began at `runStart`.
    var text: [UInt8] = []
    var runStart = offset
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        text += bytes[runStart..<offset]
        offset += 1
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        text += bytes[runStart..<offset]
        try escape(into: &text)
        runStart = offset
      case 0:
        throw nulRefused(at: offset)
      case 0x01..<0x20:
        throw JSONError(
          .invalidString, at: offset, "Escape or remove the control character in the string.")
      default:
        offset += 1
      }
    }
    throw JSONError(.malformed, at: start, "Close the string that begins here.")
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    let start = offset
    offset += 1
    let letter = next
    offset += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(bytes[start + 1])
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): text.append(contentsOf: String(try scalar(from: start)).utf8)
    default:
      let message = "Use only the escapes of JSON: \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX."
      throw JSONError(.invalidString, at: start, message)
    }
  }

  /// The character of a `\uXXXX`, or of the two that make a surrogate pair. `start` is for errors.
  private mutating func scalar(from start: Int) throws(JSONError) -> Unicode.Scalar {
    var code = try fourHexDigits(from: start)
    if (0xD800..<0xDC00).contains(code), bytes[offset...].starts(with: [0x5C, 0x75]) {
      offset += 2
      let low = try fourHexDigits(from: offset - 2)
      guard (0xDC00..<0xE000).contains(low) else { throw loneSurrogate(at: start) }
      code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00)
    }
    guard code != 0 else { throw nulRefused(at: start) }
    // What is left without a scalar is half of a pair.
    guard let scalar = Unicode.Scalar(code) else { throw loneSurrogate(at: start) }
    return scalar
  }

  private mutating func fourHexDigits(from start: Int) throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch next {
      case .some(let byte) where UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte:
        digit = byte - UInt8(ascii: "0")
      case .some(let byte) where UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte | 0x20:
        digit = (byte | 0x20) - UInt8(ascii: "a") + 10
      default:
        throw JSONError(.invalidString, at: start, "Put four hexadecimal digits after \\u.")
      }
      code = code << 4 | UInt32(digit)
      offset += 1
    }
    return code
  }

  private func loneSurrogate(at offset: Int) -> JSONError {
    JSONError(.invalidString, at: offset, "Send both halves of the surrogate pair, or neither.")
  }

  private func nulRefused(at offset: Int) -> JSONError {
    JSONError(.invalidString, at: offset, "Remove the NUL character from the string.")
  }
}
