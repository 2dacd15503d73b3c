import TestSupport
import Testing

@testable import LedgerCore

/// Goal: a linked unit that is refused leaves the state byte for byte as it was.
/// Method: random writes to every kind of container inside a unit, then keep or roll back; and
/// random commands on the whole state. The bytes are compared, not the rows.
@Suite struct UndoTests {
  private enum Things {}
  private struct Row: BitwiseCopyable {
    var low: UInt64
    var high: UInt64
  }

  private struct SlabbedRow: SlabRow {
    var value: UInt64
    var nextFree: UInt64 = 0
  }

  private struct Everything: ~Copyable {
    let undo = Undo()
    var table: Table<Things, Row>
    var index: Index
    var timers: Timers
    var fingerprints: Fingerprints
    var slab: Slab<Things, SlabbedRow>
    var keys: [UInt128] = []
    var taken: [Number<Things>] = []
    var handles: [Timers.Handle] = []

    init() {
      table = Table(undo: undo)
      index = Index(undo: undo)
      timers = Timers(undo: undo)
      fingerprints = Fingerprints(undo: undo)
      slab = Slab(undo: undo)
    }

    deinit { undo.destroy() }

    mutating func reserve(_ count: Int) {
      table.reserve(count)
      index.reserve(count)
      timers.reserve(count)
      fingerprints.reserve(count)
      slab.reserve(count)
    }

    mutating func change(_ random: inout SplitMix64) {
      switch random.below(9) {
      case 0, 1: table.append(Row(low: random.next(), high: random.next()))
      case 2 where table.count > 0: table.removeLast()
      case 3 where table.count > 0:
        table[Number(UInt64(1 + random.below(table.count)))].low = random.next()
      case 4:
        let key = random.wide()
        index.insert(key, random.next() | 1)
        fingerprints.insert(key, EventNumber(random.next() | 1))
        keys.append(key)
      case 5 where !handles.isEmpty:
        timers.cancel(handles.remove(at: random.below(handles.count)))
      case 6 where !taken.isEmpty: slab.free(taken.remove(at: random.below(taken.count)))
      case 7: taken.append(slab.take(SlabbedRow(value: random.next())))
      default:  // not ours: a random number
        handles.append(
          timers.arm(
            Timers.Armed(
              deadline: Timestamp(nanoseconds: random.next()), kind: .feeScheduleBegins,
              subject: random.next())))
      }
    }

    /// Rows and timers as bytes, and what index and fingerprints answer for every key ever used.
    func bytes(_ asked: [UInt128]) throws -> [UInt8] {
      var bytes: [UInt8] = []
      table.withBytes { table, _ in bytes += table.copied() }
      timers.withBytes { table, _ in bytes += table.copied() }
      slab.withBytes { table, _ in bytes += table.copied() }
      for key in asked {
        bytes += UInt128.bytes(UInt128(index.find(key)))
        let found = try fingerprints.find(key) { _ in true }
        bytes += UInt128.bytes(UInt128(found?.rawValue ?? 0))
      }
      bytes += UInt128.bytes(UInt128(index.count) << 64 | UInt128(fingerprints.count))
      return bytes
    }
  }

