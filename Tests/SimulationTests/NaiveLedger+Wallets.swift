@testable import LedgerCore

extension NaiveLedger {
  mutating func perform(
    _ command: Wallets.Command, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    switch command {
    case .open(let agent, let asset): try open(agent, asset, by: actor)
    case .fund(let wallet, let amount, let asset, let cap):
      try fund(wallet, amount.units, asset, cap: cap.units, by: actor)
    case .addAsset(let code, let scale): try addAsset(code, scale, by: actor)
    case .freeze(let wallet): try freeze(wallet, by: actor, text)
    case .unfreeze(let wallet): try unfreeze(wallet, by: actor, text)
    case .close(let wallet, let to): try close(wallet, to: to, by: actor)
    case .reopen(let wallet): try reopen(wallet, by: actor)
    }
  }

  private mutating func open(
    _ agent: AgentNumber, _ asset: AssetNumber, by actor: Actor
  ) throws(Refusal) {
    guard let owner = place(agent.rawValue, in: agents.count),
      isStaff(actor) || self.agent(actor) == owner
    else { throw Refusal(.agentNotFound) }
    guard place(asset.rawValue, in: assets.count) != nil else { throw Refusal(.assetNotFound) }
    openWallet(UInt64(owner + 1), asset, by: actor)
  }

  mutating func openWallet(_ agent: UInt64, _ asset: AssetNumber, by actor: Actor) {
    let opened = EventNumber(UInt64(log.count + 1))
    wallets.append(Wallet(agent: agent, asset: asset, opened: opened))
    let event = Wallets.Event.opened(
      wallet: WalletNumber(UInt64(wallets.count)), agent: AgentNumber(agent), asset: asset)
    record(.wallet(event), by: actor)
  }

  private mutating func fund(
    _ number: WalletNumber, _ amount: Int128, _ named: AssetNumber, cap: Int128, by actor: Actor
  ) throws(Refusal) {
    guard !livemode else { throw Refusal(.testLedgerOnly) }
    try checkRange(amount)
    guard let wallet = place(number.rawValue, in: wallets.count), mayUse(wallet, actor)
    else { throw Refusal(.walletNotFound) }
    let asset = wallets[wallet].asset
    guard !named.isSome || named == asset || bug == .namedAssetIsIgnored
    else { throw Refusal(.currencyDiffers) }
    guard wallets[wallet].status != .closed || bug == .closedWalletIsFunded
    else { throw Refusal(.walletClosed) }
    guard amount <= (bug == .capIsOneLess ? cap - 1 : cap) || bug == .capIsIgnored else {
      throw Refusal(
        .fundingCapExceeded, limit: Amount(units: cap), asked: Amount(units: amount))
    }
    move(amount, asset, debit: Self.faucet, credit: Self.wallet(wallet))
    let event = Wallets.Event.funded(
      wallet: number, amount: Amount(units: amount), asset: asset)
    record(.wallet(event), by: actor)
  }

  /// Takes in what came by a rail, and records it.
  mutating func deposit(_ deposits: [Deposit]) {
    for deposit in deposits where deposit.wallet < wallets.count {
      let wallet = wallets[deposit.wallet]
      guard wallet.status != .closed, oldestDebt(of: wallet.agent, in: wallet.asset) == nil
      else { continue }
      let event = Wallets.Event.funded(
        wallet: WalletNumber(UInt64(deposit.wallet + 1)), amount: Amount(units: deposit.units),
        asset: wallet.asset)
      let header = Header(
        number: EventNumber(UInt64(log.count + 1)), time: Timestamp(nanoseconds: time),
        actor: .ledger)
      take(deposit: Recorded(header: header, event: .wallet(event)))
    }
  }

  mutating func take(deposit: Recorded) {
    guard case .wallet(.funded(let wallet, let amount, let asset)) = deposit.event else { return }
    move(
      amount.units, asset, debit: Self.faucet,
      credit: Self.wallet(Int(wallet.rawValue) - 1))
    log.append(deposit)
  }

