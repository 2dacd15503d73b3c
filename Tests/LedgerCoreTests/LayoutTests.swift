import Testing

@testable import LedgerCore

/// Goal: the hot path copies events and rows like numbers, and equal states are equal bytes.
/// Method: ask the compiler's own layout; add up the fields of every row of the state.
@Suite struct LayoutTests {
  /// One `String` payload anywhere would silently end that.
  @Test func `an event is trivial and fits two cache lines`() {
    #expect(_isPOD(Event.self))
    #expect(MemoryLayout<Event>.stride <= 128)
  }

  @Test func `a command is trivial`() {
    #expect(_isPOD(Command.self))
    #expect(MemoryLayout<Command>.stride <= 128)
  }

  @Test func `what travels beside an event is trivial`() {
    #expect(_isPOD(Header.self))
    #expect(_isPOD(IdempotencyKey.self))
    #expect(_isPOD(Digest32.self))
    #expect(_isPOD(Refusal.self))
    #expect(_isPOD(Posting.self))
    #expect(_isPOD(Recorded.self))
  }

  @Test func `a wallet is one cache line`() {
    #expect(MemoryLayout<Wallets.State.Wallet>.size == 64)
  }

  /// States are compared byte by byte; padding would hold whatever was there before.
  @Test func `no row of the state has padding`() {
    expectDense(
      Wallets.State.Wallet(available: 0, held: 0, agent: .none, asset: .none, opened: .none))
    expectDense(Wallets.State.Asset(code: 0, scale: 0))
    expectDense(Identity.State.Tenant(name: 0))
    expectDense(Identity.State.Agent(name: 0, tenant: .none, wallet: .none, registered: .none))
    expectDense(Identity.State.Operator(registered: .none))
    expectDense(Identity.State.Credential(key: 0, holder: 0, kind: 0, isLive: 0))
    expectDense(
      Payments.State.Payee(label: 0, balance: 0, tenant: .none, asset: .none, registered: .none))
    expectDense(
      Fees.State.Row(
        flat: 0, min: 0, max: 0, basisPoints: 0, side: 0, isFeeRefunded: 0, firstTier: 0,
        tierCount: 0))
    expectDense(Fees.State.TierRow(from: 0, flat: 0, basisPoints: 0))
    expectDense(Wallets.State.Suspense(balance: 0, agent: .none, asset: .none))
    expectDense(
      Reservations.State.Row(
        amount: 0, captured: 0, held: 0, made: .none, payer: .none, schedule: .none, timer: .none,
        asset: .none))
    expectDense(Refunds.State.Row(payment: .none))
    expectDense(Refunds.State.PartRow())
    expectDense(Pauses.State.Row(kind: 0, number: 0))
    expectDense(Disputes.State.Row(made: .none, payment: .none, payer: .none, party: 0))
    expectDense(Disputes.State.ClaimRow(held: 0, payee: 0, kind: 0, isOfSomething: 0))
    expectDense(Disputes.State.ClaimedWallet(wallet: .none))
    expectDense(Disputes.State.History(payment: .none, dispute: .none, slot: .none))
    expectDense(
      Receivables.State.Debt(
        receivable: 0, uncovered: 0, dispute: .none, claim: .none, payer: .none, debtor: .none))
    expectDense(Receivables.State.Debtor(agent: .none, asset: .none, tenant: .none))
    expectDense(Receivables.State.Exposure(tenant: .none, asset: .none))
    expectDense(Policies.State.Subject(kind: 0, number: 0))
    expectDense(Policies.State.Row(subject: .none, version: 0, made: .none, begins: 0))
    expectDense(Limits.Counter(began: .none))
    expectDense(
      Policies.State.RuleRow(
        limit: 0, key: 0, counter: Limits.Counter(began: .none), words: 0))
    expectDense(Genesis.State.Row(ledger: 0, livemode: 0))
    expectDense(Timers.Slot(deadline: 0, order: 0, kind: 0, subject: 0, place: 0))
  }

  /// Whoever changes this list raises `Ledger.layout`: snapshots of the old one are passed over.
  @Test func `the arrangement of the state has a number`() {
    var rows: [Int] = []
    Ledger().withBytes { _, rowByteCount in rows.append(rowByteCount) }
    #expect(Ledger.layout == 4)
    #expect(
      rows == [
        32, 32, 48, 16, 32, 64, 32, 8, 32, 64, 80, 48, 8, 112, 8, 48, 32, 24, 8, 88, 8, 64, 8, 32,
        16, 96, 8, 40, 64, 40, 72, 8, 96, 8, 8, 40, 8, 8,
      ])
  }

  private func expectDense<Row: BitwiseCopyable>(
    _ row: Row, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let fields = Mirror(reflecting: row).children.reduce(0) { $0 + byteCount(of: $1.value) }
    #expect(MemoryLayout<Row>.size == fields, "\(Row.self)", sourceLocation: sourceLocation)
    #expect(
      MemoryLayout<Row>.size == MemoryLayout<Row>.stride, "\(Row.self)",
      sourceLocation: sourceLocation)
    #expect(MemoryLayout<Row>.alignment <= 16, "\(Row.self)", sourceLocation: sourceLocation)
  }

  private func byteCount(of field: Any) -> Int {
    func open<Field>(_ field: Field) -> Int { MemoryLayout<Field>.size }
    return _openExistential(field, do: open)
  }
}
