import LedgerCore

/// Fee schedules: what payments cost, read by everyone and set by operators.
enum FeeRoutes {
  static let flat = Field.amount("flat", "Added to every fee, in dollars; none where not said.")
  static let basisPoints: Field<Int> = Field.whole(
    "basis_points", 0...10_000, "Share of the amount in hundredths of a percent, rounded up."
  ).required()
  static let min = Field.amount("min", "The least fee; none where it is not said.")
  static let max = Field.amount("max", "The greatest fee; none where it is not said.")
  static let side = Field.choice(
    "side", Fees.Side.allCases.map(\.word),
    "Who bears it: the payer on top of the amount, which is meant where it is not said, or the "
      + "payee out of it.")
  static let onRefund = Field.choice(
    "on_refund", ["kept", "proportional"],
    "What becomes of the fee when a payment is refunded; kept where it is not said.")
  static let startsAt = Field.time(
    "starts_at", "From when on it counts, later than now; at once where it is not said.")

  static let from: Field<String> = Field.amount(
    "from", "From which amount on it counts, in dollars: for all of the amount."
  ).required()
  static let tiers = Field.objects(
    "tiers", 0...Fees.tierCountMax, of: [from, flat, basisPoints],
    "Flat part and share in place of those above, for amounts from \"from\" on: for the whole "
      + "amount, not for what is above. They rise, and where one begins the fee must not fall.")

  static let all = [find, set]

  private static let properties =
    [
      Property("schedule", .whole(1...Int.max), "Its number."),
      Property("basis_points", .whole(0...10_000), "Share of the amount, rounded up."),
      Property("side", .choice(Fees.Side.allCases.map(\.word)), "Who bears it."),
      Property("on_refund", .choice(["kept", "proportional"]), "What becomes of it then."),
      Property("max", .number, isRequired: false, "The greatest fee, if there is one."),
      Property("max_text", .decimal, isRequired: false, "The same, as a text."),
      Property(
        "tiers", .list(tierProperties), isRequired: false, "What counts for larger amounts, if any."
      ),
    ] + Property.amount("flat", "Added to every fee.")
    + Property.amount("min", "The least fee.")

  private static let tierProperties =
    Property.amount("from", "From which amount on it counts, for all of the amount.")
    + Property.amount("flat", "Added to every fee.") + [
      Property("basis_points", .whole(0...10_000), "Share of the amount, rounded up.")
    ]

  static let find = Route(
    method: .get, path: "/v1/fees", name: "fees",
    summary: "Says what a payment costs now.", who: .everyone, answer: properties,
    handle: { call throws(Problem) in
      let (number, terms, tiers) = try await call.backend.read { () throws(LedgerFailure) in
        try await call.backend.engine.feeSchedule()
      }
      let members = view(number, terms, tiers, try await unit(call))
      return Answer(members.json)
    })

  static let set = Route(
    method: .post, path: "/v1/fees", name: "setFees",
    summary: "Sets what payments cost from now, or from a later time, on.",
    who: .holders([.operatorKey]),
    body: [flat, basisPoints, min, max, tiers, side, onRefund, startsAt, Route.key],
    keys: .idempotencyKey, status: 201,
    answer: properties + [
      Property("starts_at", .time, "From when on it counts."),
      Property("created_at", .time, "When it was set."),
    ], errors: [.scheduleInvalid, .scheduleInPast, .scheduleFalls, .invalidAmount],
    handle: { call throws(Problem) in try await set(call) })

