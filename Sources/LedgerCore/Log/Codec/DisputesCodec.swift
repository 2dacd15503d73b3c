extension Disputes.Event {
  var code: UInt16 {
    switch self {
    case .opened: 0x0801
    case .evidenceSubmitted: 0x0802
    case .reviewed: 0x0803
    case .withdrawn: 0x0804
    case .denied: 0x0805
    case .refunded: 0x0806
    }
  }

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .opened(let opening): opening.encode(into: &writer)
    case .evidenceSubmitted(let dispute, let slot, let evidence):
      writer.put(dispute)
      writer.put(slot)
      writer.put(UInt64(evidence.rawValue))
    case .reviewed(let dispute, let slot):
      writer.put(dispute)
      writer.put(slot)
    case .withdrawn(let end), .denied(let end), .refunded(let end): end.encode(into: &writer)
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    switch code {
    case 0x0801: self = .opened(try Disputes.Opening(from: &reader))
    case 0x0802:
      let dispute: EventNumber = try reader.number()
      let slot: DisputeSlot = try reader.number()
      let evidence = UInt8(exactly: try reader.take(UInt64.self))
        .flatMap(Disputes.Evidence.init(rawValue:))
      guard let evidence else { throw .refused("evidence is of a newer version") }
      self = .evidenceSubmitted(dispute: dispute, slot: slot, evidence)
    case 0x0803: self = .reviewed(dispute: try reader.number(), slot: try reader.number())
    case 0x0804: self = .withdrawn(try Disputes.End(from: &reader))
    case 0x0805: self = .denied(try Disputes.End(from: &reader))
    case 0x0806: self = .refunded(try Disputes.End(from: &reader))
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}

extension Disputes.Opening {
  /// 64 bytes: principal 16, payment 8, dispute 8, payer 8, row 8, asset 8, reason 1, party 1, zero
  /// 6.
  fileprivate func encode(into writer: inout ByteWriter) {
    writer.put(principal)
    writer.put(payment)
    writer.put(dispute)
    writer.put(payer)
    writer.put(slot)
    writer.put(asset)
    writer.put(reason.rawValue)
    writer.put(party.rawValue)
    writer.put(UInt16(0))
    writer.put(UInt32(0))
  }

  fileprivate init(from reader: inout ByteReader) throws(StorageError) {
    principal = try reader.amount()
    payment = try reader.number()
    dispute = try reader.number()
    payer = try reader.number()
    slot = try reader.number()
    asset = try reader.number()
    let reason = Disputes.Reason(rawValue: try reader.take())
    let party = Disputes.Party(rawValue: try reader.take())
    guard let reason, let party else { throw .refused("a dispute is of a newer version") }
    self.reason = reason
    self.party = party
    try reader.zero(6)
  }
}

extension Disputes.End {
  /// 56 bytes: held 16, payment 8, dispute 8, payer 8, row 8, asset 8.
  fileprivate func encode(into writer: inout ByteWriter) {
    writer.put(held)
    writer.put(payment)
    writer.put(dispute)
    writer.put(payer)
    writer.put(slot)
    writer.put(asset)
  }

  fileprivate init(from reader: inout ByteReader) throws(StorageError) {
    held = try reader.amount()
    payment = try reader.number()
    dispute = try reader.number()
    payer = try reader.number()
    slot = try reader.number()
    asset = try reader.number()
  }
}

extension Disputes.Claim {
  static let byteCount = 72

  /// 72 bytes: held 16, receivable 16, uncovered 16, payee 8, kind 8 (0 a wallet, 1 an external
  /// payee), agent set aside for 8.
  func append(to body: inout [UInt8]) {
    body.put(held.units)
    body.put(receivable.units)
    body.put(uncovered.units)
    body.put(payee.number)
    switch payee {
    case .wallet: body.put(UInt64(0))
    case .external: body.put(UInt64(1))
    case .split: preconditionFailure("a receiver of a split is one receiver")
    }
    body.put(suspense.rawValue)
  }

  /// The claims in an event's body.
  public static func all(_ body: Span<UInt8>) -> [Disputes.Claim] {
    (0..<count(body)).map { read(body, $0) }
  }

  /// How many claims an event's body has.
  public static func count(_ body: Span<UInt8>) -> Int { body.count / byteCount }

  /// The claim at `index`, which is less than ``count(_:)``.
  static func read(_ body: Span<UInt8>, _ index: Int) -> Disputes.Claim {
    let at = index * byteCount
    let number: UInt64 = body.load(at: at + 48)
    let isWallet = (body.load(at: at + 56) as UInt64) == 0
    return Disputes.Claim(
      held: Amount(units: body.load(at: at)), receivable: Amount(units: body.load(at: at + 16)),
      uncovered: Amount(units: body.load(at: at + 32)),
      payee: isWallet ? .wallet(WalletNumber(number)) : .external(PayeeNumber(number)),
      suspense: AgentNumber(body.load(at: at + 64)))
  }

  /// Refuses a body that is no list of claims, or whose sum is not `held`, where that is known, or
  /// `principal`.
  static func check(
    _ body: Span<UInt8>, held: Amount? = nil, principal: Amount? = nil
  ) throws(StorageError) {
    guard body.count % byteCount == 0, count(body) <= Splits.countMax else {
      throw .damaged("a dispute has \(body.count) bytes of claims")
    }
    var (holds, all) = (Amount.zero, Amount.zero)
    for index in 0..<count(body) {
      let claim = read(body, index)
      let kind: UInt64 = body.load(at: index * byteCount + 56)
      let amounts = [claim.held, claim.receivable, claim.uncovered]
      let isOpening = principal != nil
      guard kind <= 1, amounts.allSatisfy({ $0 >= .zero && $0 <= .commandMax }),
        isOpening ? !claim.suspense.isSome : claim.receivable <= claim.held
      else { throw .damaged("a dispute has a claim that is none") }
      holds += claim.held
      all += claim.held + claim.receivable + claim.uncovered
    }
    guard held == nil || held == holds, principal == nil || principal == all else {
      throw .damaged("a dispute's claims do not add up to it")
    }
  }
}
