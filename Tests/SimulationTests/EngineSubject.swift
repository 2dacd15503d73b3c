import Faults
import Foundation

@testable import LedgerCore

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Directories of simulated ledgers, to be taken away together.
final class Directories {
  private let root = FileManager.default.temporaryDirectory.appending(
    path: "simulation-\(UUID().uuidString)")
  private var count = 0

  init() throws {
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
  }

  /// A path where nothing is yet.
  func next() -> URL {
    count += 1
    return root.appending(path: "\(count)")
  }

  /// A new ledger in a directory of its own.
  func start(_ clock: SteppedClock, livemode: Bool) throws -> EngineSubject {
    try EngineSubject(self, clock, livemode: livemode)
  }

  func removeAll() {
    do {
      try FileManager.default.removeItem(at: root)
    } catch {
      print("\(root.path) was not removed: \(error)")
    }
  }
}

/// The engine.
struct EngineSubject: Subject {
  private let directories: Directories
  private var directory: URL
  private let options: Engine.Options
  private(set) var engine: Engine

  init(_ directories: Directories, _ clock: SteppedClock, livemode: Bool) throws {
    self.directories = directories
    directory = directories.next()
    var options = Engine.Options()
    options.livemode = livemode
    // A run sets its clock back by an hour, and closes and opens the ledger then.
    options.acceptsClock = true
    options.mapByteCount = 1 << 28
    options.clock = { clock.now }
    options.uptime = { clock.now }
    // Often, so that a run meets them: a few hundred commands.
    options.snapshotEventCount = 150
    options.keysPerRun = 40
    options.patience = .milliseconds(20)
    self.options = options
    engine = try Engine.open(directory.path, options)
  }

  /// Jobs without links are not waited for before the next is submitted, so that the engine finds
  /// several at once.
  func submit(_ jobs: [Job]) async throws -> [[Outcome]] {
    typealias Answer = (job: Int, result: Result<[Outcome], LedgerFailure>)
    var outcomes = [[Outcome]](repeating: [], count: jobs.count)
    let (answers, answered) = AsyncStream.makeStream(of: Answer.self)
    var openCount = 0
    for (index, job) in jobs.enumerated() {
      let requests = try sealed(job.requests)
      if job.isLinked {
        outcomes[index] = try await engine.submit(linked: requests)
      } else {
        openCount += 1
        engine.submit(requests) { result in answered.yield((index, result)) }
      }
    }
    if openCount == 0 { return outcomes }
    for await answer in answers {
      outcomes[answer.job] = try answer.result.get()
      openCount -= 1
      if openCount == 0 { break }
    }
    return outcomes
  }

  /// Where the disk is full, the ledger goes on by itself when it is not; where it is broken, it is
  /// opened again.
  mutating func submit(_ job: Job, during fault: DiskFault) async throws -> [Outcome]? {
    let requests = try sealed(job.requests)
    arm(fault)
    var outcomes: [Outcome]?
    do throws(LedgerFailure) {
      outcomes =
        job.isLinked
        ? try await engine.submit(linked: requests) : try await engine.submit(requests)
    } catch {
      guard error == .outcomeUnknown else { throw error }
    }
    lift(fault)
    try await settle()
    return outcomes
  }

  private func arm(_ fault: DiskFault) {
    let names =
      switch fault.place {
      case .log: ["log", "head.log", "daemon.lock"]
      case .beside: ["index", "snapshots"]
      }
    let paths = names.map { "\(directory.path)/\($0)" }.joined(separator: ":")
    let kind = fault.isForGood ? FAULT_ERROR_FOR_GOOD : FAULT_ERROR
    unsafe faults_arm_joined(paths, kind, fault.call, fault.isFull ? ENOSPC : EIO)
  }

  /// Beside the log the fault stays: what is written there may be written much later.
  private func lift(_ fault: DiskFault) {
    if fault.place == .log { faults_disarm() }
  }

  /// Whoever asks waits until what was decided is durable, or hears that it never will be.
  private mutating func settle() async throws {
    while true {
      do throws(LedgerFailure) {
        _ = try await engine.isLive()
        return
      } catch {
        if case .ledgerFailed = error { return try restart() }
      }
    }
  }

  /// A run's texts are readable; the ledger takes sealed ones.
  private func sealed(_ requests: [Request]) throws -> [Request] {
    try requests.map { request in
      guard !request.texts.isEmpty else { return request }
      var sealed = try engine.preparation.request(
        request.command, by: request.actor, text: [request.texts[0].readable],
        registering: request.texts.dropFirst().map(\.readable), body: request.body)
      sealed.key = request.key
      return sealed
    }
  }

