@testable import LedgerCore

/// What is owed for disputes, and how credits are netted (`accounting.md` 4, "net").
extension NaiveLedger {
  /// What an agent owes for one claim; the list of them is in the order in which they arose.
  struct Debt {
    var agent: UInt64
    var asset: AssetNumber
    var dispute: EventNumber
    /// Which of the dispute's claims it is for.
    var claim: Int
    var receivable: Int128
    var uncovered: Int128
    var slot: Int
    /// Who gets what was uncovered, once he won.
    var payer: Int?
    /// Who asked for it to be written off.
    var asker: Actor?
  }

  /// How much may be advanced for the debtors of a tenant or, of tenant 0, for all.
  struct Cap {
    var tenant: UInt64
    var asset: AssetNumber
    var units: Int128
  }

  /// Rows that are used again, the last freed first.
  struct Slots {
    private var count = 0
    private var freed: [Int] = []

    mutating func take() -> Int {
      if let slot = freed.popLast() { return slot }
      count += 1
      return count
    }

    mutating func free(_ slot: Int) { freed.append(slot) }
  }

  static func hold(_ dispute: EventNumber) -> String { "Liabilities:DisputeHold:\(dispute)" }

  static func receivable(_ dispute: EventNumber) -> String { "Assets:Receivable:\(dispute)" }

  static let badDebt = "Expenses:BadDebt"

  mutating func owe(
    _ payee: Payments.Payee, _ receivable: Int128, _ uncovered: Int128, _ asset: AssetNumber,
    _ dispute: EventNumber, claim: Int
  ) {
    guard case .wallet(let wallet) = payee else { return }
    let agent = wallets[Int(wallet.rawValue) - 1].agent
    debts.append(
      Debt(
        agent: agent, asset: asset, dispute: dispute, claim: claim, receivable: receivable,
        uncovered: uncovered, slot: debtSlots.take()))
  }

  func owed(_ dispute: EventNumber, claim: Int) -> (receivable: Int128, uncovered: Int128) {
    let debt = debts.first { $0.dispute == dispute && $0.claim == claim }
    return debt.map { ($0.receivable, $0.uncovered) } ?? (0, 0)
  }

  mutating func forgetDebt(_ dispute: EventNumber, claim: Int) {
    let place = debts.firstIndex { $0.dispute == dispute && $0.claim == claim }
    if let place { forgetDebt(at: place) }
  }

  private mutating func forgetDebt(at place: Int) {
    debtSlots.free(debts.remove(at: place).slot)
  }

  /// What was uncovered is the payer's from here on; what an agent owes to himself is nothing.
  mutating func redirect(_ dispute: EventNumber, claim: Int, to payer: Int) {
    let place = debts.firstIndex { $0.dispute == dispute && $0.claim == claim }
    guard let place else { return }
    debts[place].payer = payer
    guard wallets[payer].agent == debts[place].agent, bug != .agentOwesToHimself else { return }
    debts[place].uncovered = 0
    if debts[place].receivable == 0 { forgetDebt(at: place) }
  }

  /// Whether an unfinished dispute is about what the wallet got and did not give back, or its agent
  /// owes in its asset.
  func isInDispute(_ wallet: Int) -> Bool {
    let number = WalletNumber(UInt64(wallet + 1))
    let isClaimed = disputes.contains { dispute in
      dispute.ending == nil
        && paid[dispute.paid].parts.contains { part in
          let isLeft = part.amount > part.refunded || bug == .emptyClaimBarsClosing
          return part.payee == .wallet(number) && isLeft
        }
    }
    return isClaimed || oldestDebt(of: wallets[wallet].agent, in: wallets[wallet].asset) != nil
  }

  /// Where the debt is that is netted first.
  func oldestDebt(of agent: UInt64, in asset: AssetNumber) -> Int? {
    let isHis = { (debt: Debt) in
      debt.agent == agent && (debt.asset == asset || bug == .debtsAreOfEveryAsset)
    }
    return bug == .newestDebtIsNettedFirst
      ? debts.lastIndex(where: isHis) : debts.firstIndex(where: isHis)
  }
}

// MARK: - Netting

extension NaiveLedger {
  /// Nettings of one command that leave some of their debt; where debtors owe each other in a
  /// circle, the same unit could otherwise go round for ever.
  static let partialNettingCountMax = 100

