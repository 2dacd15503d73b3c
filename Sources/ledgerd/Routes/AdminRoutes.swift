import Dispatch
import LedgerCore
import Projections

/// What only looks, for `ledgerctl` beside a running daemon (`design.md` 4.12). On the Unix socket
/// only: on the port these paths are not known.
enum AdminRoutes {
  static let wallet: Field<String> = Field.label(
    "wallet", "A wallet's text id or number."
  ).required()
  static let event: Field<String> = Field.label(
    "event", "An event's number, or the text id of a payment, a reservation or a refund."
  ).required()
  static let from = Field.whole("from", 1...Int.max, "The first event's number; 1 where not said.")
  static let before = Field.whole("before", 1...Int.max, "Only events before this one.")
  static let limit = Field.whole("limit", 1...1_000, "At most so many; 100 where it is not said.")

  static let status = Field.choice(
    "status", Disputes.Status.allCases.map(\.word),
    "Only disputes in this status, of each payment the newest; those that are not decided where "
      + "it is not said.")

  static let directory: Field<String> = Field.text(
    "directory", bytes: 1...4_096, "Where the backup goes: an absolute path that is not there yet."
  ).required()

  static let all = [
    ledgerStatus, findWallet, balance, history, events, findEvent, disputes, backup, acceptClock,
    SnapshotRoutes.list, SnapshotRoutes.create, SnapshotRoutes.prune,
  ]

  static let ledgerStatus = Route(
    method: .get, path: "/admin/status", name: "adminStatus",
    summary: "Says how far the ledger is.", who: .administrator,
    answer: [
      Property("head", .whole(1...Int.max), "The newest durable event's number."),
      Property("root", .label, "The root of the tree over all events up to it, in hex."),
      Property("time", .time, "When it was recorded."),
      Property("bytes", .whole(1...Int.max), "How much of the log's data file is in use."),
      Property("counts", .any, "How much there is of everything, by name."),
      Property("projections", .whole(0...Int.max), "The newest event that the views have seen."),
      Property("clock_ahead", .flag, "Whether commands are refused since the clock jumped."),
      Property("storage_short", .flag, "Whether nothing new is begun since the disk is full."),
      Property(
        "slow_commit_ms", .whole(1...Int.max), isRequired: false,
        "How long the last commit of more than a second took, where one did in the last minute."),
      Property("hosting", .choice(Settings.Hosting.allCases.map(\.rawValue)), "Where it runs."),
    ],
    handle: { call throws(Problem) in try await status(call) })

  static let findWallet = Route(
    method: .get, path: "/admin/wallets/{wallet}", name: "adminWallet",
    summary: "A wallet as the engine holds it.", who: .administrator, parameters: [wallet],
    answer: [
      Property("wallet", .whole(1...Int.max), "Its number."),
      Property("wallet_id", .id(.wallet), "Its text id."),
      Property("agent", .whole(1...Int.max), "Whose it is."),
      Property("agent_id", .id(.agent), "The agent's text id."),
      Property("tenant", .whole(1...Int.max), "The agent's tenant."),
      Property("currency", .currency, "What it holds."),
      Property("status", .choice(Wallets.Status.allCases.map(\.word)), "What may happen with it."),
      Property("opened", .whole(1...Int.max), "The event that opened it."),
    ] + Property.amount("available", "Spendable.") + Property.amount("held", "Reserved."),
    errors: [.walletNotFound], handle: { call throws(Problem) in try await findWallet(call) })

  static let balance = Route(
    method: .get, path: "/admin/wallets/{wallet}/balance", name: "adminBalance",
    summary: "A wallet's balance from the views.", who: .administrator, parameters: [wallet],
    answer: WalletRoutes.balance.answer, errors: [.walletNotFound, .projectionBehind],
    handle: { call throws(Problem) in
      Answer(try await WalletRoutes.balance(of: WalletFacts(try await find(call)), call.backend))
    })

  static let history = Route(
    method: .get, path: "/admin/wallets/{wallet}/history", name: "adminHistory",
    summary: "Every event that touched a wallet, newest first.", who: .administrator,
    parameters: [wallet], query: [before, limit],
    answer: [
      Property("events", .list(EventView.properties), "The page."),
      Property(
        "next", .whole(1...Int.max), isRequired: false, "Send it as before for the next page."),
    ],
    errors: [.walletNotFound, .projectionBehind],
    handle: { call throws(Problem) in try await history(call) })

  static let events = Route(
    method: .get, path: "/admin/events", name: "adminEvents",
    summary: "Events in the order of the log.", who: .administrator, query: [from, limit],
    answer: [
      Property("events", .list(EventView.properties), "The page; empty at the end."),
      Property("head", .whole(1...Int.max), "The newest durable event's number."),
    ],
    handle: { call throws(Problem) in try await events(call) })

