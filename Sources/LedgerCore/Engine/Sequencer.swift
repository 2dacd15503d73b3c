/// The one thread's work: due timers, idempotency, decide, evolve, encode; commit; answer.
///
/// Owns the state as a local value. No `await`, no lock and no allocation lies between taking a
/// command and sealing its batch.
struct Sequencer: ~Copyable {
  private let directory: DataDirectory
  let log: EventLog
  private let reserve: Reserve
  private let committer: Committer
  private var ledger: Ledger
  var keys: KeyIndex
  var batch: Batch
  /// The batch that the committer has, while it has one.
  var shipped: Batch.View?
  /// A batch's memory that nobody needs.
  private var spare: Batch?
  private var decision = Decision()
  private var credits = Credits()
  /// While a linked unit is open, how many events the batch may have at its end.
  private var unitEnd = Int.max
  private var wall = Timestamp.none
  private var answers: [Committer.Answer] = []
  /// Memory for answers that nobody needs.
  private var spareAnswers: [Committer.Answer] = []
  private let clock: WallClock
  private let principals: KnownPrincipals
  private let patience: Duration
  private let heads: Heads
  private let inbox: Inbox
  /// What was taken from the inbox last.
  private var jobs: [Inbox.Job] = []
  /// What of it was not begun.
  private var pending: ArraySlice<Inbox.Job> = []
  /// What is being worked at, until its answer waits in ``answers`` or was given for it.
  private var current: Inbox.Job?
  /// As they were when the batch began.
  private var room = Reserve.Room.ample
  private var isClockAhead = false

  init(
    _ opening: consuming Opening, _ heads: Heads, _ inbox: Inbox, _ clock: WallClock,
    _ principals: KnownPrincipals, _ options: Engine.Options
  ) {
    directory = opening.directory
    log = opening.writer.log
    reserve = opening.writer.reserve
    committer = Committer(opening.writer, heads, inbox)
    ledger = opening.ledger
    keys = opening.keys
    batch = opening.batch
    self.heads = heads
    self.inbox = inbox
    self.clock = clock
    self.principals = principals
    patience = options.patience
  }

  /// Works until the inbox is closed and empty, or until the disk fails.
  mutating func run() {
    do throws(StorageError) {
      while try work() {}
    } catch {
      fail(error)
    }
    committer.stop()
  }

  /// Does what waits, or what is next where nothing does. Answers false at the end.
  private mutating func work() throws(StorageError) -> Bool {
    // Asked for before the jobs: what was accepted before closing is done.
    let isClosed = inbox.isClosed
    // While the committer is stuck at the disk, answers pile up behind it: then the queue is to
    // fill, which refuses, and not the memory.
    if shipped != nil, answers.count >= Inbox.commandCountMax { try takeBack() }
    inbox.takeAll(into: &jobs)
    pending = jobs[...]
    while !pending.isEmpty {
      // Before a job is taken: where this throws, none is lost.
      if shipped != nil, committer.isDone { try takeBack() }
      prefetchAhead()
      guard let job = pending.popFirst() else { break }
      current = job
      try handle(job)
      current = nil
    }
    // Whoever was answered may let go of everything, and so must this. The memory is used again.
    pending = []
    jobs.removeAll(keepingCapacity: jobs.capacity <= Inbox.keptJobCountMax)
    let isBacklog = !inbox.isEmpty
    if shipped != nil {
      // What arrives meanwhile joins the batch that is being built.
      if !isBacklog, !committer.isDone { inbox.pause(milliseconds: 1_000) }
      if committer.isDone { try takeBack() }
      return true
    }
    if batch.count > 0 || !answers.isEmpty {
      if isBacklog { try ship() } else { try commit() }
      return true
    }
    if isBacklog { return true }
    // Asked again: who closed meanwhile has woken this thread already, perhaps while it waited for
    // room, and will not again.
    if isClosed { return false }
    if inbox.isClosed { return true }
    // With timers armed, the periodic tick looks for due ones; it can never change an outcome.
    let isNews = inbox.pause(milliseconds: ledger.timers.count > 0 ? 250 : 60_000)
    if !isNews { try fireDueTimers() }
    return true
  }

