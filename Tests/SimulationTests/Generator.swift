@testable import LedgerCore

/// Makes the steps of a run, one after the other, from a seed and what the model says is so.
///
/// The commands themselves are made in `Generator+Commands.swift` and the files beside it.
struct Generator {
  var dice: Dice
  let swarm: Swarm
  /// Requests with a key, and units, to be repeated.
  private var asked: [Request] = []
  private var units: [[Request]] = []
  private var fingerprintCount: UInt64 = 0
  /// What is to come of the story that is told.
  private var chapters: [Chapter] = []

  init(seed: UInt64) {
    dice = Dice(seed: seed)
    swarm = Swarm(&dice)
  }

  /// The next step, where `model` says what is so.
  mutating func next(_ model: NaiveLedger) -> Step {
    if model.agents.isEmpty { return .submit([Job(requests: firstRequests())]) }
    // Now and then something else happens meanwhile.
    if !chapters.isEmpty, !dice.isOne(in: 5) {
      let chapter = chapters.removeFirst()
      return keyed(chapter(&self, model))
    }
    if swarm.livemode {
      let isPoor = model.wallets.indices.allSatisfy { model.available($0) == 0 }
      if dice.isOne(in: isPoor ? 2 : 40) { return deposit(model) }
    }
    if swarm.moves[Swarm.Move.unit.rawValue] > 0, dice.isOne(in: 3),
      let requests = unitToDeadline(model)
    {
      return .submit([Job(requests: requests, isLinked: true)])
    }
    guard let move = Swarm.Move(rawValue: dice.weighted(swarm.moves)) else {
      preconditionFailure("each move has a weight")
    }
    switch move {
    case .clock: return .clock(time(model))
    case .restart: return .restart
    case .crash: return .crash
    case .single: return .submit([Job(requests: [request(model)])])
    case .batch: return .submit([Job(requests: batch(model))])
    case .unit: return .submit([Job(requests: unit(model), isLinked: true)])
    case .unitAgain: return .submit([Job(requests: unitAgain(model), isLinked: true)])
    case .together: return .submit((0...dice.below(5)).map { _ in anyJob(model) })
    case .story:
      chapters = story(model)
      return .submit([Job(requests: batch(model))])
    case .storm: return .submit([Job(requests: storm(model))])
    case .fault:
      let job =
        dice.isOne(in: 2)
        ? Job(requests: batch(model)) : Job(requests: [request(model)])
      // The calls of a commit: its pages, their sync, the meta page, and the record in `head.log`.
      return .fault(job, fault(withinCalls: 4))
    // Those of taking the lock and of a commit without a record.
    case .opening: return .opening(fault(withinCalls: 6))
    }
  }

  /// Some of the requests of a story have keys, too.
  private mutating func keyed(_ step: Step) -> Step {
    guard case .submit(var jobs) = step else { return step }
    for job in jobs.indices {
      for place in jobs[job].requests.indices where dice.isOne(in: 2) {
        let key = IdempotencyKey(fingerprint: fingerprint(), digest: dice.next())
        jobs[job].requests[place].key = key
      }
    }
    return .submit(jobs)
  }

  private mutating func fault(withinCalls count: Int) -> DiskFault {
    DiskFault(
      place: dice.isOne(in: 3) ? .beside : .log, call: 1 + dice.below(count),
      isFull: dice.isOne(in: 2), isForGood: dice.isOne(in: 2))
  }

  private mutating func anyJob(_ model: NaiveLedger) -> Job {
    switch dice.below(4) {
    case 0: Job(requests: [request(model)])
    case 1: Job(requests: batch(model))
    case 2: Job(requests: unit(model), isLinked: true)
    default: Job(requests: unitAgain(model), isLinked: true)
    }
  }