  private static func set(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let unit = try await unit(call)
    let terms = Fees.Terms(
      flat: try call.amount(flat, of: unit) ?? .zero, basisPoints: UInt32(call[basisPoints]),
      min: try call.amount(min, of: unit) ?? .zero,
      max: try call.amount(max, of: unit) ?? .commandMax,
      side: call[side] == Fees.Side.payee.word ? .payee : .payer,
      isFeeRefunded: call[onRefund] == "proportional")
    let tiers = try readTiers(call, unit)
    let request = try backend.request(
      .fee(.set(terms, begins: call[startsAt] ?? .none)), by: call.holder.actor, key: call.key,
      body: Fees.Tier.body(tiers))
    let (event, isReplay): (Recorded, Bool)
    do throws(Problem) {
      (event, isReplay) = try await backend.submit(request, asset: unit)
    } catch {
      throw error.rejection == .scheduleFalls ? placed(error, terms, tiers) : error
    }
    let (number, begins): (ScheduleNumber, Timestamp)
    switch event.event {
    case .fee(.set(let schedule, _, let time)): (number, begins) = (schedule, time)
    case .fee(.began(let schedule, let time)): (number, begins) = (schedule, time)
    case .genesis, .refusal, .identity, .wallet, .payment, .reservation, .refund, .pause,
      .dispute, .receivable, .policy:
      preconditionFailure("setting fees ends in another event")
    }
    var members = view(number, terms, tiers, unit)
    members.time("starts_at", begins)
    members.time("created_at", event.header.time)
    return Answer(members.json, isReplay: isReplay)
  }

  private static func readTiers(_ call: Call, _ unit: Asset) throws(Problem) -> [Fees.Tier] {
    var tiers: [Fees.Tier] = []
    for (index, input) in (call[Self.tiers] ?? []).enumerated() {
      let fromName = Self.tiers.path(index, from)
      let from = try Amount(input[from], of: unit, field: fromName)
      guard from > tiers.last?.from ?? .zero else {
        throw Problem(
          .scheduleInvalid, field: fromName,
          "In \"\(fromName)\", send more than in the tier before; tiers are listed as they rise.")
      }
      let flat = try input[flat].map { text throws(Problem) in
        try Amount(text, of: unit, field: Self.tiers.path(index, Self.flat))
      }
      tiers.append(
        Fees.Tier(from: from, flat: flat ?? .zero, basisPoints: UInt32(input[basisPoints])))
    }
    return tiers
  }

  /// The refusal of a schedule whose fee falls, with the tier where it does.
  private static func placed(
    _ problem: Problem, _ terms: Fees.Terms, _ tiers: [Fees.Tier]
  ) -> Problem {
    let first = tiers.indices.first { index in
      let before = index > 0 ? tiers[index - 1] : nil
      return (try? terms.fall(at: tiers[index], after: before)) != nil
    }
    var problem = problem
    if let first { problem.field = Self.tiers.path(first, from) }
    return problem
  }

  /// Schedules count ledger units, which are those of the dollar.
  private static func unit(_ call: Call) async throws(Problem) -> Asset {
    try await call.backend.assets.asset(coded: "USD", field: flat.property.name)
  }

  private static func view(
    _ number: ScheduleNumber, _ terms: Fees.Terms, _ tiers: [Fees.Tier], _ unit: Asset
  ) -> Members {
    var members = Members()
    members.integer("schedule", number.rawValue)
    members.amount("flat", terms.flat, of: unit)
    members.integer("basis_points", terms.basisPoints)
    members.amount("min", terms.min, of: unit)
    if terms.max < .commandMax { members.amount("max", terms.max, of: unit) }
    if !tiers.isEmpty {
      members.value(Self.tiers.property.name, .array(tiers.map { view($0, unit) }))
    }
    members.string("side", terms.side.word)
    members.string("on_refund", terms.isFeeRefunded ? "proportional" : "kept")
    return members
  }

  private static func view(_ tier: Fees.Tier, _ unit: Asset) -> JSONValue {
    var members = Members()
    members.amount("from", tier.from, of: unit)
    members.amount("flat", tier.flat, of: unit)
    members.integer("basis_points", tier.basisPoints)
    return members.json
  }
}

extension Fees.Side {
  /// As requests and answers say it. Public and stable.
  var word: String {
    switch self {
    case .payer: "payer"
    case .payee: "payee"
    }
  }
}