  private mutating func handle(_ job: Inbox.Job) throws(StorageError) {
    switch job {
    case .request(let request, let completion):
      let outcome = try lone(request)
      if current != nil { answers.append(.outcome(completion, outcome)) }
    case .requests(let requests, let isLinked, let completion):
      let outcomes = isLinked ? try unit(requests) : try span(requests)
      if current != nil { answers.append(.outcomes(completion, outcomes)) }
    case .read(let read):
      try fireDueTimers()
      if read.isAtBoundary { try commit() }
      guard current != nil else { return }
      read.look(ledger, EventNumber(batch.next.rawValue - 1), nextTime)
      answers.append(.read(read))
    }
  }

  // MARK: - Commands

  /// How many commands ahead memory is fetched for.
  private static let ahead = 12

  /// Fetches what a lone command further back will touch. Mutating in name only, as ``known(_:)``.
  @inline(__always)
  private mutating func prefetchAhead() {
    let index = pending.startIndex + Self.ahead
    guard index < pending.endIndex, case .request(let request, _) = pending[index] else { return }
    ledger.prefetch(request.command)
    if let key = request.key { keys.prefetch(key.fingerprint) }
  }

  private mutating func lone(_ request: Request) throws(StorageError) -> Outcome {
    try fireDueTimers()
    let one = CollectionOfOne(request)
    return try perform(0, of: one.span, inUnit: false)
  }

  private mutating func span(_ requests: [Request]) throws(StorageError) -> [Outcome] {
    let span = requests.span
    let ahead = Self.ahead
    return try [Outcome](capacity: requests.count) { outcomes throws(StorageError) in
      for index in span.indices {
        if index + ahead < span.count {
          ledger.prefetch(span[index + ahead].command)
          if let key = span[index + ahead].key { keys.prefetch(key.fingerprint) }
        }
        try fireDueTimers()
        outcomes.append(try perform(index, of: span, inUnit: false))
      }
    }
  }

  /// One command, all or nothing. Takes the span and a place in it, because a request handed over
  /// by itself is copied and its texts retained.
  @inline(__always)
  private mutating func perform(
    _ index: Int, of requests: Span<Request>, inUnit: Bool
  ) throws(StorageError) -> Outcome {
    let (key, actor) = (requests[index].key, requests[index].actor)
    if let key, let known = try known(key) { return known }
    if room != .ample {
      // Workaround: `||` here captures the span, and crashes the optimiser of Swift 6.3.1. Retry
      // with the next compiler.
      let isBeginning = requests[index].command.isBeginning
      if isBeginning || room == .none {
        return .refused(Refusal(.storageFull), event: .none, isReplay: false)
      }
    }
    if isClockAhead { return .refused(Refusal(.clockAhead), event: .none, isReplay: false) }
    decision.removeAll(first: batch.next)
    let now = nextTime
    let named = requests[index].command.named
    var namedBody: [UInt8] = []
    let about = named.isSome ? try event(named, body: &namedBody) : nil
    do throws(Refusal) {
      try ledger.decide(
        requests[index].command, body: requests[index].body.span, by: actor, about: about,
        namedBody: namedBody.span, at: now, into: &decision)
    } catch {
      if inUnit { return .refused(error, event: .none, isReplay: false) }
      return try refuse(requests[index], error)
    }
    if !batch.hasRoom(
      for: decision.count + netCountMax, bodyByteCount: decision.body.count,
      textByteCount: requests[index].textByteCount)
    {
      if inUnit {
        return .refused(Refusal(.unitTooLarge), event: .none, isReplay: false)
      }
      try passOn()
    }
    // Applies the decision's events, and writes them behind the batch; its answer carries the key.
    let answer = decision.answer
    precondition(answer >= 0, "a command that is not refused has an event")
    var header = Header(number: batch.next, time: now, actor: actor)
    for place in 0..<decision.count {
      let (event, text) = (decision[place], text(place, index, requests))
      let body = decision.takeBody(of: place)
      let recorded = record(
        event, by: actor, key: place == answer ? key : nil, text: text, body: body)
      decision.keep(body)
      if place == answer { header = recorded }
    }
    if !credits.isEmpty, !net(inUnit: inUnit) {
      return .refused(Refusal(.unitTooLarge), event: .none, isReplay: false)
    }
    return .done(Recorded(header: header, event: decision[answer]), isReplay: false)
  }

