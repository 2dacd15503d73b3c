import Crypto
import CryptoExtras
import Foundation

/// Text ids: a prefix and 26 characters that hide kind and number under the ledger's key.
///
/// They leak no volume, cannot be guessed or used for another kind, and need no index
/// (`design.md` 4.7). Crockford base32 by hand, since no library here has it; a test compares it
/// with one in another language.
public struct TextIds: Sendable {
  /// The kinds of text ids. The number is part of the id and never reused.
  public enum Kind: UInt16, Sendable, CaseIterable {
    /// A wallet.
    case wallet = 1
    /// A payment: its number is that of its event.
    case payment = 2
    /// An agent.
    case agent = 3
    /// A tenant.
    case tenant = 4
    /// A credential.
    case credential = 5
    /// A position in a list.
    case cursor = 6
    /// A reservation: its number is that of the event that made it.
    case reservation = 7
    /// A refund: its number is that of its event.
    case refund = 8
    /// A dispute: its number is that of the event that opened it.
    case dispute = 9
    /// A policy: its number is that of the event that set it.
    case policy = 10

    /// What stands before the underscore.
    public var prefix: String {
      switch self {
      case .wallet: "wallet"
      case .payment: "tx"
      case .agent: "agent"
      case .tenant: "tnt"
      case .credential: "key"
      case .cursor: "cur"
      case .reservation: "res"
      case .refund: "ref"
      case .dispute: "disp"
      case .policy: "pol"
      }
    }
  }

  private let key: SymmetricKey
  private static let digitCount = 26
  private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
  /// What each byte stands for as a digit; 32 where it is none.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 32, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }()

  init(key: SymmetricKey) { self.key = key }

  /// The event that a text names: by its number in digits, or as the payment, reservation, refund,
  /// dispute or policy whose number it is.
  public func event(_ text: String) -> EventNumber? {
    if let number = UInt64(text) { return EventNumber(number) }
    for kind in [Kind.payment, .reservation, .refund, .dispute, .policy] {
      if let number = number(kind, text) { return EventNumber(number) }
    }
    return nil
  }

  /// The text of a number, such as `wallet_3h8…`.
  public func text(_ kind: Kind, _ number: UInt64) -> String {
    var bytes: [UInt8] = []
    append(kind, number, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the text of a number to a text in UTF-8.
  public func append(_ kind: Kind, _ number: UInt64, to bytes: inout [UInt8]) {
    var block = [UInt8](capacity: 16) { block in
      for index in 0..<8 { block.append(UInt8(truncatingIfNeeded: number >> UInt64(index * 8))) }
      block.append(UInt8(truncatingIfNeeded: kind.rawValue))
      block.append(UInt8(truncatingIfNeeded: kind.rawValue >> 8))
      for _ in 10..<16 { block.append(0) }
    }
    do {
      try AES.permute(&block, key: key)
    } catch {
      preconditionFailure("AES takes every block of 16 bytes: \(error)")
    }
    let value = UInt128(littleEndianBytes: block)
    let prefix = kind.prefix.utf8
    bytes.append(addingCapacity: prefix.count + 1 + Self.digitCount) { text in
      for byte in prefix { text.append(byte) }
      text.append(UInt8(ascii: "_"))
      // In pieces that fit 64 bits, which are shifted faster.
      Self.put(UInt64(truncatingIfNeeded: value >> 120), count: 2, into: &text)
      Self.put(UInt64(truncatingIfNeeded: value >> 60), count: 12, into: &text)
      Self.put(UInt64(truncatingIfNeeded: value), count: 12, into: &text)
    }
  }

  @inline(__always)
  private static func put(_ piece: UInt64, count: Int, into text: inout OutputSpan<UInt8>) {
    for index in (0..<count).reversed() {
      text.append(digits[Int(truncatingIfNeeded: piece >> UInt64(index * 5) & 31)])
    }
  }

  /// The number behind a text, or `nil` where it is none of this ledger's or of another kind.
  public func number(_ kind: Kind, _ text: String) -> UInt64? { number(kind, text.utf8.span) }

  /// As ``number(_:_:)-(_,String)``, for a text in UTF-8.
  public func number(_ kind: Kind, _ text: Span<UInt8>) -> UInt64? {
    var at = 0
    guard text.count == kind.prefix.utf8.count + 1 + Self.digitCount else { return nil }
    for byte in kind.prefix.utf8 {
      guard text[at] == byte else { return nil }
      at += 1
    }
    guard text[at] == UInt8(ascii: "_") else { return nil }
    // 26 digits hold 130 bits; the first may only use three of its five.
    guard Self.values[Int(text[at + 1])] < 8 else { return nil }
    var value: UInt128 = 0
    for index in at + 1..<text.count {
      let digit = Self.values[Int(text[index])]
      guard digit < 32 else { return nil }
      value = value << 5 | UInt128(digit)
    }
    var block = [UInt8](capacity: 16) { block in
      for index in 0..<16 { block.append(UInt8(truncatingIfNeeded: value >> UInt128(index * 8))) }
    }
    do {
      try AES.inversePermute(&block, key: key)
    } catch {
      preconditionFailure("AES takes every block of 16 bytes: \(error)")
    }
    guard block[8] == UInt8(truncatingIfNeeded: kind.rawValue),
      block[9] == UInt8(truncatingIfNeeded: kind.rawValue >> 8),
      block[10...].allSatisfy({ $0 == 0 })
    else { return nil }
    return (0..<8).reduce(0) { $0 | UInt64(block[$1]) << UInt64($1 * 8) }
  }
}
