extension Wallets.Event {
  var code: UInt16 {
    switch self {
    case .opened: 0x0201
    case .funded: 0x0202
    case .assetAdded: 0x0203
    }
  }

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .opened(let wallet, let agent, let asset):
      writer.put(wallet)
      writer.put(agent)
      writer.put(asset)
    case .funded(let wallet, let amount, let asset):
      writer.put(amount)
      writer.put(wallet)
      writer.put(asset)
    case .assetAdded(let asset, let code, let scale):
      writer.put(code.bytes)
      writer.put(asset)
      writer.put(UInt64(scale))
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    switch code {
    case 0x0201:
      self = .opened(
        wallet: try reader.number(), agent: try reader.number(), asset: try reader.number())
    case 0x0202:
      let amount = try reader.amount()
      self = .funded(
        wallet: try reader.number(), amount: amount, asset: try reader.number())
    case 0x0203:
      let code = AssetCode(bytes: try reader.take())
      let asset: AssetNumber = try reader.number()
      let scale: UInt64 = try reader.take()
      guard scale <= 18 else { throw .damaged("asset \(asset) has \(scale) decimals") }
      self = .assetAdded(asset: asset, code: code, scale: UInt8(scale))
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}