  /// The event of this number and its body, if there is one. Mutating in name only, as
  /// ``known(_:)``.
  private mutating func event(
    _ number: EventNumber, body: inout [UInt8]
  ) throws(StorageError) -> Recorded? {
    guard number < batch.next else { return nil }
    var found: [UInt8] = []
    let parts = try withFrame(number) { frame throws(StorageError) in
      let parts = try Frame.decode(frame)
      if !parts.body.isEmpty { found = frame.extracting(parts.body).copied() }
      return parts
    }
    body = found
    return parts?.recorded(number)
  }

  @inline(__always)
  private mutating func record(
    _ event: Event, by actor: Actor, key: IdempotencyKey?, text: SealedText?, body: [UInt8] = []
  ) -> Header {
    let header = Header(number: batch.next, time: nextTime, actor: actor)
    ledger.evolve(event, header, body: body.span)
    batch.append(event, header, key: key, text: text, body: body.span)
    if !ledger.receivables.isEmpty { credits.note(event, body: body.span, ledger) }
    if let key { keys.insert(key.fingerprint, header.number) }
    if case .identity(.credentialRevoked) = event { principals.forget() }
    return header
  }

  /// Records what follows from credits to debtors. Answers false where a linked unit has no room
  /// for it.
  @inline(never)
  private mutating func net(inUnit: Bool) -> Bool {
    var left = netCountMax
    while let event = credits.netting(ledger) {
      guard inUnit ? batch.count < unitEnd && batch.hasRoom(for: 1) : left > 0 else {
        credits.removeAll()
        return !inUnit
      }
      left -= 1
      _ = record(event, by: .ledger, key: nil, text: nil)
    }
    return true
  }

  /// The most nettings that follow a command or a timer, for which its batch must have room: they
  /// are durable with it or not at all. What is left waits for the debtor's next credit.
  @inline(__always)
  private var netCountMax: Int {
    ledger.receivables.isEmpty
      ? 0 : min(ledger.receivables.debts.count + Credits.partialCountMax, Credits.countMax)
  }

  /// The sealed text that goes beside the event at `place` of the decision, if any does.
  @inline(__always)
  private func text(_ place: Int, _ index: Int, _ requests: Span<Request>) -> SealedText? {
    guard !requests[index].texts.isEmpty else { return nil }
    switch decision.text(place) {
    case .none: return nil
    case .own: return requests[index].texts[0]
    case .label(let label):
      return requests[index].texts.count > 1 + label ? requests[index].texts[1 + label] : nil
    }
  }

  /// A refusal, recorded where it follows from the state.
  private mutating func refuse(
    _ request: Request, _ refusal: Refusal
  ) throws(StorageError) -> Outcome {
    decision.removeAll(first: batch.next)
    let now = nextTime
    var refusal = refusal
    // What stands in the way may have come and gone with the unit that it was refused in.
    if refusal.about >= batch.next { refusal.about = .none }
    do throws(Refusal) {
      try Refusals.decide(
        refusal, of: request.command, body: request.body.span, hasKey: request.key != nil,
        by: request.actor, ledger, at: now, into: &decision)
    } catch {
      return .refused(error, event: .none, isReplay: false)
    }
    if !batch.hasRoom(for: decision.count, bodyByteCount: decision.body.count) { try passOn() }
    var header = Header(number: batch.next, time: now, actor: request.actor)
    let answer = decision.answer
    for place in 0..<decision.count {
      let (event, body) = (decision[place], decision.takeBody(of: place))
      let recorded = record(
        event, by: request.actor, key: place == answer ? request.key : nil, text: nil, body: body)
      if place == answer { header = recorded }
      decision.keep(body)
    }
    return .refused(refusal, event: header.number, isReplay: false)
  }

