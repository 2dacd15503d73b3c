public import LedgerCore

/// Balances of wallets and system accounts, from postings alone.
///
/// Life of a row: a wallet's begins with its asset, when it is opened; an account's with its first
/// posting. Both then only change by postings, in the order of the log.
///
/// Invariant: no balance is below zero after any posting, and for each asset the debit-normal
/// balances add up to the credit-normal ones. The engine's own balances come from `evolve`: two
/// independent computations, which ``Projections/verify()`` compares.
struct Balances: ~Copyable, Sendable {
  /// The rows of system accounts.
  var accounts = RowCache(Layout.accounts, rowWordCount: Layout.accountWordCount)

  /// Begins a wallet's row, with nothing in it.
  static func open(
    _ wallet: WalletNumber, in asset: AssetNumber, _ wallets: inout WalletRows,
    _ transaction: Transaction
  ) throws(StorageError) {
    let place = try wallets.place(of: wallet, transaction)
    guard wallets.rows[place + WalletRows.Column.asset] == 0, asset.isSome else {
      throw .damaged("the projected wallet \(wallet) is opened twice, or in no asset")
    }
    wallets.rows[place + WalletRows.Column.asset] = asset.rawValue
  }

  /// Moves a posting's amount.
  mutating func post(
    _ posting: Posting, _ wallets: inout WalletRows, _ transaction: Transaction
  ) throws(StorageError) {
    try move(posting.debit, posting, isDebit: true, &wallets, transaction)
    try move(posting.credit, posting, isDebit: false, &wallets, transaction)
  }

  private mutating func move(
    _ account: Account, _ posting: Posting, isDebit: Bool, _ wallets: inout WalletRows,
    _ transaction: Transaction
  ) throws(StorageError) {
    let units = account.isDebitNormal == isDebit ? posting.amount.units : -posting.amount.units
    func move(
      _ number: WalletNumber, _ column: Int, _ asset: AssetNumber, _ units: Int128,
      _ account: Account
    ) throws(StorageError) {
      let place = try wallets.place(of: number, transaction)
      guard wallets.rows[place + WalletRows.Column.asset] == asset.rawValue else {
        throw .damaged("the projected wallet \(number) is not one in asset \(asset)")
      }
      let new = try Self.sum(wallets.rows.amount(at: place + column), units, account)
      wallets.rows.setAmount(new, at: place + column)
    }
    switch account {
    case .walletAvailable(let number):
      try move(number, WalletRows.Column.available, posting.asset, units, account)
    case .walletHeld(let number):
      try move(number, WalletRows.Column.held, posting.asset, units, account)
    case .faucet, .external, .feeIncome, .suspense, .dust, .disputeHold, .receivable, .badDebt:
      let place = try accounts.row(account.rowKey(in: posting.asset), transaction)
      let new = try Self.sum(accounts.amount(at: place), units, account)
      accounts.setAmount(new, at: place)
    }
  }

  /// The engine decided each of these movements, so a sum outside its bounds means that the rows
  /// are not the ones we wrote. That ends the projection, which is disposable, and not the process.
  private static func sum(
    _ old: Int128, _ units: Int128, _ account: Account
  ) throws(StorageError) -> Int128 {
    let (new, overflow) = old.addingReportingOverflow(units)
    guard !overflow, new >= 0 || account.mayBeNegative else {
      throw .damaged("the projected balance of \(account) would be \(old) + \(units)")
    }
    return new
  }
}

// MARK: - Reading

/// What a wallet has, as the postings up to some event add up. Amounts are ledger units of
/// ``asset``.
public struct WalletBalance: Hashable, Sendable {
  /// Whose balance it is.
  public var wallet: WalletNumber
  /// The one asset that the wallet holds.
  public var asset: AssetNumber
  /// Spendable. At least zero.
  public var available: Amount
  /// Sum of the open holds. At least zero.
  public var held: Amount
  /// Deposits announced and not final. At least zero.
  public var pending: Amount

