extension Receivables.Event {
  var code: UInt16 {
    switch self {
    case .netted: 0x0901
    case .writeOffAsked: 0x0902
    case .writtenOff: 0x0903
    case .capSet: 0x0904
    }
  }

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .netted(let netting): netting.encode(into: &writer)
    case .writeOffAsked(let writeOff), .writtenOff(let writeOff): writeOff.encode(into: &writer)
    case .capSet(let tenant, let asset, let cap):
      writer.put(cap)
      writer.put(tenant)
      writer.put(asset)
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    switch code {
    case 0x0901: self = .netted(try Receivables.Netting(from: &reader))
    case 0x0902: self = .writeOffAsked(try Receivables.WriteOff(from: &reader))
    case 0x0903: self = .writtenOff(try Receivables.WriteOff(from: &reader))
    case 0x0904:
      let cap = try reader.amount()
      self = .capSet(tenant: try reader.number(), asset: try reader.number(), cap: cap)
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}

extension Receivables.WriteOff {
  /// 48 bytes: amount 16, dispute 8, agent 8, row 8, asset 8.
  fileprivate func encode(into writer: inout ByteWriter) {
    writer.put(amount)
    writer.put(dispute)
    writer.put(agent)
    writer.put(slot)
    writer.put(asset)
  }

  fileprivate init(from reader: inout ByteReader) throws(StorageError) {
    amount = try reader.amount()
    dispute = try reader.number()
    agent = try reader.number()
    slot = try reader.number()
    asset = try reader.number()
  }
}

extension Receivables.Netting {
  /// 80 bytes: receivable 16, uncovered 16, dispute 8, source 8, destination 8, row 8, asset 8,
  /// kinds of source (0 wallet, 1 set aside) and destination (0 hold, 1 wallet, 2 set aside) 1
  /// each, zero 6.
  fileprivate func encode(into writer: inout ByteWriter) {
    writer.put(receivable)
    writer.put(uncovered)
    writer.put(dispute)
    let (source, sourceKind): (UInt64, UInt8) =
      switch source {
      case .wallet(let number): (number.rawValue, 0)
      case .suspense(let agent): (agent.rawValue, 1)
      }
    let (destination, destinationKind): (UInt64, UInt8) =
      switch destination {
      case .hold: (0, 0)
      case .wallet(let number): (number.rawValue, 1)
      case .suspense(let agent): (agent.rawValue, 2)
      }
    writer.put(source)
    writer.put(destination)
    writer.put(slot)
    writer.put(asset)
    writer.put(sourceKind)
    writer.put(destinationKind)
    writer.put(UInt16(0))
    writer.put(UInt32(0))
  }

  fileprivate init(from reader: inout ByteReader) throws(StorageError) {
    receivable = try reader.amount()
    uncovered = try reader.amount()
    dispute = try reader.number()
    let (source, destination): (UInt64, UInt64) = (try reader.take(), try reader.take())
    slot = try reader.number()
    asset = try reader.number()
    let (sourceKind, destinationKind): (UInt8, UInt8) = (try reader.take(), try reader.take())
    try reader.zero(6)
    guard sourceKind <= 1, destinationKind <= 2, destinationKind > 0 || destination == 0 else {
      throw .refused("a netting is of a newer version")
    }
    self.source = sourceKind == 0 ? .wallet(WalletNumber(source)) : .suspense(AgentNumber(source))
    self.destination =
      destinationKind == 0
      ? .hold
      : destinationKind == 1
        ? .wallet(WalletNumber(destination)) : .suspense(AgentNumber(destination))
  }
}