  @Test func `rolling back writes every old byte back, keeping keeps`() throws {
    var random = SplitMix64(seeded: "undo")
    var world = Everything()
    for _ in 0..<200 {
      for _ in 0..<random.below(10) { world.change(&random) }
      let count = random.below(200)
      world.reserve(count)
      let (keys, handles, taken) = (world.keys, world.handles, world.taken)
      #expect(world.slab.count == taken.count)
      // The older keys were looked at when they were new.
      let asked = Array(keys.suffix(50))
      let before = try world.bytes(asked)
      world.undo.begin()
      for _ in 0..<count { world.change(&random) }
      if random.below(3) == 0 {
        world.undo.keep()
      } else {
        let tried = world.keys
        world.undo.rollBack()
        #expect(try world.bytes(asked) == before)
        for key in tried.dropFirst(keys.count) { #expect(world.index.find(key) == 0) }
        (world.keys, world.handles, world.taken) = (keys, handles, taken)
      }
    }
  }

  @Test func `a refused unit leaves the whole state as it was`() {
    var random = SplitMix64(seeded: "undo ledger")
    let given =
      Scenario.agents + Scenario.agent(4, Scenario.usd)
      + [Scenario.funded(Scenario.annWallet, 1_000_000_000)]
    var ledger = Scenario.ledger(after: given)
    var decision = Decision()
    var number: UInt64 = 1_000
    var past = Past()
    var counts: Set<String> = []
    for round in 0..<400 {
      let (before, began) = (ledger.bytes, number)
      ledger.reserve(4_096, commands: 64, bodyByteCount: 64 * 1_000)
      ledger.undo.begin()
      for _ in 0..<(1 + random.below(64)) {
        let bobs = ledger.wallets.wallets[Scenario.bobWallet].available
        let (command, body) = command(&random, past, bobs)
        apply(command, body, to: &ledger, &decision, &number, &past)
      }
      for recorded in past.events { counts.insert(name(recorded, past)) }
      if random.below(4) == 0 {
        ledger.undo.keep()
      } else {
        past.events.removeAll { $0.number.rawValue >= began }
        ledger.undo.rollBack()
        #expect(ledger.bytes == before)
      }
      // All of the past is added up each time.
      if round % 20 == 19 { expectBooksAgree(ledger, books(given, past)) }
    }
    // Of each kind of event that changes rows for what is open, one was undone or kept at least.
    let codes: [UInt16] = [
      0x0204, 0x0206, 0x0207, 0x0501, 0x0502, 0x0503, 0x0601, 0x0701, 0x0702, 0x0801, 0x0803,
      0x0804, 0x0805, 0x0806, 0x0904, 0x0A01, 0x0A02, 0x0A03,
    ]
    for code in codes {
      #expect(counts.contains("\(code)"), "no event of code \(code) was seen")
    }
    for name in ["split", "refund of a split", "tiers", "approval"] {
      #expect(counts.contains(name), "no \(name) was seen")
    }
  }

  /// What the random one reaches too seldom: what takes two operators, or an admin.
  @Test func `a unit of policies, approvals and a write-off is undone`() {
    let given =
      Scenario.agents + Scenario.agent(4, Scenario.usd)
      + [Scenario.funded(Scenario.annWallet, 1_000_000)]
    var ledger = Scenario.ledger(after: given)
    var decision = Decision()
    var number: UInt64 = 1_000
    var past = Past()
    let before = ledger.bytes
    ledger.reserve(4_096, commands: 64, bodyByteCount: 64 * 1_000)
    ledger.undo.begin()
    let rules: [Policies.Rule] = [
      .approval(above: Amount(units: 950), Scenario.usd, seconds: 60), .count(99, .day),
    ]
    let (first, second) = (
      Actor.operator(OperatorNumber(1)), Actor.operator(OperatorNumber(2))
    )
    // Events are numbered from 1,000.
    let steps: [(Actor, Command, [UInt8])] = [
      (first, .identity(.registerTenantAdmin(tenant: TenantNumber(1), name: 0, key: 0xAD)), []),
      (.agent(Scenario.ann), Scenario.pay(100, to: .wallet(WalletNumber(4))), []),
      (
        .agent(AgentNumber(4)), Scenario.pay(99, from: WalletNumber(4), to: .external(label: 7)), []
      ),
      (.agent(Scenario.ann), .dispute(.open(EventNumber(1_001), reason: .other, within: .max)), []),
      (first, .dispute(.review(EventNumber(1_004))), []),
      (first, .dispute(.resolve(EventNumber(1_004), .refunded)), []),
      (.agent(Scenario.ann), Scenario.pay(10, to: .wallet(WalletNumber(4))), []),
      (first, .receivable(.writeOff(EventNumber(1_004), of: AgentNumber(4))), []),
      (second, .receivable(.writeOff(EventNumber(1_004), of: AgentNumber(4))), []),
      (first, .policy(.set(.ledger, begins: .none)), Policies.Rule.body(rules)),
      (.agent(Scenario.ann), Scenario.pay(1_000), []),
      (.tenantAdmin(TenantNumber(1)), .approval(.approve(EventNumber(1_013))), []),
      (.agent(Scenario.ann), Scenario.pay(1_000), []),
      (.tenantAdmin(TenantNumber(1)), .approval(.deny(EventNumber(1_016))), []),
      (first, .policy(.set(.ledger, begins: .none)), []),
    ]
    for (actor, command, body) in steps {
      apply(command, body, by: actor, to: &ledger, &decision, &number, &past)
    }
    #expect(
      past.events.map(\.event.code) == [
        0x0104, 0x0301, 0x0302, 0x0301, 0x0801, 0x0803, 0x0806, 0x0301, 0x0901, 0x0902, 0x0903,
        0x0A01, 0x0A02,
        0x0501, 0x0A03, 0x0502, 0x0501, 0x0A03, 0x0503, 0x0A01, 0x0A02,
      ])
    ledger.undo.rollBack()
    #expect(ledger.bytes == before)
  }