  /// Reads the words of a wallet; `nil` where it was not opened.
  init?(_ wallet: WalletNumber, _ words: ArraySlice<UInt64>) {
    let start = words.startIndex
    func amount(_ place: Int) -> Amount {
      let (low, high) = (words[start + place], words[start + place + 1])
      return Amount(units: Int128(truncatingIfNeeded: UInt128(high) << 64 | UInt128(low)))
    }
    guard words[start + WalletRows.Column.asset] != 0 else { return nil }
    self.wallet = wallet
    asset = AssetNumber(words[start + WalletRows.Column.asset])
    available = amount(WalletRows.Column.available)
    held = amount(WalletRows.Column.held)
    pending = amount(WalletRows.Column.pending)
  }

  /// Everything that is owed to the wallet.
  var total: Int128 { available.units + held.units + pending.units }
}

extension Balances {
  /// A system account's balance on its normal side; zero where nothing was ever posted to it.
  /// `account` is no wallet's.
  func balance(
    of account: Account, in asset: AssetNumber, _ transaction: Transaction
  ) throws(StorageError) -> Amount {
    Self.amount(try accounts.copy(account.rowKey(in: asset), transaction))
  }

  /// Hands every wallet's balance to `body`, as they were last written, in the order of their
  /// numbers.
  static func walk(
    _ transaction: Transaction, _ body: (WalletBalance) -> Void
  ) throws(StorageError) {
    try WalletRows.walk(transaction) { wallet, words in
      if let balance = WalletBalance(wallet, words) { body(balance) }
    }
  }

  /// As ``walk(_:_:)`` for every system account, in the order of kind, asset and number.
  static func walk(
    _ transaction: Transaction, _ body: (Account, AssetNumber, Amount) -> Void
  ) throws(StorageError) {
    try transaction.rows(Layout.accounts) { key, words throws(StorageError) in
      guard let (account, asset) = Account.of(rowKey: key), words.count == 2 else {
        throw .damaged("row \(key) of the projected accounts is none that we write")
      }
      body(account, asset, amount(words))
      return true
    }
  }

  private static func amount(_ words: [UInt64]) -> Amount {
    Amount(units: Int128(truncatingIfNeeded: UInt128(words[1]) << 64 | UInt128(words[0])))
  }
}

extension Account {
  /// The account's row: kind in 4 bits, asset in 16, number in 44. Kinds are never reused.
  func rowKey(in asset: AssetNumber) -> UInt64 {
    switch self {
    case .faucet: Self.rowKey(1, asset, 0)
    case .feeIncome(let rail): Self.rowKey(2, asset, UInt64(rail.rawValue))
    case .external(let payee): Self.rowKey(3, asset, payee.rawValue)
    case .suspense(let agent): Self.rowKey(4, asset, agent.rawValue)
    case .dust: Self.rowKey(5, asset, 0)
    case .disputeHold(let dispute): Self.rowKey(6, asset, dispute.rawValue)
    case .receivable(let dispute): Self.rowKey(7, asset, dispute.rawValue)
    case .badDebt: Self.rowKey(8, asset, 0)
    case .walletAvailable, .walletHeld: preconditionFailure("wallets have rows of their own")
    }
  }

  private static func rowKey(_ kind: UInt64, _ asset: AssetNumber, _ number: UInt64) -> UInt64 {
    precondition(asset.rawValue < 1 << 16 && number < 1 << 44)
    return kind << 60 | asset.rawValue << 44 | number
  }

  /// The account of a row; `nil` for a key that no account has.
  static func of(rowKey key: UInt64) -> (Account, AssetNumber)? {
    let asset = AssetNumber(key >> 44 & 0xFFFF)
    let number = key & (1 << 44 - 1)
    switch key >> 60 {
    case 1: return number == 0 ? (.faucet, asset) : nil
    case 2:
      guard let raw = UInt8(exactly: number), let rail = Rail(rawValue: raw) else { return nil }
      return (.feeIncome(rail), asset)
    case 3: return (.external(PayeeNumber(number)), asset)
    case 4: return (.suspense(AgentNumber(number)), asset)
    case 5: return number == 0 ? (.dust, asset) : nil
    case 6: return (.disputeHold(EventNumber(number)), asset)
    case 7: return (.receivable(EventNumber(number)), asset)
    case 8: return number == 0 ? (.badDebt, asset) : nil
    default: return nil  // not ours: a number from the disk
    }
  }
}
