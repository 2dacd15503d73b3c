import Testing

@testable import LedgerCore

/// Goal: a refund never exceeds its payment, and comes from whoever was paid.
/// Method: events in, one command, events out; after each, balances from postings are compared with
/// those of the state.
@Suite struct RefundsTests {
  private static let bob = Actor.agent(Scenario.bob)
  private static let given =
    Scenario.agents + [
      Scenario.funded(Scenario.annWallet, 10_000), Scenario.paid(1_000, fee: 4),
    ]
  private static let payment = EventNumber(UInt64(given.count + 1))

  private static let label = Payments.Payee.external(PayeeNumber(1))
  /// Ann, of tenant 1, paid a label of her tenant's.
  private static let toLabel =
    Scenario.agents + [
      Scenario.funded(Scenario.annWallet, 10_000),
      .payment(
        .payeeRegistered(
          payee: PayeeNumber(1), tenant: TenantNumber(1), asset: Scenario.usd, label: 7)),
      Scenario.paid(1_000, fee: 4, to: label),
    ]

  private static func refund(_ units: Int128?) -> Command {
    .refund(.refund(payment, amount: units.map { Amount(units: $0) }))
  }

  private static func refunded(
    _ units: Int128, fee: Int128 = 0, of payment: EventNumber = payment,
    from payee: Payments.Payee = .wallet(Scenario.bobWallet), side: Fees.Side = .payer
  ) -> Event {
    .refund(
      .completed(
        Refunds.Refund(
          amount: Amount(units: units), fee: Amount(units: fee), payment: payment,
          payer: Scenario.annWallet, payee: payee, asset: Scenario.usd, rail: .internal,
          side: side)))
  }

  @Test func `the payee gives back the whole, and the fee stays`() {
    for command in [Self.refund(nil), Self.refund(1_000)] {
      expect(
        given: Self.given, when: command, by: Self.bob, then: [Self.refunded(1_000)],
        texts: [.own])
    }
  }

