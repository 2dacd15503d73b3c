import Testing

@testable import LedgerCore

/// Goal: a disputed payment is safe until an operator decides: held as far as it is there, owed as
/// far as it is not, and nobody loses more than was disputed. Method: commands one after the other
/// on the pure ledger; after each, balances from postings are compared with those of the state.
@Suite struct DisputesTests {
  static let (ann, bob) = (Actor.agent(Scenario.ann), Actor.agent(Scenario.bob))
  static let staff = Actor.operator(OperatorNumber(1))
  private static let window: UInt32 = 30 * 86_400
  private static let payment = EventNumber(UInt64(Scenario.agents.count + 3))

  /// Ann has 9,000 - fee and bob 1,000 after ann paid him 1,000.
  static func story(isLive: Bool = false) -> Story {
    Story(
      Scenario.agents + [
        Scenario.funded(Scenario.annWallet, 10_000), Scenario.paid(1_000, fee: 4),
      ], isLive: isLive)
  }

  static func open(_ payment: EventNumber = payment) -> Command {
    .dispute(.open(payment, reason: .serviceNotDelivered, within: window))
  }
  static func review(_ dispute: EventNumber) -> Command { .dispute(.review(dispute)) }
  private static func resolve(
    _ dispute: EventNumber, _ outcome: Disputes.Outcome
  ) -> Command { .dispute(.resolve(dispute, outcome)) }
  static func withdraw(_ dispute: EventNumber) -> Command {
    .dispute(.withdraw(dispute))
  }
  private static func refund(_ units: Int128?) -> Command {
    .refund(.refund(payment, amount: units.map { Amount(units: $0) }))
  }

  static func opened(_ story: Story, by actor: Actor = ann) throws -> EventNumber {
    try story.after(open(), by: actor).number
  }

  static func decided(
    _ story: Story, _ dispute: EventNumber, _ outcome: Disputes.Outcome
  ) throws {
    try story.after(review(dispute), by: staff)
    try story.after(resolve(dispute, outcome), by: staff)
  }

  // MARK: - What is there

