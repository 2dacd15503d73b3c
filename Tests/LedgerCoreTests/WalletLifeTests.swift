import Testing

@testable import LedgerCore

/// Goal: what is frozen, closed or stopped begins nothing, and traps no money.
/// Method: events in, one command, events out; after each, balances from postings are compared with
/// those of the state.
@Suite struct WalletLifeTests {
  private static let ann = Actor.agent(Scenario.ann)
  private static let staff = Actor.operator(OperatorNumber(1))
  private static let wallet = Scenario.annWallet
  private static let other = WalletNumber(4)
  private static let given =
    Scenario.agents + [
      .wallet(.opened(wallet: other, agent: Scenario.ann, asset: Scenario.usd)),
      Scenario.funded(wallet, 10_000),
    ]
  private static let frozen = Event.wallet(.frozen(wallet: wallet))

  private static func closed(_ units: Int128, to: WalletNumber = other) -> Event {
    .wallet(.closed(wallet: wallet, to: to, amount: Amount(units: units), asset: Scenario.usd))
  }

  private static let reserve = Command.reservation(
    .reserve(
      from: wallet, to: .wallet(Scenario.bobWallet), amount: Amount(units: 10), seconds: 60))

  // MARK: - Freeze

  @Test func `staff freezes and unfreezes, with a reason beside it`() {
    expect(
      given: Self.given, when: .wallet(.freeze(Self.wallet)), by: Self.staff, then: [Self.frozen],
      texts: [.own])
    expect(
      given: Self.given + [Self.frozen], when: .wallet(.unfreeze(Self.wallet)), by: Self.staff,
      then: [.wallet(.unfrozen(wallet: Self.wallet))], texts: [.own])
    for command in [Wallets.Command.freeze(Self.wallet), .unfreeze(Self.wallet)] {
      expect(given: Self.given, when: .wallet(command), by: Self.ann, refused: .notPermitted)
    }
    expect(
      given: Self.given, when: .wallet(.freeze(WalletNumber(99))), by: Self.staff,
      refused: .walletNotFound)
  }

  @Test func `nothing new is taken from a frozen wallet, and money for it passes`() {
    let given = Self.given + [Self.frozen, Scenario.funded(Scenario.bobWallet, 1_000)]
    for command in [Scenario.pay(10), Self.reserve, .wallet(.close(Self.wallet, to: Self.other))] {
      expect(given: given, when: command, by: Self.ann, refused: .walletFrozen)
      expect(given: given, when: command, by: Self.staff, refused: .walletFrozen)
    }
    expect(
      given: given,
      when: Scenario.pay(100, from: Scenario.bobWallet, to: .wallet(Self.wallet)),
      by: .agent(Scenario.bob),
      then: [Scenario.paid(100, fee: 1, from: Scenario.bobWallet, to: .wallet(Self.wallet))])
    expect(
      given: given, when: .wallet(.fund(Self.wallet, amount: Amount(units: 5))), by: Self.ann,
      then: [Scenario.funded(Self.wallet, 5)])
  }

  // MARK: - Close and reopen

  @Test func `closing moves everything to another wallet of the agent's, without a fee`() {
    expect(
      given: Self.given, when: .wallet(.close(Self.wallet, to: Self.other)), by: Self.ann,
      then: [Self.closed(10_000)])
  }

