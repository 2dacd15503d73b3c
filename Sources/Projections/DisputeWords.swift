package import LedgerCore

/// A dispute in words, as `ledgerctl` and the administration routes list it; amounts in decimals of
/// its asset.
package struct DisputeWords: Codable, Hashable, Sendable {
  /// The event that opened it.
  package var event: UInt64
  /// Its text id, and its payment's.
  package var dispute, payment: String
  package var status, reason, openedBy, created: String
  package var amount, asset: String
  /// What is held of it, what of that was advanced, and what is not there; only until it ends.
  package var held, receivable, uncovered: String?

  private enum CodingKeys: String, CodingKey {
    case event, dispute, payment, status, reason, amount, asset, held, receivable, uncovered
    case openedBy = "opened_by"
    case created = "created_at"
  }
}

extension Engine {
  /// Disputes in words; which, ``disputes(in:before:limit:)`` says.
  package func disputeWords(
    in status: Disputes.Status?, before: EventNumber?, limit: Int
  ) async throws(LedgerFailure) -> [DisputeWords] {
    var found: [DisputeWords] = []
    for standing in try await disputes(in: status, before: before, limit: limit) {
      guard let event = try event(standing.dispute),
        case .dispute(.opened(let opening)) = event.event
      else { preconditionFailure("dispute \(standing.dispute) was never opened") }
      let claims = try await claims(of: opening)
      // Asked after the event was read, so that its asset is among them.
      let words = EventWords(ids: preparation.ids, assets: try await assets())
      found.append(words.dispute(event.header, opening, standing.status, claims))
    }
    return found
  }
}

extension EventWords {
  /// A dispute that an event opened, how it stands, and what it claims now.
  fileprivate func dispute(
    _ opened: Header, _ opening: Disputes.Opening, _ status: Disputes.Status,
    _ claims: [Disputes.Claim]
  ) -> DisputeWords {
    let sum = { (part: (Disputes.Claim) -> Amount) in
      claims.isEmpty ? nil : text(claims.map(part).reduce(.zero, +), opening.asset)
    }
    return DisputeWords(
      event: opened.number.rawValue, dispute: dispute(opening.dispute),
      payment: ids.text(.payment, opening.payment.rawValue), status: status.word,
      reason: opening.reason.word, openedBy: opening.party.word, created: opened.time.text,
      amount: text(opening.principal, opening.asset), asset: code(opening.asset),
      held: sum(\.held), receivable: sum(\.receivable), uncovered: sum(\.uncovered))
  }
}

extension Disputes.Status {
  /// As answers say it. Public and stable.
  package var word: String {
    switch self {
    case .open: "open"
    case .underReview: "under_review"
    case .resolvedRefunded: "resolved_refunded"
    case .resolvedDenied: "resolved_denied"
    case .withdrawn: "withdrawn"
    }
  }
}

extension Disputes.Reason {
  /// As requests and answers say it. Public and stable.
  package var word: String {
    switch self {
    case .serviceNotDelivered: "service_not_delivered"
    case .incorrectAmount: "incorrect_amount"
    case .duplicate: "duplicate"
    case .unauthorized: "unauthorized"
    case .qualityIssue: "quality_issue"
    case .other: "other"
    }
  }
}

extension Disputes.Party {
  /// As answers say it. Public and stable.
  package var word: String {
    switch self {
    case .payer: "payer"
    case .payee: "payee"
    }
  }
}
