import LedgerCore
import Projections

/// The rules of a policy, as requests list them and answers do. Their places in the policy are in
/// the order of the fields here.
enum PolicyRules {
  static let currency: Field<String> = Field.currency("currency", "Of the amount.").required()
  static let amount: Field<String> = Field.amount("amount", "The limit; exact.").required()
  static let above: Field<String> = Field.amount(
    "above", "Payments of more, fee included, wait for approval."
  ).required()
  static let expiresIn = Field.whole(
    "expires_in", 1...Int(Reservations.secondsMax),
    "Seconds that a payment waits at most; a day where it is not said.")

  static let perPayment = limits("per_payment", "At most so much at once, fee included.")
  static let daily = limits("daily", "At most so much from midnight to midnight in UTC.")
  static let weekly = limits("weekly", "At most so much from Monday's midnight on in UTC.")
  static let monthly = limits("monthly", "At most so much from the first of a month on in UTC.")
  static let dailyCount = count("daily_count", "At most so many payments and holds in a day.")
  static let weeklyCount = count("weekly_count", "At most so many payments and holds in a week.")
  static let monthlyCount = count(
    "monthly_count", "At most so many payments and holds in a month.")

  static let walletIds = Field.several(
    "wallet_ids", .id(.wallet), lines, "Payees: wallets of this ledger.")
  static let labels = Field.several(
    "labels", .label, lines, "Payees: external labels of the tenant's.")
  static let rails = Field.several(
    "rails", .choice([PaymentView.internalRail]), lines, "How it settles.")
  static let categories = Field.several(
    "categories", .category, lines, "What it is for, as the payer says.")
  private static let targets: [any AnyField] = [walletIds, labels, rails, categories]
  static let allow = Field.nested(
    "allow", of: targets,
    "Nothing but these: where payees are named only those, and so of rails and categories.")
  static let deny = Field.nested("deny", of: targets, "All but these.")

  static let days: Field<[String]> = Field.several(
    "days", .choice(dayWords), 1...7, "On which days of the week in UTC."
  ).required()
  static let from: Field<Int> = Field.clock("from", "The first minute, as 08:00.").required()
  static let until: Field<Int> = Field.clock(
    "until", "The first minute that is not in it any more, up to 24:00."
  ).required()
  static let hours = Field.objects(
    "hours", lines, of: [days, from, until], "Only at these times; beyond midnight it is two.")
  static let approval = Field.objects(
    "approval", lines, of: [currency, above, expiresIn],
    "What is above waits, with its money held, until somebody who manages the tenant approves it. "
      + "A hold of more is denied.")

  static let fields: [any AnyField] = [
    perPayment, daily, weekly, monthly, dailyCount, weeklyCount, monthlyCount, allow, deny, hours,
    approval,
  ]

  private static let lines = 1...Policies.ruleCountMax
  static let dayWords = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

  private static func limits(_ name: String, _ about: String) -> Field<[Input]?> {
    Field.objects(
      name, lines, of: [currency, amount],
      about + " Where amounts are limited, other currencies are denied.")
  }

  private static func count(_ name: String, _ about: String) -> Field<Int?> {
    Field.whole(name, 1...Int(Policies.countLimitMax), about)
  }

  // MARK: - Asked for

  /// Rules as a request lists them.
  struct Asked: Sendable {
    var rules: [Policies.Rule] = []
    /// Where each stands in the request, such as `daily[0]`.
    var paths: [String] = []
    /// The labels and categories that they name, in their order.
    var texts: [String] = []

    /// Workaround: the rule comes in an array, since Swift 6.3 copies one that is an argument with
    /// an instruction for 16-byte places from one that need not be (`movaps` faults in debug
    /// builds). Retry with 6.4.
    fileprivate mutating func add(_ rule: [Policies.Rule], _ path: String) {
      rules += rule
      paths.append(path)
    }
  }

