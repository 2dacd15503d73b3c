package import LedgerCore

extension EventWords {
  func facts(_ event: Policies.Event, _ body: [UInt8]) -> Facts {
    switch event {
    case .set(let setting):
      (
        "policy.set",
        [
          "scope": scope(setting.scope), "version": "\(setting.version)",
          "begins": setting.begins.text, "rules": rules(body),
        ]
      )
    case .began(let scope, let version, _, let effective):
      (
        "policy.began",
        [
          "scope": self.scope(scope), "version": "\(version)", "effective": effective.text,
        ]
      )
    case .counted(let use):
      (
        "policy.counted",
        [
          "wallet": wallet(use.payer), "amount": text(use.amount, use.asset),
          "asset": code(use.asset), "event": "\(use.payment)",
          "policies": (0..<4).compactMap { index in
            let made = use.policies[index]
            return made.isSome ? ids.text(.policy, made.rawValue) : nil
          }.joined(separator: ", "),
        ]
      )
    case .denied(let denial):
      (
        "policy.denied",
        [
          "wallet": wallet(denial.payer), "units": "\(denial.amount.units)",
          "to": words(denial.recipient, body), "for": denial.isHold ? "a hold" : "a payment",
        ]
      )
    }
  }

  private func words(_ recipient: Payments.Recipient, _ body: [UInt8]) -> String {
    switch recipient {
    case .wallet(let number): wallet(number)
    case .external: "a label"
    case .split: "\(Splits.Share.count(body.span) ?? 0) receivers"
    }
  }

  private func scope(_ scope: Policies.Scope) -> String {
    switch scope {
    case .ledger: "ledger"
    case .tenant(let tenant): ids.text(.tenant, tenant.rawValue)
    case .agent(let agent): ids.text(.agent, agent.rawValue)
    case .wallet(let wallet): self.wallet(wallet)
    }
  }

  private func rules(_ body: [UInt8]) -> String {
    let rules = Policies.Rule.all(body.span).map { words($0) }
    return rules.isEmpty ? "none" : rules.joined(separator: ", ")
  }

  /// A rule in a few words.
  package func words(_ rule: Policies.Rule) -> String {
    switch rule {
    case .perPayment(let limit, let asset): "\(text(limit, asset)) \(code(asset)) a payment"
    case .spend(let limit, let asset, let period):
      "\(text(limit, asset)) \(code(asset)) a \(period)"
    case .count(let limit, let period): "\(limit) payments a \(period)"
    case .allow(let target): "allow \(words(target))"
    case .deny(let target): "deny \(words(target))"
    case .hours(let hours):
      "\(Self.days(hours.days)) \(Self.clock(hours.from)) to \(Self.clock(hours.until))"
    case .approval(let above, let asset, let seconds):
      "approval above \(text(above, asset)) \(code(asset)) within \(seconds) s"
    }
  }

  private func words(_ target: Policies.Target) -> String {
    switch target {
    case .wallet(let number): wallet(number)
    case .label: "a label"
    case .rail(let rail): "rail \(rail)"
    case .category: "a category"
    }
  }

  private static func days(_ days: UInt8) -> String {
    zip(["mon", "tue", "wed", "thu", "fri", "sat", "sun"], 0..<7)
      .filter { days >> UInt8($0.1) & 1 == 1 }.map(\.0).joined(separator: " ")
  }

  private static func clock(_ minute: UInt16) -> String {
    let (hours, minutes) = (minute / 60, minute % 60)
    return (hours < 10 ? "0" : "") + "\(hours):" + (minutes < 10 ? "0" : "") + "\(minutes)"
  }
}
