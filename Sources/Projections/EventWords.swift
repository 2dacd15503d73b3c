package import LedgerCore

/// Events in words, for those who look: text ids instead of numbers, and amounts in decimals of
/// their asset. `ledgerctl` and the administration routes both speak from here, so that an event
/// reads the same wherever it is looked at.
package struct EventWords: Sendable {
  let ids: TextIds
  private let assets: [Asset]

  /// Words for the events of one ledger, whose assets these are.
  package init(ids: TextIds, assets: [Asset]) {
    self.ids = ids
    self.assets = assets
  }

  /// What happened, such as `payment.completed`, and its facts by name.
  package typealias Facts = (name: String, fields: KeyValuePairs<String, String>)

  /// What happened, and its facts by name; the event's body says who the receivers of a split are,
  /// and which tiers a fee schedule has.
  package func facts(_ event: Event, body: [UInt8]) -> Facts {
    switch event {
    case .genesis(let event): facts(event)
    case .refusal(let event): facts(event)
    case .identity(let event): facts(event)
    case .wallet(let event): facts(event)
    case .payment(let event): facts(event, body)
    case .fee(let event): facts(event, body)
    case .reservation(let event): facts(event, body)
    case .refund(let event): facts(event, body)
    case .pause(let event): facts(event)
    case .dispute(let event): facts(event)
    case .receivable(let event): facts(event)
    case .policy(let event): facts(event, body)
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
          "limit": "\(refusal.limit.units)", "used": "\(refusal.used.units)",
          "asked": "\(refusal.asked.units)",
          "rule": refusal.rule > 0 ? "\(refusal.rule) of version \(refusal.ruleVersion)" : "none",
          "about": refusal.about.isSome ? "event \(refusal.about)" : "none",
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
    case .frozen(let wallet): ("wallet.frozen", ["wallet": self.wallet(wallet)])
    case .unfrozen(let wallet): ("wallet.unfrozen", ["wallet": self.wallet(wallet)])
    case .closed(let wallet, let to, let amount, let asset):
      (
        "wallet.closed",
        [
          "wallet": self.wallet(wallet), "to": to.isSome ? self.wallet(to) : "none",
          "amount": text(amount, asset), "asset": code(asset),
        ]
      )
    case .reopened(let wallet, _, let amount, let asset):
      (
        "wallet.reopened",
        [
          "wallet": self.wallet(wallet), "amount": text(amount, asset), "asset": code(asset),
        ]
      )
    case .setAside(let wallet, let agent, let amount, let asset):
      (
        "wallet.set_aside",
        [
          "wallet": self.wallet(wallet), "agent": ids.text(.agent, agent.rawValue),
          "amount": text(amount, asset), "asset": code(asset),
        ]
      )
    }
  }

  private func facts(_ event: Payments.Event, _ body: [UInt8]) -> Facts {
    switch event {
    case .completed(let payment):
      (
        "payment.completed",
        [
          "from": wallet(payment.payer), "to": payee(payment.payee, payment.asset, body),
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

  private func facts(_ event: Fees.Event, _ body: [UInt8]) -> Facts {
    switch event {
    case .set(let schedule, let terms, let begins):
      (
        "fees.set",
        [
          "schedule": "\(schedule)", "bps": "\(terms.basisPoints)", "tiers": tiers(body),
          "begins": begins.text,
        ]
      )
    case .began(let schedule, let effective):
      ("fees.began", ["schedule": "\(schedule)", "effective": effective.text])
    }
  }

  private func facts(_ event: Reservations.Event, _ body: [UInt8]) -> Facts {
    switch event {
    case .reserved(let hold):
      (
        "reservation.made",
        [
          "from": wallet(hold.payer), "to": payee(hold.payee, hold.asset, body),
          "amount": text(hold.amount, hold.asset), "fee": text(hold.fee, hold.asset),
          "asset": code(hold.asset), "purpose": "\(hold.purpose)",
          "captures": hold.isMultiple ? "several" : "one", "deadline": hold.deadline.text,
        ]
      )
    case .captured(let capture):
      (
        "reservation.captured",
        [
          "reservation": reservation(capture.reservation), "from": wallet(capture.payment.payer),
          "to": payee(capture.payment.payee, capture.payment.asset, body),
          "amount": text(capture.payment.amount, capture.payment.asset),
          "fee": text(capture.payment.fee, capture.payment.asset),
          "released": text(capture.released, capture.payment.asset),
          "asset": code(capture.payment.asset), "ends": capture.isLast ? "yes" : "no",
        ]
      )
    case .released(let end):
      (
        "reservation.released",
        [
          "reservation": reservation(end.reservation), "wallet": wallet(end.payer),
          "amount": text(end.amount, end.asset), "asset": code(end.asset),
        ]
      )
    case .expired(let end, let effective):
      (
        "reservation.expired",
        [
          "reservation": reservation(end.reservation), "wallet": wallet(end.payer),
          "amount": text(end.amount, end.asset), "asset": code(end.asset),
          "effective": effective.text,
        ]
      )
    }
  }

  private func facts(_ event: Refunds.Event, _ body: [UInt8]) -> Facts {
    switch event {
    case .completed(let refund):
      (
        "payment.refunded",
        [
          "payment": ids.text(.payment, refund.payment.rawValue),
          "from": payee(refund.payee, refund.asset, body),
          "to": wallet(refund.payer), "amount": text(refund.amount, refund.asset),
          "fee": text(refund.fee, refund.asset), "asset": code(refund.asset),
        ]
      )
    }
  }

  private func facts(_ event: Pauses.Event) -> Facts {
    switch event {
    case .paused(let scope): ("paused", ["scope": self.scope(scope)])
    case .resumed(let scope): ("resumed", ["scope": self.scope(scope)])
    }
  }

  private func facts(_ event: Disputes.Event) -> Facts {
    switch event {
    case .opened(let opening):
      (
        "dispute.opened",
        [
          "dispute": dispute(opening.dispute),
          "payment": ids.text(.payment, opening.payment.rawValue),
          "by": "\(opening.party)", "reason": "\(opening.reason)",
          "amount": text(opening.principal, opening.asset), "asset": code(opening.asset),
        ]
      )
    case .evidenceSubmitted(let number, _, let evidence):
      ("dispute.evidence_submitted", ["dispute": dispute(number), "type": "\(evidence)"])
    case .reviewed(let number, _): ("dispute.under_review", ["dispute": dispute(number)])
    case .withdrawn(let end): ("dispute.withdrawn", fields(end))
    case .denied(let end): ("dispute.resolved_denied", fields(end))
    case .refunded(let end): ("dispute.resolved_refunded", fields(end))
    }
  }

  private func fields(_ end: Disputes.End) -> KeyValuePairs<String, String> {
    [
      "dispute": dispute(end.dispute), "payment": ids.text(.payment, end.payment.rawValue),
      "held": text(end.held, end.asset), "asset": code(end.asset),
    ]
  }

  private func facts(_ event: Receivables.Event) -> Facts {
    switch event {
    case .netted(let netting):
      (
        "receivable.netted",
        [
          "dispute": dispute(netting.dispute),
          "receivable": text(netting.receivable, netting.asset),
          "uncovered": text(netting.uncovered, netting.asset), "asset": code(netting.asset),
        ]
      )
    case .writeOffAsked(let writeOff): ("receivable.write_off_asked", fields(writeOff))
    case .writtenOff(let writeOff): ("receivable.written_off", fields(writeOff))
    case .capSet(let tenant, let asset, let cap):
      (
        "receivable.cap_set",
        [
          "tenant": tenant.isSome ? ids.text(.tenant, tenant.rawValue) : "all",
          "cap": text(cap, asset), "asset": code(asset),
        ]
      )
    }
  }

  private func fields(_ writeOff: Receivables.WriteOff) -> KeyValuePairs<String, String> {
    [
      "dispute": dispute(writeOff.dispute), "agent": ids.text(.agent, writeOff.agent.rawValue),
      "amount": text(writeOff.amount, writeOff.asset), "asset": code(writeOff.asset),
    ]
  }

  // MARK: - Postings

  /// One posting in words.
  package struct Line: Hashable, Sendable {
    /// The accounts' names in the chart (`accounting.md` 3).
    package var debit: String
    package var credit: String
    package var amount: String
    package var asset: String
  }

  /// What an event with this body moved; empty where it moved nothing.
  package func postings(of event: Event, body: [UInt8]) -> [Line] {
    var postings = Postings()
    event.postings(body: body.span, into: &postings)
    var lines: [Line] = []
    for index in 0..<postings.count {
      let posting = postings[index]
      lines.append(
        Line(
          debit: account(posting.debit), credit: account(posting.credit),
          amount: text(posting.amount, posting.asset), asset: code(posting.asset)))
    }
    return lines
  }

  private func account(_ account: Account) -> String {
    switch account {
    case .faucet: "Assets:Rail:Faucet"
    case .walletAvailable(let wallet): "Liabilities:Wallet:\(self.wallet(wallet)):Available"
    case .external(let payee): "Liabilities:External:\(payee)"
    case .feeIncome(let rail): "Income:Fees:\(rail)"
    case .walletHeld(let wallet): "Liabilities:Wallet:\(self.wallet(wallet)):Held"
    case .suspense(let agent): "Liabilities:Suspense:\(ids.text(.agent, agent.rawValue))"
    case .dust: "Income:Dust"
    case .disputeHold(let dispute): "Liabilities:DisputeHold:\(self.dispute(dispute))"
    case .receivable(let dispute): "Assets:Receivable:\(self.dispute(dispute))"
    case .badDebt: "Expenses:BadDebt"
    }
  }

  // MARK: - Words

  /// Who caused an event.
  package func actor(_ actor: Actor) -> String {
    switch actor.role {
    case .ledger: "ledger"
    case .anonymous: "anonymous"
    case .agent: ids.text(.agent, actor.agent.rawValue)
    case .operator: "operator \(actor.rawValue & 0x00FF_FFFF_FFFF_FFFF)"
    case .administrator: "administrator"
    case .tenantAdmin: "admin of \(ids.text(.tenant, actor.tenant.rawValue))"
    }
  }

  /// An amount in decimals of its asset, at least two where the asset has so many.
  package func text(_ amount: Amount, _ number: AssetNumber) -> String {
    guard let asset = assets.first(where: { $0.number == number }) else {
      return "\(amount.units) units"
    }
    return amount.text(scale: asset.scale, decimalsMin: min(2, asset.scale))
  }

  func wallet(_ number: WalletNumber) -> String { ids.text(.wallet, number.rawValue) }

  private func reservation(_ made: EventNumber) -> String { ids.text(.reservation, made.rawValue) }

  func dispute(_ made: EventNumber) -> String { ids.text(.dispute, made.rawValue) }

  private func scope(_ scope: Pauses.Scope) -> String {
    switch scope {
    case .ledger: "ledger"
    case .tenant(let tenant): ids.text(.tenant, tenant.rawValue)
    case .rail(let rail): "rail \(rail)"
    }
  }

  /// Who was paid; of a split every receiver with what he got or gave, and what of the fee with it.
  private func payee(
    _ payee: Payments.Payee, _ asset: AssetNumber = .none, _ body: [UInt8] = []
  ) -> String {
    switch payee {
    case .wallet(let number): wallet(number)
    case .external(let number): "external \(number)"
    case .split:
      Splits.Part.all(body.span).map { part in
        let fee = part.fee > .zero ? " (fee \(text(part.fee, asset)))" : ""
        return "\(self.payee(part.payee)) \(text(part.amount, asset))\(fee)"
      }.joined(separator: ", ")
    }
  }

  /// The tiers in the body of a schedule, whose amounts are dollars.
  private func tiers(_ body: [UInt8]) -> String {
    let dollar = assets.first { $0.code.description == "USD" }?.number ?? .none
    let tiers = Fees.Tier.all(body.span).map { tier in
      let flat = tier.flat > .zero ? "\(text(tier.flat, dollar)) + " : ""
      return "from \(text(tier.from, dollar)): \(flat)\(tier.basisPoints) bps"
    }
    return tiers.isEmpty ? "none" : tiers.joined(separator: ", ")
  }

  func code(_ number: AssetNumber) -> String {
    assets.first { $0.number == number }?.code.description ?? "?"
  }
}
