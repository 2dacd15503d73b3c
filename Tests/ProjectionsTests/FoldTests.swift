import Foundation
import Testing

@testable import LedgerCore
@testable import Projections

/// Goal: each event changes exactly the rows that its postings name.
/// Method: given events and an event, then rows. A real environment, no engine.
@Suite struct FoldTests {
  @Test func `a wallet begins empty, in its asset`() throws {
    let world = try World(given: [])
    try world.when(.opened(1, in: 2))
    #expect(try world.balance(1) == world.expected(1, in: 2, available: 0))
    #expect(try world.balance(2) == nil)
    #expect(try world.timeline(1) == [1])
  }

  @Test func `the faucet's debit is the wallet's credit`() throws {
    let world = try World(given: [.opened(1, in: 1)])
    try world.when(.funded(1, 500))
    #expect(try world.balance(1) == world.expected(1, in: 1, available: 500))
    #expect(try world.account(.faucet) == 500)
    #expect(try world.timeline(1) == [2, 1])
  }

  @Test func `a payment debits amount and fee, and credits payee and income`() throws {
    let world = try World(given: [.opened(1, in: 1), .opened(2, in: 1), .funded(1, 500)])
    try world.when(.paid(1, to: .wallet(WalletNumber(2)), 100, fee: 4))
    #expect(try world.balance(1)?.available.units == 396)
    #expect(try world.balance(2)?.available.units == 100)
    #expect(try world.account(.feeIncome(.internal)) == 4)
    #expect(try world.account(.faucet) == 500)
    #expect(try world.timeline(1) == [4, 3, 1])
    #expect(try world.timeline(2) == [4, 2])
  }

  @Test func `a payment to a label touches its payer only`() throws {
    let world = try World(given: [.opened(1, in: 1), .funded(1, 500)])
    try world.when(.paid(1, to: .external(PayeeNumber(1)), 100, fee: 0))
    #expect(try world.balance(1)?.available.units == 400)
    #expect(try world.account(.external(PayeeNumber(1))) == 100)
    #expect(try world.account(.feeIncome(.internal)) == 0)
    #expect(try world.timeline(1) == [3, 2, 1])
  }

  @Test func `a split touches each of its wallets once, and each label has its part`() throws {
    let world = try World(given: [
      .opened(1, in: 1), .opened(2, in: 1), .opened(3, in: 1), .funded(1, 500),
    ])
    try world.when(.split(1, to: [.wallet(2, 60), .label(1, 25), .wallet(3, 15)], fee: 4))
    #expect(try world.balance(1)?.available.units == 396)
    #expect(try world.balance(2)?.available.units == 60)
    #expect(try world.balance(3)?.available.units == 15)
    #expect(try world.account(.external(PayeeNumber(1))) == 25)
    #expect(try world.account(.feeIncome(.internal)) == 4)
    #expect(try world.timeline(1) == [5, 4, 1])
    #expect(try world.timeline(2) == [5, 2])
    #expect(try world.timeline(3) == [5, 3])
    #expect(try world.page(3, before: 5, limit: 9).events == [3])

    try world.when(.refunded([.wallet(2, 6), .label(1, 2), .wallet(3, 2)], to: 1, fee: 1, of: 5))
    #expect(try world.balance(1)?.available.units == 407)
    #expect(try world.balance(2)?.available.units == 54)
    #expect(try world.balance(3)?.available.units == 13)
    #expect(try world.account(.external(PayeeNumber(1))) == 23)
    #expect(try world.account(.feeIncome(.internal)) == 3)
    #expect(try world.timeline(3) == [6, 5, 3])
    #expect(try world.page(of: .event(EventNumber(5)), before: nil, limit: 9).events == [6])
  }

