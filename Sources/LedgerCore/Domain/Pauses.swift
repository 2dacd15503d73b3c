/// Pauses: what an operator stops at once, for the whole ledger, a tenant or a rail.
///
/// Life of a pause:
///
///     paused ──▶ resumed ──▶ paused ──▶ …
///
/// Invariant: while something is paused, nothing that starts an obligation in it passes, and
/// everything that ends one does, so that no money is trapped (`accounting.md` 5, E-46).
public enum Pauses {
  /// What is stopped.
  public enum Scope: Hashable, Sendable {
    /// All of it: the kill switch.
    case ledger
    /// Every wallet of a tenant's agents.
    case tenant(TenantNumber)
    /// Every payment on a rail.
    case rail(Rail)
  }

  // MARK: - Commands

  /// What can be asked about pauses. Staff only; the request's first text is the reason.
  public enum Command: Hashable, Sendable {
    /// Stops what is new.
    case pause(Scope)
    /// Lets it go on.
    case resume(Scope)
  }

  // MARK: - Events

  /// What happens to pauses.
  public enum Event: Hashable, Sendable {
    /// Nothing new begins in this scope.
    case paused(Scope)
    /// It goes on.
    case resumed(Scope)
  }

  // MARK: - State

  /// What is paused, and what once was.
  struct State: ~Copyable {
    private enum Rows {}
    private enum Counters {}
    struct Row: BitwiseCopyable {
      var kind: UInt64
      var number: UInt64
      var isPaused: UInt64 = 0
    }
    private var rows: Table<Rows, Row>
    private var rowByScope: Index
    /// Row 1: how many scopes are paused now.
    private var counters: Table<Counters, UInt64>

    init(undo: Undo) {
      rows = Table(undo: undo)
      rowByScope = Index(undo: undo)
      counters = Table(undo: undo)
      counters.append(0)
    }

    /// Whether anything at all is paused.
    @inline(__always)
    var isAny: Bool { counters[Number(1)] > 0 }

    /// Whether this scope is paused itself.
    func contains(_ scope: Scope) -> Bool {
      let row = Number<Rows>(rowByScope.find(Self.key(scope.words)))
      return row.isSome && rows[row].isPaused == 1
    }

    fileprivate mutating func set(_ scope: Scope, isPaused: Bool) {
      precondition(contains(scope) != isPaused, "a scope is paused and resumed in turn")
      let words = scope.words
      var row = Number<Rows>(rowByScope.find(Self.key(words)))
      if !row.isSome {
        row = rows.next
        rows.append(Row(kind: words.kind, number: words.number))
        rowByScope.insert(Self.key(words), row.rawValue)
      }
      rows[row].isPaused = isPaused ? 1 : 0
      if isPaused { counters[Number(1)] += 1 } else { counters[Number(1)] -= 1 }
    }

    private static func key(_ words: (kind: UInt64, number: UInt64)) -> UInt128 {
      UInt128(words.kind) << 64 | UInt128(words.number)
    }

    /// Every scope that is paused, in the order in which each was paused first.
    var all: [Scope] {
      (1..<rows.next.rawValue).compactMap { raw in
        let row = rows[Number(raw)]
        return row.isPaused == 1 ? Scope(kind: row.kind, number: row.number) : nil
      }
    }

    mutating func reserve(_ events: Int) {
      rows.reserve(events)
      rowByScope.reserve(events)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try rows.withBytes(body)
      try counters.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try rows.load(from: &source)
      try counters.load(from: &source)
    }

    /// Makes the index of tables that were loaded.
    mutating func rebuildIndexes() {
      rowByScope.reserve(rows.count)
      for raw in 1..<rows.next.rawValue {
        let row = rows[Number(raw)]
        rowByScope.insert(Self.key((row.kind, row.number)), raw)
      }
    }
  }

  // MARK: - Decide

  static func decide(
    _ command: Command, by actor: Actor, _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    guard actor.isStaff else { throw Refusal(.notPermitted) }
    switch command {
    case .pause(let scope):
      try check(scope, ledger)
      guard !ledger.pauses.contains(scope) else { throw Refusal(.alreadyPaused) }
      decision.emit(.pause(.paused(scope)), with: .own)
    case .resume(let scope):
      try check(scope, ledger)
      guard ledger.pauses.contains(scope) else { throw Refusal(.notPaused) }
      decision.emit(.pause(.resumed(scope)), with: .own)
    }
  }

  private static func check(_ scope: Scope, _ ledger: borrowing Ledger) throws(Refusal) {
    if case .tenant(let tenant) = scope, !ledger.identity.tenants.contains(tenant) {
      throw Refusal(.tenantNotFound)
    }
  }

  /// Refuses what would take something new from `wallet`, where that is stopped.
  @inline(__always)
  static func check(
    _ wallet: Wallets.State.Wallet, on rail: Rail = .internal, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    if ledger.pauses.isAny { try checkEach(wallet, on: rail, ledger) }
  }

  @inline(never)
  private static func checkEach(
    _ wallet: Wallets.State.Wallet, on rail: Rail, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    let tenant = ledger.identity.agents[wallet.agent].tenant
    guard !ledger.pauses.contains(.ledger), !ledger.pauses.contains(.tenant(tenant)),
      !ledger.pauses.contains(.rail(rail))
    else { throw Refusal(.paused) }
  }

  // MARK: - Evolve

  static func evolve(_ state: inout State, _ event: Event) {
    switch event {
    case .paused(let scope): state.set(scope, isPaused: true)
    case .resumed(let scope): state.set(scope, isPaused: false)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .paused, .resumed: break
    }
  }
}

extension Pauses.Scope {
  /// Kind and number, as the frame and the state have them. Kinds are never reused.
  var words: (kind: UInt64, number: UInt64) {
    switch self {
    case .ledger: (1, 0)
    case .tenant(let tenant): (2, tenant.rawValue)
    case .rail(let rail): (3, UInt64(rail.rawValue))
    }
  }

  /// The scope of these words; `nil` where they are none that this version knows.
  init?(kind: UInt64, number: UInt64) {
    switch kind {
    case 1 where number == 0: self = .ledger
    case 2: self = .tenant(TenantNumber(number))
    case 3:
      guard let raw = UInt8(exactly: number), let rail = Rail(rawValue: raw) else { return nil }
      self = .rail(rail)
    default: return nil  // not ours: a number from the disk
    }
  }
}
