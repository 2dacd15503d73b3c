/// Appends one JSON document to an array of bytes, without whitespace.
///
/// The same calls always write the same bytes: members stay in the order they were written, and
/// each string has one spelling.
///
///     var writer = JSONWriter()
///     writer.beginObject()
///     writer.name("amount")
///     writer.number(text: "0.005")
///     writer.endObject()
///     let body = writer.finish()
///
/// Calls that would not make a document (a value without its name, an end without its beginning, a
/// second document) are our mistakes, not a client's, and stop the process. That the names in one
/// object differ is left to the caller.
struct JSONWriter: ~Copyable {
  private enum Container {
    case array, object
  }

  private var bytes: [UInt8]
  /// What is open, outermost first. As deep as the parser reads, so that we can read what we write.
  private var open: [Container] = []
  private var needsComma = false
  /// A name was written, and its value was not.
  private var hasName = false
  private var isComplete = false

  /// The document is appended to `prefix`, which need not be JSON.
  init(appendingTo prefix: [UInt8] = []) {
    bytes = prefix
  }

  /// All bytes, once the document is complete.
  consuming func finish() -> [UInt8] {
    precondition(isComplete)
    return bytes
  }

  mutating func beginObject() { begin(.object, UInt8(ascii: "{")) }
  mutating func endObject() { end(.object, UInt8(ascii: "}")) }
  mutating func beginArray() { begin(.array, UInt8(ascii: "[")) }
  mutating func endArray() { end(.array, UInt8(ascii: "]")) }

  /// The name of the member whose value is written next.
  mutating func name(_ name: String) {
    precondition(open.last == .object && !hasName)
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    bytes.append(quoted: name)
    bytes.append(UInt8(ascii: ":"))
    hasName = true
  }

  mutating func null() { scalar("null") }
  mutating func bool(_ value: Bool) { scalar(value ? "true" : "false") }
  mutating func integer(_ value: some FixedWidthInteger) { scalar(String(value)) }

  /// Writes `text` as it is. It must be one JSON number, of at most 64 bytes.
  mutating func number(text: String) {
    precondition(JSONValue.isNumber(text))
    scalar(text)
  }

  /// Writes any text. One with NUL in it is valid JSON, although our own parser refuses it.
  mutating func string(_ text: String) {
    willWriteValue()
    bytes.append(quoted: text)
    didWriteValue()
  }

  mutating func value(_ value: JSONValue) {
    switch value {
    case .null: null()
    case .bool(let value): bool(value)
    case .number(let text): number(text: text)
    case .string(let text): string(text)
    case .written(let value):
      willWriteValue()
      bytes += value
      didWriteValue()
    case .array(let elements):
      beginArray()
      for element in elements { self.value(element) }
      endArray()
    case .object(let object):
      beginObject()
      for member in object.members {
        name(member.name)
        self.value(member.value)
      }
      endObject()
    }
  }

  private mutating func begin(_ container: Container, _ bracket: UInt8) {
    precondition(open.count < JSONValue.depthMax)
    willWriteValue()
    open.append(container)
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func end(_ container: Container, _ bracket: UInt8) {
    precondition(open.last == container && !hasName)
    open.removeLast()
    bytes.append(bracket)
    didWriteValue()
  }

  private mutating func scalar(_ text: String) {
    willWriteValue()
    bytes.append(contentsOf: text.utf8)
    didWriteValue()
  }

  private mutating func willWriteValue() {
    precondition(!isComplete && hasName == (open.last == .object))
    // After a name, the comma already stands before that name.
    if needsComma && !hasName { bytes.append(UInt8(ascii: ",")) }
    hasName = false
  }

  private mutating func didWriteValue() {
    needsComma = true
    isComplete = open.isEmpty
  }
}

extension [UInt8] {
  /// Appends a string of JSON: escapes what RFC 8259 says must be escaped, and nothing else.
  mutating func append(quoted text: String) {
    append(UInt8(ascii: "\""))
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C }
    if isPlain { append(contentsOf: text.utf8) } else { append(escaping: text) }
    append(UInt8(ascii: "\""))
  }

  private mutating func append(escaping text: String) {
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        append(UInt8(ascii: "\\"))
        append(byte)
      case 0..<0x20:
        append(contentsOf: "\\u00".utf8)
        append(Self.hexDigit(byte >> 4))
        append(Self.hexDigit(byte & 0xF))
      default:
        append(byte)
      }
    }
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}

extension JSONValue {
  /// The value as JSON. Parsing gives the same value back, if it keeps to the parser's bounds.
  var bytes: [UInt8] {
    if case .written(let bytes) = self { return bytes }
    var writer = JSONWriter()
    writer.value(self)
    return writer.finish()
  }
}
