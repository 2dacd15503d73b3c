/// Which idempotency keys were used, and by which event: 16 bytes a slot, open addressing.
///
/// Holds 64 of a fingerprint's 128 bits, so a hit is only a candidate that the caller confirms in
/// the log. Not part of the state: the log's frames carry the whole keys.
struct Fingerprints: ~Copyable {
  private struct Slot: SlotEntry {
    var tag: UInt64
    /// 0 means empty.
    var event: UInt64

    var hash: UInt64 { tag }
    var isEmpty: Bool { event == 0 }
    static var empty: Slot { Slot(tag: 0, event: 0) }
  }

  private var slots: Slots<Slot>

  /// An empty table that saves what it overwrites on `undo`.
  init(undo: Undo) { slots = Slots(placeCount: 1 << 12, undo: undo) }

  /// How many keys there are.
  var count: Int { slots.count }

  /// A walk over the events that may have used one fingerprint.
  struct Search {
    fileprivate let tag: UInt64
    fileprivate var index: Int
  }

  /// Begins to look for `fingerprint`.
  @inline(__always)
  func search(_ fingerprint: UInt128) -> Search {
    let tag = Self.tag(fingerprint)
    return Search(tag: tag, index: slots.start(of: tag))
  }

  /// The next candidate, for the caller to confirm; `nil` where there is no other. Nothing may be
  /// inserted since the search began.
  @inline(__always)
  func next(_ search: inout Search) -> EventNumber? {
    while true {
      let slot = slots[search.index]
      if slot.isEmpty { return nil }
      search.index += 1
      if slot.tag == search.tag { return EventNumber(slot.event) }
    }
  }

  /// The event that used `fingerprint`, if `isIt` confirms one of the candidates.
  func find(
    _ fingerprint: UInt128, isIt: (EventNumber) throws(StorageError) -> Bool
  ) throws(StorageError) -> EventNumber? {
    var search = search(fingerprint)
    while let event = next(&search) {
      if try isIt(event) { return event }
    }
    return nil
  }

  /// Remembers that `event` used a fingerprint which ``find(_:isIt:)`` did not know.
  @inline(__always)
  mutating func insert(_ fingerprint: UInt128, _ event: EventNumber) {
    precondition(event.isSome)
    reserve(1)
    let tag = Self.tag(fingerprint)
    var index = slots.start(of: tag)
    while !slots[index].isEmpty { index += 1 }
    slots.fill(index, Slot(tag: tag, event: event.rawValue))
  }

  /// Makes room for `additional` more keys, so that a unit moves nothing.
  @inline(__always)
  mutating func reserve(_ additional: Int) { slots.reserve(additional) }

  /// Asks for what looking up or inserting `fingerprint` will touch.
  @inline(__always)
  func prefetch(_ fingerprint: UInt128) { slots.prefetch(Self.tag(fingerprint)) }

  /// Hands over all keys in the order of their tags, those of one tag in the order of their events.
  ///
  /// Between two empty slots lie all keys whose places are there, so only those are sorted.
  func sorted<Failure: Error>(
    _ body: (_ tag: UInt64, _ event: UInt64) throws(Failure) -> Void
  ) throws(Failure) {
    var cluster: [Slot] = []
    for index in slots.indices {
      let slot = slots[index]
      if !slot.isEmpty {
        cluster.append(slot)
        continue
      }
      if cluster.count > 1 { cluster.sort { ($0.tag, $0.event) < ($1.tag, $1.event) } }
      for slot in cluster { try body(slot.tag, slot.event) }
      cluster.removeAll(keepingCapacity: true)
    }
  }

  /// The 64 bits of a fingerprint that are kept.
  @inline(__always)
  static func tag(_ fingerprint: UInt128) -> UInt64 { UInt64(truncatingIfNeeded: fingerprint) }
}
