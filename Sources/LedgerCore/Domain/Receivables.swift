/// Receivables: what an agent owes because a disputed payment was no longer there, and how it is
/// got back.
///
/// Life of a debt:
///
///     owed ──▶ owed less ──▶ gone    netted out of the debtor's credits, oldest debt first
///          ├──────────────────────▶ gone    its dispute was denied or withdrawn
///          └──────────────────────▶ gone    written off: one operator asks, another agrees
///
/// A debt has two parts. ``Netting/receivable`` is what the platform advanced and is owed;
/// ``Netting/uncovered`` was not advanced, so it moves on as it comes in: to the dispute's hold, or
/// to the payer once he won. What a payer who is the debtor himself would get of it lapses then.
///
/// Invariant: after every command, an agent who owes in an asset has nothing available in any of
/// his wallets that were credited by it (`accounting.md` 4, "net"), unless it took more nettings
/// than one command has (``Credits``).
///
/// How much is advanced has a cap for each tenant of debtors and one in total, in each asset. Where
/// none was set, a test ledger advances anything and a live one nothing (`accounting.md` 4).
public enum Receivables {
  // MARK: - Commands

  /// What can be asked about receivables. Staff only; write-offs by operators.
  public enum Command: Hashable, Sendable {
    /// Gives up what an agent owes the platform for the dispute that this event opened, once it was
    /// decided. Done when a second operator asks for the same. What the payer is to get of it, the
    /// agent owes on.
    ///
    /// The request's first text is the reason.
    case writeOff(EventNumber, of: AgentNumber)
    /// Sets how much may be advanced in an asset for the debtors of a tenant or, where that is
    /// none, for all together: zero and up. What was advanced before stays.
    case setCap(TenantNumber, AssetNumber, Amount)
  }

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

  /// A debt that is to be written off, or was.
  public struct WriteOff: Hashable, Sendable {
    /// What is given up: ledger units of ``asset``, greater than zero.
    public var amount: Amount
    /// The dispute that it is owed for.
    public var dispute: EventNumber
    /// Who owes it.
    public var agent: AgentNumber
    /// The debt's row.
    public var slot: DebtSlot
    /// The asset of the amount.
    public var asset: AssetNumber
  }

  /// What happens to receivables.
  public enum Event: Hashable, Sendable {
    /// A credit of the debtor's made his debt smaller.
    case netted(Netting)
    /// An operator asked for a debt to be written off. Nothing moved.
    case writeOffAsked(WriteOff)
    /// A second one did, and it is.
    case writtenOff(WriteOff)
    /// No more than `cap` is advanced from here on, in all where `tenant` is none.
    case capSet(tenant: TenantNumber, asset: AssetNumber, cap: Amount)
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
      /// The operator who asked for it to be written off, or 0.
      var asker: UInt64 = 0
    }
    struct Debtor: BitwiseCopyable {
      var agent: AgentNumber
      var asset: AssetNumber
      var tenant: TenantNumber
      var oldest: DebtSlot = .none
      var newest: DebtSlot = .none
    }
    enum ExposureKind {}
    /// What was advanced in an asset and is owed, by a tenant's debtors or, of tenant none, by all.
    struct Exposure: BitwiseCopyable {
      var outstanding: Int128 = 0
      var cap: Int128 = 0
      var tenant: TenantNumber
      var asset: AssetNumber
      /// 1 where a cap was set.
      var hasCap: UInt64 = 0
      var unused: UInt64 = 0
    }

    private(set) var debts: Slab<Kinds.DebtSlot, Debt>
    private var debtors: Table<DebtorKind, Debtor>
    private var debtorByAgent: Index
    private(set) var exposures: Table<ExposureKind, Exposure>
    private var exposureByTenant: Index

    init(undo: Undo) {
      debts = Slab(undo: undo)
      debtors = Table(undo: undo)
      debtorByAgent = Index(undo: undo)
      exposures = Table(undo: undo)
      exposureByTenant = Index(undo: undo)
    }

    /// How much more may be advanced for debtors of a tenant or, of tenant none, for all, where
    /// `more` is going to be advanced already; `nil` where there is no end.
    func room(
      of tenant: TenantNumber, in asset: AssetNumber, after more: Amount, livemode: Bool
    ) -> Amount? {
      let number = Number<ExposureKind>(exposureByTenant.find(Self.indexKey(tenant, asset)))
      guard number.isSome, exposures[number].hasCap == 1 else { return livemode ? .zero : nil }
      let row = exposures[number]
      return Amount(units: max(0, row.cap - row.outstanding - more.units))
    }

    private static func indexKey(_ tenant: TenantNumber, _ asset: AssetNumber) -> UInt128 {
      UInt128(tenant.rawValue) << 64 | UInt128(asset.rawValue)
    }

    private mutating func exposure(
      of tenant: TenantNumber, in asset: AssetNumber
    ) -> Number<ExposureKind> {
      let key = Self.indexKey(tenant, asset)
      var number = Number<ExposureKind>(exposureByTenant.find(key))
      if !number.isSome {
        number = exposures.next
        exposures.append(Exposure(tenant: tenant, asset: asset))
        exposureByTenant.insert(key, number.rawValue)
      }
      return number
    }

    fileprivate mutating func setCap(
      of tenant: TenantNumber, in asset: AssetNumber, _ cap: Amount
    ) {
      let number = exposure(of: tenant, in: asset)
      exposures[number].cap = cap.units
      exposures[number].hasCap = 1
    }

    /// So much more is owed to the platform by a debtor, or where negative, less.
    private mutating func count(_ units: Int128, of debtor: Debtor) {
      guard units != 0 else { return }
      exposures[exposure(of: .none, in: debtor.asset)].outstanding += units
      exposures[exposure(of: debtor.tenant, in: debtor.asset)].outstanding += units
    }

