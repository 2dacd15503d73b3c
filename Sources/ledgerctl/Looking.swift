import ArgumentParser
import Foundation
import LedgerCore
import Projections

/// Where the ledger stands.
struct Status: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the head, the root over all events, and how much there is.")

  @OptionGroup var access: Access

  private struct View: Encodable {
    var head: UInt64
    var root: String
    var time: String
    var bytes: Int
    var projections: UInt64
    var counts: Counts
  }

  func perform() async throws {
    let engine = try access.open()
    defer { engine.close() }
    let (last, root, time) = try engine.treeHead()
    let counts = try await engine.counts()
    let hex = root.hex
    let byteCount = try engine.byteCount()
    let projections = try await access.openProjections(engine)
    defer { projections.close() }
    let position = projections.position.rawValue
    if access.json {
      try printJSON(
        View(
          head: last.rawValue, root: hex, time: rfc3339(time), bytes: byteCount,
          projections: position, counts: counts))
      return
    }
    print(
      Table.pairs([
        ["ledger", counts.livemode ? "live" : "test"],
        ["head", "\(last)"],
        ["root", hex],
        ["time", rfc3339(time)],
        ["bytes", "\(byteCount)"],
        ["projections", "at event \(position)"],
        ["tenants", "\(counts.tenants)"],
        ["agents", "\(counts.agents)"],
        ["operators", "\(counts.operators)"],
        ["wallets", "\(counts.wallets)"],
        ["payees", "\(counts.payees)"],
        ["timers", "\(counts.timers)"],
        ["fees", "schedule \(counts.feeSchedule)"],
      ]))
  }
}

extension Digest32 {
  /// 64 hexadecimal digits.
  var hex: String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}

/// One wallet's balance.
struct BalanceCommand: LedgerCommand {
  static let configuration = CommandConfiguration(
    commandName: "balance", abstract: "Show what a wallet holds.")

  @OptionGroup var access: Access
  @Argument(help: "The wallet: its text id or its number.")
  var wallet: String

  private struct View: Encodable {
    var wallet: String
    var asset: String
    var available: String
    var held: String
  }

  func perform() async throws {
    let engine = try access.open()
    defer { engine.close() }
    let words = try await Words(engine)
    let number = try Subject.wallet(wallet, words)
    guard let found = try await engine.wallet(number) else {
      throw Failure("there is no wallet \(wallet)", code: 1)
    }
    let view = View(
      wallet: words.wallet(number), asset: found.asset.code.description,
      available: words.amount(found.available, found.asset.number),
      held: words.amount(found.held, found.asset.number))
    if access.json { return try printJSON(view) }
    print(
      Table.render([
        ["wallet", "asset", "available", "held"],
        [view.wallet, view.asset, view.available, view.held],
      ]))
  }
}

/// What a person names on the command line.
enum Subject {
  case event(EventNumber)
  case wallet(WalletNumber)

  /// A wallet by text id or by number.
  static func wallet(_ text: String, _ words: Words) throws -> WalletNumber {
    if let number = words.ids.number(.wallet, text) ?? UInt64(text) { return WalletNumber(number) }
    throw Failure("\(text) is neither a wallet's id nor a number", code: 64)
  }

  /// An event by number, a payment or a wallet by text id.
  init(_ text: String, _ words: Words) throws {
    if let number = words.ids.number(.payment, text) ?? UInt64(text) {
      self = .event(EventNumber(number))
    } else if let number = words.ids.number(.wallet, text) {
      self = .wallet(WalletNumber(number))
    } else {
      throw Failure("\(text) is no event number, and no payment or wallet of this ledger", code: 64)
    }
  }
}

