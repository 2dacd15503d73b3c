/// What became of a payment since it was made.
public struct PaymentStanding: Hashable, Sendable {
  /// How much of it went back.
  public var refunded: Amount
  /// Its newest dispute, if it was disputed at all.
  public var dispute: Disputes.Standing?
}

extension Engine {
  /// What became of each of these payments. One look at the state. O(payments).
  public func standings(
    of payments: [EventNumber]
  ) async throws(LedgerFailure) -> [PaymentStanding] {
    try await read { ledger in
      payments.map { number in
        PaymentStanding(
          refunded: ledger.refunds.refunded(of: number).amount,
          dispute: ledger.disputes.history(of: number).map { ledger.disputes.standing($0) })
      }
    }
  }

  /// What a dispute would end with now, receiver by receiver; none once it ended. O(receivers).
  public func claims(
    of opening: Disputes.Opening
  ) async throws(LedgerFailure) -> [Disputes.Claim] {
    try await read { ledger in
      guard let row = ledger.disputes.unfinished(opening.slot, made: opening.dispute)
      else { return [] }
      var claims: [Disputes.Claim] = []
      var slot = row.first
      while slot.isSome {
        claims.append(ledger.claim(slot))
        slot = ledger.disputes.claims[slot].next
      }
      return claims
    }
  }

  /// The disputes in a status, or that are not decided where none is said; newest first, at most
  /// `limit`, and only those opened before `before`, where that is given. Of each payment the
  /// newest is looked at. O(unfinished disputes); where they ended, O(payments that were disputed).
  public func disputes(
    in status: Disputes.Status? = nil, before: EventNumber? = nil, limit: Int
  ) async throws(LedgerFailure) -> [Disputes.Standing] {
    try await disputes(in: status, before: before, limit: limit, perLook: 65_536)
  }

  /// - `perLook`: how many payments one look at the state goes through, so that commands between
  ///   two looks do not wait for all of them.
  func disputes(
    in status: Disputes.Status?, before: EventNumber?, limit: Int, perLook: Int
  ) async throws(LedgerFailure) -> [Disputes.Standing] {
    let end = before ?? EventNumber(.max)
    guard let status, status.isEnd else {
      return try await read { ledger in
        var page = NewestDisputes(limit: limit)
        ledger.disputes.rows.walkBackwards { _, row in
          guard row.made < end, status == nil || row.status == status else { return }
          page.show(Disputes.Standing(dispute: row.made, status: row.status))
        }
        return page.all
      }
    }
    var page = NewestDisputes(limit: limit)
    var place = Int.max
    repeat {
      let (seen, last) = (page, place)
      (page, place) = try await read { ledger in
        var page = seen
        let place = ledger.disputes.walkHistories(before: last, count: perLook) { history in
          let standing = ledger.disputes.standing(history)
          if standing.status == status, standing.dispute < end { page.show(standing) }
        }
        return (page, place)
      }
    } while place > 0
    return page.all
  }
}

/// The newest of the disputes that it is shown, in any order. O(1) for one that is older than a
/// page of others, which most are where the newest come first; else O(log limit), since twice as
/// many are sorted at a time.
struct NewestDisputes: Sendable {
  private let limit: Int
  private var found: [Disputes.Standing] = []
  /// Older ones are on no page.
  private var oldest = EventNumber.none

  init(limit: Int) {
    precondition(limit > 0)
    self.limit = limit
  }

  mutating func show(_ standing: Disputes.Standing) {
    guard standing.dispute > oldest else { return }
    found.append(standing)
    if found.count == 2 * limit {
      found = all
      oldest = found[limit - 1].dispute
    }
  }

  /// At most so many as were asked for, the newest first.
  var all: [Disputes.Standing] {
    Array(found.sorted { $0.dispute > $1.dispute }.prefix(limit))
  }
}
