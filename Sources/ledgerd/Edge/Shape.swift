import Foundation
import LedgerCore

/// What a value may be: said once, checked by the reader and told by the OpenAPI document.
enum Shape: Sendable, Equatable {
  /// Any text without control or direction characters, in UTF-8 bytes; `lines`: may have several.
  case text(bytes: ClosedRange<Int>, lines: Bool = false)
  /// One of ours, such as `wallet_…`.
  case id(TextIds.Kind)
  /// Several of them.
  case ids(TextIds.Kind)
  /// The caller's own: printable ASCII, 1 to 255 bytes.
  case label
  /// What a payment is for: printable ASCII, 1 to 64 bytes.
  case category
  /// A decimal above zero, as a number or a string, read exactly.
  case amount
  /// As ``amount``, or zero.
  case amountOrZero
  /// A decimal in an answer, as a number in its exact text.
  case number
  /// The text of a decimal in an answer.
  case decimal
  /// A currency's code.
  case currency
  case choice([String])
  case whole(ClosedRange<Int>)
  /// Any object, up to so many bytes of JSON.
  case object(byteCountMax: Int)
  case flag
  case time
  /// A minute of the day, `00:00` to `24:00`.
  case clock
  /// In a request: so many objects with these properties and no others.
  case objects([Property], count: ClosedRange<Int>)
  /// In an answer: objects with these properties.
  case list([Property])
  /// An object with these properties; in a request, where it is closed, with no others.
  case nested([Property], isClosed: Bool)
  /// So many texts of this shape.
  indirect case several(Shape, count: ClosedRange<Int>)
  /// A refusal, as an answer of its own would be.
  case problem
  /// Anything; for views that only administrators see.
  case any
}

/// One named value of a request or an answer.
struct Property: Sendable, Equatable {
  let name: String
  let shape: Shape
  /// In a request: it must be sent. In an answer: it is always there.
  var isRequired = true
  let about: String

  init(_ name: String, _ shape: Shape, isRequired: Bool = true, _ about: String) {
    self.name = name
    self.shape = shape
    self.isRequired = isRequired
    self.about = about
  }

  /// An amount of an answer, and its text beside it.
  static func amount(_ name: String, isRequired: Bool = true, _ about: String) -> [Property] {
    [
      Property(name, .number, isRequired: isRequired, about),
      Property(
        name + "_text", .decimal, isRequired: isRequired,
        "The same, for readers whose numbers are doubles."),
    ]
  }
}

/// A declared value of a request, and how it is read. Handlers ask for it by this declaration, so
/// what is documented, what is checked and what is used are the same.
struct Field<Value: Sendable>: Sendable {
  fileprivate typealias Read = @Sendable (inout JSONObjectReader) throws(JSONError) -> Value

  let property: Property
  fileprivate let read: Read

  fileprivate init(_ property: Property, _ read: @escaping Read) {
    self.property = property
    self.read = read
  }

  /// The same field, refused where it is absent.
  func required<Wrapped>() -> Field<Wrapped> where Value == Wrapped? {
    let (name, read) = (property.name, read)
    return Field<Wrapped>(Property(name, property.shape, property.about)) {
      reader throws(JSONError) in
      try reader.required(name, try read(&reader))
    }
  }
}

extension Field where Value == String? {
  static func text(
    _ name: String, bytes: ClosedRange<Int>, lines: Bool = false, _ about: String
  ) -> Field {
    let shape = Shape.text(bytes: bytes, lines: lines)
    return Field(Property(name, shape, isRequired: false, about)) { reader throws(JSONError) in
      guard let text = try reader.optionalString(name, bytes: bytes) else { return nil }
      guard DisplayText.isClean(text, lines: lines) else {
        throw reader.error(.invalidString, name, "send no control or direction characters")
      }
      return text
    }
  }

  static func id(_ name: String, _ kind: TextIds.Kind, _ about: String) -> Field {
    ascii(Property(name, .id(kind), isRequired: false, about))
  }

  static func label(_ name: String, _ about: String) -> Field {
    ascii(Property(name, .label, isRequired: false, about))
  }

  static func category(_ name: String, _ about: String) -> Field {
    ascii(Property(name, .category, isRequired: false, about), byteCountMax: categoryByteCountMax)
  }

  static func currency(_ name: String, _ about: String) -> Field {
    ascii(Property(name, .currency, isRequired: false, about))
  }

