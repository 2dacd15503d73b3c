/// What was credited to debtors since somebody last asked, so that it is netted in the same
/// command (``Receivables``).
///
/// Netting is not part of a decision: it follows from the state after the command's events, and a
/// credit that it leads to may have to be netted itself.
///
/// Where debtors owe one another in a circle, what one of them is credited comes back to him, and
/// each round makes the debts only so much smaller. So a command nets at most
/// ``partialCountMax`` times without paying a debt off; the next credit goes on with the rest.
struct Credits: ~Copyable {
  private var postings = Postings()
  private var credited: [(account: Account, asset: AssetNumber)] = []
  private var next = 0
  private var partialCount = 0

  /// The most nettings of one command, so that they are in its batch.
  static let countMax = 4_000
  /// The most nettings of one command that leave some of their debt.
  static let partialCountMax = 100

  /// Whether nothing was credited to a debtor.
  var isEmpty: Bool { credited.isEmpty }

  /// Notes what a recorded event credited to debtors.
  mutating func note(_ event: Event, body: Span<UInt8>, _ ledger: borrowing Ledger) {
    postings.removeAll()
    event.postings(body: body, into: &postings)
    for index in 0..<postings.count {
      let posting = postings[index]
      if Receivables.net(posting.credit, in: posting.asset, ledger) != nil {
        credited.append((posting.credit, posting.asset))
      }
    }
  }

  /// The next event that nets something; `nil` where nothing is left to net.
  mutating func netting(_ ledger: borrowing Ledger) -> Event? {
    while next < credited.count, partialCount < Self.partialCountMax {
      let credit = credited[next]
      if let event = Receivables.net(credit.account, in: credit.asset, ledger) {
        if !Receivables.isWhole(event, ledger) { partialCount += 1 }
        return .receivable(event)
      }
      next += 1
    }
    removeAll()
    return nil
  }

  /// Forgets everything.
  mutating func removeAll() {
    credited.removeAll(keepingCapacity: true)
    next = 0
    partialCount = 0
  }
}
