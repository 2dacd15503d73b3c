/// Refusals: those that follow from the ledger's state, recorded so that a retry cannot flip them.
///
/// Life of a refusal: recorded once, answered again for ever (`design.md` 4.11).
///
/// Invariant: at most ``perMinuteMax`` a minute for one agent; what is beyond leaves no event.
public enum Refusals {
  /// The most refusals of one agent that are recorded in one minute of recorded time.
  public static let perMinuteMax: UInt32 = 60

  // MARK: - Events

  /// What is recorded of a refusal.
  public enum Event: Hashable, Sendable {
    /// A command was refused. Nothing moved.
    ///
    /// The reason with its numbers, as they were answered; `operation`: which command it was.
    case recorded(Refusal, operation: Operation)
  }

  // MARK: - Decide

  /// Decides whether `refusal` leaves an event: only one that follows from the state, of a command
  /// with a key, while its agent has not caused too many.
  static func decide(
    _ refusal: Refusal, of operation: Operation, hasKey: Bool, by actor: Actor,
    _ ledger: borrowing Ledger, at now: Timestamp, into decision: inout Decision
  ) throws(Refusal) {
    guard hasKey, refusal.reason.isRecorded else { throw refusal }
    if actor.agent.isSome, ledger.identity.contains(actor.agent) {
      let agent = ledger.identity.agents[actor.agent]
      guard agent.refusalMinute != now.minute || agent.refusalCount < perMinuteMax else {
        throw Refusal(
          .refusalRateExceeded, limit: Amount(units: Int128(perMinuteMax)),
          used: Amount(units: Int128(agent.refusalCount)))
      }
    }
    decision.emit(.refusal(.recorded(refusal, operation: operation)))
  }

  // MARK: - Evolve

  static func evolve(_ identity: inout Identity.State, _ event: Event, _ header: Header) {
    switch event {
    case .recorded:
      let agent = header.actor.agent
      guard agent.isSome, identity.contains(agent) else { return }
      let minute = header.time.minute
      if identity.agents[agent].refusalMinute != minute {
        identity.agents[agent].refusalMinute = minute
        identity.agents[agent].refusalCount = 0
      }
      identity.agents[agent].refusalCount += 1
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .recorded: break
    }
  }
}
