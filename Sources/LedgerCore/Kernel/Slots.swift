import CLedger

/// What ``Slots`` hold: plain memory, all of it zero where a slot is empty.
protocol SlotEntry: BitwiseCopyable {
  /// Where it belongs, by the highest bits first. Spread evenly, or the table stops the process.
  var hash: UInt64 { get }
  var isEmpty: Bool { get }
  static var empty: Self { get }
}

/// The hash table under ``Fingerprints`` and ``Index``: open addressing, linear probing, entries
/// are never removed, and no insertion pays for the table's growing alone.
///
/// An entry belongs where the highest bits of its hash say, so that the table is in the order of
/// the hashes but for collisions, and growing it goes from back to front, in place. (A second table
/// and a random walk cost 140 ns a payment: most of it the system clearing the new memory.) While
/// it grows from n places to 2n, the old table ends at a place `f` that moves to the front:
///
///     0            f            2f                          2n
///     │ as before  │ free       │ as it is to be            │
///
/// A hash whose new place is `2f` or more is looked for there, any other at half of it. Entries
/// that found no room before `f` stand behind it. They may even reach `2f`: probing goes on until
/// an empty slot, so whatever lies between two of those may be mixed.
///
/// Growing begins when five eighths are full, and goes over eight old slots for each entry
/// inserted, so that it ends at six eighths of the old table, and neither part is ever fuller.
@safe
struct Slots<Entry: SlotEntry>: ~Copyable {
  /// Slots behind the last place, so that probing need not wrap around.
  private static var overflowCount: Int { 1 << 10 }
  /// How many old slots a step of growing goes over at least: some 40 us. Of 1 << 8, growing cost a
  /// fifth more, since each step fetches anew from where the one before had come to.
  private static var stepCount: Int { 1 << 12 }

  /// The first slot's place holds the count.
  private var memory: Memory
  /// A power of two; while the table grows, that of the larger one.
  private var placeCount: Int
  /// By how much a hash is shifted to give its place.
  private var shift: UInt64
  /// From which place on entries are where they are to be: `2f`, or 0 where nothing grows.
  private(set) var settled = 0
  /// How many entries there may be before something must be moved.
  private var room = 0
  private let undo: Undo

  /// An empty table of so many places, a power of two, that saves what it overwrites on `undo`.
  init(placeCount: Int, undo: Undo) {
    precondition(placeCount.nonzeroBitCount == 1 && placeCount > 1)
    self.placeCount = placeCount
    shift = UInt64(64 - placeCount.trailingZeroBitCount)
    memory = Memory(byteCount: Self.byteCount(places: placeCount))
    self.undo = undo
    room = roomNow
  }

  /// How many entries there are.
  var count: Int { unsafe memory.base.load(as: Int.self) }

  /// Every slot's index, in the order of the hashes but for those between two empty slots. The last
  /// slot is empty.
  var indices: Range<Int> { 0..<placeCount + Self.overflowCount + 1 }

  /// The entry at an index that probing came to.
  subscript(index: Int) -> Entry {
    @inline(__always) get { unsafe address(index).load(as: Entry.self) }
  }

  /// Where probing for a hash begins. It ends at the first empty slot.
  @inline(__always)
  func start(of hash: UInt64) -> Int {
    let place = place(of: hash)
    return place >= settled ? place : place &>> 1
  }

  /// Adds an entry at an index where there is none yet. Room for it was reserved.
  @inline(__always)
  mutating func fill(_ index: Int, _ entry: Entry) {
    precondition(index < placeCount + Self.overflowCount, "the hashes are not spread")
    let target = unsafe address(index)
    unsafe undo.save(target, count: MemoryLayout<Entry>.size)
    unsafe undo.save(memory.base, count: 8)
    unsafe target.storeBytes(of: entry, as: Entry.self)
    unsafe memory.base.storeBytes(of: count + 1, as: Int.self)
  }

  /// Makes room for `additional` more entries, so that a unit moves nothing. Amortised O(1) an
  /// entry; while the table grows, a step of some 40 us for each 512 of them, and for every
  /// sixteenth step or so the system clears a huge page.
  @inline(__always)
  mutating func reserve(_ additional: Int) {
    if count + additional > room { makeRoom(for: count + additional) }
  }

  /// Asks for the cache line where a hash belongs, and for the next: probing a table three quarters
  /// full goes on for some eight slots, which is two lines or more.
  @inline(__always)
  func prefetch(_ hash: UInt64) {
    let place = unsafe address(start(of: hash))
    unsafe cledger_prefetch(place)
    unsafe cledger_prefetch(place + 64)
  }

  // MARK: - Growing

  @inline(never)
  private mutating func makeRoom(for needed: Int) {
    precondition(!undo.isOpen, "room is reserved before a unit")
    while needed > room {
      if settled == 0 { beginToDouble() } else { moveSome() }
      room = roomNow
    }
  }

  /// Of what is `settled`, (2n - settled) / 16 entries were inserted since five eighths of n.
  private var roomNow: Int {
    settled == 0 ? placeCount / 8 * 5 : (placeCount * 6 - settled) / 16
  }

  /// Asks the system for addresses; memory comes when it is touched, from back to front.
  private mutating func beginToDouble() {
    memory.grow(toHold: Self.byteCount(places: placeCount * 2))
    placeCount *= 2
    shift -= 1
    settled = count == 0 ? 0 : placeCount
  }

  /// Moves what is between two empty slots at the end of the old table, and what lies before it
  /// until enough is done.
  ///
  /// From back to front an entry's new place was left before, except near the start of the table:
  /// what belongs before the slot where it stands is held back.
  private mutating func moveSome() {
    var index = settled / 2
    let goal = index - Self.stepCount
    while !self[index].isEmpty { index += 1 }
    var heldBack: [Entry] = []
    while index > 0 {
      index -= 1
      let entry = self[index]
      if entry.isEmpty {
        if index <= goal { break }
        continue
      }
      unsafe address(index).storeBytes(of: .empty, as: Entry.self)
      if place(of: entry.hash) < index { heldBack.append(entry) } else { put(entry) }
    }
    settled = index * 2
    for entry in heldBack { put(entry) }
  }

  private func put(_ entry: Entry) {
    var index = place(of: entry.hash)
    while !self[index].isEmpty { index += 1 }
    precondition(index < placeCount + Self.overflowCount, "the hashes are not spread")
    unsafe address(index).storeBytes(of: entry, as: Entry.self)
  }

  // MARK: - Places

  /// Where a hash belongs when the table has grown.
  @inline(__always)
  private func place(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> shift) }

  @inline(__always)
  private func address(_ index: Int) -> UnsafeMutableRawPointer {
    unsafe memory.base + (index + 1) * MemoryLayout<Entry>.stride
  }

  private static func byteCount(places: Int) -> Int {
    // One slot more for the count, and one at the end that is always empty.
    (places + overflowCount + 2) * MemoryLayout<Entry>.stride
  }
}
