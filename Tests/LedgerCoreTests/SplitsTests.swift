import TestSupport
import Testing

@testable import LedgerCore

/// Goal: a payment to several receivers gives each his part, all or none, and takes back from each
/// no more than that. Method: events in, one command, events out, with the parts worked out by
/// hand; random divisions against the definition of largest remainder.
@Suite struct SplitsTests {
  private static let (ann, bob) = (Actor.agent(Scenario.ann), Actor.agent(Scenario.bob))
  /// A second wallet of bob's, and one of fred's, who is agent 5 with wallet 5.
  private static let second = WalletNumber(4)
  private static let given =
    Scenario.agents + [
      .wallet(.opened(wallet: second, agent: Scenario.bob, asset: Scenario.usd)),
      Scenario.funded(Scenario.annWallet, 10_000),
    ]
  private static let payment = EventNumber(UInt64(given.count + 2))
  private static let both: [(Payments.Recipient, Int128)] = [
    (.wallet(Scenario.bobWallet), 2), (.wallet(second), 1),
  ]

  private static func shares(_ shares: [(Payments.Recipient, Int128)]) -> [UInt8] {
    Splits.Share.body(shares.map { Splits.Share($0.0, weight: $0.1) })
  }

  private static func parts(
    _ parts: [(Payments.Payee, amount: Int128, fee: Int128)]
  ) -> [UInt8] {
    parts.reduce(into: []) { body, part in
      Splits.Part(
        amount: Amount(units: part.amount), fee: Amount(units: part.fee), payee: part.0
      ).append(to: &body)
    }
  }

  private static func pay(_ units: Int128) -> Command { Scenario.pay(units, to: .split) }

  private static func paid(
    _ units: Int128, fee: Int128, _ count: UInt64 = 2, schedule: UInt64 = 1,
    side: Fees.Side = .payer
  ) -> Event {
    .payment(
      .completed(
        Payments.Payment(
          amount: Amount(units: units), fee: Amount(units: fee), payer: Scenario.annWallet,
          payee: .split(count), schedule: ScheduleNumber(schedule), asset: Scenario.usd,
          rail: .internal, side: side)))
  }

  private static func refunded(
    _ units: Int128, fee: Int128 = 0, _ payment: EventNumber = payment, count: UInt64 = 2,
    side: Fees.Side = .payer
  ) -> Event {
    .refund(
      .completed(
        Refunds.Refund(
          amount: Amount(units: units), fee: Amount(units: fee), payment: payment,
          payer: Scenario.annWallet, payee: .split(count), asset: Scenario.usd, rail: .internal,
          side: side)))
  }

  private static func refund(_ units: Int128?) -> Command {
    .refund(.refund(payment, amount: units.map { Amount(units: $0) }))
  }

  // MARK: - Dividing

  @Test(
    arguments: [
      (whole: 100, weights: [1, 1], parts: [50, 50]),
      // What is left goes to who lost most, of equals to the earlier.
      (whole: 100, weights: [1, 1, 1], parts: [34, 33, 33]),
      (whole: 101, weights: [1, 1, 1], parts: [34, 34, 33]),
      (whole: 10, weights: [1, 2, 3], parts: [2, 3, 5]),
      (whole: 7, weights: [3, 5, 6], parts: [2, 2, 3]),
      (whole: 1, weights: [1, 9], parts: [0, 1]),
      (whole: 0, weights: [4, 5], parts: [0, 0]),
      (whole: 5, weights: [0, 5, 0], parts: [0, 5, 0]),
    ] as [(whole: Int128, weights: [Int128], parts: [Int128])])
  func `parts are those worked out by hand`(
    _ row: (whole: Int128, weights: [Int128], parts: [Int128])
  ) {
    #expect(divided(row.whole, by: row.weights) == row.parts)
  }

