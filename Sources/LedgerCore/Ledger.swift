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
  /// Money held until it is captured, released or expires.
  case reservation(Reservations.Command)
  /// Money of payments, back to their payers.
  case refund(Refunds.Command)
  /// What an operator stops.
  case pause(Pauses.Command)
  /// Payments that a party says were wrong.
  case dispute(Disputes.Command)
  /// What is owed because a disputed payment was no longer there.
  case receivable(Receivables.Command)
  /// What wallets may spend.
  case policy(Policies.Command)
  /// Payments that wait for somebody.
  case approval(Approvals.Command)

  /// Which command this is: part of an idempotency key's scope and of a recorded refusal.
  public var operation: Operation {
    switch self {
    case .identity(.registerAgent): .registerAgent
    case .identity(.registerOperator): .registerOperator
    case .identity(.registerTenantAdmin): .registerTenantAdmin
    case .identity(.issue): .issueCredential
    case .identity(.revoke): .revokeCredential
    case .wallet(.open): .openWallet
    case .wallet(.fund): .fundWallet
    case .wallet(.addAsset): .addAsset
    case .payment(.pay): .pay
    case .fee(.set): .setFees
    case .wallet(.freeze): .freezeWallet
    case .wallet(.unfreeze): .unfreezeWallet
    case .wallet(.close): .closeWallet
    case .wallet(.reopen): .reopenWallet
    case .reservation(.reserve): .reserve
    case .reservation(.capture): .capture
    case .reservation(.release): .release
    case .refund(.refund): .refund
    case .pause(.pause): .pause
    case .pause(.resume): .resume
    case .dispute(.open): .openDispute
    case .dispute(.submitEvidence): .submitEvidence
    case .dispute(.withdraw): .withdrawDispute
    case .dispute(.review): .reviewDispute
    case .dispute(.resolve): .resolveDispute
    case .receivable(.writeOff): .writeOff
    case .receivable(.setCap): .setReceivableCap
    case .policy(.set): .setPolicy
    case .approval(.approve): .approve
    case .approval(.deny): .deny
    case .approval(.cancel): .cancel
    }
  }

  /// The past event that the command names, which ``Ledger/decide(_:by:about:at:into:)`` is handed
  /// with it; or none.
  @inline(__always)
  var named: EventNumber {
    switch self {
    case .identity, .wallet, .payment, .fee, .pause, .policy, .reservation(.reserve),
      .receivable(.setCap):
      .none
    case .reservation(.capture(let number, _, _)), .reservation(.release(let number)),
      .refund(.refund(let number, _)), .dispute(.open(let number, _, _)),
      .dispute(.submitEvidence(let number, _)), .dispute(.withdraw(let number)),
      .dispute(.review(let number)), .dispute(.resolve(let number, _)),
      .receivable(.writeOff(let number, _)), .approval(.approve(let number)),
      .approval(.deny(let number)), .approval(.cancel(let number)):
      number
    }
  }
}

extension Command {
  /// Whether it begins something: refused while the disk is nearly full, when what ends something
  /// still goes through (`accounting.md` 5).
  @inline(__always)
  var isBeginning: Bool {
    switch self {
    case .identity(.revoke), .wallet(.freeze), .wallet(.unfreeze), .wallet(.close),
      .wallet(.reopen), .reservation(.capture), .reservation(.release), .refund, .pause,
      .dispute(.withdraw), .dispute(.review), .dispute(.resolve), .receivable, .approval:
      false
    case .identity(.registerAgent), .identity(.registerOperator), .identity(.issue),
      .identity(.registerTenantAdmin),
      .wallet(.open), .wallet(.fund), .wallet(.addAsset), .payment, .fee, .reservation(.reserve),
      .dispute(.open), .dispute(.submitEvidence), .policy:
      true
    }
  }