  /// Every look at the state fires what is due.
  func tick() async throws {
    _ = try await engine.isLive()
  }

  /// Read in one look, so that all are of one moment.
  func balances(of places: [Place]) async throws -> [Int128] {
    if places.isEmpty { return [] }
    let books = try await engine.books()
    let disputes = try await engine.read { $0.disputeBalances }
    return try places.map { place in
      switch place.account {
      case .walletAvailable(let wallet): try Self.pick(wallet, of: books.wallets).available.units
      case .walletHeld(let wallet): try Self.pick(wallet, of: books.wallets).held.units
      case .external(let payee): try Self.pick(payee, of: books.payees).balance.units
      case .suspense(let agent):
        books.suspenses.first { $0.agent == agent && $0.asset == place.asset }?.balance.units ?? 0
      case .disputeHold, .receivable: disputes[place.account] ?? 0
      case .faucet, .feeIncome, .dust, .badDebt:
        throw Mismatch("the ledger keeps no \(place.account)")
      }
    }
  }

  private static func pick<Kind, Row>(_ number: Number<Kind>, of rows: [Row]) throws -> Row {
    guard number.isSome, number.rawValue <= UInt64(rows.count) else {
      throw Mismatch("there is no \(Row.self) \(number)")
    }
    return rows[Int(number.rawValue) - 1]
  }

  func events(from number: EventNumber) throws -> [Recorded] {
    var events: [Recorded] = []
    while true {
      let next = EventNumber(number.rawValue + UInt64(events.count))
      let more = try engine.events(from: next, limit: 100)
      if more.isEmpty { return events }
      events += more
    }
  }

  func body(of number: EventNumber) throws -> [UInt8] { try engine.body(of: number) }

  mutating func restart() throws {
    engine.close()
    engine = try Engine.open(directory.path, options)
  }

  /// The disk's error is what stops it, and is not taken for damage.
  mutating func restart(during fault: DiskFault) async throws {
    engine.close()
    arm(fault)
    let result = Result { () throws(StorageError) in try Engine.open(directory.path, options) }
    lift(fault)
    switch result {
    case .success(let opened):
      engine = opened
      try await settle()
    case .failure(let error):
      guard fault.place == .log, case .call(_, fault.isFull ? ENOSPC : EIO, _) = error else {
        throw Mismatch("\(fault) of opening: \(error)")
      }
      engine = try Engine.open(directory.path, options)
    }
  }

  mutating func crash() throws {
    let copy = try copied(triesLeft: 9)
    engine.close()
    directory = copy
    engine = try Engine.open(directory.path, options)
  }

  mutating func append(_ events: [Recorded]) throws {
    engine.close()
    if !events.isEmpty { try write(events) }
    engine = try Engine.open(directory.path, options)
  }

  private func write(_ events: [Recorded]) throws(StorageError) {
    var opening = try Opening(directory.path, options)
    for recorded in events { opening.batch.append(recorded.event, recorded.header) }
    try opening.writer.commit(&opening.batch)
  }

  /// The files as they are at one moment. The housekeeping thread may rename one after it was
  /// listed and before it is copied: then that was no moment, and it is done again.
  private func copied(triesLeft: Int) throws -> URL {
    let copy = directories.next()
    do {
      try FileManager.default.copyItem(at: directory, to: copy)
      return copy
    } catch let error as CocoaError where error.code == .fileNoSuchFile && triesLeft > 0 {
      return try copied(triesLeft: triesLeft - 1)
    }
  }
}

// MARK: - Everything that can be looked at

extension EngineSubject {
  func compare(with model: NaiveLedger) async throws {
    try compareTexts(model)
    try await compareWallets(model)
    try await comparePayees(model)
    try await compareCredentials(model)
    try await compareFees(model)
    let assets = try await engine.assets()
    guard assets.map(\.code) == model.assets, assets.map(\.scale) == model.scales.map(Int.init)
    else { throw Mismatch("the assets are \(assets)") }
    try await compareAgents(model)
    let pauses = try await engine.pauses()
    guard pauses.count == model.pauses.count, Set(pauses) == Set(model.pauses) else {
      throw Mismatch("\(pauses) are paused, not \(model.pauses)")
    }
    try await compareStandings(model)
    try await compareSplits(model)
    try await compareDebts(model)
    try await compareClaims(model)
    try await compareTimers(model)
    try await comparePolicies(model)
  }