  /// Nets whatever the entries from `first` on credited, and what netting credits in turn.
  mutating func net(since first: Int) {
    if debts.isEmpty || isNotNetted { return }
    var (place, partialCount) = (first, 0)
    let end = bug == .nettingIsNotChained ? entries.count : .max
    while place < min(end, entries.count) {
      let (account, asset) = (entries[place].credit, entries[place].asset)
      place += 1
      guard let agent = debtor(account) else { continue }
      if bug == .suspenseIsNotNetted, account == Self.suspense(agent) { continue }
      while let debt = oldestDebt(of: agent, in: asset), balance(account, asset) > 0 {
        guard partialCount < Self.partialNettingCountMax else { return }
        if bug == .onlyClaimedWalletIsNetted, !isClaimed(account, debt) { break }
        if !net(debt, out: account, asset) { partialCount += 1 }
        if bug == .oneDebtIsNettedPerCredit { break }
      }
    }
  }

  /// Whether a planted bug passes over what the last event credited.
  private var isNotNetted: Bool {
    switch log[log.count - 1].event {
    case .reservation(.released): bug == .releaseIsNotNetted
    case .reservation(.expired): bug == .expiryIsNotNetted
    case .reservation(.captured): bug == .captureIsNotNetted
    case .refund: bug == .refundIsNotNetted
    case .wallet(.funded): bug == .fundingIsNotNetted
    case .wallet(.reopened): bug == .reopeningIsNotNetted
    case .dispute: bug == .disputeEndIsNotNetted
    default: false
    }
  }

  private func isClaimed(_ account: String, _ debt: Int) -> Bool {
    let dispute = disputes.first { $0.number == debts[debt].dispute }
    return dispute.map { self.account($0.claims[debts[debt].claim].payee) == account } ?? false
  }

  /// Whose account this is, where it is one that is netted.
  private func debtor(_ account: String) -> UInt64? {
    let words = account.split(separator: ":")
    guard words[0] == "Liabilities", words.count >= 3, let number = Int(words[2])
    else { return nil }
    if words[1] == "Suspense" { return UInt64(number) }
    return words[1] == "Wallet" && words[3] == "Available" ? wallets[number - 1].agent : nil
  }

  /// Takes what the account has for one debt; says whether nothing is left of the debt.
  private mutating func net(_ place: Int, out account: String, _ asset: AssetNumber) -> Bool {
    let debt = debts[place]
    let has = balance(account, asset)
    let receivable = min(has, debt.receivable)
    let uncovered = min(has - receivable, debt.uncovered)
    move(receivable, asset, debit: account, credit: Self.receivable(debt.dispute))
    let (destination, credit) = destination(of: debt)
    move(uncovered, asset, debit: account, credit: credit)
    if debt.payer == nil, let dispute = disputes.firstIndex(where: { $0.number == debt.dispute }) {
      disputes[dispute].claims[debt.claim].held += uncovered
    }
    debts[place].receivable -= receivable
    debts[place].uncovered -= uncovered
    let isGone = debts[place].receivable == 0 && debts[place].uncovered == 0
    if isGone { forgetDebt(at: place) }
    let words = account.split(separator: ":")
    let number = UInt64(words[2]) ?? 0
    let netting = Receivables.Netting(
      receivable: Amount(units: receivable), uncovered: Amount(units: uncovered),
      dispute: debt.dispute,
      source: words[1] == "Wallet" ? .wallet(WalletNumber(number)) : .suspense(AgentNumber(number)),
      destination: destination, slot: DebtSlot(UInt64(debt.slot)), asset: asset)
    record(.receivable(.netted(netting)), by: .ledger)
    return isGone
  }

  /// Into the hold, until the payer won; then to him, or to what is set aside for him.
  private func destination(of debt: Debt) -> (Receivables.Destination, String) {
    guard let payer = debt.payer else { return (.hold, Self.hold(debt.dispute)) }
    let wallet = wallets[payer]
    guard wallet.status != .closed || bug == .closedWinnerIsCredited else {
      return (.suspense(AgentNumber(wallet.agent)), Self.suspense(wallet.agent))
    }
    return (.wallet(WalletNumber(UInt64(payer + 1))), Self.wallet(payer))
  }
}
