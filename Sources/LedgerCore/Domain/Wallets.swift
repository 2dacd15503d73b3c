/// Wallets: whose money it is, in one asset each; and the assets themselves.
///
/// Life of a wallet, as ``Status/after(_:)`` has it:
///
///     open ──▶ open ◀──▶ frozen
///               ▲
///               └──────▶ closed
///
/// Invariant: a wallet holds one asset, fixed when it is opened; available is never below zero. A
/// closed wallet has nothing: what still comes back to it is set aside for its agent, until the
/// wallet is reopened.
public enum Wallets {
  /// What may happen with a wallet (`accounting.md` 5). The raw value is part of the state.
  public enum Status: UInt8, Hashable, Sendable, CaseIterable {
    /// Everything.
    case open = 0
    /// Nothing new is taken from it; what ends an obligation and what is credited passes.
    case frozen = 1
    /// Nothing, until it is reopened.
    case closed = 2

    /// The status after `step`, or `nil` where the step is not allowed.
    public func after(_ step: Step) -> Status? {
      switch (self, step) {
      case (.open, .freeze): .frozen
      case (.frozen, .unfreeze): .open
      case (.open, .close): .closed
      case (.closed, .reopen): .open
      case (.open, .unfreeze), (.open, .reopen), (.frozen, .freeze), (.frozen, .close),
        (.frozen, .reopen), (.closed, .freeze), (.closed, .unfreeze), (.closed, .close):
        nil
      }
    }
  }

  /// What can be done with a wallet's status.
  public enum Step: UInt8, Hashable, Sendable, CaseIterable {
    /// Staff stops what is new.
    case freeze
    /// Staff lets it go on.
    case unfreeze
    /// It ends, empty.
    case close
    /// It begins again.
    case reopen
  }

  // MARK: - Commands

  /// What can be asked about wallets and assets.
  public enum Command: Hashable, Sendable {
    /// Opens another wallet for an agent: by himself or by staff.
    case open(agent: AgentNumber, asset: AssetNumber)
    /// Gives money from the faucet of a test ledger [AP-12]. By the wallet's agent or by staff.
    ///
    /// - `asset`: the currency named, or none for the wallet's own.
    /// - `cap`: the most that one call may give [AP-13], a setting of whoever calls.
    case fund(
      WalletNumber, amount: Amount, asset: AssetNumber = .none, cap: Amount = .commandMax)
    /// Adds an asset with `scale` decimals, 0 to 18. Staff only.
    case addAsset(AssetCode, scale: UInt8)
    /// Lets nothing new be taken from a wallet. Staff only; the request's first text is the reason.
    case freeze(WalletNumber)
    /// Takes a freeze back. Staff only; the first text is the reason.
    case unfreeze(WalletNumber)
    /// Closes a wallet of the actor's and moves what is left to another of the same agent and
    /// asset. Less than any rail can carry is left to the platform where no wallet is named. One
    /// that a policy is about is closed by whoever manages the tenant.
    case close(WalletNumber, to: WalletNumber = .none)
    /// Opens a closed wallet again, and puts there what was set aside for its agent.
    case reopen(WalletNumber)
  }

  // MARK: - Events

  /// What happens to wallets and assets.
  public enum Event: Hashable, Sendable {
    /// A wallet of `agent` in `asset` was opened, empty.
    case opened(wallet: WalletNumber, agent: AgentNumber, asset: AssetNumber)
    /// The faucet gave `amount`, greater than zero, in the wallet's asset.
    case funded(wallet: WalletNumber, amount: Amount, asset: AssetNumber)
    /// An asset was added; its ledger unit is 10^-scale.
    case assetAdded(asset: AssetNumber, code: AssetCode, scale: UInt8)
    /// Nothing new is taken from the wallet any more.
    case frozen(wallet: WalletNumber)
    /// It may be used again.
    case unfrozen(wallet: WalletNumber)
    /// It is closed, and `amount`, at least zero, which was left, is in the wallet `to` or, where
    /// that is none, the platform's.
    case closed(wallet: WalletNumber, to: WalletNumber, amount: Amount, asset: AssetNumber)
    /// It is open again, with `amount`, at least zero, which was set aside for its agent.
    case reopened(
      wallet: WalletNumber, agent: AgentNumber, amount: Amount, asset: AssetNumber)
    /// What came back to a closed wallet is kept for its agent.
    case setAside(wallet: WalletNumber, agent: AgentNumber, amount: Amount, asset: AssetNumber)
  }

