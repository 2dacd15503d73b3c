import LedgerCore
import Projections

/// A policy as it is answered.
struct PolicyView: Sendable {
  let made: EventNumber
  let scope: Policies.Scope
  let version: UInt32
  let begins: Timestamp
  let created: Timestamp
  /// Its rules, and the labels and categories that they name, in their order.
  let rules: [Policies.Rule]
  let texts: [String]
  /// The assets that its rules name.
  let assets: [AssetNumber: Asset]
  /// Whether it is in force, where that is known.
  var isInForce: Bool?
  /// What was used of each rule, where that is told.
  var lines: [Policy.Line]?
  /// Whether what was used may be told: of what all tenants share, to staff only.
  var showsUse = true

  static let scopeWords = ["wallet", "agent", "tenant", "ledger"]

  private static let limits =
    [Property("currency", .currency, "Of the amount.")]
    + Property.amount("amount", "The limit, fees included.")
  private static let targets = Shape.nested(
    [
      Property("wallet_ids", .ids(.wallet), isRequired: false, "Payees: wallets."),
      Property(
        "labels", .several(.label, count: 1...Policies.ruleCountMax), isRequired: false,
        "Payees: external labels of the tenant's."),
      Property(
        "rails", .several(.choice([PaymentView.internalRail]), count: 1...1), isRequired: false,
        "How it settles."),
      Property(
        "categories", .several(.category, count: 1...Policies.ruleCountMax), isRequired: false,
        "What it is for."),
    ], isClosed: false)
  private static let hours = [
    Property("days", .several(.choice(PolicyRules.dayWords), count: 1...7), "On which days."),
    Property("from", .clock, "The first minute, in UTC."),
    Property("until", .clock, "The first minute that is not in it any more."),
  ]
  private static let approval =
    [
      Property("currency", .currency, "Of the amount."),
      Property(
        "expires_in", .whole(1...Int(Reservations.secondsMax)), "Seconds that it waits at most."),
    ] + Property.amount("above", "Payments of more wait, fee included.")

  static let subject = [
    Property("scope", .choice(scopeWords), "Whose spending it is about."),
    Property("wallet_id", .id(.wallet), isRequired: false, "The wallet, where it is one's."),
    Property("agent_id", .id(.agent), isRequired: false, "The agent, where it is one's."),
    Property("tenant_id", .id(.tenant), isRequired: false, "The tenant, where it is one's."),
  ]

  static let properties =
    [
      Property("policy_id", .id(.policy), "The policy: this version."),
      Property("version", .whole(1...Int(UInt32.max)), "The how-manieth of its scope."),
    ] + subject + [
      Property("per_payment", .list(limits), isRequired: false, "At most so much at once."),
      Property("daily", .list(limits), isRequired: false, "At most so much in a day."),
      Property("weekly", .list(limits), isRequired: false, "At most so much in a week."),
      Property("monthly", .list(limits), isRequired: false, "At most so much in a month."),
      count("daily_count", "day"), count("weekly_count", "week"), count("monthly_count", "month"),
      Property("allow", targets, isRequired: false, "Nothing but these."),
      Property("deny", targets, isRequired: false, "All but these."),
      Property("hours", .list(hours), isRequired: false, "Only at these times."),
      Property("approval", .list(approval), isRequired: false, "What waits for approval."),
      Property("in_force", .flag, isRequired: false, "Whether it is in force now."),
      Property("starts_at", .time, "From when on it is or was in force."),
      Property("created_at", .time, "When it was set."),
    ]

  private static func count(_ name: String, _ period: String) -> Property {
    Property(
      name, .whole(1...Int(Policies.countLimitMax)), isRequired: false,
      "At most so many payments and holds in a \(period).")
  }

  /// A rule in its place, as it is told beside the policy.
  static let line = Property(
    "rules", .list(lineProperties), isRequired: false,
    "Its rules in their places, with what was used of them.")

  static let lineProperties =
    [
      Property("rule", .whole(1...Policies.ruleCountMax), "Its place in the policy."),
      Property("field", .label, "Where it stands in the policy, such as daily[0]."),
      Property("currency", .currency, isRequired: false, "Of its amounts, where it has some."),
      Property(
        "resets_at", .time, isRequired: false,
        "When what was used counts no longer, where it counts something."),
    ] + amounts

