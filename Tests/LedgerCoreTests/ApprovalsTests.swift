import Testing

@testable import LedgerCore

/// Goal: a payment above the threshold waits with its money, and ends exactly once.
/// Method: stories.
@Suite struct ApprovalsTests {
  private typealias Policy = PoliciesTests

  private static let above = Policies.Rule.approval(
    above: Amount(units: 1_000), Scenario.usd, seconds: 600)

  /// Ann asked for 2,000, and waits.
  private static func pending(
    _ rules: [Policies.Rule] = [above], to: Payments.Recipient = .wallet(Scenario.bobWallet),
    body: [UInt8] = []
  ) throws -> (Story, EventNumber) {
    let story = try Policy.story(rules)
    let answer = try story.after(Policy.pay(2_000, to: to), body: body, by: Policy.ann)
    return (story, answer.number)
  }

  private static func status(_ story: Story, of wallet: WalletNumber) -> (Int128, Int128) {
    let row = story.ledger.wallets.wallets[wallet]
    return (row.available, row.held)
  }

  @Test func `up to the threshold nobody is asked`() throws {
    let story = try Policy.story([Self.above])
    // 996 and its fee are 1,000.
    #expect(try story.after(Policy.pay(996), by: Policy.ann).event.payment != nil)
    let answer = try story.after(Policy.pay(997), by: Policy.ann)
    guard case .reservation(.reserved(let hold)) = answer.event else {
      Issue.record("a payment above it waits")
      return
    }
    #expect(hold.purpose == .approval && hold.amount == Amount(units: 997))
    #expect(hold.deadline == answer.header.time.adding(seconds: 600))
  }

  @Test func `what waits is held with its fee, and paid when it is approved`() throws {
    let (story, number) = try Self.pending()
    #expect(Self.status(story, of: Scenario.annWallet) == (97_992, 2_008))
    let paid = try story.after(.approval(.approve(number)), by: Policy.annAdmin)
    #expect(paid.event.payment?.amount == Amount(units: 2_000))
    #expect(paid.event.payment?.fee == Amount(units: 8))
    #expect(Self.status(story, of: Scenario.annWallet) == (97_992, 0))
    #expect(story.available(Scenario.bobWallet) == 2_000)
    // It is a payment like any other.
    try story.after(
      .refund(.refund(paid.number, amount: nil)), by: .agent(Scenario.bob))
    #expect(Self.status(story, of: Scenario.annWallet) == (99_992, 0))
  }

