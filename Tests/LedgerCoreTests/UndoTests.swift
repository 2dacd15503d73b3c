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

  private struct Everything: ~Copyable {
    let undo = Undo()
    var table: Table<Things, Row>
    var index: Index
    var timers: Timers
    var fingerprints: Fingerprints
    var keys: [UInt128] = []
    var handles: [Timers.Handle] = []

    init() {
      table = Table(undo: undo)
      index = Index(undo: undo)
      timers = Timers(undo: undo)
      fingerprints = Fingerprints(undo: undo)
    }

    deinit { undo.destroy() }

    mutating func reserve(_ count: Int) {
      table.reserve(count)
      index.reserve(count)
      timers.reserve(count)
      fingerprints.reserve(count)
    }

    mutating func change(_ random: inout SplitMix64) {
      switch random.below(7) {
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
      let (keys, handles) = (world.keys, world.handles)
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
        (world.keys, world.handles) = (keys, handles)
      }
    }
  }

  @Test func `a refused unit leaves the whole state as it was`() {
    var random = SplitMix64(seeded: "undo ledger")
    var ledger = Scenario.ledger(
      after: Scenario.agents + [Scenario.funded(Scenario.annWallet, 1_000_000_000)])
    var decision = Decision()
    var number: UInt64 = 1_000
    for _ in 0..<200 {
      let before = ledger.bytes
      ledger.reserve(64 * Decision.eventCountMax)
      ledger.undo.begin()
      for _ in 0..<(1 + random.below(64)) {
        apply(command(&random), to: &ledger, &decision, &number)
      }
      if random.below(4) == 0 {
        ledger.undo.keep()
      } else {
        ledger.undo.rollBack()
        #expect(ledger.bytes == before)
      }
    }
  }

  private func apply(
    _ command: Command, to ledger: inout Ledger, _ decision: inout Decision,
    _ number: inout UInt64
  ) {
    decision.removeAll()
    let now = Timestamp(nanoseconds: number * 1_000_000_000)
    do throws(Refusal) {
      try ledger.decide(command, by: .administrator, at: now, into: &decision)
    } catch {
      return
    }
    for index in 0..<decision.count {
      let header = Header(
        number: EventNumber(number),
        time: Timestamp(nanoseconds: now.nanoseconds + UInt64(index)), actor: .administrator)
      ledger.evolve(decision[index], header, body: Span())
      number += 1
    }
  }

  private func command(_ random: inout SplitMix64) -> Command {
    let wallet = WalletNumber(UInt64(1 + random.below(2)))
    switch random.below(6) {
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