  static let amounts =
    Property.amount("limit", isRequired: false, "The limit: an amount, or how many.")
    + Property.amount(
      "used", isRequired: false,
      "What was used of it; of everybody's policy, told to operators only.")
    + Property.amount("remaining", isRequired: false, "What is left of it.")

  func json(_ ids: TextIds) -> JSONValue {
    var members = Members()
    members.id("policy_id", .policy, made.rawValue, ids)
    members.integer("version", version)
    scope.write(to: &members, ids)
    writeRules(to: &members, ids)
    if let lines { members.value("rules", .array(rows(lines, ids))) }
    members.bool("in_force", isInForce)
    members.time("starts_at", begins)
    members.time("created_at", created)
    return members.json
  }

  // MARK: - Rules

  /// The rules in the shape that they are sent in.
  private func writeRules(to members: inout Members, _ ids: TextIds) {
    var values: [String: [JSONValue]] = [:]
    var texts = texts[...]
    for rule in rules {
      // Where the text was erased, that something is named is still told.
      let text = rule.hasText ? texts.popFirst() ?? "(erased)" : ""
      values[rule.name, default: []].append(value(rule, text, ids))
    }
    for field in PolicyRules.fields.map(\.property.name) {
      if let list = values[field] {
        members.value(field, field.hasSuffix("_count") ? list.first : .array(list))
        continue
      }
      var inner = Members()
      var isAny = false
      for name in ["wallet_ids", "labels", "rails", "categories"] {
        guard let list = values["\(field).\(name)"] else { continue }
        inner.value(name, .array(list))
        isAny = true
      }
      let json = inner.json
      if isAny { members.value(field, json) }
    }
  }

  private func value(_ rule: Policies.Rule, _ text: String, _ ids: TextIds) -> JSONValue {
    switch rule {
    case .perPayment(let limit, let asset), .spend(let limit, let asset, _):
      return amount("amount", limit, asset)
    case .count(let limit, _): return .number(String(limit))
    case .allow(let target), .deny(let target):
      switch target {
      case .wallet(let number): return .string(ids.text(.wallet, number.rawValue))
      case .label, .category: return .string(text)
      case .rail(.internal): return .string(PaymentView.internalRail)
      }
    case .hours(let hours):
      var members = Members()
      let days = PolicyRules.dayWords.indices.filter { hours.days >> UInt8($0) & 1 == 1 }
      members.value("days", .array(days.map { .string(PolicyRules.dayWords[$0]) }))
      members.string("from", Self.clock(hours.from))
      members.string("until", Self.clock(hours.until))
      return members.json
    case .approval(let above, let asset, let seconds):
      return amount("above", above, asset, expiresIn: seconds)
    }
  }

  private func amount(
    _ name: String, _ amount: Amount, _ number: AssetNumber, expiresIn seconds: UInt32? = nil
  ) -> JSONValue {
    guard let asset = assets[number] else { preconditionFailure("a rule's asset is known") }
    var members = Members()
    members.string("currency", asset.code.description)
    members.amount(name, amount, of: asset)
    members.integer("expires_in", seconds)
    return members.json
  }

  private static func clock(_ minute: UInt16) -> String {
    let two = { (number: UInt16) in (number < 10 ? "0" : "") + String(number) }
    return two(minute / 60) + ":" + two(minute % 60)
  }

  /// The rules in their places, with what was used of those that count.
  private func rows(_ lines: [Policy.Line], _ ids: TextIds) -> [JSONValue] {
    var counts: [String: Int] = [:]
    return lines.enumerated().map { place, line in
      var members = Members()
      write(line, place, &counts, to: &members)
      return members.json
    }
  }

  private func write(
    _ line: Policy.Line, _ place: Int, _ counts: inout [String: Int], to members: inout Members
  ) {
    let name = line.rule.name
    let index = counts[name, default: 0]
    counts[name] = index + 1
    members.integer("rule", place + 1)
    members.string("field", name.hasSuffix("_count") ? name : "\(name)[\(index)]")
    write(line, to: &members)
  }

  /// The limits that bear on a payment in an asset, each with its policy.
  func limits(in asset: AssetNumber, _ ids: TextIds) -> [JSONValue] {
    var counts: [String: Int] = [:]
    var rows: [JSONValue] = []
    for (place, line) in (lines ?? []).enumerated() {
      var members = Members()
      members.id("policy_id", .policy, made.rawValue, ids)
      members.integer("policy_version", version)
      write(line, place, &counts, to: &members)
      let row = members.json
      switch line.rule {
      case .perPayment, .spend, .approval: if line.rule.asset == asset { rows.append(row) }
      case .count: rows.append(row)
      case .allow, .deny, .hours: break
      }
    }
    return rows
  }

