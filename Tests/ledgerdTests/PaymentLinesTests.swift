import LedgerCore
import Testing

@testable import ledgerd

/// Goal: a line that is read the fast way says the same as when it is read the usual way.
/// Method: lines made of good and bad pieces; whatever the fast way takes, the usual one takes too,
/// and both make the same request. The plain ones must be taken, or the test would say nothing.
@Suite struct PaymentLinesTests {
  private struct Pieces {
    let ann: String
    let bob: String
    var random: DocumentGenerator

    /// Mostly `usual`, so that whole lines are good now and then.
    mutating func either(_ usual: [String], _ odd: [String]) -> String {
      let pieces = Int.random(in: 0..<10, using: &random) > 0 ? usual : odd
      return pieces[Int.random(in: 0..<pieces.count, using: &random)]
    }

    mutating func member() -> String {
      let name = either(
        ["from_wallet_id", "to_wallet_id", "amount", "currency", "rail", "idempotency_key"],
        ["to_external", "split", "description", "x", "", "amoun\\u0074", "Amount"])
      return #""\#(name)""# + space() + ":" + space() + value(name)
    }

    private mutating func value(_ name: String) -> String {
      switch name {
      case "from_wallet_id": either(["\"\(ann)\""], ["\"\(bob)\"", "\"\"", "null", "1"])
      case "to_wallet_id": either(["\"\(bob)\""], ["\"\(ann)\"", "\"\(bob)x\"", "null"])
      case "amount":
        either(
          ["1", "0.5", "\"2.000000001\"", "999999999999999999", "0.000000001", "\"10.10\""],
          [
            "0", "\"0.00\"", "01", "1.", ".5", "-1", "1e3", "1.0000000001", "\" 1\"", "\"\"",
            "1000000000000000000", "null", "true", "1.2.3", "\"1.2.3\"",
          ])
      case "currency": either(["\"USD\""], ["\"usd\"", "\"EUR\"", "\"\"", "null", "\"US\\u0044\""])
      case "rail": either(["\"internal\""], ["\"ach\"", "null", "\"internal \""])
      case "idempotency_key":
        either(
          ["\"k1\"", "\"\(String(repeating: "k", count: 255))\"", "\"~!\""],
          [
            "\"\"", "\"a b\"", "\"\(String(repeating: "k", count: 256))\"", "\"ä\"", "null",
            "\"\\n\"", "\"\\u006b\"", "7",
          ])
      case "split":
        either(
          [#"[{"to_wallet_id":"\#(bob)","share":1},{"to_external":"a","share":"2"}]"#],
          ["[]", "null", "1", #"[{"to_wallet_id":"\#(bob)"}]"#])
      default: either(["\"tea\"", "1", "{}", "[1]"], ["null", "\""])
      }
    }

    mutating func space() -> String { either([""], [" ", "\t", "\r", "  "]) }

    mutating func line() -> String {
      var members = [member(), member(), member()]
      for required in ["from_wallet_id", "to_wallet_id", "amount"]
      where Int.random(in: 0..<8, using: &random) > 0 {
        members.append(#""\#(required)":\#(value(required))"#)
      }
      // The last of a name wins, mostly; twice is an error that both must see.
      var seen: Set<Substring> = []
      if Int.random(in: 0..<8, using: &random) > 0 {
        members = members.reversed().filter { seen.insert($0.split(separator: ":")[0]).inserted }
      }
      members.shuffle(using: &random)
      let comma = either([","], [" , ", ",,", ";"])
      let end = either(["}"], ["", "} ", "}}", "}x", ",}"])
      return space() + "{" + space() + members.joined(separator: comma) + end
    }
  }

  @Test(arguments: StrictJSONTests.seeds)
  func `what the fast way takes, the usual way takes as the same`(seed: UInt64) async throws {
    try await Scene.run { scene in
      let (ann, bob) = (try await scene.payer("ann"), try await scene.agent("bob"))
      _ = try await scene.pay(ann, bob.wallet, "1")  // so that her wallet is known
      let backend = scene.daemon.backend
      let principal = try await Principals.resolve(
        authorization: ["Bearer \(ann.key)"], backend)
      let call = Call(backend: backend, input: Input(), principal: principal, key: nil)
      let batch = PaymentRoutes.batch
      let lines = Lines(
        call: call, fields: batch.body ?? [], handle: try #require(batch.handleLines))
      var pieces = Pieces(ann: ann.wallet, bob: bob.wallet, random: DocumentGenerator(seed: seed))
      var (takenCount, goodCount) = (0, 0)
      var plain = PlainPayments(call)
      for _ in 0..<20_000 {
        let line = pieces.line()
        let chunk = Lines.Chunk(bytes: Array(line.utf8), lines: [0..<line.utf8.count])
        let good = try? await PaymentRoutes.order(try lines.read(chunk.lines[0], of: chunk))
        goodCount += good == nil ? 0 : 1
        // Each line is a chunk of its own here, so the payer of the one before is elsewhere.
        plain = PlainPayments(call)
        guard let (payment, request) = plain.read(chunk.bytes.span, chunk.lines[0]) else {
          continue
        }
        takenCount += 1
        let usual = try #require(good, "\(line) \(seed)")
        #expect(request.command == usual.request.command, "\(line) \(seed)")
        #expect(request.body.isEmpty && usual.description == nil)
        #expect(request.actor == usual.request.actor && request.texts.isEmpty)
        #expect(request.key == usual.request.key, "\(line) \(seed)")
        #expect(payment.asset == usual.asset && usual.label == nil && usual.receivers.isEmpty)
      }
      #expect(takenCount > 2_000 && goodCount > takenCount)
    }
  }
}
