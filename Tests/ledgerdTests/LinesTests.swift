import Foundation
import LedgerCore
import Testing

@testable import ledgerd

/// Goal: many payments in one request are each answered as if they had come alone, in their order;
/// or all are done, or none.
/// Method: the real router; lines good and bad, once and twice, more than any single body may have.
@Suite struct LinesTests {
  private static let path = "/v1/payments/batch"

  private static func line(
    _ from: Member, _ to: String, _ amount: String, _ rest: String = ""
  ) -> String {
    #"{"from_wallet_id":"\#(from.wallet)","to_wallet_id":"\#(to)","amount":\#(amount)\#(rest)}"#
  }

  @Test func `each line is answered as if it had come alone`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let (bob, eve) = (try await scene.agent("bob"), try await scene.payer("eve"))
      let key = #","idempotency_key":"k""#
      let lines = [
        Self.line(ann, bob.wallet, "5", key), Self.line(ann, bob.wallet, "1000"),
        "{not json", Self.line(ann, bob.wallet, "1e3"), Self.line(ann, bob.wallet, "1", #","x":1"#),
        "", Self.line(eve, bob.wallet, "1"), Self.line(ann, bob.wallet, "5", key),
        Self.line(ann, bob.wallet, "6", key),
        Self.line(ann, bob.wallet, "2", #","description":"tea""#),
      ]
      let replies = try await scene.lines(Self.path, lines, key: ann.key)
      #expect(replies.allSatisfy { $0.status == 200 })
      #expect(replies.first?.header("Content-Type") == "application/x-ndjson")
      #expect(
        replies.map { $0["reason"] ?? $0["status"] } == [
          "completed", "insufficient_funds", "invalid_json", "invalid_amount", "unknown_field",
          "wallet_not_found", "completed", "idempotency_conflict", "completed",
        ])
      #expect(replies[6]["idempotent_replayed"] == "true" && replies[6]["id"] == replies[0]["id"])
      #expect(replies[0]["idempotent_replayed"] == nil && replies[8]["description"] == "tea")
      #expect(replies[1].json["status"] == .number("402"))
      // Blank lines have no answer. The key is the one of the route for one payment.
      let alone = try await scene.pay(ann, bob.wallet, "5", key)
      #expect(alone.header("Idempotent-Replayed") == "true" && alone["id"] == replies[0]["id"])
      #expect(try await scene.available(ann) == "92.972")
      #expect(try await scene.available(bob) == "7.00")
    }
  }

  @Test func `atomic lines are all done or none`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let path = Self.path + "?atomic=true"
      let good = (0..<20).map { Self.line(ann, bob.wallet, "1", #","idempotency_key":"a\#($0)""#) }
      for bad in [Self.line(ann, bob.wallet, "99"), "{", Self.line(ann, ann.wallet, "1")] {
        let replies = try await scene.lines(path, good + [bad], key: ann.key)
        #expect(replies.count == 21)
        #expect(replies.dropLast().allSatisfy { $0["reason"] == "linked_command_refused" })
        #expect(replies.last?["reason"] != "linked_command_refused")
        #expect(try await scene.available(ann) == "100.00")
      }
      for _ in 0..<2 {
        let replies = try await scene.lines(path, good, key: ann.key)
        #expect(replies.count == 20 && replies.allSatisfy { $0["status"] == "completed" })
        #expect(try await scene.available(bob) == "20.00")
      }
      let many = Array(repeating: Self.line(ann, bob.wallet, "0.01"), count: 1_001)
      let refused = try await scene.lines(path, many, key: ann.key)
      #expect(refused.map { $0["reason"] } == ["unit_too_large"])
      #expect(try await scene.lines(path, [], key: ann.key).isEmpty)
      let typo = try await scene.lines(Self.path + "?atomic=yes", good, key: ann.key)
      #expect(typo.map { $0["reason"] } == ["invalid_field"])
      #expect(try await scene.available(bob) == "20.00")
    }
  }

  @Test func `one key for all lines is refused, since it would make no retry safe`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let reply = try await scene.post(
        Self.path, Self.line(ann, bob.wallet, "1"), key: ann.key,
        headers: [("Idempotency-Key", "k")])
      #expect(reply.status == 400 && reply["reason"] == "invalid_header")
      #expect(try await scene.available(bob) == "0.00")
    }
  }

  @Test func `more lines than a body may have bytes are all done, in order`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann", "1000")
      let bob = try await scene.agent("bob")
      let lines = (1...5_000).map { Self.line(ann, bob.wallet, "0.0\($0 % 9 + 1)") }
      let replies = try await scene.lines(Self.path, lines, key: ann.key)
      #expect(replies.count == 5_000)
      #expect(
        replies.enumerated().allSatisfy { index, reply in
          reply["amount_text"]?.hasPrefix("0.0\((index + 1) % 9 + 1)") == true
        })
      let events = replies.compactMap { $0["id"] }
      #expect(Set(events).count == 5_000)
    }
  }

  @Test func `a line that is too long ends the answer, and a stranger gets none`() async throws {
    try await Scene.run { scene in
      let ann = try await scene.payer("ann")
      let bob = try await scene.agent("bob")
      let good = Self.line(ann, bob.wallet, "1")
      let long = String(repeating: "x", count: 70_000)
      let replies = try await scene.lines(Self.path, [good, long, good], key: ann.key)
      #expect(replies.map { $0["reason"] ?? "done" } == ["done", "body_too_large"])
      let stranger = try await scene.lines(Self.path, [good], key: nil)
      #expect(stranger.map(\.status) == [401])
      let other = try await scene.lines(Self.path, [good], key: bob.key)
      #expect(other.map { $0["reason"] } == ["wallet_not_found"])
    }
  }
}
