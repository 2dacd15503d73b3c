import LedgerCore

/// An event in words, as `ledgerctl --json` says it: text ids, and amounts in decimals of their
/// asset.
struct EventView: Sendable {
  let event: Recorded
  let ids: TextIds
  let assets: [Asset]
  /// The texts beside it, field by field.
  let text: [String]?

  static let properties = [
    Property("event", .whole(1...Int.max), "Its number."),
    Property("time", .time, "When it was recorded."),
    Property("actor", .label, "Who caused it."),
    Property("name", .label, "What happened, such as payment.completed."),
    Property("fields", .any, "Its facts, by name; each is a text."),
    Property("text", .any, isRequired: false, "The texts beside it, field by field."),
  ]

  var json: JSONValue {
    let (name, facts) = facts
    var fields = Members()
    for (name, text) in facts { fields.string(name, text) }
    var members = Members()
    members.integer("event", event.number.rawValue)
    members.time("time", event.header.time)
    members.string("actor", actor(event.header.actor))
    members.string("name", name)
    members.value("fields", fields.json)
    members.value("text", text.map { .array($0.map { .string($0) }) })
    return members.json
  }

  private typealias Facts = (String, KeyValuePairs<String, String>)

  private var facts: Facts {
    switch event.event {
    case .genesis(let event): facts(event)
    case .refusal(let event): facts(event)
    case .identity(let event): facts(event)
    case .wallet(let event): facts(event)
    case .payment(let event): facts(event)
    case .fee(let event): facts(event)
    }
  }

  private func facts(_ event: Genesis.Event) -> Facts {
    switch event {
    case .opened(_, let terms, let livemode):
      ("genesis", ["mode": livemode ? "live" : "test", "fee": "\(terms.basisPoints) bps"])
    }
  }

  private func facts(_ event: Refusals.Event) -> Facts {
    switch event {
    case .recorded(let refusal, let operation):
      (
        "refused",
        [
          "operation": "\(operation)", "reason": "\(refusal.reason)",
          "limit": "\(refusal.limit.units)", "asked": "\(refusal.asked.units)",
        ]
      )
    }
  }

  private func facts(_ event: Identity.Event) -> Facts {
    switch event {
    case .tenantRegistered(let tenant, _):
      ("tenant.registered", ["tenant": ids.text(.tenant, tenant.rawValue)])
    case .agentRegistered(let agent, let tenant, let wallet, _, _, _):
      (
        "agent.registered",
        [
          "agent": ids.text(.agent, agent.rawValue), "tenant": ids.text(.tenant, tenant.rawValue),
          "wallet": self.wallet(wallet),
        ]
      )
    case .operatorRegistered(let number, _): ("operator.registered", ["operator": "\(number)"])
    case .credentialIssued(let credential, _, let kind, let holder):
      (
        "credential.issued",
        [
          "credential": ids.text(.credential, credential.rawValue), "kind": "\(kind)",
          "holder": actor(holder),
        ]
      )
    case .credentialRevoked(let credential):
      ("credential.revoked", ["credential": ids.text(.credential, credential.rawValue)])
    }
  }

  private func facts(_ event: Wallets.Event) -> Facts {
    switch event {
    case .opened(let wallet, let agent, let asset):
      (
        "wallet.opened",
        [
          "wallet": self.wallet(wallet), "agent": ids.text(.agent, agent.rawValue),
          "asset": code(asset),
        ]
      )
    case .funded(let wallet, let amount, let asset):
      (
        "wallet.funded",
        [
          "wallet": self.wallet(wallet), "amount": text(amount, asset), "asset": code(asset),
        ]
      )
    case .assetAdded(_, let code, let scale):
      ("asset.added", ["asset": "\(code)", "scale": "\(scale)"])
    }
  }

  private func facts(_ event: Payments.Event) -> Facts {
    switch event {
    case .completed(let payment):
      (
        "payment.completed",
        [
          "from": wallet(payment.payer), "to": payee(payment.payee),
          "amount": text(payment.amount, payment.asset), "fee": text(payment.fee, payment.asset),
          "asset": code(payment.asset),
        ]
      )
    case .payeeRegistered(let payee, let tenant, let asset, _):
      (
        "payee.registered",
        [
          "payee": "external \(payee)", "tenant": ids.text(.tenant, tenant.rawValue),
          "asset": code(asset),
        ]
      )
    }
  }

  private func facts(_ event: Fees.Event) -> Facts {
    switch event {
    case .set(let schedule, let terms, let begins):
      (
        "fees.set",
        ["schedule": "\(schedule)", "bps": "\(terms.basisPoints)", "begins": begins.text]
      )
    case .began(let schedule, let effective):
      ("fees.began", ["schedule": "\(schedule)", "effective": effective.text])
    }
  }

  // MARK: - Words

  private func wallet(_ number: WalletNumber) -> String { ids.text(.wallet, number.rawValue) }

  private func payee(_ payee: Payments.Payee) -> String {
    switch payee {
    case .wallet(let number): wallet(number)
    case .external(let number): "external \(number)"
    }
  }

  private func actor(_ actor: Actor) -> String {
    switch actor.role {
    case .ledger: "ledger"
    case .anonymous: "anonymous"
    case .agent: ids.text(.agent, actor.agent.rawValue)
    case .operator: "operator \(actor.rawValue & 0x00FF_FFFF_FFFF_FFFF)"
    case .administrator: "administrator"
    }
  }

  private func code(_ number: AssetNumber) -> String {
    assets.first { $0.number == number }?.code.description ?? "?"
  }

  private func text(_ amount: Amount, _ number: AssetNumber) -> String {
    guard let asset = assets.first(where: { $0.number == number }) else {
      return "\(amount.units) units"
    }
    return amount.text(scale: asset.scale, decimalsMin: min(2, asset.scale))
  }
}

extension Digest32 {
  /// 64 hexadecimal digits.
  var hex: String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}
