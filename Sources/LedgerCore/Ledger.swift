/// START HERE. The whole ledger in one screen: what can be asked (``Command``), what can happen
/// (``Event``), what is so (``Ledger``), and the switches that route each to its slice in
/// `Domain/`.
///
/// Adding a slice begins here; the compiler then names every other place (`AddingASlice`).
public enum Command: Hashable, Sendable {
  /// Tenants, agents, operators and credentials.
  case identity(Identity.Command)
  /// Wallets and assets.
  case wallet(Wallets.Command)
  /// Payments.
  case payment(Payments.Command)
  /// Fee schedules.
  case fee(Fees.Command)

  /// Which command this is: part of an idempotency key's scope and of a recorded refusal.
  public var operation: Operation {
    switch self {
    case .identity(.registerAgent): .registerAgent
    case .identity(.registerOperator): .registerOperator
    case .identity(.issue): .issueCredential
    case .identity(.revoke): .revokeCredential
    case .wallet(.open): .openWallet
    case .wallet(.fund): .fundWallet
    case .wallet(.addAsset): .addAsset
    case .payment(.pay): .pay
    case .fee(.set): .setFees
    }
  }
}

extension Command {
  /// Whether it begins something: refused while the disk is nearly full, when what ends something
  /// still goes through (`accounting.md` 5).
  @inline(__always)
  var isBeginning: Bool {
    switch self {
    case .identity(.revoke): false
    case .identity(.registerAgent), .identity(.registerOperator), .identity(.issue), .wallet,
      .payment, .fee:
      true
    }
  }
}

/// A command's name on disk. Written once, never reused.
public enum Operation: UInt16, Hashable, Sendable, CaseIterable {
  /// ``Identity/Command/registerAgent(tenant:name:asset:apiKey:secretKey:)``
  case registerAgent = 0x0101
  /// ``Identity/Command/registerOperator(key:)``
  case registerOperator = 0x0102
  /// ``Identity/Command/issue(key:kind:)``
  case issueCredential = 0x0103
  /// ``Identity/Command/revoke(_:)``
  case revokeCredential = 0x0104
  /// ``Wallets/Command/open(agent:asset:)``
  case openWallet = 0x0201
  /// ``Wallets/Command/fund(_:amount:asset:cap:)``
  case fundWallet = 0x0202
  /// ``Wallets/Command/addAsset(_:scale:)``
  case addAsset = 0x0203
  /// ``Payments/Command/pay(from:to:amount:asset:rail:)``
  case pay = 0x0301
  /// ``Fees/Command/set(_:begins:)``
  case setFees = 0x0401
}

/// What happened. A closed enum of enums without reference-counted payloads, so that the hot path
/// copies it like a number (a layout test says so).
public enum Event: Hashable, Sendable {
  /// The ledger as a whole.
  case genesis(Genesis.Event)
  /// Refusals that count for ever.
  case refusal(Refusals.Event)
  /// Tenants, agents, operators and credentials.
  case identity(Identity.Event)
  /// Wallets and assets.
  case wallet(Wallets.Event)
  /// Payments and external payees.
  case payment(Payments.Event)
  /// Fee schedules.
  case fee(Fees.Event)

  /// What the event moves in the double-entry ledger: a function of the event alone
  /// (`design.md` 4.4, rules in `accounting.md` 4).
  public func postings(into postings: inout Postings) {
    switch self {
    case .genesis(let event): Genesis.postings(event, into: &postings)
    case .refusal(let event): Refusals.postings(event, into: &postings)
    case .identity(let event): Identity.postings(event, into: &postings)
    case .wallet(let event): Wallets.postings(event, into: &postings)
    case .payment(let event): Payments.postings(event, into: &postings)
    case .fee(let event): Fees.postings(event, into: &postings)
    }
  }
}

