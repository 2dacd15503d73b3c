import Testing

@testable import LedgerCore

/// Commands one after the other, as the engine does them: each is decided, its events applied, and
/// what it credited to debtors netted. After each, the books agree.
final class Story {
  private(set) var ledger: Ledger
  private(set) var past: [Recorded] = []
  private(set) var bodies: [EventNumber: [UInt8]] = [:]
  private var books = Books()
  private var credits = Credits()
  /// The time of the next command.
  var now = Scenario.now

  /// After these events.
  init(_ given: [Event], isLive: Bool = false) {
    ledger = Ledger()
    let genesis = isLive ? Scenario.liveGenesis : Scenario.genesis
    for (index, event) in ([genesis] + given).enumerated() {
      add(
        event, by: .ledger, at: Timestamp(nanoseconds: UInt64(index + 1) * 1_000_000_000),
        body: index == 0 ? Scenario.assets : [])
    }
  }

  /// The number of the last event.
  var last: EventNumber { EventNumber(UInt64(past.count)) }

  /// Does a command; answers the event that answers it.
  @discardableResult
  func after(
    _ command: Command, body: [UInt8] = [], by actor: Actor,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Recorded {
    let first = past.count
    var decision = Decision()
    try decide(command, body: body, by: actor, into: &decision)
    let answer = first + decision.answer
    for index in 0..<decision.count {
      let (event, body) = (decision[index], decision.takeBody(of: index))
      add(event, by: actor, at: now, body: body)
    }
    while let event = credits.netting(ledger) { add(event, by: .ledger, at: now) }
    expectBooksAgree(ledger, books, sourceLocation: sourceLocation)
    return past[answer]
  }

  /// Records the event of the first timer that is due; answers it, or `nil` where none is.
  func fire() -> Event? {
    let due = ledger.due(at: now)
    if let due { add(due, by: .ledger, at: now) }
    expectBooksAgree(ledger, books)
    return due
  }

  /// Why a command is refused, or `nil` where it is not.
  func refusal(_ command: Command, body: [UInt8] = [], by actor: Actor) -> Refusal? {
    var decision = Decision()
    do throws(Refusal) {
      try decide(command, body: body, by: actor, into: &decision)
      return nil
    } catch {
      return error
    }
  }

  /// What a wallet has available.
  func available(_ wallet: WalletNumber) -> Int128 { ledger.wallets.wallets[wallet].available }

  /// What an account has, by postings alone.
  func balance(_ account: Account) -> Int128 { books.balance(account, Scenario.usd) }

  /// Whether anybody owes anything.
  var isAnythingOwed: Bool { !ledger.receivables.isEmpty }

  /// What a dispute's event says is claimed.
  func claims(of dispute: EventNumber) -> [Disputes.Claim] {
    let body = bodies[dispute] ?? []
    return Disputes.Claim.all(body.span)
  }

  /// The events after the first so many.
  func events(after count: Int) -> [Event] { past[count...].map(\.event) }

  private func decide(
    _ command: Command, body: [UInt8], by actor: Actor, into decision: inout Decision
  ) throws(Refusal) {
    decision.removeAll(first: EventNumber(last.rawValue + 1))
    let named = past.first { $0.number == command.named }
    let namedBody = bodies[command.named] ?? []
    try ledger.decide(
      command, body: body.span, by: actor, about: named, namedBody: namedBody.span, at: now,
      into: &decision)
  }

  private func add(
    _ event: Event, by actor: Actor, at time: Timestamp, body: [UInt8] = []
  ) {
    let header = Header(number: EventNumber(last.rawValue + 1), time: time, actor: actor)
    ledger.evolve(event, header, body: body.span)
    if !ledger.receivables.isEmpty { credits.note(event, body: body.span, ledger) }
    past.append(Recorded(header: header, event: event))
    bodies[header.number] = body
    books.add(event, body: body)
    now = now.next
  }
}
