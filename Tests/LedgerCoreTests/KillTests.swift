import Foundation
import Testing

@testable import KillTarget
@testable import LedgerCore

/// Goal: kill -9 at any moment loses nothing that was answered, halves nothing, repeats nothing.
/// Method: a child pays for ever and says what it was answered; it is killed after a random time,
/// at genesis too. The ledger is then opened here: every answered key answers the same event again;
/// every key that was ever sent is sent again; the payees have what as many payments make, once
/// each. `KILL_ROUNDS=1000` for more than the short form's 20.
@Suite(.serialized) struct KillTests {
  private static let rounds =
    ProcessInfo.processInfo.environment["KILL_ROUNDS"].flatMap { Int($0) } ?? 20

  /// What the victim said over all rounds.
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
    let directory = TemporaryDirectory()
    var journal = Journal()
    for round in 0..<Self.rounds {
      let child = try Child(["run", directory.path])
      // Any moment will do, and none may be special.
      Thread.sleep(forTimeInterval: Double(random.below(round < 5 ? 250 : 900)) / 1_000)
      child.kill()
      #expect(child.wait() == .signal(SIGKILL))
      let already = Set(journal.answered.keys)
      try journal.take(child.lines)
      let new = journal.answered.filter { !already.contains($0.key) }
      try check(directory, journal, new, isLast: round == Self.rounds - 1)
    }
    print("\(Self.rounds) kills, \(journal.answered.count) answered, \(journal.sent.count) sent")
    #expect(!journal.answered.isEmpty)
  }

  private func check(
    _ directory: TemporaryDirectory, _ journal: Journal, _ new: [String: String], isLast: Bool
  ) throws {
    let engine = try Engine.open(directory.path, .test)
    let workload = try Workload(engine)
    // The newest answers each round, all of them at the end.
    let answers = isLast ? journal.answered : new
    let keys = answers.keys.sorted()
    for start in stride(from: 0, to: keys.count, by: 2_000) {
      let part = Array(keys[start..<min(start + 2_000, keys.count)])
      let outcomes = try engine.submitAndWait(try part.map { try workload.request($0) })
      for (key, outcome) in zip(part, outcomes) {
        #expect(said(outcome) == answers[key], "\(key) was answered otherwise: \(outcome)")
      }
    }
    // What was under way when the kill came is done now, if it was not done then.
    for key in journal.sent.subtracting(journal.answered.keys).sorted() {
      let outcome = try engine.submitAndWait(try workload.request(key))
      let isRefused = outcome.refusal?.reason == .insufficientFunds
      #expect(isRefused == key.hasPrefix("r"), "\(key): \(outcome)")
    }
    try checkBooks(engine, journal)
    let bytes = try engine.read { $0.bytes }
    engine.close()
    let again = try Engine.open(directory.path, .test)
    #expect(try again.read { $0.bytes } == bytes)
    again.close()
  }

  /// The answer as the victim would have said it; only a replay counts.
  private func said(_ outcome: Outcome) -> String? {
    switch outcome {
    case .done(let recorded, isReplay: true): "done \(recorded.number)"
    case .refused(_, let event, isReplay: true): "refused \(event)"
    case .done(_, isReplay: false), .refused(_, _, isReplay: false): nil
    }
  }

  /// Every key that was ever sent has paid once by now; nothing else has.
  private func checkBooks(_ engine: Engine, _ journal: Journal) throws {
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
    #expect(count == Int128(journal.sent.count { !$0.hasPrefix("r") }))
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
  }
}