  /// The time of the next event: the wall's, unless the last event is not older than that.
  @inline(__always)
  private var nextTime: Timestamp { max(wall, batch.time.next) }

  // MARK: - Linked units

  /// All or none: nothing is kept unless every command is done (`design.md` 4.2).
  private mutating func unit(_ requests: [Request]) throws(StorageError) -> [Outcome] {
    guard !requests.isEmpty, requests.count <= 1_000 else {
      let refusal = Refusal(.unitTooLarge)
      return requests.map { _ in .refused(refusal, event: .none, isReplay: false) }
    }
    try fireDueTimers()
    if let known = try knownUnit(requests) { return known }
    let mayNet = !ledger.receivables.isEmpty || requests.contains { $0.command.isDisputing }
    let eventCountMax = mayNet ? 4_096 : min(requests.count * Decision.eventCountMax, 4_096)
    let textByteCount = requests.reduce(0) { $0 + $1.textByteCount }
    let bodyByteCount = requests.reduce(0) { $0 + $1.bodyByteCountMax }
    if !batch.hasRoom(
      for: eventCountMax, bodyByteCount: bodyByteCount, textByteCount: textByteCount)
    {
      try passOn()
    }
    ledger.reserve(eventCountMax, commands: requests.count, bodyByteCount: bodyByteCount)
    keys.reserve(requests.count)
    let mark = batch.mark
    unitEnd = mark.eventCount + eventCountMax
    ledger.undo.begin()
    var outcomes: [Outcome] = []
    for (index, request) in requests.enumerated() {
      var outcome = try perform(index, of: requests.span, inUnit: true)
      if batch.count - mark.eventCount > 4_096 {
        outcome = .refused(Refusal(.unitTooLarge), event: .none, isReplay: false)
      }
      if let refusal = outcome.refusal {
        ledger.undo.rollBack()
        batch.cut(to: mark)
        return Self.others(
          requests.count, but: index, try refuse(request, refusal))
      }
      outcomes.append(outcome)
    }
    ledger.undo.keep()
    return outcomes
  }

  // MARK: - Timers

  /// Records the events of every timer that is due, before anything else is decided. Reads the wall
  /// clock, and how much room there is, once a batch.
  @inline(__always)
  private mutating func fireDueTimers() throws(StorageError) {
    if batch.count == 0 {
      let now = clock.now()
      isClockAhead = now == nil
      if let now { wall = Timestamp(nanoseconds: now) }
      room = reserve.room
    }
    // Without room nothing is written; what falls due fires afterwards, with its deadline. By a
    // clock that is not believed nothing falls due.
    while ledger.timers.count > 0, room != .none, let event = ledger.due(at: nextTime) {
      if !batch.hasRoom(for: 1 + netCountMax) { try passOn() }
      _ = record(event, by: .ledger, key: nil, text: nil)
      if !credits.isEmpty { _ = net(inUnit: false) }
    }
  }

  // MARK: - Commit

  /// Gives the full batch to the committer, and begins an empty one. Where there is hardly any room
  /// on the disk, one batch is made durable after the other.
  private mutating func passOn() throws(StorageError) {
    if shipped != nil { try takeBack() }
    if room == .ample { try ship() } else { try commit() }
  }