  private mutating func addAsset(
    _ code: AssetCode, _ scale: UInt8, by actor: Actor
  ) throws(Refusal) {
    guard isStaff(actor) else { throw Refusal(.notPermitted) }
    guard AssetCode(code.description)?.bytes == code.bytes, scale <= 18
    else { throw Refusal(.assetInvalid) }
    guard !assets.contains(where: { $0.bytes == code.bytes })
    else { throw Refusal(.assetExists) }
    assets.append(code)
    scales.append(scale)
    let event = Wallets.Event.assetAdded(
      asset: AssetNumber(UInt64(assets.count)), code: code, scale: scale)
    record(.wallet(event), by: actor)
  }
}

// MARK: - What stops and ends a wallet

extension NaiveLedger {
  /// The wallet, from 0, where the actor is staff and it has this status.
  private func wallet(
    _ number: WalletNumber, that status: Wallets.Status, byStaff actor: Actor
  ) throws(Refusal) -> Int {
    guard isStaff(actor) || bug == .anybodyMayFreeze else { throw Refusal(.notPermitted) }
    guard let wallet = place(number.rawValue, in: wallets.count)
    else { throw Refusal(.walletNotFound) }
    try check(wallet, is: status)
    return wallet
  }

  /// The same, where the wallet is the actor's or he is staff.
  private func wallet(
    _ number: WalletNumber, that status: Wallets.Status, of actor: Actor
  ) throws(Refusal) -> Int {
    guard let wallet = place(number.rawValue, in: wallets.count),
      mayUse(wallet, actor) || manages(tenant(of: wallet), actor)
    else { throw Refusal(.walletNotFound) }
    try check(wallet, is: status)
    return wallet
  }

  /// A wallet of another status than this one is refused by the one it has.
  private func check(_ wallet: Int, is status: Wallets.Status) throws(Refusal) {
    guard wallets[wallet].status != status else { return }
    switch wallets[wallet].status {
    case .open: throw Refusal(.walletOpen)
    case .frozen: throw Refusal(.walletFrozen)
    case .closed: throw Refusal(.walletClosed)
    }
  }

  private mutating func freeze(
    _ number: WalletNumber, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    let wallet = try wallet(number, that: .open, byStaff: actor)
    wallets[wallet].status = .frozen
    record(.wallet(.frozen(wallet: number)), by: actor, text)
  }

  private mutating func unfreeze(
    _ number: WalletNumber, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    let wallet = try wallet(number, that: .frozen, byStaff: actor)
    wallets[wallet].status = .open
    record(.wallet(.unfrozen(wallet: number)), by: actor, text)
  }

  private mutating func close(
    _ number: WalletNumber, to: WalletNumber, by actor: Actor
  ) throws(Refusal) {
    let wallet = try wallet(number, that: .open, of: actor)
    let asset = wallets[wallet].asset
    let (available, held) = (available(wallet), held(wallet))
    guard held == 0 || bug == .walletWithHoldsIsClosed
    else { throw Refusal(.walletInUse, used: Amount(units: held)) }
    if bug == .disputeBarsBeforeTheHeir, isInDispute(wallet) { throw Refusal(.walletInDispute) }
    var credit = Self.dust
    if to.isSome {
      credit = Self.wallet(try heir(to, of: wallet))
    } else {
      let least = leastAmount(asset)
      let limit = bug == .dustMayBeOneMore ? least + 1 : least
      guard available < limit else {
        throw Refusal(
          .walletNotEmpty, limit: Amount(units: least), asked: Amount(units: available))
      }
    }
    let isRestricted = policies.contains { policy in
      policy.scope == .wallet(number) && policy.stage != .gone
    }
    guard !isRestricted || actor.role != .agent || bug == .agentShedsItsPolicy
    else { throw Refusal(.walletRestricted) }
    guard !isInDispute(wallet) || bug == .walletInDisputeIsClosed
    else { throw Refusal(.walletInDispute) }
    move(available, asset, debit: Self.wallet(wallet), credit: credit)
    wallets[wallet].status = .closed
    let event = Wallets.Event.closed(
      wallet: number, to: to, amount: Amount(units: available), asset: asset)
    record(.wallet(event), by: actor)
  }