  /// The limit of a rule and, of one that counts, what was used of it.
  func write(_ line: Policy.Line, to members: inout Members) {
    let (limit, number): (Amount, AssetNumber?)
    switch line.rule {
    case .perPayment(let amount, let asset), .spend(let amount, let asset, _),
      .approval(let amount, let asset, _):
      (limit, number) = (amount, asset)
    case .count(let count, _): (limit, number) = (Amount(units: Int128(count)), nil)
    case .allow, .deny, .hours: return
    }
    let asset = number.flatMap { assets[$0] }
    members.string("currency", asset?.code.description)
    let scale = asset?.scale ?? 0
    members.decimal("limit", limit, scale: scale)
    guard line.resets > .none else { return }
    if showsUse {
      members.decimal("used", line.used, scale: scale)
      members.decimal("remaining", max(.zero, limit - line.used), scale: scale)
    }
    members.time("resets_at", line.resets)
  }
}

extension Policies.Scope {
  fileprivate func write(to members: inout Members, _ ids: TextIds) {
    switch self {
    case .ledger: members.string("scope", "ledger")
    case .tenant(let number):
      members.string("scope", "tenant")
      members.id("tenant_id", .tenant, number.rawValue, ids)
    case .agent(let number):
      members.string("scope", "agent")
      members.id("agent_id", .agent, number.rawValue, ids)
    case .wallet(let number):
      members.string("scope", "wallet")
      members.id("wallet_id", .wallet, number.rawValue, ids)
    }
  }
}

extension Policies.Rule {
  /// The field that it stands in, with what encloses it.
  fileprivate var name: String {
    switch self {
    case .perPayment: "per_payment"
    case .spend(_, _, let period): period.word
    case .count(_, let period): period.word + "_count"
    case .allow(let target): "allow." + target.name
    case .deny(let target): "deny." + target.name
    case .hours: "hours"
    case .approval: "approval"
    }
  }

  /// Whether what it names is a text beside the event.
  fileprivate var hasText: Bool {
    switch self {
    case .allow(let target), .deny(let target):
      switch target {
      case .label, .category: true
      case .wallet, .rail: false
      }
    case .perPayment, .spend, .count, .hours, .approval: false
    }
  }

  /// The asset of its amount, where it has one.
  var asset: AssetNumber? {
    switch self {
    case .perPayment(_, let asset), .spend(_, let asset, _), .approval(_, let asset, _): asset
    case .count, .allow, .deny, .hours: nil
    }
  }
}

extension LedgerCore.Limits.Period {
  fileprivate var word: String {
    switch self {
    case .day: "daily"
    case .week: "weekly"
    case .month: "monthly"
    }
  }
}

extension Policies.Target {
  fileprivate var name: String {
    switch self {
    case .wallet: "wallet_ids"
    case .label: "labels"
    case .rail: "rails"
    case .category: "categories"
    }
  }
}

extension Backend {
  /// A policy with the texts beside it.
  func view(
    of policy: Policy, seenBy principal: Principal
  ) async throws(Problem) -> PolicyView {
    let (event, texts) = try await read { () throws(LedgerFailure) in
      (try engine.event(policy.made), try engine.text(of: policy.made))
    }
    guard let event else { preconditionFailure("a policy was set by an event") }
    let rules = policy.lines.map(\.rule)
    var view = PolicyView(
      made: policy.made, scope: policy.scope, version: policy.version, begins: policy.begins,
      created: event.header.time, rules: rules, texts: texts ?? [],
      assets: try await named(by: rules))
    view.isInForce = policy.isInForce
    view.lines = policy.lines
    view.showsUse = policy.scope != .ledger || principal.actor.isStaff
    return view
  }

  /// The assets that rules name.
  func named(by rules: [Policies.Rule]) async throws(Problem) -> [AssetNumber: Asset] {
    var found: [AssetNumber: Asset] = [:]
    for number in rules.compactMap(\.asset) where found[number] == nil {
      found[number] = try await assets.asset(number)
    }
    return found
  }
}