  /// What happened, and the bodies of all that ever did, also of what was undone.
  private struct Past {
    var events: [Recorded] = []
    var bodies: [EventNumber: [UInt8]] = [:]
  }

  private func apply(
    _ command: Command, _ body: [UInt8], by actor: Actor = .administrator, to ledger: inout Ledger,
    _ decision: inout Decision,
    _ number: inout UInt64, _ past: inout Past
  ) {
    decision.removeAll(first: EventNumber(number))
    let now = Timestamp(nanoseconds: number * 1_000_000_000)
    let named = past.events.first { $0.number == command.named }
    let namedBody = past.bodies[command.named] ?? []
    do throws(Refusal) {
      try ledger.decide(
        command, body: body.span, by: actor, about: named, namedBody: namedBody.span,
        at: now, into: &decision)
    } catch {
      return
    }
    var credits = Credits()
    for index in 0..<decision.count {
      let header = Header(
        number: EventNumber(number),
        time: Timestamp(nanoseconds: now.nanoseconds + UInt64(index)), actor: actor)
      let body = decision.takeBody(of: index)
      ledger.evolve(decision[index], header, body: body.span)
      past.events.append(Recorded(header: header, event: decision[index]))
      past.bodies[header.number] = body
      number += 1
      if !ledger.receivables.isEmpty {
        credits.note(decision[index], body: body.span, ledger)
      }
    }
    while let event = credits.netting(ledger) {
      let header = Header(
        number: EventNumber(number), time: Timestamp(nanoseconds: number * 1_000_000_000),
        actor: .ledger)
      ledger.evolve(event, header, body: Span())
      credits.note(event, body: Span(), ledger)
      past.events.append(Recorded(header: header, event: event))
      number += 1
    }
  }

  /// The books of what was given, and of what happened since and was not undone.
  private func books(_ given: [Event], _ past: Past) -> Books {
    var books = Books(given)
    for recorded in past.events {
      books.add(recorded.event, body: past.bodies[recorded.number] ?? [])
    }
    return books
  }

  /// The event's code, or what it is where that says more.
  private func name(_ recorded: Recorded, _ past: Past) -> String {
    switch recorded.event {
    case .payment(.completed(let payment)) where payment.payee.isSplit: "split"
    case .refund(.completed(let refund)) where refund.payee.isSplit: "refund of a split"
    case .fee(.set) where past.bodies[recorded.number]?.isEmpty == false: "tiers"
    case .reservation(.reserved(let hold)) where hold.purpose == .approval: "approval"
    case .genesis, .refusal, .identity, .wallet, .payment, .fee, .reservation, .refund, .pause,
      .dispute, .receivable, .policy:
      "\(recorded.event.code)"
    }
  }

