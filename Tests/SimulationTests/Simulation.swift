import LedgerCore

/// A ledger under test and the naive ledger, step by step side by side.
struct Simulation<Tested: Subject> {
  private var subject: Tested
  private var books = Books()
  private var stepCount = 0
  let clock: SteppedClock
  private(set) var model: NaiveLedger
  /// Every reason for which a command was refused.
  private(set) var reasons: Set<Rejection> = []

  /// Takes a ledger in which only genesis happened.
  init(_ subject: Tested, _ clock: SteppedClock) throws {
    self.subject = subject
    self.clock = clock
    let log = try subject.events(from: EventNumber(1))
    guard log.count == 1, case .genesis(.opened(_, let terms, let livemode)) = log[0].event,
      terms == Fees.Terms(basisPoints: 40)
    else { throw Mismatch("a new ledger has genesis and nothing else, not \(log)") }
    guard log[0].header.time.nanoseconds == clock.now, log[0].header.actor == .ledger else {
      throw Mismatch("genesis has a wrong header: \(log[0].header)")
    }
    let body = try subject.body(of: log[0].number)
    model = NaiveLedger(
      genesis: log[0], body: body, livemode: livemode, assets: FirstAssets.codes)
    try books.follow(log[0], body)
  }

  /// Does the step on both, and says where they differ.
  mutating func perform(_ step: Step) async throws {
    stepCount += 1
    switch step {
    case .submit(let jobs): try await submit(jobs)
    case .clock(let time):
      // What is due by now is recorded at the time of now, by whom or whatever comes first: the
      // next command, a look, or the engine itself while it is idle. So nothing may be left over.
      try await tick()
      clock.set(time)
      model.wall = time
    case .restart:
      try await tick()
      try subject.restart()
      model.restart()
      try await compareEverything()
    case .crash:
      try await tick()
      try subject.crash()
      model.restart()
      try await compareEverything()
    case .fault(let job, let fault): try await submit(job, during: fault)
    case .opening(let fault):
      try await tick()
      try await subject.restart(during: fault)
      model.restart()
      try await compareEverything()
    case .deposit(let deposits):
      try await tick()
      let count = model.log.count
      model.deposit(deposits)
      try subject.append(Array(model.log[count...]))
      model.restart()
      try await tick()
      try await compareEverything()
    }
  }

  /// A job is in the log wholly or not at all; what was answered is in it.
  private mutating func submit(_ job: Job, during fault: DiskFault) async throws {
    try await tick()
    var after = model
    let expected = after.submit(job.requests, isLinked: job.isLinked, at: clock.now)
    let actual = try await subject.submit(job, during: fault)
    if let actual {
      try compare(actual, expected, of: job)
    } else if fault.place == .beside {
      throw Mismatch("\(fault): there is no answer, though the log could be written")
    }
    let next = EventNumber(UInt64(model.log.count) + 1)
    let isDone = try !subject.events(from: next).isEmpty
    guard isDone || actual == nil || after.log.count == model.log.count else {
      throw Mismatch("\(fault): what was answered is not in the log")
    }
    // A restart forgets nothing that counts, and neither does the model.
    if isDone { model = after }
    try await tick()
    try await subject.compareLimits(with: model)
    try compareAccounts(books)
    try await compareBalances(books.places)
  }

  private mutating func submit(_ jobs: [Job]) async throws {
    let expected = jobs.map { job in
      model.submit(job.requests, isLinked: job.isLinked, at: clock.now)
    }
    let actual = try await subject.submit(jobs)
    for (index, job) in jobs.enumerated() {
      try compare(actual[index], expected[index], of: job)
      for case .refused(let refusal, _, _) in actual[index] { reasons.insert(refusal.reason) }
    }
    let touched = try await tick()
    try await subject.compareLimits(with: model)
    if stepCount % 16 == 0 {
      try compareAccounts(books)
      try await compareBalances(books.places)
    } else {
      try await compareBalances(touched)
    }
  }