  /// Who gives nothing of a refund is not touched by it, unless something of his fee comes back.
  @Test func `receivers who bear the fee get their parts less it, and get it back`() throws {
    let world = try World(given: [
      .opened(1, in: 1), .opened(2, in: 1), .opened(3, in: 1), .funded(1, 500),
    ])
    try world.when(
      .split(1, to: [.wallet(2, 60, fee: 3), .wallet(3, 40, fee: 2)], fee: 5, side: .payee))
    #expect(try world.balance(1)?.available.units == 400)
    #expect(try world.balance(2)?.available.units == 57)
    #expect(try world.balance(3)?.available.units == 38)
    try world.when(
      .refunded(
        [.wallet(2, 1, fee: 1), .wallet(3, 0)], to: 1, fee: 1, of: 5, side: .payee))
    #expect(try world.balance(1)?.available.units == 401)
    #expect(try world.balance(2)?.available.units == 57)
    #expect(try world.balance(3)?.available.units == 38)
    #expect(try world.account(.feeIncome(.internal)) == 4)
    #expect(try world.timeline(2) == [6, 5, 2])
    #expect(try world.timeline(3) == [5, 3])
  }

  @Test func `the most receivers are all on their timelines`() throws {
    let count = UInt64(Splits.countMax)
    let world = try World(
      given: (1...count + 1).map { .opened($0, in: 1) } + [.funded(count + 1, 5_000)])
    try world.when(
      .split(count + 1, to: (1...count).map { .wallet($0, Int128($0)) }, fee: 7))
    for wallet in 1...count {
      #expect(try world.balance(wallet)?.available.units == Int128(wallet))
      #expect(try world.timeline(wallet) == [count + 3, wallet])
    }
    #expect(try world.balance(count + 1)?.available.units == 5_000 - 528 - 7)
  }

  @Test func `a hold moves from available to held, and its capture and rest out of it`() throws {
    let world = try World(given: [.opened(1, in: 1), .opened(2, in: 1), .funded(1, 500)])
    try world.when(.reserved(1, to: 2, 100, fee: 4))
    #expect(try world.balance(1)?.available.units == 396)
    #expect(try world.balance(1)?.held.units == 104)
    try world.when(.captured(1, to: 2, 50, fee: 2, released: 52, reservation: 4))
    #expect(try world.balance(1)?.available.units == 448)
    #expect(try world.balance(1)?.held.units == 0)
    #expect(try world.balance(2)?.available.units == 50)
    #expect(try world.timeline(1) == [5, 4, 3, 1])
    #expect(try world.timeline(2) == [5, 2])
  }

  /// What is about an event is on that event's own timeline, page by page.
  @Test func `captures are on the timeline of their reservation, refunds on their payment's`()
    throws
  {
    let world = try World(given: [.opened(1, in: 1), .opened(2, in: 1), .funded(1, 500)])
    try world.when(.reserved(1, to: 2, 100, fee: 0))
    for _ in 0..<3 {
      try world.when(.captured(1, to: 2, 10, fee: 0, released: 0, reservation: 4, isLast: false))
    }
    try world.when(.refunded(2, to: 1, 5, of: 6))
    try world.when(.refunded(2, to: 1, 5, of: 6))
    let made = TimelineOwner.event(EventNumber(4))
    #expect(try world.page(of: made, before: nil, limit: 9).events == [7, 6, 5])
    #expect(try world.page(of: made, before: nil, limit: 2).hasMore)
    #expect(try world.page(of: made, before: 6, limit: 9).events == [5])
    let payment = TimelineOwner.event(EventNumber(6))
    #expect(try world.page(of: payment, before: nil, limit: 9).events == [9, 8])
    #expect(try world.page(of: payment, before: 9, limit: 9).events == [8])
    #expect(try world.page(of: .event(EventNumber(5)), before: nil, limit: 9).events.isEmpty)
  }

