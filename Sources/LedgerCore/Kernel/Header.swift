/// What is known of an event besides itself: where it stands, when it was recorded, who caused it.
public struct Header: Hashable, Sendable {
  /// Its position in the log, from 1.
  public var number: EventNumber
  /// When it was recorded; strictly greater than its predecessor's.
  public var time: Timestamp
  /// Who caused it.
  public var actor: Actor
}

/// A 32-byte digest as two integers, so that what holds it stays trivial.
public struct Digest32: Hashable, Sendable {
  /// The first sixteen bytes, in memory order.
  public var first: UInt128
  /// The last sixteen bytes, in memory order.
  public var second: UInt128

  /// The digest of these two halves.
  public init(first: UInt128, second: UInt128) {
    self.first = first
    self.second = second
  }

  /// All zero: no digest.
  public static let none = Digest32(first: 0, second: 0)
}

/// What makes a retry recognisable: fingerprint of (actor, operation, key), digest of the request.
///
/// Both are keyed hashes, computed by ``Preparation`` on the caller's thread (`design.md` 4.11).
public struct IdempotencyKey: Hashable, Sendable {
  /// Keyed hash of actor, operation and the caller's key.
  public var fingerprint: UInt128
  /// Keyed hash of everything the request says, texts included.
  public var digest: UInt64

  /// The key with this fingerprint and digest.
  public init(fingerprint: UInt128, digest: UInt64) {
    self.fingerprint = fingerprint
    self.digest = digest
  }
}
