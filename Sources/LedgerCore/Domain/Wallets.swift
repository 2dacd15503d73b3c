/// Wallets: whose money it is, in one asset each; and the assets themselves.
///
/// Life of a wallet:
///
///     opened ──▶ open
///
/// Invariant: a wallet holds one asset, fixed when it is opened; available is never below zero.
public enum Wallets {
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
  }

  // MARK: - State

  /// Wallets with their balances, and the assets.
  struct State: ~Copyable {
    /// One cache line a wallet.
    struct Wallet: BitwiseCopyable {
      var available: Int128
      /// Sum of the open holds; no command of this version makes one.
      var held: Int128
      var agent: AgentNumber
      var asset: AssetNumber
      var opened: EventNumber
      var unused: UInt64 = 0
    }
    struct Asset: BitwiseCopyable {
      var code: UInt128
      var scale: UInt64
      var unused: UInt64 = 0
    }

    var wallets: Table<Kinds.Wallet, Wallet>
    fileprivate var assets: Table<Kinds.Asset, Asset>

    init(undo: Undo) {
      wallets = Table(undo: undo)
      assets = Table(undo: undo)
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

    mutating func addAsset(_ code: AssetCode, scale: UInt8) {
      assets.append(Asset(code: code.bytes, scale: UInt64(scale)))
    }

    mutating func reserve(_ events: Int) {
      wallets.reserve(events)
      assets.reserve(events)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try wallets.withBytes(body)
      try assets.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try wallets.load(from: &source)
      try assets.load(from: &source)
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
    }
  }

  // MARK: - Evolve

  static func evolve(_ state: inout State, _ event: Event, _ header: Header) {
    switch event {
    case .opened(let wallet, let agent, let asset):
      precondition(state.next == wallet && state.contains(asset))
      state.wallets.append(
        State.Wallet(
          available: 0, held: 0, agent: agent, asset: asset, opened: header.number))
    case .funded(let wallet, let amount, let asset):
      precondition(state.wallets[wallet].asset == asset && amount > .zero)
      state.wallets[wallet].available += amount.units
    case .assetAdded(let asset, let code, let scale):
      precondition(state.nextAsset == asset)
      state.addAsset(code, scale: scale)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .opened, .assetAdded: break
    case .funded(let wallet, let amount, let asset):
      postings.post(amount, asset, debit: .faucet, credit: .walletAvailable(wallet))
    }
  }
}