/// One event, payment or wallet, whole.
struct Inspect: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show an event, a payment (tx_…) or a wallet (wallet_…) whole.")

  @OptionGroup var access: Access
  @Argument(help: "An event's number, or the text id of a payment or a wallet.")
  var subject: String

  func perform() async throws {
    let engine = try access.open()
    defer { engine.close() }
    let words = try await Words(engine)
    switch try Subject(subject, words) {
    case .event(let number): try show(number, engine, words)
    case .wallet(let number):
      guard let found = try await engine.wallet(number) else {
        throw Failure("there is no wallet \(subject)", code: 1)
      }
      try show(found.opened, engine, words)
      var balance = BalanceCommand()
      balance.access = access
      balance.wallet = subject
      engine.close()
      try await balance.perform()
    }
  }

  private func show(_ number: EventNumber, _ engine: Engine, _ words: Words) throws {
    guard let event = try engine.event(number) else {
      throw Failure("there is no event \(number); the last is \(engine.head)", code: 1)
    }
    let view = EventView(event, words, text: try engine.text(of: number))
    if access.json { return try printJSON(view) }
    var rows = [
      ["event", "\(view.event)"], ["name", view.name], ["time", view.time], ["actor", view.actor],
    ]
    rows += view.fields.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
    for text in view.text ?? [] { rows.append(["text", text]) }
    print(Table.pairs(rows))
    printPostings(event.event, words)
  }

  private func printPostings(_ event: Event, _ words: Words) {
    var postings = Postings()
    event.postings(into: &postings)
    guard postings.count > 0 else { return }
    var rows = [["debit", "credit", "amount", "asset"]]
    for index in 0..<postings.count {
      let posting = postings[index]
      rows.append([
        words.account(posting.debit), words.account(posting.credit),
        words.amount(posting.amount, posting.asset), words.code(posting.asset),
      ])
    }
    print(Table.render(rows))
  }
}

extension Words {
  /// The account's name in the chart (`accounting.md` 3).
  func account(_ account: Account) -> String {
    switch account {
    case .faucet: "Assets:Rail:Faucet"
    case .walletAvailable(let wallet): "Liabilities:Wallet:\(self.wallet(wallet)):Available"
    case .external(let payee): "Liabilities:External:\(payee)"
    case .feeIncome(let rail): "Income:Fees:\(rail)"
    }
  }
}

/// Every event that touched a wallet, or all events.
struct History: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the events of a wallet, or of the ledger, newest first.")

  @OptionGroup var access: Access
  @Argument(help: "The wallet: its text id or its number. All events where it is left out.")
  var wallet: String?
  @Option(help: "How many events, 1 to 10000.")
  var limit = 20
  @Option(help: "Only events before this number.")
  var before: UInt64?

  func validate() throws {
    guard (1...10_000).contains(limit) else { throw ValidationError("--limit is 1 to 10000") }
  }

  func perform() async throws {
    let engine = try access.open()
    defer { engine.close() }
    let words = try await Words(engine)
    let found: [Recorded]
    if let wallet {
      found = try await timeline(of: try Subject.wallet(wallet, words), engine)
    } else {
      found = try newest(engine)
    }
    let views = try found.map { event in
      EventView(event, words, text: try engine.text(of: event.number))
    }
    if access.json { return try printJSON(views) }
    for view in views { print("\(view.event)  \(view.time)  \(view.name)  \(view.line)") }
  }

  private func timeline(of wallet: WalletNumber, _ engine: Engine) async throws -> [Recorded] {
    let projections = try await access.openProjections(engine)
    defer { projections.close() }
    var found: [Recorded] = []
    var cursor = before.map { EventNumber($0) }
    repeat {
      let page = try await projections.timeline(
        of: wallet, before: cursor, limit: min(limit - found.count, 1_000))
      found += page.events
      cursor = page.next
    } while cursor != nil && found.count < limit
    return found
  }

  private func newest(_ engine: Engine) throws -> [Recorded] {
    let end = min(before ?? .max, engine.head.rawValue + 1)
    let start = end > UInt64(limit) ? end - UInt64(limit) : 1
    return try engine.events(from: EventNumber(start), limit: Int(end - start)).reversed()
  }
}

/// The newest events, and with `-f` what comes.
struct Tail: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the newest events; with -f also those to come.")

  @OptionGroup var access: Access
  @Flag(name: .shortAndLong, help: "Go on with new events until interrupted.")
  var follow = false
  @Option(name: .shortAndLong, help: "How many of the newest events to begin with.")
  var number = 10

  func perform() async throws {
    let engine = try access.open()
    defer { engine.close() }
    let words = try await Words(engine)
    let head = engine.head.rawValue
    let start = head > UInt64(max(number, 0)) ? head - UInt64(max(number, 0)) + 1 : 1
    for event in try engine.events(from: EventNumber(start), limit: max(number, 0)) {
      try show(event, engine, words)
    }
    guard follow else { return }
    for try await event in engine.follow(from: EventNumber(head + 1)) {
      try show(event, engine, words)
    }
  }

  private func show(_ event: Recorded, _ engine: Engine, _ words: Words) throws {
    let view = EventView(event, words, text: try engine.text(of: event.number))
    if access.json {
      // One object a line, so that a program can read while more comes.
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      print(String(decoding: try encoder.encode(view), as: UTF8.self))
    } else {
      print("\(view.event)  \(view.time)  \(view.name)  \(view.line)")
    }
  }
}