  /// E-61: 1 unit is dust; 94.980000001 needs another wallet; 5 and none is refused.
  @Test func `what is left without another wallet is dust or a refusal`() {
    let close = Command.wallet(.close(Self.wallet))
    for units: Int128 in [1, 9_999_999] {
      expect(
        given: Self.given.dropLast() + [Scenario.funded(Self.wallet, units)], when: close,
        by: Self.ann, then: [Self.closed(units, to: .none)])
    }
    for units: Int128 in [10_000_000, 5_000_000_000, 94_980_000_001] {
      let refusal = refusal(
        given: Self.given.dropLast() + [Scenario.funded(Self.wallet, units)], when: close,
        by: Self.ann)
      #expect(
        refusal
          == Refusal(
            .walletNotEmpty, limit: Amount(units: 10_000_000), asked: Amount(units: units)))
    }
    expect(
      given: Self.given.dropLast() + [Scenario.funded(Self.wallet, 94_980_000_001)],
      when: .wallet(.close(Self.wallet, to: Self.other)), by: Self.ann,
      then: [Self.closed(94_980_000_001)])
  }

  @Test func `a token's dust is what six decimals cannot say`() {
    let close = Command.wallet(.close(Scenario.eveWallet))
    for (units, isDust) in [(Int128(999), true), (1_000, false)] {
      let given = Scenario.agents + [Scenario.funded(Scenario.eveWallet, units, Scenario.usdc)]
      let refusal = refusal(given: given, when: close, by: .agent(Scenario.eve))
      #expect(refusal?.reason == (isDust ? nil : .walletNotEmpty))
    }
  }

  @Test func `a wallet that holds money is not closed`() {
    let given = Self.given + [ReservationsTests.hold(1_000, fee: 4)]
    let refusal = refusal(
      given: given, when: .wallet(.close(Self.wallet, to: Self.other)), by: Self.ann)
    #expect(refusal == Refusal(.walletInUse, used: Amount(units: 1_004)))
  }

  @Test func `it closes into an open wallet of the same agent and asset only`() {
    let mine = WalletNumber(5)
    let given =
      Self.given + [
        .wallet(.opened(wallet: mine, agent: Scenario.ann, asset: Scenario.usdc))
      ]
    for (to, reason) in [
      (Scenario.bobWallet, Rejection.payeeNotFound), (WalletNumber(99), .payeeNotFound),
      (Self.wallet, .selfPayment), (mine, .currencyDiffers),
    ] {
      expect(
        given: given, when: .wallet(.close(Self.wallet, to: to)), by: Self.ann, refused: reason)
      expect(
        given: given, when: .wallet(.close(Self.wallet, to: to)), by: Self.staff, refused: reason)
    }
    let otherClosed = Event.wallet(
      .closed(wallet: Self.other, to: .none, amount: .zero, asset: Scenario.usd))
    expect(
      given: given + [otherClosed], when: .wallet(.close(Self.wallet, to: Self.other)),
      by: Self.ann, refused: .payeeClosed)
    expect(
      given: given, when: .wallet(.close(Self.wallet, to: Self.other)), by: .agent(Scenario.bob),
      refused: .walletNotFound)
  }

  @Test func `a closed wallet neither pays, nor is paid or funded`() {
    let given = Self.given + [Self.closed(10_000), Scenario.funded(Scenario.bobWallet, 1_000)]
    expect(given: given, when: Scenario.pay(10), by: Self.ann, refused: .walletClosed)
    expect(given: given, when: Self.reserve, by: Self.ann, refused: .walletClosed)
    expect(
      given: given, when: .wallet(.fund(Self.wallet, amount: Amount(units: 5))), by: Self.ann,
      refused: .walletClosed)
    expect(
      given: given, when: Scenario.pay(10, from: Scenario.bobWallet, to: .wallet(Self.wallet)),
      by: .agent(Scenario.bob), refused: .payeeClosed)
  }

  @Test func `reopening brings back what was set aside`() {
    let aside = Event.wallet(
      .setAside(
        wallet: Self.wallet, agent: Scenario.ann, amount: Amount(units: 600),
        asset: Scenario.usd))
    let refund = Event.refund(
      .completed(
        Refunds.Refund(
          amount: Amount(units: 600), fee: .zero,
          payment: EventNumber(UInt64(Self.given.count + 2)), payer: Self.wallet,
          payee: .wallet(Scenario.bobWallet), asset: Scenario.usd, rail: .internal,
          side: .payer)))
    let given =
      Self.given + [Scenario.paid(1_000, fee: 4), Self.closed(8_996), refund, aside]
    expect(
      given: given, when: .wallet(.reopen(Self.wallet)), by: Self.ann,
      then: [
        .wallet(
          .reopened(
            wallet: Self.wallet, agent: Scenario.ann, amount: Amount(units: 600),
            asset: Scenario.usd))
      ])
    expect(
      given: given, when: .wallet(.reopen(Self.other)), by: Self.ann, refused: .walletOpen)
  }

  // MARK: - The machine

  /// Every status with every step, through the commands: what the table allows happens, and what it
  /// does not is refused by the status's name.
  @Test func `commands do exactly what the table allows`() {
    let histories: [Wallets.Status: [Event]] = [
      .open: [], .frozen: [Self.frozen], .closed: [Self.closed(10_000)],
    ]
    let commands: [Wallets.Step: Wallets.Command] = [
      .freeze: .freeze(Self.wallet), .unfreeze: .unfreeze(Self.wallet),
      .close: .close(Self.wallet, to: Self.other), .reopen: .reopen(Self.wallet),
    ]
    let names: [Wallets.Status: Rejection] = [
      .open: .walletOpen, .frozen: .walletFrozen, .closed: .walletClosed,
    ]
    for status in Wallets.Status.allCases {
      for step in Wallets.Step.allCases {
        guard let command = commands[step], let history = histories[status] else {
          Issue.record("no \(step) or \(status)")
          continue
        }
        let refusal = refusal(
          given: Self.given + history, when: .wallet(command), by: Self.staff)
        #expect(
          refusal?.reason == (status.after(step) == nil ? names[status] : nil),
          "\(step) while \(status)")
      }
    }
  }

  // MARK: - Pauses

  private static let scopes: [Pauses.Scope] = [
    .ledger, .tenant(TenantNumber(1)), .rail(.internal),
  ]

  /// E-46: everything that starts an obligation is refused, everything that ends one passes.
  @Test(arguments: scopes)
  func `what is paused starts nothing, until it is resumed`(scope: Pauses.Scope) {
    let paused = Event.pause(.paused(scope))
    for command in [Scenario.pay(10), Self.reserve] {
      expect(given: Self.given + [paused], when: command, by: Self.ann, refused: .paused)
      let resumed = Self.given + [paused, .pause(.resumed(scope))]
      #expect(refusal(given: resumed, when: command, by: Self.ann) == nil)
    }
    expect(
      given: Self.given + [paused], when: .wallet(.close(Self.wallet, to: Self.other)),
      by: Self.ann, then: [Self.closed(10_000)])
  }

  @Test func `another tenant goes on while one is paused`() {
    let given =
      Self.given + [
        .pause(.paused(.tenant(TenantNumber(1)))), Scenario.funded(Scenario.bobWallet, 1_000),
      ]
    expect(
      given: given,
      when: Scenario.pay(100, from: Scenario.bobWallet, to: .wallet(Self.wallet)),
      by: .agent(Scenario.bob),
      then: [Scenario.paid(100, fee: 1, from: Scenario.bobWallet, to: .wallet(Self.wallet))])
  }

  @Test(arguments: scopes)
  func `pauses are staff's, and come in turn`(scope: Pauses.Scope) {
    expect(
      given: Self.given, when: .pause(.pause(scope)), by: Self.staff,
      then: [.pause(.paused(scope))], texts: [.own])
    expect(
      given: Self.given, when: .pause(.resume(scope)), by: Self.staff, refused: .notPaused)
    expect(
      given: Self.given + [.pause(.paused(scope))], when: .pause(.pause(scope)), by: Self.staff,
      refused: .alreadyPaused)
    expect(given: Self.given, when: .pause(.pause(scope)), by: Self.ann, refused: .notPermitted)
    expect(
      given: Self.given, when: .pause(.pause(.tenant(TenantNumber(9)))), by: Self.staff,
      refused: .tenantNotFound)
  }
}