  @Test func `parts add up to the payment and not to more (E-01, E-04)`() {
    let given = Self.given + [Self.refunded(700)]
    expect(given: given, when: Self.refund(nil), by: Self.bob, then: [Self.refunded(300)])
    let more = refusal(given: given, when: Self.refund(301), by: Self.bob)
    #expect(
      more
        == Refusal(
          .refundExceedsPayment, limit: Amount(units: 300), used: Amount(units: 700),
          asked: Amount(units: 301)))
    for command in [Self.refund(nil), Self.refund(1)] {
      let none = refusal(given: given + [Self.refunded(300)], when: command, by: Self.bob)
      #expect(none?.reason == .refundExceedsPayment && none?.limit == .zero)
    }
  }

  /// E-02: of refunds of 60 % that race, the first succeeds.
  @Test func `of refunds of more than half one succeeds`() {
    expect(given: Self.given, when: Self.refund(600), by: Self.bob, then: [Self.refunded(600)])
    expect(
      given: Self.given + [Self.refunded(600)], when: Self.refund(600), by: Self.bob,
      refused: .refundExceedsPayment)
  }

  @Test func `amounts that are none are refused`() {
    for units: Int128 in [0, -1, .min] {
      expect(
        given: Self.given, when: Self.refund(units), by: Self.bob, refused: .amountNotPositive)
    }
  }

  @Test func `the payer does not refund himself, and a stranger learns nothing`() {
    expect(
      given: Self.given, when: Self.refund(nil), by: .agent(Scenario.ann), refused: .notPermitted)
    expect(
      given: Self.given, when: Self.refund(nil), by: .agent(Scenario.eve),
      refused: .paymentNotFound)
    expect(
      given: Self.given, when: Self.refund(nil), by: .operator(OperatorNumber(1)),
      then: [Self.refunded(1_000)])
    for number in [EventNumber(1), EventNumber(0), EventNumber(500)] {
      expect(
        given: Self.given, when: .refund(.refund(number, amount: nil)), by: Self.bob,
        refused: .paymentNotFound)
    }
  }

  @Test func `a payee who spent the money cannot refund it`() {
    let given =
      Self.given + [
        Scenario.paid(900, fee: 4, from: Scenario.bobWallet, to: .wallet(Scenario.annWallet))
      ]
    let refusal = refusal(given: given, when: Self.refund(nil), by: Self.bob)
    #expect(
      refusal
        == Refusal(.insufficientFunds, limit: Amount(units: 96), asked: Amount(units: 1_000)))
  }

  @Test func `staff refunds a label out of what it is owed, and nobody else does`() {
    let given = Self.toLabel
    let payment = EventNumber(UInt64(given.count + 1))
    let command = Command.refund(.refund(payment, amount: nil))
    expect(given: given, when: command, by: .agent(Scenario.ann), refused: .notPermitted)
    expect(given: given, when: command, by: Self.bob, refused: .paymentNotFound)
    expect(
      given: given, when: command, by: .administrator,
      then: [Self.refunded(1_000, of: payment, from: Self.label)])
  }

  // MARK: - Fees

  private static func withFee(
    _ units: Int128, fee: Int128, side: Fees.Side
  ) -> (events: [Event], payment: EventNumber) {
    let schedule = ScheduleNumber(2)
    let events =
      Scenario.agents + [
        Scenario.funded(Scenario.annWallet, 10_000), Scenario.funded(Scenario.bobWallet, 10),
        .fee(
          .set(
            schedule: schedule,
            terms: Fees.Terms(basisPoints: 100, side: side, isFeeRefunded: true),
            begins: Timestamp(nanoseconds: 1))),
        .fee(.began(schedule: schedule, effective: Timestamp(nanoseconds: 1))),
        .payment(
          .completed(
            Payments.Payment(
              amount: Amount(units: units), fee: Amount(units: fee), payer: Scenario.annWallet,
              payee: .wallet(Scenario.bobWallet), schedule: schedule, asset: Scenario.usd,
              rail: .internal, side: side))),
      ]
    return (events, EventNumber(UInt64(events.count + 1)))
  }

  /// E-53: a proportional fee refund in three parts sums to the fee.
  @Test(arguments: Fees.Side.allCases)
  func `a fee that is given back in parts sums to the fee`(side: Fees.Side) {
    let (events, payment) = Self.withFee(1_000, fee: 10, side: side)
    let parts: [(units: Int128, fee: Int128)] = [(333, 3), (333, 3), (334, 4)]
    // Where the payee bore the fee, he has less than the payment to give back.
    var given = events
    for part in parts {
      let event = Self.refunded(part.units, fee: part.fee, of: payment, side: side)
      expect(
        given: given,
        when: .refund(.refund(payment, amount: Amount(units: part.units))), by: .administrator,
        then: [event])
      given.append(event)
    }
    #expect(parts.reduce(0) { $0 + $1.fee } == 10)
  }

  /// The product of fee and part is longer than 128 bits.
  @Test func `the share of a fee in the largest payment is exact`() {
    let amount = Amount(units: 999_999_999_999_999_999_999_999_999)
    let fee = Amount(units: 99_999_999_999_999_999_999_999_999)
    #expect(fee.share(amount, of: amount) == fee)
    #expect(fee.share(Amount(units: 1), of: amount) == .zero)
    #expect(
      fee.share(Amount(units: 500_000_000_000_000_000_000_000_000), of: amount)
        == Amount(units: 49_999_999_999_999_999_999_999_999))
  }

  // MARK: - Captures and closed wallets

  @Test func `a capture is refunded as the payment that it is`() {
    let given =
      Scenario.agents + [
        Scenario.funded(Scenario.annWallet, 10_000), ReservationsTests.hold(1_000, fee: 4),
        ReservationsTests.captured(250, fee: 1, released: 753),
      ]
    let payment = EventNumber(UInt64(given.count + 1))
    expect(
      given: given, when: .refund(.refund(payment, amount: Amount(units: 50))), by: Self.bob,
      then: [Self.refunded(50, of: payment)])
    // The reservation itself is no payment.
    expect(
      given: given, when: .refund(.refund(ReservationsTests.made, amount: nil)), by: Self.bob,
      refused: .paymentNotFound)
  }

  @Test func `a refund to a closed wallet is set aside for its agent`() {
    let given =
      Self.given + [
        .wallet(.opened(wallet: WalletNumber(4), agent: Scenario.ann, asset: Scenario.usd)),
        .wallet(
          .closed(
            wallet: Scenario.annWallet, to: WalletNumber(4), amount: Amount(units: 8_996),
            asset: Scenario.usd)),
      ]
    expect(
      given: given, when: Self.refund(600), by: Self.bob,
      then: [
        Self.refunded(600),
        .wallet(
          .setAside(
            wallet: Scenario.annWallet, agent: Scenario.ann, amount: Amount(units: 600),
            asset: Scenario.usd)),
      ], texts: [.own, .none], answer: 0)
  }

  @Test func `a closed payee refunds nothing, a frozen one through staff`() {
    let frozen = Self.given + [.wallet(.frozen(wallet: Scenario.bobWallet))]
    expect(given: frozen, when: Self.refund(nil), by: Self.bob, refused: .walletFrozen)
    expect(
      given: frozen, when: Self.refund(nil), by: .administrator, then: [Self.refunded(1_000)])
    let closed =
      Self.given + [
        .wallet(.opened(wallet: WalletNumber(4), agent: Scenario.bob, asset: Scenario.usd)),
        .wallet(
          .closed(
            wallet: Scenario.bobWallet, to: WalletNumber(4), amount: Amount(units: 1_000),
            asset: Scenario.usd)),
      ]
    expect(given: closed, when: Self.refund(nil), by: .administrator, refused: .walletClosed)
  }

  /// of a wallet the payee's admin, also while it is frozen; of a label the payer's.
  @Test func `a tenant's admin gives back what its agents got`() {
    let (payers, payees) = (Actor.tenantAdmin(TenantNumber(1)), Actor.tenantAdmin(TenantNumber(2)))
    let frozen = Self.given + [.wallet(.frozen(wallet: Scenario.bobWallet))]
    expect(given: frozen, when: Self.refund(nil), by: payees, then: [Self.refunded(1_000)])
    expect(given: Self.given, when: Self.refund(nil), by: payers, refused: .notPermitted)
    let stranger = Actor.tenantAdmin(TenantNumber(3))
    expect(given: Self.given, when: Self.refund(nil), by: stranger, refused: .paymentNotFound)
    let given = Self.toLabel
    let number = EventNumber(UInt64(given.count + 1))
    let command = Command.refund(.refund(number, amount: nil))
    expect(
      given: given, when: command, by: payers,
      then: [Self.refunded(1_000, of: number, from: Self.label)])
    expect(given: given, when: command, by: payees, refused: .paymentNotFound)
    expect(given: given, when: command, by: .agent(Scenario.ann), refused: .notPermitted)
  }

  @Test func `a refund passes while everything is stopped`() {
    expect(
      given: Self.given + [.pause(.paused(.ledger))], when: Self.refund(nil), by: Self.bob,
      then: [Self.refunded(1_000)])
  }
}
