package import LedgerCore

/// Events in words, for those who look: text ids instead of numbers, and amounts in decimals of
/// their asset. `ledgerctl` and the administration routes both speak from here, so that an event
/// reads the same wherever it is looked at.
package struct EventWords: Sendable {
  private let ids: TextIds
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
    case .reservation(let event): facts(event)
    case .refund(let event): facts(event, body)
    case .pause(let event): facts(event)
    case .dispute(let event): facts(event)
    case .receivable(let event): facts(event)
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

  private func facts(_ event: Reservations.Event) -> Facts {
    switch event {
    case .reserved(let hold):
      (
        "reservation.made",
        [
          "from": wallet(hold.payer), "to": payee(hold.payee),
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
          "to": payee(capture.payment.payee),
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
    }
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
    }
  }

  /// An amount in decimals of its asset, at least two where the asset has so many.
  package func text(_ amount: Amount, _ number: AssetNumber) -> String {
    guard let asset = assets.first(where: { $0.number == number }) else {
      return "\(amount.units) units"
    }
    return amount.text(scale: asset.scale, decimalsMin: min(2, asset.scale))
  }

  private func wallet(_ number: WalletNumber) -> String { ids.text(.wallet, number.rawValue) }

  private func reservation(_ made: EventNumber) -> String { ids.text(.reservation, made.rawValue) }

  private func dispute(_ made: EventNumber) -> String { ids.text(.dispute, made.rawValue) }

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

  private func code(_ number: AssetNumber) -> String {
    assets.first { $0.number == number }?.code.description ?? "?"
  }
}

extension Timestamp {
  /// RFC 3339 in UTC with nine decimals, the exact time: `2026-05-01T09:30:00.000125000Z`.
  package var text: String {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends ``text`` to a text in UTF-8.
  package func append(to bytes: inout [UInt8]) {
    let seconds = Int64(nanoseconds / 1_000_000_000)
    let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = Self.civil(days)
    bytes.append(addingCapacity: 30) { text in
      let put = { (number: Int64, count: Int, end: Unicode.Scalar, text: inout OutputSpan<UInt8>) in
        var power: Int64 = 1
        for _ in 1..<count { power *= 10 }
        while power > 0 {
          text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / power % 10))
          power /= 10
        }
        text.append(UInt8(ascii: end))
      }
      put(year, 4, "-", &text)
      put(month, 2, "-", &text)
      put(day, 2, "T", &text)
      put(rest / 3_600, 2, ":", &text)
      put(rest / 60 % 60, 2, ":", &text)
      put(rest % 60, 2, ".", &text)
      put(Int64(nanoseconds % 1_000_000_000), 9, "Z", &text)
    }
  }

  /// The Gregorian date, `days` days after 1970-01-01. Counts from 0000-03-01, so that the leap day
  /// is a year's last, in eras of 400 years; months of such a year average 30.6 days.
  private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
    let shifted = days + 719_468
    let (era, day) = shifted.quotientAndRemainder(dividingBy: 146_097)
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
    let dayOfYear = day - (365 * year + year / 4 - year / 100)
    let month = (5 * dayOfYear + 2) / 153
    let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
    let isAfterFebruary = month < 10
    return (
      era * 400 + year + (isAfterFebruary ? 0 : 1), isAfterFebruary ? month + 3 : month - 9,
      dayOfMonth
    )
  }
}

extension Digest32 {
  /// 64 hexadecimal digits.
  package var hex: String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}