  // MARK: - State

  /// Wallets with their balances, and the assets.
  struct State: ~Copyable {
    /// One cache line a wallet.
    struct Wallet: BitwiseCopyable {
      var available: Int128
      /// Sum of the open holds.
      var held: Int128
      var agent: AgentNumber
      var asset: AssetNumber
      var opened: EventNumber
      /// The status in the lowest byte, above it the agent's wallet before this one, or none.
      fileprivate var facts: UInt64 = 0

      init(
        available: Int128, held: Int128, agent: AgentNumber, asset: AssetNumber, opened: EventNumber
      ) {
        self.available = available
        self.held = held
        self.agent = agent
        self.asset = asset
        self.opened = opened
      }

      @inline(__always)
      var status: Status {
        guard let status = Status(rawValue: UInt8(truncatingIfNeeded: facts)) else {
          preconditionFailure("a wallet in an unknown status")
        }
        return status
      }

      /// The agent's wallet that was opened before this one, or none.
      var previous: WalletNumber { WalletNumber(facts >> 8) }
    }
    /// What is kept for an agent in one asset, because it came back to a closed wallet.
    struct Suspense: BitwiseCopyable {
      var balance: Int128
      var agent: AgentNumber
      var asset: AssetNumber
    }
    enum SuspenseKind {}
    struct Asset: BitwiseCopyable {
      var code: UInt128
      var scale: UInt64
      var unused: UInt64 = 0
    }

    var wallets: Table<Kinds.Wallet, Wallet>
    fileprivate var assets: Table<Kinds.Asset, Asset>
    /// The newest wallet of each agent; the others are behind it.
    private var newest: Table<Kinds.Agent, WalletNumber>
    private(set) var suspenses: Table<SuspenseKind, Suspense>
    private var suspenseByAgent: Index

    init(undo: Undo) {
      wallets = Table(undo: undo)
      assets = Table(undo: undo)
      newest = Table(undo: undo)
      suspenses = Table(undo: undo)
      suspenseByAgent = Index(undo: undo)
    }

    var next: WalletNumber { wallets.next }
    var nextAsset: AssetNumber { assets.next }
    func contains(_ asset: AssetNumber) -> Bool { assets.contains(asset) }
    func contains(_ wallet: WalletNumber) -> Bool { wallets.contains(wallet) }

    /// Code and scale of an asset that exists.
    func asset(_ number: AssetNumber) -> (code: AssetCode, scale: UInt8) {
      let row = assets[number]
      return (AssetCode(bytes: row.code), UInt8(truncatingIfNeeded: row.scale))
    }

    /// The asset of this code, or none. O(assets).
    func asset(coded code: AssetCode) -> AssetNumber {
      for raw in stride(from: UInt64(1), through: UInt64(assets.count), by: 1) {
        let number = AssetNumber(raw)
        if assets[number].code == code.bytes { return number }
      }
      return .none
    }

    /// The wallet that the agent opened last, or none; see ``Wallet/previous`` for the others.
    func newest(of agent: AgentNumber) -> WalletNumber {
      newest.contains(agent) ? newest[agent] : .none
    }

    /// Opens the next wallet. An agent's first is opened before the agent is registered.
    fileprivate mutating func open(
      agent: AgentNumber, asset: AssetNumber, opened: EventNumber
    ) {
      var wallet = Wallet(available: 0, held: 0, agent: agent, asset: asset, opened: opened)
      let number = wallets.next
      if newest.contains(agent) {
        wallet.facts = newest[agent].rawValue << 8
        newest[agent] = number
      } else {
        precondition(newest.next == agent, "agents are numbered in the order of their wallets")
        newest.append(number)
      }
      wallets.append(wallet)
    }