  /// The rules that a call lists. Labels are those of `tenant`; of none they are refused. `assets`
  /// are all that there are.
  static func read(
    _ call: Call, of tenant: TenantNumber, in assets: [Asset]
  ) throws(Problem) -> Asked {
    var asked = Asked()
    try read(call, perPayment, assets, into: &asked) { .perPayment($0, $1) }
    try read(call, daily, assets, into: &asked) { .spend($0, $1, .day) }
    try read(call, weekly, assets, into: &asked) { .spend($0, $1, .week) }
    try read(call, monthly, assets, into: &asked) { .spend($0, $1, .month) }
    read(call, dailyCount, .day, into: &asked)
    read(call, weeklyCount, .week, into: &asked)
    read(call, monthlyCount, .month, into: &asked)
    try read(call, allow, of: tenant, into: &asked) { .allow($0) }
    try read(call, deny, of: tenant, into: &asked) { .deny($0) }
    for (index, input) in (call[hours] ?? []).enumerated() {
      guard input[from] < input[until] else {
        let name = hours.path(index, until)
        throw Problem(
          .policyInvalid, field: name,
          "In \"\(name)\", send a later time than in \"from\"; beyond midnight it is two entries.")
      }
      let days = input[days].reduce(UInt8(0)) { bits, word in
        bits | 1 << UInt8(dayWords.firstIndex(of: word) ?? 0)
      }
      asked.add(
        [
          .hours(
            Policies.Hours(days: days, from: UInt16(input[from]), until: UInt16(input[until])))
        ],
        "\(hours.property.name)[\(index)]")
    }
    for (index, input) in (call[approval] ?? []).enumerated() {
      let (limit, asset) = try limit(input, above, approval, index, assets)
      asked.add(
        [.approval(above: limit, asset, seconds: UInt32(input[expiresIn] ?? 86_400))],
        "\(approval.property.name)[\(index)]")
    }
    return asked
  }

  private static func read(
    _ call: Call, _ list: Field<[Input]?>, _ assets: [Asset], into asked: inout Asked,
    _ rule: (Amount, AssetNumber) -> Policies.Rule
  ) throws(Problem) {
    for (index, input) in (call[list] ?? []).enumerated() {
      let (limit, asset) = try limit(input, amount, list, index, assets)
      asked.add([rule(limit, asset)], "\(list.property.name)[\(index)]")
    }
  }

  private static func read(
    _ call: Call, _ field: Field<Int?>, _ period: LedgerCore.Limits.Period, into asked: inout Asked
  ) {
    guard let count = call[field] else { return }
    asked.add([.count(UInt32(count), period)], field.property.name)
  }

  private static func limit(
    _ input: Input, _ amount: Field<String>, _ list: Field<[Input]?>, _ index: Int,
    _ assets: [Asset]
  ) throws(Problem) -> (Amount, AssetNumber) {
    let code = AssetCode(input[currency])
    guard let asset = assets.first(where: { $0.code == code }) else {
      throw Assets.unknown(list.path(index, currency))
    }
    let name = list.path(index, amount)
    let limit = try Amount(input[amount], of: asset, field: name)
    guard limit <= .commandMax else {
      throw Problem(
        .invalidAmount, field: name,
        "In \"\(name)\", send a smaller amount; no payment is of so much.")
    }
    return (limit, asset.number)
  }

  private static func read(
    _ call: Call, _ list: Field<Input?>, of tenant: TenantNumber, into asked: inout Asked,
    _ rule: (Policies.Target) -> Policies.Rule
  ) throws(Problem) {
    guard let input = call[list] else { return }
    let (backend, name) = (call.backend, list.property.name)
    let before = asked.rules.count
    for (index, text) in (input[walletIds] ?? []).enumerated() {
      // A text that is no wallet's stands for one that cannot be there.
      let number = backend.ids.number(.wallet, text) ?? .max
      asked.add([rule(.wallet(WalletNumber(number)))], "\(name).\(walletIds.path(index))")
    }
    for (index, text) in (input[labels] ?? []).enumerated() {
      let path = "\(name).\(labels.path(index))"
      guard tenant.isSome else {
        throw Problem(
          .policyInvalid, field: path,
          "In \"\(path)\", name no label; labels are a tenant's, and this policy is everybody's.")
      }
      asked.add(
        [rule(.label(backend.engine.preparation.hash(label: text, of: tenant)))], path)
      asked.texts.append(text)
    }
    for index in (input[rails] ?? []).indices {
      asked.add([rule(.rail(.internal))], "\(name).\(rails.path(index))")
    }
    for (index, text) in (input[categories] ?? []).enumerated() {
      asked.add(
        [rule(.category(backend.engine.preparation.hash(category: text)))],
        "\(name).\(categories.path(index))")
      asked.texts.append(text)
    }
    // Allowing nothing would be read as allowing anything.
    guard asked.rules.count > before else {
      throw Problem(.policyInvalid, field: name, "In \"\(name)\", name something, or leave it out.")
    }
  }
}
