import Configuration
import LedgerCore

/// Everything that can be set, under one name everywhere: `funding_cap` in `DIR/config.json` is
/// `LEDGER_FUNDING_CAP` in the environment and `--funding-cap` among the arguments.
enum Setting: String, CaseIterable, Sendable {
  case data
  case host
  case port
  case hosting
  case livemode
  case fundingCap = "funding_cap"
  case disputeWindow = "dispute_window"
  case maxConnections = "max_connections"
  case logLevel = "log_level"
  case masterKeyFile = "master_key_file"
  case operatorKeyFile = "operator_key_file"
  case origins
  case proxyHops = "proxy_hops"
  case acceptClock = "accept_clock"

  static let variablePrefix = "LEDGER_"

  var variable: String { Self.variablePrefix + rawValue.uppercased() }

  /// What counts where nobody says anything; nil where it then stays unset.
  var standard: String? {
    switch self {
    case .data: "./data"
    case .host: "127.0.0.1"
    case .port: "3100"
    case .hosting: Settings.Hosting.local.rawValue
    case .livemode: "test"
    case .fundingCap: "1000000"
    case .disputeWindow: "30"
    case .maxConnections: "900"
    case .logLevel: "warning"
    case .acceptClock: "false"
    case .masterKeyFile, .operatorKeyFile, .origins, .proxyHops: nil
    }
  }
}

/// The settings of one daemon, read and checked.
struct Settings: Sendable, Equatable {
  /// Where it runs; who may reach it follows from that (`design.md` 5).
  enum Hosting: String, CaseIterable, Sendable { case local, hosted }

  var data: String
  var host: String
  var port: Int
  var hosting: Hosting
  var isLive: Bool
  /// The most that the faucet gives at once, in whole units of the currency.
  var fundingCap: Int
  /// How many days a payment can be disputed.
  var disputeWindow: Int
  var maxConnections: Int
  var logLevel: String
  var masterKeyFile: String?
  var operatorKeyFile: String?
  /// Where browsers come from: `https://…`, without a path.
  var origins: [String]
  /// How many proxies stand before us; nil where nobody said.
  var proxyHops: Int?
  var acceptsClock: Bool
}

/// A configuration that is refused: exit 78. One sentence that names the setting.
struct SettingsError: Error, Equatable, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

extension Settings {
  /// Arguments, then environment, then `DIR/config.json`, then defaults.
  ///
  /// - `contents`: the bytes of a file, or nil where there is none.
  static func resolve(
    arguments: [Setting: String], environment: [String: String],
    contents: (String) throws(SettingsError) -> [UInt8]?
  ) throws(SettingsError) -> Settings {
    guard environment["DATABASE_URL"] == nil else {
      throw SettingsError(
        "DATABASE_URL is set, but this ledger is its own database: set LEDGER_DATA to a directory")
    }
    let variables = try variables(environment)
    var providers: [any ConfigProvider] = [
      provider("arguments", arguments),
      EnvironmentVariablesProvider(environmentVariables: variables),
    ]
    let standards = provider("defaults", [:], isLast: true)
    let directory = text(.data, ConfigReader(providers: providers + [standards])) ?? ""
    let path = directory + "/config.json"
    if let bytes = try contents(path) {
      providers.append(provider("config.json", try file(bytes, path, directory)))
    }
    return try Settings(ConfigReader(providers: providers + [standards]))
  }

  private static func provider(
    _ name: String, _ values: [Setting: String], isLast: Bool = false
  ) -> InMemoryProvider {
    var all: [AbsoluteConfigKey: ConfigValue] = [:]
    for setting in Setting.allCases {
      guard let text = values[setting] ?? (isLast ? setting.standard : nil) else { continue }
      all[AbsoluteConfigKey([setting.rawValue])] = ConfigValue(
        .string(text), isSecret: false)
    }
    return InMemoryProvider(name: name, values: all)
  }

  /// Our variables without their prefix; refuses those that nobody reads.
  private static func variables(
    _ environment: [String: String]
  ) throws(SettingsError) -> [String: String] {
    var variables: [String: String] = [:]
    for (name, value) in environment.sorted(by: { $0.key < $1.key })
    where name.hasPrefix(Setting.variablePrefix) {
      guard Setting.allCases.contains(where: { $0.variable == name }) else {
        throw SettingsError("\(name) is not a setting; see ledgerd --help")
      }
      variables[String(name.dropFirst(Setting.variablePrefix.count))] = value
    }
    return variables
  }

