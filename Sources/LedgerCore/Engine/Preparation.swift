import Crypto
import Foundation

/// Turns what a caller says into a ``Request``: seals texts, hashes names and keys.
///
/// All of it runs on the caller's thread, so that the engine's thread only copies. Safe to share.
public struct Preparation: Sendable {
  /// What a caller said cannot be a request.
  public enum Failure: Error, Hashable, Sendable {
    /// An idempotency key is 1 to 255 bytes of printable ASCII.
    case keyInvalid
    /// The texts of one command are at most 60,000 bytes.
    case textTooLong
  }

  /// The most bytes that the texts of one command may have.
  public static let textByteCountMax = 60_000

  /// Text ids of this ledger.
  public let ids: TextIds
  let ledger: UInt128
  private let secrets: Secrets

  init(ledger: UInt128, secrets: Secrets) {
    self.ledger = ledger
    self.secrets = secrets
    ids = TextIds(key: secrets.ids)
  }

  /// A request for `command` by `actor`.
  ///
  /// - `key`: makes retries safe: the same key with the same request is answered, not done again.
  ///   Scoped to actor and operation; 1 to 255 bytes of printable ASCII; never expires.
  /// - `text`: the command's own text, field by field (a description; an agent's name).
  /// - `registering`: the text of what the command may register on the way (a label; a tenant).
  public func request(
    _ command: Command, by actor: Actor, key: String? = nil, text: [String] = [],
    registering: [String] = []
  ) throws(Failure) -> Request {
    let byteCount = (text + registering).reduce(0) { $0 + $1.utf8.count }
    guard byteCount <= Self.textByteCountMax else { throw .textTooLong }
    var texts: [SealedText] = []
    if !text.isEmpty || !registering.isEmpty {
      texts.append(text.isEmpty ? .none : seal(text))
      if !registering.isEmpty { texts.append(seal(registering)) }
    }
    var fingerprint: IdempotencyKey?
    if let key {
      fingerprint = try idempotencyKey(key, command, by: actor, text + registering)
    }
    return Request(command, by: actor, key: fingerprint, texts: texts)
  }

  // MARK: - Keyed hashes

  /// The keyed hash by which the ledger knows a credential.
  public func hash(credential: String) -> UInt128 {
    Self.hash([Array(credential.utf8)], key: secrets.credentials)
  }

  /// The keyed hash of a tenant's name.
  public func hash(tenant name: String) -> UInt128 {
    Self.hash([[1], Array(name.utf8)], key: secrets.names)
  }

  /// The keyed hash of an agent's name within a tenant.
  public func hash(agent name: String, tenant: String) -> UInt128 {
    Self.hash([[2], Array(tenant.utf8), Array(name.utf8)], key: secrets.names)
  }

  /// The keyed hash of an external label of a tenant.
  public func hash(label: String, of tenant: TenantNumber) -> UInt128 {
    Self.hash([[3], Self.bytes(tenant.rawValue), Array(label.utf8)], key: secrets.names)
  }

