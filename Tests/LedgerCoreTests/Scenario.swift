import Testing

@testable import LedgerCore

/// The world that scenarios begin in, and the words they are told with.
///
/// Three agents with a wallet each: ann (wallet 1) and bob (wallet 2) in USD, eve (wallet 3) in
/// USDC. Agent n is of tenant n and has credentials 2n - 1 and 2n.
enum Scenario {
  static let usd = AssetNumber(1)
  static let usdc = AssetNumber(2)
  static let (ann, bob, eve) = (AgentNumber(1), AgentNumber(2), AgentNumber(3))
  static let (annWallet, bobWallet, eveWallet) = (WalletNumber(1), WalletNumber(2), WalletNumber(3))
  static let standard = ScheduleNumber(1)
  /// Later than every event that is given.
  static let now = Timestamp(nanoseconds: 1_000_000_000_000_000)

  static let genesis = Event.genesis(.opened(ledger: 7, terms: .standard, livemode: false))
  static let liveGenesis = Event.genesis(.opened(ledger: 7, terms: .standard, livemode: true))
  /// The body of either genesis: USD and USDC.base, of scale 9.
  static let assets = ["USD", "USDC.base"].flatMap { name -> [UInt8] in
    var bytes = Array(name.utf8)
    bytes += [UInt8](repeating: 0, count: 16 - bytes.count)
    return bytes + [9, 0]
  }

  static let agents = agent(1, usd) + agent(2, usd) + agent(3, usdc)

  static func apiKey(_ agent: UInt64) -> UInt128 { UInt128(agent) << 64 | 0xA }
  static func secretKey(_ agent: UInt64) -> UInt128 { UInt128(agent) << 64 | 0x5 }

  static func agent(_ number: UInt64, _ asset: AssetNumber, name: UInt128 = 0) -> [Event] {
    let holder = Actor.agent(AgentNumber(number))
    let (first, second) = (CredentialNumber(number * 2 - 1), CredentialNumber(number * 2))
    return [
      .identity(.tenantRegistered(tenant: TenantNumber(number), name: 0)),
      .wallet(
        .opened(wallet: WalletNumber(number), agent: AgentNumber(number), asset: asset)),
      .identity(
        .credentialIssued(
          credential: first, key: apiKey(number), kind: .apiKey, holder: holder)),
      .identity(
        .credentialIssued(
          credential: second, key: secretKey(number), kind: .secretKey, holder: holder)),
      .identity(
        .agentRegistered(
          agent: AgentNumber(number), tenant: TenantNumber(number),
          wallet: WalletNumber(number), name: name, apiKey: first, secretKey: second)),
    ]
  }

  static func funded(
    _ wallet: WalletNumber, _ units: Int128, _ asset: AssetNumber = usd
  ) -> Event {
    .wallet(.funded(wallet: wallet, amount: Amount(units: units), asset: asset))
  }

  static func paid(
    _ units: Int128, fee: Int128, from: WalletNumber = annWallet,
    to: Payments.Payee = .wallet(bobWallet), schedule: ScheduleNumber = standard,
    in asset: AssetNumber = usd
  ) -> Event {
    .payment(
      .completed(
        Payments.Payment(
          amount: Amount(units: units), fee: Amount(units: fee), payer: from, payee: to,
          schedule: schedule, asset: asset, rail: .internal)))
  }

  static func pay(
    _ units: Int128, from: WalletNumber = annWallet,
    to: Payments.Recipient = .wallet(bobWallet), in asset: AssetNumber = .none
  ) -> Command {
    .payment(
      .pay(from: from, to: to, amount: Amount(units: units), asset: asset, rail: .internal))
  }

  /// The state after genesis and these events, a second apart. Another genesis may be given first.
  /// `bodies` are those of events by their numbers.
  static func ledger(
    after given: [Event], by actor: Actor = .ledger, bodies: [EventNumber: [UInt8]] = [:]
  ) -> Ledger {
    var ledger = Ledger()
    for (index, event) in history(given).enumerated() {
      let header = Header(
        number: EventNumber(UInt64(index + 1)),
        time: Timestamp(nanoseconds: UInt64(index + 1) * 1_000_000_000), actor: actor)
      let body = index == 0 ? assets : bodies[header.number] ?? []
      ledger.evolve(event, header, body: body.span)
    }
    return ledger
  }