  /// Fires what is due and follows what the log has since the last time; returns the accounts whose
  /// balances changed and that a subject tells.
  @discardableResult
  private mutating func tick() async throws -> [Place] {
    try await subject.tick()
    model.tick(at: clock.now)
    var touched: Set<Place> = []
    let next = EventNumber((books.last?.number.rawValue ?? 0) + 1)
    for recorded in try subject.events(from: next) {
      let body = try subject.body(of: recorded.number)
      try compare(recorded, body)
      try books.follow(recorded, body)
      var postings = Postings()
      recorded.event.postings(body: body.span, into: &postings)
      for index in 0..<postings.count {
        let posting = postings[index]
        touched.insert(Place(account: posting.debit, asset: posting.asset))
        touched.insert(Place(account: posting.credit, asset: posting.asset))
      }
    }
    guard books.last == model.log[model.log.count - 1].header else {
      throw Mismatch("the log has too few events; next is \(model.log[Int(next.rawValue) - 1])")
    }
    try books.checkCredited()
    return books.places.filter { touched.contains($0) }
  }
}

// MARK: - Comparing

extension Simulation {
  private func compare(
    _ actual: [Outcome], _ expected: [Outcome], of job: Job
  ) throws(Mismatch) {
    guard expected.count == actual.count else {
      throw Mismatch("\(job.requests.count) requests have \(actual.count) outcomes")
    }
    for index in expected.indices where expected[index] != actual[index] {
      throw Mismatch(
        """
        outcome \(index + 1) of \(job.requests.count) of \(job.requests[index].command)
          is \(actual[index])
          not \(expected[index])
        """)
    }
  }

  private func compare(_ recorded: Recorded, _ body: [UInt8]) throws(Mismatch) {
    let place = Int(recorded.number.rawValue) - 1
    guard model.log.indices.contains(place) else {
      throw Mismatch("the log has an event too many: \(recorded)")
    }
    guard model.log[place] == recorded else {
      throw Mismatch(
        """
        event \(recorded.number)
          is \(recorded)
          not \(model.log[place])
        """)
    }
    let expected = model.body(of: recorded.number)
    guard body == expected else {
      throw Mismatch("\(recorded)\n  has the body \(body)\n  not \(expected)")
    }
  }

  private func compareBalances(_ places: [Place]) async throws {
    let balances = try await subject.balances(of: places)
    for (place, actual) in zip(places, balances) {
      let name = try books.name(place.account)
      let credits = model.balance(name, place.asset)
      let expected = place.account.isDebitNormal ? -credits : credits
      let followed = books.balance(place)
      guard actual == expected, followed == expected else {
        throw Mismatch(
          """
          \(name) has \(actual) by the ledger, \(followed) by the postings,
          \(expected) by the model
          """)
      }
    }
  }

  /// Every account of the chart, by the postings and by the model.
  private func compareAccounts(_ books: Books) throws(Mismatch) {
    guard books.sums.count == model.sums.count else {
      throw Mismatch("\(books.sums.count) accounts by the postings, not \(model.sums.count)")
    }
    for sum in books.sums {
      let name = try books.name(sum.place.account)
      let asset = sum.place.asset
      let expected = model.recounted(name, asset)
      guard sum.credits - sum.debits == expected, expected == model.balance(name, asset) else {
        throw Mismatch("\(name) has \(sum.balance) by the postings, not \(expected)")
      }
    }
  }

  /// All balances, and the whole log followed once more from its first event.
  func compareEverything() async throws {
    var again = Books()
    for recorded in try subject.events(from: EventNumber(1)) {
      let body = try subject.body(of: recorded.number)
      try compare(recorded, body)
      try again.follow(recorded, body)
    }
    guard again.last == model.log[model.log.count - 1].header else {
      throw Mismatch("the log ends at \(again.last?.number ?? .none), not \(model.log.count)")
    }
    try compareAccounts(again)
    try await compareBalances(again.places)
    try await subject.compareLimits(with: model)
    try await subject.compare(with: model)
  }
}

/// What every ledger counts in from its first event (`accounting.md` 2).
enum FirstAssets {
  static let codes = [
    "USD", "USDC.base", "USDC.ethereum", "USDC.solana", "USDm.megaeth", "USDC.e.tempo",
  ].compactMap { AssetCode($0) }
}
