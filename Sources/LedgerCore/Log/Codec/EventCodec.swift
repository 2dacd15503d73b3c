/// Codes and routing: an event's number on disk is written once, next to its bytes, and never
/// reused. A list of all codes is in `LedgerCore.docc/Format.md`; a test compares the two.
extension Event {
  /// The version that this program writes. Older ones are upcast in ``init(code:version:from:)``.
  static let version: UInt8 = 1

  /// The code on disk.
  var code: UInt16 {
    switch self {
    case .payment(let event): event.code
    case .genesis(let event): event.code
    case .refusal(let event): event.code
    case .identity(let event): event.code
    case .wallet(let event): event.code
    case .fee(let event): event.code
    case .reservation(let event): event.code
    case .refund(let event): event.code
    case .pause(let event): event.code
    case .dispute(let event): event.code
    case .receivable(let event): event.code
    case .policy(let event): event.code
    }
  }

  /// Writes the payload.
  @inline(__always)
  func encode(into writer: inout ByteWriter) {
    switch self {
    case .payment(let event): event.encode(into: &writer)
    case .genesis(let event): event.encode(into: &writer)
    case .refusal(let event): event.encode(into: &writer)
    case .identity(let event): event.encode(into: &writer)
    case .wallet(let event): event.encode(into: &writer)
    case .fee(let event): event.encode(into: &writer)
    case .reservation(let event): event.encode(into: &writer)
    case .refund(let event): event.encode(into: &writer)
    case .pause(let event): event.encode(into: &writer)
    case .dispute(let event): event.encode(into: &writer)
    case .receivable(let event): event.encode(into: &writer)
    case .policy(let event): event.encode(into: &writer)
    }
  }

  /// Reads a payload. An unknown code or a newer version refuses to go on: an event is never
  /// skipped.
  @inline(__always)
  init(code: UInt16, version: UInt8, from reader: inout ByteReader) throws(StorageError) {
    guard version == Self.version else {
      throw .refused("event code \(code) has version \(version), newer than this program")
    }
    switch code >> 8 {
    case 0x03: self = .payment(try Payments.Event(code: code, from: &reader))
    case 0x02: self = .wallet(try Wallets.Event(code: code, from: &reader))
    case 0x01: self = .identity(try Identity.Event(code: code, from: &reader))
    case 0x04: self = .fee(try Fees.Event(code: code, from: &reader))
    case 0x05: self = .reservation(try Reservations.Event(code: code, from: &reader))
    case 0x06: self = .refund(try Refunds.Event(code: code, from: &reader))
    case 0x07: self = .pause(try Pauses.Event(code: code, from: &reader))
    case 0x08: self = .dispute(try Disputes.Event(code: code, from: &reader))
    case 0x09: self = .receivable(try Receivables.Event(code: code, from: &reader))
    case 0x0A: self = .policy(try Policies.Event(code: code, from: &reader))
    default:  // not ours: a number from the disk
      switch code {
      case 0x0001: self = .genesis(try Genesis.Event(from: &reader))
      case 0x0002: self = .refusal(try Refusals.Event(from: &reader))
      default: throw Self.unknown(code)  // not ours: a number from the disk
      }
    }
  }

  /// Refuses a body that does not belong to the event, or that is missing.
  @inline(__always)
  func check(_ body: Span<UInt8>) throws(StorageError) {
    switch self {
    case .payment(.completed(let payment)):
      try Splits.Part.check(
        body, of: payment.payee, payment.amount,
        fee: payment.side == .payee ? payment.fee : .zero)
    case .refund(.completed(let refund)):
      try Splits.Part.check(
        body, of: refund.payee, refund.amount, fee: refund.side == .payee ? refund.fee : .zero)
    case .reservation(.reserved(let hold)):
      try Splits.Part.check(body, of: hold.payee, hold.amount, fee: nil)
    case .reservation(.captured(let capture)):
      let payment = capture.payment
      try Splits.Part.check(
        body, of: payment.payee, payment.amount,
        fee: payment.side == .payee ? payment.fee : .zero)
    case .fee(.set): try Fees.Tier.check(body)
    case .policy(.set): try Policies.Rule.check(body)
    case .policy(.denied(let denial)): try denial.check(body)
    case .genesis(.opened): try Genesis.check(body)
    case .dispute(.opened(let opening)):
      try Disputes.Claim.check(body, principal: opening.principal)
    case .dispute(.withdrawn(let end)), .dispute(.denied(let end)), .dispute(.refunded(let end)):
      try Disputes.Claim.check(body, held: end.held)
    case .payment, .fee, .refusal, .identity, .wallet, .reservation, .pause, .dispute, .receivable,
      .policy:
      guard body.isEmpty else { throw .damaged("event code \(code) has a body") }
    }
  }

  static func unknown(_ code: UInt16) -> StorageError {
    .refused(
      "event code \(code) is of a newer version; open the ledger with the program that wrote it")
  }
}
