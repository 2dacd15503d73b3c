/// Refusals: those that follow from the ledger's state, recorded so that a retry cannot flip them.
///
/// Life of a refusal: recorded once, answered again for ever (`design.md` 4.11).
///
/// Invariant: at most ``perMinuteMax`` a minute for one agent, tenant's admin or operator; what is
/// beyond leaves no event. Nor do refusals of strangers: they have no account to count on, and what
/// refuses them (a name or a key that is taken) never ceases.
public enum Refusals {
  /// The most refusals of one principal that are recorded in one minute of recorded time.
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

  /// Decides whether the `refusal` of a command with its `body` leaves an event: only one that
  /// follows from the state, of a command with a key or of a policy, by somebody known who has not
  /// caused too many. What a policy denied follows, as an event of its own.
  static func decide(
    _ refusal: Refusal, of command: Command, body: Span<UInt8> = Span(), hasKey: Bool,
    by actor: Actor, _ ledger: borrowing Ledger, at now: Timestamp, into decision: inout Decision
  ) throws(Refusal) {
    guard hasKey || refusal.reason.isOfPolicy, refusal.reason.isRecorded,
      actor.role != .anonymous
    else { throw refusal }
    let counted = ledger.identity.refusals(of: actor)
    guard counted.minute != now.minute || counted.count < perMinuteMax else {
      throw Refusal(
        .refusalRateExceeded, limit: Amount(units: Int128(perMinuteMax)),
        used: Amount(units: Int128(counted.count)))
    }
    decision.emit(
      .refusal(.recorded(refusal, operation: command.operation)), isAnswer: true)
    if refusal.reason.isOfPolicy, let denial = Policies.Denial(command, at: now) {
      let isSplit = denial.recipient == .split
      for index in body.indices where isSplit { decision.body.append(body[index]) }
      decision.emit(.policy(.denied(denial)), hasBody: isSplit)
    }
  }

  // MARK: - Evolve

  static func evolve(_ identity: inout Identity.State, _ event: Event, _ header: Header) {
    switch event {
    case .recorded: identity.countRefusal(of: header.actor, in: header.time.minute)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .recorded: break
    }
  }
}