  /// The definition: each has his share or less than one unit off it, the sum is the whole, and
  /// nobody who got his rest rounded up lost less by rounding down than one who did not.
  @Test func `parts are by largest remainder`() {
    var random = SplitMix64(seeded: "largest remainder")
    for _ in 0..<5_000 {
      let weights = (0..<1 + random.below(31)).map { _ in Int128(random.below(1_000)) } + [1]
      let whole = Int128(random.below(1_000_000))
      let parts = divided(whole, by: weights)
      let sum = weights.reduce(0, +)
      #expect(parts.reduce(0, +) == whole)
      var (up, down): ([Int128], [Int128]) = ([], [])
      for (part, weight) in zip(parts, weights) {
        let rest = whole * weight % sum
        let floor = (whole * weight - rest) / sum
        #expect(part == floor || part == floor + 1 && rest > 0)
        if part > floor { up.append(rest) } else { down.append(rest) }
      }
      if let least = up.min(), let most = down.max() { #expect(least >= most) }
    }
  }

  @Test func `sums beyond 128 bits are divided exactly`() {
    let most = Amount.commandMax.units
    #expect(divided(most, by: [most, most, most]) == [most / 3, most / 3, most / 3])
    #expect(divided(most, by: [most, 1]) == [most - 1, 1])
  }

  private func divided(_ whole: Int128, by weights: [Int128]) -> [Int128] {
    var units = Splits.Units(repeating: 0)
    for (index, weight) in weights.enumerated() { units[index] = weight }
    let parts = Splits.divide(Amount(units: whole), by: units, count: weights.count)
    return weights.indices.map { parts[$0] }
  }

  // MARK: - Paying

  @Test func `each receiver gets his part, and the payer pays the fee once`() {
    expect(
      given: Self.given, when: Self.pay(1_000), asked: Self.shares(Self.both), by: Self.ann,
      then: [Self.paid(1_000, fee: 4)],
      body: Self.parts([
        (.wallet(Scenario.bobWallet), 667, 0), (.wallet(Self.second), 333, 0),
      ]), texts: [.own])
  }

  @Test func `a fee that payees bear is divided as the amount is`() {
    let given = Self.given + Self.payeeBears
    expect(
      given: given, when: Self.pay(1_000), asked: Self.shares(Self.both), by: Self.ann,
      then: [Self.paid(1_000, fee: 10, schedule: 2, side: .payee)],
      body: Self.parts([
        (.wallet(Scenario.bobWallet), 667, 7), (.wallet(Self.second), 333, 3),
      ]))
    // Of 2 for one and 1 for the other the fee of 1 leaves the first 1, and of 1 and 1 nothing.
    expect(
      given: given, when: Self.pay(2), asked: Self.shares([Self.both[0], (Self.both[1].0, 2)]),
      by: Self.ann, refused: .feeTakesAll)
  }

  private static let payeeBears: [Event] = [
    .fee(
      .set(
        schedule: ScheduleNumber(2),
        terms: Fees.Terms(basisPoints: 100, side: .payee, isFeeRefunded: true),
        begins: Timestamp(nanoseconds: 1))),
    .fee(.began(schedule: ScheduleNumber(2), effective: Timestamp(nanoseconds: 1))),
  ]

  @Test func `new labels are registered first, each with its text`() {
    let registered = (UInt64(1)...2).map { number in
      Event.payment(
        .payeeRegistered(
          payee: PayeeNumber(number), tenant: TenantNumber(1), asset: Scenario.usd,
          label: UInt128(number + 6)))
    }
    let shares = Self.shares([
      (.external(label: 7), 1), (.wallet(Scenario.bobWallet), 1), (.external(label: 8), 1),
    ])
    let (first, second) = (Payments.Payee.external(PayeeNumber(1)), PayeeNumber(2))
    let parts = Self.parts([
      (first, 34, 0), (.wallet(Scenario.bobWallet), 33, 0), (.external(second), 33, 0),
    ])
    expect(
      given: Self.given, when: Self.pay(100), asked: shares, by: Self.ann,
      then: registered + [Self.paid(100, fee: 1, 3)], body: parts,
      texts: [.label(0), .label(2), .own])
    expect(
      given: Self.given + registered, when: Self.pay(100), asked: shares, by: Self.ann,
      then: [Self.paid(100, fee: 1, 3)], body: parts)
  }

  @Test func `up to six labels may be new`() {
    for count in 6...7 {
      let shares = Self.shares((1...count).map { (.external(label: UInt128($0)), 1) })
      let refusal = refusal(given: Self.given, when: Self.pay(800), asked: shares, by: Self.ann)
      #expect(refusal?.reason == (count == 6 ? nil : .splitInvalid))
    }
  }

  @Test func `a list that is none is refused`() {
    let bob = Payments.Recipient.wallet(Scenario.bobWallet)
    let other = Payments.Recipient.wallet(Self.second)
    let most = Amount.commandMax.units
    let lists: [([(Payments.Recipient, Int128)], Rejection)] = [
      ([], .splitInvalid), ([(bob, 1)], .splitInvalid),
      ([(bob, 1), (bob, 1)], .splitInvalid),
      ([(.external(label: 7), 1), (other, 1), (.external(label: 7), 1)], .splitInvalid),
      ([(bob, 1), (other, 0)], .splitInvalid), ([(bob, 1), (other, -1)], .splitInvalid),
      ([(bob, 1), (other, most + 1)], .splitInvalid),
      // One unit of 10,000 parts is nothing.
      ([(bob, 1), (other, 10_000)], .splitInvalid),
      ([(bob, 1), (.wallet(Scenario.annWallet), 1)], .selfPayment),
      ([(bob, 1), (.wallet(WalletNumber(9)), 1)], .payeeNotFound),
      ([(bob, 1), (.external(label: 0), 1)], .payeeNotFound),
      ([(bob, 1), (.wallet(Scenario.eveWallet), 1)], .currencyDiffers),
      ((1...33).map { (.external(label: UInt128($0)), 1) }, .splitInvalid),
    ]
    for (list, reason) in lists {
      let refusal = refusal(
        given: Self.given, when: Self.pay(100), asked: Self.shares(list), by: Self.ann)
      #expect(refusal?.reason == reason, "\(list)")
    }
    for body in [[UInt8](repeating: 1, count: 95), [UInt8](repeating: 1, count: 96)] {
      let refusal = refusal(given: Self.given, when: Self.pay(100), asked: body, by: Self.ann)
      #expect(refusal != nil)
    }
    let closed =
      Self.given + [
        .wallet(.closed(wallet: Self.second, to: .none, amount: .zero, asset: Scenario.usd))
      ]
    expect(
      given: closed, when: Self.pay(100), asked: Self.shares(Self.both), by: Self.ann,
      refused: .payeeClosed)
  }

  @Test func `nobody gets anything where the payer cannot pay all`() {
    for (units, reason) in [(9_960, nil), (9_961, Rejection.insufficientFunds)] {
      let refusal = refusal(
        given: Self.given, when: Self.pay(Int128(units)), asked: Self.shares(Self.both),
        by: Self.ann)
      #expect(refusal?.reason == reason)
    }
  }

  @Test func `money cannot be held for several`() {
    expect(
      given: Self.given,
      when: .reservation(
        .reserve(from: Scenario.annWallet, to: .split, amount: Amount(units: 5), seconds: 60)),
      asked: Self.shares(Self.both), by: Self.ann, refused: .splitInvalid)
  }

  // MARK: - Refunding

  private static let made = paid(1_000, fee: 4)
  private static let madeBody = parts([
    (.wallet(Scenario.bobWallet), 667, 0), (.wallet(second), 333, 0),
  ])

  /// E-54: parts of 100 ten times over, each by what the receivers still have.
  @Test func `refunds in many parts take from each exactly his part (E-54)`() throws {
    var (given, bodies) = (Self.given, [EventNumber: [UInt8]]())
    given.append(Self.made)
    bodies[Self.payment] = Self.madeBody
    var left: [Int128] = [667, 333]
    for step in 0..<10 {
      let sum = left[0] + left[1]
      // Half a unit goes to the first.
      let second = (200 * left[1] + sum - 1) / (2 * sum)
      let parts = [100 - second, second]
      #expect(zip(left, parts).allSatisfy { $0 >= $1 && $1 >= 0 })
      let body = Self.parts([
        (.wallet(Scenario.bobWallet), parts[0], 0), (.wallet(Self.second), parts[1], 0),
      ])
      expect(
        given: given, bodies: bodies, when: Self.refund(step == 9 ? nil : 100), by: Self.bob,
        then: [Self.refunded(100)], body: body, texts: [.own])
      given.append(Self.refunded(100))
      bodies[EventNumber(Self.payment.rawValue + 1 + UInt64(step))] = body
      left = [left[0] - parts[0], left[1] - parts[1]]
    }
    #expect(left == [0, 0])
    let refusal = refusal(given: given, bodies: bodies, when: Self.refund(1), by: Self.bob)
    #expect(refusal?.reason == .refundExceedsPayment && refusal?.limit == .zero)
  }

  @Test func `a fee that payees bore goes back to each in proportion`() {
    let payment = EventNumber(Self.payment.rawValue + 2)
    let given =
      Self.given + Self.payeeBears + [
        Self.paid(1_000, fee: 10, schedule: 2, side: .payee)
      ]
    let body = Self.parts([
      (.wallet(Scenario.bobWallet), 667, 7), (.wallet(Self.second), 333, 3),
    ])
    expect(
      given: given, bodies: [payment: body],
      when: .refund(.refund(payment, amount: Amount(units: 500))), by: Self.bob,
      then: [Self.refunded(500, fee: 5, payment, side: .payee)],
      body: Self.parts([
        (.wallet(Scenario.bobWallet), 334, 4), (.wallet(Self.second), 166, 1),
      ]))
  }

  @Test func `all receivers give back or none`() {
    // Bob's second wallet spent a part of what it got.
    let given =
      Self.given + [
        Self.made, Scenario.paid(300, fee: 2, from: Self.second, to: .wallet(Scenario.annWallet)),
      ]
    let bodies = [Self.payment: Self.madeBody]
    let short = refusal(given: given, bodies: bodies, when: Self.refund(nil), by: Self.bob)
    #expect(
      short
        == Refusal(
          .insufficientFunds, limit: Amount(units: 31), asked: Amount(units: 333)))
    expect(
      given: given, bodies: bodies, when: Self.refund(90), by: Self.bob,
      then: [Self.refunded(90)],
      body: Self.parts([
        (.wallet(Scenario.bobWallet), 60, 0), (.wallet(Self.second), 30, 0),
      ]))
  }

