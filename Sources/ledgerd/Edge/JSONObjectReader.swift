/// Takes typed fields out of one object, and then refuses whatever was not asked for.
///
///     var body = try JSONObjectReader(JSONValue.parse(bytes))
///     let memo = try body.optionalString("memo", bytes: 0...100)
///     let amount = try body.required("amount", body.optionalAmountText("amount"))
///     try body.finish()
///
/// A null counts as an absent field. Every error carries the field's path, and names it.
struct JSONObjectReader: Sendable {
  static let idByteCountMax = 255
  /// On each side of the decimal point.
  static let amountDigitCountMax = 18

  private let object: JSONObject
  /// The names of the enclosing objects, each with its dot. Empty for the document itself.
  private let path: String
  private var wasRead: [Bool]

  init(_ value: JSONValue) throws(JSONError) {
    guard case .object(let object) = value else {
      throw JSONError(.wrongType, at: 0, "Send a JSON object as the whole document.")
    }
    self.init(object, path: "")
  }

  private init(_ object: JSONObject, path: String) {
    self.object = object
    self.path = path
    self.wasRead = Array(repeating: false, count: object.members.count)
  }

  /// Refuses the first field that no method asked for, so that a misspelt limit is never ignored.
  func finish() throws(JSONError) {
    guard let index = wasRead.firstIndex(of: false) else { return }
    throw error(.unknownField, object.members[index].name, "remove it; it is not known here")
  }

  /// `bytes`: how long the text may be, in UTF-8. Control characters other than NUL can be in it.
  mutating func optionalString(
    _ name: String, bytes: ClosedRange<Int>
  ) throws(JSONError) -> String? {
    guard let value = take(name) else { return nil }
    guard case .string(let text) = value else { throw error(.wrongType, name, "send a string") }
    guard bytes.contains(text.utf8.count) else {
      let rule = "send \(bytes.lowerBound) to \(bytes.upperBound) bytes"
      throw error(.outOfRange, name, rule)
    }
    return text
  }

  /// The client's own label for a thing: 1 to 255 bytes, each printable ASCII (0x21 to 0x7E).
  mutating func optionalAsciiId(
    _ name: String, byteCountMax: Int = idByteCountMax
  ) throws(JSONError) -> String? {
    guard let value = take(name) else { return nil }
    guard case .string(let text) = value else { throw error(.wrongType, name, "send a string") }
    try check(asciiId: text, name, byteCountMax: byteCountMax)
    return text
  }