  @Test func `what is set aside and what is dust have accounts of their own`() throws {
    let world = try World(given: [.opened(1, in: 1), .funded(1, 500)])
    let (wallet, agent, asset) = (WalletNumber(1), AgentNumber(1), AssetNumber(1))
    try world.when(
      .wallet(.setAside(wallet: wallet, agent: agent, amount: Amount(units: 493), asset: asset)))
    try world.when(
      .wallet(.closed(wallet: wallet, to: .none, amount: Amount(units: 7), asset: asset)))
    #expect(try world.account(.suspense(agent)) == 493)
    #expect(try world.account(.dust) == 7)
    try world.when(
      .wallet(.reopened(wallet: wallet, agent: agent, amount: Amount(units: 493), asset: asset)))
    #expect(try world.account(.suspense(agent)) == 0)
    #expect(try world.balance(1)?.available.units == 493)
    try world.when(.wallet(.frozen(wallet: wallet)))
    #expect(try world.timeline(1) == [6, 5, 4, 3, 2, 1])
  }

  @Test func `what concerns no wallet changes the position only`() throws {
    let world = try World(given: [.opened(1, in: 1)])
    try world.when(.fee(.began(schedule: ScheduleNumber(1), effective: .none)))
    #expect(try world.timeline(1) == [1])
    #expect(try world.progress() == [2, 1])
  }

  @Test func `amounts beyond 64 bits are kept to the unit`() throws {
    let large: Int128 = 170_141_183_460_469_231_731_687_303_715_884_105_000
    let world = try World(given: [.opened(1, in: 1), .opened(2, in: 1), .funded(1, large)])
    try world.when(.paid(1, to: .wallet(WalletNumber(2)), large - 1, fee: 1))
    #expect(try world.balance(1)?.available.units == 0)
    #expect(try world.balance(2)?.available.units == large - 1)
  }

  /// Each is an event that cannot follow: the rows before it stay.
  @Test(arguments: [
    (event: Happening.paid(1, to: .wallet(WalletNumber(2)), 498, fee: 3), what: "would be 2 + -3"),
    (.paid(1, to: .wallet(WalletNumber(3)), 1, fee: 0), "wallet 3 is not one in asset 1"),
    (.paid(1, to: .wallet(WalletNumber(4)), 1, fee: 0), "wallet 4 is not one in asset 1"),
    (.funded(1, .max), "would be 500 + "),
    (.opened(1, in: 1), "opened twice"),
    (.funded(0, 1), "names wallet 0"),
  ])
  func `an event that does not fit the rows changes none`(event: Happening, what: String) throws {
    let world = try World(given: [
      .opened(1, in: 1), .opened(2, in: 1), .opened(3, in: 2), .funded(1, 500),
    ])
    let before = try world.dump()
    do {
      try world.when(event)
      Issue.record("\(event) was applied")
    } catch StorageError.damaged(let reason) {
      #expect(reason.contains(what))
    }
    #expect(try world.dump() == before)
    try world.when(.funded(2, 1))
    #expect(try world.balance(2)?.available.units == 1)
    #expect(try world.balance(1)?.available.units == 500)
  }

  @Test func `an event out of its place is refused`() throws {
    let world = try World(given: [.opened(1, in: 1)])
    #expect(throws: StorageError.damaged("event 3 follows 1 in the projections")) {
      try world.apply([.funded(1, 1)], from: 3)
    }
  }

  @Test func `every account has a row of its own, and the row says which`() {
    var keys: Set<UInt64> = []
    for asset in [1, 2, 65_535] as [UInt64] {
      let accounts: [Account] = [
        .faucet, .feeIncome(.internal), .external(PayeeNumber(1)),
        .external(PayeeNumber(1 << 44 - 1)), .suspense(AgentNumber(1)), .dust,
        .disputeHold(EventNumber(1)), .receivable(EventNumber(1)),
      ]
      for account in accounts {
        let key = account.rowKey(in: AssetNumber(asset))
        #expect(keys.insert(key).inserted)
        #expect(Account.of(rowKey: key).map { $0 == (account, AssetNumber(asset)) } == true)
      }
    }
    #expect(Account.of(rowKey: 0) == nil)
    #expect(Account.of(rowKey: 2 << 60 | 1 << 44 | 200) == nil)
  }
}