  /// Two operators, and agents with money.
  private mutating func firstRequests() -> [Request] {
    var requests = (0..<2).map { _ in
      Request(.identity(.registerOperator(key: dice.bits128())), by: .administrator)
    }
    for number in 1...swarm.agentCount {
      requests.append(
        Request(
          .identity(
            .registerAgent(
              tenant: UInt128(dice.below(3)), name: 0,
              asset: AssetNumber(UInt64(number % 2 + 1)),
              apiKey: dice.bits128(), secretKey: dice.bits128())),
          by: .anonymous))
      requests.append(
        Request(
          .wallet(
            .fund(
              WalletNumber(UInt64(number)), amount: Amount(units: 10_000_000_000), asset: .none,
              cap: .commandMax)),
          by: .agent(AgentNumber(UInt64(number)))))
    }
    // Another wallet, which may be closed and takes over what is left in one that is.
    for number in 1...swarm.agentCount where dice.isOne(in: 2) {
      let agent = AgentNumber(UInt64(number))
      let open = Wallets.Command.open(agent: agent, asset: AssetNumber(UInt64(number % 2 + 1)))
      requests.append(Request(.wallet(open), by: .agent(agent)))
    }
    return requests
  }
}

// MARK: - Requests

extension Generator {
  private mutating func request(_ model: NaiveLedger) -> Request {
    if !asked.isEmpty, dice.isOne(in: swarm.repeatedOneIn) { return repeated(model) }
    return fresh(model)
  }

  private mutating func fresh(_ model: NaiveLedger) -> Request {
    var request = command(model)
    // A split has texts of its own, of which its labels take one each.
    if request.texts.isEmpty, dice.isOne(in: 2) {
      for _ in 0...dice.below(2) {
        request.texts.append(SealedText(readable: "text \(dice.next())"))
      }
    }
    guard !dice.isOne(in: swarm.keylessOneIn) else { return request }
    request.key = IdempotencyKey(fingerprint: fingerprint(), digest: dice.next())
    asked.append(request)
    return request
  }

  /// An earlier request again, sometimes as another one under the same key.
  private mutating func repeated(_ model: NaiveLedger) -> Request {
    // The newest are the likeliest, because a client retries at once.
    let isRecent = dice.isOne(in: 2)
    var request = isRecent ? dice.pick(asked.suffix(8)) : dice.pick(asked)
    guard dice.isOne(in: swarm.otherDigestOneIn) else { return request }
    request.key?.digest ^= 1 << UInt64(dice.below(64))
    if dice.isOne(in: 2) {
      let other = command(model)
      (request.command, request.body) = (other.command, other.body)
    }
    return request
  }

  private mutating func fingerprint() -> UInt128 {
    fingerprintCount += 1
    guard swarm.fingerprintsCollide else { return dice.bits128() }
    let few = UInt128(dice.below(3) + 1)
    let many = UInt128(fingerprintCount)
    return dice.isOne(in: 2) ? few << 64 | many : many << 64 | few
  }

  private mutating func batch(_ model: NaiveLedger) -> [Request] {
    if swarm.kinds[Swarm.Kind.paySplit.rawValue] > 0, dice.isOne(in: 20) {
      return widestSplit(model)
    }
    let asks: [Swarm.Kind] = [.setFees, .reserve, .capture]
    if asks.allSatisfy({ swarm.kinds[$0.rawValue] > 0 }), dice.isOne(in: 12) {
      return holdAcrossBorder(model)
    }
    if swarm.kinds[Swarm.Kind.dispute.rawValue] > 0, dice.isOne(in: 4) {
      switch dice.below(6) {
      case 0: return disputeAndEnd(model)
      case 4: return giveBackAndClose(model)
      case 3: return closeAndOwe(model)
      case 2 where swarm.livemode: return winAndClose(model)
      case 1 where swarm.livemode || dice.isOne(in: 3): return oweEachOther(model)
      default: return spendAndDispute(model)
      }
    }
    return (0...dice.below(swarm.sizeMax)).map { _ in request(model) }
  }
}

// MARK: - Linked units

extension Generator {
  private mutating func unit(_ model: NaiveLedger) -> [Request] {
    if swarm.hasHugeUnits, dice.isOne(in: 10) { return hugeUnit(model) }
    var requests: [Request] = []
    if swarm.kinds[Swarm.Kind.reserve.rawValue] > 0, dice.isOne(in: 4) {
      requests = holdAndEnd(model)
    }
    if swarm.kinds[Swarm.Kind.dispute.rawValue] > 0, dice.isOne(in: 5) {
      requests = dice.isOne(in: 2) ? disputeAndEnd(model) : spendAndDispute(model)
    }
    let hasRepeats = dice.isOne(in: 4)
    // The longer it is, the likelier that one is refused, and all with it.
    let size = dice.below(dice.isOne(in: 3) ? swarm.sizeMax : 3)
    for _ in 0...size {
      requests.append(hasRepeats ? request(model) : fresh(model))
    }
    if dice.isOne(in: 8), let copy = requests.first(where: { $0.key != nil }) {
      requests.append(copy)
    }
    units.append(requests)
    return requests
  }

