/// The events one command produced, in order. One of them, the last unless another is said to be,
/// carries the command's idempotency key and is what a retry is answered with.
///
/// Lives on the stack and is reused from command to command, so that deciding allocates nothing.
/// Eight is the limit; a command that needs more is two commands.
public struct Decision: ~Copyable {
  /// The most events one command may produce.
  public static let eventCountMax = 8

  /// Which of the request's sealed texts an event carries: the command's own, or that of what the
  /// command registers, of which a split may name several.
  enum Text: Hashable {
    case none, own
    case label(Int)
  }

  private var slots: InlineArray<8, Event>
  private var texts: InlineArray<8, Text>
  /// How many events there are.
  public private(set) var count = 0
  /// The number that the first event will have.
  private var first = EventNumber.none
  private var chosen: Int?
  /// Variable-length data of the one event that has some (`design.md` 4.1).
  var body: [UInt8] = []
  private var bodyOwner: Int?

  /// Which event answers the command.
  var answer: Int { chosen ?? count - 1 }

  /// The number that the next event will have, for one that names itself.
  var next: EventNumber { EventNumber(first.rawValue + UInt64(count)) }

  /// The time that the next event will have, where the first has `now`.
  func time(_ now: Timestamp) -> Timestamp {
    Timestamp(nanoseconds: now.nanoseconds + UInt64(count))
  }

  /// No events yet.
  public init() {
    slots = InlineArray(repeating: .fee(.began(schedule: .none, effective: .none)))
    texts = InlineArray(repeating: .none)
  }

  /// The event at `index`, from 0.
  ///
  /// - Note: mutating in name only.
  public subscript(index: Int) -> Event {
    // Workaround: to read a slot of a borrowed value, Swift 6.3 copies all eight slots; to read one
    // of an inout value it does not. Retry with 6.4.
    mutating get {
      precondition(index < count)
      return slots[index]
    }
  }

  func text(_ index: Int) -> Text { texts[index] }

  /// The body of the event at `index`, empty where it has none. It is taken out.
  @inline(__always)
  mutating func takeBody(of index: Int) -> [UInt8] {
    guard bodyOwner == index else { return [] }
    var taken: [UInt8] = []
    swap(&taken, &body)
    return taken
  }

  /// Takes back the memory of a body that was taken out, so that the next one allocates nothing.
  @inline(__always)
  mutating func keep(_ memory: consuming [UInt8]) {
    guard memory.capacity > 0 else { return }
    memory.removeAll(keepingCapacity: true)
    body = memory
  }

  /// Adds an event, and says which text of the request is sealed beside it; `isAnswer` where it
  /// answers the command although others may follow, `hasBody` where ``body`` is its.
  @inline(__always)
  mutating func emit(
    _ event: Event, with text: Text = .none, isAnswer: Bool = false, hasBody: Bool = false
  ) {
    precondition(count < Self.eventCountMax)
    if isAnswer { chosen = count }
    if hasBody { bodyOwner = count }
    slots[count] = event
    texts[count] = text
    count += 1
  }

  /// Forgets all events; those to come begin with number `first`.
  mutating func removeAll(first: EventNumber) {
    self.first = first
    count = 0
    chosen = nil
    bodyOwner = nil
    if !body.isEmpty { body.removeAll(keepingCapacity: true) }
  }
}