/// Goal: balances and timelines are right for any history, however it is cut into batches.
/// Method: random events, random batches, and a second, naive model of dictionaries and lists.
@Suite struct RandomFoldTests {
  @Test(arguments: 1...6) func `rows equal a naive model's`(_ seed: UInt64) throws {
    var dice = Dice(seed: seed)
    let walletCount = 3 + dice.below(600)
    var model = NaiveModel()
    let (world, single) = (try World(given: []), try World(given: []))
    for _ in 0..<3_000 {
      let event = model.draw(&dice, walletCount: walletCount)
      model.apply(event)
      try world.applyInMemory([event])
      switch dice.below(120) {
      case 0...1:
        // What is on disk is what the events up to its position make, and nothing newer.
        try world.write {
          let event = model.draw(&dice, walletCount: walletCount)
          model.apply(event)
          try world.applyInMemory([event])
        }
        guard dice.below(8) == 0 else { break }
        let position = try #require(try world.progress())[0]
        let fresh = try World(given: Array(model.history[..<Int(position)]))
        #expect(try world.dump() == fresh.dump(), "seed \(seed)")
      case 2: try world.write(failing: true)
      case 3:
        // Events come while a draft is on its way to the disk, and they are not in it.
        let isFailing = dice.below(2) == 0
        try world.write(failing: isFailing) {
          for _ in 0..<dice.below(100) {
            let event = model.draw(&dice, walletCount: walletCount)
            model.apply(event)
            try world.applyInMemory([event])
          }
        }
      case 4:
        world.restart()
        try world.applyInMemory(Array(model.history[world.eventCount...]))
      case 5: world.forgetWritten()
      default: break
      }
    }
    try check(world, model, "before it is written, seed \(seed)")
    try world.write()
    world.forgetWritten()
    try check(world, model, "seed \(seed)")
    try single.apply(model.history)

    #expect(try world.dump() == single.dump(), "seed \(seed)")
  }

  private func check(_ world: World, _ model: NaiveModel, _ comment: Comment) throws {
    for (wallet, asset) in model.assets {
      let expected = world.expected(wallet, in: asset, available: model.available[wallet] ?? 0)
      #expect(try world.balance(wallet) == expected, comment)
      let events = model.timelines[wallet] ?? []
      #expect(try world.timeline(wallet, limit: .max) == events.reversed(), comment)
    }
    for (account, balance) in model.accounts {
      #expect(try world.account(account.account, in: account.asset) == balance, comment)
    }
  }

  @Test(arguments: 1...4) func `pages are slices of the whole timeline`(_ seed: UInt64) throws {
    var dice = Dice(seed: seed)
    var model = NaiveModel()
    for _ in 0..<2_000 { model.apply(model.draw(&dice, walletCount: 12)) }
    // A third is written, a third is both, a third is in memory alone.
    let world = try World(given: Array(model.history[..<700]))
    world.forgetWritten()
    try world.apply(Array(model.history[700..<1_400]))
    try world.applyInMemory(Array(model.history[1_400...]))
    for (wallet, events) in model.timelines {
      let newestFirst = Array(events.reversed())
      for limit in [1, 7, newestFirst.count, newestFirst.count + 1] {
        #expect(try world.pages(wallet, limit: limit).flatMap { $0 } == newestFirst)
      }
      for _ in 0..<20 {
        // Also a cursor that is on no page of this wallet, or beyond the log.
        let before = UInt64(1 + dice.below(2_200))
        let expected = newestFirst.filter { $0 < before }
        let page = try world.page(wallet, before: before, limit: 9)
        #expect(page.events == Array(expected.prefix(9)), "seed \(seed)")
        #expect(page.hasMore == (expected.count > 9), "seed \(seed)")
      }
    }
  }
}

/// Balances and timelines the long way round.
private struct NaiveModel {
  struct AccountInAsset: Hashable {
    var account: Account
    var asset: UInt64
  }

  var history: [Happening] = []
  var assets: [UInt64: UInt64] = [:]
  var available: [UInt64: Int128] = [:]
  var accounts: [AccountInAsset: Int128] = [:]
  var timelines: [UInt64: [UInt64]] = [:]

