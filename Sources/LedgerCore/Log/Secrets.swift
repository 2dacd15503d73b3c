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
