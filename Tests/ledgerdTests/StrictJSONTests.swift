import Foundation
import TestSupport
import Testing

@testable import ledgerd

/// Goal: what a client sent is what the ledger read, byte for byte, or a refusal that names it.
/// Method: tables of texts, then random documents against the writer and against Foundation, then
/// random damage. No server. A seed stands among a test's arguments; to repeat a run, add it there.
@Suite struct StrictJSONTests {
  // MARK: Tables

  /// Each is a document, and what we write after reading it. Nil: the same bytes.
  static let accepted: [(text: String, written: String?)] = [
    ("null", nil), ("true", nil), ("false", nil), (#""""#, nil), ("[]", nil), ("{}", nil),
    ("0", nil), ("-0", nil), ("5", nil), ("0.005", nil), ("-1.50", nil), ("10", nil),
    ("1e30", nil), ("1e-12", nil), ("1E+2", nil), ("-0.0e-0", nil), ("0e0", nil),
    ("9223372036854775808", nil), ("340282366920938463463374607431768211456", nil),
    ("5.0000000000000000000000000000000000000001", nil),
    ("123456789012345678901234567890123456789.5", nil),
    (String(repeating: "9", count: 64), nil),
    (" \t\r\n5 \n", "5"), ("[ 1 , 2 ]", "[1,2]"), (#"{ "a" : 1 , "b" : [ ] }"#, #"{"a":1,"b":[]}"#),
    (#"{"b":1,"a":2}"#, nil), (#"{"":{"":{}}}"#, nil), (#"[[],{},"",null]"#, nil),
    (#"{"a":{"x":1},"b":{"x":1}}"#, nil), (#"[{"a":1},{"a":1}]"#, nil),
    (#"{"a":1,"A":2}"#, nil), ("{\"caf\u{e9}\":1,\"cafe\u{301}\":2}", nil),
    ("{\"K\":1,\"\u{212A}\":2}", nil),
    ("\"caf\u{e9}\"", nil), ("\"\u{1F600}\u{10FFFF}\u{FFFF}\u{7F}\u{2028}\"", nil),
    (#""\"\\\/""#, #""\"\\/""#), (#""\b\f\n\r\t""#, #""\u0008\u000c\u000a\u000d\u0009""#),
    (#""\u0041\u00e9\u20AC""#, "\"A\u{e9}\u{20AC}\""), (#""\uD83D\uDE00""#, "\"\u{1F600}\""),
    (#""\udbff\udfff""#, "\"\u{10FFFF}\""), (#""\u0001\u001F""#, #""\u0001\u001f""#),
    (#""\\u0000""#, nil), (#"" 5""#, nil), (#""5 ""#, nil),
    (nested(32, "[", "]"), nil), (nested(31, #"{"a":"#, "}", "[]"), nil),
    (objectText(memberCount: 1_000), nil),
  ]

  @Test(arguments: accepted)
  func `a strict document is read, and written as it was`(text: String, written: String?) throws {
    let value = try JSONValue.parse(Array(text.utf8))
    #expect(value.bytes == Array((written ?? text).utf8))
  }

  static let refused: [(text: String, code: JSONError.Code, byteOffset: Int)] = [
    ("", .malformed, 0), (" ", .malformed, 1), ("\u{FEFF}1", .malformed, 0),
    ("nul", .malformed, 0), ("True", .malformed, 0), ("NaN", .malformed, 0),
    ("Infinity", .malformed, 0), ("undefined", .malformed, 0), ("'a'", .malformed, 0),
    ("nullnull", .malformed, 4), ("1 2", .malformed, 2), ("{}x", .malformed, 2),
    ("{}\0", .malformed, 2), ("\0", .malformed, 0), ("[1]]", .malformed, 3),
    ("1,", .malformed, 1), ("// a\n1", .malformed, 0), ("1 /* a */", .malformed, 2),
    ("[", .malformed, 1), ("[1", .malformed, 2), ("[1,", .malformed, 3), ("[1,]", .malformed, 3),
    ("[,1]", .malformed, 1), ("[1 2]", .malformed, 3), ("[1}", .malformed, 2),
    ("[1:2]", .malformed, 2), ("{", .malformed, 1), (#"{"a""#, .malformed, 4),
    (#"{"a":"#, .malformed, 5), (#"{"a":1"#, .malformed, 6), (#"{"a":1,"#, .malformed, 7),
    (#"{"a":1,}"#, .malformed, 7), (#"{,"a":1}"#, .malformed, 1), (#"{"a" 1}"#, .malformed, 5),
    (#"{"a"::1}"#, .malformed, 5), (#"{"a":1 "b":2}"#, .malformed, 7), ("{a:1}", .malformed, 1),
    ("{1:1}", .malformed, 1), (#"{"a":1]"#, .malformed, 6), (#"{"a"}"#, .malformed, 4),
    ("\u{A0}1", .malformed, 0), ("\u{0B}1", .malformed, 0), ("\u{0C}1", .malformed, 0),
    ("\u{2028}1", .malformed, 0), ("\u{FF11}", .malformed, 0),
    // Numbers.
    ("01", .invalidNumber, 0), ("-01", .invalidNumber, 0), ("00", .invalidNumber, 0),
    (#"{"a":007}"#, .invalidNumber, 5), ("-", .invalidNumber, 1), ("-a", .invalidNumber, 1),
    ("1.", .invalidNumber, 2), ("1.e5", .invalidNumber, 2), ("1e", .invalidNumber, 2),
    ("1e+", .invalidNumber, 3), ("1e1.5", .malformed, 3), ("--1", .invalidNumber, 1),
    ("+1", .malformed, 0), (".5", .malformed, 0), ("1x", .malformed, 1), ("0x10", .malformed, 1),
    ("1_000", .malformed, 1), ("1,5", .malformed, 1), ("-Infinity", .invalidNumber, 1),
    (String(repeating: "9", count: 65), .invalidNumber, 0),
    ("[0.\(String(repeating: "0", count: 62))1]", .invalidNumber, 1),
    // Equal keys, however they are spelled.
    (#"{"a":1,"a":2}"#, .duplicateKey, 7), (#"{"a":1,"a":1}"#, .duplicateKey, 7),
    (#"{"a":1,"\u0061":2}"#, .duplicateKey, 7), (#"{"\u0061":1,"a":2}"#, .duplicateKey, 12),
    (#"{"a\/":1,"a/":2}"#, .duplicateKey, 9), (#"{"\t":1,"\u0009":2}"#, .duplicateKey, 8),
    ("{\"\\ud83d\\ude00\":1,\"\u{1F600}\":2}", .duplicateKey, 18),
    (#"{"":1,"":2}"#, .duplicateKey, 6), (#"{"a":1,"b":2,"a":3}"#, .duplicateKey, 13),
    (#"[{"a":{"b":1,"c":2,"b":3}}]"#, .duplicateKey, 19),
    // Strings.
    (#"""#, .malformed, 0), (#""a"#, .malformed, 0), (#""a\"#, .invalidString, 2),
    (#""\"#, .invalidString, 1), (#""\""#, .malformed, 0), (#""\x41""#, .invalidString, 1),
    (#""\a""#, .invalidString, 1), (#""\'""#, .invalidString, 1), (#""\U0041""#, .invalidString, 1),
    (#""\u"#, .invalidString, 1), (#""\u12"#, .invalidString, 1), (#""\u12""#, .invalidString, 1),
    (#""\u00g0""#, .invalidString, 1), (#""\u+041""#, .invalidString, 1),
    ("\"a\0b\"", .invalidString, 2), (#""a\u0000b""#, .invalidString, 2),
    (#"{"wallet_id":"a\u0000"}"#, .invalidString, 15), (#"{"a\u0000":1}"#, .invalidString, 3),
    ("\"a\nb\"", .invalidString, 2), ("\"\t\"", .invalidString, 1),
    ("\"\u{1F}\"", .invalidString, 1), ("{\"a\u{01}\":1}", .invalidString, 3),
    (#""\uD83D""#, .invalidString, 1), (#""\uDE00""#, .invalidString, 1),
    (#""\uDE00\uD83D""#, .invalidString, 1), (#""\uD83Dx""#, .invalidString, 1),
    (#""\uD83D\n""#, .invalidString, 1), (#""\uD83D\u0041""#, .invalidString, 1),
    (#""\uD83D\uD83D\uDE00""#, .invalidString, 1), (#""\uD83D\u""#, .invalidString, 7),
    (#""\uD83D\uE000""#, .invalidString, 1), (#"{"\uD800":1}"#, .invalidString, 2),
    // Bounds.
    (nested(33, "[", "]"), .tooDeep, 32), (nested(33, #"{"a":"#, "}", "1"), .tooDeep, 160),
    (String(repeating: "[", count: 60_000), .tooDeep, 32),
    (objectText(memberCount: 1_001), .tooLarge, 8_891),
    (String(repeating: " ", count: 65_536) + "1", .tooLarge, 65_536),
  ]

  @Test(arguments: refused)
  func `anything else is refused, at its byte`(
    text: String, code: JSONError.Code, byteOffset: Int
  ) throws {
    let error = try #require(throws: JSONError.self) { try JSONValue.parse(Array(text.utf8)) }
    #expect(error.code == code)
    #expect(error.byteOffset == byteOffset)
  }

  @Test(
    arguments: [
      (bytes: [0x22, 0xC0, 0x80, 0x22], byteOffset: 1),  // NUL, overlong
      (bytes: [0x22, 0xC1, 0xBF, 0x22], byteOffset: 1),
      (bytes: [0x22, 0xE0, 0x80, 0xAF, 0x22], byteOffset: 1),
      (bytes: [0x22, 0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80, 0x22], byteOffset: 1),  // CESU-8
      (bytes: [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], byteOffset: 1),  // above U+10FFFF
      (bytes: [0x22, 0x41, 0xE9, 0x22], byteOffset: 2),  // Latin-1
      (bytes: [0x22, 0xF0, 0x9F, 0x98, 0x22], byteOffset: 1),  // cut short
      (bytes: [0x22, 0x80, 0x22], byteOffset: 1),
      (bytes: [0x31, 0xFF], byteOffset: 1),
      (bytes: [0xFF, 0xFE, 0x31, 0x00], byteOffset: 0),  // UTF-16
    ] as [(bytes: [UInt8], byteOffset: Int)])
  func `bytes that are not UTF-8 are refused`(bytes: [UInt8], byteOffset: Int) throws {
    let error = try #require(throws: JSONError.self) { try JSONValue.parse(bytes) }
    #expect(error.code == .invalidUTF8)
    #expect(error.byteOffset == byteOffset)
  }

  @Test func `the bound on bytes is inclusive, and the caller's`() throws {
    #expect(try JSONValue.parse(Array("[10]".utf8), byteCountMax: 4) == .array([.number("10")]))
    let error = try #require(throws: JSONError.self) {
      try JSONValue.parse(Array("[10]".utf8), byteCountMax: 3)
    }
    #expect(error.code == .tooLarge)
    let largest = "\"\(String(repeating: "a", count: JSONValue.byteCountMax - 2))\""
    #expect(try JSONValue.parse(largest.utf8).bytes.count == JSONValue.byteCountMax)
  }

  @Test func `equality is of bytes, not of what Unicode calls equivalent`() {
    #expect(JSONValue.string("caf\u{e9}") != .string("cafe\u{301}"))
    #expect(JSONValue.object(["caf\u{e9}": .null]) != .object(["cafe\u{301}": .null]))
    #expect(JSONValue.number("1") != .number("1.0"))
    #expect(JSONValue.object(["a": .null, "b": .null]) != .object(["b": .null, "a": .null]))
    let object: JSONObject = ["caf\u{e9}": .bool(true), "cafe\u{301}": .bool(false)]
    #expect(object["caf\u{e9}"] == .bool(true))
    #expect(object["cafe\u{301}"] == .bool(false))
  }

  @Test func `a message is short printable ASCII, whatever the key was`() throws {
    let key = "\u{202E}\\u001b" + String(repeating: "\u{1F600}", count: 2_000)
    let error = try #require(throws: JSONError.self) {
      try JSONValue.parse(Array("{\"\(key)\":1,\"\(key)\":2}".utf8))
    }
    #expect(error.code == .duplicateKey)
    #expect(error.field == "\u{202E}\u{1B}" + String(repeating: "\u{1F600}", count: 2_000))
    #expect(error.message.utf8.count < 300)
    #expect(error.message.utf8.allSatisfy { (0x20...0x7E).contains($0) })
  }

  // MARK: Fields

  @Test(arguments: [
    "0", "5", "0.005", "0.0", "1.50", "999999999999999999",
    "999999999999999999.999999999999999999", "0.000000000000000001",
  ])
  func `an amount is its own text, as a number and as a string`(text: String) throws {
    for json in [text, "\"\(text)\""] {
      var reader = try Self.reader("{\"amount\":\(json)}")
      #expect(try reader.required("amount", reader.optionalAmountText("amount")) == text)
      try reader.finish()
    }
  }

  /// What came, and a word of the rule that the error names. Strings come in their quotes.
  static let amountsRefused: [(json: String, code: JSONError.Code, word: String)] = [
    ("-0", .invalidAmount, "sign"), ("-5", .invalidAmount, "sign"),
    (#""-0""#, .invalidAmount, "sign"), (#""+5""#, .invalidAmount, "sign"),
    ("1e30", .invalidAmount, "exponent"), ("1e-12", .invalidAmount, "exponent"),
    (#""1E3""#, .invalidAmount, "exponent"), ("0e0", .invalidAmount, "exponent"),
    (#"" 5""#, .invalidAmount, "spaces"),
    (#""5 ""#, .invalidAmount, "spaces"), (#""5\n""#, .invalidAmount, "spaces"),
    (#""01""#, .invalidAmount, "leading zeros"), (#""00.5""#, .invalidAmount, "leading zeros"),
    (#""""#, .invalidAmount, "an amount"), (#"".""#, .invalidAmount, "both sides"),
    (#"".5""#, .invalidAmount, "both sides"), (#""5.""#, .invalidAmount, "both sides"),
    (#""1.2.3""#, .invalidAmount, "one decimal point"), (#""1..2""#, .invalidAmount, "one decimal"),
    (#""1,5""#, .invalidAmount, "digits"), (#""1_0""#, .invalidAmount, "digits"),
    (#""$5""#, .invalidAmount, "digits"), (#""0x5""#, .invalidAmount, "digits"),
    (#""NaN""#, .invalidAmount, "digits"), ("\"\u{FF15}\"", .invalidAmount, "digits"),
    ("\"\u{0665}\"", .invalidAmount, "digits"), ("\"5\u{301}\"", .invalidAmount, "digits"),
    ("\"\u{A0}5\"", .invalidAmount, "digits"), ("\"5\u{200B}\"", .invalidAmount, "digits"),
    ("1000000000000000000", .invalidAmount, "before"),
    ("340282366920938463463374607431768211456", .invalidAmount, "before"),
    ("5.0000000000000000000000000000000000000001", .invalidAmount, "after"),
    (#""0.0000000000000000001""#, .invalidAmount, "after"),
    ("true", .wrongType, "decimal"), ("[5]", .wrongType, "decimal"), ("{}", .wrongType, "decimal"),
    ("null", .missingField, "send it"),
  ]

  @Test(arguments: amountsRefused)
  func `any other amount is refused by its field and its rule`(
    json: String, code: JSONError.Code, word: String
  ) throws {
    var reader = try Self.reader("{\"amount\":\(json)}")
    let error = try #require(throws: JSONError.self) {
      try reader.required("amount", reader.optionalAmountText("amount"))
    }
    #expect(error.code == code)
    #expect(error.field == "amount")
    #expect(error.message.hasPrefix("In \"amount\", ") && error.message.contains(word))
  }

  @Test(
    arguments: [
      (json: #""""#, code: .invalidId), (json: #""a b""#, code: .invalidId),
      (json: #""a\n""#, code: .invalidId), (json: #""\u007f""#, code: .invalidId),
      (json: "\"caf\u{e9}\"", code: .invalidId), (json: "\"\u{212A}\"", code: .invalidId),
      (json: "\"\(String(repeating: "a", count: 256))\"", code: .invalidId),
      (json: "\"\(String(repeating: "a", count: 512))\"", code: .invalidId),
      (json: "5", code: .wrongType), (json: "null", code: .missingField),
    ] as [(json: String, code: JSONError.Code)])
  func `an id is 1 to 255 bytes of printable ASCII`(json: String, code: JSONError.Code) throws {
    var reader = try Self.reader("{\"wallet_id\":\(json)}")
    let error = try #require(throws: JSONError.self) {
      try reader.required("wallet_id", reader.optionalAsciiId("wallet_id"))
    }
    #expect(error.code == code)
    #expect(error.field == "wallet_id")

    let longest = "!~" + String(repeating: "K", count: 253)
    var good = try Self.reader("{\"wallet_id\":\"\(longest)\"}")
    #expect(try good.required("wallet_id", good.optionalAsciiId("wallet_id")) == longest)
  }

  @Test(
    arguments: [
      ("-3", -3, nil), ("0", 0, nil), ("100", 100, nil), ("null", nil, nil),
      ("101", nil, .outOfRange), ("-4", nil, .outOfRange), ("1.0", nil, .wrongType),
      ("1e2", nil, .wrongType), ("-0", nil, .wrongType), (#""5""#, nil, .wrongType),
      ("99999999999999999999", nil, .outOfRange), ("true", nil, .wrongType),
    ] as [(json: String, value: Int?, code: JSONError.Code?)])
  func `a whole number keeps to its range`(
    json: String, value: Int?, code: JSONError.Code?
  ) throws {
    var reader = try Self.reader("{\"limit\":\(json)}")
    do throws(JSONError) {
      #expect(try reader.optionalInt("limit", in: -3...100) == value)
      #expect(code == nil)
    } catch {
      #expect(error.code == code)
      #expect(error.field == "limit")
    }
  }

  @Test func `a string is measured in bytes`() throws {
    var reader = try Self.reader("{\"a\":\"\u{e9}\u{e9}\",\"b\":null,\"c\":\"\",\"d\":7}")
    #expect(try reader.required("a", reader.optionalString("a", bytes: 1...4)) == "\u{e9}\u{e9}")
    #expect(try reader.optionalString("b", bytes: 1...4) == nil)
    #expect(try reader.optionalString("absent", bytes: 1...4) == nil)
    for (name, code) in [
      ("a", .outOfRange), ("b", .missingField), ("c", .outOfRange), ("d", .wrongType),
      ("absent", .missingField),
    ] as [(String, JSONError.Code)] {
      let error = try #require(throws: JSONError.self) {
        try reader.required(name, reader.optionalString(name, bytes: 1...3))
      }
      #expect(error.code == code && error.field == name)
    }
  }

  @Test func `fields that nothing asked for are refused by their path`() throws {
    var reader = try Self.reader(#"{"amount":5,"amuont_max":6,"fee":{"amount":1,"extra":2}}"#)
    _ = try reader.required("amount", reader.optionalAmountText("amount"))
    let outer = try #require(throws: JSONError.self) { try reader.finish() }
    #expect(outer.code == .unknownField)
    #expect(outer.field == "amuont_max")
    let inner = try #require(throws: JSONError.self) {
      try reader.optionalObject("fee") { fee throws(JSONError) in
        try fee.required("amount", fee.optionalAmountText("amount"))
      }
    }
    #expect(inner.code == .unknownField)
    #expect(inner.field == "fee.extra")
    let wrong = try #require(throws: JSONError.self) {
      try reader.optionalObject("fee") { fee throws(JSONError) in
        try fee.required("amount", fee.optionalAsciiId("amount"))
      }
    }
    #expect(wrong.code == .wrongType)
    #expect(wrong.field == "fee.amount")
  }

  @Test func `a money command is read whole`() throws {
    let text = #"{"to":"w_1","amount":0.10,"memo":null,"metadata":{"k":[1]},"fee":{"amount":"1"}}"#
    var reader = try Self.reader(text)
    #expect(try reader.required("to", reader.optionalAsciiId("to")) == "w_1")
    #expect(try reader.required("amount", reader.optionalAmountText("amount")) == "0.10")
    #expect(try reader.optionalString("memo", bytes: 0...10) == nil)
    #expect(try reader.optionalObject("metadata") == ["k": .array([.number("1")])])
    let fee = try reader.optionalObject("fee") { fee throws(JSONError) in
      try fee.required("amount", fee.optionalAmountText("amount"))
    }
    #expect(fee == "1")
    try reader.finish()
    #expect(throws: JSONError.self) { try JSONObjectReader(.array([])) }
  }

  @Test func `the writer writes what it is told, in that order`() {
    var writer = JSONWriter(appendingTo: Array("data: ".utf8))
    writer.beginObject()
    writer.name("z")
    writer.number(text: "0.10")
    writer.name("a\"")
    writer.beginArray()
    writer.integer(Int128.min)
    writer.integer(UInt64.max)
    writer.bool(false)
    writer.null()
    writer.beginObject()
    writer.endObject()
    writer.string("\0\u{1F}\u{7F}/\u{e9}\\")
    writer.endArray()
    writer.endObject()
    let text = String(decoding: writer.finish(), as: UTF8.self)
    let integers = "-170141183460469231731687303715884105728,18446744073709551615"
    let strings = "\"\\u0000\\u001f\u{7F}/\u{e9}\\\\\""
    #expect(text == "data: {\"z\":0.10,\"a\\\"\":[\(integers),false,null,{},\(strings)]}")
    #expect(!JSONValue.isNumber("1 ") && !JSONValue.isNumber("") && !JSONValue.isNumber("\"1\""))
  }

  // MARK: Random documents

  static let seeds: [UInt64] = [1, .random(in: 2...UInt64.max)]

  @Test(arguments: seeds)
  func `reading what was written gives the same value`(seed: UInt64) throws {
    var random = DocumentGenerator(seed: seed)
    for _ in 0..<2_000 {
      let value = random.value(depth: 0)
      let bytes = value.bytes
      let again = try JSONValue.parse(bytes)
      guard again == value, again.bytes == bytes else {
        Issue.record("seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
        return
      }
    }
  }

  /// Only integers: Foundation's reading of the others is what the ledger does not rely on.
  @Test(arguments: seeds)
  func `Foundation reads the same structure`(seed: UInt64) throws {
    var random = DocumentGenerator(seed: seed, writesOnlyIntegers: true)
    for _ in 0..<2_000 {
      let value = random.value(depth: 0)
      let data = Data(random.spaced(value.bytes))
      let theirs = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
      guard try JSONValue.parse(data) == value, Self.agrees(value, theirs) else {
        Issue.record("seed \(seed): \(String(decoding: data, as: UTF8.self))")
        return
      }
    }
  }

  @Test(arguments: seeds)
  func `no damage to a document stops the process`(seed: UInt64) throws {
    var random = DocumentGenerator(seed: seed)
    var acceptedCount = 0
    for round in 0..<50_000 {
      if round % 100 == 0 { random.renewTemplate() }
      let bytes = random.mutated()
      guard let value = try? JSONValue.parse(bytes) else { continue }
      acceptedCount += 1
      guard try JSONValue.parse(value.bytes) == value else {
        Issue.record("seed \(seed): \(bytes)")
        return
      }
    }
    // Both outcomes were reached, so the damage was neither too light nor too heavy.
    #expect(acceptedCount > 500 && acceptedCount < 49_500)
  }

  // MARK: Helpers

  static func reader(_ text: String) throws -> JSONObjectReader {
    try JSONObjectReader(JSONValue.parse(text.utf8))
  }

  static func nested(
    _ count: Int, _ before: String, _ after: String, _ middle: String = ""
  ) -> String {
    String(repeating: before, count: count) + middle + String(repeating: after, count: count)
  }

  static func objectText(memberCount: Int) -> String {
    "{" + (0..<memberCount).map { "\"k\($0)\":0" }.joined(separator: ",") + "}"
  }

  static func agrees(_ ours: JSONValue, _ theirs: Any) -> Bool {
    switch ours {
    case .null: return theirs is NSNull
    case .written: return false
    case .bool(let value): return theirs as? Bool == value
    case .number(let text): return (theirs as? NSNumber)?.stringValue == text
    case .string(let text): return (theirs as? String).map { Array($0.utf8) } == Array(text.utf8)
    case .array(let elements):
      guard let array = theirs as? [Any], array.count == elements.count else { return false }
      return zip(elements, array).allSatisfy { agrees($0, $1) }
    case .object(let object):
      guard let members = theirs as? [String: Any], members.count == object.members.count else {
        return false
      }
      return object.members.allSatisfy { member in
        members[member.name].map { agrees(member.value, $0) } ?? false
      }
    }
  }
}
