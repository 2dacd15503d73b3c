import LedgerCore
import Projections

/// Wallets: money from the faucet of a test ledger, and balances [AP-12, AP-13, AP-26].
enum WalletRoutes {
  static let walletId: Field<String> = Field.id("wallet_id", .wallet, "The wallet.").required()
  static let amount: Field<String> = Field.amount(
    "amount", "How much, in the wallet's currency; exact, at most nine decimals of a dollar."
  ).required()
  static let currency = Field.currency(
    "currency", "Refused where it is not the wallet's; needs not be said.")
  static let source: Field<String> = Field.choice(
    "source", [faucet], "Where the money comes from."
  ).required()

  static let faucet = "test_faucet"

  static let agentId = Field.id(
    "agent_id", .agent, "Whose; needed from an operator, and else one's own.")
  static let toWallet = Field.id(
    "to_wallet_id", .wallet,
    "Which other wallet of the agent's takes what is left; less than any rail carries may be "
      + "given up.")
  static let reason = Field.text("reason", bytes: 0...1_000, lines: true, "Why, for people.")
  static let opened = Field.currency(
    "currency", "What it will hold, for ever; USD where it is not said.")

  static let all = [fund, balance, open, list, find, freeze, unfreeze, close, reopen]

  static let fund = Route(
    method: .post, path: "/v1/wallets/{wallet_id}/fund", name: "fundWallet",
    summary: "Gives a wallet money from the faucet of a test ledger.",
    who: .holders([.apiKey, .operatorKey]), parameters: [walletId],
    body: [amount, source, currency, Route.key], keys: .idempotencyKey, status: 201,
    answer: [
      Property("wallet_id", .id(.wallet), "The wallet."),
      Property("status", .choice(["completed"]), "The money is there."),
      Property("source", .choice([faucet]), "Where it came from."),
      Property("currency", .currency, "The wallet's currency."),
      Property("created_at", .time, "When it arrived."),
    ] + Property.amount("amount", "How much arrived."),
    errors: [
      .walletNotFound, .walletClosed, .invalidAmount, .invalidCurrency, .currencyDiffers,
      .fundingCapExceeded, .testLedgerOnly,
    ],
    handle: { call throws(Problem) in try await fund(call) })

  static let balance = Route(
    method: .get, path: "/v1/wallets/{wallet_id}/balance", name: "walletBalance",
    summary: "Says what a wallet holds, as new as anything answered before.",
    who: .holders([.apiKey, .tenantKey, .operatorKey]), parameters: [walletId],
    answer: [
      Property("wallet_id", .id(.wallet), "The wallet."),
      Property("currency", .currency, "Its currency."),
    ] + Property.amount("available", "Spendable now.")
      + Property.amount("held", "Reserved for payments that are not finished.")
      + Property.amount("pending", "On its way in.")
      + Property.amount("balance", "All of it: available and held."),
    errors: [.walletNotFound, .projectionBehind],
    handle: { call throws(Problem) in try await balance(call) })

  private static func fund(_ call: Call) async throws(Problem) -> Answer {
    let backend = call.backend
    let wallet = try await backend.wallet(
      call[walletId], seenBy: call.holder, field: walletId.property.name)
    let named = try await backend.asset(named: call[currency])
    let amount = try Amount(call[amount], of: wallet.asset, field: amount.property.name)
    let cap = try Amount(
      String(backend.settings.fundingCap), of: wallet.asset, field: "funding_cap")
    let request = try backend.request(
      .wallet(.fund(wallet.number, amount: amount, asset: named, cap: cap)),
      by: call.holder.actor, key: call.key)
    let (event, isReplay) = try await backend.submit(request, asset: wallet.asset)

    var members = Members()
    members.string("wallet_id", call[walletId])
    members.string("status", "completed")
    members.string("source", faucet)
    members.amount("amount", amount, of: wallet.asset)
    members.string("currency", wallet.asset.code.description)
    members.time("created_at", event.header.time)
    return Answer(members.json, isReplay: isReplay)
  }

  private static func balance(_ call: Call) async throws(Problem) -> Answer {
    let wallet = try await call.backend.wallet(
      call[walletId], seenBy: call.holder, field: walletId.property.name)
    return Answer(try await balance(of: wallet, call.backend))
  }

  /// A wallet's balance from the projections.
  static func balance(of wallet: WalletFacts, _ backend: Backend) async throws(Problem) -> JSONValue
  {
    let found = try await backend.view { () throws(ProjectionFailure) in
      try await backend.projections.balance(of: wallet.number)
    }
    let available = found?.available ?? .zero
    let held = found?.held ?? .zero
    var members = Members()
    members.string("wallet_id", backend.ids.text(.wallet, wallet.number.rawValue))
    members.string("currency", wallet.asset.code.description)
    members.balance("available", available, of: wallet.asset)
    members.balance("held", held, of: wallet.asset)
    members.balance("pending", found?.pending ?? .zero, of: wallet.asset)
    members.balance("balance", available + held, of: wallet.asset)
    return members.json
  }
}

extension Amount {
  /// Reads the exact text of a request's field.
  init(_ text: String, of asset: Asset, field: String) throws(Problem) {
    do throws(TextError) {
      try self.init(text: text, scale: asset.scale)
    } catch {
      throw Problem(error, of: field, in: asset.code)
    }
  }
}

extension Call {
  /// The amount that a field names, or nil where it was not sent.
  func amount(_ field: Field<String?>, of asset: Asset) throws(Problem) -> Amount? {
    guard let text = self[field] else { return nil }
    return try Amount(text, of: asset, field: field.property.name)
  }
}

extension Backend {
  /// The number of the currency that a request names, or none where it names none.
  func asset(named code: String?) async throws(Problem) -> AssetNumber {
    guard let code else { return .none }
    return try await assets.asset(coded: code, field: "currency").number
  }
}
