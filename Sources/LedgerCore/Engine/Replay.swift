/// Folds the log into a state: how a ledger is opened, and how it is verified.
enum Replay {
  /// Where a fold stands.
  struct Position {
    /// The next event to fold.
    var next = EventNumber(1)
    /// The recorded time of the one before.
    var time = Timestamp.none
    /// The tree's root after it.
    var root = Digest32.none
  }

  /// Folds up to `blockCount` blocks of events up to `end`; checks each block's checksum, its place
  /// and its times, and that the texts its frames commit to are there. Answers false where there is
  /// nothing more to fold.
  static func fold(
    _ log: EventLog, into ledger: inout Ledger, _ keys: inout some KeySink & ~Copyable,
    _ position: inout Position, upTo end: EventNumber, blockCount: Int = 64
  ) throws(StorageError) -> Bool {
    let start = position.next
    guard start <= end else { return false }
    // Looked for afterwards, since reads do not nest.
    var texts: [(block: EventNumber, count: Int)] = []
    _ = try log.walkBlocks(from: start, countMax: blockCount, checking: .every) {
      header, bytes throws(StorageError) in
      guard header.first == position.next else {
        throw .damaged("block \(header.first) stands where event \(position.next) belongs")
      }
      guard header.first <= end else { return false }
      let textCount = try fold(header, bytes, into: &ledger, &keys, &position)
      if textCount > 0 { texts.append((header.first, textCount)) }
      return true
    }
    for (block, count) in texts { try log.checkTexts(of: block, count: count) }
    return position.next > start
  }

  /// Remembers the keys of the events from `first` on and before `end`, whose state a snapshot has.
  static func keys(
    _ log: EventLog, from first: EventNumber, before end: EventNumber,
    into keys: inout some KeySink & ~Copyable
  ) throws(StorageError) {
    var next = first
    while next < end {
      next = try log.walkBlocks(from: next, countMax: 64, checking: .every) {
        header, bytes throws(StorageError) in
        guard header.first < end else { return false }
        for index in 0..<header.count {
          if index + 12 < header.count,
            let ahead = Frame.fingerprintAhead(
              try Block.frame(index + 12, of: header, in: bytes))
          {
            keys.prefetch(ahead)
          }
          let frame = try Block.frame(index, of: header, in: bytes)
          if let fingerprint = Frame.fingerprintAhead(frame) {
            keys.insert(fingerprint, EventNumber(header.first.rawValue + UInt64(index)))
          }
        }
        keys.finishBlock(header)
        return header.last.rawValue + 1 < end.rawValue
      }
    }
  }

  /// Folds one block; answers how many texts its frames commit to.
  @discardableResult
  static func fold(
    _ header: Block.Header, _ bytes: RawSpan, into ledger: inout Ledger,
    _ keys: inout some KeySink & ~Copyable, _ position: inout Position
  ) throws(StorageError) -> Int {
    var textCount = 0
    for index in 0..<header.count {
      if index + 12 < header.count {
        prefetch(try Block.frame(index + 12, of: header, in: bytes), ledger, keys)
      }
      let frame = try Block.frame(index, of: header, in: bytes)
      let parts = try Frame.decode(frame)
      guard parts.time > position.time else {
        throw .damaged("event \(position.next) is not younger than its predecessor")
      }
      if parts.commitment != nil { textCount += 1 }
      let number = position.next
      try parts.event.check(frame.span(parts.body))
      ledger.evolve(
        parts.event, Header(number: number, time: parts.time, actor: parts.actor),
        body: frame.span(parts.body))
      if let key = parts.key { keys.insert(key.fingerprint, number) }
      position.time = parts.time
      position.next = EventNumber(number.rawValue + 1)
    }
    guard header.time == position.time else {
      throw .damaged("block \(header.first): its time is not that of its last event")
    }
    position.root = header.root
    keys.finishBlock(header)
    return textCount
  }

  /// A payment's wallets and its key's place are fetched a dozen events ahead.
  @inline(__always)
  private static func prefetch(
    _ frame: RawSpan, _ ledger: borrowing Ledger, _ keys: borrowing some KeySink & ~Copyable
  ) {
    let (payer, payee) = Frame.walletsAhead(frame)
    ledger.wallets.wallets.prefetch(WalletNumber(payer))
    ledger.wallets.wallets.prefetch(WalletNumber(payee))
    if let fingerprint = Frame.fingerprintAhead(frame) { keys.prefetch(fingerprint) }
  }
}

/// What remembers the idempotency keys of a log that is folded.
protocol KeySink: ~Copyable {
  mutating func insert(_ fingerprint: UInt128, _ event: EventNumber)
  /// All keys of the events up to the block's last were inserted.
  mutating func finishBlock(_ header: Block.Header)
  func prefetch(_ fingerprint: UInt128)
}

/// For a fold that needs the state only.
struct NoKeys: KeySink, ~Copyable {
  func insert(_ fingerprint: UInt128, _ event: EventNumber) {}
  func finishBlock(_ header: Block.Header) {}
  func prefetch(_ fingerprint: UInt128) {}
}