    /// What is set aside for an agent.
    func suspense(of agent: AgentNumber, in asset: AssetNumber) -> Amount {
      let row = Number<SuspenseKind>(suspenseByAgent.find(Self.key(agent, asset)))
      return row.isSome ? Amount(units: suspenses[row].balance) : .zero
    }

    mutating func addSuspense(
      _ units: Int128, of agent: AgentNumber, in asset: AssetNumber
    ) {
      var row = Number<SuspenseKind>(suspenseByAgent.find(Self.key(agent, asset)))
      if !row.isSome {
        row = suspenses.next
        suspenses.append(Suspense(balance: 0, agent: agent, asset: asset))
        suspenseByAgent.insert(Self.key(agent, asset), row.rawValue)
      }
      suspenses[row].balance += units
      precondition(suspenses[row].balance >= 0, "more is taken than was set aside")
    }

    private static func key(_ agent: AgentNumber, _ asset: AssetNumber) -> UInt128 {
      UInt128(asset.rawValue) << 64 | UInt128(agent.rawValue)
    }

    /// Takes `units` from what is available. Decide refused what a wallet cannot cover, so a
    /// negative balance here means the log is not the one we wrote.
    @inline(__always)
    mutating func debit(_ units: Int128, from number: WalletNumber) {
      let left = wallets[number].available - units
      precondition(left >= 0, "an event overdraws a wallet")
      wallets[number].available = left
    }

    /// Moves `units` from what is available to what is held.
    mutating func hold(_ units: Int128, of number: WalletNumber) {
      debit(units, from: number)
      wallets[number].held += units
    }

    /// Takes `units` from what is held.
    mutating func spendHeld(_ units: Int128, of number: WalletNumber) {
      wallets[number].held -= units
      precondition(wallets[number].held >= 0, "more is taken than was held")
    }

    /// Moves `units` from what is held back to what is available.
    mutating func giveBack(_ units: Int128, to number: WalletNumber) {
      spendHeld(units, of: number)
      wallets[number].available += units
    }

    mutating func addAsset(_ code: AssetCode, scale: UInt8) {
      assets.append(Asset(code: code.bytes, scale: UInt64(scale)))
    }

    mutating func reserve(_ events: Int, suspenses count: Int) {
      wallets.reserve(events)
      assets.reserve(events)
      newest.reserve(events)
      suspenses.reserve(count)
      suspenseByAgent.reserve(count)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try wallets.withBytes(body)
      try assets.withBytes(body)
      try newest.withBytes(body)
      try suspenses.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try wallets.load(from: &source)
      try assets.load(from: &source)
      try newest.load(from: &source)
      try suspenses.load(from: &source)
    }

    /// Makes the index of tables that were loaded.
    mutating func rebuildIndexes() {
      suspenseByAgent.reserve(suspenses.count)
      for raw in 1..<suspenses.next.rawValue {
        let row = suspenses[Number(raw)]
        suspenseByAgent.insert(Self.key(row.agent, row.asset), raw)
      }
    }
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, by actor: Actor, _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .open(let agent, let asset):
      guard ledger.identity.contains(agent), actor.isStaff || actor.agent == agent else {
        throw Refusal(.agentNotFound)
      }
      guard ledger.wallets.contains(asset) else { throw Refusal(.assetNotFound) }
      decision.emit(
        .wallet(.opened(wallet: ledger.wallets.next, agent: agent, asset: asset)))