/// What is so: the fold of every event. One thread owns it.
public struct Ledger: ~Copyable {
  let undo: Undo
  var genesis: Genesis.State
  var identity: Identity.State
  var wallets: Wallets.State
  var payments: Payments.State
  var fees: Fees.State
  var timers: Timers

  /// Nothing happened yet.
  init() {
    undo = Undo()
    genesis = Genesis.State(undo: undo)
    identity = Identity.State(undo: undo)
    wallets = Wallets.State(undo: undo)
    payments = Payments.State(undo: undo)
    fees = Fees.State(undo: undo)
    timers = Timers(undo: undo)
  }

  deinit { undo.destroy() }

  /// Decides a command: events, or a refusal. Pure; `now` is the first event's time.
  @inline(__always)
  func decide(
    _ command: Command, by actor: Actor, at now: Timestamp, into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .payment(let command):
      try Payments.decide(command, by: actor, self, into: &decision)
    case .identity(let command):
      try Identity.decide(command, by: actor, self, into: &decision)
    case .wallet(let command):
      try Wallets.decide(command, by: actor, self, into: &decision)
    case .fee(let command):
      try Fees.decide(command, by: actor, self, at: now, into: &decision)
    }
  }

  /// Applies an event that was decided, now or long ago. Total: it stops the process where the
  /// event cannot follow from the log before it.
  @inline(__always)
  mutating func evolve(_ event: Event, _ header: Header, body: Span<UInt8>) {
    switch event {
    case .payment(let event): Payments.evolve(&payments, &wallets, event, header)
    case .genesis(let event): Genesis.evolve(&genesis, &wallets, &fees, event, body: body)
    case .refusal(let event): Refusals.evolve(&identity, event, header)
    case .identity(let event): Identity.evolve(&identity, event, header)
    case .wallet(let event): Wallets.evolve(&wallets, event, header)
    case .fee(let event): Fees.evolve(&fees, &timers, event, header)
    }
  }

  /// The event of the first timer that is due at `now`; `nil` where none is. Applying the event
  /// takes the timer off, in replay as when it fires.
  func due(at now: Timestamp) -> Event? {
    guard let (_, timer) = timers.first, timer.deadline <= now else { return nil }
    switch timer.kind {
    case .feeScheduleBegins: return .fee(Fees.fire(timer))
    }
  }

  /// Makes room for `events` more events, so that a linked unit moves no memory.
  mutating func reserve(_ events: Int) {
    identity.reserve(events)
    wallets.reserve(events)
    payments.reserve(events)
    fees.reserve(events)
    timers.reserve(events)
  }

  /// Asks for what deciding `command` will touch.
  @inline(__always)
  func prefetch(_ command: Command) {
    guard case .payment(.pay(let from, let to, _, _, _)) = command else { return }
    wallets.wallets.prefetch(from)
    if case .wallet(let number) = to { wallets.wallets.prefetch(number) }
  }

  /// The state as bytes, slice by slice in a fixed order: equal logs give equal bytes.
  func withBytes<Failure: Error>(
    _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
  ) throws(Failure) {
    try genesis.withBytes(body)
    try identity.withBytes(body)
    try wallets.withBytes(body)
    try payments.withBytes(body)
    try fees.withBytes(body)
    try timers.withBytes(body)
  }

  /// Takes over the tables that ``withBytes(_:)`` once handed out, in place of empty ones. The
  /// state is whole after ``rebuildIndexes()``.
  mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
    try genesis.load(from: &source)
    try identity.load(from: &source)
    try wallets.load(from: &source)
    try payments.load(from: &source)
    try fees.load(from: &source)
    try timers.load(from: &source)
  }

  /// Makes the indexes of tables that were loaded, once it is known that they are the right ones.
  mutating func rebuildIndexes() {
    identity.rebuildIndexes()
    payments.rebuildIndexes()
  }

  /// The number of this arrangement of the state. Raised whenever a table is added, or a row of one
  /// changes: snapshots of another are passed over. (A layout test says when.)
  static let layout: UInt32 = 1
}
