import Testing

@testable import LedgerCore

/// Goal: wallets and assets come to be by rule only, and money only through the faucet of a test
/// ledger.
/// Method: events in, one command, events out. No engine, no disk, no clock.
@Suite struct WalletsTests {
  private static func fund(
    _ units: Int128, _ wallet: WalletNumber = Scenario.annWallet, in asset: AssetNumber = .none,
    cap: Int128 = 1_000
  ) -> Command {
    .wallet(
      .fund(wallet, amount: Amount(units: units), asset: asset, cap: Amount(units: cap)))
  }

  // MARK: - Opening

  @Test(arguments: [
    Actor.agent(Scenario.ann), .operator(OperatorNumber(1)), .administrator,
  ])
  func `an agent, or staff for him, opens another wallet`(actor: Actor) {
    expect(
      when: .wallet(.open(agent: Scenario.ann, asset: Scenario.usdc)), by: actor,
      then: [
        .wallet(
          .opened(wallet: WalletNumber(4), agent: Scenario.ann, asset: Scenario.usdc))
      ])
  }

  /// Each row breaks one rule fewer than the row above.
  @Test(
    arguments: [
      (actor: .agent(Scenario.bob), agent: 99, asset: 99, refused: .agentNotFound),
      (actor: .agent(Scenario.bob), agent: 1, asset: 99, refused: .agentNotFound),
      (actor: .anonymous, agent: 1, asset: 99, refused: .agentNotFound),
      (actor: .agent(Scenario.ann), agent: 1, asset: 99, refused: .assetNotFound),
      (actor: .agent(Scenario.ann), agent: 1, asset: 0, refused: .assetNotFound),
      (actor: .agent(Scenario.ann), agent: 1, asset: 2, refused: nil),
    ] as [(actor: Actor, agent: UInt64, asset: UInt64, refused: Rejection?)])
  func `refusals of opening have an order`(
    _ row: (actor: Actor, agent: UInt64, asset: UInt64, refused: Rejection?)
  ) {
    let command = Command.wallet(
      .open(agent: AgentNumber(row.agent), asset: AssetNumber(row.asset)))
    #expect(refusal(when: command, by: row.actor)?.reason == row.refused)
  }

  // MARK: - Funding

  @Test(arguments: [
    Actor.agent(Scenario.ann), .operator(OperatorNumber(1)), .administrator,
  ])
  func `the faucet gives to the wallet's agent or to staff`(actor: Actor) {
    expect(
      when: Self.fund(1_000), by: actor, then: [Scenario.funded(Scenario.annWallet, 1_000)])
  }