  /// An event that can follow.
  func draw(_ dice: inout Dice, walletCount: Int) -> Happening {
    let opened = UInt64(assets.count)
    let mayOpen = opened < walletCount
    if opened < 2 || (mayOpen && dice.below(4) == 0) {
      return .opened(opened + 1, in: 1 + UInt64(dice.below(3)))
    }
    let wallet = 1 + UInt64(dice.below(Int(opened)))
    let asset = assets[wallet] ?? 0
    let has = available[wallet] ?? 0
    guard has > 10, dice.below(5) > 0 else {
      return .funded(wallet, 1 + Int128(dice.below(1 << 40)), in: asset)
    }
    let amount = 1 + Int128(dice.below(Int(min(has - 5, 1 << 40))))
    let fee = Int128(dice.below(5))
    let other = 1 + UInt64(dice.below(Int(opened)))
    if has > 100, dice.below(5) == 0 {
      return split(wallet, asset, fee: fee, &dice, opened: Int(opened))
    }
    guard other != wallet, assets[other] == asset, dice.below(6) > 0 else {
      let payee = PayeeNumber(1 + UInt64(dice.below(20)))
      return .paid(wallet, to: .external(payee), amount, fee: fee, in: asset)
    }
    return .paid(wallet, to: .wallet(WalletNumber(other)), amount, fee: fee, in: asset)
  }

  /// Of at most 100 units, to labels and wallets of the asset, the fee on either side.
  private func split(
    _ wallet: UInt64, _ asset: UInt64, fee: Int128, _ dice: inout Dice, opened: Int
  ) -> Happening {
    let side = dice.below(2) == 0 ? Fees.Side.payer : .payee
    var parts: [Splits.Part] = (1...3).map { .label($0, 2 + Int128(dice.below(9))) }
    let others = (1...UInt64(opened)).filter { $0 != wallet && assets[$0] == asset }
    for other in others.dropFirst(dice.below(others.count + 1)).prefix(7) {
      parts.append(
        .wallet(other, 2 + Int128(dice.below(7)), fee: side == .payee ? Int128(dice.below(2)) : 0))
    }
    let borne = parts.map(\.fee.units).reduce(0, +)
    return .split(wallet, to: parts, fee: side == .payee ? borne : fee, side: side, in: asset)
  }

  mutating func apply(_ event: Happening) {
    history.append(event)
    let number = UInt64(history.count)
    switch event.event {
    case .wallet(.opened(let wallet, _, let asset)):
      assets[wallet.rawValue] = asset.rawValue
      timelines[wallet.rawValue, default: []].append(number)
    case .wallet(.funded(let wallet, let amount, let asset)):
      available[wallet.rawValue, default: 0] += amount.units
      accounts[AccountInAsset(account: .faucet, asset: asset.rawValue), default: 0] += amount.units
      timelines[wallet.rawValue, default: []].append(number)
    case .payment(.completed(let payment)):
      let (payer, asset) = (payment.payer.rawValue, payment.asset.rawValue)
      let onTop = payment.side == .payer ? payment.fee.units : 0
      available[payer, default: 0] -= payment.amount.units + onTop
      timelines[payer, default: []].append(number)
      let income = AccountInAsset(account: .feeIncome(.internal), asset: asset)
      if payment.fee > .zero { accounts[income, default: 0] += payment.fee.units }
      var parts = [Splits.Part(amount: payment.amount, payee: payment.payee)]
      if case .split = payment.payee { parts = Splits.Part.all(event.body.span) }
      for part in parts {
        let credited = part.amount.units - part.fee.units
        switch part.payee {
        case .wallet(let payee):
          available[payee.rawValue, default: 0] += credited
          timelines[payee.rawValue, default: []].append(number)
        case .external(let payee):
          accounts[AccountInAsset(account: .external(payee), asset: asset), default: 0] += credited
        case .split: Issue.record("a receiver is one receiver")
        }
      }
    default: Issue.record("not drawn: \(event)")
    }
  }
}
