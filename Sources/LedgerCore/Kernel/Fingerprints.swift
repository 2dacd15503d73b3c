import CLedger

/// Which idempotency keys were used, and by which event: 16 bytes a slot, open addressing.
///
/// Holds 64 of a fingerprint's 128 bits, so a hit is only a candidate that the caller confirms in
/// the log. Not part of the state: the log's frames carry the whole keys. Event 0 means empty.
///
/// A fingerprint belongs where the highest bits of its tag say, so that the table is in the order
/// of the tags but for collisions, and growing it is one pass from back to front, in place. (A
/// second table and a random walk cost 140 ns a payment: most of it the system clearing the new
/// memory.)
@safe
struct Fingerprints: ~Copyable {
  private struct Slot: BitwiseCopyable {
    var tag: UInt64
    var event: UInt64
  }

  private static let firstSlotCount = 1 << 12
  /// Slots behind the last one that a tag can name, so that probing need not wrap around.
  private static let overflowSlotCount = 1 << 10

  /// The first slot's place holds the count.
  private var memory: Memory
  private var slotCount: Int
  /// By how much a tag is shifted to give its place.
  private var shift: UInt64
  private let undo: Undo

  /// An empty table with room for `count` keys before it grows.
  init(undo: Undo, count: Int = 0) {
    var slots = Self.firstSlotCount
    while count * 4 > slots * 3 { slots *= 2 }
    slotCount = slots
    shift = UInt64(64 - slots.trailingZeroBitCount)
    memory = Memory(byteCount: Self.byteCount(slots: slots))
    self.undo = undo
  }

  /// How many keys there are.
  var count: Int { unsafe memory.base.load(as: Int.self) }

  /// A walk over the events that may have used one fingerprint.
  struct Search {
    fileprivate let tag: UInt64
    fileprivate var index: Int
  }

  /// Begins to look for `fingerprint`.
  @inline(__always)
  func search(_ fingerprint: UInt128) -> Search {
    let tag = Self.tag(fingerprint)
    return Search(tag: tag, index: position(of: tag))
  }

  /// The next candidate, for the caller to confirm; `nil` where there is no other.
  @inline(__always)
  func next(_ search: inout Search) -> EventNumber? {
    while true {
      let slot = unsafe address(search.index).load(as: Slot.self)
      if slot.event == 0 { return nil }
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
    let target = unsafe address(emptyPosition(for: tag))
    unsafe undo.save(target, count: MemoryLayout<Slot>.size)
    unsafe undo.save(memory.base, count: 8)
    unsafe target.storeBytes(of: Slot(tag: tag, event: event.rawValue), as: Slot.self)
    unsafe memory.base.storeBytes(of: count + 1, as: Int.self)
  }

  /// Makes room for `additional` more keys, so that a unit moves nothing.
  @inline(__always)
  mutating func reserve(_ additional: Int) {
    while (count + additional) * 4 > slotCount * 3 { double() }
  }

  /// Asks for the cache line where a fingerprint belongs, and for the next: probing a table three
  /// quarters full goes on for some eight slots, which is two lines.
  @inline(__always)
  func prefetch(_ fingerprint: UInt128) {
    let place = unsafe address(position(of: Self.tag(fingerprint)))
    unsafe cledger_prefetch(place)
    unsafe cledger_prefetch(place + 64)
  }

  /// Hands over all keys in the order of their tags, those of one tag in the order of their events.
  ///
  /// Between two empty slots lie all keys whose places are there, so only those are sorted.
  func sorted<Failure: Error>(
    _ body: (_ tag: UInt64, _ event: UInt64) throws(Failure) -> Void
  ) throws(Failure) {
    var cluster: [Slot] = []
    for index in 0..<slotCount + Self.overflowSlotCount + 1 {
      let slot = unsafe address(index).load(as: Slot.self)
      if slot.event != 0 {
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

  /// Doubles the table in place, from back to front: a place is twice what it was, so each slot
  /// moves to where all were moved away before. Only near the front it may not; those are held
  /// back.
  private mutating func double() {
    precondition(!undo.isOpen, "room is reserved before a unit")
    let oldCount = slotCount + Self.overflowSlotCount
    memory.grow(toHold: Self.byteCount(slots: slotCount * 2))
    slotCount *= 2
    shift -= 1
    var heldBack: [Slot] = []
    for index in (0..<oldCount).reversed() {
      let place = unsafe address(index)
      let slot = unsafe place.load(as: Slot.self)
      guard slot.event != 0 else { continue }
      unsafe place.storeBytes(of: Slot(tag: 0, event: 0), as: Slot.self)
      if position(of: slot.tag) < index { heldBack.append(slot) } else { put(slot) }
    }
    for slot in heldBack { put(slot) }
  }

  private func put(_ slot: Slot) {
    unsafe address(emptyPosition(for: slot.tag)).storeBytes(of: slot, as: Slot.self)
  }

  @inline(__always)
  private func emptyPosition(for tag: UInt64) -> Int {
    var index = position(of: tag)
    while unsafe address(index).load(as: Slot.self).event != 0 { index += 1 }
    precondition(index < slotCount + Self.overflowSlotCount, "the tags are not spread")
    return index
  }

  @inline(__always)
  private func position(of tag: UInt64) -> Int {
    Int(truncatingIfNeeded: tag &>> shift)
  }

  @inline(__always)
  private func address(_ index: Int) -> UnsafeMutableRawPointer {
    unsafe memory.base + (index + 1) * MemoryLayout<Slot>.stride
  }

  private static func byteCount(slots: Int) -> Int {
    // One slot more for the count, and one at the end that is always empty.
    (slots + overflowSlotCount + 2) * MemoryLayout<Slot>.stride
  }
}
