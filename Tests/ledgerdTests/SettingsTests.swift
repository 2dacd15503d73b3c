import ArgumentParser
import Foundation
import Testing

@testable import ledgerd

/// Goal: what was said counts, in the documented order, and what nobody reads is refused.
/// Method: tables of arguments, variables and files; no daemon.
@Suite struct SettingsTests {
  private func resolve(
    _ arguments: [Setting: String] = [:], _ environment: [String: String] = [:],
    file: String? = nil
  ) throws -> Settings {
    try Settings.resolve(arguments: arguments, environment: environment) {
      path throws(SettingsError) in
      path.hasSuffix("/config.json") ? file.map { Array($0.utf8) } : nil
    }
  }

  @Test func `defaults are a local test ledger on the loopback`() throws {
    let settings = try resolve()
    #expect(settings.data == "./data" && settings.host == "127.0.0.1" && settings.port == 3100)
    #expect(settings.hosting == .local && !settings.isLive && settings.fundingCap == 1_000_000)
    #expect(settings.masterKeyFile == nil && settings.proxyHops == nil && !settings.acceptsClock)
  }

  @Test func `arguments come before the environment, before the file, before defaults`() throws {
    let environment = ["LEDGER_PORT": "2", "LEDGER_HOST": "b", "PATH": "/bin"]
    let file = #"{"port":3,"host":"c","funding_cap":7,"accept_clock":true}"#
    let settings = try resolve([.port: "1"], environment, file: file)
    #expect(settings.port == 1 && settings.host == "b" && settings.fundingCap == 7)
    #expect(settings.acceptsClock && settings.maxConnections == 900)
  }

  @Test func `the file is that of the directory in use`() throws {
    var asked: [String] = []
    _ = try Settings.resolve(arguments: [:], environment: ["LEDGER_DATA": "there"]) {
      path throws(SettingsError) in
      asked.append(path)
      return nil
    }
    #expect(asked == ["there/config.json"])
    #expect(try resolve([.data: "d"], file: #"{"data":"d"}"#).data == "d")
    #expect(throws: SettingsError.self) { try resolve([.data: "d"], file: #"{"data":"e"}"#) }
  }

  @Test(arguments: [
    (["LEDGER_PROT": "1"], "LEDGER_PROT"), (["LEDGER_": "1"], "LEDGER_"),
    (["DATABASE_URL": "postgres://x"], "LEDGER_DATA"), (["LEDGER_PORT": "70000"], "port"),
    (["LEDGER_PORT": ""], "port"), (["LEDGER_PORT": "3100 "], "port"),
    (["LEDGER_HOSTING": "Local"], "hosting"), (["LEDGER_LIVEMODE": "true"], "livemode"),
    (["LEDGER_LOG_LEVEL": "loud"], "log_level"), (["LEDGER_ORIGINS": "http://a"], "origins"),
    (["LEDGER_ORIGINS": "https://a/b"], "origins"), (["LEDGER_PROXY_HOPS": "-1"], "proxy_hops"),
    (["LEDGER_ACCEPT_CLOCK": "yes"], "accept_clock"),
  ])
  func `a variable that is wrong is refused by its name`(
    environment: [String: String], name: String
  ) throws {
    let error = try #require(throws: SettingsError.self) { try resolve([:], environment) }
    #expect(error.description.contains(name))
    #expect(Ledgerd.exitCode(of: error) == 78)
  }

  @Test(arguments: [
    #"{"prot":1}"#, #"{"port":1,"port":2}"#, "[]", "{", #"{"port":null}"#, #"{"port":{}}"#,
    #"{"port":[1]}"#, #"{"port":1.5}"#, #"{"master_key":"00"}"#,
  ])
  func `a file that is wrong is refused`(file: String) {
    #expect(throws: SettingsError.self) { try resolve(file: file) }
  }

  @Test func `hosted starts only when all that protects strangers was said`() throws {
    let all: [Setting: String] = [
      .hosting: "hosted", .masterKeyFile: "m", .operatorKeyFile: "o",
      .origins: "https://a.example,https://b.example:8443", .proxyHops: "0",
    ]
    let settings = try resolve(all)
    #expect(settings.origins == ["https://a.example", "https://b.example:8443"])
    #expect(settings.proxyHops == 0)
    for missing in [Setting.masterKeyFile, .operatorKeyFile, .origins, .proxyHops] {
      var some = all
      some[missing] = nil
      let error = try #require(throws: SettingsError.self) { try resolve(some) }
      #expect(error.description.contains(missing.rawValue))
    }
    #expect(throws: SettingsError.self) {
      try resolve(all.merging([.livemode: "live"]) { $1 })
    }
  }

  @Test func `every setting is an argument and stands in the help`() {
    let help = Ledgerd.helpMessage(columns: 100)
    for setting in Setting.allCases {
      let option = "--" + setting.rawValue.replacing("_", with: "-")
      #expect(help.contains(option), "\(option)")
    }
  }

  @Test func `a master key is 32 random bytes, raw or in hex`() throws {
    let path = NSTemporaryDirectory() + "ledgerd-key-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: path) }
    let key = (0..<32).map { UInt8($0 * 5 + 1) }
    let hex = key.map {
      String($0 + 0, radix: 16).count == 1 ? "0\(String($0, radix: 16))" : String($0, radix: 16)
    }
    for good in [Data(key), Data((hex.joined() + "\n").utf8)] {
      try good.write(to: URL(filePath: path))
      #expect(try KeyFiles.masterKey(path) == key)
    }
    for bad in [Data(), Data(count: 32), Data(key.dropLast()), Data("changeme".utf8)] {
      try bad.write(to: URL(filePath: path))
      #expect(throws: SettingsError.self) { try KeyFiles.masterKey(path) }
    }
  }
}