  func check(
    asciiId text: String, _ name: String, byteCountMax: Int
  ) throws(JSONError) {
    guard (1...byteCountMax).contains(text.utf8.count) else {
      throw error(.invalidId, name, "send 1 to \(byteCountMax) bytes")
    }
    guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw error(.invalidId, name, "use only printable ASCII characters, and no spaces")
    }
  }

  /// The texts in the list called `name`, of which there must be `count`; `check` looks at each,
  /// under the name of its place.
  mutating func optionalStrings(
    _ name: String, count: ClosedRange<Int>,
    check: (JSONObjectReader, String, _ place: String) throws(JSONError) -> Void
  ) throws(JSONError) -> [String]? {
    guard let value = take(name) else { return nil }
    guard case .array(let values) = value else {
      throw error(.wrongType, name, "send a list of strings")
    }
    guard count.contains(values.count) else {
      let rule = "send \(count.lowerBound) to \(count.upperBound) strings, not \(values.count)"
      throw error(.outOfRange, name, rule)
    }
    var texts: [String] = []
    for (index, value) in values.enumerated() {
      let place = "\(name)[\(index)]"
      guard case .string(let text) = value else { throw error(.wrongType, place, "send a string") }
      try check(self, text, place)
      texts.append(text)
    }
    return texts
  }

  /// The exact text of a decimal amount, sent as a string or as a number: up to 18 digits, and up
  /// to 18 decimals. Zero passes, and so do more decimals than the asset has: not known here.
  mutating func optionalAmountText(_ name: String) throws(JSONError) -> String? {
    switch take(name) {
    case nil:
      return nil
    case .string(let text), .number(let text):
      if let rule = Self.ruleBroken(byAmount: text) { throw error(.invalidAmount, name, rule) }
      return text
    default:
      throw error(.wrongType, name, "send a decimal amount, as a string or a number")
    }
  }

  /// A whole number within `range`, sent as a JSON number without a point or an exponent.
  mutating func optionalInt(_ name: String, in range: ClosedRange<Int>) throws(JSONError) -> Int? {
    guard let value = take(name) else { return nil }
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard
      case .number(let text) = value, text != "-0",
      text.utf8.allSatisfy({ digits.contains($0) || $0 == UInt8(ascii: "-") })
    else { throw error(.wrongType, name, "send a whole number, without quotes or an exponent") }
    guard let number = Int(text), range.contains(number) else {
      throw error(.outOfRange, name, "send \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  mutating func optionalBool(_ name: String) throws(JSONError) -> Bool? {
    guard let value = take(name) else { return nil }
    guard case .bool(let flag) = value else { throw error(.wrongType, name, "send true or false") }
    return flag
  }

  /// An object as it is, for free-form metadata. Nothing inside it is refused as unknown.
  mutating func optionalObject(_ name: String) throws(JSONError) -> JSONObject? {
    guard let value = take(name) else { return nil }
    guard case .object(let object) = value else { throw error(.wrongType, name, "send an object") }
    return object
  }

  /// What `read` makes of the object called `name`. Fields that `read` left are refused after it.
  mutating func optionalObject<Result>(
    _ name: String, read: (inout JSONObjectReader) throws(JSONError) -> Result
  ) throws(JSONError) -> Result? {
    guard let inner: JSONObject = try optionalObject(name) else { return nil }
    var reader = JSONObjectReader(inner, path: "\(path)\(name).")
    let result = try read(&reader)
    try reader.finish()
    return result
  }

  /// What `read` makes of each object in the list called `name`, of which there must be `count`.
  /// Fields that `read` left are refused after it.
  mutating func optionalObjects<Element>(
    _ name: String, count: ClosedRange<Int>,
    read: (inout JSONObjectReader) throws(JSONError) -> Element
  ) throws(JSONError) -> [Element]? {
    guard let value = take(name) else { return nil }
    guard case .array(let values) = value else {
      throw error(.wrongType, name, "send a list of objects")
    }
    guard count.contains(values.count) else {
      let rule = "send \(count.lowerBound) to \(count.upperBound) objects, not \(values.count)"
      throw error(.outOfRange, name, rule)
    }
    var elements: [Element] = []
    for (index, value) in values.enumerated() {
      let place = "\(name)[\(index)]"
      guard case .object(let object) = value else {
        throw error(.wrongType, place, "send an object")
      }
      var reader = JSONObjectReader(object, path: "\(path)\(place).")
      elements.append(try read(&reader))
      try reader.finish()
    }
    return elements
  }

  private mutating func take(_ name: String) -> JSONValue? {
    guard let index = object.index(of: name) else { return nil }
    wasRead[index] = true
    let value = object.members[index].value
    return value == .null ? nil : value
  }

  func required<Value>(_ name: String, _ value: Value?) throws(JSONError) -> Value {
    guard let value else { throw error(.missingField, name, "send it; it is absent or null") }
    return value
  }

  /// An error about the field called `name`: `rule` says what to do, and begins in lower case.
  func error(_ code: JSONError.Code, _ name: String, _ rule: String) -> JSONError {
    let field = path + name
    return JSONError(code, field: field, "In \(JSONError.quoted(field)), \(rule).")
  }

  /// What to do about a text that is not `(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?`, or nil if it is.
  private static func ruleBroken(byAmount text: String) -> String? {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    let point = UInt8(ascii: ".")
    // The first foreign byte decides, as `1e-5` has a sign only because it has an exponent.
    switch text.utf8.first(where: { !digits.contains($0) && $0 != point }) {
    case nil: break
    case UInt8(ascii: "-"), UInt8(ascii: "+"): return "send the amount without a sign"
    case UInt8(ascii: "e"), UInt8(ascii: "E"): return "send the amount without an exponent"
    case 0x20, 0x09, 0x0A, 0x0D: return "send the amount without spaces"
    default: return "send the amount as digits with at most one decimal point"
    }
    let parts = text.utf8.split(
      separator: point, maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count <= 2 else { return "send the amount with at most one decimal point" }
    guard parts.allSatisfy({ !$0.isEmpty }) else {
      return text.isEmpty ? "send an amount" : "send digits on both sides of the decimal point"
    }
    guard parts[0].first != UInt8(ascii: "0") || parts[0].count == 1 else {
      return "send the amount without leading zeros"
    }
    guard parts[0].count <= amountDigitCountMax else {
      return "send at most \(amountDigitCountMax) digits before the decimal point"
    }
    guard parts.count == 1 || parts[1].count <= amountDigitCountMax else {
      return "send at most \(amountDigitCountMax) digits after the decimal point"
    }
    return nil
  }
}