  @Test func `the payer's dispute holds what the payee got`() throws {
    let story = Self.story()
    let dispute = try Self.opened(story)
    #expect(story.available(Scenario.bobWallet) == 0)
    #expect(story.balance(.disputeHold(dispute)) == 1_000)
    let expected = Disputes.Opening(
      principal: Amount(units: 1_000), payment: Self.payment, dispute: dispute,
      payer: Scenario.annWallet, slot: DisputeSlot(1), asset: Scenario.usd,
      reason: .serviceNotDelivered, party: .payer)
    #expect(story.past.last?.event == .dispute(.opened(expected)))
    let claims = story.claims(of: dispute)
    #expect(
      claims == [
        Disputes.Claim(
          held: Amount(units: 1_000), receivable: .zero, uncovered: .zero,
          payee: .wallet(Scenario.bobWallet), suspense: .none)
      ])
  }

  @Test func `whoever wins has the principal, and the fee stays`() throws {
    for (outcome, ann, bob) in [
      (Disputes.Outcome.refunded, Int128(9_996), Int128(0)), (.denied, 8_996, 1_000),
    ] {
      let story = Self.story()
      let dispute = try Self.opened(story)
      try Self.decided(story, dispute, outcome)
      #expect(story.available(Scenario.annWallet) == ann)
      #expect(story.available(Scenario.bobWallet) == bob)
      #expect(story.balance(.disputeHold(dispute)) == 0)
      #expect(story.balance(.feeIncome(.internal)) == 4)
    }
  }

  @Test func `what was refunded before is not disputed (E-06)`() throws {
    let story = Self.story()
    try story.after(Self.refund(300), by: Self.bob)
    let dispute = try Self.opened(story)
    #expect(story.balance(.disputeHold(dispute)) == 700)
    try Self.decided(story, dispute, .refunded)
    // The payer's net cost is the fee.
    #expect(story.available(Scenario.annWallet) == 9_996)
  }

  @Test func `of a payment refunded whole nothing is left to dispute (E-07)`() throws {
    let story = Self.story()
    try story.after(Self.refund(nil), by: Self.bob)
    #expect(story.refusal(Self.open(), by: Self.ann)?.reason == .nothingToDispute)
  }

  // MARK: - One at a time

  @Test func `a second dispute names the first (E-08)`() throws {
    let story = Self.story()
    let dispute = try Self.opened(story)
    let second = { story.refusal(Self.open(), by: $0) }
    for actor in [Self.ann, Self.bob, Self.staff] {
      #expect(second(actor) == Refusal(.duplicateDispute, about: dispute))
    }
    try story.after(Self.review(dispute), by: Self.staff)
    #expect(second(Self.ann) == Refusal(.duplicateDispute, about: dispute))
    try story.after(Self.resolve(dispute, .denied), by: Self.staff)
    #expect(second(Self.bob) == Refusal(.duplicateDispute, about: dispute))
  }

  @Test func `a withdrawal by one party never bars the other (E-55)`() throws {
    let story = Self.story()
    let first = try Self.opened(story, by: Self.bob)
    #expect(story.available(Scenario.bobWallet) == 1_000)
    try story.after(Self.withdraw(first), by: Self.bob)
    #expect(
      story.refusal(Self.open(), by: Self.bob) == Refusal(.duplicateDispute, about: first))
    let second = try Self.opened(story)
    #expect(story.available(Scenario.bobWallet) == 0)
    try story.after(Self.withdraw(second), by: Self.ann)
    #expect(story.available(Scenario.bobWallet) == 1_000)
    #expect(
      story.refusal(Self.open(), by: Self.ann) == Refusal(.duplicateDispute, about: second))
  }

  @Test func `a refund waits for the dispute's end (E-03, E-04, E-05)`() throws {
    let story = Self.story()
    let dispute = try Self.opened(story)
    for actor in [Self.bob, Self.staff] {
      #expect(
        story.refusal(Self.refund(1), by: actor) == Refusal(.paymentDisputed, about: dispute))
    }
    try Self.decided(story, dispute, .refunded)
    let none = story.refusal(Self.refund(1), by: Self.bob)
    #expect(none?.reason == .refundExceedsPayment && none?.limit == .zero)

    let other = Self.story()
    let denied = try Self.opened(other)
    try Self.decided(other, denied, .denied)
    try other.after(Self.refund(1_000), by: Self.bob)
    #expect(other.available(Scenario.annWallet) == 9_996)
  }

  @Test func `the window closes exactly when it is over (Q-08)`() throws {
    let story = Self.story()
    let made = try #require(story.past.first { $0.number == Self.payment }).header.time
    story.now = Timestamp(
      nanoseconds: made.nanoseconds + UInt64(Self.window) * 1_000_000_000 - 1)
    #expect(story.refusal(Self.open(), by: Self.ann) == nil)
    story.now = story.now.next
    #expect(story.refusal(Self.open(), by: Self.ann)?.reason == .disputeWindowPassed)
  }

  // MARK: - Who may what

  @Test func `a dispute is its parties' and the staff's`() throws {
    let story = Self.story()
    let stranger = Actor.agent(Scenario.eve)
    #expect(story.refusal(Self.open(), by: stranger)?.reason == .paymentNotFound)
    #expect(story.refusal(Self.open(EventNumber(1)), by: Self.ann)?.reason == .paymentNotFound)
    #expect(story.refusal(Self.open(.none), by: Self.ann)?.reason == .paymentNotFound)
    let dispute = try Self.opened(story)
    let evidence = Command.dispute(.submitEvidence(dispute, .logExcerpt))
    let rows: [(Command, [(Actor, Rejection?)])] = [
      (evidence, [(stranger, .disputeNotFound), (Self.bob, nil), (Self.ann, nil)]),
      (
        Self.withdraw(dispute),
        [(stranger, .disputeNotFound), (Self.bob, .notPermitted), (Self.staff, nil)]
      ),
      (Self.review(dispute), [(Self.ann, .notPermitted), (Self.bob, .notPermitted)]),
      (Self.resolve(dispute, .denied), [(Self.bob, .notPermitted)]),
    ]
    for (command, cases) in rows {
      for (actor, reason) in cases {
        #expect(story.refusal(command, by: actor)?.reason == reason, "\(command) by \(actor)")
      }
    }
    #expect(
      story.refusal(Self.review(Self.payment), by: Self.staff)?.reason == .disputeNotFound)
  }

  @Test func `an operator opens it for the payer`() throws {
    let story = Self.story()
    let dispute = try Self.opened(story, by: Self.staff)
    #expect(story.balance(.disputeHold(dispute)) == 1_000)
    try story.after(Self.withdraw(dispute), by: Self.ann)
  }

  /// E-11, and every other step, in every status.
  @Test func `commands do exactly what the table allows (E-11)`() throws {
    typealias Path = (status: Disputes.Status, steps: [Disputes.Step])
    let paths: [Path] = [
      (.open, []), (.underReview, [.review]), (.withdrawn, [.withdraw]),
      (.resolvedDenied, [.review, .deny]), (.resolvedRefunded, [.review, .refund]),
    ]
    for (status, steps) in paths {
      for step in Disputes.Step.allCases {
        let story = Self.story()
        let dispute = try Self.opened(story)
        for step in steps { try story.after(Self.command(step, dispute), by: Self.staff) }
        let refusal = story.refusal(Self.command(step, dispute), by: Self.staff)
        #expect((refusal == nil) == (status.after(step) != nil), "\(step) where \(status)")
      }
    }
  }

  private static func command(_ step: Disputes.Step, _ dispute: EventNumber) -> Command {
    switch step {
    case .submitEvidence: .dispute(.submitEvidence(dispute, .apiResponse))
    case .review: review(dispute)
    case .withdraw: withdraw(dispute)
    case .refund: resolve(dispute, .refunded)
    case .deny: resolve(dispute, .denied)
    }
  }

  // MARK: - What is not there

  /// Bob passed 600 of his 1,000 on to ann, with a fee of 3.
  static func spent(isLive: Bool = false) throws -> Story {
    let story = story(isLive: isLive)
    try story.after(
      Scenario.pay(600, from: Scenario.bobWallet, to: .wallet(Scenario.annWallet)), by: bob)
    return story
  }

  @Test func `what is not there is advanced in a test ledger (E-09)`() throws {
    let story = try Self.spent()
    let dispute = try Self.opened(story)
    #expect(story.available(Scenario.bobWallet) == 0)
    #expect(story.balance(.receivable(dispute)) == 603)
    #expect(story.balance(.disputeHold(dispute)) == 1_000)
    try Self.decided(story, dispute, .refunded)
    #expect(story.balance(.receivable(dispute)) == 603)
    #expect(story.available(Scenario.annWallet) == 9_996 + 600)
  }

  @Test func `every credit of the debtor is netted, by an event (E-10)`() throws {
    let story = try Self.spent()
    let dispute = try Self.opened(story)
    let count = story.past.count
    try story.after(Scenario.pay(100), by: Self.ann)
    #expect(story.balance(.receivable(dispute)) == 503)
    #expect(story.available(Scenario.bobWallet) == 0)
    let netting = Receivables.Netting(
      receivable: Amount(units: 100), uncovered: .zero, dispute: dispute,
      source: .wallet(Scenario.bobWallet), destination: .hold, slot: DebtSlot(1),
      asset: Scenario.usd)
    #expect(
      story.events(after: count) == [Scenario.paid(100, fee: 1), .receivable(.netted(netting))])
    // More than is owed: the rest is his.
    try story.after(Scenario.pay(600), by: Self.ann)
    #expect(story.balance(.receivable(dispute)) == 0)
    #expect(story.available(Scenario.bobWallet) == 97)
    // Denied, he has back what was his: the 397 that were held, and what was netted.
    try Self.decided(story, dispute, .denied)
    #expect(story.available(Scenario.bobWallet) == 97 + 397 + 603)
  }

  @Test func `denied while something is owed, the debt is gone`() throws {
    let story = try Self.spent()
    let dispute = try Self.opened(story)
    try story.after(Scenario.pay(100), by: Self.ann)
    try Self.decided(story, dispute, .denied)
    #expect(story.balance(.receivable(dispute)) == 0)
    #expect(story.available(Scenario.bobWallet) == 497)
    #expect(!story.isAnythingOwed)
  }

  @Test func `in a live ledger the rest comes from the next credits (E-56)`() throws {
    for outcome in Disputes.Outcome.allCases {
      let story = try Self.spent(isLive: true)
      let dispute = try Self.opened(story)
      #expect(story.balance(.receivable(dispute)) == 0)
      #expect(story.balance(.disputeHold(dispute)) == 397)
      try story.after(Scenario.pay(100), by: Self.ann)
      #expect(story.balance(.disputeHold(dispute)) == 497)
      try Self.decided(story, dispute, outcome)
      let before = story.available(Scenario.annWallet)
      try story.after(Scenario.pay(1_000), by: Self.ann)
      switch outcome {
      // Of the 503 that were uncovered the payer gets all back, and the payee keeps the rest.
      case .refunded:
        #expect(story.available(Scenario.annWallet) == before - 1_004 + 503)
        #expect(story.available(Scenario.bobWallet) == 497)
      case .denied:
        #expect(story.available(Scenario.annWallet) == before - 1_004)
        #expect(story.available(Scenario.bobWallet) == 497 + 1_000)
      }
      #expect(!story.isAnythingOwed)
    }
  }

  @Test func `the oldest debt is netted first, of any of the debtor's wallets`() throws {
    let story = Self.story()
    let second = try story.after(Scenario.pay(500), by: Self.ann).number
    try story.after(
      Scenario.pay(1_400, from: Scenario.bobWallet, to: .wallet(Scenario.annWallet)),
      by: Self.bob)
    let left = story.available(Scenario.bobWallet)
    try story.after(
      .wallet(.open(agent: Scenario.bob, asset: Scenario.usd)), by: Self.bob)
    let other = WalletNumber(4)
    let first = try Self.opened(story)
    let later = try story.after(Self.open(second), by: Self.ann).number
    #expect(story.balance(.receivable(first)) == 1_000 - left)
    #expect(story.balance(.receivable(later)) == 500)
    try story.after(Scenario.pay(1_000, to: .wallet(other)), by: Self.ann)
    #expect(story.balance(.receivable(first)) == 0)
    #expect(story.balance(.receivable(later)) == 500 - left)
    #expect(story.available(other) == 0)
  }

  /// Ann wins against bob, and what she won is there to be claimed by him.
  @Test func `what a payer won can be claimed from him`() throws {
    let story = try Self.spent(isLive: true)
    // What bob paid ann is disputed by him, after she spent all she had.
    let bobs = EventNumber(Self.payment.rawValue + 1)
    let all = story.available(Scenario.annWallet)
    let gone = all * 10_000 / 10_041
    try story.after(Scenario.pay(gone, to: .external(label: 7)), by: Self.ann)
    let rest = story.available(Scenario.annWallet)
    let mine = try Self.opened(story)
    try Self.decided(story, mine, .refunded)
    let theirs = try story.after(Self.open(bobs), by: Self.bob).number
    let held = story.balance(.disputeHold(theirs))
    #expect(held == min(600, rest + 397))
    #expect(story.available(Scenario.annWallet) == rest + 397 - held)
  }

  // MARK: - Wallets and labels

  @Test func `a closed payee is held nothing and owes it`() throws {
    let story = Self.story()
    try story.after(
      .wallet(.open(agent: Scenario.bob, asset: Scenario.usd)), by: Self.bob)
    let other = WalletNumber(4)
    try story.after(.wallet(.close(Scenario.bobWallet, to: other)), by: Self.bob)
    let dispute = try Self.opened(story)
    #expect(story.balance(.receivable(dispute)) == 1_000)
    #expect(story.available(other) == 1_000)
    // His other wallets are netted with their next credit.
    try story.after(Scenario.pay(10, to: .wallet(other)), by: Self.ann)
    #expect(story.available(other) == 10)
    #expect(story.balance(.receivable(dispute)) == 0)
    // Denied, what was taken is set aside for him, since the wallet is closed.
    try Self.decided(story, dispute, .denied)
    #expect(story.balance(.suspense(Scenario.bob)) == 1_000)
  }

  @Test func `frozen wallets and pauses do not stand in a dispute's way`() throws {
    let story = Self.story()
    try story.after(.wallet(.freeze(Scenario.bobWallet)), by: Self.staff)
    try story.after(.pause(.pause(.ledger)), by: Self.staff)
    let dispute = try Self.opened(story)
    try Self.decided(story, dispute, .refunded)
    #expect(story.available(Scenario.annWallet) == 9_996)
  }

  @Test func `a label's money is held while it is there (E-59)`() throws {
    let story = Self.story()
    let paid = try story.after(Scenario.pay(500, to: .external(label: 7)), by: Self.ann)
    let label = Account.external(PayeeNumber(1))
    #expect(story.balance(label) == 500)
    let dispute = try story.after(Self.open(paid.number), by: Self.ann).number
    #expect(story.balance(label) == 0)
    #expect(story.balance(.disputeHold(dispute)) == 500)
    try Self.decided(story, dispute, .denied)
    #expect(story.balance(label) == 500)
    // A part was refunded elsewhere, so what the second payment paid is not all there.
    let next = try story.after(Scenario.pay(100, to: .external(label: 7)), by: Self.ann)
    try story.after(
      .refund(.refund(paid.number, amount: Amount(units: 500))), by: Self.staff)
    #expect(story.refusal(Self.open(next.number), by: Self.ann) == nil)
  }

  // MARK: - Of the payee, of splits

  @Test func `the payee's dispute holds nothing, and is a refund in the end`() throws {
    let story = Self.story()
    let dispute = try Self.opened(story, by: Self.bob)
    #expect(story.balance(.disputeHold(dispute)) == 0)
    let count = story.past.count
    try Self.decided(story, dispute, .refunded)
    #expect(story.available(Scenario.annWallet) == 9_996)
    guard case .refund(.completed(let refund)) = story.events(after: count + 1).first else {
      Issue.record("no refund comes first")
      return
    }
    #expect(refund.amount == Amount(units: 1_000) && refund.payment == Self.payment)
    #expect(story.refusal(Self.refund(1), by: Self.bob)?.limit == .zero)
  }

  @Test func `a payee who has it no longer cannot be made to give it back`() throws {
    let story = try Self.spent()
    let dispute = try Self.opened(story, by: Self.bob)
    try story.after(Self.review(dispute), by: Self.staff)
    let refusal = story.refusal(Self.resolve(dispute, .refunded), by: Self.staff)
    #expect(refusal?.reason == .insufficientFunds)
    try story.after(Self.resolve(dispute, .denied), by: Self.staff)
  }

  /// Bob's two wallets got 667 and 333; 90 were refunded; the second spent what it had.
  @Test(arguments: Disputes.Outcome.allCases)
  func `of a split each receiver bears his part`(_ outcome: Disputes.Outcome) throws {
    let story = Story(
      Scenario.agents + [
        .wallet(.opened(wallet: WalletNumber(4), agent: Scenario.bob, asset: Scenario.usd)),
        Scenario.funded(Scenario.annWallet, 10_000),
      ])
    let second = WalletNumber(4)
    let shares = Splits.Share.body([
      Splits.Share(.wallet(Scenario.bobWallet), weight: 2),
      Splits.Share(.wallet(second), weight: 1),
    ])
    let paid = try story.after(
      Scenario.pay(1_000, to: .split), body: shares, by: Self.ann
    ).number
    try story.after(.refund(.refund(paid, amount: Amount(units: 90))), by: Self.bob)
    try story.after(
      Scenario.pay(300, from: second, to: .wallet(Scenario.annWallet)), by: Self.bob)
    #expect(story.available(second) == 1)
    let dispute = try story.after(Self.open(paid), by: Self.ann).number
    let claims = story.claims(of: dispute)
    #expect(claims.map(\.held.units) == [607, 1])
    #expect(claims.map(\.receivable.units) == [0, 302])
    #expect(story.balance(.disputeHold(dispute)) == 910)
    try Self.decided(story, dispute, outcome)
    #expect(story.available(Scenario.bobWallet) == (outcome == .denied ? 607 : 0))
    #expect(story.available(second) == (outcome == .denied ? 1 : 0))
    #expect(story.balance(.receivable(dispute)) == (outcome == .denied ? 0 : 302))
    let refusal = story.refusal(.refund(.refund(paid, amount: nil)), by: Self.staff)
    #expect(refusal?.reason == (outcome == .refunded ? .refundExceedsPayment : .insufficientFunds))
  }
}
