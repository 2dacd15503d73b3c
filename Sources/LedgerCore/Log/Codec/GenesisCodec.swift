extension Genesis.Event {
  var code: UInt16 {
    switch self {
    case .opened: 0x0001
    }
  }

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .opened(let ledger, let terms, let livemode):
      writer.put(ledger)
      writer.put(UInt64(livemode ? 1 : 0))
      terms.encode(into: &writer)
    }
  }

  init(from reader: inout ByteReader) throws(StorageError) {
    let ledger: UInt128 = try reader.take()
    let livemode: UInt64 = try reader.take()
    guard livemode <= 1 else { throw .damaged("genesis names no mode") }
    self = .opened(
      ledger: ledger, terms: try Fees.Terms(from: &reader), livemode: livemode == 1)
  }
}

extension Genesis {
  /// Refuses a body that is no list of assets.
  static func check(_ body: Span<UInt8>) throws(StorageError) {
    guard body.count % assetByteCount == 0 else {
      throw .damaged("genesis has \(body.count) bytes of assets")
    }
  }
}

extension Refusals.Event {
  var code: UInt16 {
    switch self {
    case .recorded: 0x0002
    }
  }

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .recorded(let refusal, let operation):
      writer.put(operation.rawValue)
      writer.put(refusal.reason.rawValue)
      writer.put(refusal.rule)
      writer.put(refusal.ruleVersion)
      writer.put(UInt32(0))
      writer.put(refusal.limit)
      writer.put(refusal.used)
      writer.put(refusal.asked)
      if refusal.reason.isAboutEvent { writer.put(refusal.about) }
      if refusal.reason.isOfPolicy { writer.put(refusal.resets) }
    }
  }

  init(from reader: inout ByteReader) throws(StorageError) {
    let operation = Operation(rawValue: try reader.take())
    let reason = Rejection(rawValue: try reader.take())
    guard let operation, let reason else {
      throw .refused("a recorded refusal is of a newer version")
    }
    let rule: UInt32 = try reader.take()
    let version: UInt32 = try reader.take()
    try reader.zero(4)
    let limit = Amount(units: try reader.take())
    let used = Amount(units: try reader.take())
    let asked = Amount(units: try reader.take())
    self = .recorded(
      Refusal(
        reason, limit: limit, used: used, asked: asked, rule: rule, ruleVersion: version,
        about: reason.isAboutEvent ? try reader.number() : .none,
        resets: reason.isOfPolicy ? try reader.time() : .none),
      operation: operation)
  }
}
