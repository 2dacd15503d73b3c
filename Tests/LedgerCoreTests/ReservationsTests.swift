import Testing

@testable import LedgerCore

/// Goal: money that is held has exactly one end, and what was held is what was paid and given back.
/// Method: events in, one command, events out; after each, balances from postings are compared with
/// those of the state, and what a wallet holds with its open reservations.
@Suite struct ReservationsTests {
  private static let ann = Actor.agent(Scenario.ann)
  private static let given = Scenario.agents + [Scenario.funded(Scenario.annWallet, 10_000)]
  /// The event that makes the reservation in the scenarios below.
  static let made = EventNumber(UInt64(given.count + 2))
  private static let day: UInt64 = 86_400_000_000_000

  static func hold(
    _ units: Int128, fee: Int128, to payee: Payments.Payee = .wallet(Scenario.bobWallet),
    until deadline: Timestamp = Timestamp(nanoseconds: Scenario.now.nanoseconds + day),
    schedule: ScheduleNumber = Scenario.standard, isMultiple: Bool = false
  ) -> Event {
    .reservation(
      .reserved(
        Reservations.Hold(
          amount: Amount(units: units), fee: Amount(units: fee), payer: Scenario.annWallet,
          payee: payee, deadline: deadline, slot: ReservationSlot(1), schedule: schedule,
          asset: Scenario.usd, purpose: .hold, isMultiple: isMultiple)))
  }

  private static func reserve(
    _ units: Int128, to: Payments.Recipient = .wallet(Scenario.bobWallet), seconds: UInt32 = 86_400,
    isMultiple: Bool = false
  ) -> Command {
    .reservation(
      .reserve(
        from: Scenario.annWallet, to: to, amount: Amount(units: units), seconds: seconds,
        isMultiple: isMultiple))
  }

  static func capture(_ units: Int128?, isLast: Bool = false) -> Command {
    .reservation(
      .capture(made, amount: units.map { Amount(units: $0) }, isLast: isLast))
  }

  static func captured(
    _ units: Int128, fee: Int128, released: Int128, isLast: Bool = true,
    schedule: ScheduleNumber = Scenario.standard, side: Fees.Side = .payer,
    payee: Payments.Payee = .wallet(Scenario.bobWallet)
  ) -> Event {
    .reservation(
      .captured(
        Reservations.Capture(
          payment: Payments.Payment(
            amount: Amount(units: units), fee: Amount(units: fee), payer: Scenario.annWallet,
            payee: payee, schedule: schedule, asset: Scenario.usd, rail: .internal, side: side),
          released: Amount(units: released), reservation: made, slot: ReservationSlot(1),
          isLast: isLast)))
  }

  private static func end(_ units: Int128) -> Reservations.End {
    Reservations.End(
      amount: Amount(units: units), payer: Scenario.annWallet, reservation: made,
      slot: ReservationSlot(1), asset: Scenario.usd)
  }

  // MARK: - Reserve

  @Test func `a hold includes the fee that the payer will bear`() {
    expect(
      given: Self.given, when: Self.reserve(1_000), by: Self.ann,
      then: [Self.hold(1_000, fee: 4)], texts: [.own])
  }