  private static func ascii(
    _ property: Property, byteCountMax: Int = JSONObjectReader.idByteCountMax
  ) -> Field {
    Field(property) { reader throws(JSONError) in
      try reader.optionalAsciiId(property.name, byteCountMax: byteCountMax)
    }
  }

  /// Its text; how many decimals it may have is known where its asset is.
  static func amount(_ name: String, _ about: String) -> Field {
    Field(Property(name, .amount, isRequired: false, about)) { reader throws(JSONError) in
      guard let text = try reader.optionalAmountText(name) else { return nil }
      guard text.utf8.contains(where: { (UInt8(ascii: "1")...UInt8(ascii: "9")).contains($0) })
      else { throw reader.error(.invalidAmount, name, "send an amount greater than zero") }
      return text
    }
  }

  /// As ``amount(_:_:)``, or zero.
  static func amountOrZero(_ name: String, _ about: String) -> Field {
    Field(Property(name, .amountOrZero, isRequired: false, about)) { reader throws(JSONError) in
      try reader.optionalAmountText(name)
    }
  }

  static func choice(_ name: String, _ values: [String], _ about: String) -> Field {
    Field(Property(name, .choice(values), isRequired: false, about)) { reader throws(JSONError) in
      guard let text = try reader.optionalString(name, bytes: 0...255) else { return nil }
      guard values.contains(text) else {
        throw reader.error(.outOfRange, name, "send " + values.joined(separator: " or "))
      }
      return text
    }
  }
}

extension Field where Value == Int? {
  static func whole(_ name: String, _ range: ClosedRange<Int>, _ about: String) -> Field {
    Field(Property(name, .whole(range), isRequired: false, about)) { reader throws(JSONError) in
      try reader.optionalInt(name, in: range)
    }
  }
}

extension Field where Value == Int? {
  /// A minute of the day, from 0; `24:00` is 1,440.
  static func clock(_ name: String, _ about: String) -> Field {
    Field(Property(name, .clock, isRequired: false, about)) { reader throws(JSONError) in
      guard let text = try reader.optionalString(name, bytes: 0...255) else { return nil }
      let digits = text.utf8.map { Int($0) - 0x30 }
      guard digits.count == 5, text.utf8.dropFirst(2).first == UInt8(ascii: ":"),
        [0, 1, 3, 4].allSatisfy({ (0...9).contains(digits[$0]) }), digits[3] < 6
      else { throw reader.error(.outOfRange, name, "send a time of day such as 08:30") }
      let minutes = (digits[0] * 10 + digits[1]) * 60 + digits[3] * 10 + digits[4]
      guard minutes <= 1_440 else {
        throw reader.error(.outOfRange, name, "send 00:00 to 24:00")
      }
      return minutes
    }
  }
}

/// The most bytes of what a payment is for.
private let categoryByteCountMax = 64

extension Field where Value == [String]? {
  /// So many texts, each of a shape that a field of its own could have: ids, labels, categories, or
  /// some of several choices.
  static func several(
    _ name: String, _ shape: Shape, _ count: ClosedRange<Int>, _ about: String
  ) -> Field {
    let property = Property(name, .several(shape, count: count), isRequired: false, about)
    return Field(property) { reader throws(JSONError) in
      try reader.optionalStrings(name, count: count) { reader, text, place throws(JSONError) in
        if case .choice(let values) = shape {
          guard !values.contains(text) else { return }
          throw reader.error(.outOfRange, place, "send " + values.joined(separator: " or "))
        }
        let byteCountMax =
          shape == .category ? categoryByteCountMax : JSONObjectReader.idByteCountMax
        try reader.check(asciiId: text, place, byteCountMax: byteCountMax)
      }
    }
  }

  /// The path of the text at `index`, as in `days[1]`.
  func path(_ index: Int) -> String { "\(property.name)[\(index)]" }
}

extension Field where Value == Input? {
  /// An object with these fields and no others.
  static func nested(
    _ name: String, of fields: [any AnyField], _ about: String
  ) -> Field {
    let shape = Shape.nested(fields.map(\.property), isClosed: true)
    return Field(Property(name, shape, isRequired: false, about)) { reader throws(JSONError) in
      try reader.optionalObject(name) { inner throws(JSONError) in
        var input = Input()
        for field in fields { try field.read(&inner, into: &input) }
        return input
      }
    }
  }
}

