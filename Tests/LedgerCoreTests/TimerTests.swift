import Testing

@testable import LedgerCore

/// Goal: deadlines decide, not jobs: what falls due happens before the next command, at its
/// deadline, however late anyone looks, and the same after a restart.
/// Method: the real engine with a clock that the test sets; fee schedules for later.
@Suite(.timeLimit(.minutes(3))) struct TimerTests {
  private static let hour = 3_600 * TestClock.second

  private static func set(_ points: UInt32, begins: UInt64) -> Request {
    Request(
      .fee(
        .set(Fees.Terms(basisPoints: points), begins: Timestamp(nanoseconds: begins))),
      by: .administrator)
  }

  private static func fee(_ outcome: Outcome) throws -> Int128 {
    guard case .payment(.completed(let payment))? = outcome.recorded?.event else {
      throw Unexpected(outcome)
    }
    return payment.fee.units
  }

  /// Schedules that began, in the order of the log, with deadline and recorded time.
  private static func begun(_ scene: Scene) throws -> [(UInt64, UInt64, UInt64)] {
    try scene.events().compactMap { recorded in
      guard case .fee(.began(let schedule, let effective)) = recorded.event else { return nil }
      #expect(recorded.header.actor == .ledger)
      return (schedule.rawValue, effective.nanoseconds, recorded.header.time.nanoseconds)
    }
  }

  @Test func `a schedule counts from its deadline to the nanosecond`() throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    let deadline = TestClock.start + Self.hour
    _ = try scene.engine.submitAndWait(Self.set(100, begins: deadline))
    clock.set(deadline - 1)
    let before = try scene.engine.submitAndWait(scene.pay(10_000))
    #expect(try Self.fee(before) == 40)
    #expect(before.recorded?.header.time.nanoseconds == deadline - 1)
    #expect(try Self.begun(scene).isEmpty)

    clock.set(deadline)
    let after = try scene.engine.submitAndWait(scene.pay(10_000))
    #expect(try Self.fee(after) == 100)
    let begun = try Self.begun(scene)
    #expect(begun.count == 1)
    #expect(begun.first ?? (0, 0, 0) == (2, deadline, deadline))
    // The payment follows its schedule's begin by the least there is.
    #expect(after.recorded?.header.time.nanoseconds == deadline + 1)
    try scene.expectReplayAgrees(clock.options)
  }

  @Test func `what fell due long ago keeps its deadline, in order, before the next command`() throws
  {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    let deadlines = [5, 3, 9, 3, 7].map { TestClock.start + $0 * Self.hour }
    for (index, deadline) in deadlines.enumerated() {
      _ = try scene.engine.submitAndWait(Self.set(UInt32(100 + index), begins: deadline))
    }
    let now = TestClock.start + 8 * Self.hour
    clock.set(now)
    let paid = try scene.engine.submitAndWait(scene.pay(10_000))
    #expect(try Self.fee(paid) == 104)
    let begun = try Self.begun(scene)
    // Of two at one deadline the one armed first; the one of hour 9 waits.
    #expect(begun.map(\.0) == [3, 5, 2, 6])
    #expect(begun.map(\.1) == [3, 3, 5, 7].map { TestClock.start + $0 * Self.hour })
    #expect(begun.map(\.2) == [now, now + 1, now + 2, now + 3])
    #expect(paid.recorded?.header.time.nanoseconds == now + 4)
    try scene.expectReplayAgrees(clock.options)
  }

  @Test func `a deadline is kept over a restart and passes while nobody is there`() throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    let deadline = TestClock.start + Self.hour
    _ = try scene.engine.submitAndWait(Self.set(100, begins: deadline))
    scene.engine.close()

    clock.set(TestClock.start + 30 * TestClock.day)
    let again = try Engine.open(scene.directory.path, clock.options)
    let head = again.head
    let outcome = try again.submitAndWait(scene.pay(10_000))
    #expect(try Self.fee(outcome) == 100)
    let began = try again.event(EventNumber(head.rawValue + 1))
    #expect(
      began?.event
        == .fee(
          .began(schedule: ScheduleNumber(2), effective: Timestamp(nanoseconds: deadline))))
    #expect(began?.header.time.nanoseconds == clock.now)
    again.close()
  }

  @Test func `opening alone writes no event`() throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    let head = scene.engine.head
    try scene.expectReplayAgrees(clock.options)
    for _ in 0..<3 {
      let again = try Engine.open(scene.directory.path, clock.options)
      #expect(again.head == head)
      again.close()
    }
  }

  @Test func `without commands the deadline passes too`() async throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    let deadline = TestClock.start + Self.hour
    _ = try await scene.engine.submit(Self.set(100, begins: deadline))
    let head = scene.engine.head
    clock.set(deadline)
    for try await event in scene.engine.follow(from: EventNumber(head.rawValue + 1)) {
      #expect(
        event.event
          == .fee(
            .began(schedule: ScheduleNumber(2), effective: Timestamp(nanoseconds: deadline))))
      break
    }
  }

  @Test func `a read sees what is due`() throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    _ = try scene.engine.submitAndWait(Self.set(100, begins: TestClock.start + Self.hour))
    clock.set(TestClock.start + Self.hour)
    #expect(try scene.engine.read { $0.fees.current } == ScheduleNumber(2))
  }

  @Test func `more due timers than a batch holds all fire before the next command`() throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    let count: UInt64 = 10_000
    let requests = (1...count).map { index in
      Self.set(UInt32(index % 100), begins: TestClock.start + Self.hour + index)
    }
    _ = try scene.engine.submitAndWait(requests)
    clock.set(TestClock.start + 2 * Self.hour)
    let outcome = try scene.engine.submitAndWait(scene.pay(10_000))
    #expect(try Self.begun(scene).count == Int(count))
    guard case .payment(.completed(let payment))? = outcome.recorded?.event else {
      throw Unexpected(outcome)
    }
    #expect(payment.schedule == ScheduleNumber(count + 1))
    #expect(try scene.engine.read { $0.timers.count } == 0)
    try scene.expectReplayAgrees(clock.options)
  }

  @Test func `a schedule set in a refused unit never begins`() throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    let deadline = TestClock.start + Self.hour
    let outcomes = try scene.engine.submitAndWait(linked: [
      Self.set(100, begins: deadline), scene.pay(Amount.commandMax.units),
    ])
    #expect(outcomes[1].refusal?.reason == .insufficientFunds)
    clock.set(deadline)
    #expect(try Self.fee(scene.engine.submitAndWait(scene.pay(10_000))) == 40)
    #expect(try Self.begun(scene).isEmpty)
    try scene.expectReplayAgrees(clock.options)
  }

  // MARK: - The clock

  @Test func `a clock that goes back never reorders events`() throws {
    let clock = TestClock()
    let scene = try Scene(clock.options)
    let last = try scene.engine.submitAndWait(scene.pay(1)).recorded?.header.time
    clock.set(TestClock.start - TestClock.day)
    let next = try scene.engine.submitAndWait(scene.pay(1)).recorded?.header.time
    #expect(next == last?.next)
    clock.set(TestClock.start + 1_000_000)
    let later = try scene.engine.submitAndWait(scene.pay(1)).recorded?.header.time
    #expect(later?.nanoseconds == TestClock.start + 1_000_000)
  }
}
