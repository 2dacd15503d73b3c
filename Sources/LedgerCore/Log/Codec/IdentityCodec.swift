extension Identity.Event {
  var code: UInt16 {
    switch self {
    case .tenantRegistered: 0x0101
    case .agentRegistered: 0x0102
    case .operatorRegistered: 0x0103
    case .credentialIssued: 0x0104
    case .credentialRevoked: 0x0105
    }
  }

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .tenantRegistered(let tenant, let name):
      writer.put(name)
      writer.put(tenant)
    case .agentRegistered(
      let agent, let tenant, let wallet, let name, let apiKey, let secretKey):
      writer.put(name)
      writer.put(agent)
      writer.put(tenant)
      writer.put(wallet)
      writer.put(apiKey)
      writer.put(secretKey)
    case .operatorRegistered(let number, let credential):
      writer.put(number)
      writer.put(credential)
    case .credentialIssued(let credential, let key, let kind, let holder):
      writer.put(key)
      writer.put(credential)
      writer.put(holder.rawValue)
      writer.put(UInt64(kind.rawValue))
    case .credentialRevoked(let credential):
      writer.put(credential)
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    switch code {
    case 0x0101:
      let name: UInt128 = try reader.take()
      self = .tenantRegistered(tenant: try reader.number(), name: name)
    case 0x0102:
      let name: UInt128 = try reader.take()
      self = .agentRegistered(
        agent: try reader.number(), tenant: try reader.number(), wallet: try reader.number(),
        name: name, apiKey: try reader.number(), secretKey: try reader.number())
    case 0x0103:
      self = .operatorRegistered(
        operator: try reader.number(), credential: try reader.number())
    case 0x0104:
      let key: UInt128 = try reader.take()
      let credential: CredentialNumber = try reader.number()
      let holder = Actor(rawValue: try reader.take())
      let kind = UInt8(exactly: try reader.take(UInt64.self))
        .flatMap(Identity.CredentialKind.init(rawValue:))
      guard let holder, let kind else {
        throw .refused("a credential is of a newer version")
      }
      self = .credentialIssued(credential: credential, key: key, kind: kind, holder: holder)
    case 0x0105:
      self = .credentialRevoked(credential: try reader.number())
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}