  /// The settings in a file: one object of texts, whole numbers and truth values.
  private static func file(
    _ bytes: [UInt8], _ path: String, _ directory: String
  ) throws(SettingsError) -> [Setting: String] {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue.parse(bytes)
    } catch {
      throw SettingsError("\(path): \(error.message)")
    }
    guard case .object(let object) = value else {
      throw SettingsError("\(path) is not a JSON object")
    }
    var values: [Setting: String] = [:]
    for member in object.members {
      guard let setting = Setting(rawValue: member.name) else {
        throw SettingsError(
          "\(path): \(JSONError.quoted(member.name)) is not a setting; see ledgerd --help")
      }
      switch member.value {
      case .string(let text), .number(let text): values[setting] = text
      case .bool(let flag): values[setting] = String(flag)
      case .array(let elements): values[setting] = try list(elements, setting, path)
      case .null, .object, .written:
        throw SettingsError("\(path): \(setting.rawValue) is not a text or a number")
      }
    }
    guard values[.data] == nil || values[.data] == directory else {
      throw SettingsError("\(path): data names another directory than the one this file lies in")
    }
    return values
  }

  private static func list(
    _ elements: [JSONValue], _ setting: Setting, _ path: String
  ) throws(SettingsError) -> String {
    var texts: [String] = []
    for element in elements {
      guard setting == .origins, case .string(let text) = element else {
        throw SettingsError("\(path): \(setting.rawValue) is not a text or a number")
      }
      texts.append(text)
    }
    return texts.joined(separator: ",")
  }

  // MARK: - Values

  private static func text(_ setting: Setting, _ reader: ConfigReader) -> String? {
    reader.string(forKey: ConfigKey([setting.rawValue]))
  }

  private init(_ reader: ConfigReader) throws(SettingsError) {
    func text(_ setting: Setting) throws(SettingsError) -> String {
      guard let text = Self.text(setting, reader), !text.isEmpty else {
        throw SettingsError("\(setting.rawValue) is empty")
      }
      return text
    }
    func whole(_ setting: Setting, _ range: ClosedRange<Int>) throws(SettingsError) -> Int {
      guard let number = Int(try text(setting)), range.contains(number) else {
        throw SettingsError(
          "\(setting.rawValue) must be \(range.lowerBound) to \(range.upperBound)")
      }
      return number
    }
    func choice<Value>(
      _ setting: Setting, _ values: [String: Value]
    ) throws(SettingsError) -> Value {
      guard let value = values[try text(setting)] else {
        let names = values.keys.sorted().joined(separator: " or ")
        throw SettingsError("\(setting.rawValue) must be \(names)")
      }
      return value
    }
    data = try text(.data)
    host = try text(.host)
    port = try whole(.port, 0...65_535)
    hosting = try choice(.hosting, ["local": .local, "hosted": .hosted])
    isLive = try choice(.livemode, ["test": false, "live": true])
    fundingCap = try whole(.fundingCap, 0...999_999_999_999)
    disputeWindow = try whole(.disputeWindow, 0...3_650)
    maxConnections = try whole(.maxConnections, 1...1_000_000)
    let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
    logLevel = try choice(
      .logLevel, Dictionary(uniqueKeysWithValues: levels.map { ($0, $0) }))
    masterKeyFile = Self.text(.masterKeyFile, reader)
    operatorKeyFile = Self.text(.operatorKeyFile, reader)
    origins = (Self.text(.origins, reader) ?? "").split(separator: ",").map(String.init)
    proxyHops =
      Self.text(.proxyHops, reader) == nil ? nil : try whole(.proxyHops, 0...16)
    acceptsClock = try choice(.acceptClock, ["true": true, "false": false])
    try checkOrigins()
    try checkHosting()
  }

  /// How the engine is opened: `options`, and what the settings say of it.
  func engineOptions(_ options: Engine.Options) throws(SettingsError) -> Engine.Options {
    var options = options
    options.livemode = isLive
    options.acceptsClock = acceptsClock
    if let masterKeyFile { options.masterKey = try KeyFiles.masterKey(masterKeyFile) }
    return options
  }

  private func checkOrigins() throws(SettingsError) {
    for origin in origins {
      let host = origin.dropFirst("https://".count)
      guard origin.hasPrefix("https://"), !host.isEmpty,
        host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") })
      else {
        throw SettingsError("origins must be https://host, separated by commas; no path, no http")
      }
    }
  }

  /// Hosted starts only when everything that protects strangers was said.
  private func checkHosting() throws(SettingsError) {
    guard hosting == .hosted else { return }
    guard masterKeyFile != nil else {
      throw SettingsError("hosted needs master_key_file: a file of 32 bytes, or 64 hex digits")
    }
    guard operatorKeyFile != nil else {
      throw SettingsError("hosted needs operator_key_file: a file with the first operator's key")
    }
    guard !origins.isEmpty else {
      throw SettingsError("hosted needs origins: the https:// addresses that browsers come from")
    }
    guard proxyHops != nil else {
      throw SettingsError("hosted needs proxy_hops: how many proxies stand before ledgerd, or 0")
    }
    guard !isLive else {
      throw SettingsError(
        "hosted with livemode live needs the production checklist, which cannot be given yet")
    }
  }
}