  /// Around every border of the schedule that counts, the fee is the model's.
  private func compareFees(_ model: NaiveLedger) async throws {
    let (schedule, terms, tiers) = try await engine.feeSchedule()
    let expected = model.schedules[model.schedule - 1].tiers.map { tier in
      Fees.Tier(
        from: Amount(units: tier.from), flat: Amount(units: tier.flat),
        basisPoints: UInt32(tier.basisPoints))
    }
    guard schedule.rawValue == UInt64(model.schedule), terms == model.terms, tiers == expected
    else { throw Mismatch("the fees are \(schedule), \(terms), \(tiers), not \(model.terms)") }
    for border in [1_234_567] + expected.prefix(4).map(\.from.units) {
      for units in border - 1...border + 1 {
        let fee = try await engine.fee(on: Amount(units: units))
        guard case .success(let fee) = fee, fee.units == model.fee(on: units) else {
          throw Mismatch("the fee on \(units) is \(fee), not \(model.fee(on: units))")
        }
      }
    }
  }

  /// What was refunded of each payment, and how its newest dispute stands.
  private func compareStandings(_ model: NaiveLedger) async throws {
    let standings = try await engine.standings(of: model.paid.map(\.number))
    let newest = model.paid.indices.map { place in
      model.disputes.last { $0.paid == place }.map { dispute in
        Disputes.Standing(dispute: dispute.number, status: dispute.status)
      }
    }
    let expected = zip(model.paid, newest).map { paid, dispute in
      PaymentStanding(refunded: Amount(units: paid.refunded), dispute: dispute)
    }
    guard standings == expected else { throw Mismatch("\(standings) is not \(expected)") }
    for status in [nil] + Disputes.Status.allCases.map(Optional.some) {
      let all = newest.compactMap { $0 }.filter { dispute in
        status.map { $0 == dispute.status } ?? !dispute.status.isEnd
      }
      let expected = all.sorted { $0.dispute > $1.dispute }
      let found = try await engine.disputes(in: status, before: nil, limit: 5, perLook: 7)
      guard found == Array(expected.prefix(5)) else {
        throw Mismatch("\(found) are listed, not \(expected)")
      }
    }
  }

  /// What each receiver of a split gave back, and got back of the fee.
  private func compareSplits(_ model: NaiveLedger) async throws {
    for paid in model.paid {
      guard case .split = paid.payment.payee else { continue }
      let parts = try await engine.read { ledger in
        paid.parts.indices.map { index in
          let part = ledger.refunds.refunded(of: paid.number, part: index)
          return [part.amount.units, part.fee.units]
        }
      }
      guard parts == paid.parts.map({ [$0.refunded, $0.feeRefunded] }) else {
        throw Mismatch("\(parts) was refunded of \(paid)")
      }
    }
  }

  /// Every unfinished dispute with its claims, and every debt, has a row; nothing else has.
  private func compareDebts(_ model: NaiveLedger) async throws {
    let rows = try await engine.read { ledger in
      var rows: [[Int128]] = []
      ledger.receivables.walk { slot, debt, debtor in
        rows.append([
          Int128(slot.rawValue), Int128(debt.dispute.rawValue), debt.receivable, debt.uncovered,
          Int128(debtor.agent.rawValue), Int128(debtor.asset.rawValue),
          Int128(debt.payer.rawValue), Int128(debt.asker),
        ])
      }
      return rows
    }
    let expected = model.debts.sorted { $0.slot < $1.slot }.map { debt in
      [
        Int128(debt.slot), Int128(debt.dispute.rawValue), debt.receivable, debt.uncovered,
        Int128(debt.agent), Int128(debt.asset.rawValue), Int128((debt.payer ?? -1) + 1),
        Int128(debt.asker?.rawValue ?? 0),
      ]
    }
    guard rows == expected else { throw Mismatch("\(rows) is owed, not \(expected)") }
    let counts = try await engine.read { [$0.disputes.rows.count, $0.disputes.claims.count] }
    let evidence = try await engine.read { ledger in
      var counts: [[Int]] = []
      ledger.disputes.rows.walk { _, row in
        counts.append((0..<3).map { Int(row.evidenceCounts[$0]) })
      }
      return counts
    }
    let open = model.disputes.filter { $0.ending == nil }
    // Of a payee's dispute too, which claims nothing.
    let claimCount = open.map { model.paid[$0.paid].parts.count }.reduce(0, +)
    guard counts == [open.count, claimCount] else {
      throw Mismatch("there are \(counts) disputes and claims, not \(open.count), \(claimCount)")
    }
    let pieces = open.sorted { $0.slot < $1.slot }.map(\.evidenceCounts)
    guard evidence == pieces else { throw Mismatch("\(evidence) pieces, not \(pieces)") }
  }