  @Test func `who is not every receiver may not take from the others`() {
    let third = Scenario.agent(4, Scenario.usd).map { event -> Event in
      // The fourth agent's wallet is the fifth.
      switch event {
      case .wallet(.opened(_, let agent, let asset)):
        .wallet(.opened(wallet: WalletNumber(5), agent: agent, asset: asset))
      case .identity(.agentRegistered(let agent, let tenant, _, let name, let api, let secret)):
        .identity(
          .agentRegistered(
            agent: agent, tenant: tenant, wallet: WalletNumber(5), name: name, apiKey: api,
            secretKey: secret))
      default: event  // the others name no wallet
      }
    }
    let given = Self.given + third + [Self.paid(100, fee: 1)]
    let payment = EventNumber(UInt64(given.count + 1))
    let bodies = [
      payment: Self.parts([
        (.wallet(Scenario.bobWallet), 50, 0), (.wallet(WalletNumber(5)), 50, 0),
      ])
    ]
    let command = Command.refund(.refund(payment, amount: nil))
    let rows: [(Actor, Rejection?)] = [
      (Self.bob, .notPermitted), (.agent(AgentNumber(4)), .notPermitted),
      (Self.ann, .notPermitted), (.agent(Scenario.eve), .paymentNotFound),
      (.operator(OperatorNumber(1)), nil),
    ]
    for (actor, reason) in rows {
      let refusal = refusal(given: given, bodies: bodies, when: command, by: actor)
      #expect(refusal?.reason == reason, "\(actor)")
    }
    // Nor does he learn that another's wallet, or his own, is stopped.
    for wallet in [Scenario.bobWallet, WalletNumber(5)] {
      let closed = Event.wallet(
        .closed(wallet: wallet, to: .none, amount: Amount(units: 50), asset: Scenario.usd))
      for (event, staffs) in [(.wallet(.frozen(wallet: wallet)), nil), (closed, .walletClosed)]
        as [(Event, Rejection?)]
      {
        for (actor, reason) in rows {
          let refusal = refusal(given: given + [event], bodies: bodies, when: command, by: actor)
          #expect(refusal?.reason == (actor.isStaff ? staffs : reason), "\(actor)")
        }
      }
    }
  }

  @Test func `what a label got only staff gives back, while it is there`() {
    let label = Payments.Payee.external(PayeeNumber(1))
    let given =
      Self.given + [
        .payment(
          .payeeRegistered(
            payee: PayeeNumber(1), tenant: TenantNumber(1), asset: Scenario.usd, label: 7)),
        Self.paid(100, fee: 1),
      ]
    let payment = EventNumber(Self.payment.rawValue + 1)
    let body = Self.parts([(label, 50, 0), (.wallet(Scenario.bobWallet), 50, 0)])
    expect(
      given: given, bodies: [payment: body], when: .refund(.refund(payment, amount: nil)),
      by: Self.bob, refused: .notPermitted)
    expect(
      given: given, bodies: [payment: body], when: .refund(.refund(payment, amount: nil)),
      by: .administrator, then: [Self.refunded(100, payment)], body: body)
  }
}
