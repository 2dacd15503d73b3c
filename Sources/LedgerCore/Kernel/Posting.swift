/// An account of the chart (`accounting.md` 3). With an asset beside it, it has a balance.
///
/// The type and normal side of each account, and whether it may go below zero, are
/// ``isDebitNormal`` and ``mayBeNegative``.
public enum Account: Hashable, Sendable {
  /// `Assets:Rail:Faucet`: issuance in a test ledger.
  case faucet
  /// `Liabilities:Wallet:{w}:Available`: spendable.
  case walletAvailable(WalletNumber)
  /// `Liabilities:Wallet:{w}:Held`: the sum of its open holds.
  case walletHeld(WalletNumber)
  /// `Liabilities:External:{tenant}:{label}`: owed to an external payee until settled.
  case external(PayeeNumber)
  /// `Income:Fees:{rail}`.
  case feeIncome(Rail)
  /// `Liabilities:Suspense:{agent}`: what came back to a closed wallet.
  case suspense(AgentNumber)
  /// `Income:Dust`: what no rail could carry.
  case dust
  /// `Liabilities:DisputeHold:{disp}`: what a dispute holds, by the event that opened it.
  case disputeHold(EventNumber)
  /// `Assets:Receivable:{disp}`: what the platform advanced to that hold, and is owed.
  case receivable(EventNumber)
  /// `Expenses:BadDebt`: advances that were given up.
  case badDebt

  /// Whether debits raise the balance: assets and expenses.
  public var isDebitNormal: Bool {
    switch self {
    case .faucet, .receivable, .badDebt: true
    case .walletAvailable, .walletHeld, .external, .feeIncome, .suspense, .dust, .disputeHold:
      false
    }
  }

  /// Whether the sign rules let the balance go below zero. None of these may.
  public var mayBeNegative: Bool {
    switch self {
    case .faucet, .walletAvailable, .walletHeld, .external, .feeIncome, .suspense, .dust,
      .disputeHold, .receivable, .badDebt:
      false
    }
  }
}

/// One amount from one account to another. One amount and two sides, so that debits equal credits
/// by construction (`design.md` 4.4).
public struct Posting: Hashable, Sendable {
  /// Ledger units of `asset`, greater than zero.
  public var amount: Amount
  /// The asset of both sides.
  public var asset: AssetNumber
  /// The account debited.
  public var debit: Account
  /// The account credited.
  public var credit: Account
}

/// The postings of one event, in order. On the stack, so that deriving them allocates nothing.
public struct Postings: ~Copyable, Sendable {
  /// The most that one event has: the refund of a split, two for each of 32 receivers.
  public static let countMax = 64

  private var slots: InlineArray<64, Posting>
  /// How many postings there are.
  public private(set) var count = 0

  /// No postings.
  public init() {
    slots = InlineArray(
      repeating: Posting(amount: .zero, asset: .none, debit: .faucet, credit: .faucet))
  }

  /// The posting at `index`, from 0.
  public subscript(index: Int) -> Posting {
    precondition(index < count)
    return slots[index]
  }

  /// Begins again with no postings, so that one value serves many events.
  package mutating func removeAll() { count = 0 }

  /// Adds a posting; one of zero is left out, because nothing moved.
  mutating func post(_ amount: Amount, _ asset: AssetNumber, debit: Account, credit: Account) {
    precondition(amount >= .zero)
    guard amount > .zero else { return }
    precondition(count < Self.countMax)
    slots[count] = Posting(amount: amount, asset: asset, debit: debit, credit: credit)
    count += 1
  }
}
