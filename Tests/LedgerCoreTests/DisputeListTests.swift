import TestSupport
import Testing

@testable import LedgerCore

/// Goal: a list of disputes has the newest, page by page, whatever the order of their rows.
/// Method: disputes in every status on the real engine, and random orders of numbers; each page is
/// compared with the sorted whole.
@Suite struct DisputeListTests {
  @Test func `the newest are those at the end of the sorted whole`() {
    var random = SplitMix64(seeded: "newest disputes")
    for _ in 0..<200 {
      let count = random.below(60)
      let all = (0..<count).map { _ in
        Disputes.Standing(dispute: EventNumber(1 + random.next() % 1_000_000), status: .open)
      }
      let limit = 1 + random.below(20)
      let sorted = all.sorted { $0.dispute > $1.dispute }
      for order in [all, sorted, sorted.reversed()] {
        var newest = NewestDisputes(limit: limit)
        for dispute in order { newest.show(dispute) }
        #expect(newest.all.map(\.dispute) == sorted.prefix(limit).map(\.dispute))
      }
    }
  }

  @Test func `each status is listed page by page, the newest first`() async throws {
    let scene = try Scene()
    var random = SplitMix64(seeded: "disputes")
    var expected: [Disputes.Standing] = []
    for payment in try scene.engine.submitAndWait(try (0..<60).map { _ in try scene.pay(10) }) {
      let number = try #require(payment.recorded).number
      _ = try await Self.submit(.open(number, reason: .other, within: .max), scene)
      let dispute = scene.engine.head
      var status = Disputes.Status.open
      let paths: [[Disputes.Step]] = [
        [], [.review], [.withdraw], [.review, .deny], [.review, .refund],
      ]
      for step in paths[random.below(5)] {
        _ = try await Self.submit(Self.command(step, dispute), scene)
        status = try #require(status.after(step))
      }
      expected.insert(Disputes.Standing(dispute: dispute, status: status), at: 0)
    }
    for status in [nil] + Disputes.Status.allCases.map(Optional.some) {
      let all = expected.filter { dispute in
        status.map { $0 == dispute.status } ?? !dispute.status.isEnd
      }
      var listed: [Disputes.Standing] = []
      while true {
        let page = try await scene.engine.disputes(
          in: status, before: listed.last?.dispute, limit: 4, perLook: 1 + random.below(80))
        if page.isEmpty { break }
        listed += page
      }
      #expect(listed == all)
    }
    try scene.expectReplayAgrees()
  }

  private static func submit(_ command: Disputes.Command, _ scene: Scene) async throws -> Outcome {
    let outcome = try await scene.engine.submit(Request(.dispute(command), by: .administrator))
    try #require(outcome.refusal == nil)
    return outcome
  }

  private static func command(
    _ step: Disputes.Step, _ dispute: EventNumber
  ) -> Disputes.Command {
    switch step {
    case .submitEvidence: .submitEvidence(dispute, .screenshot)
    case .review: .review(dispute)
    case .withdraw: .withdraw(dispute)
    case .refund: .resolve(dispute, .refunded)
    case .deny: .resolve(dispute, .denied)
    }
  }
}