  /// The wallet that takes over what is left, from 0.
  private func heir(_ number: WalletNumber, of closing: Int) throws(Refusal) -> Int {
    guard let heir = place(number.rawValue, in: wallets.count)
    else { throw Refusal(.payeeNotFound) }
    guard heir != closing else { throw Refusal(.selfPayment) }
    guard wallets[heir].agent == wallets[closing].agent || bug == .anybodyMayInherit
    else { throw Refusal(.payeeNotFound) }
    guard wallets[heir].asset == wallets[closing].asset else { throw Refusal(.currencyDiffers) }
    guard wallets[heir].status != .closed else { throw Refusal(.payeeClosed) }
    return heir
  }

  /// The least that a rail of the asset carries: a cent by a bank, a millionth on a chain.
  func leastAmount(_ asset: AssetNumber) -> Int128 {
    let index = Int(asset.rawValue) - 1
    let decimals = assets[index].description == "USD" ? 2 : 6
    var least: Int128 = 1
    for _ in 0..<max(Int(scales[index]) - decimals, 0) { least *= 10 }
    return least
  }

  private mutating func reopen(_ number: WalletNumber, by actor: Actor) throws(Refusal) {
    let wallet = try wallet(number, that: .closed, of: actor)
    let (agent, asset) = (wallets[wallet].agent, wallets[wallet].asset)
    let suspense = Self.suspense(agent)
    let units = bug == .reopenForgetsTheSuspense ? 0 : balance(suspense, asset)
    move(units, asset, debit: suspense, credit: Self.wallet(wallet))
    wallets[wallet].status = .open
    let event = Wallets.Event.reopened(
      wallet: number, agent: AgentNumber(agent), amount: Amount(units: units), asset: asset)
    record(.wallet(event), by: actor)
  }

  /// What was just credited to a closed wallet is kept for its agent.
  mutating func setAside(_ units: Int128, _ wallet: Int, by actor: Actor) {
    guard wallets[wallet].status == .closed, bug != .closedWalletKeepsCredits else { return }
    let (agent, asset) = (wallets[wallet].agent, wallets[wallet].asset)
    move(units, asset, debit: Self.wallet(wallet), credit: Self.suspense(agent))
    let event = Wallets.Event.setAside(
      wallet: WalletNumber(UInt64(wallet + 1)), agent: AgentNumber(agent),
      amount: Amount(units: units), asset: asset)
    record(.wallet(event), by: actor)
  }
}

// MARK: - Pauses

extension NaiveLedger {
  private func check(_ scope: Pauses.Scope, by actor: Actor) throws(Refusal) {
    guard isStaff(actor) else { throw Refusal(.notPermitted) }
    guard case .tenant(let tenant) = scope else { return }
    guard place(tenant.rawValue, in: tenants.count) != nil
    else { throw Refusal(.tenantNotFound) }
  }

  mutating func pause(
    _ scope: Pauses.Scope, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    try check(scope, by: actor)
    guard !pauses.contains(scope) else { throw Refusal(.alreadyPaused) }
    pauses.append(scope)
    record(.pause(.paused(scope)), by: actor, text)
  }

  mutating func resume(
    _ scope: Pauses.Scope, by actor: Actor, _ text: String?
  ) throws(Refusal) {
    try check(scope, by: actor)
    guard pauses.contains(scope) else { throw Refusal(.notPaused) }
    pauses.removeAll { $0 == scope || bug == .resumeResumesEverything }
    record(.pause(.resumed(scope)), by: actor, text)
  }
}
