/// Finds a number by a 16-byte keyed hash; entries are never removed.
///
/// Nobody outside can choose keys that collide, since they are the output of a keyed hash.
struct Index: ~Copyable {
  private struct Slot: SlotEntry {
    var low: UInt64
    var high: UInt64
    /// 0 means empty.
    var value: UInt64

    var hash: UInt64 { Index.hash(low) }
    var isEmpty: Bool { value == 0 }
    static var empty: Slot { Slot(low: 0, high: 0, value: 0) }
  }

  private var slots: Slots<Slot>

  /// An empty index that saves what it overwrites on `undo`.
  init(undo: Undo) { slots = Slots(placeCount: 64, undo: undo) }

  /// How many entries there are.
  var count: Int { slots.count }

  /// The value of `key`, or 0.
  func find(_ key: UInt128) -> UInt64 { slots[index(of: key)].value }

  /// Adds an entry; the key must be new and the value other than 0.
  mutating func insert(_ key: UInt128, _ value: UInt64) {
    precondition(value != 0)
    reserve(1)
    let index = index(of: key)
    precondition(slots[index].isEmpty, "the key exists")
    let low = UInt64(truncatingIfNeeded: key)
    let high = UInt64(truncatingIfNeeded: key >> 64)
    slots.fill(index, Slot(low: low, high: high, value: value))
  }

  /// Makes room for `additional` more entries, so that a unit moves nothing.
  @inline(__always)
  mutating func reserve(_ additional: Int) { slots.reserve(additional) }

  /// The slot that holds `key`, or the empty one where it belongs.
  private func index(of key: UInt128) -> Int {
    let low = UInt64(truncatingIfNeeded: key)
    let high = UInt64(truncatingIfNeeded: key >> 64)
    var index = slots.start(of: Self.hash(low))
    while true {
      let slot = slots[index]
      if slot.isEmpty || (slot.low == low && slot.high == high) { return index }
      index += 1
    }
  }

  /// Small numbers serve as keys in tests, so their low bits are spread upwards.
  @inline(__always)
  private static func hash(_ low: UInt64) -> UInt64 { low &* 0x9E37_79B9_7F4A_7C15 }
}
