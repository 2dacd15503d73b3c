extension Receivables.Event {
  var code: UInt16 {
    switch self {
    case .netted: 0x0901
    }
  }

  /// 80 bytes: receivable 16, uncovered 16, dispute 8, source 8, destination 8, row 8, asset 8,
  /// kinds of source (0 wallet, 1 set aside) and destination (0 hold, 1 wallet, 2 set aside) 1
  /// each, zero 6.
  func encode(into writer: inout ByteWriter) {
    switch self {
    case .netted(let netting):
      writer.put(netting.receivable)
      writer.put(netting.uncovered)
      writer.put(netting.dispute)
      let (source, sourceKind): (UInt64, UInt8) =
        switch netting.source {
        case .wallet(let number): (number.rawValue, 0)
        case .suspense(let agent): (agent.rawValue, 1)
        }
      let (destination, destinationKind): (UInt64, UInt8) =
        switch netting.destination {
        case .hold: (0, 0)
        case .wallet(let number): (number.rawValue, 1)
        case .suspense(let agent): (agent.rawValue, 2)
        }
      writer.put(source)
      writer.put(destination)
      writer.put(netting.slot)
      writer.put(netting.asset)
      writer.put(sourceKind)
      writer.put(destinationKind)
      writer.put(UInt16(0))
      writer.put(UInt32(0))
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    guard code == 0x0901 else { throw Event.unknown(code) }
    let receivable = try reader.amount()
    let uncovered = try reader.amount()
    let dispute: EventNumber = try reader.number()
    let (source, destination): (UInt64, UInt64) = (try reader.take(), try reader.take())
    let slot: DebtSlot = try reader.number()
    let asset: AssetNumber = try reader.number()
    let (sourceKind, destinationKind): (UInt8, UInt8) = (try reader.take(), try reader.take())
    try reader.zero(6)
    guard sourceKind <= 1, destinationKind <= 2, destinationKind > 0 || destination == 0 else {
      throw .refused("a netting is of a newer version")
    }
    self = .netted(
      Receivables.Netting(
        receivable: receivable, uncovered: uncovered, dispute: dispute,
        source: sourceKind == 0
          ? .wallet(WalletNumber(source)) : .suspense(AgentNumber(source)),
        destination: destinationKind == 0
          ? .hold
          : destinationKind == 1
            ? .wallet(WalletNumber(destination)) : .suspense(AgentNumber(destination)),
        slot: slot, asset: asset))
  }
}