  /// Whether it may make somebody a debtor, whose next credits are netted.
  var isDisputing: Bool {
    if case .dispute(.open) = self { true } else { false }
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
  /// ``Identity/Command/registerTenantAdmin(tenant:name:key:)``
  case registerTenantAdmin = 0x0105
  /// ``Wallets/Command/open(agent:asset:)``
  case openWallet = 0x0201
  /// ``Wallets/Command/fund(_:amount:asset:cap:)``
  case fundWallet = 0x0202
  /// ``Wallets/Command/addAsset(_:scale:)``
  case addAsset = 0x0203
  /// ``Wallets/Command/freeze(_:)``
  case freezeWallet = 0x0204
  /// ``Wallets/Command/unfreeze(_:)``
  case unfreezeWallet = 0x0205
  /// ``Wallets/Command/close(_:to:)``
  case closeWallet = 0x0206
  /// ``Wallets/Command/reopen(_:)``
  case reopenWallet = 0x0207
  /// ``Payments/Command/pay(from:to:amount:asset:rail:category:)``
  case pay = 0x0301
  /// ``Fees/Command/set(_:begins:)``
  case setFees = 0x0401
  /// ``Reservations/Command/reserve(from:to:amount:asset:seconds:isMultiple:category:)``
  case reserve = 0x0501
  /// ``Reservations/Command/capture(_:amount:isLast:)``
  case capture = 0x0502
  /// ``Reservations/Command/release(_:)``
  case release = 0x0503
  /// ``Refunds/Command/refund(_:amount:)``
  case refund = 0x0601
  /// ``Pauses/Command/pause(_:)``
  case pause = 0x0701
  /// ``Pauses/Command/resume(_:)``
  case resume = 0x0702
  /// ``Disputes/Command/open(_:reason:within:)``
  case openDispute = 0x0801
  /// ``Disputes/Command/submitEvidence(_:_:)``
  case submitEvidence = 0x0802
  /// ``Disputes/Command/withdraw(_:)``
  case withdrawDispute = 0x0803
  /// ``Disputes/Command/review(_:)``
  case reviewDispute = 0x0804
  /// ``Disputes/Command/resolve(_:_:)``
  case resolveDispute = 0x0805
  /// ``Receivables/Command/writeOff(_:of:)``
  case writeOff = 0x0901
  /// ``Receivables/Command/setCap(_:_:_:)``
  case setReceivableCap = 0x0902
  /// ``Policies/Command/set(_:begins:)``
  case setPolicy = 0x0A01
  /// ``Approvals/Command/approve(_:)``
  case approve = 0x0B01
  /// ``Approvals/Command/deny(_:)``
  case deny = 0x0B02
  /// ``Approvals/Command/cancel(_:)``
  case cancel = 0x0B03
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
  /// Money held until it is captured, released or expires.
  case reservation(Reservations.Event)
  /// Money of payments, back to their payers.
  case refund(Refunds.Event)
  /// What an operator stopped.
  case pause(Pauses.Event)
  /// Payments that a party says were wrong.
  case dispute(Disputes.Event)
  /// What is owed because a disputed payment was no longer there.
  case receivable(Receivables.Event)
  /// What wallets may spend.
  case policy(Policies.Event)

  /// What the event moves in the double-entry ledger: a function of the event and its body alone
  /// (`design.md` 4.4, rules in `accounting.md` 4).
  public func postings(body: Span<UInt8> = Span(), into postings: inout Postings) {
    switch self {
    case .genesis(let event): Genesis.postings(event, into: &postings)
    case .refusal(let event): Refusals.postings(event, into: &postings)
    case .identity(let event): Identity.postings(event, into: &postings)
    case .wallet(let event): Wallets.postings(event, into: &postings)
    case .payment(let event): Payments.postings(event, body: body, into: &postings)
    case .fee(let event): Fees.postings(event, into: &postings)
    case .reservation(let event): Reservations.postings(event, body: body, into: &postings)
    case .refund(let event): Refunds.postings(event, body: body, into: &postings)
    case .pause(let event): Pauses.postings(event, into: &postings)
    case .dispute(let event): Disputes.postings(event, body: body, into: &postings)
    case .receivable(let event): Receivables.postings(event, into: &postings)
    case .policy(let event): Policies.postings(event, into: &postings)
    }
  }
}

/// An event as the log has it.
public struct Recorded: Hashable, Sendable {
  /// Position, time and actor.
  public var header: Header
  /// What happened.
  public var event: Event

