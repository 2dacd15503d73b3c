import Testing

@testable import LedgerCore

/// Goal: a refusal that follows from the state is recorded, so that a retry gets it again; nothing
/// else is, and nobody fills the log with refusals.
/// Method: `Refusals.decide` and `evolve` on a state made of events; times by hand.
@Suite struct RefusalsTests {
  private static let short = Refusal(
    .insufficientFunds, limit: Amount(units: 10), asked: Amount(units: 101))
  private static let minute: UInt64 = 60_000_000_000

  /// The event that is recorded, or the refusal that leaves none.
  private static func record(
    _ refusal: Refusal, hasKey: Bool = true, by actor: Actor = .agent(Scenario.ann),
    after earlier: Int = 0, at now: UInt64 = 100 * minute
  ) -> Result<Event, Refusal> {
    var ledger = Scenario.ledger(after: Scenario.agents)
    for index in 0..<earlier {
      // All in the minute before `now` ends, as the engine would number them.
      let header = Header(
        number: EventNumber(UInt64(100 + index)),
        time: Timestamp(nanoseconds: 100 * minute + UInt64(index)), actor: actor)
      ledger.evolve(
        .refusal(.recorded(refusal, operation: .pay)), header, body: Span())
    }
    var decision = Decision()
    do throws(Refusal) {
      try Refusals.decide(
        refusal, of: Scenario.pay(101), hasKey: hasKey, by: actor, ledger,
        at: Timestamp(nanoseconds: now), into: &decision)
    } catch {
      return .failure(error)
    }
    #expect(decision.count == (refusal.reason.isOfPolicy ? 2 : 1))
    #expect(decision.answer == 0)
    return .success(decision[decision.answer])
  }

  @Test func `what follows from the state is recorded with its numbers`() {
    #expect(
      Self.record(Self.short)
        == .success(.refusal(.recorded(Self.short, operation: .pay))))
  }

  @Test func `without a key nothing is recorded`() {
    #expect(Self.record(Self.short, hasKey: false) == .failure(Self.short))
  }

  @Test func `what a policy denies is recorded without a key too`() {
    let denied = Refusal(
      .limitExceeded, limit: Amount(units: 10), used: Amount(units: 9), asked: Amount(units: 2),
      rule: 3, ruleVersion: 2, about: EventNumber(7), resets: Timestamp(nanoseconds: 99))
    #expect(
      Self.record(denied, hasKey: false)
        == .success(.refusal(.recorded(denied, operation: .pay))))
  }

  /// So that anybody can decide again what a policy denied.
  @Test func `what was denied is recorded with all that was asked`() throws {
    let ledger = Scenario.ledger(after: Scenario.agents)
    let shares = Splits.Share.body([
      Splits.Share(.wallet(Scenario.bobWallet), weight: 1),
      Splits.Share(.external(label: 8), weight: 2),
    ])
    let hold = Command.reservation(
      .reserve(
        from: Scenario.annWallet, to: .external(label: 7), amount: Amount(units: 5), seconds: 60,
        category: 9))
    for (command, body, recipient, category) in [
      (Scenario.pay(5, to: .split), shares, Payments.Recipient.split, UInt128(0)),
      (hold, [], .external(label: 7), 9),
    ] {
      var decision = Decision()
      try Refusals.decide(
        Refusal(.outsideHours, rule: 1, ruleVersion: 1, about: EventNumber(3)), of: command,
        body: body.span, hasKey: false, by: .agent(Scenario.ann), ledger, at: Scenario.now,
        into: &decision)
      #expect(
        decision[1]
          == .policy(
            .denied(
              Policies.Denial(
                amount: Amount(units: 5), payer: Scenario.annWallet, recipient: recipient,
                category: category, effective: Scenario.now, rail: .internal,
                isHold: category == 9))))
      #expect(decision.takeBody(of: 1) == body && decision.count == 2)
    }
  }

  @Test(arguments: Rejection.allCases)
  func `only what a retry could flip is recorded`(reason: Rejection) {
    let recorded: Set<Rejection> = [
      .agentNameTaken, .credentialTaken, .assetExists, .fundingCapExceeded, .insufficientFunds,
      .scheduleInPast, .walletFrozen, .walletClosed, .walletOpen, .walletInUse, .walletNotEmpty,
      .payeeClosed, .feeTakesAll, .reservationEnded, .captureExceedsHold, .tooManyCaptures,
      .refundExceedsPayment, .alreadySettled, .alreadyPaused, .notPaused, .duplicateDispute,
      .disputeWindowPassed, .nothingToDispute, .disputeEnded, .disputeUnderReview,
      .disputeNotReviewed, .paymentDisputed, .tooMuchEvidence, .walletInDispute, .debtNotFound,
      .debtUnsettled, .sameOperator, .policyInPast, .paymentNotPending, .perPaymentExceeded,
      .limitExceeded, .countExceeded, .payeeNotAllowed, .railNotAllowed, .categoryNotAllowed,
      .outsideHours, .assetNotCovered, .approvalNeeded, .walletRestricted,
    ]
    #expect(reason.isRecorded == recorded.contains(reason))
    let refusal = Refusal(reason)
    switch Self.record(refusal) {
    case .success: #expect(recorded.contains(reason))
    case .failure(let answered): #expect(!recorded.contains(reason) && answered == refusal)
    }
  }

  @Test func `an agent has sixty a minute recorded, then is told so`() {
    #expect(
      Self.record(Self.short, after: 59)
        == .success(.refusal(.recorded(Self.short, operation: .pay))))
    #expect(
      Self.record(Self.short, after: 60)
        == .failure(
          Refusal(
            .refusalRateExceeded, limit: Amount(units: 60), used: Amount(units: 60))))
  }

  @Test func `the next minute counts from nothing`() {
    let last = 101 * Self.minute - 1
    guard case .failure = Self.record(Self.short, after: 60, at: last) else {
      Issue.record("recorded in the same minute")
      return
    }
    guard case .success = Self.record(Self.short, after: 60, at: last + 1) else {
      Issue.record("not recorded in the next minute")
      return
    }
  }

  @Test(arguments: [Actor.operator(OperatorNumber(1)), .administrator])
  func `whoever has no row is not counted`(actor: Actor) {
    guard case .success = Self.record(Self.short, by: actor, after: 100) else {
      Issue.record("\(actor) was counted")
      return
    }
  }

  @Test func `a stranger's refusal is never recorded`() {
    #expect(Self.record(Self.short, by: .anonymous) == .failure(Self.short))
  }

  @Test func `a recorded refusal moves nothing`() {
    let event = Event.refusal(.recorded(Self.short, operation: .pay))
    let given = Scenario.agents + [Scenario.funded(Scenario.annWallet, 10)]
    let ledger = Scenario.ledger(after: given + [event])
    #expect(ledger.wallets.wallets[Scenario.annWallet].available == 10)
    var postings = Postings()
    event.postings(into: &postings)
    #expect(postings.count == 0)
  }
}
