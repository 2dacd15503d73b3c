import Foundation
import Testing

/// Goal: whoever looks at a ledger beside its running `ledgerd` sees what the ledger itself says.
/// Method: the built programs as processes; everything said through the socket is compared, byte by
/// byte, with what the same subcommand says when it opens the stopped ledger.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LookingTests {
  @Test func `through the socket everything looks as in the ledger itself`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      var beside: [[String]: Said] = [:]
      var looks: [[String]] = []
      try await bed.serve { served in
        looks = try looksAtEverything(bed)
        for look in looks { beside[look] = try bed.ledgerctl(look) }
        #expect(try bed.ledgerctl("verify").code == 75)
        #expect(served.stop() == 0)
      }
      for look in looks {
        let alone = try bed.ledgerctl(look)
        #expect(alone == beside[look], "\(look)")
        #expect(alone.code == 0 && !alone.output.isEmpty && alone.errors.isEmpty, "\(look)")
      }
      #expect(try bed.ledgerctl("verify").code == 0)
    }
  }

  /// Every subcommand that only looks, for a person and for a program.
  private func looksAtEverything(_ bed: Bed) throws -> [[String]] {
    let said = try bed.ledgerctl("history", "--limit", "1000", "--json")
    let events = try #require(said.json as? [[String: Any]], "\(said.errors)")
    let payment = try #require(events.first { $0["name"] as? String == "payment.completed" })
    let fields = try #require(payment["fields"] as? [String: String])
    let wallet = try #require(fields["from"])
    let number = try #require(payment["event"] as? Int)
    let split = try #require(events.first { Self.receivers($0).count == 2 }?["event"] as? Int)
    let looks = [
      ["balance", "1"], ["balance", wallet], ["history"], ["history", wallet, "--limit", "1000"],
      ["history", "2", "--before", "\(number)", "--limit", "3"],
      ["history", "--before", "5", "--limit", "10000"], ["inspect", "1"],
      ["inspect", "\(number)"], ["inspect", "\(split)"], ["inspect", wallet], ["tail"],
      ["tail", "-n", "10000"], ["status"], ["disputes"], ["disputes", "--limit", "1"],
      ["disputes", "--status", "under_review"], ["disputes", "--status", "resolved_refunded"],
      ["disputes", "--before", "9"],
    ]
    return looks + looks.map { $0 + ["--json"] }
  }

  /// Whom a payment went to, each with what he got.
  private static func receivers(_ event: [String: Any]) -> [Substring] {
    guard event["name"] as? String == "payment.completed" else { return [] }
    return ((event["fields"] as? [String: String])?["to"] ?? "").split(separator: ", ")
  }

  @Test func `a split is shown with its receivers, and moves to each of them`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      let said = try bed.ledgerctl("history", "--limit", "1000", "--json").json as? [[String: Any]]
      let split = try #require(said?.first { Self.receivers($0).count == 2 })
      let receivers = Self.receivers(split)
      #expect(receivers[0].hasPrefix("wallet_") && receivers[1].hasPrefix("external "))
      let number = try #require(split["event"] as? Int)
      let whole = try bed.ledgerctl("inspect", "\(number)", "--json").json as? [String: Any]
      let postings = try #require(whole?["postings"] as? [[String: String]])
      #expect(
        postings.map { $0["credit"]?.split(separator: ":")[1] } == ["Wallet", "External", "Fees"])
      for (receiver, posting) in zip(receivers, postings) {
        #expect(receiver.split(separator: " ").last.map { String($0) } == posting["amount"])
      }
      let text = try bed.ledgerctl("inspect", "\(number)").output
      #expect(text.contains(receivers[0]) && text.contains(receivers[1]))
    }
  }

  @Test func `disputes are listed by status, the newest first`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      let list = { (arguments: String...) in
        try bed.ledgerctl(["disputes", "--json"] + arguments).json as? [[String: Any]] ?? []
      }
      let undecided = try list()
      #expect(undecided.map { $0["status"] as? String } == ["under_review", "open"])
      #expect(try list("--status", "open").count == 1)
      #expect(try list("--status", "withdrawn").isEmpty)
      let ended = try #require(try list("--status", "resolved_refunded").first)
      #expect(ended["held"] == nil && ended["opened_by"] as? String == "payer")
      let newest = try #require(undecided.first)
      let event = try #require(newest["event"] as? Int)
      #expect(newest["held"] as? String == newest["amount"] as? String)
      #expect(newest["receivable"] is String && newest["uncovered"] as? String == "0.00")
      let older = try list("--before", "\(event)")
      #expect(older.map { $0["event"] as? Int } == [undecided[1]["event"] as? Int])
      #expect(try list("--limit", "1").map { $0["event"] as? Int } == [event])
      let id = try #require(newest["dispute"] as? String)
      #expect(try bed.ledgerctl("inspect", id).output.contains("dispute.opened"))
      let table = try bed.ledgerctl("disputes").output.split(separator: "\n")
      #expect(table.count == 3 && table[0].hasPrefix("dispute ") && table[1].hasPrefix(id))
      let wrong = try bed.ledgerctl("disputes", "--status", "lost")
      #expect(wrong.code == 64 && wrong.errors.contains("under_review"))
    }
  }

  @Test func `a person gets tables, a program gets JSON`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      try await bed.serve { _ in
        let looks = try looksAtEverything(bed).filter { $0.last == "--json" }
        for look in looks where look[0] != "tail" {
          let json = try bed.ledgerctl(look).json
          #expect(json is [String: Any] || json is [Any], "\(look)")
          let table = try bed.ledgerctl(look.dropLast())
          #expect(!table.output.contains("{") && table.json == nil, "\(look)")
        }
        let lines = try bed.ledgerctl("tail", "-n", "3", "--json").output.split(separator: "\n")
        #expect(lines.count == 3)
        for line in lines {
          let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
          #expect(event?["event"] is Int)
        }
        let balance = try bed.ledgerctl("balance", "1").output.split(separator: "\n")
        #expect(balance.count == 2 && balance[0].hasPrefix("wallet "))
        let whole = try bed.ledgerctl("inspect", try payment(in: bed), "--json").json
        let postings = (whole as? [String: Any])?["postings"] as? [[String: String]]
        #expect(postings?.first?["debit"]?.hasPrefix("Liabilities:Wallet:wallet_") == true)
        #expect((whole as? [String: Any])?["text"] is [String])
      }
    }
  }

  /// The number of a payment between two wallets.
  private func payment(in bed: Bed) throws -> String {
    let events = try bed.ledgerctl("history", "--limit", "1000", "--json").json as? [[String: Any]]
    let found = events?.first { event in
      let to = (event["fields"] as? [String: String])?["to"] ?? ""
      return event["name"] as? String == "payment.completed" && to.hasPrefix("wallet_")
    }
    return "\(try #require(found?["event"] as? Int))"
  }

  @Test func `tail -f goes on from one ledgerd to the next`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      let tail = Programs.process(
        "ledgerctl", ["tail", "-f", "-n", "1", "--json", "--data", bed.directory])
      let (output, errors) = (Pipe(), Pipe())
      tail.standardOutput = output
      tail.standardError = errors
      try tail.run()
      defer {
        kill(tail.processIdentifier, SIGKILL)
        tail.waitUntilExit()
      }
      let lines = Lines(output)
      let seeded = try #require(lines.next())
      #expect(seeded.contains(#""name":"payment.completed""#))
      let complaints = Lines(errors)
      #expect(complaints.next()?.hasSuffix("; waiting") == true)

      // The first start registers an operator; later ones write nothing.
      try await bed.serve { served in
        for name in ["credential.issued", "operator.registered"] {
          #expect(lines.next()?.contains("\"name\":\"\(name)\"") == true)
        }
        #expect(served.stop() == 0)
      }
      #expect(complaints.next()?.hasSuffix("; waiting") == true)
      try FileManager.default.removeItem(atPath: bed.directory + "/admin.token")
      try await bed.serve { _ in
        for name in ["credential.issued", "operator.registered"] {
          #expect(lines.next()?.contains("\"name\":\"\(name)\"") == true)
        }
      }
    }
  }
}
