import LedgerCore

/// Why two ledgers that should agree do not.
struct Mismatch: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) {
    self.description = description
  }
}

/// An account and the asset in which its balance is.
struct Place: Hashable {
  var account: Account
  var asset: AssetNumber
}

/// What the log alone says: balances by following every event through `Event.postings`, and the
/// invariants that hold after each (`reliability.md` 4).
struct Books {
  struct Sum {
    var place: Place
    var debits: Int128 = 0
    var credits: Int128 = 0

    /// As the account's normal side has it.
    var balance: Int128 { place.account.isDebitNormal ? debits - credits : credits - debits }
  }

  private(set) var sums: [Sum] = []
  private(set) var last: Header?
  private var lives = Lives()
  /// What the last event credited to a closed wallet, so that the next one must set it aside.
  private var stray: (wallet: WalletNumber, units: Int128)?
  /// Whose external payee each is, from payee 1.
  private var payeeTenants: [TenantNumber] = []
  /// What the last command credited to debtors.
  private var credited: Set<Place> = []

  /// Takes the next event with its body, and says what is not so after it.
  mutating func follow(_ recorded: Recorded, _ body: [UInt8]) throws(Mismatch) {
    try follow(recorded.header)
    switch recorded.event {
    case .receivable, .wallet(.setAside), .dispute(.refunded), .policy(.counted): break
    default: try checkCredited()
    }
    try lives.follow(recorded, body)
    try follow(stray: recorded)
    if case .payment(.payeeRegistered(let payee, let tenant, _, _)) = recorded.event {
      payeeTenants.append(tenant)
      guard payee.rawValue == UInt64(payeeTenants.count) else {
        throw Mismatch("payee \(payee) is not the next one: \(recorded)")
      }
    }
    var postings = Postings()
    recorded.event.postings(body: body.span, into: &postings)
    for index in 0..<postings.count {
      try post(postings[index], recorded)
      credited.insert(Place(account: postings[index].credit, asset: postings[index].asset))
    }
    try check(recorded)
    try checkWallets(recorded)
  }

  /// Who was credited and owes has nothing left there (`accounting.md` 4, "net").
  mutating func checkCredited() throws(Mismatch) {
    for place in credited where balance(place) > 0 && !lives.isNettedInPart {
      guard let agent = lives.owner(of: place.account), lives.owes(agent, in: place.asset)
      else { continue }
      throw Mismatch("\(place.account) of a debtor has \(balance(place)) after \(last as Any)")
    }
    credited = []
  }

  /// What the account holds, as its normal side has it.
  func balance(_ place: Place) -> Int128 {
    sums.first { $0.place == place }?.balance ?? 0
  }

  /// Every wallet's two balances, every payee and everything that is set aside.
  var places: [Place] {
    var places: Set<Place> = []
    for (index, wallet) in lives.wallets.enumerated() {
      let number = WalletNumber(UInt64(index + 1))
      places.insert(Place(account: .walletAvailable(number), asset: wallet.asset))
      places.insert(Place(account: .walletHeld(number), asset: wallet.asset))
    }
    for sum in sums {
      switch sum.place.account {
      case .external, .suspense, .disputeHold, .receivable: places.insert(sum.place)
      case .walletAvailable, .walletHeld, .faucet, .feeIncome, .dust, .badDebt: break
      }
    }
    return Array(places)
  }

  /// The account's name in the chart (`accounting.md` 3).
  func name(_ account: Account) throws(Mismatch) -> String {
    switch account {
    case .faucet: return "Assets:Rail:Faucet"
    case .walletAvailable(let wallet): return "Liabilities:Wallet:\(wallet):Available"
    case .walletHeld(let wallet): return "Liabilities:Wallet:\(wallet):Held"
    case .suspense(let agent): return "Liabilities:Suspense:\(agent)"
    case .dust: return "Income:Dust"
    case .badDebt: return "Expenses:BadDebt"
    case .feeIncome(let rail): return "Income:Fees:\(rail)"
    case .disputeHold(let dispute): return "Liabilities:DisputeHold:\(dispute)"
    case .receivable(let dispute): return "Assets:Receivable:\(dispute)"
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
    sums[index(posting.debit, posting.asset)].debits += posting.amount.units
    sums[index(posting.credit, posting.asset)].credits += posting.amount.units
  }

  private mutating func index(_ account: Account, _ asset: AssetNumber) -> Int {
    let place = Place(account: account, asset: asset)
    if let index = sums.firstIndex(where: { $0.place == place }) { return index }
    sums.append(Sum(place: place))
    return sums.count - 1
  }

  /// What came to a closed wallet is set aside by the very next event, and nothing else is.
  private mutating func follow(stray recorded: Recorded) throws(Mismatch) {
    var aside: (wallet: WalletNumber, units: Int128)?
    if case .wallet(.setAside(let wallet, _, let amount, _)) = recorded.event {
      aside = (wallet, amount.units)
    }
    // A payee's dispute ends between its refund and what that has set aside.
    if case .dispute(.refunded(let end)) = recorded.event, end.held == .zero { return }
    guard aside?.wallet == stray?.wallet, aside?.units == stray?.units else {
      throw Mismatch("\(stray as Any) is to be set aside before \(recorded)")
    }
    stray = nil
  }

  /// A wallet holds what its open reservations do; a closed one has nothing, unless its money is
  /// about to be set aside.
  private mutating func checkWallets(_ recorded: Recorded) throws(Mismatch) {
    for sum in sums {
      switch sum.place.account {
      case .walletHeld(let wallet):
        guard sum.balance == lives.held(wallet) else {
          throw Mismatch(
            "\(wallet) holds \(sum.balance), not \(lives.held(wallet)), after \(recorded)")
        }
      case .walletAvailable(let wallet):
        guard sum.balance != 0, lives.status(wallet) == .closed else { continue }
        guard stray == nil || stray?.wallet == wallet
        else { throw Mismatch("two closed wallets have money: \(recorded)") }
        stray = (wallet, sum.balance)
      case .disputeHold(let dispute):
        guard sum.balance == lives.held(dispute) else {
          throw Mismatch("\(dispute) holds \(sum.balance), not its claims, after \(recorded)")
        }
      case .receivable(let dispute):
        guard sum.balance == lives.receivable(dispute) else {
          throw Mismatch("\(dispute) is owed \(sum.balance), not its debts, after \(recorded)")
        }
      case .faucet, .external, .feeIncome, .suspense, .dust, .badDebt: continue
      }
    }
  }

  /// In each asset debits equal credits; no account is below zero.
  private func check(_ recorded: Recorded) throws(Mismatch) {
    var differences: [(asset: AssetNumber, units: Int128)] = []
    for sum in sums {
      guard sum.balance >= 0 || sum.place.account.mayBeNegative else {
        throw Mismatch("\(sum.place.account) is below zero: \(sum.balance), after \(recorded)")
      }
      let units = sum.debits - sum.credits
      if let place = differences.firstIndex(where: { $0.asset == sum.place.asset }) {
        differences[place].units += units
      } else {
        differences.append((sum.place.asset, units))
      }
    }
    for difference in differences where difference.units != 0 {
      throw Mismatch(
        "asset \(difference.asset) is not conserved: \(difference.units), after \(recorded)")
    }
  }
}