  /// Mostly a command about one wallet or two; else a dispute, a split, the refund of one, or a
  /// schedule with tiers.
  private func command(
    _ random: inout SplitMix64, _ past: Past, _ bobs: Int128
  ) -> (Command, [UInt8]) {
    switch random.below(20) {
    case 15, 16, 17, 18, 19: return (dispute(&random, past.events, bobs), [])
    case 12: return policy(&random)
    case 13: return (approval(&random, past.events), [])
    case 14:
      var refunded = EventNumber.none
      for recorded in past.events {
        if case .dispute(.refunded(let end)) = recorded.event { refunded = end.dispute }
      }
      let cap = Amount(units: Int128(random.below(90_000)))
      return random.below(4) == 0
        ? (.receivable(.setCap(.none, Scenario.usd, cap)), [])
        : (.receivable(.writeOff(refunded, of: AgentNumber(4))), [])
    case 0, 1: return split(&random)
    case 2:
      let splits = past.events.filter { $0.event.payment?.payee.isSplit == true }
      guard !splits.isEmpty else { return split(&random) }
      let named = splits[splits.count - 1 - random.below(min(splits.count, 8))]
      let amount = Amount(units: Int128(1 + random.below(100)))
      return (.refund(.refund(named.number, amount: random.below(4) == 0 ? nil : amount)), [])
    case 3:
      let tiers = (1...1 + random.below(3)).map { place in
        Fees.Tier(
          from: Amount(units: Int128(place * 100)), flat: Amount(units: Int128(place)),
          basisPoints: UInt32(40 + place))
      }
      let terms = Fees.Terms(
        basisPoints: 40, side: random.below(2) == 0 ? .payer : .payee, isFeeRefunded: true)
      return (.fee(.set(terms, begins: .none)), Fees.Tier.body(tiers))
    case 4, 5, 6: return (dispute(&random, past.events, bobs), [])
    default:  // not ours: a random number
      return (simple(&random, past.events), [])
    }
  }

  /// A policy of a wallet, an agent, a tenant or all, at once or later, that denies little.
  private func policy(_ random: inout SplitMix64) -> (Command, [UInt8]) {
    let scopes: [Policies.Scope] = [
      .ledger, .tenant(TenantNumber(1)), .agent(Scenario.ann), .wallet(Scenario.annWallet),
    ]
    let all: [Policies.Rule] = [
      .spend(Amount(units: Int128(100_000 + random.below(99_000))), Scenario.usd, .day),
      .count(UInt32(200 + random.below(1_000)), .week),
      .approval(above: Amount(units: 950), Scenario.usd, seconds: 60), .deny(.category(7)),
    ]
    let begins: Timestamp = random.below(2) == 0 ? .none : Timestamp(nanoseconds: .max)
    let rules = all.filter { _ in random.below(2) == 0 }
    return (.policy(.set(scopes[random.below(4)], begins: begins)), Policies.Rule.body(rules))
  }

  private func isReservation(_ recorded: Recorded, for purpose: Reservations.Purpose) -> Bool {
    guard case .reservation(.reserved(let hold)) = recorded.event else { return false }
    return hold.purpose == purpose
  }

  private func approval(_ random: inout SplitMix64, _ past: [Recorded]) -> Command {
    let number = past.last { isReservation($0, for: .approval) }?.number ?? .none
    switch random.below(3) {
    case 0: return .approval(.approve(number))
    case 1: return .approval(.deny(number))
    default:  // not ours: a random number
      return .approval(.cancel(number))
    }
  }

  /// A dispute of one of the last payments, or a step of the last that was opened.
  private func dispute(
    _ random: inout SplitMix64, _ past: [Recorded], _ bobs: Int128
  ) -> Command {
    let opened = past.last { $0.event.code == 0x0801 }?.number ?? .none
    switch random.below(8) {
    // Nearly all that he has, so that what is disputed is not always there.
    case 4:
      let most = bobs * 100 / 102 - Int128(random.below(500))
      return Scenario.pay(max(most, 1), from: Scenario.bobWallet, to: .external(label: 7))
    case 5: return Scenario.pay(100, to: .wallet(WalletNumber(4)))
    case 6: return Scenario.pay(99, from: WalletNumber(4), to: .external(label: 7))
    case 0: return .dispute(.review(opened))
    case 1: return .dispute(.withdraw(opened))
    case 2: return .dispute(.resolve(opened, .refunded))
    case 3: return .dispute(.resolve(opened, .denied))
    default:  // not ours: a random number
      let payments = past.filter { $0.event.payment != nil }.suffix(20)
      guard !payments.isEmpty else { return .dispute(.review(opened)) }
      let named = payments[payments.endIndex - 1 - random.below(payments.count)].number
      return .dispute(.open(named, reason: .other, within: .max))
    }
  }

