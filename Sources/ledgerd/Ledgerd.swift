import ArgumentParser
import Foundation
import LedgerCore
import Logging

/// `ledgerd`: the ledger over HTTP.
@main
struct Ledgerd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledgerd",
    abstract: "Serves a ledger over HTTP, and over a Unix socket in its directory.",
    discussion: """
      Every setting can be an argument, a variable such as LEDGER_PORT, or a member of \
      DIR/config.json such as "port"; the first that says it counts. Unknown ones are refused.

      Exit codes: 0 stopped, 64 usage, 74 disk or network failed, 75 in use by another process, \
      78 refused configuration or format.
      """)

  @Option(help: "The data directory; made where it is missing. (default: ./data)")
  var data: String?
  @Option(help: "The address to listen on. (default: 127.0.0.1)")
  var host: String?
  @Option(help: "The port to listen on; 0 for any that is free. (default: 3100)")
  var port: String?
  @Option(help: "local or hosted; hosted starts only with keys, origins and proxy depth. (local)")
  var hosting: String?
  @Option(help: "test or live: whether real money moves. Fixed with the ledger. (default: test)")
  var livemode: String?
  @Option(help: "The most that the faucet gives at once, in whole units. (default: 1000000)")
  var fundingCap: String?
  @Option(help: "How many days a payment can be disputed. (default: 30)")
  var disputeWindow: String?
  @Option(help: "Connections at once on the port; more wait to be accepted. (default: 900)")
  var maxConnections: String?
  @Option(help: "trace, debug, info, notice, warning, error or critical. (default: warning)")
  var logLevel: String?
  @Option(help: "A file with the master key: 32 bytes, or 64 hex digits. (default: DIR/keys)")
  var masterKeyFile: String?
  @Option(help: "A file with the first operator's key. (default: DIR/admin.token, made)")
  var operatorKeyFile: String?
  @Option(help: "Where browsers come from: https://host, separated by commas.")
  var origins: String?
  @Option(help: "How many proxies stand before ledgerd.")
  var proxyHops: String?
  @Flag(help: "Open although the clock is far from the last event's time.")
  var acceptClock = false
  @Flag(help: .hidden)
  var checkOnly = false

  /// What was said on the command line.
  var arguments: [Setting: String] {
    var values: [Setting: String] = [:]
    for setting in Setting.allCases { values[setting] = argument(setting) }
    return values
  }

  private func argument(_ setting: Setting) -> String? {
    switch setting {
    case .data: data
    case .host: host
    case .port: port
    case .hosting: hosting
    case .livemode: livemode
    case .fundingCap: fundingCap
    case .disputeWindow: disputeWindow
    case .maxConnections: maxConnections
    case .logLevel: logLevel
    case .masterKeyFile: masterKeyFile
    case .operatorKeyFile: operatorKeyFile
    case .origins: origins
    case .proxyHops: proxyHops
    case .acceptClock: acceptClock ? "true" : nil
    }
  }

  func run() async {
    umask(0o077)
    ProcessGuards.forbidCoreDumps()
    // The child that checks crashes for its parent, which says more.
    if !checkOnly { ProcessGuards.explainCrashes(Self.crashSentence) }
    let code = await serve()
    if code != 0 { Foundation.exit(code) }
  }

  private static let crashSentence: StaticString = """
    ledgerd: it crashed reading the ledger: log/data.mdb has damaged pages; see ledgerctl verify

    """

  private func serve() async -> Int32 {
    do {
      let settings = try Settings.resolve(
        arguments: arguments, environment: ProcessInfo.processInfo.environment,
        contents: KeyFiles.contents)
      var logger = Logger(label: "ledgerd") { StreamLogHandler.standardError(label: $0) }
      logger.logLevel = Logger.Level(rawValue: settings.logLevel) ?? .warning
      if checkOnly { return try BootCheck.perform(settings) }
      if let code = try BootCheck.child(of: settings) { return code }
      let daemon = try await Daemon.open(settings, logger)
      defer { daemon.close() }
      try await daemon.run { port in
        Self.say("serving on http://\(settings.host):\(port), the data in \(settings.data)")
      }
      return 0
    } catch {
      Self.say(Self.sentence(of: error))
      return Self.exitCode(of: error)
    }
  }

  private static func sentence(of error: any Error) -> String {
    switch error {
    case let error as SettingsError: error.description
    case let error as StorageError: error.description
    case let error as LedgerFailure: error.description
    default: "it cannot serve: \(error)"
    }
  }

  static func exitCode(of error: any Error) -> Int32 {
    switch error {
    case is SettingsError: 78
    case let error as StorageError: error.exitCode
    default: 74
    }
  }

  private static func say(_ sentence: String) {
    FileHandle.standardError.write(Data("ledgerd: \(sentence)\n".utf8))
  }
}
