import LedgerCore

/// The life of a wallet: opened, frozen, closed, reopened (`accounting.md` 5).
extension WalletRoutes {
  static let properties =
    [
      Property("wallet_id", .id(.wallet), "The wallet."),
      Property("agent_id", .id(.agent), "Whose it is."),
      Property("status", .choice(Wallets.Status.allCases.map(\.word)), "What may happen with it."),
      Property("currency", .currency, "What it holds."),
      Property("created_at", .time, "When it was opened."),
    ] + Property.amount("available", "Spendable now.")
    + Property.amount("held", "Held by reservations.")

  static let open = Route(
    method: .post, path: "/v1/wallets", name: "openWallet",
    summary: "Opens another wallet for an agent, empty.",
    who: .holders([.apiKey, .operatorKey]), body: [opened, agentId, Route.key],
    keys: .idempotencyKey, status: 201, answer: properties,
    errors: [.agentNotFound, .invalidCurrency],
    handle: { call throws(Problem) in
      let backend = call.backend
      let asset = try await backend.assets.asset(
        coded: call[opened] ?? "USD", field: opened.property.name)
      let request = try backend.request(
        .wallet(.open(agent: try await agent(call), asset: asset.number)),
        by: call.holder.actor, key: call.key)
      let (event, isReplay) = try await backend.submit(request)
      guard case .wallet(.opened(let number, let agent, _)) = event.event else {
        preconditionFailure("opening a wallet ends in another event")
      }
      let members = written(
        number, of: agent, .open, available: .zero, held: .zero, asset, event.header.time, backend)
      return Answer(members.json, isReplay: isReplay)
    })

  static let list = Route(
    method: .get, path: "/v1/wallets", name: "wallets",
    summary: "Lists the wallets of an agent, newest first, at most 100.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), query: [agentId, PaymentRoutes.cursor],
    answer: [
      Property("wallets", .list(properties), "The page."),
      Property(
        "next_cursor", .id(.cursor), isRequired: false, "Send it for the next page, if any."),
    ], errors: [.agentNotFound],
    handle: { call throws(Problem) in
      let backend = call.backend
      let (agent, start) = (try await agent(call), try PaymentRoutes.start(call))
      let wallets = try await backend.read { () throws(LedgerFailure) in
        try await backend.engine.wallets(
          of: agent, before: start.map { WalletNumber($0.rawValue) })
      }
      var rows: [JSONValue] = []
      for wallet in wallets { rows.append(try await view(wallet, backend)) }
      var members = Members()
      members.value("wallets", .array(rows))
      if wallets.count == 100, let last = wallets.last {
        members.id("next_cursor", .cursor, last.number.rawValue, backend.ids)
      }
      return Answer(members.json)
    })

  static let find = Route(
    method: .get, path: "/v1/wallets/{wallet_id}", name: "wallet",
    summary: "Says whose a wallet is, what it holds and what may happen with it.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), parameters: [walletId], answer: properties,
    errors: [.walletNotFound],
    handle: { call throws(Problem) in
      let wallet = try await named(call)
      return Answer(try await view(of: wallet.number, call.backend))
    })

  static let freeze = step(
    "freeze", "Takes nothing new from a wallet; what ends an obligation, and money for it, pass.",
    who: [.operatorKey], body: [reason, Route.key], errors: [.walletFrozen, .walletClosed]
  ) { _, wallet in .freeze(wallet) }

  static let unfreeze = step(
    "unfreeze", "Lets a frozen wallet be used again.",
    who: [.operatorKey], body: [reason, Route.key], errors: [.walletOpen, .walletClosed]
  ) { _, wallet in .unfreeze(wallet) }

  static let close = step(
    "close", "Closes a wallet, and moves what is left to another of the agent's, free of charge.",
    who: [.apiKey, .tenantKey, .operatorKey], body: [toWallet, Route.key],
    errors: [
      .walletFrozen, .walletClosed, .walletInUse, .walletInDispute, .walletNotEmpty, .payeeNotFound,
      .selfPayment, .walletRestricted, .currencyDiffers, .payeeClosed, .invalidAmount,
    ]
  ) { call, wallet in
    guard let text = call[toWallet] else { return .close(wallet) }
    // A text that is no wallet's stands for one that cannot be there.
    let number = call.backend.ids.number(.wallet, text).map { WalletNumber($0) }
    return .close(wallet, to: number ?? WalletNumber(.max))
  }

  static let reopen = step(
    "reopen", "Opens a closed wallet again, with what came back to it meanwhile.",
    who: [.apiKey, .tenantKey, .operatorKey], body: [Route.key],
    errors: [.walletOpen, .walletFrozen]
  ) { _, wallet in .reopen(wallet) }

  // MARK: - Steps