  static let findEvent = Route(
    method: .get, path: "/admin/events/{event}", name: "adminEvent",
    summary: "One event with the text beside it and what it moved.", who: .administrator,
    parameters: [event],
    answer: EventView.properties + [EventView.postings],
    errors: [.eventNotFound], handle: { call throws(Problem) in try await findEvent(call) })

  static let disputes = Route(
    method: .get, path: "/admin/disputes", name: "adminDisputes",
    summary: "Disputes, newest first.", who: .administrator, query: [status, before, limit],
    answer: [
      Property(
        "disputes",
        .list([
          Property("event", .whole(1...Int.max), "The event that opened it."),
          Property("dispute", .id(.dispute), "Its text id."),
          Property("payment", .id(.payment), "What is disputed."),
          Property("status", .choice(Disputes.Status.allCases.map(\.word)), "How far it is."),
          Property("reason", .choice(Disputes.Reason.allCases.map(\.word)), "What is wrong."),
          Property("opened_by", .choice(Disputes.Party.allCases.map(\.word)), "Who says so."),
          Property("created_at", .time, "When it was opened."),
          Property("amount", .decimal, "What is disputed."),
          Property("held", .decimal, isRequired: false, "What is held; absent once it ended."),
          Property("receivable", .decimal, isRequired: false, "What of that was advanced."),
          Property("uncovered", .decimal, isRequired: false, "What is owed and not held."),
          Property("asset", .currency, "Of its amounts."),
        ]), "The page.")
    ],
    handle: { call throws(Problem) in try await disputes(call) })

  static let backup = Route(
    method: .post, path: "/admin/backup", name: "adminBackup",
    summary: "Writes a backup, checked whole before it gets its name.", who: .administrator,
    body: [directory],
    answer: [
      Property("head", .whole(1...Int.max), "The newest event in it."),
      Property("root", .label, "The root of the tree over all events up to it, in hex."),
      Property("time", .time, "When that event was recorded."),
      Property("bytes", .whole(1...Int.max), "The size of its data file."),
    ],
    errors: [.notWritten], handle: { call throws(Problem) in try await backup(call) })

  static let acceptClock = Route(
    method: .post, path: "/admin/clock", name: "adminAcceptClock",
    summary: "Goes by the host's clock although it jumped ahead.", who: .administrator, body: [],
    answer: [Property("was_ahead", .flag, "Whether commands were refused for it.")],
    handle: { call throws(Problem) in
      let engine = call.backend.engine
      var members = Members()
      members.bool("was_ahead", engine.isClockAhead)
      engine.acceptClock()
      return Answer(members.json)
    })

  // MARK: - Handlers