  private func idempotencyKey(
    _ key: String, _ command: Command, by actor: Actor, _ texts: [String]
  ) throws(Failure) -> IdempotencyKey {
    let bytes = Array(key.utf8)
    guard (1...255).contains(bytes.count), bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .keyInvalid
    }
    let scope = Self.bytes(actor.rawValue) + Self.bytes(UInt64(command.operation.rawValue))
    let fingerprint = Self.hash([[1], scope, bytes], key: secrets.requests)
    let request = [[2], scope, command.digestInput] + texts.map { Array($0.utf8) }
    let digest = Self.hash(request, key: secrets.requests)
    return IdempotencyKey(fingerprint: fingerprint, digest: UInt64(truncatingIfNeeded: digest))
  }

  /// HMAC-SHA256 of the parts, each led by its length, cut to sixteen bytes. Never zero, which
  /// stands for "none".
  private static func hash(_ parts: [[UInt8]], key: SymmetricKey) -> UInt128 {
    // One call for the whole: each costs more than hashing what a payment says.
    var message: [UInt8] = []
    for part in parts {
      message += bytes(UInt64(part.count))
      message += part
    }
    let code = HMAC<SHA256>.authenticationCode(for: message, using: key)
    let value = UInt128(littleEndianBytes: Array(code).prefix(16))
    return value == 0 ? 1 : value
  }

  private static func bytes(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
  }

  // MARK: - Texts

  /// Seals fields: version 1, key id 16, note id 16, then AES-GCM over each field with its salt.
  private func seal(_ fields: [String]) -> SealedText {
    var plain: [UInt8] = []
    var hashes: [UInt8] = []
    for field in fields {
      let salt = Random.bytes(16)
      let bytes = Array(field.utf8)
      plain += salt + Self.bytes(UInt64(bytes.count)).prefix(4) + bytes
      hashes += Array(SHA256.hash(data: salt + bytes))
    }
    let note = Random.bytes(16)
    do {
      let box = try AES.GCM.seal(
        Data(plain), using: secrets.texts, authenticating: authenticated(secrets.textKeyId, note))
      guard let combined = box.combined else {
        preconditionFailure("a box with a standard nonce has a combined form")
      }
      return SealedText(
        commitment: Digest32(Array(SHA256.hash(data: hashes))),
        ciphertext: [1] + secrets.textKeyId + note + Array(combined))
    } catch {
      preconditionFailure("AES-GCM seals every text: \(error)")
    }
  }

  /// Opens what was sealed beside an event; `nil` where the key is gone or the bytes are not it.
  func open(_ ciphertext: [UInt8], commitment: Digest32) -> [String]? {
    guard ciphertext.count > 33, ciphertext[0] == 1,
      Array(ciphertext[1..<17]) == secrets.textKeyId,
      let box = try? AES.GCM.SealedBox(combined: Data(ciphertext[33...])),
      let plain = try? AES.GCM.open(
        box, using: secrets.texts,
        authenticating: authenticated(Array(ciphertext[1..<17]), Array(ciphertext[17..<33])))
    else { return nil }
    var rest = Array(plain)[...]
    var fields: [String] = []
    var hashes: [UInt8] = []
    while rest.count >= 20 {
      let salt = Array(rest.prefix(16))
      let count = rest.dropFirst(16).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      let field = Array(rest.dropFirst(20).prefix(count))
      guard field.count == count else { return nil }
      hashes += Array(SHA256.hash(data: salt + field))
      fields.append(String(decoding: field, as: UTF8.self))
      rest = rest.dropFirst(20 + count)
    }
    guard Digest32(Array(SHA256.hash(data: hashes))) == commitment else { return nil }
    return fields
  }

  private func authenticated(_ keyId: [UInt8], _ note: [UInt8]) -> Data {
    Data(UInt128.bytes(ledger) + keyId + note)
  }
}

// MARK: - Canonical form

extension Command {
  /// The bytes a request's digest is taken over: everything the caller decided, nothing that a
  /// retry makes anew (fresh keys) or that a setting decides (caps). Never changes for a given
  /// operation, since keys have no expiry.
  fileprivate var digestInput: [UInt8] {
    switch self {
    case .identity(.registerAgent(let tenant, let name, let asset, _, _)):
      bytes(tenant) + bytes(name) + bytes(asset.rawValue)
    case .identity(.registerOperator(let key)): bytes(key)
    case .identity(.issue(_, let kind)): [kind.rawValue]
    case .identity(.revoke(let credential)): bytes(credential.rawValue)
    case .wallet(.open(let agent, let asset)): bytes(agent.rawValue) + bytes(asset.rawValue)
    case .wallet(.fund(let wallet, let amount, let asset, _)):
      bytes(wallet.rawValue) + bytes(amount.units) + bytes(asset.rawValue)
    case .wallet(.addAsset(let code, let scale)): bytes(code.bytes) + [scale]
    case .payment(.pay(let from, let to, let amount, let asset, let rail)):
      bytes(from.rawValue) + recipient(to) + bytes(amount.units) + bytes(asset.rawValue)
        + [rail.rawValue]
    case .fee(.set(let terms, let begins)):
      bytes(terms.flat.units) + bytes(terms.basisPoints) + bytes(terms.min.units)
        + bytes(terms.max.units) + bytes(begins.nanoseconds)
    }
  }

  private func recipient(_ recipient: Payments.Recipient) -> [UInt8] {
    switch recipient {
    case .wallet(let number): [0] + bytes(UInt128(number.rawValue))
    case .external(let label): [1] + bytes(label)
    }
  }

  private func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value($0 * 8)) }
  }
}
