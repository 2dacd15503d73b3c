import Crypto
import LedgerCore

/// A secret that stands for somebody: prefix, then 52 characters of lowercase Crockford base32.
///
///     pk_test_   256 random bits ‖ 4 check bits      = 260 bits = 52 characters
///
/// The check bits are the lowest four of the last byte of SHA-256(prefix ‖ the 32 random bytes).
/// They catch 15 of 16 slips of the pen, and a key under another's prefix, before the ledger is
/// asked. The ledger keeps a keyed hash only; the text is shown once.
struct Credential: Sendable {
  let kind: Identity.CredentialKind
  /// Never logged, never compared: it is looked up by its hash.
  let text: String

  private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
  static let digitCount = 52

  /// A new one, for a ledger of this kind.
  init(_ kind: Identity.CredentialKind, livemode: Bool) {
    var generator = SystemRandomNumberGenerator()
    let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    self.kind = kind
    text = Self.text(bytes, prefix: Self.prefix(kind, livemode: livemode))
  }

  /// One that was shown; nil where it cannot be one of this ledger's.
  init?(_ text: String, livemode: Bool) {
    for kind in Identity.CredentialKind.allCases {
      let prefix = Self.prefix(kind, livemode: livemode)
      guard text.utf8.starts(with: prefix.utf8),
        text.utf8.count == prefix.utf8.count + Self.digitCount,
        Self.isWhole(text.utf8.dropFirst(prefix.utf8.count), prefix: prefix)
      else { continue }
      self.kind = kind
      self.text = text
      return
    }
    return nil
  }

  static func prefix(_ kind: Identity.CredentialKind, livemode: Bool) -> String {
    let mode = livemode ? "live" : "test"
    return switch kind {
    case .apiKey: "pk_\(mode)_"
    case .secretKey: "sk_\(mode)_"
    case .operatorKey: "op_\(mode)_"
    case .tenantKey: "ta_\(mode)_"
    }
  }

  private static func check(_ bytes: [UInt8], prefix: String) -> UInt8 {
    Array(SHA256.hash(data: Array(prefix.utf8) + bytes))[31] & 0x0F
  }

  private static func text(_ bytes: [UInt8], prefix: String) -> String {
    var text = Array(prefix.utf8)
    var buffer: UInt32 = 0
    var bitCount: UInt32 = 0
    for byte in bytes {
      buffer = buffer << 8 | UInt32(byte)
      bitCount += 8
      while bitCount >= 5 {
        bitCount -= 5
        text.append(digits[Int(buffer >> bitCount & 31)])
      }
      buffer &= (1 << bitCount) - 1
    }
    precondition(bitCount == 1)
    text.append(digits[Int(buffer << 4 | UInt32(check(bytes, prefix: prefix)))])
    return String(decoding: text, as: UTF8.self)
  }

  /// Whether the check bits are those of the rest.
  private static func isWhole(_ text: some Sequence<UInt8>, prefix: String) -> Bool {
    var bytes: [UInt8] = []
    var buffer: UInt32 = 0
    var bitCount: UInt32 = 0
    for character in text {
      guard let digit = digits.firstIndex(of: character) else { return false }
      buffer = buffer << 5 | UInt32(digit)
      bitCount += 5
      guard bitCount >= 8 else { continue }
      bitCount -= 8
      bytes.append(UInt8(truncatingIfNeeded: buffer >> bitCount))
      buffer &= (1 << bitCount) - 1
    }
    return bytes.count == 32 && bitCount == 4 && UInt8(buffer) == check(bytes, prefix: prefix)
  }
}
