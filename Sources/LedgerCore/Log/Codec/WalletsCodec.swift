extension Wallets.Event {
  var code: UInt16 {
    switch self {
    case .opened: 0x0201
    case .funded: 0x0202
    case .assetAdded: 0x0203
    case .frozen: 0x0204
    case .unfrozen: 0x0205
    case .closed: 0x0206
    case .reopened: 0x0207
    case .setAside: 0x0208
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
    case .frozen(let wallet), .unfrozen(let wallet): writer.put(wallet)
    case .closed(let wallet, let to, let amount, let asset):
      writer.put(amount)
      writer.put(wallet)
      writer.put(to.rawValue)
      writer.put(asset)
    case .reopened(let wallet, let agent, let amount, let asset),
      .setAside(let wallet, let agent, let amount, let asset):
      writer.put(amount)
      writer.put(wallet)
      writer.put(agent)
      writer.put(asset)
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
    case 0x0204: self = .frozen(wallet: try reader.number())
    case 0x0205: self = .unfrozen(wallet: try reader.number())
    case 0x0206:
      let amount = try reader.amount()
      let wallet: WalletNumber = try reader.number()
      let to = WalletNumber(try reader.take())
      self = .closed(wallet: wallet, to: to, amount: amount, asset: try reader.number())
    case 0x0207, 0x0208:
      let amount = try reader.amount()
      let wallet: WalletNumber = try reader.number()
      let agent: AgentNumber = try reader.number()
      let asset: AssetNumber = try reader.number()
      self =
        code == 0x0207
        ? .reopened(wallet: wallet, agent: agent, amount: amount, asset: asset)
        : .setAside(wallet: wallet, agent: agent, amount: amount, asset: asset)
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}