  /// The event's position, which for a payment is the payment's number.
  public var number: EventNumber { header.number }
}

/// What is so: the fold of every event. One thread owns it.
public struct Ledger: ~Copyable {
  let undo: Undo
  var genesis: Genesis.State
  var identity: Identity.State
  var wallets: Wallets.State
  var payments: Payments.State
  var fees: Fees.State
  var reservations: Reservations.State
  var refunds: Refunds.State
  var pauses: Pauses.State
  var disputes: Disputes.State
  var receivables: Receivables.State
  var policies: Policies.State
  var timers: Timers

  /// Nothing happened yet.
  init() {
    undo = Undo()
    genesis = Genesis.State(undo: undo)
    identity = Identity.State(undo: undo)
    wallets = Wallets.State(undo: undo)
    payments = Payments.State(undo: undo)
    fees = Fees.State(undo: undo)
    reservations = Reservations.State(undo: undo)
    refunds = Refunds.State(undo: undo)
    pauses = Pauses.State(undo: undo)
    disputes = Disputes.State(undo: undo)
    receivables = Receivables.State(undo: undo)
    policies = Policies.State(undo: undo)
    timers = Timers(undo: undo)
  }

  deinit { undo.destroy() }

  /// The tenant of a wallet's agent.
  func tenant(of wallet: WalletNumber) -> TenantNumber {
    identity.agents[wallets.wallets[wallet].agent].tenant
  }

  /// Decides a command with its `body`: events, or a refusal. Pure; `now` is the first event's
  /// time, and `named` the event of ``Command/named`` and its body, where the command names one
  /// that there is.
  @inline(__always)
  func decide(
    _ command: Command, body: Span<UInt8> = Span(), by actor: Actor,
    about named: Recorded? = nil, namedBody: Span<UInt8> = Span(), at now: Timestamp,
    into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .payment(let command):
      try Payments.decide(command, body: body, by: actor, self, at: now, into: &decision)
    case .identity(let command):
      try Identity.decide(command, by: actor, self, into: &decision)
    case .wallet(let command):
      try Wallets.decide(command, by: actor, self, into: &decision)
    case .fee(let command):
      try Fees.decide(command, body: body, by: actor, self, at: now, into: &decision)
    case .reservation(let command):
      try Reservations.decide(command, by: actor, about: named, self, at: now, into: &decision)
    case .refund(let command):
      try Refunds.decide(
        command, by: actor, about: named, body: namedBody, self, into: &decision)
    case .pause(let command):
      try Pauses.decide(command, by: actor, self, into: &decision)
    case .dispute(let command):
      try Disputes.decide(
        command, by: actor, about: named, body: namedBody, self, at: now, into: &decision)
    case .receivable(let command):
      try Receivables.decide(command, by: actor, about: named, self, into: &decision)
    case .policy(let command):
      try Policies.decide(command, body: body, by: actor, self, at: now, into: &decision)
    case .approval(let command):
      try Approvals.decide(
        command, by: actor, about: named, body: namedBody, self, at: now, into: &decision)
    }
  }

