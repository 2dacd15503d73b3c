@testable import LedgerCore

extension NaiveLedger {
  /// When the next event will be recorded: the wall clock's time, but later than the last event.
  var time: UInt64 {
    if bug == .recordedTimeGoesBack { return wall }
    return max(wall, log[log.count - 1].header.time.nanoseconds + 1)
  }

  mutating func record(
    _ event: Event, by actor: Actor, _ text: String? = nil, body: [UInt8] = []
  ) {
    let number = EventNumber(UInt64(log.count + 1))
    let header = Header(number: number, time: Timestamp(nanoseconds: time), actor: actor)
    log.append(Recorded(header: header, event: event))
    if !body.isEmpty { bodies.append((number, body)) }
    // An empty one only holds the place of a receiver who needs none.
    guard let text, !text.isEmpty else { return }
    let isNext = bug == .textIsOfTheNextEvent
    texts.append((isNext ? EventNumber(number.rawValue + 1) : number, text))
  }

  /// The text beside the event of this number.
  func text(of number: Int) -> String? {
    texts.first { $0.event.rawValue == UInt64(number) }?.text
  }

  /// The body of the event of this number; empty where it has none.
  func body(of number: EventNumber) -> [UInt8] {
    bodies.first { $0.event == number }?.body ?? []
  }

  /// Whose deadline passes.
  enum Timer {
    case schedule(Int)
    case reservation(Int)
    case policy(Int)
  }

  /// Fires every timer that is due before the next command, the earliest first.
  mutating func fireTimers() {
    while let (timer, deadline) = nextTimer {
      switch timer {
      case .schedule(let index):
        guard deadline < time || deadline == time && bug != .timerFiresOneLate else { return }
        begin(schedule: index, deadline)
      case .policy(let index):
        guard deadline < time || deadline == time && bug != .policyBeginsOneLate
        else { return }
        begin(policy: index, by: .ledger)
      case .reservation(let index):
        guard deadline < time || deadline == time && bug != .holdExpiresOneLate else { return }
        let first = entries.count
        expire(reservation: index)
        net(since: first)
      }
    }
  }

  private mutating func begin(schedule index: Int, _ deadline: UInt64) {
    schedules[index].waitsFor = nil
    schedule = index + 1
    let event = Fees.Event.began(
      schedule: ScheduleNumber(UInt64(schedule)), effective: Timestamp(nanoseconds: deadline))
    record(.fee(event), by: .ledger)
  }

  /// Everything with a deadline, in the order in which it was set.
  var timers: [(timer: Timer, deadline: UInt64, set: EventNumber)] {
    var timers: [(timer: Timer, deadline: UInt64, set: EventNumber)] = []
    for (index, schedule) in schedules.enumerated() {
      guard let deadline = schedule.waitsFor else { continue }
      timers.append((.schedule(index), deadline, schedule.set))
    }
    for (index, hold) in reservations.enumerated() where hold.isOpen {
      timers.append((.reservation(index), hold.deadline, hold.number))
    }
    for (index, policy) in policies.enumerated() where policy.stage == .coming {
      timers.append((.policy(index), policy.begins, policy.made))
    }
    return timers.sorted { $0.set < $1.set }
  }

  /// What has the earliest deadline, of equal ones what was set first.
  var nextTimer: (timer: Timer, deadline: UInt64)? {
    var next: (timer: Timer, deadline: UInt64)?
    for (timer, deadline, _) in timers {
      if bug == .timersFireInOrderOfSetting, next != nil { continue }
      if let earliest = next?.deadline, earliest <= deadline {
        guard earliest == deadline, bug == .equalDeadlinesFireLatestFirst else { continue }
      }
      next = (timer, deadline)
    }
    return next
  }
}
