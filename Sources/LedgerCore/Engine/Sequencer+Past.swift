/// What the sequencer looks up in the past: keys that were used, and events by their number.
extension Sequencer {
  /// What became of the request that used this key before: its outcome again, or for another
  /// request a conflict. `nil` where the key is new.
  ///
  /// Mutating in name only, as ``outcome(of:_:)``. Workaround: a call that borrows `self`, or a
  /// closure that captures it, copies all of it first in Swift 6.3: 3,624 bytes a command, 90 ns.
  /// Retry with 6.4, and look for large `memcpy` in ``perform(_:of:inUnit:)``.
  @inline(__always)
  mutating func known(_ key: IdempotencyKey) throws(StorageError) -> Outcome? {
    var search = keys.search(key.fingerprint)
    while let number = keys.next(&search) {
      if let outcome = try outcome(of: number, key) { return outcome }
    }
    return keys.mayBeOnDisk(key.fingerprint) ? try knownOnDisk(key) : nil
  }

  @inline(never)
  mutating func knownOnDisk(_ key: IdempotencyKey) throws(StorageError) -> Outcome? {
    for number in try keys.onDisk(key.fingerprint) {
      if let outcome = try outcome(of: number, key) { return outcome }
    }
    return nil
  }

  /// An event's frame: in the batch being built, in the one being committed, or in the log.
  mutating func withFrame<Result>(
    _ number: EventNumber, _ body: (RawSpan) throws(StorageError) -> Result
  ) throws(StorageError) -> Result? {
    if number >= batch.first { return try batch.withFrame(number, body) }
    if let shipped, shipped.contains(number) { return try shipped.withFrame(number, body) }
    return try log.withFrame(number, body)
  }

  /// The outcome that event `number` is, if it carries this fingerprint.
  mutating func outcome(
    of number: EventNumber, _ key: IdempotencyKey
  ) throws(StorageError) -> Outcome? {
    let decode = { (frame: RawSpan) throws(StorageError) in try Frame.decode(frame) }
    guard let parts = try withFrame(number, decode), let stored = parts.key else {
      throw .damaged("event \(number) should carry an idempotency key")
    }
    guard stored.fingerprint == key.fingerprint else { return nil }
    guard stored.digest == key.digest else {
      return .refused(Refusal(.idempotencyConflict), event: .none, isReplay: false)
    }
    if case .refusal(.recorded(let refusal, _)) = parts.event {
      return .refused(refusal, event: number, isReplay: true)
    }
    return .done(parts.recorded(number), isReplay: true)
  }
}
