import Testing

@testable import LedgerCore

/// Goal: a payment moves amount and fee once, whole and only where every rule allows it.
/// Method: events in, one command, events out; after each, balances from postings are compared with
/// those of the state. No engine, no disk, no clock.
@Suite struct PaymentsTests {
  private static let funds: Int128 = 10_000
  private static let given =
    Scenario.agents + [Scenario.funded(Scenario.annWallet, funds)]
  private static let label: UInt128 = 0xB0B
  private static let payee = PayeeNumber(1)
  private static let registered = Event.payment(
    .payeeRegistered(
      payee: payee, tenant: TenantNumber(1), asset: Scenario.usd, label: label))

  // MARK: - Done

  @Test(arguments: [
    Actor.agent(Scenario.ann), .operator(OperatorNumber(1)), .administrator,
  ])
  func `the agent or staff pays from a wallet to a wallet`(actor: Actor) {
    expect(
      given: Self.given, when: Scenario.pay(1_000), by: actor,
      then: [Scenario.paid(1_000, fee: 4)], texts: [.own])
  }

  @Test func `naming the payer's own currency changes nothing`() {
    expect(
      given: Self.given, when: Scenario.pay(1_000, in: Scenario.usd), by: .agent(Scenario.ann),
      then: [Scenario.paid(1_000, fee: 4)])
  }

