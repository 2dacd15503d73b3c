/// Receivables: what an agent owes because a disputed payment was no longer there, and how it is
/// got back.
///
/// Life of a debt:
///
///     owed ──▶ owed less ──▶ gone    netted out of the debtor's credits, oldest debt first
///          └──────────────────────▶ gone    its dispute was denied or withdrawn
///
/// A debt has two parts. ``Netting/receivable`` is what the platform advanced and is owed;
/// ``Netting/uncovered`` was not advanced, so it moves on as it comes in: to the dispute's hold, or
/// to the payer once he won. What a payer who is the debtor himself would get of it lapses then.
///
/// Invariant: after every command, an agent who owes in an asset has nothing available in any of
/// his wallets that were credited by it (`accounting.md` 4, "net"), unless it took more nettings
/// than one command has (``Credits``).
public enum Receivables {
  // MARK: - Events

  /// Where an account of the debtor's is that something is taken from.
  public enum Source: Hashable, Sendable {
    /// What a wallet of his has available.
    case wallet(WalletNumber)
    /// What was set aside for him, because his wallet is closed.
    case suspense(AgentNumber)
  }

  /// Where what was uncovered goes.
  public enum Destination: Hashable, Sendable {
    /// To the hold of the unfinished dispute.
    case hold
    /// To the payer, who won.
    case wallet(WalletNumber)
    /// To what is set aside for the payer's agent, because his wallet is closed.
    case suspense(AgentNumber)
  }

  /// One debt made smaller, with every fact that its effects need.
  public struct Netting: Hashable, Sendable {
    /// What is paid back to the platform. At least zero.
    public var receivable: Amount
    /// What moves on to ``destination``. At least zero, and with ``receivable`` more.
    public var uncovered: Amount
    /// The dispute that it is owed for.
    public var dispute: EventNumber
    /// What it is taken from.
    public var source: Source
    /// Where ``uncovered`` goes.
    public var destination: Destination
    /// The debt's row.
    public var slot: DebtSlot
    /// The asset of all.
    public var asset: AssetNumber
  }

  /// What happens to receivables.
  public enum Event: Hashable, Sendable {
    /// A credit of the debtor's made his debt smaller.
    case netted(Netting)
  }

  // MARK: - State

  /// The debts that are open, in a queue for each debtor and asset.
  struct State: ~Copyable {
    enum DebtorKind {}
    struct Debt: SlabRow {
      var receivable: Int128
      var uncovered: Int128
      var dispute: EventNumber
      /// What the dispute claims of the debtor, while it is unfinished; then none.
      var claim: ClaimSlot
      /// Who gets what was uncovered, once he won; until then none.
      var payer: WalletNumber
      var debtor: Number<DebtorKind>
      var older: DebtSlot = .none
      var newer: DebtSlot = .none
      var nextFree: UInt64 = 0
      var unused: UInt64 = 0
    }
    struct Debtor: BitwiseCopyable {
      var agent: AgentNumber
      var asset: AssetNumber
      var oldest: DebtSlot = .none
      var newest: DebtSlot = .none
    }

    private(set) var debts: Slab<Kinds.DebtSlot, Debt>
    private var debtors: Table<DebtorKind, Debtor>
    private var debtorByAgent: Index

    init(undo: Undo) {
      debts = Slab(undo: undo)
      debtors = Table(undo: undo)
      debtorByAgent = Index(undo: undo)
    }

    /// Whether anybody owes anything.
    var isEmpty: Bool { debts.count == 0 }

    /// The oldest debt of an agent in an asset, or none.
    func oldest(of agent: AgentNumber, in asset: AssetNumber) -> DebtSlot {
      let debtor = Number<DebtorKind>(debtorByAgent.find(Self.indexKey(agent, asset)))
      return debtor.isSome ? debtors[debtor].oldest : .none
    }

    /// Adds a debt at the end of the debtor's queue.
    mutating func add(
      receivable: Int128, uncovered: Int128, of agent: AgentNumber, in asset: AssetNumber,
      for dispute: EventNumber, claim: ClaimSlot
    ) -> DebtSlot {
      let key = Self.indexKey(agent, asset)
      var debtor = Number<DebtorKind>(debtorByAgent.find(key))
      if !debtor.isSome {
        debtor = debtors.next
        debtors.append(Debtor(agent: agent, asset: asset))
        debtorByAgent.insert(key, debtor.rawValue)
      }
      let before = debtors[debtor].newest
      let slot = debts.take(
        Debt(
          receivable: receivable, uncovered: uncovered, dispute: dispute, claim: claim,
          payer: .none, debtor: debtor, older: before))
      if before.isSome { debts[before].newer = slot } else { debtors[debtor].oldest = slot }
      debtors[debtor].newest = slot
      return slot
    }

    /// What is still owed for a claim of an unfinished dispute whose debt had this row.
    func owed(_ slot: DebtSlot, for claim: ClaimSlot) -> (receivable: Amount, uncovered: Amount) {
      // One that was netted whole is gone, and its row may be another's.
      guard debts.isTaken(slot), debts[slot].claim == claim else { return (.zero, .zero) }
      return (Amount(units: debts[slot].receivable), Amount(units: debts[slot].uncovered))
    }

    /// From here on, what was uncovered goes to the payer, who is `agent`'s. What he would owe to
    /// himself lapses.
    mutating func redirect(_ slot: DebtSlot, to payer: WalletNumber, of agent: AgentNumber) {
      debts[slot].claim = .none
      debts[slot].payer = payer
      guard debtors[debts[slot].debtor].agent == agent else { return }
      debts[slot].uncovered = 0
      if debts[slot].receivable == 0 { remove(slot) }
    }