extension Field where Value == Bool? {
  static func flag(_ name: String, _ about: String) -> Field {
    Field(Property(name, .flag, isRequired: false, about)) { reader throws(JSONError) in
      try reader.optionalBool(name)
    }
  }
}

extension Field where Value == Timestamp? {
  /// A moment in UTC such as `2026-05-01T09:30:00Z`, in whole seconds.
  static func time(_ name: String, _ about: String) -> Field {
    Field(Property(name, .time, isRequired: false, about)) { reader throws(JSONError) in
      guard let text = try reader.optionalString(name, bytes: 0...255) else { return nil }
      // Written back it is the same text, so nothing of it was passed over.
      guard let date = try? Date(text, strategy: .iso8601), date.formatted(.iso8601) == text,
        let seconds = UInt64(exactly: date.timeIntervalSince1970.rounded(.down)),
        seconds > 0, seconds < UInt64.max / 1_000_000_000
      else {
        throw reader.error(.outOfRange, name, "send a time in UTC such as 2026-05-01T09:30:00Z")
      }
      return Timestamp(nanoseconds: seconds * 1_000_000_000)
    }
  }
}

extension Field where Value == JSONValue? {
  static func object(_ name: String, byteCountMax: Int, _ about: String) -> Field {
    let shape = Shape.object(byteCountMax: byteCountMax)
    return Field(Property(name, shape, isRequired: false, about)) { reader throws(JSONError) in
      guard let object: JSONObject = try reader.optionalObject(name) else { return nil }
      let value = JSONValue.object(object)
      guard value.bytes.count <= byteCountMax else {
        throw reader.error(.outOfRange, name, "send at most \(byteCountMax) bytes of JSON")
      }
      return value
    }
  }
}

extension Field where Value == [Input]? {
  /// Objects, each with these fields and no others.
  static func objects(
    _ name: String, _ count: ClosedRange<Int>, of fields: [any AnyField], _ about: String
  ) -> Field {
    let shape = Shape.objects(fields.map(\.property), count: count)
    return Field(Property(name, shape, isRequired: false, about)) { reader throws(JSONError) in
      try reader.optionalObjects(name, count: count) { element throws(JSONError) in
        var input = Input()
        for field in fields { try field.read(&element, into: &input) }
        return input
      }
    }
  }

  /// The path of a field of the object at `index`, as in `split[1].share`.
  func path<Inner>(_ index: Int, _ field: Field<Inner>) -> String {
    "\(property.name)[\(index)].\(field.property.name)"
  }
}

// MARK: - Reading

/// A field of any type, as a route lists it.
protocol AnyField: Sendable {
  var property: Property { get }
  func read(_ reader: inout JSONObjectReader, into input: inout Input) throws(JSONError)
}

extension Field: AnyField {
  func read(_ reader: inout JSONObjectReader, into input: inout Input) throws(JSONError) {
    input.slots[property.name] = Slot(value: try read(&reader))
  }
}

private struct Slot<Value: Sendable>: Sendable {
  let value: Value
}

/// What a request said, checked: the values of the fields that its route declares.
struct Input: Sendable {
  fileprivate var slots: [String: any Sendable] = [:]

  /// Reads `fields` from an object, which may have no others.
  mutating func read(_ fields: [any AnyField], from object: JSONObject) throws(JSONError) {
    var reader = try JSONObjectReader(.object(object))
    for field in fields { try field.read(&reader, into: &self) }
    try reader.finish()
  }

  subscript<Value>(field: Field<Value>) -> Value {
    guard let slot = slots[field.property.name] as? Slot<Value> else {
      preconditionFailure("the route does not declare \(field.property.name)")
    }
    return slot.value
  }
}

/// Text that people will read: names and descriptions.
enum DisplayText {
  /// Whether nothing in it moves a cursor, hides, or turns the direction of what follows.
  static func isClean(_ text: String, lines: Bool) -> Bool {
    text.unicodeScalars.allSatisfy { scalar in
      switch scalar.value {
      case 0x09, 0x0A: lines
      case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: false
      // What joins letters, or forbids it, is part of how several languages are written.
      case 0x200C, 0x200D: true
      // Directions, and what is not seen: an agent would read what no person does.
      default: scalar.properties.generalCategory != .format
      }
    }
  }
}