    case .fund(let wallet, let amount, let asset, let cap):
      guard !ledger.genesis.livemode else { throw Refusal(.testLedgerOnly) }
      guard amount > .zero else { throw Refusal(.amountNotPositive, asked: amount) }
      guard amount <= .commandMax else {
        throw Refusal(.amountOutOfRange, limit: .commandMax, asked: amount)
      }
      guard ledger.wallets.contains(wallet) else { throw Refusal(.walletNotFound) }
      let row = ledger.wallets.wallets[wallet]
      guard actor.isStaff || actor.agent == row.agent else { throw Refusal(.walletNotFound) }
      guard asset == .none || asset == row.asset else { throw Refusal(.currencyDiffers) }
      guard row.status != .closed else { throw Refusal(.walletClosed) }
      guard amount <= cap else { throw Refusal(.fundingCapExceeded, limit: cap, asked: amount) }
      _ = try Amount(units: row.available).adding(amount)
      decision.emit(.wallet(.funded(wallet: wallet, amount: amount, asset: row.asset)))

    case .addAsset(let code, let scale):
      guard actor.isStaff else { throw Refusal(.notPermitted) }
      let number = ledger.wallets.nextAsset
      guard scale <= 18, number.rawValue <= UInt64(UInt16.max),
        AssetCode(code.description) == code
      else { throw Refusal(.assetInvalid) }
      guard ledger.wallets.asset(coded: code) == .none else { throw Refusal(.assetExists) }
      decision.emit(.wallet(.assetAdded(asset: number, code: code, scale: scale)))