  /// The event that a command names, among those that are given.
  fileprivate static func named(_ command: Command, _ history: [Event]) -> Recorded? {
    let index = Int(command.named.rawValue) - 1
    guard history.indices.contains(index) else { return nil }
    let header = Header(
      number: command.named, time: Timestamp(nanoseconds: UInt64(index + 1) * 1_000_000_000),
      actor: .ledger)
    return Recorded(header: header, event: history[index])
  }

  fileprivate static func history(_ given: [Event]) -> [Event] {
    if case .genesis? = given.first { return given }
    return [genesis] + given
  }
}

/// Given what happened, when this is asked, then this happens, and the state takes it.
///
/// - `bodies`: those of the given events, by their numbers.
/// - `asked`: the command's body.
/// - `body`: that of the one event that has some.
func expect(
  given: [Event] = Scenario.agents, bodies: [EventNumber: [UInt8]] = [:], when command: Command,
  asked: [UInt8] = [], by actor: Actor, at now: Timestamp = Scenario.now, then events: [Event],
  body: [UInt8] = [], texts: [Decision.Text]? = nil, answer: Int? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  var ledger = Scenario.ledger(after: given, bodies: bodies)
  var decision = Decision()
  let named = Scenario.named(command, Scenario.history(given))
  let namedBody = bodies[command.named] ?? []
  decision.removeAll(first: EventNumber(UInt64(Scenario.history(given).count + 1)))
  do throws(Refusal) {
    try ledger.decide(
      command, body: asked.span, by: actor, about: named, namedBody: namedBody.span, at: now,
      into: &decision)
  } catch {
    Issue.record("refused: \(error)", sourceLocation: sourceLocation)
    return
  }
  var decided: [Event] = []
  var decidedTexts: [Decision.Text] = []
  var decidedBodies: [[UInt8]] = []
  for index in 0..<decision.count {
    decided.append(decision[index])
    decidedTexts.append(decision.text(index))
    decidedBodies.append(decision.takeBody(of: index))
  }
  #expect(decided == events, sourceLocation: sourceLocation)
  #expect(decidedBodies.flatMap { $0 } == body, sourceLocation: sourceLocation)
  #expect(decision.answer == answer ?? events.count - 1, sourceLocation: sourceLocation)
  if let texts { #expect(decidedTexts == texts, sourceLocation: sourceLocation) }
  let history = Scenario.history(given)
  for (index, event) in decided.enumerated() {
    let header = Header(
      number: EventNumber(UInt64(history.count + index + 1)),
      time: Timestamp(nanoseconds: now.nanoseconds + UInt64(index)), actor: actor)
    let body = decidedBodies[index]
    ledger.evolve(event, header, body: body.span)
  }
  var books = Books()
  for (index, event) in history.enumerated() {
    books.add(event, body: bodies[EventNumber(UInt64(index + 1))] ?? [])
  }
  for (event, body) in zip(decided, decidedBodies) { books.add(event, body: body) }
  expectBooksAgree(ledger, books, sourceLocation: sourceLocation)
}

/// Given what happened, when this is asked, it is refused for this reason.
func expect(
  given: [Event] = Scenario.agents, bodies: [EventNumber: [UInt8]] = [:], when command: Command,
  asked: [UInt8] = [], by actor: Actor, at now: Timestamp = Scenario.now,
  refused reason: Rejection, sourceLocation: SourceLocation = #_sourceLocation
) {
  let refusal = refusal(
    given: given, bodies: bodies, when: command, asked: asked, by: actor, at: now)
  #expect(refusal?.reason == reason, sourceLocation: sourceLocation)
}

/// The refusal with its numbers, or `nil` where the command is not refused.
func refusal(
  given: [Event] = Scenario.agents, bodies: [EventNumber: [UInt8]] = [:], when command: Command,
  asked: [UInt8] = [], by actor: Actor, at now: Timestamp = Scenario.now
) -> Refusal? {
  let ledger = Scenario.ledger(after: given, bodies: bodies)
  var decision = Decision()
  let named = Scenario.named(command, Scenario.history(given))
  let namedBody = bodies[command.named] ?? []
  decision.removeAll(first: EventNumber(UInt64(Scenario.history(given).count + 1)))
  do throws(Refusal) {
    try ledger.decide(
      command, body: asked.span, by: actor, about: named, namedBody: namedBody.span, at: now,
      into: &decision)
    return nil
  } catch {
    return error
  }
}

/// Balances from postings equal those of `evolve`: two computations that share nothing but the
/// event.
func expectBooksAgree(
  _ ledger: borrowing Ledger, _ events: [Event],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  expectBooksAgree(ledger, Books(events), sourceLocation: sourceLocation)
}

/// As above, of books that were kept along the way.
func expectBooksAgree(
  _ ledger: borrowing Ledger, _ books: Books, sourceLocation: SourceLocation = #_sourceLocation
) {
  for number in 1..<ledger.wallets.next.rawValue {
    let row = ledger.wallets.wallets[WalletNumber(number)]
    let account = Account.walletAvailable(WalletNumber(number))
    #expect(
      row.available == books.balance(account, row.asset) && row.available >= 0,
      "wallet \(number)", sourceLocation: sourceLocation)
    var holds: Int128 = 0
    ledger.reservations.rows.walk { _, hold in
      if hold.payer == WalletNumber(number) { holds += hold.held }
    }
    #expect(
      row.held == books.balance(.walletHeld(WalletNumber(number)), row.asset)
        && row.held == holds,
      "wallet \(number), held", sourceLocation: sourceLocation)
    #expect(
      row.status != .closed || row.available == 0, "wallet \(number) is closed",
      sourceLocation: sourceLocation)
  }
  for raw in 1..<ledger.wallets.suspenses.next.rawValue {
    let row = ledger.wallets.suspenses[Number(raw)]
    #expect(
      row.balance == books.balance(.suspense(row.agent), row.asset), "agent \(row.agent)",
      sourceLocation: sourceLocation)
  }
  for (account, expected) in ledger.disputeBalances {
    let posted = [Scenario.usd, Scenario.usdc].map { books.balance(account, $0) }
    #expect(
      posted.reduce(0, +) == expected && expected >= 0, "\(account)",
      sourceLocation: sourceLocation)
  }
  for number in 1..<ledger.payments.payees.next.rawValue {
    let row = ledger.payments.payees[PayeeNumber(number)]
    let account = Account.external(PayeeNumber(number))
    #expect(
      row.balance == books.balance(account, row.asset), "payee \(number)",
      sourceLocation: sourceLocation)
  }
  #expect(books.isBalanced, sourceLocation: sourceLocation)
}

/// The double-entry books, kept from postings alone, with wrapping sums so that a scenario may hold
/// more money than an `Int128` can count over all wallets.
struct Books: Sendable {
  private struct Line: Hashable, Sendable {
    var account: Account
    var asset: AssetNumber
  }
  /// Credits minus debits.
  private var lines: [Line: Int128] = [:]

  init(_ events: [Event] = []) {
    for event in events { add(event) }
  }

  mutating func add(_ event: Event, body: [UInt8] = []) {
    var postings = Postings()
    event.postings(body: body.span, into: &postings)
    for index in 0..<postings.count {
      let posting = postings[index]
      lines[Line(account: posting.debit, asset: posting.asset), default: 0] &-=
        posting.amount.units
      lines[Line(account: posting.credit, asset: posting.asset), default: 0] &+=
        posting.amount.units
    }
  }

  /// The balance on the account's normal side.
  func balance(_ account: Account, _ asset: AssetNumber) -> Int128 {
    let credit = lines[Line(account: account, asset: asset)] ?? 0
    return account.isDebitNormal ? 0 &- credit : credit
  }

  var isBalanced: Bool { lines.values.reduce(0, &+) == 0 }
}