  /// As many commands, or as many events, as a unit may have; or one more.
  private mutating func hugeUnit(_ model: NaiveLedger) -> [Request] {
    let agent = AgentNumber(UInt64(model.agents.count))
    let open = Request(
      .wallet(.open(agent: agent, asset: AssetNumber(1))), by: .agent(agent))
    if dice.isOne(in: 2) {
      return [Request](repeating: open, count: 1_000 + dice.below(2))
    }
    // An agent with a tenant of its own is five events, a wallet is one.
    let agents = (0..<819).map { _ in
      Request(
        .identity(
          .registerAgent(
            tenant: 0, name: 0, asset: AssetNumber(1), apiKey: dice.bits128(),
            secretKey: dice.bits128())),
        by: .anonymous)
    }
    return agents + [Request](repeating: open, count: 1 + dice.below(2))
  }

  /// An earlier unit again, or one that only looks like it.
  private mutating func unitAgain(_ model: NaiveLedger) -> [Request] {
    guard !units.isEmpty else { return unit(model) }
    var requests = dice.pick(units.suffix(20))
    let place = dice.below(requests.count)
    switch dice.below(8) {
    case 0: requests[place] = fresh(model)
    case 1: requests[place].key?.digest ^= 1
    case 2: requests.append(fresh(model))
    case 3: requests[place].key = nil
    case 4 where requests.count > 1: requests.remove(at: place)
    case 5 where !asked.isEmpty: requests[place] = dice.pick(asked)
    default: break
    }
    return requests
  }
}

// MARK: - Time and storms

extension Generator {
  /// What the clock says next: a little or much later, just at a deadline, or earlier.
  private mutating func time(_ model: NaiveLedger) -> UInt64 {
    let second: UInt64 = 1_000_000_000
    let minute = 60 * second
    // Either the first or any, which has several expire at once.
    let timers = model.timers
    if let first = model.nextTimer, dice.isOne(in: 2) {
      let deadline = dice.isOne(in: 2) ? first.deadline : dice.pick(timers).deadline
      return deadline - 2 + UInt64(dice.below(4))
    }
    if swarm.kinds[Swarm.Kind.dispute.rawValue] > 0, dice.isOne(in: 4),
      let end = endOfWindow(model)
    {
      return end
    }
    if swarm.kinds[Swarm.Kind.setPolicy.rawValue] > 0, dice.isOne(in: 4) {
      return endOfPeriod(model)
    }
    switch dice.below(8) {
    case 0: return model.wall - 1
    case 1: return model.wall - second
    case 2: return model.wall - UInt64(dice.below(3600)) * second
    case 3: return model.wall + 1
    case 4: return model.wall + UInt64(dice.below(1_000))
    case 5: return (model.time / minute + 1) * minute - UInt64(dice.below(80))
    case 6: return model.wall + minute
    default: return model.wall + UInt64(dice.below(3600)) * second
    }
  }

  /// More refusals of one agent than are recorded in a minute.
  private mutating func storm(_ model: NaiveLedger) -> [Request] {
    if dice.isOne(in: 2), let evidence = muchEvidence(model) { return evidence }
    if dice.isOne(in: 2), let denials = denials(model) { return denials }
    let wallet = dice.below(model.wallets.count)
    var actor = Actor.agent(AgentNumber(model.wallets[wallet].agent))
    var tooMuch = Command.payment(
      .pay(
        from: WalletNumber(UInt64(wallet + 1)), to: .external(label: 1), amount: .commandMax,
        asset: .none, rail: .internal))
    if dice.isOne(in: 3) {
      let tenant = TenantNumber(model.tenant(of: wallet))
      actor = .tenantAdmin(tenant)
      tooMuch = .policy(.set(.tenant(tenant), begins: Timestamp(nanoseconds: 1)))
    }
    return (0..<(30 + dice.below(40))).map { _ in
      let key = IdempotencyKey(fingerprint: fingerprint(), digest: 1)
      let request = Request(tooMuch, by: actor, key: key)
      asked.append(request)
      return request
    }
  }
}
