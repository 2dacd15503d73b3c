import Crypto
import Foundation

/// The keys of one ledger: made at genesis, sealed with the master key, kept in `meta`.
struct Secrets: Sendable {
  /// Encrypts the numbers in text ids.
  var ids: SymmetricKey
  /// Keys the hashes of credentials.
  var credentials: SymmetricKey
  /// Keys the hashes of names and labels.
  var names: SymmetricKey
  /// Keys idempotency fingerprints and request digests.
  var requests: SymmetricKey
  /// Names the key that texts are sealed with.
  var textKeyId: [UInt8]
  /// Seals texts.
  var texts: SymmetricKey

  private static let layout = [16, 32, 32, 32, 16, 32]

  /// New random keys.
  init() {
    self.init(Self.layout.map { Random.bytes($0) })
  }

  private init(_ parts: [[UInt8]]) {
    ids = SymmetricKey(data: parts[0])
    credentials = SymmetricKey(data: parts[1])
    names = SymmetricKey(data: parts[2])
    requests = SymmetricKey(data: parts[3])
    textKeyId = parts[4]
    texts = SymmetricKey(data: parts[5])
  }

  /// Sealed with the master key, bound to the ledger's id.
  func sealed(with master: [UInt8], ledger: UInt128) throws(StorageError) -> [UInt8] {
    let plain =
      [ids, credentials, names, requests].flatMap(Self.bytes) + textKeyId + Self.bytes(texts)
    guard
      let box = try? AES.GCM.seal(
        Data(plain), using: SymmetricKey(data: master),
        authenticating: Data(UInt128.bytes(ledger))),
      let combined = box.combined
    else { throw .refused("the master key cannot seal the ledger's keys") }
    return Array(combined)
  }

  /// Opens what ``sealed(with:ledger:)`` made.
  init(opening sealed: [UInt8], with master: [UInt8], ledger: UInt128) throws(StorageError) {
    guard let box = try? AES.GCM.SealedBox(combined: Data(sealed)),
      let plain = try? AES.GCM.open(
        box, using: SymmetricKey(data: master), authenticating: Data(UInt128.bytes(ledger))),
      plain.count == Self.layout.reduce(0, +)
    else { throw .refused("the master key is not the one this ledger was made with") }
    var rest = Array(plain)[...]
    self.init(
      Self.layout.map { count in
        let part = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        return part
      })
  }

  private static func bytes(_ key: SymmetricKey) -> [UInt8] {
    unsafe key.withUnsafeBytes { bytes in unsafe Array(bytes) }
  }
}

/// The key that seals a ledger's own keys, as it lies in a file.
public enum MasterKey {
  /// The 32 bytes of a file's contents: raw, or as 64 hex digits with or without a line's end.
  /// `nil` where they are neither, or too plain to be random.
  public static func key(of contents: [UInt8]) -> [UInt8]? {
    let key = contents.count == 32 ? contents : hex(contents)
    guard let key, key.count == 32, Set(key).count > 8 else { return nil }
    return key
  }

  private static func hex(_ contents: [UInt8]) -> [UInt8]? {
    let text = String(decoding: contents, as: UTF8.self)
    let digits = text.trimmingCharacters(in: .whitespacesAndNewlines).map(\.hexDigitValue)
    guard digits.count == 64 else { return nil }
    var key: [UInt8] = []
    for index in stride(from: 0, to: 64, by: 2) {
      guard let high = digits[index], let low = digits[index + 1] else { return nil }
      key.append(UInt8(high * 16 + low))
    }
    return key
  }
}

/// Randomness from the system.
enum Random {
  /// `count` random bytes.
  static func bytes(_ count: Int) -> [UInt8] {
    // Eight at a time: each draw is a system call.
    var generator = SystemRandomNumberGenerator()
    var bytes: [UInt8] = []
    while bytes.count < count {
      let draw = generator.next()
      for index in 0..<min(8, count - bytes.count) {
        bytes.append(UInt8(truncatingIfNeeded: draw >> UInt64(index * 8)))
      }
    }
    return bytes
  }
}
