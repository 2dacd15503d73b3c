import Foundation
import TestSupport

@testable import ledgerd

/// Small random documents, and damage to them, from a seed.
struct DocumentGenerator: RandomNumberGenerator {
  private var source: SplitMix64
  private let writesOnlyIntegers: Bool
  private var template: [UInt8] = []
  private static let grammarBytes = Array("{}[]\",:\\u0-.eE+ntf1 \n".utf8)

  init(seed: UInt64, writesOnlyIntegers: Bool = false) {
    source = SplitMix64(seed: seed)
    self.writesOnlyIntegers = writesOnlyIntegers
  }

  mutating func next() -> UInt64 { source.next() }

  private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

  mutating func value(depth: Int) -> JSONValue {
    switch below(depth < 4 ? 8 : 5) {
    case 0: return .null
    case 1: return .bool(below(2) == 0)
    case 2, 3: return .number(number())
    case 4: return .string(text())
    case 5: return .array((0..<below(5)).map { _ in value(depth: depth + 1) })
    default:
      // The index keeps names apart for Foundation too, which merges equivalent ones.
      let members = (0..<below(5)).map { index in
        JSONObject.Member(name: "\(text())#\(index)", value: value(depth: depth + 1))
      }
      return .object(JSONObject(members: members))
    }
  }

  private mutating func number() -> String {
    let integer = Int64(truncatingIfNeeded: next()) >> below(64)
    guard !writesOnlyIntegers, below(2) == 0 else { return String(integer) }
    var text = integer == 0 ? "-0" : String(integer)
    if below(2) == 0 { text += "." + (0...below(20)).map { _ in String(below(10)) }.joined() }
    if below(2) == 0 { text += ["e", "E+", "e-"][below(3)] + String(below(400)) }
    return text
  }

  private mutating func text() -> String {
    var text = ""
    for _ in 0..<below(6) {
      let bound = [0x20, 0x7F, 0x7F, 0x800, 0x1_0000, 0x11_0000][below(6)]
      guard let scalar = Unicode.Scalar(UInt32(1 + below(bound - 1))) else { continue }
      // Foundation takes one at the beginning of a name for a byte order mark, and drops it.
      if writesOnlyIntegers && scalar == "\u{FEFF}" { continue }
      text.unicodeScalars.append(scalar)
    }
    return text + ["", "\"", "\\", "/", "e\u{301}"][below(5)]
  }

  /// The same document with whitespace around the commas, colons and brackets outside strings.
  mutating func spaced(_ bytes: [UInt8]) -> [UInt8] {
    var spaced: [UInt8] = []
    var isInString = false
    var isEscaped = false
    for byte in bytes {
      let isStructural = !isInString && Array(",:[]{}".utf8).contains(byte)
      if isStructural { spaced.append([0x20, 0x09, 0x0A, 0x0D][below(4)]) }
      spaced.append(byte)
      if isStructural { spaced += Array(repeating: 0x20, count: below(3)) }
      if byte == UInt8(ascii: "\""), !isEscaped { isInString.toggle() }
      isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
    }
    return spaced
  }

  mutating func renewTemplate() {
    repeat { template = value(depth: 0).bytes } while template.count < 10 || template.count > 120
  }

  /// The template after one to three changes: a byte replaced, dropped, repeated or cut after.
  mutating func mutated() -> [UInt8] {
    var bytes = template
    for _ in 0...below(3) where !bytes.isEmpty {
      let offset = below(bytes.count)
      switch below(5) {
      case 0: bytes[offset] = UInt8(truncatingIfNeeded: next())
      case 1: bytes[offset] = Self.grammarBytes[below(Self.grammarBytes.count)]
      case 2: bytes.remove(at: offset)
      case 3: bytes.insert(bytes[below(bytes.count)], at: offset)
      default: bytes.removeSubrange((offset + 1)...)
      }
    }
    return bytes
  }
}