  /// Gives the batch and who waits for it to the committer, who has none.
  private mutating func ship() throws(StorageError) {
    guard batch.count > 0 else { return try commit() }
    var next = spare.take() ?? Batch(first: batch.next, after: batch.time)
    next.begin(at: batch.next, after: batch.time)
    swap(&next, &batch)
    shipped = next.view
    var waiting: [Committer.Answer] = []
    swap(&waiting, &spareAnswers)
    swap(&waiting, &answers)
    committer.ship(Committer.Shipment(batch: next, answers: waiting))
    keys.settle(at: EventNumber(batch.first.rawValue - 1))
  }

  /// Takes the batch back from the committer; waits until it is durable.
  private mutating func takeBack() throws(StorageError) {
    var shipment = committer.takeBack()
    shipped = nil
    if let error = shipment.error {
      // Its callers are as much in flight as those of the batch being built.
      answers.insert(contentsOf: shipment.answers, at: 0)
      guard committer.writer.isForWantOfRoom(error), !inbox.isClosed else { throw error }
      try makeDurable(&shipment.batch)
      heads.publish(EventNumber(shipment.batch.first.rawValue - 1))
    } else {
      swap(&spareAnswers, &shipment.answers)
    }
    spare = shipment.takeBatch()
  }

  /// Makes everything durable on this thread, then answers everyone who waits for it.
  private mutating func commit() throws(StorageError) {
    if shipped != nil { try takeBack() }
    if batch.count > 0 {
      try makeBatchDurable()
      let head = EventNumber(batch.first.rawValue - 1)
      heads.publish(head)
      keys.settle(at: head)
    }
    for answer in answers { answer.give() }
    answers.removeAll(keepingCapacity: true)
  }

  /// Commits the batch at hand. It is out of the engine meanwhile, since whoever waits for room
  /// also answers callers.
  private mutating func makeBatchDurable() throws(StorageError) {
    var other = spare.take() ?? Batch(first: batch.next, after: batch.time)
    swap(&other, &batch)
    try makeDurable(&other)
    swap(&other, &batch)
    spare = .some(other)
  }

  /// Commits a batch, and where there is no room for it, tries again until there is.
  private mutating func makeDurable(_ batch: inout Batch) throws(StorageError) {
    let began = ContinuousClock.now
    while true {
      do throws(StorageError) {
        return try committer.writer.commit(&batch)
      } catch {
        // Whoever closes a ledger that waits for room has it end like one whose disk failed.
        guard committer.writer.isForWantOfRoom(error), !inbox.isClosed else { throw error }
      }
      if ContinuousClock.now - began >= patience { giveAnswers() }
      inbox.pause(milliseconds: 100)
    }
  }

  /// Answers everyone while the batch waits for room: whoever is in it, or being worked at, that
  /// the outcome is unknown; who was not begun, that the disk is full.
  private mutating func giveAnswers() {
    answerInFlight()
    var later: [Inbox.Job] = []
    inbox.takeAll(into: &later)
    let waiting = pending + later
    pending = []
    for job in waiting { job.answerStorageFull() }
  }

  private mutating func answerInFlight() {
    for answer in answers { answer.give(.outcomeUnknown) }
    answers.removeAll(keepingCapacity: true)
    current?.answer(.outcomeUnknown)
    current = nil
  }

  /// Ends the engine: who was in flight learns that the outcome is unknown, everyone later why.
  private mutating func fail(_ error: StorageError) {
    // What the committer has may become durable all the same; then its callers are answered so.
    if shipped != nil {
      let shipment = committer.takeBack()
      answers.insert(contentsOf: shipment.answers, at: 0)
      shipped = nil
    }
    // The job at hand may have reached the disk in part; those behind it were not begun.
    answerInFlight()
    let failure = LedgerFailure.ledgerFailed(error)
    let waiting = pending + inbox.fail(failure)
    pending = []
    for job in waiting { job.answer(failure) }
    heads.fail(failure)
  }
}
