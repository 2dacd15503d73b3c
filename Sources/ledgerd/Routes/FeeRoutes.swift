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

  static let all = [find, set]

  private static let properties =
    [
      Property("schedule", .whole(1...Int.max), "Its number."),
      Property("basis_points", .whole(0...10_000), "Share of the amount, rounded up."),
      Property("side", .choice(Fees.Side.allCases.map(\.word)), "Who bears it."),
      Property("on_refund", .choice(["kept", "proportional"]), "What becomes of it then."),
      Property("max", .number, isRequired: false, "The greatest fee, if there is one."),
      Property("max_text", .decimal, isRequired: false, "The same, as a text."),
    ] + Property.amount("flat", "Added to every fee.")
    + Property.amount("min", "The least fee.")

  static let find = Route(
    method: .get, path: "/v1/fees", name: "fees",
    summary: "Says what a payment costs now.", who: .everyone, answer: properties,
    handle: { call throws(Problem) in
      let (number, terms) = try await call.backend.read { () throws(LedgerFailure) in
        try await call.backend.engine.feeSchedule()
      }
      let members = view(number, terms, try await unit(call))
      return Answer(members.json)
    })

  static let set = Route(
    method: .post, path: "/v1/fees", name: "setFees",
    summary: "Sets what payments cost from now, or from a later time, on.",
    who: .holders([.operatorKey]),
    body: [flat, basisPoints, min, max, side, onRefund, startsAt, Route.key],
    keys: .idempotencyKey, status: 201,
    answer: properties + [
      Property("starts_at", .time, "From when on it counts."),
      Property("created_at", .time, "When it was set."),
    ], errors: [.scheduleInvalid, .scheduleInPast, .invalidAmount],
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
    let request = try backend.request(
      .fee(.set(terms, begins: call[startsAt] ?? .none)), by: call.holder.actor, key: call.key)
    let (event, isReplay) = try await backend.submit(request)
    let (number, begins): (ScheduleNumber, Timestamp)
    switch event.event {
    case .fee(.set(let schedule, _, let time)): (number, begins) = (schedule, time)
    case .fee(.began(let schedule, let time)): (number, begins) = (schedule, time)
    case .genesis, .refusal, .identity, .wallet, .payment, .reservation, .refund, .pause:
      preconditionFailure("setting fees ends in another event")
    }
    var members = view(number, terms, unit)
    members.time("starts_at", begins)
    members.time("created_at", event.header.time)
    return Answer(members.json, isReplay: isReplay)
  }

  /// Schedules count ledger units, which are those of the dollar.
  private static func unit(_ call: Call) async throws(Problem) -> Asset {
    try await call.backend.assets.asset(coded: "USD", field: flat.property.name)
  }

  private static func view(
    _ number: ScheduleNumber, _ terms: Fees.Terms, _ unit: Asset
  ) -> Members {
    var members = Members()
    members.integer("schedule", number.rawValue)
    members.amount("flat", terms.flat, of: unit)
    members.integer("basis_points", terms.basisPoints)
    members.amount("min", terms.min, of: unit)
    if terms.max < .commandMax { members.amount("max", terms.max, of: unit) }
    members.string("side", terms.side.word)
    members.string("on_refund", terms.isFeeRefunded ? "proportional" : "kept")
    return members
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
