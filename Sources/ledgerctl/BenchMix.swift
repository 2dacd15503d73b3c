import LedgerCore

extension Bench {
  /// What a ledger of agents is asked for, beside payments alone: of 100 commands 10 reservations,
  /// 10 captures, 10 refunds and 5 disputes, opened and withdrawn, and payments for the rest. What
  /// names something names what was answered in earlier spans.
  struct Mix {
    /// Reservations that nobody captured, payments that nobody refunded, and disputes that nobody
    /// withdrew; the oldest first.
    private var open: [EventNumber] = []
    private var paid: [EventNumber] = []
    private var disputed: [EventNumber] = []
    private var generator = SplitMix64(seed: 0x313C)

    /// The most that is remembered of either: captures and refunds are of what is minutes old.
    private static let keptCountMax = 1 << 16

    mutating func request(_ load: inout Load) -> Request {
      let key = load.key()
      switch generator.next() % 20 {
      case 0, 1:
        return Request(load.reservation(), by: .agent(AgentNumber(1)), key: key)
      case 2, 3:
        guard let number = open.popLast() else { return load.payment() }
        return Request(
          .reservation(.capture(number, amount: nil)), by: .agent(AgentNumber(1)), key: key)
      case 4:
        if let number = disputed.popLast() {
          return Request(.dispute(.withdraw(number)), by: .administrator, key: key)
        }
        guard let number = paid.popLast() else { return load.payment() }
        let dispute = Disputes.Command.open(number, reason: .other, within: 86_400)
        return Request(.dispute(dispute), by: .administrator, key: key)
      case 5, 6:
        guard let number = paid.popLast() else { return load.payment() }
        let refund = Refunds.Command.refund(number, amount: Amount(units: 1))
        return Request(.refund(refund), by: .agent(AgentNumber(1)), key: key)
      default:  // not ours: a random number
        return load.payment()
      }
    }

    /// Remembers what a span was answered.
    mutating func learn(_ outcomes: [Outcome]) {
      for outcome in outcomes {
        guard let recorded = outcome.recorded else { continue }
        if case .reservation(.reserved) = recorded.event, open.count < Self.keptCountMax {
          open.append(recorded.number)
        } else if case .dispute(.opened) = recorded.event {
          disputed.append(recorded.number)
        } else if recorded.event.payment != nil, paid.count < Self.keptCountMax {
          paid.append(recorded.number)
        }
      }
    }
  }

  /// The mix beside payments alone, both in spans of `--batch`, one in flight.
  func mixRows() -> [Entrance] {
    [
      mixed("spans of \(batch), payments alone", "Random wallets.") { load, _ in load.payment() },
      mixed(
        "spans of \(batch), the mix",
        "Of 100 commands 10 reserve, 10 capture, 10 refund, 5 dispute or withdraw, the rest pay."
      ) { load, mix in mix.request(&load) },
    ]
  }

  private func mixed(
    _ name: String, _ explanation: String,
    _ request: @escaping (inout Load, inout Mix) -> Request
  ) -> Entrance {
    let spanCount = max(payments / batch, 1)
    return Entrance(
      name: name,
      explanation: explanation + " One span in flight, whose requests are made before the clock "
        + "goes on.",
      payments: spanCount * batch
    ) { load, engine in
      var mix = Mix()
      var answers = Answers()
      var cost = Cost()
      for _ in 0..<spanCount {
        let requests = (0..<batch).map { _ in request(&load, &mix) }
        let before = Cost.soFar(data)
        let submitted = Clock.nanoseconds
        let outcomes = try engine.submitAndWait(requests)
        answers.latencies.record(nanoseconds: Clock.nanoseconds - submitted)
        cost = cost + (Cost.soFar(data) - before)
        answers.refused += outcomes.count { $0.recorded == nil }
        mix.learn(outcomes)
      }
      return Sample(payments: spanCount * batch, cost: cost, answers: answers)
    }
  }
}