  @Test func `the whole balance can be held, fee included, and no unit more`() {
    expect(
      given: Self.given, when: Self.reserve(9_960), by: Self.ann,
      then: [Self.hold(9_960, fee: 40)])
    let refusal = refusal(given: Self.given, when: Self.reserve(9_961), by: Self.ann)
    #expect(
      refusal
        == Refusal(.insufficientFunds, limit: Amount(units: 10_000), asked: Amount(units: 10_001)))
  }

  /// E-16: available excludes a live hold.
  @Test func `what is held cannot be paid or held again`() {
    let given = Self.given + [Self.hold(9_000, fee: 36)]
    for command in [Scenario.pay(961), Self.reserve(961)] {
      expect(given: given, when: command, by: Self.ann, refused: .insufficientFunds)
    }
    expect(
      given: given, when: Scenario.pay(960), by: Self.ann, then: [Scenario.paid(960, fee: 4)])
  }

  @Test(arguments: [0, Reservations.secondsMax + 1])
  func `a hold lasts from a second to thirty days`(seconds: UInt32) {
    expect(
      given: Self.given, when: Self.reserve(10, seconds: seconds), by: Self.ann,
      refused: .deadlineOutOfRange)
  }

  @Test func `strangers hold nothing, and nobody holds for himself`() {
    expect(
      given: Self.given, when: Self.reserve(10), by: .agent(Scenario.bob), refused: .walletNotFound)
    expect(
      given: Self.given, when: Self.reserve(10, to: .wallet(Scenario.annWallet)), by: Self.ann,
      refused: .selfPayment)
    expect(
      given: Self.given, when: Self.reserve(10, to: .wallet(WalletNumber(99))), by: Self.ann,
      refused: .payeeNotFound)
    expect(
      given: Self.given, when: Self.reserve(10, to: .wallet(Scenario.eveWallet)), by: Self.ann,
      refused: .currencyDiffers)
    expect(given: Self.given, when: Self.reserve(0), by: Self.ann, refused: .amountNotPositive)
  }

  // MARK: - Capture

  private static let held = given + [hold(1_000, fee: 4)]

  @Test func `a whole capture ends the reservation and leaves nothing`() {
    for command in [Self.capture(nil), Self.capture(1_000), Self.capture(1_000, isLast: true)] {
      expect(
        given: Self.held, when: command, by: Self.ann,
        then: [Self.captured(1_000, fee: 4, released: 0)])
    }
  }

  @Test func `a part is captured, and the rest with its fee is given back`() {
    expect(
      given: Self.held, when: Self.capture(250), by: Self.ann,
      then: [Self.captured(250, fee: 1, released: 753)])
  }

  @Test func `a capture above the hold is refused with what is left`() {
    let refusal = refusal(given: Self.held, when: Self.capture(1_001), by: Self.ann)
    #expect(
      refusal
        == Refusal(
          .captureExceedsHold, limit: Amount(units: 1_000), asked: Amount(units: 1_001)))
    expect(given: Self.held, when: Self.capture(0), by: Self.ann, refused: .amountNotPositive)
    expect(given: Self.held, when: Self.capture(-1), by: Self.ann, refused: .amountNotPositive)
  }

  @Test func `several captures follow where they were declared, with cumulative fees`() {
    let given = Self.given + [Self.hold(1_000, fee: 4, isMultiple: true)]
    expect(
      given: given, when: Self.capture(1), by: Self.ann,
      then: [Self.captured(1, fee: 1, released: 0, isLast: false)])
    let first = given + [Self.captured(1, fee: 1, released: 0, isLast: false)]
    expect(
      given: first, when: Self.capture(249), by: Self.ann,
      then: [Self.captured(249, fee: 0, released: 0, isLast: false)])
    expect(
      given: first, when: Self.capture(249, isLast: true), by: Self.ann,
      then: [Self.captured(249, fee: 0, released: 753)])
    expect(
      given: first, when: Self.capture(nil), by: Self.ann,
      then: [Self.captured(999, fee: 3, released: 0)])
    let refusal = refusal(given: first, when: Self.capture(1_000), by: Self.ann)
    #expect(refusal?.limit == Amount(units: 999) && refusal?.used == Amount(units: 1))
  }

  /// E-52: 1,000 units at 0.4 % in 1,000 captures of one unit cost 4 in all, and use the hold up.
  @Test func `a thousand captures of one unit use a hold of 1,004 up exactly`() throws {
    var events = Self.given + [Self.hold(1_000, fee: 4, isMultiple: true)]
    var ledger = Scenario.ledger(after: events)
    let made = Recorded(
      header: Header(
        number: Self.made, time: Timestamp(nanoseconds: 1), actor: .ledger),
      event: events[events.count - 1])
    var fees = Amount.zero
    for count in 1...1_000 {
      var decision = Decision()
      try ledger.decide(
        Self.capture(1), by: Self.ann, about: made, at: Scenario.now, into: &decision)
      let event = decision[0]
      fees += event.payment?.fee ?? .zero
      events.append(event)
      let header = Header(
        number: EventNumber(UInt64(events.count + 1)),
        time: Timestamp(nanoseconds: Scenario.now.nanoseconds + UInt64(count)), actor: Self.ann)
      ledger.evolve(event, header, body: Span())
    }
    #expect(fees == Amount(units: 4))
    #expect(ledger.wallets.wallets[Scenario.annWallet].held == 0)
    #expect(ledger.wallets.wallets[Scenario.annWallet].available == 10_000 - 1_004)
    #expect(ledger.reservations.rows.count == 0 && ledger.timers.count == 0)
    expectBooksAgree(ledger, [Scenario.genesis] + events)
  }

  @Test func `where the payee bears the fee, the hold is the amount alone`() {
    let schedule = ScheduleNumber(2)
    let given =
      Self.given.dropLast() + [
        .fee(
          .set(
            schedule: schedule, terms: Fees.Terms(basisPoints: 100, side: .payee),
            begins: Timestamp(nanoseconds: 1))),
        .fee(.began(schedule: schedule, effective: Timestamp(nanoseconds: 1))),
        Scenario.funded(Scenario.annWallet, 1_000),
      ]
    expect(
      given: Array(given), when: Self.reserve(1_000), by: Self.ann,
      then: [Self.hold(1_000, fee: 0, schedule: schedule)])
    expect(given: Array(given), when: Self.reserve(1), by: Self.ann, refused: .feeTakesAll)
    let held = Array(given) + [Self.hold(1_000, fee: 0, schedule: schedule)]
    let number = EventNumber(UInt64(held.count + 1))
    var captured = Self.captured(
      300, fee: 3, released: 700, schedule: schedule, side: .payee)
    if case .reservation(.captured(var capture)) = captured {
      capture.reservation = number
      captured = .reservation(.captured(capture))
    }
    expect(
      given: held,
      when: .reservation(.capture(number, amount: Amount(units: 300))), by: Self.ann,
      then: [captured])
  }

  @Test func `a label is paid out of a hold as well`() {
    let payee = PayeeNumber(1)
    let registered = Event.payment(
      .payeeRegistered(payee: payee, tenant: TenantNumber(1), asset: Scenario.usd, label: 7))
    expect(
      given: Self.given, when: Self.reserve(1_000, to: .external(label: 7)), by: Self.ann,
      then: [
        registered,
        // The hold's own time counts, which is a nanosecond after that of the label's event.
        Self.hold(
          1_000, fee: 4, to: .external(payee),
          until: Timestamp(nanoseconds: Scenario.now.nanoseconds + 1 + Self.day)),
      ], texts: [.label(0), .own])
  }

  @Test func `after a thousand captures there is only the release`() {
    let given =
      Self.given + [Self.hold(2_000, fee: 8, isMultiple: true)]
      + (0..<1_000).map { index in
        Self.captured(1, fee: index % 250 == 0 ? 1 : 0, released: 0, isLast: false)
      }
    for command in [Self.capture(1), Self.capture(nil), Self.capture(1, isLast: true)] {
      expect(given: given, when: command, by: Self.ann, refused: .tooManyCaptures)
    }
    expect(
      given: given, when: .reservation(.release(Self.made)), by: Self.ann,
      then: [.reservation(.released(Self.end(1_004)))])
  }

  /// The fee schedule of the hold counts, whatever came after it.
  @Test func `a hold keeps the fees of its making`() {
    let later: [Event] = [
      .fee(
        .set(
          schedule: ScheduleNumber(2), terms: Fees.Terms(basisPoints: 10_000),
          begins: Timestamp(nanoseconds: 1))),
      .fee(.began(schedule: ScheduleNumber(2), effective: Timestamp(nanoseconds: 1))),
    ]
    expect(
      given: Self.held + later, when: Self.capture(nil), by: Self.ann,
      then: [Self.captured(1_000, fee: 4, released: 0)])
  }

  @Test func `a capture to a wallet that was closed meanwhile is set aside for its agent`() {
    let closed = Event.wallet(
      .closed(
        wallet: Scenario.bobWallet, to: .none, amount: .zero, asset: Scenario.usd))
    expect(
      given: Self.held + [closed], when: Self.capture(nil), by: Self.ann,
      then: [
        Self.captured(1_000, fee: 4, released: 0),
        .wallet(
          .setAside(
            wallet: Scenario.bobWallet, agent: Scenario.bob, amount: Amount(units: 1_000),
            asset: Scenario.usd)),
      ], answer: 0)
  }

  // MARK: - Release and expiry

  @Test func `a release gives back the amount and the fee's part`() {
    expect(
      given: Self.held, when: .reservation(.release(Self.made)), by: Self.ann,
      then: [.reservation(.released(Self.end(1_004)))])
  }

  @Test func `an ended reservation cannot end again`() {
    for end in [
      Event.reservation(.released(Self.end(1_004))),
      .reservation(.expired(Self.end(1_004), effective: Scenario.now)),
      Self.captured(1_000, fee: 4, released: 0),
    ] {
      for command in [Self.capture(nil), .reservation(.release(Self.made))] {
        expect(given: Self.held + [end], when: command, by: Self.ann, refused: .reservationEnded)
      }
    }
  }

  /// The row is used again; the old number does not reach the new reservation.
  @Test func `a row that is used again belongs to the new reservation alone`() {
    let given =
      Self.held + [.reservation(.released(Self.end(1_004))), Self.hold(500, fee: 2)]
    expect(given: given, when: Self.capture(nil), by: Self.ann, refused: .reservationEnded)
  }

  @Test func `only the payer and staff end it, and others learn nothing`() {
    for command in [Self.capture(nil), .reservation(.release(Self.made))] {
      expect(
        given: Self.held, when: command, by: .agent(Scenario.bob), refused: .reservationNotFound)
    }
    expect(
      given: Self.held, when: .reservation(.release(Self.made)), by: .operator(OperatorNumber(1)),
      then: [.reservation(.released(Self.end(1_004)))])
    for number in [EventNumber(1), EventNumber(0), EventNumber(999)] {
      expect(
        given: Self.held, when: .reservation(.release(number)), by: Self.ann,
        refused: .reservationNotFound)
    }
  }

  /// At exactly the deadline it has expired (`accounting.md` 6), and E-32: one event.
  @Test func `a deadline gives everything back, once, and not a nanosecond before`() throws {
    let deadline = Timestamp(nanoseconds: Scenario.now.nanoseconds)
    let events = Self.given + [Self.hold(1_000, fee: 4, until: deadline)]
    var ledger = Scenario.ledger(after: events)
    #expect(ledger.due(at: Timestamp(nanoseconds: deadline.nanoseconds - 1)) == nil)
    let due = ledger.due(at: deadline)
    let event = try #require(due)
    #expect(event == .reservation(.expired(Self.end(1_004), effective: deadline)))
    let header = Header(
      number: EventNumber(UInt64(events.count + 2)), time: deadline, actor: .ledger)
    ledger.evolve(event, header, body: Span())
    #expect(ledger.due(at: Timestamp(nanoseconds: .max)) == nil)
    #expect(ledger.wallets.wallets[Scenario.annWallet].available == 10_000)
    expectBooksAgree(ledger, [Scenario.genesis] + events + [event])
  }

  /// Timers fire before a unit and not within it, and each event of a unit is later than the last.
  @Test func `at its deadline a hold has ended, also where its timer has not fired`() {
    let given = Self.given + [Self.hold(1_000, fee: 4, until: Scenario.now)]
    for command in [Self.capture(nil), .reservation(.release(Self.made))] {
      expect(given: given, when: command, by: Self.ann, refused: .reservationEnded)
      let before = Timestamp(nanoseconds: Scenario.now.nanoseconds - 1)
      #expect(refusal(given: given, when: command, by: Self.ann, at: before) == nil)
    }
  }

  // MARK: - What is stopped

  @Test func `what ends a hold passes while everything is stopped`() {
    for stop in [
      Event.wallet(.frozen(wallet: Scenario.annWallet)), .pause(.paused(.ledger)),
      .pause(.paused(.tenant(TenantNumber(1)))), .pause(.paused(.rail(.internal))),
    ] {
      expect(
        given: Self.held + [stop], when: Self.capture(250), by: Self.ann,
        then: [Self.captured(250, fee: 1, released: 753)])
      expect(
        given: Self.held + [stop], when: .reservation(.release(Self.made)), by: Self.ann,
        then: [.reservation(.released(Self.end(1_004)))])
    }
  }
}
