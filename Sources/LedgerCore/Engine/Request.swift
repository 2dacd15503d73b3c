/// A command on its way to the engine: who asks, under which key, with which sealed texts.
///
/// Made by ``Preparation``, on the caller's thread, so that the engine only copies.
public struct Request: Sendable {
  /// What is asked.
  public var command: Command
  /// Who asks. The engine trusts it: whoever embeds the engine authenticates first.
  public var actor: Actor
  /// What makes a retry recognisable, if the caller gave a key.
  public var key: IdempotencyKey?
  /// Sealed texts: the command's own and, where the command registers something with a text of its
  /// own (a tenant, the external labels of a payment), those.
  public var texts: [SealedText]
  /// What the command says at length: the receivers of a split (``Splits/Share/body(_:)``), the
  /// tiers of a fee schedule (``Fees/Tier/body(_:)``).
  public var body: [UInt8]

  /// A request of these parts.
  public init(
    _ command: Command, by actor: Actor, key: IdempotencyKey? = nil, texts: [SealedText] = [],
    body: [UInt8] = []
  ) {
    precondition(texts.count <= 1 + Splits.countMax)
    self.command = command
    self.actor = actor
    self.key = key
    self.texts = texts
    self.body = body
  }

  /// How many bytes of ciphertext it brings.
  @inline(__always)
  var textByteCount: Int {
    texts.isEmpty ? 0 : texts.reduce(0) { $0 + $1.ciphertext.count }
  }

  /// The most bytes that the bodies of its events have: as many as its own, or, where it is about
  /// what may be a split, those of as many parts or claims as there can be.
  var bodyByteCountMax: Int {
    switch command {
    case .refund, .approval: Splits.Part.byteCount * Splits.countMax
    case .dispute: Disputes.Claim.byteCount * Splits.countMax
    case .identity, .wallet, .payment, .fee, .reservation, .pause, .receivable, .policy: body.count
    }
  }
}

/// Text as the log keeps it: a commitment for the frame, ciphertext for the `notes` database.
public struct SealedText: Sendable {
  /// SHA-256 over the fields' salted hashes (`design.md` 4.10); all zero where there is no text.
  public var commitment: Digest32
  /// The sealed fields and salts.
  public var ciphertext: [UInt8]

  /// No text: holds the first place where only the second is needed.
  public static let none = SealedText(commitment: .none, ciphertext: [])

  /// Whether there is a text.
  public var isSome: Bool { !ciphertext.isEmpty }
}

/// What became of one command. Durable by the time that anyone sees it.
public enum Outcome: Hashable, Sendable {
  /// Done. The event that answers the command; `isReplay` where the same request was done before.
  case done(Recorded, isReplay: Bool)
  /// Refused; nothing moved. `event` is where the refusal is recorded, so that the same key gets it
  /// for ever, or none where a retry may succeed.
  case refused(Refusal, event: EventNumber, isReplay: Bool)

  /// The event of a command that was done.
  public var recorded: Recorded? {
    switch self {
    case .done(let recorded, _): recorded
    case .refused: nil
    }
  }

  /// The refusal of one that was not.
  public var refusal: Refusal? {
    switch self {
    case .done: nil
    case .refused(let refusal, _, _): refusal
    }
  }
}