  /// Runs what takes as long as it takes on a thread that may wait.
  static func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws(LedgerFailure) -> Value
  ) async throws(LedgerFailure) -> Value {
    try await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(returning: Result { () throws(LedgerFailure) in try body() })
      }
    }.get()
  }

  private static func backup(_ call: Call) async throws(Problem) -> Answer {
    let (engine, path) = (call.backend.engine, call[directory])
    guard path.hasPrefix("/") else {
      throw Problem(.invalidField, field: directory.property.name, "Send an absolute path.")
    }
    do throws(LedgerFailure) {
      let backup = try await blocking { () throws(LedgerFailure) in try engine.backup(to: path) }
      var members = Members()
      members.integer("head", backup.head.rawValue)
      members.string("root", backup.root.hex)
      members.time("time", backup.time)
      members.integer("bytes", backup.byteCount)
      return Answer(members.json)
    } catch {
      throw Problem(reading: error)
    }
  }

  private static func status(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let (head, counts, byteCount) = try await backend.read { () throws(LedgerFailure) in
      let counts = try await backend.engine.counts()
      return (try backend.engine.treeHead(), counts, try backend.engine.byteCount())
    }
    var members = Members()
    members.integer("head", head.last.rawValue)
    members.string("root", head.root.hex)
    members.time("time", head.time)
    members.integer("bytes", byteCount)
    members.value("counts", view(counts))
    members.integer("projections", backend.projections.position.rawValue)
    members.bool("clock_ahead", backend.engine.isClockAhead)
    members.bool("storage_short", backend.engine.isStorageShort)
    members.integer("slow_commit_ms", backend.engine.slowCommitMilliseconds)
    members.string("hosting", backend.settings.hosting.rawValue)
    return Answer(members.json)
  }

  private static func view(_ counts: Counts) -> JSONValue {
    var members = Members()
    members.integer("tenants", counts.tenants)
    members.integer("agents", counts.agents)
    members.integer("operators", counts.operators)
    members.integer("wallets", counts.wallets)
    members.integer("payees", counts.payees)
    members.integer("reservations", counts.reservations)
    members.integer("disputes", counts.disputes)
    members.integer("debts", counts.debts)
    members.integer("policies", counts.policies)
    members.integer("pauses", counts.pauses)
    members.integer("timers", counts.timers)
    members.integer("fee_schedule", counts.feeSchedule)
    members.bool("livemode", counts.livemode)
    return members.json
  }

  private static func find(_ call: Call) async throws(Problem) -> Wallet {
    let text = call[wallet]
    let raw = UInt64(text) ?? call.backend.ids.number(.wallet, text) ?? 0
    let found = try await call.backend.read { () throws(LedgerFailure) in
      try await call.backend.engine.wallet(WalletNumber(raw))
    }
    guard let found else {
      throw Problem(
        .walletNotFound, field: wallet.property.name, "Send a wallet's text id or its number.")
    }
    return found
  }

  private static func findWallet(_ call: Call) async throws(Problem) -> Answer {
    let wallet = try await find(call)
    let ids = call.backend.ids
    var members = Members()
    members.integer("wallet", wallet.number.rawValue)
    members.string("wallet_id", ids.text(.wallet, wallet.number.rawValue))
    members.integer("agent", wallet.agent.rawValue)
    members.string("agent_id", ids.text(.agent, wallet.agent.rawValue))
    members.integer("tenant", wallet.tenant.rawValue)
    members.string("currency", wallet.asset.code.description)
    members.balance("available", wallet.available, of: wallet.asset)
    members.balance("held", wallet.held, of: wallet.asset)
    members.string("status", wallet.status.word)
    members.integer("opened", wallet.opened.rawValue)
    return Answer(members.json)
  }

  private static func history(_ call: Call) async throws(Problem) -> Answer {
    let wallet = try await find(call)
    let start = call[before].map { EventNumber(UInt64($0)) }
    let page = try await call.backend.view { () throws(ProjectionFailure) in
      try await call.backend.projections.timeline(
        of: .wallet(wallet.number), before: start, limit: call[limit] ?? 100)
    }
    var members = Members()
    members.value("events", try await views(page.events, call.backend))
    members.integer("next", page.next?.rawValue)
    return Answer(members.json)
  }

  private static func events(_ call: Call) async throws(Problem) -> Answer {
    let engine = call.backend.engine
    let first = EventNumber(UInt64(call[from] ?? 1))
    let page = try await call.backend.read { () throws(LedgerFailure) in
      try engine.events(from: first, limit: call[limit] ?? 100)
    }
    var members = Members()
    members.value("events", try await views(page, call.backend))
    members.integer("head", engine.head.rawValue)
    return Answer(members.json)
  }

  private static func findEvent(_ call: Call) async throws(Problem) -> Answer {
    let text = call[event]
    let number = call.backend.ids.event(text) ?? .none
    let engine = call.backend.engine
    let found = try await call.backend.read { () throws(LedgerFailure) in
      try engine.event(number)
    }
    guard let found else {
      throw Problem(
        .eventNotFound, field: event.property.name,
        "Send an event's number up to \(engine.head), or the id of a payment or reservation.")
    }
    let view = try await view(found, try await words(call.backend), call.backend)
    return Answer(view.jsonWithPostings)
  }

  private static func disputes(_ call: Call) async throws(Problem) -> Answer {
    let wanted = Disputes.Status.allCases.first { $0.word == call[status] }
    let start = call[before].map { EventNumber(UInt64($0)) }
    let found = try await call.backend.read { () throws(LedgerFailure) in
      try await call.backend.engine.disputeWords(
        in: wanted, before: start, limit: call[limit] ?? 100)
    }
    var members = Members()
    members.value("disputes", .array(found.map(view)))
    return Answer(members.json)
  }

  private static func view(_ dispute: DisputeWords) -> JSONValue {
    var members = Members()
    members.integer("event", dispute.event)
    members.string("dispute", dispute.dispute)
    members.string("payment", dispute.payment)
    members.string("status", dispute.status)
    members.string("reason", dispute.reason)
    members.string("opened_by", dispute.openedBy)
    members.string("created_at", dispute.created)
    members.string("amount", dispute.amount)
    members.string("held", dispute.held)
    members.string("receivable", dispute.receivable)
    members.string("uncovered", dispute.uncovered)
    members.string("asset", dispute.asset)
    return members.json
  }

  private static func views(
    _ events: [Recorded], _ backend: Backend
  ) async throws(Problem) -> JSONValue {
    let words = try await words(backend)
    var rows: [JSONValue] = []
    for event in events { rows.append(try await view(event, words, backend).json) }
    return .array(rows)
  }

  private static func view(
    _ event: Recorded, _ words: EventWords, _ backend: Backend
  ) async throws(Problem) -> EventView {
    let (body, text) = try await backend.read { () throws(LedgerFailure) in
      let engine = backend.engine
      return (try engine.body(of: event.number), try engine.text(of: event.number))
    }
    return EventView(event: event, body: body, words: words, text: text)
  }

  /// Words with every asset that the events at hand can name: ask after they were read.
  private static func words(_ backend: Backend) async throws(Problem) -> EventWords {
    EventWords(ids: backend.ids, assets: try await backend.assets.all())
  }
}