    /// The debt of an agent for a dispute, the oldest where there are several; or none. O(debts of
    /// the agent in the asset).
    func debt(of agent: AgentNumber, in asset: AssetNumber, for dispute: EventNumber) -> DebtSlot {
      var slot = oldest(of: agent, in: asset)
      while slot.isSome, debts[slot].dispute != dispute || debts[slot].receivable == 0 {
        slot = debts[slot].newer
      }
      return slot
    }

    fileprivate mutating func ask(_ slot: DebtSlot, by actor: Actor) {
      debts[slot].asker = actor.rawValue
    }

    fileprivate mutating func writeOff(_ slot: DebtSlot) {
      count(-debts[slot].receivable, of: debtors[debts[slot].debtor])
      debts[slot].receivable = 0
      debts[slot].asker = 0
      if debts[slot].uncovered == 0 { remove(slot) }
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
      receivable: Int128, uncovered: Int128, of agent: AgentNumber, _ tenant: TenantNumber,
      in asset: AssetNumber, for dispute: EventNumber, claim: ClaimSlot
    ) -> DebtSlot {
      let key = Self.indexKey(agent, asset)
      var debtor = Number<DebtorKind>(debtorByAgent.find(key))
      if !debtor.isSome {
        debtor = debtors.next
        debtors.append(Debtor(agent: agent, asset: asset, tenant: tenant))
        debtorByAgent.insert(key, debtor.rawValue)
      }
      let before = debtors[debtor].newest
      let slot = debts.take(
        Debt(
          receivable: receivable, uncovered: uncovered, dispute: dispute, claim: claim,
          payer: .none, debtor: debtor, older: before))
      if before.isSome { debts[before].newer = slot } else { debtors[debtor].oldest = slot }
      debtors[debtor].newest = slot
      count(receivable, of: debtors[debtor])
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
      count(-debt.receivable, of: debtors[debt.debtor])
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
      count(-netting.receivable.units, of: debtors[left.debtor])
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
      exposures.reserve(2 * count)
      exposureByTenant.reserve(2 * count)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try debts.withBytes(body)
      try debtors.withBytes(body)
      try exposures.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try debts.load(from: &source)
      try debtors.load(from: &source)
      try exposures.load(from: &source)
    }

    /// Makes the index of tables that were loaded.
    mutating func rebuildIndexes() {
      debtorByAgent.reserve(debtors.count)
      for raw in 1..<debtors.next.rawValue {
        let row = debtors[Number(raw)]
        debtorByAgent.insert(Self.indexKey(row.agent, row.asset), raw)
      }
      exposureByTenant.reserve(exposures.count)
      for raw in 1..<exposures.next.rawValue {
        let row = exposures[Number(raw)]
        exposureByTenant.insert(Self.indexKey(row.tenant, row.asset), raw)
      }
    }
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, by actor: Actor, about named: Recorded?, _ ledger: borrowing Ledger,
    into decision: inout Decision
  ) throws(Refusal) {
    guard actor.isStaff else { throw Refusal(.notPermitted) }
    switch command {
    case .writeOff(let number, let agent):
      // Whoever can open the data directory has an operator's key too, and is no second person.
      guard actor.role == .operator else { throw Refusal(.notPermitted) }
      guard case .dispute(.opened(let opening))? = named?.event else {
        throw Refusal(.disputeNotFound)
      }
      let slot = ledger.receivables.debt(of: agent, in: opening.asset, for: number)
      guard slot.isSome else { throw Refusal(.debtNotFound) }
      let debt = ledger.receivables.debts[slot]
      // Undecided, its end still needs what is owed.
      guard !debt.claim.isSome else { throw Refusal(.debtUnsettled) }
      guard debt.asker != actor.rawValue else { throw Refusal(.sameOperator) }
      let writeOff = WriteOff(
        amount: Amount(units: debt.receivable), dispute: number, agent: agent, slot: slot,
        asset: opening.asset)
      decision.emit(
        .receivable(debt.asker == 0 ? .writeOffAsked(writeOff) : .writtenOff(writeOff)),
        with: .own)

    case .setCap(let tenant, let asset, let cap):
      guard !tenant.isSome || ledger.identity.tenants.contains(tenant) else {
        throw Refusal(.tenantNotFound)
      }
      guard ledger.wallets.contains(asset) else { throw Refusal(.assetNotFound) }
      guard cap >= .zero, cap <= .commandMax else {
        throw Refusal(.amountOutOfRange, limit: .commandMax, asked: cap)
      }
      decision.emit(.receivable(.capSet(tenant: tenant, asset: asset, cap: cap)))
    }
  }

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
    case .faucet, .walletHeld, .external, .feeIncome, .dust, .disputeHold, .receivable, .badDebt:
      return nil
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
    case .writeOffAsked, .writtenOff, .capSet: return true
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
    _ event: Event, _ header: Header
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
    case .writeOffAsked(let writeOff):
      precondition(state.debts[writeOff.slot].dispute == writeOff.dispute)
      state.ask(writeOff.slot, by: header.actor)
    case .writtenOff(let writeOff):
      let debt = state.debts[writeOff.slot]
      precondition(
        debt.dispute == writeOff.dispute && debt.receivable == writeOff.amount.units,
        "what is owed is written off")
      state.writeOff(writeOff.slot)
    case .capSet(let tenant, let asset, let cap): state.setCap(of: tenant, in: asset, cap)
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
    case .writeOffAsked, .capSet: break
    case .writtenOff(let writeOff):
      postings.post(
        writeOff.amount, writeOff.asset, debit: .badDebt, credit: .receivable(writeOff.dispute))
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