  @Test func `the whole balance can be paid, fee included, and no unit more`() {
    expect(
      given: Self.given, when: Scenario.pay(9_960), by: .agent(Scenario.ann),
      then: [Scenario.paid(9_960, fee: 40)])
    let refusal = refusal(
      given: Self.given, when: Scenario.pay(9_961), by: .agent(Scenario.ann))
    #expect(
      refusal
        == Refusal(
          .insufficientFunds, limit: Amount(units: 10_000), asked: Amount(units: 10_001)))
  }

  @Test func `the smallest payment costs one unit`() {
    expect(
      given: Scenario.agents + [Scenario.funded(Scenario.annWallet, 2)],
      when: Scenario.pay(1), by: .agent(Scenario.ann), then: [Scenario.paid(1, fee: 1)])
  }

  @Test func `a label is registered on first use, by the payer's tenant`() {
    expect(
      given: Self.given, when: Scenario.pay(1_000, to: .external(label: Self.label)),
      by: .agent(Scenario.ann),
      then: [Self.registered, Scenario.paid(1_000, fee: 4, to: .external(Self.payee))],
      texts: [.label(0), .own])
  }

  @Test func `a known label is not registered again`() {
    expect(
      given: Self.given + [Self.registered],
      when: Scenario.pay(1_000, to: .external(label: Self.label)), by: .agent(Scenario.ann),
      then: [Scenario.paid(1_000, fee: 4, to: .external(Self.payee))], texts: [.own])
  }

  @Test func `the same label in another asset is another payee`() {
    let (second, wallet) = (PayeeNumber(2), WalletNumber(4))
    expect(
      given: Self.given + [
        Self.registered,
        .wallet(.opened(wallet: wallet, agent: Scenario.ann, asset: Scenario.usdc)),
        Scenario.funded(wallet, 100, Scenario.usdc),
      ],
      when: Scenario.pay(10, from: wallet, to: .external(label: Self.label)),
      by: .agent(Scenario.ann),
      then: [
        .payment(
          .payeeRegistered(
            payee: second, tenant: TenantNumber(1), asset: Scenario.usdc, label: Self.label)),
        Scenario.paid(10, fee: 1, from: wallet, to: .external(second), in: Scenario.usdc),
      ])
  }

  @Test func `the same label of another tenant is another payee`() {
    let second = PayeeNumber(2)
    expect(
      given: Self.given + [Self.registered, Scenario.funded(Scenario.bobWallet, 100)],
      when: Scenario.pay(10, from: Scenario.bobWallet, to: .external(label: Self.label)),
      by: .agent(Scenario.bob),
      then: [
        .payment(
          .payeeRegistered(
            payee: second, tenant: TenantNumber(2), asset: Scenario.usd, label: Self.label)),
        Scenario.paid(10, fee: 1, from: Scenario.bobWallet, to: .external(second)),
      ])
  }

  @Test func `postings debit the payer with amount and fee`() {
    var postings = Postings()
    Scenario.paid(1_000, fee: 4).postings(into: &postings)
    #expect(postings.count == 2)
    #expect(
      postings[0]
        == Posting(
          amount: Amount(units: 1_000), asset: Scenario.usd,
          debit: .walletAvailable(Scenario.annWallet),
          credit: .walletAvailable(Scenario.bobWallet)))
    #expect(
      postings[1]
        == Posting(
          amount: Amount(units: 4), asset: Scenario.usd,
          debit: .walletAvailable(Scenario.annWallet), credit: .feeIncome(.internal)))
  }

  @Test func `a fee of nothing posts nothing`() {
    var postings = Postings()
    Scenario.paid(1_000, fee: 0, to: .external(Self.payee)).postings(into: &postings)
    #expect(postings.count == 1)
    #expect(postings[0].credit == .external(Self.payee))
  }

  // MARK: - Refused

  /// What a row of the table below asks for.
  struct Row: Sendable {
    var actor = Actor.agent(Scenario.ann)
    var amount: Int128
    var from = Scenario.annWallet
    var to: Payments.Recipient
    var asset = AssetNumber.none
    var refused: Rejection?
  }

  /// Wallet 4 is bob's second one and holds all that an `Int128` can.
  private static let full = WalletNumber(4)
  private static let world =
    given + [
      .wallet(.opened(wallet: full, agent: Scenario.bob, asset: Scenario.usd)),
      Scenario.funded(full, Int128.max),
    ]
  private static let tooMuch = Amount.commandMax.units + 1

  /// Each row breaks one rule fewer than the row above, so the order is tested, not only the set.
  @Test(arguments: [
    Row(
      amount: 0, from: WalletNumber(99), to: .wallet(WalletNumber(99)), asset: Scenario.usdc,
      refused: .amountNotPositive),
    Row(
      amount: tooMuch, from: WalletNumber(99), to: .wallet(WalletNumber(99)),
      asset: Scenario.usdc, refused: .amountOutOfRange),
    Row(
      amount: tooMuch - 1, from: WalletNumber(99), to: .wallet(WalletNumber(99)),
      asset: Scenario.usdc, refused: .walletNotFound),
    Row(
      actor: .agent(Scenario.bob), amount: tooMuch - 1, to: .wallet(WalletNumber(99)),
      asset: Scenario.usdc, refused: .walletNotFound),
    Row(
      amount: tooMuch - 1, to: .wallet(WalletNumber(99)), asset: Scenario.usdc,
      refused: .currencyDiffers),
    Row(amount: tooMuch - 1, to: .wallet(WalletNumber(99)), refused: .payeeNotFound),
    Row(amount: tooMuch - 1, to: .wallet(Scenario.annWallet), refused: .selfPayment),
    Row(amount: tooMuch - 1, to: .wallet(Scenario.eveWallet), refused: .currencyDiffers),
    Row(amount: tooMuch - 1, to: .wallet(full), refused: .amountOutOfRange),
    Row(
      amount: tooMuch - 1, to: .wallet(Scenario.bobWallet), refused: .insufficientFunds),
    Row(amount: 9_960, to: .wallet(Scenario.bobWallet), refused: nil),
  ])
  func `refusals have an order`(_ row: Row) {
    let command = Scenario.pay(row.amount, from: row.from, to: row.to, in: row.asset)
    let found = refusal(given: Self.world, when: command, by: row.actor)
    #expect(found?.reason == row.refused)
  }

  /// The same for labels, which have fewer rules to break.
  @Test(arguments: [
    Row(amount: 0, to: .external(label: 0), asset: Scenario.usdc, refused: .amountNotPositive),
    Row(amount: 20_000, to: .external(label: 0), asset: Scenario.usdc, refused: .currencyDiffers),
    Row(amount: 20_000, to: .external(label: 0), refused: .payeeNotFound),
    Row(amount: 20_000, to: .external(label: label), refused: .insufficientFunds),
    Row(amount: 9_960, to: .external(label: label), refused: nil),
  ])
  func `refusals of labels have an order`(_ row: Row) {
    let command = Scenario.pay(row.amount, from: row.from, to: row.to, in: row.asset)
    let found = refusal(given: Self.world, when: command, by: row.actor)
    #expect(found?.reason == row.refused)
  }

  @Test(arguments: [Int128(0), -1, -5, Int128.min])
  func `nothing, less than nothing, is refused with what was asked`(units: Int128) {
    let found = refusal(
      given: Self.given, when: Scenario.pay(units), by: .agent(Scenario.ann))
    #expect(found == Refusal(.amountNotPositive, asked: Amount(units: units)))
  }

  @Test(arguments: [Amount.commandMax.units + 1, Int128.max])
  func `more than a command may name is refused with the limit`(units: Int128) {
    let found = refusal(
      given: Self.given, when: Scenario.pay(units), by: .agent(Scenario.ann))
    #expect(
      found
        == Refusal(.amountOutOfRange, limit: .commandMax, asked: Amount(units: units)))
  }

  @Test(arguments: [Actor.agent(Scenario.bob), .anonymous, .ledger])
  func `another's wallet is not there`(actor: Actor) {
    expect(given: Self.given, when: Scenario.pay(1), by: actor, refused: .walletNotFound)
  }

  @Test(arguments: [UInt64(0), 4, UInt64.max])
  func `a number without a wallet is refused on either side`(number: UInt64) {
    let wallet = WalletNumber(number)
    expect(
      given: Self.given, when: Scenario.pay(1, from: wallet), by: .administrator,
      refused: .walletNotFound)
    expect(
      given: Self.given, when: Scenario.pay(1, to: .wallet(wallet)), by: .agent(Scenario.ann),
      refused: .payeeNotFound)
  }

  @Test func `an asset that does not exist is no wallet's currency`() {
    expect(
      given: Self.given, when: Scenario.pay(1, in: AssetNumber(99)), by: .agent(Scenario.ann),
      refused: .currencyDiffers)
  }

  @Test func `what a label is owed cannot overflow`() {
    // The label is owed all that can be counted; ann has money again and pays it once more.
    let given =
      Scenario.agents + [
        Scenario.funded(Scenario.annWallet, Int128.max), Self.registered,
        Scenario.paid(Int128.max, fee: 0, to: .external(Self.payee)),
        Scenario.funded(Scenario.annWallet, 10_000),
      ]
    expect(
      given: given, when: Scenario.pay(1, to: .external(label: Self.label)),
      by: .agent(Scenario.ann), refused: .amountOutOfRange)
  }
}
