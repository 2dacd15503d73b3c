import ArgumentParser
import Foundation
import LedgerCore
import Synchronization

/// A small believable test ledger.
struct Seed: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fill a new test ledger with a few agents and a day of payments.",
    discussion: "Creates the ledger where there is none. Refuses one that has events already.")

  @OptionGroup var access: Access
  @Option(help: "How many agents.")
  var agents = 12
  @Option(help: "How many payments.")
  var payments = 400
  @Option(help: "Seed of the random choices: the same seed gives the same payments.")
  var random: UInt64 = 7

  func validate() throws {
    guard (2...10_000).contains(agents) else { throw ValidationError("--agents is 2 to 10000") }
    guard (0...1_000_000).contains(payments) else {
      throw ValidationError("--payments is 0 to 1000000")
    }
  }

  private static let names = [
    "scout", "atlas", "quill", "ember", "north", "pixel", "mason", "relay", "tally", "orbit",
    "cedar", "harbor",
  ]
  private static let purposes = [
    "web search, 40 results", "embedding of 12 pages", "image upscale", "summary of a filing",
    "translation, 900 words", "weather feed, one day", "code review", "flight lookup",
  ]
  private static let labels = ["merchant:demo", "merchant:paper", "supplier:gpu-hours"]

  func perform() async throws {
    let day = Day()
    var options = Engine.Options()
    options.clock = { day.now }
    options.uptime = { day.now }
    options.acceptsClock = true
    let engine = try access.open(options)
    defer { engine.close() }
    guard engine.head == EventNumber(1) else {
      throw Failure("\(access.data) has \(engine.head) events; seed fills only a new one", code: 78)
    }
    let progress = Progress("seed", total: agents + payments)
    var generator = SplitMix64(seed: random)
    let members = try await register(engine, progress)
    for index in 0..<payments {
      day.reach(Double(index) / Double(payments))
      try await pay(index, members, engine, &generator)
      progress.advance(1)
    }
    progress.finish()
    engine.close()
    try await Status.show(access)
  }

  /// The last 24 hours, gone through in as many steps as there are payments.
  private final class Day: Sendable {
    private let end = UInt64(Date().timeIntervalSince1970 * 1e9)
    private let part = Mutex(0.0)

    var now: UInt64 { part.withLock { end - UInt64((1 - $0) * 86_400e9) } }

    func reach(_ done: Double) { part.withLock { $0 = done } }
  }

  private struct Member {
    var agent: AgentNumber
    var tenant: TenantNumber
    var wallet: WalletNumber
  }

  private func register(_ engine: Engine, _ progress: Progress) async throws -> [Member] {
    var members: [Member] = []
    for index in 0..<agents {
      let round = index / Self.names.count
      let name = Self.names[index % Self.names.count] + (round == 0 ? "" : "-\(round)")
      let agent = try await engine.register(agent: name, of: index % 3 == 0 ? "acme" : "globex")
      let wallet = agent.wallet
      members.append(Member(agent: agent.number, tenant: agent.tenant, wallet: wallet))
      _ = try await engine.submit(
        Request(
          .wallet(
            .fund(
              wallet, amount: Amount(units: 500_000_000_000), asset: .none, cap: .commandMax)),
          by: .agent(agent.number)))
      progress.advance(1)
    }
    return members
  }

  private func pay(
    _ index: Int, _ members: [Member], _ engine: Engine, _ generator: inout SplitMix64
  ) async throws {
    let preparation = engine.preparation
    let from = Int.random(in: 0..<members.count, using: &generator)
    let to = (from + Int.random(in: 1..<members.count, using: &generator)) % members.count
    let isExternal = Int.random(in: 0..<8, using: &generator) == 0
    let label = Self.labels.randomElement(using: &generator) ?? "merchant:demo"
    let amount = Amount(units: Int128.random(in: 2_000_000...4_000_000_000, using: &generator))
    let external = Payments.Recipient.external(
      label: preparation.hash(label: label, of: members[from].tenant))
    let wallet = Payments.Recipient.wallet(members[to].wallet)
    // Now and then the seller and a supplier of his are paid at once.
    let isSplit = index % 20 == 19
    let recipient: Payments.Recipient = isSplit ? .split : isExternal ? external : wallet
    let shares = [Splits.Share(wallet, weight: 85), Splits.Share(external, weight: 15)]
    let request = try preparation.request(
      .payment(
        .pay(
          from: members[from].wallet, to: recipient, amount: amount, asset: .none,
          rail: .internal)),
      by: .agent(members[from].agent), key: "seed-\(index)",
      text: [Self.purposes.randomElement(using: &generator) ?? ""],
      registering: isSplit ? ["", label] : isExternal ? [label] : [],
      body: isSplit ? Splits.Share.body(shares) : [])
    // A wallet may have run dry: a refusal belongs into a believable ledger.
    guard case .done(let paid, _) = try await engine.submit(request), index % 20 == 10
    else { return }
    try await dispute(paid.number, .agent(members[from].agent), index / 20, engine)
  }

  /// Now and then a payer is not content; what becomes of it takes turns.
  private func dispute(
    _ payment: EventNumber, _ payer: Actor, _ turn: Int, _ engine: Engine
  ) async throws {
    let open = Disputes.Command.open(payment, reason: .serviceNotDelivered, within: 86_400)
    let request = try engine.preparation.request(
      .dispute(open), by: payer, key: nil, text: ["nothing came"])
    // What a label was paid may be disputed already.
    guard case .done(let opened, _) = try await engine.submit(request) else { return }
    let dispute = opened.number
    let turns: [[(Disputes.Command, Actor)]] = [
      [], [(.review(dispute), .administrator)],
      [
        (.submitEvidence(dispute, .logExcerpt), payer), (.review(dispute), .administrator),
        (.resolve(dispute, .refunded), .administrator),
      ],
      [(.review(dispute), .administrator), (.resolve(dispute, .denied), .administrator)],
      [(.withdraw(dispute), payer)],
    ]
    for (command, actor) in turns[turn % turns.count] {
      _ = try await engine.submit(
        try engine.preparation.request(
          .dispute(command), by: actor, key: nil, text: Self.text(beside: command)))
    }
  }

  private static func text(beside command: Disputes.Command) -> [String] {
    switch command {
    case .submitEvidence: ["connect to the service timed out, 3 times"]
    case .resolve: ["as the log says"]
    case .open, .withdraw, .review: []
    }
  }
}
