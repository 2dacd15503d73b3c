import CLedger

/// Finds a number by a 16-byte keyed hash: open addressing, linear probing, entries are never
/// removed.
///
/// Keys are the output of a keyed hash already, so their low bits spread by themselves and nobody
/// outside can choose them to collide. Value 0 means empty.
@safe
struct Index: ~Copyable {
  private struct Slot: BitwiseCopyable {
    var low: UInt64
    var high: UInt64
    var value: UInt64
  }

  /// The first slot's place holds the count, as in ``Table``.
  private static let headerByteCount = 24
  private static let firstSlotCount = 64

  private var memory: Memory
  private var slotCount: Int
  private let undo: Undo

  /// An empty index that saves what it overwrites on `undo`.
  init(undo: Undo) {
    slotCount = Self.firstSlotCount
    memory = Memory(byteCount: Self.byteCount(slots: Self.firstSlotCount))
    self.undo = undo
  }

  /// How many entries there are.
  var count: Int { unsafe memory.base.load(as: Int.self) }

  /// The value of `key`, or 0.
  func find(_ key: UInt128) -> UInt64 { unsafe slot(of: key).load(as: Slot.self).value }

  /// Adds an entry; the key must be new and the value other than 0.
  mutating func insert(_ key: UInt128, _ value: UInt64) {
    precondition(value != 0)
    reserve(1)
    let target = unsafe slot(of: key)
    precondition(unsafe target.load(as: Slot.self).value == 0, "the key exists")
    unsafe undo.save(target, count: MemoryLayout<Slot>.size)
    unsafe undo.save(memory.base, count: 8)
    let low = UInt64(truncatingIfNeeded: key)
    let high = UInt64(truncatingIfNeeded: key >> 64)
    unsafe target.storeBytes(of: Slot(low: low, high: high, value: value), as: Slot.self)
    unsafe memory.base.storeBytes(of: count + 1, as: Int.self)
  }

  /// Makes room for `additional` more entries, so that a unit moves nothing.
  @inline(__always)
  mutating func reserve(_ additional: Int) {
    if (count + additional) * 4 > slotCount * 3 { rehash(for: count + additional) }
  }

  private mutating func rehash(for entries: Int) {
    precondition(!undo.isOpen, "room is reserved before a unit")
    var newCount = slotCount
    while entries * 4 > newCount * 3 { newCount *= 2 }
    var larger = Memory(byteCount: Self.byteCount(slots: newCount))
    swap(&memory, &larger)
    let oldCount = slotCount
    slotCount = newCount
    unsafe memory.base.storeBytes(of: larger.base.load(as: Int.self), as: Int.self)
    for index in 0..<oldCount {
      let old = unsafe larger.base.load(
        fromByteOffset: Self.headerByteCount + index * MemoryLayout<Slot>.stride, as: Slot.self)
      guard old.value != 0 else { continue }
      let key = UInt128(old.high) << 64 | UInt128(old.low)
      unsafe slot(of: key).storeBytes(of: old, as: Slot.self)
    }
  }

  /// The slot that holds `key`, or the empty one where it belongs.
  private func slot(of key: UInt128) -> UnsafeMutableRawPointer {
    let low = UInt64(truncatingIfNeeded: key)
    let high = UInt64(truncatingIfNeeded: key >> 64)
    var index = Int(truncatingIfNeeded: low) & (slotCount - 1)
    while true {
      let address = unsafe memory.base + Self.headerByteCount + index * MemoryLayout<Slot>.stride
      let slot = unsafe address.load(as: Slot.self)
      if slot.value == 0 || (slot.low == low && slot.high == high) { return unsafe address }
      index = (index + 1) & (slotCount - 1)
    }
  }

  private static func byteCount(slots: Int) -> Int {
    headerByteCount + slots * MemoryLayout<Slot>.stride
  }
}
