import Testing

@testable import LedgerCore

/// Goal: a wall clock that jumps ahead while the ledger runs expires nothing, until somebody looked
/// at it; one that is set back, and time that passed, harm nothing.
/// Method: the real engine with two clocks that the test sets: the wall, and the time since start.
@Suite(.timeLimit(.minutes(1))) struct ClockTests {
  private let wall = TestClock()
  private let uptime = TestClock(at: 5 * TestClock.second)

  private var options: Engine.Options {
    var options = wall.options
    options.uptime = { [uptime] in uptime.now }
    return options
  }

  private static let minute = 60 * TestClock.second

  private func advance(wall seconds: UInt64, uptime passed: UInt64) {
    wall.set(wall.now + seconds * TestClock.second)
    uptime.set(uptime.now + passed * TestClock.second)
  }

  @Test func `a clock that jumped ahead fires nothing and is refused until it is accepted`() throws
  {
    let scene = try Scene(options)
    let begins = Timestamp(nanoseconds: wall.now + 20 * Self.minute)
    let schedule = Fees.Command.set(Fees.Terms(basisPoints: 7), begins: begins)
    _ = try scene.engine.submitAndWait(Request(.fee(schedule), by: .administrator))
    let known = try scene.pay(5, key: "known")
    _ = try scene.engine.submitAndWait(known)
    let head = scene.engine.head

    advance(wall: 3_600, uptime: 2)
    let pay = try scene.pay(1_000, key: "k")
    let refused = Outcome.refused(Refusal(.clockAhead), event: .none, isReplay: false)
    #expect(try scene.engine.submitAndWait(pay) == refused)
    let revoke = Request(.identity(.revoke(CredentialNumber(1))), by: .administrator)
    #expect(try scene.engine.submitAndWait(revoke) == refused)
    #expect(try scene.engine.read { $0.fees.current } == ScheduleNumber(1))
    #expect(scene.engine.head == head && scene.engine.isClockAhead)
    // What was done before is answered.
    guard case .done(_, isReplay: true) = try scene.engine.submitAndWait(known) else {
      Issue.record("a known key was not answered")
      return
    }

    scene.engine.acceptClock()
    #expect(!scene.engine.isClockAhead)
    #expect(try scene.engine.submitAndWait(pay).recorded != nil)
    #expect(try scene.engine.read { $0.fees.current } == ScheduleNumber(2))
    try scene.expectReplayAgrees(options)
  }

  @Test func `set right, it is believed again without a word`() throws {
    let scene = try Scene(options)
    advance(wall: 10 * 366 * 86_400, uptime: 1)
    #expect(try scene.engine.submitAndWait(scene.pay(1)).refusal?.reason == .clockAhead)
    wall.set(wall.now - 10 * 366 * 86_400 * TestClock.second)
    #expect(try scene.engine.submitAndWait(scene.pay(1)).recorded != nil)
    scene.engine.close()
  }

  @Test func `ten minutes are believed, a nanosecond more is not`() throws {
    let scene = try Scene(options)
    wall.set(wall.now + 10 * Self.minute)
    #expect(try scene.engine.submitAndWait(scene.pay(1)).recorded != nil)
    wall.set(wall.now + 10 * Self.minute + 1)
    #expect(try scene.engine.submitAndWait(scene.pay(1)).refusal?.reason == .clockAhead)
    scene.engine.close()
  }

  @Test func `time that passed is no jump, and neither is a clock set back and forth`() throws {
    let scene = try Scene(options)
    advance(wall: 300 * 86_400, uptime: 300 * 86_400)
    let late = try #require(try scene.engine.submitAndWait(scene.pay(1)).recorded)
    wall.set(wall.now - 3_600 * TestClock.second)
    let back = try #require(try scene.engine.submitAndWait(scene.pay(1)).recorded)
    #expect(back.header.time == late.header.time.next)
    wall.set(wall.now + 3_600 * TestClock.second)
    #expect(try scene.engine.submitAndWait(scene.pay(1)).recorded != nil)
    scene.engine.close()
  }

  @Test func `liblmdb is 0 dot 9 dot 24 or a later 0 dot 9`() {
    #expect(Environment.isKnown(major: 0, minor: 9, patch: 24))
    #expect(Environment.isKnown(major: 0, minor: 9, patch: 33))
    #expect(!Environment.isKnown(major: 0, minor: 9, patch: 23))
    #expect(!Environment.isKnown(major: 1, minor: 0, patch: 0))
  }
}