  @Test func `denied, cancelled or expired, all of it goes back`() throws {
    for (command, actor) in [
      (Approvals.Command.deny, Policy.annAdmin), (Approvals.Command.deny, Policy.operator),
      (Approvals.Command.cancel, Policy.ann),
    ] {
      let (story, number) = try Self.pending()
      try story.after(.approval(command(number)), by: actor)
      #expect(Self.status(story, of: Scenario.annWallet) == (100_000, 0))
      for other in [Approvals.Command.approve(number), .deny(number)] {
        #expect(
          story.refusal(.approval(other), by: Policy.annAdmin)?.reason == .paymentNotPending)
      }
    }
    let (story, number) = try Self.pending()
    story.now = story.past[Int(number.rawValue) - 1].header.time.adding(seconds: 600)
    #expect(
      story.refusal(.approval(.approve(number)), by: Policy.annAdmin)?.reason
        == .paymentNotPending)
    #expect(story.fire()?.code == 0x0504)
    #expect(Self.status(story, of: Scenario.annWallet) == (100_000, 0))
  }

  @Test func `only who manages the tenant decides, and never who asked`() throws {
    let (story, number) = try Self.pending()
    for (command, actor, reason) in [
      (.approve(number), Policy.ann, .notPermitted), (.deny(number), Policy.ann, .notPermitted),
      (.approve(number), Policy.bobAdmin, .paymentNotFound),
      (.deny(number), Policy.bobAdmin, .paymentNotFound),
      (.cancel(number), Policy.annAdmin, .notPermitted),
      (.cancel(number), .agent(Scenario.bob), .paymentNotFound),
      (.approve(number), .agent(Scenario.bob), .paymentNotFound),
      (.approve(EventNumber(1)), Policy.operator, .paymentNotFound),
    ] as [(Approvals.Command, Actor, Rejection)] {
      #expect(story.refusal(.approval(command), by: actor)?.reason == reason, "\(command)")
    }
    let other = try story.after(Policy.pay(2_000), by: Policy.operator)
    #expect(
      story.refusal(.approval(.approve(other.number)), by: Policy.operator)?.reason
        == .notPermitted)
    // Whoever opens the data directory has an operator's key too, so he is no second person.
    #expect(
      story.refusal(.approval(.approve(other.number)), by: .administrator)?.reason
        == .notPermitted)
    try story.after(.approval(.approve(other.number)), by: .operator(OperatorNumber(2)))
    let last = try story.after(Policy.pay(2_000), by: .administrator)
    #expect(
      story.refusal(.approval(.approve(last.number)), by: Policy.operator)?.reason
        == .notPermitted)
    try story.after(.approval(.approve(last.number)), by: Policy.annAdmin)
  }

  @Test func `a hold's commands do not reach what waits for approval, nor the reverse`() throws {
    let (story, number) = try Self.pending()
    for command in [
      Reservations.Command.capture(number, amount: nil), .release(number),
    ] {
      #expect(
        story.refusal(.reservation(command), by: Policy.ann)?.reason == .reservationNotFound)
    }
    let hold = try story.after(Policy.hold(5), by: Policy.ann)
    #expect(
      story.refusal(.approval(.approve(hold.number)), by: Policy.annAdmin)?.reason
        == .paymentNotFound)
  }

  @Test func `a hold above the threshold is denied`() throws {
    let story = try Policy.story([Self.above])
    let refusal = story.refusal(Policy.hold(997), by: Policy.ann)
    #expect(refusal?.reason == .approvalNeeded && refusal?.limit == Amount(units: 1_000))
    #expect(refusal?.asked == Amount(units: 1_001) && refusal?.rule == 1)
  }

  @Test func `of several thresholds the shortest wait counts`() throws {
    let story = try Policy.story([Self.above], of: .ledger)
    let shorter = Policies.Rule.approval(above: Amount(units: 1_500), Scenario.usd, seconds: 60)
    try Policy.set([shorter], in: story)
    for (units, seconds) in [(Int128(1_200), UInt64(600)), (1_600, 60)] {
      let answer = try story.after(Policy.pay(units), by: Policy.ann)
      guard case .reservation(.reserved(let hold)) = answer.event else {
        Issue.record("\(units) waits")
        return
      }
      #expect(hold.deadline == answer.header.time.adding(seconds: seconds))
    }
  }

  @Test func `what waits counts, and no longer where it is denied`() throws {
    let limit = Policies.Rule.spend(Amount(units: 2_008), Scenario.usd, .day)
    let (story, number) = try Self.pending([Self.above, limit])
    #expect(story.refusal(Policy.pay(1), by: Policy.ann)?.used == Amount(units: 2_008))
    try story.after(.approval(.deny(number)), by: Policy.annAdmin)
    try story.after(Policy.pay(2_000), by: Policy.ann)
  }

  @Test func `a split waits with all its receivers`() throws {
    let shares = Splits.Share.body([
      Splits.Share(.wallet(Scenario.bobWallet), weight: 3),
      Splits.Share(.external(label: 8), weight: 1),
    ])
    let (story, number) = try Self.pending(to: .split, body: shares)
    #expect(Self.status(story, of: Scenario.annWallet) == (97_992, 2_008))
    let paid = try story.after(.approval(.approve(number)), by: Policy.annAdmin)
    #expect(story.available(Scenario.bobWallet) == 1_500)
    #expect(story.ledger.payments.payees[PayeeNumber(1)].balance == 500)
    try story.after(.refund(.refund(paid.number, amount: nil)), by: Policy.operator)
    #expect(story.available(Scenario.bobWallet) == 0)
    #expect(Self.status(story, of: Scenario.annWallet) == (99_992, 0))
  }

  @Test func `a receiver who closed his wallet meanwhile is set aside, of several not`() throws {
    let close = Command.wallet(.close(Scenario.bobWallet))
    let (story, number) = try Self.pending()
    try story.after(close, by: .agent(Scenario.bob))
    try story.after(.approval(.approve(number)), by: Policy.annAdmin)
    #expect(story.balance(.suspense(Scenario.bob)) == 2_000)
    let shares = Splits.Share.body([
      Splits.Share(.wallet(Scenario.bobWallet), weight: 3),
      Splits.Share(.external(label: 8), weight: 1),
    ])
    let (other, second) = try Self.pending(to: .split, body: shares)
    try other.after(close, by: .agent(Scenario.bob))
    #expect(
      other.refusal(.approval(.approve(second)), by: Policy.annAdmin)?.reason == .payeeClosed)
    try other.after(.approval(.deny(second)), by: Policy.annAdmin)
  }

  @Test func `what waits is approved also when new payments are stopped`() throws {
    let (story, number) = try Self.pending()
    try story.after(.wallet(.freeze(Scenario.annWallet)), by: Policy.operator)
    try story.after(.pause(.pause(.ledger)), by: Policy.operator)
    try Policy.set([.deny(.rail(.internal))], in: story)
    try story.after(.approval(.approve(number)), by: Policy.annAdmin)
  }
}