  /// Between one of the two wallets and labels, of which some are new.
  private func split(_ random: inout SplitMix64) -> (Command, [UInt8]) {
    let wallet = WalletNumber(UInt64(1 + random.below(2)))
    var shares = [
      Splits.Share(
        .wallet(WalletNumber(3 - wallet.rawValue)), weight: Int128(1 + random.below(9)))
    ]
    for _ in 0..<(1 + random.below(7)) {
      let label = UInt128(1 + random.below(1_000))
      shares.append(Splits.Share(.external(label: label), weight: Int128(1 + random.below(9))))
    }
    let command = Scenario.pay(Int128(100 + random.below(1_000)), from: wallet, to: .split)
    return (command, Splits.Share.body(shares))
  }

  private func simple(_ random: inout SplitMix64, _ past: [Recorded]) -> Command {
    let wallet = WalletNumber(UInt64(1 + random.below(2)))
    let reserved = past.last { isReservation($0, for: .hold) }?.number ?? .none
    let scopes: [Pauses.Scope] = [.ledger, .tenant(TenantNumber(1)), .rail(.internal)]
    switch random.below(18) {
    case 6, 7:
      return .reservation(
        .reserve(
          from: wallet, to: .wallet(WalletNumber(3 - wallet.rawValue)),
          amount: Amount(units: Int128(1 + random.below(1_000))), seconds: 86_400,
          isMultiple: random.below(2) == 0))
    case 8, 9: return .reservation(.capture(reserved, amount: Amount(units: 1)))
    case 10: return .reservation(.release(reserved))
    case 11:
      let paid = past.last { $0.event.payment?.payee.isSplit == false }
      return .refund(.refund(paid?.number ?? .none, amount: Amount(units: 1)))
    // Mostly nothing is stopped, so that money moves.
    case 12: return .wallet(random.below(4) == 0 ? .freeze(wallet) : .unfreeze(wallet))
    case 13: return .wallet(.close(WalletNumber(4 + UInt64(random.below(4)))))
    case 14: return .wallet(.reopen(WalletNumber(4 + UInt64(random.below(4)))))
    case 15, 16:
      let scope = scopes[random.below(3)]
      return .pause(random.below(4) == 0 ? .pause(scope) : .resume(scope))
    case 0:
      return .identity(
        .registerAgent(
          tenant: UInt128(random.below(5)), name: random.wide(), asset: Scenario.usd,
          apiKey: random.wide(), secretKey: random.wide()))
    case 1: return .wallet(.open(agent: Scenario.ann, asset: Scenario.usdc))
    case 2:
      return .fee(
        .set(
          Fees.Terms(basisPoints: UInt32(random.below(100))),
          begins: Timestamp(nanoseconds: random.next())))
    case 3:
      return Scenario.pay(
        Int128(1 + random.below(1_000)), from: wallet,
        to: .external(label: UInt128(1 + random.below(20))))
    case 4:
      return .wallet(
        .fund(
          wallet, amount: Amount(units: Int128(1 + random.below(1_000))), asset: .none,
          cap: .commandMax))
    default:  // not ours: a random number
      return Scenario.pay(
        Int128(1 + random.below(1_000)), from: wallet,
        to: .wallet(WalletNumber(3 - wallet.rawValue)))
    }
  }
}

extension Ledger {
  /// The state as bytes, as a replay must give them again.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    withBytes { table, _ in bytes += table.copied() }
    return bytes
  }
}