  @Test func `funding debits the faucet`() {
    var postings = Postings()
    Scenario.funded(Scenario.annWallet, 5).postings(into: &postings)
    #expect(postings.count == 1)
    #expect(
      postings[0]
        == Posting(
          amount: Amount(units: 5), asset: Scenario.usd, debit: .faucet,
          credit: .walletAvailable(Scenario.annWallet)))
  }

  @Test func `a live ledger has no faucet`() {
    expect(
      given: [Scenario.liveGenesis] + Scenario.agents, when: Self.fund(1), by: .administrator,
      refused: .testLedgerOnly)
  }

  struct Row: Sendable {
    var given: [Event] = Scenario.agents + [Scenario.funded(Scenario.annWallet, Int128.max)]
    var actor = Actor.agent(Scenario.ann)
    var amount: Int128 = Amount.commandMax.units
    var wallet = Scenario.annWallet
    var asset = Scenario.usdc
    var cap: Int128 = 1_000
    var refused: Rejection?
  }

  /// Each row breaks one rule fewer than the row above, so the order is tested, not only the set.
  @Test(arguments: [
    Row(
      given: [Scenario.liveGenesis] + Scenario.agents, amount: 0, wallet: WalletNumber(99),
      refused: .testLedgerOnly),
    Row(amount: 0, wallet: WalletNumber(99), refused: .amountNotPositive),
    Row(
      amount: Amount.commandMax.units + 1, wallet: WalletNumber(99),
      refused: .amountOutOfRange),
    Row(wallet: WalletNumber(99), refused: .walletNotFound),
    Row(actor: .agent(Scenario.bob), refused: .walletNotFound),
    Row(refused: .currencyDiffers),
    Row(asset: Scenario.usd, refused: .fundingCapExceeded),
    Row(asset: Scenario.usd, cap: Amount.commandMax.units, refused: .amountOutOfRange),
    Row(
      given: Scenario.agents, asset: Scenario.usd, cap: Amount.commandMax.units, refused: nil),
  ])
  func `refusals of funding have an order`(_ row: Row) {
    let command = Self.fund(row.amount, row.wallet, in: row.asset, cap: row.cap)
    #expect(refusal(given: row.given, when: command, by: row.actor)?.reason == row.refused)
  }

  @Test func `the cap is told with what was asked`() {
    #expect(
      refusal(when: Self.fund(1_001), by: .administrator)
        == Refusal(
          .fundingCapExceeded, limit: Amount(units: 1_000), asked: Amount(units: 1_001)))
  }

  // MARK: - Assets

  @Test func `staff adds an asset, and a wallet can hold it`() throws {
    let code = try #require(AssetCode("BRL"))
    let added = Event.wallet(.assetAdded(asset: AssetNumber(3), code: code, scale: 2))
    expect(
      when: .wallet(.addAsset(code, scale: 2)), by: .administrator, then: [added])
    expect(
      given: Scenario.agents + [added],
      when: .wallet(.open(agent: Scenario.bob, asset: AssetNumber(3))), by: .agent(Scenario.bob),
      then: [
        .wallet(
          .opened(wallet: WalletNumber(4), agent: Scenario.bob, asset: AssetNumber(3)))
      ])
  }

  @Test(arguments: [UInt8(0), 18])
  func `scales from 0 to 18 are allowed`(scale: UInt8) throws {
    let code = try #require(AssetCode("XYZ"))
    expect(
      when: .wallet(.addAsset(code, scale: scale)), by: .operator(OperatorNumber(1)),
      then: [.wallet(.assetAdded(asset: AssetNumber(3), code: code, scale: scale))])
  }

  @Test(arguments: [
    UInt128(0), 0x20, 0x41_00_41, 0xFF, 0x7F, 0x0A, UInt128(0x41) << 120,
  ])
  func `a code that no text spells is refused`(bytes: UInt128) {
    expect(
      when: .wallet(.addAsset(AssetCode(bytes: bytes), scale: 2)), by: .administrator,
      refused: .assetInvalid)
  }

  /// Each row breaks one rule fewer than the row above.
  @Test(
    arguments: [
      (actor: Actor.agent(Scenario.ann), scale: 19, code: "USD", refused: .notPermitted),
      (actor: .anonymous, scale: 19, code: "USD", refused: .notPermitted),
      (actor: .administrator, scale: 19, code: "USD", refused: .assetInvalid),
      (actor: .administrator, scale: 9, code: "USD", refused: .assetExists),
      (actor: .administrator, scale: 9, code: "usd", refused: nil),
    ] as [(actor: Actor, scale: UInt8, code: String, refused: Rejection?)])
  func `refusals of adding have an order`(
    _ row: (actor: Actor, scale: UInt8, code: String, refused: Rejection?)
  ) throws {
    let code = try #require(AssetCode(row.code))
    let command = Command.wallet(.addAsset(code, scale: row.scale))
    #expect(refusal(when: command, by: row.actor)?.reason == row.refused)
  }

  @Test func `there are at most 65,535 assets`() throws {
    let added = (3...65_535).map { (number: UInt64) in
      Event.wallet(
        .assetAdded(
          asset: AssetNumber(number), code: AssetCode(bytes: 0x4141_4141 + UInt128(number) << 32),
          scale: 0))
    }
    let code = try #require(AssetCode("NEW"))
    let command = Command.wallet(.addAsset(code, scale: 0))
    expect(given: added, when: command, by: .administrator, refused: .assetInvalid)
    expect(
      given: Array(added.dropLast()), when: command, by: .administrator,
      then: [.wallet(.assetAdded(asset: AssetNumber(65_535), code: code, scale: 0))])
  }

  @Test(arguments: ["USD", "a", "USDC.e.tempo", "ABCDEFGHIJKLMNOP", "!", "~"])
  func `a code is spelled as it was read`(text: String) {
    #expect(AssetCode(text)?.description == text)
  }

  @Test(arguments: ["", "ABCDEFGHIJKLMNOPQ", "A B", "é", "A\u{0}", "\u{7F}", "A\n"])
  func `what is no code is none`(text: String) {
    #expect(AssetCode(text) == nil)
  }
}