  private static func step(
    _ word: String, _ summary: String, who: [Identity.CredentialKind], body: [any AnyField],
    errors: [Reason],
    _ command: @escaping @Sendable (Call, WalletNumber) -> Wallets.Command
  ) -> Route {
    let takesReason = body.contains { $0.property == reason.property }
    return Route(
      method: .post, path: "/v1/wallets/{wallet_id}/\(word)", name: word + "Wallet",
      summary: summary, who: .holders(who), parameters: [walletId], body: body,
      keys: .idempotencyKey, answer: stepProperties, errors: [.walletNotFound] + errors,
      handle: { call throws(Problem) in
        let wallet = try await named(call)
        let text = takesReason ? call[reason].map { [$0] } ?? [] : []
        let request = try call.backend.request(
          .wallet(command(call, wallet.number)), by: call.holder.actor, key: call.key, text: text)
        let (event, isReplay) = try await call.backend.submit(request, asset: wallet.asset)
        return Answer(step(event, wallet, call.backend), isReplay: isReplay)
      })
  }

  private static let stepProperties =
    [
      Property("wallet_id", .id(.wallet), "The wallet."),
      Property("status", .choice(Wallets.Status.allCases.map(\.word)), "What may happen with it."),
      Property("currency", .currency, "What it holds."),
      Property(
        "to_wallet_id", .id(.wallet), isRequired: false, "Where what was left of it went."),
      Property("created_at", .time, "When it was done."),
    ]
    + Property.amount(
      "moved", isRequired: false, "What went out of it as it was closed, or in as it was reopened.")

  /// What a step answers: from its event alone, so that a replay says the same, and nothing can
  /// fail once it is done.
  private static func step(
    _ event: Recorded, _ wallet: WalletFacts, _ backend: Backend
  ) -> JSONValue {
    var members = Members()
    members.id("wallet_id", .wallet, wallet.number.rawValue, backend.ids)
    members.string("currency", wallet.asset.code.description)
    switch event.event {
    case .wallet(.frozen): members.string("status", Wallets.Status.frozen.word)
    case .wallet(.unfrozen): members.string("status", Wallets.Status.open.word)
    case .wallet(.closed(_, let to, let amount, _)):
      members.string("status", Wallets.Status.closed.word)
      members.amount("moved", amount, of: wallet.asset)
      if to.isSome { members.id("to_wallet_id", .wallet, to.rawValue, backend.ids) }
    case .wallet(.reopened(_, _, let amount, _)):
      members.string("status", Wallets.Status.open.word)
      members.amount("moved", amount, of: wallet.asset)
    case .wallet(.opened), .wallet(.funded), .wallet(.assetAdded), .wallet(.setAside), .genesis,
      .refusal, .identity, .payment, .fee, .reservation, .refund, .pause, .dispute,
      .receivable, .policy:
      preconditionFailure("a step of a wallet ends in another event")
    }
    members.time("created_at", event.header.time)
    return members.json
  }

  private static func named(_ call: Call) async throws(Problem) -> WalletFacts {
    try await call.backend.wallet(
      call[walletId], seenBy: call.holder, field: walletId.property.name)
  }

  /// The agent that is meant: the one named, or whoever asks.
  private static func agent(_ call: Call) async throws(Problem) -> AgentNumber {
    if let text = call[agentId] {
      return try await call.backend.agent(
        text, seenBy: call.holder, field: agentId.property.name
      ).number
    }
    guard call.holder.actor.agent.isSome else {
      throw Problem(
        .missingField, field: agentId.property.name,
        "In \"agent_id\", say whose; the key that is shown has no wallets.")
    }
    return call.holder.actor.agent
  }

  private static func view(
    of number: WalletNumber, _ backend: Backend
  ) async throws(Problem) -> JSONValue {
    let wallet = try await backend.read { () throws(LedgerFailure) in
      try await backend.engine.wallet(number)
    }
    guard let wallet else { preconditionFailure("a wallet never goes away") }
    return try await view(wallet, backend)
  }

  private static func view(
    _ wallet: Wallet, _ backend: Backend
  ) async throws(Problem) -> JSONValue {
    let opened = try await backend.read { () throws(LedgerFailure) in
      try backend.engine.event(wallet.opened)
    }
    guard let opened else { preconditionFailure("an event that is durable never goes away") }
    let members = written(
      wallet.number, of: wallet.agent, wallet.status, available: wallet.available,
      held: wallet.held, wallet.asset, opened.header.time, backend)
    return members.json
  }

  private static func written(
    _ number: WalletNumber, of agent: AgentNumber, _ status: Wallets.Status, available: Amount,
    held: Amount, _ asset: Asset, _ opened: Timestamp, _ backend: Backend
  ) -> Members {
    var members = Members()
    members.id("wallet_id", .wallet, number.rawValue, backend.ids)
    members.id("agent_id", .agent, agent.rawValue, backend.ids)
    members.string("status", status.word)
    members.balance("available", available, of: asset)
    members.balance("held", held, of: asset)
    members.string("currency", asset.code.description)
    members.time("created_at", opened)
    return members
  }
}

extension Wallets.Status {
  /// As answers say it. Public and stable.
  var word: String {
    switch self {
    case .open: "open"
    case .frozen: "frozen"
    case .closed: "closed"
    }
  }
}
