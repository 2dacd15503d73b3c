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
  private let credentials: KeyedHash
  private let names: KeyedHash
  private let requests: KeyedHash

  init(ledger: UInt128, secrets: Secrets) {
    self.ledger = ledger
    self.secrets = secrets
    credentials = KeyedHash(secrets.credentials)
    names = KeyedHash(secrets.names)
    requests = KeyedHash(secrets.requests)
    ids = TextIds(key: secrets.ids)
  }

  /// A request for `command` by `actor`.
  ///
  /// - `key`: makes retries safe: the same key with the same request is answered, not done again.
  ///   Scoped to actor and operation; 1 to 255 bytes of printable ASCII; never expires.
  /// - `text`: the command's own text, field by field (a description; an agent's name).
  /// - `registering`: the texts of what the command may register on the way (a tenant; a label; of
  ///   a split one for each receiver, empty where that is a wallet).
  /// - `body`: see ``Request/body``.
  public func request(
    _ command: Command, by actor: Actor, key: String? = nil, text: [String] = [],
    registering: [String] = [], body: [UInt8] = []
  ) throws(Failure) -> Request {
    precondition(registering.count <= Splits.countMax)
    let byteCount = (text + registering).reduce(0) { $0 + $1.utf8.count }
    guard byteCount <= Self.textByteCountMax else { throw .textTooLong }
    var texts: [SealedText] = []
    if !text.isEmpty || !registering.isEmpty {
      texts.append(text.isEmpty ? .none : seal(text))
      for text in registering { texts.append(text.isEmpty ? .none : seal([text])) }
    }
    var fingerprint: IdempotencyKey?
    if let key {
      fingerprint = try idempotencyKey(
        key.utf8.span, command, by: actor, text + registering, body: body)
    }
    return Request(command, by: actor, key: fingerprint, texts: texts, body: body)
  }

  /// A request for `command` by `actor`, without texts, under a key that lies in a buffer.
  public func request(
    _ command: Command, by actor: Actor, key: Span<UInt8>
  ) throws(Failure) -> Request {
    Request(command, by: actor, key: try idempotencyKey(key, command, by: actor, []))
  }

  // MARK: - Keyed hashes

  /// The keyed hash by which the ledger knows a credential.
  public func hash(credential: String) -> UInt128 {
    credentials.hash(textByteCount: credential.utf8.count) { $0.part(credential) }
  }

  /// The keyed hash of a tenant's name.
  public func hash(tenant name: String) -> UInt128 {
    names.hash(textByteCount: name.utf8.count) { message in
      message.part(UInt8(1))
      message.part(name)
    }
  }

  /// The keyed hash of an agent's name within a tenant.
  public func hash(agent name: String, tenant: String) -> UInt128 {
    names.hash(textByteCount: tenant.utf8.count + name.utf8.count) { message in
      message.part(UInt8(2))
      message.part(tenant)
      message.part(name)
    }
  }

  /// The keyed hash of an external label of a tenant.
  public func hash(label: String, of tenant: TenantNumber) -> UInt128 {
    names.hash(textByteCount: label.utf8.count) { message in
      message.part(UInt8(3))
      message.part(tenant.rawValue)
      message.part(label)
    }
  }

  /// The keyed hash of what a payment is for.
  public func hash(category: String) -> UInt128 {
    names.hash(textByteCount: category.utf8.count) { message in
      message.part(UInt8(4))
      message.part(category)
    }
  }

  private func idempotencyKey(
    _ key: Span<UInt8>, _ command: Command, by actor: Actor, _ texts: [String],
    body: [UInt8] = []
  ) throws(Failure) -> IdempotencyKey {
    guard (1...255).contains(key.count) else { throw .keyInvalid }
    for index in key.indices {
      guard key[index] > 0x20, key[index] < 0x7F else { throw .keyInvalid }
    }
    let operation = UInt64(command.operation.rawValue)
    let fingerprint = requests.hash(textByteCount: key.count) { message in
      message.part(UInt8(1))
      message.part { scope in
        scope.put(actor.rawValue)
        scope.put(operation)
      }
      message.part(key)
    }
    let textByteCount = texts.reduce(8 + body.count) { $0 + 8 + $1.utf8.count }
    let digest = requests.hash(textByteCount: textByteCount) { message in
      message.part(UInt8(2))
      message.part { scope in
        scope.put(actor.rawValue)
        scope.put(operation)
      }
      message.part { command.putDigestInput(into: &$0) }
      for text in texts { message.part(text) }
      // Commands without one had their digests before there were bodies.
      if !body.isEmpty { message.part(body.span) }
    }
    return IdempotencyKey(fingerprint: fingerprint, digest: UInt64(truncatingIfNeeded: digest))
  }

  // MARK: - Texts

  /// Seals fields: version 1, key id 16, note id 16, then AES-GCM over each field with its salt.
  private func seal(_ fields: [String]) -> SealedText {
    var plain: [UInt8] = []
    var hashes: [UInt8] = []
    for field in fields {
      let salt = Random.bytes(16)
      let bytes = Array(field.utf8)
      plain += salt + UInt128.bytes(UInt128(bytes.count)).prefix(4) + bytes
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
  /// Appends what a request's digest is taken over: everything the caller decided, nothing that a
  /// retry makes anew (fresh keys) or that a setting decides (caps). Never changes for a given
  /// operation, since keys have no expiry.
  fileprivate func putDigestInput(into part: inout KeyedHash.Message) {
    switch self {
    case .identity(let command): command.putDigestInput(into: &part)
    case .wallet(let command): command.putDigestInput(into: &part)
    case .payment(.pay(let from, let to, let amount, let asset, let rail, let category)):
      part.put(from.rawValue)
      to.putDigestInput(into: &part)
      part.put(amount.units)
      part.put(asset.rawValue)
      part.put(rail.rawValue)
      if category != 0 { part.put(category) }
    case .fee(.set(let terms, let begins)):
      part.put(terms.flat.units)
      part.put(terms.basisPoints)
      part.put(terms.min.units)
      part.put(terms.max.units)
      part.put(begins.nanoseconds)
      // Later than the rest, which had its digest before.
      if terms.side != .payer || terms.isFeeRefunded {
        part.put(terms.side.rawValue)
        part.put(UInt8(terms.isFeeRefunded ? 1 : 0))
      }
    case .reservation(
      .reserve(
        let from, let to, let amount, let asset, let seconds, let isMultiple, let category)):
      part.put(from.rawValue)
      to.putDigestInput(into: &part)
      part.put(amount.units)
      part.put(asset.rawValue)
      part.put(seconds)
      part.put(UInt8(isMultiple ? 1 : 0))
      if category != 0 { part.put(category) }
    case .reservation(.capture(let number, let amount, let isLast)):
      part.put(number.rawValue)
      part.put(amount?.units ?? 0)
      part.put(UInt8(isLast ? 1 : 0))
    case .reservation(.release(let number)): part.put(number.rawValue)
    case .refund(.refund(let number, let amount)):
      part.put(number.rawValue)
      part.put(amount?.units ?? 0)
    case .dispute(let command): command.putDigestInput(into: &part)
    case .receivable(.writeOff(let dispute, let agent)):
      part.put(dispute.rawValue)
      part.put(agent.rawValue)
    case .receivable(.setCap(let tenant, let asset, let cap)):
      part.put(tenant.rawValue)
      part.put(asset.rawValue)
      part.put(cap.units)
    case .policy(.set(let scope, let begins)):
      part.put(scope.words.kind)
      part.put(scope.words.number)
      part.put(begins.nanoseconds)
    case .approval(.approve(let number)), .approval(.deny(let number)),
      .approval(.cancel(let number)):
      part.put(number.rawValue)
    case .pause(.pause(let scope)), .pause(.resume(let scope)):
      part.put(scope.words.kind)
      part.put(scope.words.number)
    }
  }
}

extension Identity.Command {
  fileprivate func putDigestInput(into part: inout KeyedHash.Message) {
    switch self {
    case .registerAgent(let tenant, let name, let asset, _, _):
      part.put(tenant)
      part.put(name)
      part.put(asset.rawValue)
    case .registerOperator(let key): part.put(key)
    case .registerTenantAdmin(let tenant, let name, _):
      part.put(tenant.rawValue)
      part.put(name)
    case .issue(_, let kind): part.put(kind.rawValue)
    case .revoke(let credential): part.put(credential.rawValue)
    }
  }
}

extension Wallets.Command {
  fileprivate func putDigestInput(into part: inout KeyedHash.Message) {
    switch self {
    case .open(let agent, let asset):
      part.put(agent.rawValue)
      part.put(asset.rawValue)
    case .fund(let wallet, let amount, let asset, _):
      part.put(wallet.rawValue)
      part.put(amount.units)
      part.put(asset.rawValue)
    case .addAsset(let code, let scale):
      part.put(code.bytes)
      part.put(scale)
    case .freeze(let wallet), .unfreeze(let wallet), .reopen(let wallet):
      part.put(wallet.rawValue)
    case .close(let wallet, let to):
      part.put(wallet.rawValue)
      part.put(to.rawValue)
    }
  }
}

extension Disputes.Command {
  fileprivate func putDigestInput(into part: inout KeyedHash.Message) {
    switch self {
    case .open(let payment, let reason, _):
      part.put(payment.rawValue)
      part.put(reason.rawValue)
    case .submitEvidence(let dispute, let evidence):
      part.put(dispute.rawValue)
      part.put(evidence.rawValue)
    case .withdraw(let dispute), .review(let dispute):
      part.put(dispute.rawValue)
    case .resolve(let dispute, let outcome):
      part.put(dispute.rawValue)
      part.put(outcome.rawValue)
    }
  }
}

extension Payments.Recipient {
  fileprivate func putDigestInput(into part: inout KeyedHash.Message) {
    switch self {
    case .wallet(let number):
      part.put(UInt8(0))
      part.put(UInt128(number.rawValue))
    case .external(let label):
      part.put(UInt8(1))
      part.put(label)
    case .split: part.put(UInt8(2))
    }
  }
}
