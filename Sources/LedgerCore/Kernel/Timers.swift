/// What happens when a deadline passes. The number on the right is part of the state.
enum TimerKind: UInt64, Sendable {
  /// A fee schedule begins to count; the subject is its number.
  case feeScheduleBegins = 1
  /// A reservation expires; the subject is its row.
  case reservationExpires = 2
  /// A policy comes in force; the subject is its row.
  case policyBegins = 3
}

/// Deadlines in the state, so that replay and restarts keep them (`design.md` 4.6).
///
/// A binary heap in (deadline, order of arming), over slots that are reused. Invariant: slot `s` is
/// armed exactly when `heap[slots[s].place] == s`.
struct Timers: ~Copyable {
  /// A timer that is due or will be.
  struct Armed: Hashable {
    var deadline: Timestamp
    var kind: TimerKind
    /// The number of the thing whose deadline it is.
    var subject: UInt64
  }

  /// Names an armed timer, for ``cancel(_:)``.
  typealias Handle = Number<Slot>

  struct Slot: BitwiseCopyable {
    var deadline: UInt64
    var order: UInt64
    var kind: UInt64
    var subject: UInt64
    /// Where in the heap, or for a free slot the next free one.
    var place: UInt64
  }

  private enum Heap {}
  private enum Counters {}

  private var slots: Table<Slot, Slot>
  private var heap: Table<Heap, UInt64>
  /// Row 1: timers armed so far, which gives the order. Row 2: the first free slot.
  private var counters: Table<Counters, UInt64>

  init(undo: Undo) {
    slots = Table(undo: undo)
    heap = Table(undo: undo)
    counters = Table(undo: undo)
    counters.append(0)
    counters.append(0)
  }

  /// How many timers are armed.
  var count: Int { heap.count }

  /// The timer that is due first.
  var first: (handle: Handle, timer: Armed)? {
    guard heap.count > 0 else { return nil }
    let handle = Handle(heap[Number(1)])
    let slot = slots[handle]
    guard let kind = TimerKind(rawValue: slot.kind) else {
      preconditionFailure("a timer of an unknown kind")
    }
    return (
      handle,
      Armed(
        deadline: Timestamp(nanoseconds: slot.deadline), kind: kind, subject: slot.subject)
    )
  }

  /// Arms a timer. O(log n).
  mutating func arm(_ timer: Armed) -> Handle {
    counters[Number(1)] += 1
    var handle = Handle(counters[Number(2)])
    let slot = Slot(
      deadline: timer.deadline.nanoseconds, order: counters[Number(1)], kind: timer.kind.rawValue,
      subject: timer.subject, place: UInt64(heap.count + 1))
    if handle.isSome {
      counters[Number(2)] = slots[handle].place
      slots[handle] = slot
    } else {
      handle = slots.next
      slots.append(slot)
    }
    heap.append(handle.rawValue)
    rise(from: heap.count)
    return handle
  }

  /// Disarms a timer that is armed. O(log n).
  mutating func cancel(_ handle: Handle) {
    let place = Int(slots[handle].place)
    precondition(heap[at(place)] == handle.rawValue, "the timer is not armed")
    let last = heap[at(heap.count)]
    heap.removeLast()
    if place <= heap.count {
      put(last, at: place)
      rise(from: place)
      sink(from: place)
    }
    slots[handle].place = counters[Number(2)]
    counters[Number(2)] = handle.rawValue
  }

  /// Makes room for `additional` more timers, so that a unit moves nothing.
  mutating func reserve(_ additional: Int) {
    slots.reserve(additional)
    heap.reserve(additional)
  }

  /// The bytes of everything, in a fixed order.
  func withBytes<Failure: Error>(
    _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
  ) throws(Failure) {
    try slots.withBytes(body)
    try heap.withBytes(body)
    try counters.withBytes(body)
  }

  /// Takes over what ``withBytes(_:)`` once handed out.
  mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
    try slots.load(from: &source)
    try heap.load(from: &source)
    try counters.load(from: &source)
  }

  private func at(_ place: Int) -> Number<Heap> { Number(UInt64(place)) }

  private mutating func put(_ slot: UInt64, at place: Int) {
    heap[at(place)] = slot
    slots[Number(slot)].place = UInt64(place)
  }

  private func isEarlier(_ a: UInt64, _ b: UInt64) -> Bool {
    let (first, second) = (slots[Number(a)], slots[Number(b)])
    return (first.deadline, first.order) < (second.deadline, second.order)
  }

  private mutating func rise(from start: Int) {
    var place = start
    while place > 1 {
      let (child, parent) = (heap[at(place)], heap[at(place / 2)])
      guard isEarlier(child, parent) else { return }
      put(parent, at: place)
      put(child, at: place / 2)
      place /= 2
    }
  }

  private mutating func sink(from start: Int) {
    var place = start
    while place * 2 <= heap.count {
      var child = place * 2
      if child < heap.count, isEarlier(heap[at(child + 1)], heap[at(child)]) { child += 1 }
      let (upper, lower) = (heap[at(place)], heap[at(child)])
      guard isEarlier(lower, upper) else { return }
      put(lower, at: place)
      put(upper, at: child)
      place = child
    }
  }
}