  /// Applies an event that was decided, now or long ago. Total: it stops the process where the
  /// event cannot follow from the log before it.
  @inline(__always)
  mutating func evolve(_ event: Event, _ header: Header, body: Span<UInt8>) {
    switch event {
    case .payment(let event): Payments.evolve(&payments, &wallets, event, header, body: body)
    case .genesis(let event): Genesis.evolve(&genesis, &wallets, &fees, event, body: body)
    case .refusal(let event): Refusals.evolve(&identity, event, header)
    case .identity(let event): Identity.evolve(&identity, event, header)
    case .wallet(let event): Wallets.evolve(&wallets, event, header)
    case .fee(let event): Fees.evolve(&fees, &timers, event, header, body: body)
    case .reservation(let event):
      Policies.giveBack(event, &self)
      Reservations.evolve(
        &reservations, &payments, &wallets, &timers, event, header, body: body)
    case .refund(let event):
      Refunds.evolve(&refunds, &payments, &wallets, event, header, body: body)
    case .pause(let event): Pauses.evolve(&pauses, event)
    case .dispute(let event): Disputes.evolve(&self, event, header, body: body)
    case .receivable(let event):
      Receivables.evolve(&receivables, &disputes, &wallets, event, header)
    case .policy(let event): Policies.evolve(&self, event, header, body: body)
    }
  }

  /// The event of the first timer that is due at `now`; `nil` where none is. Applying the event
  /// takes the timer off, in replay as when it fires.
  func due(at now: Timestamp) -> Event? {
    guard let (_, timer) = timers.first, timer.deadline <= now else { return nil }
    switch timer.kind {
    case .feeScheduleBegins: return .fee(Fees.fire(timer))
    case .reservationExpires: return .reservation(Reservations.fire(timer, reservations))
    case .policyBegins: return .policy(Policies.fire(timer, policies))
    }
  }

  /// Makes room for `events` more events of so many commands, whose bodies have so many bytes, so
  /// that a linked unit moves no memory.
  mutating func reserve(_ events: Int, commands: Int, bodyByteCount: Int) {
    identity.reserve(events)
    wallets.reserve(events, suspenses: events + commands * Splits.countMax)
    payments.reserve(events)
    fees.reserve(events, tiers: commands * Fees.tierCountMax)
    reservations.reserve(events)
    refunds.reserve(events, parts: commands * Splits.countMax)
    pauses.reserve(events)
    disputes.reserve(events, claims: commands * Splits.countMax)
    receivables.reserve(events + commands * Splits.countMax)
    policies.reserve(events, rules: bodyByteCount / Policies.Rule.byteCount)
    timers.reserve(events)
  }

  /// Asks for what deciding `command` will touch.
  @inline(__always)
  func prefetch(_ command: Command) {
    switch command {
    case .payment(.pay(let from, let to, _, _, _, _)),
      .reservation(.reserve(let from, let to, _, _, _, _, _)):
      wallets.wallets.prefetch(from)
      if case .wallet(let number) = to { wallets.wallets.prefetch(number) }
    case .identity, .wallet, .fee, .reservation, .refund, .pause, .dispute, .receivable, .policy,
      .approval:
      break
    }
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
    try reservations.withBytes(body)
    try refunds.withBytes(body)
    try pauses.withBytes(body)
    try disputes.withBytes(body)
    try receivables.withBytes(body)
    try policies.withBytes(body)
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
    try reservations.load(from: &source)
    try refunds.load(from: &source)
    try pauses.load(from: &source)
    try disputes.load(from: &source)
    try receivables.load(from: &source)
    try policies.load(from: &source)
    try timers.load(from: &source)
  }

  /// Makes the indexes of tables that were loaded, once it is known that they are the right ones.
  mutating func rebuildIndexes() {
    identity.rebuildIndexes()
    wallets.rebuildIndexes()
    payments.rebuildIndexes()
    refunds.rebuildIndexes()
    pauses.rebuildIndexes()
    disputes.rebuildIndexes()
    receivables.rebuildIndexes()
    policies.rebuildIndexes()
  }

  /// The number of this arrangement of the state. Raised whenever a table is added, or a row of one
  /// changes: snapshots of another are passed over. (A layout test says when.)
  static let layout: UInt32 = 4
}