    case .freeze(let number):
      guard actor.isStaff else { throw Refusal(.notPermitted) }
      _ = try wallet(number, .freeze, by: actor, ledger)
      decision.emit(.wallet(.frozen(wallet: number)), with: .own)
    case .unfreeze(let number):
      guard actor.isStaff else { throw Refusal(.notPermitted) }
      _ = try wallet(number, .unfreeze, by: actor, ledger)
      decision.emit(.wallet(.unfrozen(wallet: number)), with: .own)
    case .close(let number, let to):
      try close(number, to: to, by: actor, ledger, into: &decision)
    case .reopen(let number):
      let row = try wallet(number, .reopen, by: actor, ledger)
      decision.emit(
        .wallet(
          .reopened(
            wallet: number, agent: row.agent,
            amount: ledger.wallets.suspense(of: row.agent, in: row.asset), asset: row.asset)))
    }
  }

  /// A wallet of the actor's, or any for staff, in a status that allows `step`.
  private static func wallet(
    _ number: WalletNumber, _ step: Step, by actor: Actor, _ ledger: borrowing Ledger
  ) throws(Refusal) -> State.Wallet {
    guard ledger.wallets.contains(number) else { throw Refusal(.walletNotFound) }
    let row = ledger.wallets.wallets[number]
    guard actor.agent == row.agent || actor.manages(ledger.tenant(of: number)) else {
      throw Refusal(.walletNotFound)
    }
    guard row.status.after(step) != nil else {
      switch row.status {
      case .open: throw Refusal(.walletOpen)
      case .frozen: throw Refusal(.walletFrozen)
      case .closed: throw Refusal(.walletClosed)
      }
    }
    return row
  }

  private static func close(
    _ number: WalletNumber, to: WalletNumber, by actor: Actor, _ ledger: borrowing Ledger,
    into decision: inout Decision
  ) throws(Refusal) {
    let row = try wallet(number, .close, by: actor, ledger)
    guard row.held == 0 else {
      throw Refusal(.walletInUse, used: Amount(units: row.held))
    }
    let rest = Amount(units: row.available)
    if to.isSome {
      guard ledger.wallets.contains(to) else { throw Refusal(.payeeNotFound) }
      guard to != number else { throw Refusal(.selfPayment) }
      let target = ledger.wallets.wallets[to]
      // Without a fee, so only between wallets of one agent.
      guard target.agent == row.agent else { throw Refusal(.payeeNotFound) }
      guard target.asset == row.asset else { throw Refusal(.currencyDiffers) }
      guard target.status != .closed else { throw Refusal(.payeeClosed) }
      _ = try Amount(units: target.available).adding(rest)
    } else {
      let dust = dustLimit(of: row.asset, ledger)
      guard rest < dust else { throw Refusal(.walletNotEmpty, limit: dust, asked: rest) }
    }
    // What is looked up by hash comes last. An agent would close a wallet to be rid of its policy.
    guard !actor.agent.isSome || !ledger.policies.isAbout(.wallet(number)) else {
      throw Refusal(.walletRestricted)
    }
    guard !ledger.receivables.oldest(of: row.agent, in: row.asset).isSome,
      !ledger.disputes.isClaimed(number)
    else { throw Refusal(.walletInDispute) }
    decision.emit(
      .wallet(.closed(wallet: number, to: to, amount: rest, asset: row.asset)))
  }

  /// The least amount that any rail of the asset carries; less is dust. Dollars leave by the bank
  /// with 2 decimals, every other asset by a chain with 6.
  static func dustLimit(of asset: AssetNumber, _ ledger: borrowing Ledger) -> Amount {
    let (code, scale) = ledger.wallets.asset(asset)
    let decimals = min(scale, code == .usd ? 2 : 6)
    return Amount(units: (decimals..<scale).reduce(Int128(1)) { units, _ in units * 10 })
  }

  /// Where `wallet` is closed, has what a command credits to it kept for its agent.
  @inline(__always)
  static func setAside(
    _ amount: Amount, of wallet: WalletNumber, _ ledger: borrowing Ledger,
    into decision: inout Decision
  ) {
    let row = ledger.wallets.wallets[wallet]
    guard row.status == .closed else { return }
    decision.emit(
      .wallet(
        .setAside(wallet: wallet, agent: row.agent, amount: amount, asset: row.asset)))
  }

  // MARK: - Evolve

  static func evolve(_ state: inout State, _ event: Event, _ header: Header) {
    switch event {
    case .opened(let wallet, let agent, let asset):
      precondition(state.next == wallet && state.contains(asset))
      state.open(agent: agent, asset: asset, opened: header.number)
    case .funded(let wallet, let amount, let asset):
      precondition(state.wallets[wallet].asset == asset && amount > .zero)
      state.wallets[wallet].available += amount.units
    case .assetAdded(let asset, let code, let scale):
      precondition(state.nextAsset == asset)
      state.addAsset(code, scale: scale)
    case .frozen(let wallet): state.take(.freeze, wallet)
    case .unfrozen(let wallet): state.take(.unfreeze, wallet)
    case .closed(let wallet, let to, let amount, _):
      state.take(.close, wallet)
      state.debit(amount.units, from: wallet)
      precondition(state.wallets[wallet].available == 0, "a closed wallet has nothing")
      if to.isSome { state.wallets[to].available += amount.units }
    case .reopened(let wallet, let agent, let amount, let asset):
      state.take(.reopen, wallet)
      if amount > .zero { state.addSuspense(-amount.units, of: agent, in: asset) }
      state.wallets[wallet].available += amount.units
    case .setAside(let wallet, let agent, let amount, let asset):
      state.debit(amount.units, from: wallet)
      state.addSuspense(amount.units, of: agent, in: asset)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .opened, .assetAdded, .frozen, .unfrozen: break
    case .funded(let wallet, let amount, let asset):
      postings.post(amount, asset, debit: .faucet, credit: .walletAvailable(wallet))
    case .closed(let wallet, let to, let amount, let asset):
      postings.post(
        amount, asset, debit: .walletAvailable(wallet),
        credit: to.isSome ? .walletAvailable(to) : .dust)
    case .reopened(let wallet, let agent, let amount, let asset):
      postings.post(amount, asset, debit: .suspense(agent), credit: .walletAvailable(wallet))
    case .setAside(let wallet, let agent, let amount, let asset):
      postings.post(amount, asset, debit: .walletAvailable(wallet), credit: .suspense(agent))
    }
  }
}

extension Wallets.State {
  /// Moves a wallet on in its machine.
  fileprivate mutating func take(_ step: Wallets.Step, _ number: WalletNumber) {
    guard let status = wallets[number].status.after(step) else {
      preconditionFailure("a wallet that is \(wallets[number].status) cannot \(step)")
    }
    wallets[number].facts = wallets[number].facts & ~0xFF | UInt64(status.rawValue)
  }
}

extension AssetCode {
  /// The dollar.
  static let usd = AssetCode(bytes: 0x44_5355)
}
