import LedgerCore

/// Why two ledgers that should agree do not.
struct Mismatch: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) {
    self.description = description
  }
}

/// What the log alone says: balances by following every event through `Event.postings`, and the
/// invariants that hold after each (`reliability.md` 4).
struct Books {
  struct Sum {
    var account: Account
    var asset: AssetNumber
    var debits: Int128 = 0
    var credits: Int128 = 0

    /// As the account's normal side has it.
    var balance: Int128 { account.isDebitNormal ? debits - credits : credits - debits }
  }

  private(set) var sums: [Sum] = []
  private(set) var last: Header?
  /// Whose external payee each is, from payee 1.
  private var payeeTenants: [TenantNumber] = []

  /// Takes the next event, and says what is not so after it.
  mutating func follow(_ recorded: Recorded) throws(Mismatch) {
    try follow(recorded.header)
    if case .payment(.payeeRegistered(let payee, let tenant, _, _)) = recorded.event {
      payeeTenants.append(tenant)
      guard payee.rawValue == UInt64(payeeTenants.count) else {
        throw Mismatch("payee \(payee) is not the next one: \(recorded)")
      }
    }
    var postings = Postings()
    recorded.event.postings(into: &postings)
    for index in 0..<postings.count { try post(postings[index], recorded) }
    try check(recorded)
  }

  /// What `account` holds in `asset`, as its normal side has it.
  func balance(_ account: Account, _ asset: AssetNumber) -> Int128 {
    sums.first { $0.account == account && $0.asset == asset }?.balance ?? 0
  }

  /// The account's name in the chart (`accounting.md` 3).
  func name(_ account: Account) throws(Mismatch) -> String {
    switch account {
    case .faucet: return "Assets:Rail:Faucet"
    case .walletAvailable(let wallet): return "Liabilities:Wallet:\(wallet):Available"
    case .feeIncome(let rail): return "Income:Fees:\(rail)"
    case .external(let payee):
      guard payee.isSome, payee.rawValue <= UInt64(payeeTenants.count) else {
        throw Mismatch("payee \(payee) was never registered")
      }
      return "Liabilities:External:\(payeeTenants[Int(payee.rawValue) - 1]):\(payee)"
    }
  }

  /// Numbers are without gaps, times strictly later.
  private mutating func follow(_ header: Header) throws(Mismatch) {
    guard header.number.rawValue == (last?.number.rawValue ?? 0) + 1 else {
      throw Mismatch("event \(header.number) follows \(last?.number ?? .none)")
    }
    if let last, header.time <= last.time {
      throw Mismatch("event \(header.number) is not recorded after its predecessor: \(header)")
    }
    last = header
  }

  private mutating func post(_ posting: Posting, _ recorded: Recorded) throws(Mismatch) {
    guard posting.amount > .zero, posting.debit != posting.credit, posting.asset.isSome else {
      throw Mismatch("\(posting) moves nothing, in \(recorded)")
    }
    sums[place(of: posting.debit, posting.asset)].debits += posting.amount.units
    sums[place(of: posting.credit, posting.asset)].credits += posting.amount.units
  }

  private mutating func place(of account: Account, _ asset: AssetNumber) -> Int {
    if let place = sums.firstIndex(where: { $0.account == account && $0.asset == asset }) {
      return place
    }
    sums.append(Sum(account: account, asset: asset))
    return sums.count - 1
  }

  /// In each asset debits equal credits; no account is below zero.
  private func check(_ recorded: Recorded) throws(Mismatch) {
    var differences: [(asset: AssetNumber, units: Int128)] = []
    for sum in sums {
      guard sum.balance >= 0 || sum.account.mayBeNegative else {
        throw Mismatch("\(sum.account) is below zero: \(sum.balance), after \(recorded)")
      }
      let units = sum.debits - sum.credits
      if let place = differences.firstIndex(where: { $0.asset == sum.asset }) {
        differences[place].units += units
      } else {
        differences.append((sum.asset, units))
      }
    }
    for difference in differences where difference.units != 0 {
      throw Mismatch(
        "asset \(difference.asset) is not conserved: \(difference.units), after \(recorded)")
    }
  }
}
