import Foundation
import LedgerCore

/// An event in words: for tables and for `--json`.
struct EventView: Encodable {
  var event: UInt64
  var time: String
  var actor: String
  var name: String
  var fields: [String: String]
  var text: [String]?

  /// The event's fields, with text ids, and amounts in decimals of their asset.
  init(_ recorded: Recorded, _ words: Words, text: [String]? = nil) {
    event = recorded.number.rawValue
    time = rfc3339(recorded.header.time)
    actor = words.actor(recorded.header.actor)
    (name, fields) = words.describe(recorded.event)
    self.text = text
  }

  /// The fields in one line.
  var line: String {
    let parts = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return (parts + (text.map { ["text=\($0)"] } ?? [])).joined(separator: " ")
  }
}

/// Turns numbers into text ids and units into decimals.
struct Words {
  let ids: TextIds
  let assets: [Asset]

  init(_ engine: Engine) async throws {
    ids = engine.preparation.ids
    assets = try await engine.assets()
  }

  func wallet(_ number: WalletNumber) -> String { ids.text(.wallet, number.rawValue) }
  func agent(_ number: AgentNumber) -> String { ids.text(.agent, number.rawValue) }
  func payment(_ number: EventNumber) -> String { ids.text(.payment, number.rawValue) }

  func asset(_ number: AssetNumber) -> Asset? { assets.first { $0.number == number } }

  func code(_ number: AssetNumber) -> String { asset(number)?.code.description ?? "?" }

  func amount(_ amount: Amount, _ number: AssetNumber) -> String {
    guard let asset = asset(number) else { return "\(amount.units) units" }
    return amount.text(scale: asset.scale, decimalsMin: min(2, asset.scale))
  }

  func actor(_ actor: Actor) -> String {
    switch actor.role {
    case .ledger: "ledger"
    case .anonymous: "anonymous"
    case .agent: agent(actor.agent)
    case .operator: "operator \(actor.rawValue & 0x00FF_FFFF_FFFF_FFFF)"
    case .administrator: "administrator"
    }
  }

  func describe(_ event: Event) -> (String, [String: String]) {
    switch event {
    case .genesis(let event): describe(event)
    case .refusal(let event): describe(event)
    case .identity(let event): describe(event)
    case .wallet(let event): describe(event)
    case .payment(let event): describe(event)
    case .fee(let event): describe(event)
    }
  }

  private func describe(_ event: Genesis.Event) -> (String, [String: String]) {
    switch event {
    case .opened(_, let terms, let livemode):
      ("genesis", ["mode": livemode ? "live" : "test", "fee": "\(terms.basisPoints) bps"])
    }
  }

  private func describe(_ event: Refusals.Event) -> (String, [String: String]) {
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

  private func describe(_ event: Identity.Event) -> (String, [String: String]) {
    switch event {
    case .tenantRegistered(let tenant, _):
      ("tenant.registered", ["tenant": ids.text(.tenant, tenant.rawValue)])
    case .agentRegistered(let agent, let tenant, let wallet, _, _, _):
      (
        "agent.registered",
        [
          "agent": self.agent(agent), "tenant": ids.text(.tenant, tenant.rawValue),
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

  private func describe(_ event: Wallets.Event) -> (String, [String: String]) {
    switch event {
    case .opened(let wallet, let agent, let asset):
      (
        "wallet.opened",
        ["wallet": self.wallet(wallet), "agent": self.agent(agent), "asset": code(asset)]
      )
    case .funded(let wallet, let amount, let asset):
      (
        "wallet.funded",
        [
          "wallet": self.wallet(wallet), "amount": self.amount(amount, asset),
          "asset": code(asset),
        ]
      )
    case .assetAdded(_, let code, let scale):
      ("asset.added", ["asset": "\(code)", "scale": "\(scale)"])
    }
  }

  private func describe(_ event: Payments.Event) -> (String, [String: String]) {
    switch event {
    case .completed(let payment):
      (
        "payment.completed",
        [
          "from": wallet(payment.payer), "to": payee(payment.payee),
          "amount": amount(payment.amount, payment.asset),
          "fee": amount(payment.fee, payment.asset), "asset": code(payment.asset),
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

  private func payee(_ payee: Payments.Payee) -> String {
    switch payee {
    case .wallet(let number): wallet(number)
    case .external(let number): "external \(number)"
    }
  }

  private func describe(_ event: Fees.Event) -> (String, [String: String]) {
    switch event {
    case .set(let schedule, let terms, let begins):
      (
        "fees.set",
        [
          "schedule": "\(schedule)", "bps": "\(terms.basisPoints)", "begins": rfc3339(begins),
        ]
      )
    case .began(let schedule, let effective):
      ("fees.began", ["schedule": "\(schedule)", "effective": rfc3339(effective)])
    }
  }
}
