extension Pauses.Event {
  var code: UInt16 {
    switch self {
    case .paused: 0x0701
    case .resumed: 0x0702
    }
  }

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .paused(let scope), .resumed(let scope):
      writer.put(scope.words.kind)
      writer.put(scope.words.number)
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    guard code == 0x0701 || code == 0x0702 else { throw Event.unknown(code) }
    let kind: UInt64 = try reader.take()
    guard let scope = Pauses.Scope(kind: kind, number: try reader.take()) else {
      throw .refused("a pause is of a newer version")
    }
    self = code == 0x0701 ? .paused(scope) : .resumed(scope)
  }
}
