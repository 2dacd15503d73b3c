import Foundation
import Testing

/// Goal: a script can tell by the exit code, and a person by one sentence, why `ledgerctl` did not
/// do what it was told (`design.md` 4.12).
/// Method: the built programs as processes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ExitTests {
  @Test func `what needs the lock is refused with the holder's pid`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      try await bed.serve { served in
        for command in ["init", "seed", "verify", "replay", "bench"] {
          let said = try bed.ledgerctl(command)
          #expect(said.code == 75 && said.output.isEmpty, "\(command): \(said)")
          #expect(said.errors.contains("process \(served.pid)"), "\(command): \(said.errors)")
          #expect(said.errors.split(separator: "\n").count == 1)
        }
        #expect(try bed.ledgerctl("status").code == 0)
      }
    }
  }

  @Test func `a socket that does not answer is 69, and a dead one's ledger is opened`() async throws
  {
    try await Bed.run { bed in
      try bed.seed()
      try await bed.serve { served in
        served.signal(SIGSTOP)
        let said = try bed.ledgerctl("status")
        #expect(said.code == 69 && said.output.isEmpty)
        #expect(said.errors.split(separator: "\n").count == 1, "\(said.errors)")
        #expect(said.errors.contains("ledgerd.sock"))

        served.signal(SIGKILL)
        served.wait()
        #expect(FileManager.default.fileExists(atPath: bed.directory + "/ledgerd.sock"))
        #expect(try bed.ledgerctl("status").code == 0)
      }
    }
  }

  @Test func `snapshots are listed, made and pruned alike on both ways`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      let made = try bed.ledgerctl("snapshot", "create", "--json")
      #expect(made.code == 0, "\(made)")
      let state = try #require((made.json as? [String: Any])?["state"] as? String)
      let alone = try bed.ledgerctl("snapshot", "list")
      #expect(alone.code == 0 && alone.output.contains(state), "\(alone)")
      let verified = try bed.ledgerctl("verify", "--json")
      #expect((verified.json as? [String: Any])?["snapshots"] as? Int == 1, "\(verified)")
      #expect((verified.json as? [String: Any])?["state"] as? String == state, "\(verified)")
      try await bed.serve { _ in
        #expect(try bed.ledgerctl("snapshot", "list") == alone)
        // The operator that ledgerd registered is one more event.
        let more = try bed.ledgerctl("snapshot", "create")
        #expect(more.code == 0 && !more.output.contains(state), "\(more)")
        let dry = try bed.ledgerctl("snapshot", "prune", "--keep", "1", "--dry-run")
        #expect(dry.code == 0, "\(dry)")
        #expect(try bed.ledgerctl("snapshot", "prune", "--keep", "1") == dry)
        #expect(try bed.ledgerctl("snapshot", "prune", "--keep", "0").code == 64)
      }
      // A damaged one is a finding, and a warning to whoever opens.
      let directory = bed.directory + "/snapshots"
      for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
        let file = URL(filePath: directory + "/" + name)
        var data = try Data(contentsOf: file)
        data[data.count - 1] ^= 1
        try data.write(to: file)
      }
      let said = try bed.ledgerctl("status")
      #expect(said.code == 0 && said.errors.contains("warning: snapshot"), "\(said)")
      #expect(try bed.ledgerctl("verify").output.contains("FOUND: snapshot"))
    }
  }

  @Test func `a clock is accepted by a running ledgerd only`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      let alone = try bed.ledgerctl("accept-clock")
      #expect(alone.code == 69 && alone.errors.contains("--accept-clock"), "\(alone)")
      try await bed.serve { _ in
        let said = try bed.ledgerctl("accept-clock", "--json")
        #expect(said.code == 0, "\(said)")
        #expect((said.json as? [String: Any])?["was_ahead"] as? Bool == false, "\(said)")
      }
    }
  }

  @Test func `a holder without a socket is 75`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      try await bed.serve { served in
        try FileManager.default.removeItem(atPath: bed.directory + "/ledgerd.sock")
        let said = try bed.ledgerctl("history")
        #expect(said.code == 75 && said.errors.contains("process \(served.pid)"))
      }
    }
  }

  @Test func `what is not there and what is misspelled is told alike on both ways`() async throws {
    let asked: [(arguments: [String], code: Int32)] = [
      (["inspect", "999999"], 1), (["inspect", "18446744073709551615"], 1), (["inspect", "0"], 1),
      (["balance", "999999"], 1), (["balance", "0"], 1), (["history", "999999"], 1),
      (["inspect", "tx_nothing"], 64), (["inspect", "wallet_nothing"], 64),
      (["balance", "wallet_nothing"], 64), (["history", "a/b?c=%00 d"], 64), (["balance", ""], 64),
      (["inspect", String(repeating: "a", count: 300)], 64), (["inspect", "é"], 64),
      (["history", "--limit", "0"], 64), (["history", "--before", "0"], 64),
      (["tail", "-n", "-1"], 64), (["balance"], 64), (["statsu"], 64), (["status", "--jsno"], 64),
    ]
    try await Bed.run { bed in
      try bed.seed()
      var beside: [Said] = []
      try await bed.serve { served in
        for (arguments, code) in asked {
          let said = try bed.ledgerctl(arguments)
          #expect(said.code == code && said.output.isEmpty, "\(arguments): \(said)")
          beside.append(said)
        }
        #expect(served.stop() == 0)
      }
      for (said, (arguments, _)) in zip(beside, asked) {
        #expect(try bed.ledgerctl(arguments) == said, "\(arguments)")
      }
    }
  }

  @Test func `where no ledger is, or another's, it is 78`() async throws {
    try await Bed.run { bed in
      for command in ["status", "verify", "replay", "history", "tail"] {
        let said = try bed.ledgerctl(command)
        #expect(said.code == 78 && said.errors.contains("no ledger"), "\(command): \(said)")
      }
      #expect(try bed.ledgerctl("init").code == 0)
      #expect(try bed.ledgerctl("init").code == 78)
      #expect(try bed.ledgerctl("seed", "--agents", "2", "--payments", "3").code == 0)
      #expect(try bed.ledgerctl("seed").code == 78)
      #expect(try bed.ledgerctl("bench").code == 78)
      #expect(try bed.ledgerctl("backup", bed.directory).code == 78)
    }
  }

  @Test func `where it stands is said once`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      let status = try #require(try bed.ledgerctl("status", "--json").json as? [String: Any])
      let counts = try #require(status["counts"] as? [String: Any])
      #expect(status["head"] is Int && counts["head"] == nil && counts["wallets"] is Int)
    }
  }

  @Test func `a backup made beside ledgerd is restored, and neither overwrites`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      let (backup, restored) = (bed.directory + "-backup", bed.directory + "-restored")
      defer {
        for path in [backup, restored] { try? FileManager.default.removeItem(atPath: path) }
      }
      var status: Said?
      try await bed.serve { _ in
        status = try bed.ledgerctl("status", "--json")
        let made = try bed.ledgerctl("backup", backup, "--json")
        #expect(made.code == 0 && made.errors.isEmpty, "\(made)")
        #expect(try bed.ledgerctl("backup", backup).code == 78)
        #expect(try bed.ledgerctl("backup", "/proc/no").code == 74)
      }
      let key = bed.directory + "/keys/master.key"
      let restore = ["restore", backup, "--master-key-file", key, "--data", restored]
      let said = try Bed.ledgerctl(restore + ["--json"])
      #expect(said.code == 0, "\(said)")
      let again = try #require(said.json as? [String: Any])
      let before = try #require(status?.json as? [String: Any])
      #expect(again["root"] as? String == before["root"] as? String)
      #expect(try Bed.ledgerctl(restore).code == 78)
      #expect(try Bed.ledgerctl(["verify", "--data", restored]).code == 0)
      // A ledger without its key in it, as hosted ones are.
      let bare = bed.directory + "-bare"
      defer { try? FileManager.default.removeItem(atPath: bare) }
      let without = ["restore", backup, "--master-key-file", key, "--data", bare, "--without-key"]
      #expect(try Bed.ledgerctl(without).code == 0)
      let keyless = try Bed.ledgerctl(["verify", "--data", bare])
      #expect(keyless.code == 78 && keyless.errors.contains("master key"), "\(keyless)")
      for command in ["verify", "status", "replay"] {
        let said = try Bed.ledgerctl([command, "--data", bare, "--master-key-file", key])
        #expect(said.code == 0, "\(command): \(said)")
      }
      let nowhere = ["restore", "/nowhere", "--master-key-file", key, "--data", restored + "2"]
      #expect(try Bed.ledgerctl(nowhere).code == 78)
    }
  }

  /// LMDB reads its own pages without looking twice, and crashes on these.
  @Test func `pages that crash whoever reads them are findings, and the end is 1`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      #expect(try bed.ledgerctl("verify").code == 0)
      #expect(try bed.ledgerctl("verify", "--quick").code == 0)
      let file = URL(filePath: bed.directory + "/log/data.mdb")
      var data = try Data(contentsOf: file)
      for page in 2..<data.count / 4_096 {
        for offset in 10..<16 { data[page * 4_096 + offset] = 0xFF }
      }
      try data.write(to: file)
      for arguments in [["verify"], ["verify", "--quick"]] {
        let said = try bed.ledgerctl(arguments)
        #expect(said.code == 1 && said.errors.isEmpty, "\(said)")
        #expect(said.output.contains("FOUND: the check crashed while opening"), "\(said)")
      }
      for command in ["status", "replay", "history"] {
        let said = try bed.ledgerctl(command)
        #expect(said.code == 74 && said.errors.contains("damaged pages"), "\(command): \(said)")
        #expect(said.errors.split(separator: "\n").count == 1, "\(command): \(said)")
      }
      // ledgerd has its child crash, and says so.
      let served = try Bed.ledgerd(["--data", bed.directory, "--port", "0"])
      #expect(served.code == 74 && served.errors.contains("damaged pages"), "\(served)")
      #expect(served.errors.split(separator: "\n").count == 1, "\(served)")
      let json = try #require(try bed.ledgerctl("verify", "--json").json as? [String: Any])
      #expect((json["findings"] as? [String])?.count == 1 && json["events_per_second"] != nil)
    }
  }

  @Test func `replay finds what differs, and nothing where nothing does`() async throws {
    try await Bed.run { bed in
      try bed.seed()
      let same = try bed.ledgerctl("replay", "--json")
      let view = try #require(same.json as? [String: Any])
      #expect(same.code == 0 && view["state"] as? String == view["live"] as? String, "\(same)")
      #expect((view["findings"] as? [Any])?.isEmpty == true)
      // The balance that the views hold for a wallet, changed where it lies.
      let balance = try bed.ledgerctl("balance", "1", "--json").json as? [String: Any]
      let text = try #require(balance?["available"] as? String)
      let parts = text.split(separator: ".")
      let scale = String(repeating: "0", count: 9 - parts[1].count)
      let units = try #require(UInt64("\(parts[0])\(parts[1])\(scale)"))
      let file = URL(filePath: bed.directory + "/projections/data.mdb")
      var data = try Data(contentsOf: file)
      let held = Data((0..<8).map { UInt8(truncatingIfNeeded: units >> UInt64($0 * 8)) })
      var place = data.range(of: held)
      try #require(place != nil)
      while let found = place {
        data[found.lowerBound] ^= 1
        place = data.range(of: held, in: found.upperBound..<data.endIndex)
      }
      try data.write(to: file)
      let differs = try bed.ledgerctl("replay")
      #expect(differs.code == 1 && differs.output.contains("FOUND: "), "\(differs)")
    }
  }

  @Test func `bench measures what its JSON names`() async throws {
    try await Bed.run { bed in
      let said = try bed.ledgerctl(
        "bench", "--payments", "100", "--wallets", "20", "--batch", "10", "--json")
      let report = try #require(said.json as? [String: Any], "\(said)")
      for name in [
        "payments_per_second", "raw_payments_per_second", "ratio", "ratio_preallocated", "p50_us",
        "p99_us", "bytes", "fold_events_per_second", "cpu_us_per_payment",
      ] { #expect((report[name] as? Double ?? 0) > 0, "\(name): \(said)") }
      #expect(report["batch"] as? Int == 10 && report["refused"] as? Int == 0)
      #expect(report["events"] as? Int == 100 && report["payments"] as? Int == 100)
      #expect(!FileManager.default.fileExists(atPath: bed.directory))
    }
  }

  @Test func `bench measures every way in, and the rate while the log grows`() async throws {
    try await Bed.run { bed in
      let said = try bed.ledgerctl(
        "bench", "--payments", "100", "--wallets", "20", "--batch", "10", "--entrances",
        "--growth-events", "300", "--json")
      let report = try #require(said.json as? [String: Any], "\(said)")
      let rows = try #require(report["entrances"] as? [[String: Any]], "\(said)")
      #expect(rows.count == 9)
      for row in rows {
        for name in ["payments_per_second", "p50_us", "p99_us", "p999_us", "cpu_us_per_payment"] {
          #expect((row[name] as? Double ?? 0) > 0, "\(name): \(row)")
        }
        #expect(row["refused"] as? Int == 0, "\(row)")
      }
      let following = try #require(report["following"] as? [String: Any], "\(said)")
      let followed = try #require(following["rows"] as? [[String: Any]], "\(said)")
      #expect(followed.count == 2 && followed.allSatisfy { $0["missing"] as? Int == 0 })
      #expect(following["rebuild_differences"] as? Int == 0)
      #expect((following["rebuild_events_per_second"] as? Double ?? 0) > 0)
      let growth = try #require(report["growth"] as? [[String: Any]], "\(said)")
      #expect(growth.count == 1 && (growth[0]["events"] as? Int ?? 0) >= 300)
    }
  }

  @Test func `a live ledger is one, and has no faucet`() async throws {
    try await Bed.run { bed in
      let made = try bed.ledgerctl("init", "--live")
      #expect(made.code == 0 && made.output.contains("live"), "\(made)")
      #expect(try bed.ledgerctl("init").code == 78)
      #expect(try bed.ledgerctl("status").output.contains("live"))
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func `completion is generated`(shell: String) throws {
    let said = try Bed.ledgerctl(["--generate-completion-script", shell])
    #expect(said.code == 0 && said.output.contains("inspect") && said.output.contains("data"))
  }

  @Test func `help lists the subcommands and the exit codes`() throws {
    let said = try Bed.ledgerctl(["--help"])
    #expect(said.code == 0)
    for code in ["0 fine", "1 findings", "64 usage", "69 no", "74 I/O", "75 locked", "78 refused"] {
      #expect(said.output.contains(code), "\(code)")
    }
    let names = [
      "init", "seed", "status", "verify", "replay", "inspect", "balance", "history", "tail",
      "backup", "restore", "snapshot", "accept-clock", "bench",
    ]
    for name in names {
      #expect(said.output.contains("  \(name) "), "\(name)")
      // Of a command with commands of its own, that of the last one.
      let help = try Bed.ledgerctl([name] + (name == "snapshot" ? ["prune"] : []) + ["--help"])
      #expect(help.code == 0 && help.output.contains("--data"), "\(name)")
    }
  }
}