  /// What each unfinished dispute holds and is owed of each receiver; of a payee's nothing.
  private func compareClaims(_ model: NaiveLedger) async throws {
    for dispute in model.disputes.suffix(40) {
      guard
        case .dispute(.opened(let opening)) = model.log[Int(dispute.number.rawValue) - 1].event
      else { preconditionFailure("a dispute is opened by its event") }
      let claims = try await engine.claims(of: opening).map { claim in
        [claim.held.units, claim.receivable.units, claim.uncovered.units]
      }
      var expected: [[Int128]] = []
      for index in model.paid[dispute.paid].parts.indices where dispute.ending == nil {
        let owed = model.owed(dispute.number, claim: index)
        let held = dispute.claims.isEmpty ? 0 : dispute.claims[index].held
        expected.append([held, owed.receivable, owed.uncovered])
      }
      guard claims == expected else { throw Mismatch("\(claims) is claimed, not \(expected)") }
    }
  }

  /// Each agent's wallets, the newest first.
  private func compareAgents(_ model: NaiveLedger) async throws {
    for agent in model.agents.indices.prefix(20) {
      let number = AgentNumber(UInt64(agent + 1))
      let wallets = try await engine.wallets(of: number).map(\.number)
      let all = model.wallets.indices.filter { model.wallets[$0].agent == number.rawValue }
      let expected = all.map { WalletNumber(UInt64($0 + 1)) }.reversed().prefix(100)
      guard wallets == Array(expected) else {
        throw Mismatch("agent \(number) has the wallets \(wallets), not \(expected)")
      }
    }
  }

  /// A reservation that ended has no row and no timer any more.
  private func compareTimers(_ model: NaiveLedger) async throws {
    let counts = try await engine.read { [$0.reservations.rows.count, $0.timers.count] }
    let openCount = model.reservations.count(where: \.isOpen)
    guard counts == [openCount, model.timers.count] else {
      throw Mismatch("rows and timers are \(counts), not \([openCount, model.timers.count])")
    }
  }

  private func compareTexts(_ model: NaiveLedger) throws {
    for number in 1...model.log.count {
      let text = try engine.text(of: EventNumber(UInt64(number)))
      let expected = model.text(of: number).map { [$0] }
      guard text == expected else {
        throw Mismatch("event \(number) has the text \(text ?? []), not \(expected ?? [])")
      }
    }
  }

  private func compareWallets(_ model: NaiveLedger) async throws {
    for (index, expected) in model.wallets.enumerated() {
      let number = WalletNumber(UInt64(index + 1))
      guard let wallet = try await engine.wallet(number) else {
        throw Mismatch("there is no wallet \(number)")
      }
      guard wallet.number == number, wallet.agent.rawValue == expected.agent,
        wallet.tenant.rawValue == model.agents[Int(expected.agent) - 1].tenant,
        wallet.asset.number == expected.asset,
        wallet.held.units == model.held(index),
        wallet.available.units == model.available(index),
        wallet.opened == expected.opened, wallet.status == expected.status
      else { throw Mismatch("\(wallet) is not \(expected)") }
    }
    for number in [0, UInt64(model.wallets.count + 1), .max] {
      let wallet = try await engine.wallet(WalletNumber(number))
      guard wallet == nil else { throw Mismatch("there is a wallet \(number)") }
    }
  }

  private func comparePayees(_ model: NaiveLedger) async throws {
    for (index, expected) in model.payees.enumerated() {
      let number = PayeeNumber(UInt64(index + 1))
      guard let payee = try await engine.payee(number),
        payee.tenant.rawValue == expected.tenant, payee.asset == expected.asset,
        payee.balance.units == model.balance(model.external(index), expected.asset)
      else { throw Mismatch("payee \(number) is not \(expected)") }
    }
  }

  /// Whom each key stands for, and its agent.
  private func compareCredentials(_ model: NaiveLedger) async throws {
    for (index, expected) in model.credentials.enumerated() {
      let principal = try await engine.principal(of: expected.key)
      if expected.isRevoked {
        guard principal == nil else { throw Mismatch("revoked \(expected) is \(principal as Any)") }
        continue
      }
      guard let principal, principal.actor == expected.holder, principal.kind == expected.kind,
        principal.credential.rawValue == UInt64(index + 1)
      else { throw Mismatch("\(expected) is \(principal as Any)") }
      guard let agent = model.agent(expected.holder) else {
        guard principal.tenant == expected.holder.tenant
        else { throw Mismatch("\(principal) is not of the tenant of \(expected)") }
        continue
      }
      guard principal.tenant.rawValue == model.agents[agent].tenant,
        principal.wallet == model.agents[agent].wallet
      else { throw Mismatch("\(principal) is not of \(model.agents[agent])") }
    }
  }
}
