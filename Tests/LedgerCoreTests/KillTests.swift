import Foundation
import TestSupport
import Testing

@testable import KillTarget
@testable import LedgerCore

/// Goal: kill -9 at any moment loses nothing that was answered, halves nothing, repeats nothing.
/// Method: a child pays for ever and says what it was answered; it is killed after a random time,
/// at genesis too. The ledger is then opened here: every answered key answers the same event again;
/// every key that was ever sent is sent again; of a linked unit all or none were done; the payees
/// have what as many payments make, once each. `KILL_ROUNDS=1000` for more than the short form's
/// 20; each twenty are of a ledger of their own.
@Suite(.serialized) struct KillTests {
  private static let rounds =
    ProcessInfo.processInfo.environment["KILL_ROUNDS"].flatMap { Int($0) } ?? 20
  private static let roundsPerLedger = 20

  /// What was found, over all ledgers.
  private struct Tally {
    var (answered, sent, units) = (0, 0, 0)
    var (lost, twice, halved) = (0, 0, 0)
  }

  /// What the victim said over all rounds of a ledger, and what was answered here.
  private struct Journal {
    var sent: Set<String> = []
    var answered: [String: String] = [:]

    mutating func take(_ lines: [String]) throws {
      for line in lines {
        let words = line.split(separator: " ").map(String.init)
        switch words.first {
        case "sent": sent.formUnion(words.dropFirst())
        case "done" where words.count == 3, "refused" where words.count == 3:
          let answer = "\(words[0]) \(words[2])"
          let before = answered.updateValue(answer, forKey: words[1])
          #expect(before == nil || before == answer, "\(words[1]) was answered twice")
        default: throw Unexpected(line)  // not ours: a line of another process
        }
      }
    }
  }

  @Test func `what was answered is there after the restart, once`() throws {
    var random = SplitMix64(seeded: "kill")
    var tally = Tally()
    for first in stride(from: 0, to: Self.rounds, by: Self.roundsPerLedger) {
      let rounds = min(Self.roundsPerLedger, Self.rounds - first)
      try kill(rounds, &random, &tally)
    }
    print(
      "prove: \(Self.rounds) kills, \(tally.sent) commands, \(tally.answered) answers;",
      "seed \(random.seed); \(tally.lost) lost, \(tally.twice) applied twice or missing,",
      "\(tally.halved) of \(tally.units) units cut short halved")
    #expect(tally.answered > 0)
  }

  /// So many kills of one ledger.
  private func kill(_ rounds: Int, _ random: inout SplitMix64, _ tally: inout Tally) throws {
    let directory = TemporaryDirectory()
    var journal = Journal()
    for round in 0..<rounds {
      let child = try Child(["run", directory.path])
      // Any moment will do, and none may be special.
      Thread.sleep(forTimeInterval: Double(random.below(round < 5 ? 250 : 900)) / 1_000)
      child.kill()
      #expect(child.wait() == .signal(SIGKILL))
      let already = Set(journal.answered.keys)
      try journal.take(child.lines)
      let new = journal.answered.filter { !already.contains($0.key) }
      tally.answered += new.count
      // The newest answers each round, all of them at the end.
      let answers = round == rounds - 1 ? journal.answered : new
      try check(directory, &journal, answers, &tally)
    }
    tally.sent += journal.sent.count
  }

  private func check(
    _ directory: TemporaryDirectory, _ journal: inout Journal, _ answers: [String: String],
    _ tally: inout Tally
  ) throws {
    let engine = try Engine.open(directory.path, .test)
    let workload = try Workload(engine)
    let keys = answers.keys.sorted()
    for start in stride(from: 0, to: keys.count, by: 2_000) {
      let part = Array(keys[start..<min(start + 2_000, keys.count)])
      let outcomes = try engine.submitAndWait(try part.map { try workload.request($0) })
      for (key, outcome) in zip(part, outcomes) {
        let isKept = said(outcome) == answers[key]
        #expect(isKept, "\(key) was answered otherwise: \(outcome)")
        tally.lost += isKept ? 0 : 1
      }
    }
    try finish(workload, &journal, &tally)
    let surplus = try checkBooks(engine, journal)
    tally.twice += surplus
    let bytes = try engine.read { $0.bytes }
    engine.close()
    let again = try Engine.open(directory.path, .test)
    #expect(try again.read { $0.bytes } == bytes)
    again.close()
  }

  /// What was under way when the kill came is done now, if it was not done then.
  private func finish(
    _ workload: Workload, _ journal: inout Journal, _ tally: inout Tally
  ) throws {
    // Of each linked unit, how many of its commands had been done and how many had not.
    let answered = Set(journal.answered.keys.compactMap(Victim.unit))
    var units: [String: (done: Int, new: Int)] = [:]
    for key in journal.sent.subtracting(journal.answered.keys).sorted() {
      let outcome = try workload.engine.submitAndWait(try workload.request(key))
      let isRefused = outcome.refusal?.reason == .insufficientFunds
      #expect(isRefused == key.hasPrefix("r"), "\(key): \(outcome)")
      let isDone = said(outcome) != nil
      if let unit = Victim.unit(of: key) {
        units[unit, default: (0, 0)].done += isDone ? 1 : 0
        units[unit, default: (0, 0)].new += isDone ? 0 : 1
      }
      switch outcome {
      case .done(let recorded, _): journal.answered[key] = "done \(recorded.number)"
      case .refused(_, let event, _): journal.answered[key] = "refused \(event)"
      }
    }
    let halved = units.filter { unit, count in
      count.new > 0 && (count.done > 0 || answered.contains(unit))
    }
    #expect(halved.isEmpty)
    tally.units += units.count
    tally.halved += halved.count
  }

  /// The answer as the victim would have said it; only a replay counts.
  private func said(_ outcome: Outcome) -> String? {
    switch outcome {
    case .done(let recorded, isReplay: true): "done \(recorded.number)"
    case .refused(_, let event, isReplay: true): "refused \(event)"
    case .done(_, isReplay: false), .refused(_, _, isReplay: false): nil
    }
  }

  /// Every key that was ever sent has paid once by now; nothing else has. Returns how many payments
  /// there are too many or too few.
  private func checkBooks(_ engine: Engine, _ journal: Journal) throws -> Int {
    var kept = Books([])
    var count: Int128 = 0
    var next = EventNumber(1)
    while next <= engine.head {
      for recorded in try engine.events(from: next, limit: 10_000) {
        #expect(recorded.number == next)
        next = EventNumber(next.rawValue + 1)
        kept.add(recorded.event)
        if case .payment(.completed) = recorded.event { count += 1 }
      }
    }
    let due = Int128(journal.sent.count { !$0.hasPrefix("r") })
    #expect(count == due)
    let (books, payments) = (kept, count)
    try engine.read { ledger in
      expectBooksAgree(ledger, books)
      var paid: Int128 = ledger.wallets.wallets[WalletNumber(2)].available
      for number in 1..<ledger.payments.payees.next.rawValue {
        paid += ledger.payments.payees[PayeeNumber(number)].balance
      }
      #expect(paid == payments * Workload.amount)
      let fees = books.balance(.feeIncome(.internal), AssetNumber(1))
      let left = ledger.wallets.wallets[WalletNumber(1)].available
      #expect(left + paid + fees == Workload.funds)
    }
    return Int((count - due).magnitude)
  }
}
