/// The bodies of a split payment: 48 bytes a receiver, one after the other.
extension Splits.Share {
  private static let byteCount = 48

  /// The request's body of these receivers: of each weight 16, wallet number or hash of the label
  /// 16, kind 1 (0 a wallet, 1 a label), zero 15. Never changes, since digests are taken over it.
  public static func body(_ shares: [Splits.Share]) -> [UInt8] {
    var bytes: [UInt8] = []
    for share in shares {
      bytes.put(share.weight)
      switch share.recipient {
      case .wallet(let number):
        bytes.put(UInt128(number.rawValue))
        bytes.put(UInt128(0))
      case .external(let label):
        bytes.put(label)
        bytes.put(UInt128(1))
      case .split: preconditionFailure("a receiver of a split is one receiver")
      }
    }
    return bytes
  }

  /// How many receivers a request's body has; `nil` where it is no list of them.
  package static func count(_ body: Span<UInt8>) -> Int? {
    body.count % byteCount == 0 ? body.count / byteCount : nil
  }

  /// The receiver at `index`, which is less than ``count(_:)``.
  static func read(_ body: Span<UInt8>, _ index: Int) throws(Refusal) -> Splits.Share {
    let at = index * byteCount
    let weight: Int128 = body.load(at: at)
    let name: UInt128 = body.load(at: at + 16)
    switch body.load(at: at + 32) as UInt128 {
    case 0:
      guard let number = UInt64(exactly: name) else { throw Refusal(.payeeNotFound) }
      return Splits.Share(.wallet(WalletNumber(number)), weight: weight)
    case 1: return Splits.Share(.external(label: name), weight: weight)
    default: throw Refusal(.splitInvalid)  // not ours: bytes of a caller
    }
  }
}

extension Splits.Part {
  static let byteCount = 48

  /// 48 bytes: amount 16, fee 16, payee 8, kind 8 (0 a wallet, 1 an external payee).
  func append(to body: inout [UInt8]) {
    body.put(amount.units)
    body.put(fee.units)
    body.put(payee.number)
    switch payee {
    case .wallet: body.put(UInt64(0))
    case .external: body.put(UInt64(1))
    case .split: preconditionFailure("a receiver of a split is one receiver")
    }
  }

  /// The parts in an event's body.
  public static func all(_ body: Span<UInt8>) -> [Splits.Part] {
    (0..<count(body)).map { read(body, $0) }
  }

  /// How many parts an event's body has.
  static func count(_ body: Span<UInt8>) -> Int { body.count / byteCount }

  /// The part at `index`, which is less than ``count(_:)``.
  static func read(_ body: Span<UInt8>, _ index: Int) -> Splits.Part {
    let at = index * byteCount
    let number: UInt64 = body.load(at: at + 32)
    let isWallet = (body.load(at: at + 40) as UInt64) == 0
    return Splits.Part(
      amount: Amount(units: body.load(at: at)),
      fee: Amount(units: body.load(at: at + 16)),
      payee: isWallet ? .wallet(WalletNumber(number)) : .external(PayeeNumber(number)))
  }

  /// Refuses a body that is not the parts of what `payee` got or gave: `amount`, and of the fee
  /// `fee`, or where that is `nil` any.
  @inline(__always)
  static func check(
    _ body: Span<UInt8>, of payee: Payments.Payee, _ amount: Amount, fee: Amount?
  ) throws(StorageError) {
    guard case .split(let count) = payee else {
      guard body.isEmpty else { throw .damaged("a payment to one receiver has parts") }
      return
    }
    try check(body, count, amount, fee)
  }

  private static func check(
    _ body: Span<UInt8>, _ count: UInt64, _ amount: Amount, _ fee: Amount?
  ) throws(StorageError) {
    guard count <= Splits.countMax, body.count == Int(count) * byteCount else {
      throw .damaged("a payment to \(count) receivers has \(body.count) bytes of parts")
    }
    var (amounts, fees) = (Amount.zero, Amount.zero)
    for index in 0..<Int(count) {
      let part = read(body, index)
      let kind: UInt64 = body.load(at: index * byteCount + 40)
      guard kind <= 1, part.amount >= .zero, part.amount <= .commandMax, part.fee >= .zero,
        part.fee <= .commandMax
      else { throw .damaged("a payment has a part that is none") }
      amounts += part.amount
      fees += part.fee
    }
    guard amounts == amount, fees == fee ?? fees else {
      throw .damaged("a payment's parts do not add up to it")
    }
  }
}

extension [UInt8] {
  /// Appends an integer, lowest byte first.
  @inline(__always)
  mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    unsafe Swift.withUnsafeBytes(of: value.littleEndian) { bytes in unsafe append(contentsOf: bytes)
    }
  }
}

extension Span<UInt8> {
  /// The integer at `offset`, lowest byte first. Traps where it is outside.
  @inline(__always)
  func load<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Value {
    Value(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
  }
}
