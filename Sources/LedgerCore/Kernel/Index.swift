/// Finds a number by a 16-byte key; entries are never removed.
///
/// Keys may be anything, also numbers that callers choose among: where an entry lies depends on a
/// seed that each process draws, so nobody outside can have them collide. Places are no part of the
/// state.
struct Index: ~Copyable {
  private struct Slot: SlotEntry {
    var low: UInt64
    var high: UInt64
    /// 0 means empty.
    var value: UInt64

    var hash: UInt64 { Index.hash(low, high) }
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
    var index = slots.start(of: Self.hash(low, high))
    while true {
      let slot = slots[index]
      if slot.isEmpty || (slot.low == low && slot.high == high) { return index }
      index += 1
    }
  }

  private static let seed = UInt64.random(in: .min ... .max)

  /// Every bit of the key changes half of all bits: the finish of MurmurHash3, for each half.
  @inline(__always)
  private static func hash(_ low: UInt64, _ high: UInt64) -> UInt64 {
    mixed(mixed(low ^ seed) ^ high)
  }

  @inline(__always)
  private static func mixed(_ word: UInt64) -> UInt64 {
    var word = word
    word = (word ^ (word >> 33)) &* 0xFF51_AFD7_ED55_8CCD
    word = (word ^ (word >> 33)) &* 0xC4CE_B9FE_1A85_EC53
    return word ^ (word >> 33)
  }
}
