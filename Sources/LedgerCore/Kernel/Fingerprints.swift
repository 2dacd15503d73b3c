import CLedger

/// Which idempotency keys were used, and by which event: 16 bytes a slot, open addressing.
///
/// Holds 64 of a fingerprint's 128 bits, so a hit is only a candidate that the caller confirms in the
/// log. Not part of the state: the log's frames carry the whole keys. Value 0 means empty.
@safe
struct Fingerprints: ~Copyable {
  private struct Slot: BitwiseCopyable {
    var tag: UInt64
    var event: UInt64
  }

  private static let firstSlotCount = 1024

  /// The first slot's place holds the count.
  private var memory: Memory
  private var slotCount: Int
  private let undo: Undo

  init(undo: Undo) {
    slotCount = Self.firstSlotCount
    memory = Memory(byteCount: (Self.firstSlotCount + 1) * MemoryLayout<Slot>.stride)
    self.undo = undo
  }

  /// How many keys there are.
  var count: Int { unsafe memory.base.load(as: Int.self) }

  /// The event that used `fingerprint`, if `isIt` confirms one of the candidates.
  @inline(__always)
  func find(
    _ fingerprint: UInt128, isIt: (EventNumber) throws(StorageError) -> Bool
  ) throws(StorageError) -> EventNumber? {
    let tag = UInt64(truncatingIfNeeded: fingerprint)
    var index = position(of: tag)
    while true {
      let slot = unsafe address(index).load(as: Slot.self)
      if slot.event == 0 { return nil }
      if slot.tag == tag, try isIt(EventNumber(slot.event)) { return EventNumber(slot.event) }
      index = (index + 1) & (slotCount - 1)
    }
  }

  /// Remembers that `event` used a fingerprint which ``find(_:isIt:)`` did not know.
  @inline(__always)
  mutating func insert(_ fingerprint: UInt128, _ event: EventNumber) {
    precondition(event.isSome)
    reserve(1)
    let tag = UInt64(truncatingIfNeeded: fingerprint)
    let target = unsafe address(emptyPosition(for: tag))
    unsafe undo.save(target, count: MemoryLayout<Slot>.size)
    unsafe undo.save(memory.base, count: 8)
    unsafe target.storeBytes(of: Slot(tag: tag, event: event.rawValue), as: Slot.self)
    unsafe memory.base.storeBytes(of: count + 1, as: Int.self)
  }

  /// Makes room for `additional` more keys, so that a unit moves nothing.
  @inline(__always)
  mutating func reserve(_ additional: Int) {
    if (count + additional) * 4 > slotCount * 3 { rehash(for: count + additional) }
  }

  /// Asks for the cache line where a fingerprint belongs.
  @inline(__always)
  func prefetch(_ fingerprint: UInt128) {
    unsafe cledger_prefetch(address(position(of: UInt64(truncatingIfNeeded: fingerprint))))
  }

  private mutating func rehash(for keys: Int) {
    precondition(!undo.isOpen, "room is reserved before a unit")
    let oldCount = slotCount
    while keys * 4 > slotCount * 3 { slotCount *= 2 }
    var old = Memory(byteCount: (slotCount + 1) * MemoryLayout<Slot>.stride)
    swap(&memory, &old)
    unsafe memory.base.storeBytes(of: old.base.load(as: Int.self), as: Int.self)
    for index in 1...oldCount {
      let slot = unsafe old.base.load(
        fromByteOffset: index * MemoryLayout<Slot>.stride, as: Slot.self)
      guard slot.event != 0 else { continue }
      unsafe address(emptyPosition(for: slot.tag)).storeBytes(of: slot, as: Slot.self)
    }
  }

  @inline(__always)
  private func emptyPosition(for tag: UInt64) -> Int {
    var index = position(of: tag)
    while unsafe address(index).load(as: Slot.self).event != 0 {
      index = (index + 1) & (slotCount - 1)
    }
    return index
  }

  @inline(__always)
  private func position(of tag: UInt64) -> Int {
    Int(truncatingIfNeeded: tag) & (slotCount - 1)
  }

  @inline(__always)
  private func address(_ index: Int) -> UnsafeMutableRawPointer {
    unsafe memory.base + (index + 1) * MemoryLayout<Slot>.stride
  }
}