    /// Takes a debt out of its queue.
    mutating func remove(_ slot: DebtSlot) {
      let debt = debts[slot]
      if debt.older.isSome {
        debts[debt.older].newer = debt.newer
      } else {
        debtors[debt.debtor].oldest = debt.newer
      }
      if debt.newer.isSome {
        debts[debt.newer].older = debt.older
      } else {
        debtors[debt.debtor].newest = debt.older
      }
      debts.free(slot)
    }

    fileprivate mutating func lower(_ netting: Netting) {
      debts[netting.slot].receivable -= netting.receivable.units
      debts[netting.slot].uncovered -= netting.uncovered.units
      let left = debts[netting.slot]
      precondition(left.receivable >= 0 && left.uncovered >= 0, "more is netted than is owed")
      if left.receivable == 0, left.uncovered == 0 { remove(netting.slot) }
    }

    /// All debts with their debtors, oldest rows first. For checks; O(debts).
    func walk(_ body: (DebtSlot, Debt, Debtor) -> Void) {
      debts.walk { slot, debt in body(slot, debt, debtors[debt.debtor]) }
    }

    private static func indexKey(_ agent: AgentNumber, _ asset: AssetNumber) -> UInt128 {
      UInt128(agent.rawValue) << 64 | UInt128(asset.rawValue)
    }

    mutating func reserve(_ count: Int) {
      debts.reserve(count)
      debtors.reserve(count)
      debtorByAgent.reserve(count)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try debts.withBytes(body)
      try debtors.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try debts.load(from: &source)
      try debtors.load(from: &source)
    }

    /// Makes the index of tables that were loaded.
    mutating func rebuildIndexes() {
      debtorByAgent.reserve(debtors.count)
      for raw in 1..<debtors.next.rawValue {
        let row = debtors[Number(raw)]
        debtorByAgent.insert(Self.indexKey(row.agent, row.asset), raw)
      }
    }
  }

  // MARK: - Decide

  /// What is to be netted of an account that was just credited: its owner's oldest debt, as far as
  /// the account reaches. `nil` where he owes nothing or has nothing there.
  static func net(_ account: Account, in asset: AssetNumber, _ ledger: borrowing Ledger) -> Event? {
    let (source, agent, available): (Source, AgentNumber, Amount)
    switch account {
    case .walletAvailable(let number):
      let wallet = ledger.wallets.wallets[number]
      (source, agent) = (.wallet(number), wallet.agent)
      available = Amount(units: wallet.available)
    case .suspense(let number):
      (source, agent) = (.suspense(number), number)
      available = ledger.wallets.suspense(of: number, in: asset)
    case .faucet, .walletHeld, .external, .feeIncome, .dust, .disputeHold, .receivable: return nil
    }
    let slot = ledger.receivables.oldest(of: agent, in: asset)
    guard slot.isSome, available > .zero else { return nil }
    let debt = ledger.receivables.debts[slot]
    let receivable = min(available, Amount(units: debt.receivable))
    let uncovered = min(available - receivable, Amount(units: debt.uncovered))
    return .netted(
      Netting(
        receivable: receivable, uncovered: uncovered, dispute: debt.dispute, source: source,
        destination: destination(of: debt, ledger), slot: slot, asset: asset))
  }

  /// Whether nothing is left of a debt after this.
  static func isWhole(_ event: Event, _ ledger: borrowing Ledger) -> Bool {
    switch event {
    case .netted(let netting):
      let debt = ledger.receivables.debts[netting.slot]
      return netting.receivable.units == debt.receivable
        && netting.uncovered.units == debt.uncovered
    }
  }

  private static func destination(
    of debt: State.Debt, _ ledger: borrowing Ledger
  ) -> Destination {
    guard debt.payer.isSome else { return .hold }
    let payer = ledger.wallets.wallets[debt.payer]
    return payer.status == .closed ? .suspense(payer.agent) : .wallet(debt.payer)
  }

  // MARK: - Evolve

  static func evolve(
    _ state: inout State, _ disputes: inout Disputes.State, _ wallets: inout Wallets.State,
    _ event: Event
  ) {
    switch event {
    case .netted(let netting):
      let taken = netting.receivable.units + netting.uncovered.units
      precondition(taken > 0 && state.debts[netting.slot].dispute == netting.dispute)
      switch netting.source {
      case .wallet(let number): wallets.debit(taken, from: number)
      case .suspense(let agent): wallets.addSuspense(-taken, of: agent, in: netting.asset)
      }
      switch netting.destination {
      case .hold:
        disputes.add(netting.uncovered, to: state.debts[netting.slot].claim)
      case .wallet(let number): wallets.wallets[number].available += netting.uncovered.units
      case .suspense(let agent):
        if netting.uncovered > .zero {
          wallets.addSuspense(netting.uncovered.units, of: agent, in: netting.asset)
        }
      }
      state.lower(netting)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .netted(let netting):
      let source = netting.source.account
      postings.post(
        netting.receivable, netting.asset, debit: source, credit: .receivable(netting.dispute))
      let destination: Account =
        switch netting.destination {
        case .hold: .disputeHold(netting.dispute)
        case .wallet(let number): .walletAvailable(number)
        case .suspense(let agent): .suspense(agent)
        }
      postings.post(netting.uncovered, netting.asset, debit: source, credit: destination)
    }
  }
}

extension Receivables.Source {
  var account: Account {
    switch self {
    case .wallet(let number): .walletAvailable(number)
    case .suspense(let agent): .suspense(agent)
    }
  }
}
