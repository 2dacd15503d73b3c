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

    /// What stands before the underscore.
    public var prefix: String {
      switch self {
      case .wallet: "wallet"
      case .payment: "tx"
      case .agent: "agent"
      case .tenant: "tnt"
      case .credential: "key"
      case .cursor: "cur"
      }
    }
  }

  private let key: SymmetricKey
  private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
  /// What each byte stands for as a digit; 32 where it is none.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 32, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }()

  init(key: SymmetricKey) { self.key = key }

  /// The text of a number, such as `wallet_3h8…`.
  public func text(_ kind: Kind, _ number: UInt64) -> String {
    var block = [UInt8](repeating: 0, count: 16)
    for index in 0..<8 { block[index] = UInt8(truncatingIfNeeded: number >> UInt64(index * 8)) }
    block[8] = UInt8(truncatingIfNeeded: kind.rawValue)
    block[9] = UInt8(truncatingIfNeeded: kind.rawValue >> 8)
    do {
      try AES.permute(&block, key: key)
    } catch {
      preconditionFailure("AES takes every block of 16 bytes: \(error)")
    }
    var rest = UInt128(littleEndianBytes: block)
    var text = [UInt8](repeating: 0, count: 26)
    for index in (0..<26).reversed() {
      text[index] = Self.digits[Int(truncatingIfNeeded: rest & 31)]
      rest >>= 5
    }
    return kind.prefix + "_" + String(decoding: text, as: UTF8.self)
  }

  /// The number behind a text, or `nil` where it is none of this ledger's or of another kind.
  public func number(_ kind: Kind, _ text: String) -> UInt64? {
    let prefix = kind.prefix.utf8
    var rest = text.utf8[...]
    guard rest.count == prefix.count + 27, rest.starts(with: prefix) else { return nil }
    rest.removeFirst(prefix.count)
    guard rest.removeFirst() == UInt8(ascii: "_") else { return nil }
    var value: UInt128 = 0
    for (index, byte) in rest.enumerated() {
      let digit = Self.values[Int(byte)]
      // 26 digits hold 130 bits; the first may only use three of its five.
      guard digit < (index > 0 ? 32 : 8) else { return nil }
      value = value << 5 | UInt128(digit)
    }
    var block = UInt128.bytes(value)
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
