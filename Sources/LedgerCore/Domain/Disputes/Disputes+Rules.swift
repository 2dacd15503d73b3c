/// What a dispute may be and do: decide, evolve, postings. The words are in `Disputes.swift`.
extension Disputes {
  // MARK: - Decide

  static func decide(
    _ command: Command, by actor: Actor, about named: Recorded?, body: Span<UInt8>,
    _ ledger: borrowing Ledger, at now: Timestamp, into decision: inout Decision
  ) throws(Refusal) {
    switch command {
    case .open(let number, let reason, let seconds):
      guard let named, let payment = named.event.payment else { throw Refusal(.paymentNotFound) }
      let party = try party(actor, of: payment, body, ledger)
      guard now < named.header.time.adding(seconds: UInt64(seconds)) else {
        throw Refusal(.disputeWindowPassed, limit: Amount(units: Int128(seconds)))
      }
      try check(number, mayBeDisputedBy: party, ledger)
      let principal = payment.amount - ledger.refunds.refunded(of: number).amount
      guard principal > .zero else { throw Refusal(.nothingToDispute) }
      try claim(principal, of: number, payment, party, body, ledger, into: &decision)
      decision.emit(
        .dispute(
          .opened(
            Opening(
              principal: principal, payment: number, dispute: decision.next, payer: payment.payer,
              slot: ledger.disputes.rows.next, asset: payment.asset, reason: reason,
              party: party))),
        with: .own, hasBody: true)

    case .submitEvidence(let number, let evidence):
      let (opening, row) = try unfinished(number, named, body, by: actor, .submitEvidence, ledger)
      let side = side(actor, payer: row.payer, ledger)
      guard row.evidenceCounts[side.rawValue] < evidenceCountMax
      else { throw Refusal(.tooMuchEvidence) }
      decision.emit(
        .dispute(.evidenceSubmitted(dispute: number, slot: opening.slot, evidence)), with: .own)

    case .withdraw(let number):
      let (opening, row) = try unfinished(number, named, body, by: actor, .withdraw, ledger)
      guard
        actor.isStaff || actor == named?.header.actor
          || opening.party == .payer && isOwner(actor, of: opening.payer, ledger)
      else { throw Refusal(.notPermitted) }
      let end = try end(opening, row, isLost: true, ledger, into: &decision)
      decision.emit(.dispute(.withdrawn(end)), isAnswer: true, hasBody: true)

    case .review(let number):
      guard actor.isStaff else { throw Refusal(.notPermitted) }
      let (opening, _) = try unfinished(number, named, body, by: actor, .review, ledger)
      decision.emit(.dispute(.reviewed(dispute: number, slot: opening.slot)))

    case .resolve(let number, let outcome):
      guard actor.isStaff else { throw Refusal(.notPermitted) }
      let step: Step = outcome == .refunded ? .refund : .deny
      let (opening, row) = try unfinished(number, named, body, by: actor, step, ledger)
      if outcome == .refunded {
        try refund(opening, row, body, ledger, into: &decision)
      } else {
        let end = try end(opening, row, isLost: true, ledger, into: &decision)
        decision.emit(.dispute(.denied(end)), with: .own, isAnswer: true, hasBody: true)
      }
    }
  }

  /// As what somebody opens a dispute: an operator does it for the payer.
  private static func party(
    _ actor: Actor, of payment: Payments.Payment, _ body: Span<UInt8>, _ ledger: borrowing Ledger
  ) throws(Refusal) -> Party {
    if actor.isStaff || isOwner(actor, of: payment.payer, ledger) { return .payer }
    switch payment.payee {
    case .wallet(let number):
      if isOwner(actor, of: number, ledger) { return .payee }
    case .external: break
    case .split:
      for index in 0..<Splits.Part.count(body) {
        guard case .wallet(let number) = Splits.Part.read(body, index).payee else { continue }
        if isOwner(actor, of: number, ledger) { return .payee }
      }
    }
    throw Refusal(.paymentNotFound)
  }

  private static func isOwner(
    _ actor: Actor, of wallet: WalletNumber, _ ledger: borrowing Ledger
  ) -> Bool {
    actor.agent.isSome && ledger.wallets.wallets[wallet].agent == actor.agent
  }

  /// Whose evidence it is that a party to the dispute, or staff, adds.
  private static func side(
    _ actor: Actor, payer: WalletNumber, _ ledger: borrowing Ledger
  ) -> Side {
    if actor.isStaff { return .staff }
    return isOwner(actor, of: payer, ledger) ? .payer : .payee
  }

  /// E-08: a second dispute while one is unfinished, after one was decided, or after the same party
  /// withdrew his.
  private static func check(
    _ payment: EventNumber, mayBeDisputedBy party: Party, _ ledger: borrowing Ledger
  ) throws(Refusal) {
    guard let history = ledger.disputes.history(of: payment) else { return }
    guard !history.slot.isSome, history.facts & State.bars(party) == 0
    else { throw Refusal(.duplicateDispute, about: history.dispute) }
  }

  /// What is claimed of each receiver: the decision's body.
  private static func claim(
    _ principal: Amount, of number: EventNumber, _ payment: Payments.Payment, _ party: Party,
    _ body: Span<UInt8>, _ ledger: borrowing Ledger, into decision: inout Decision
  ) throws(Refusal) {
    guard payment.payee.isSplit else {
      let claim = try claim(principal, of: payment.payee, party, Span(), ledger)
      return claim.append(to: &decision.body)
    }
    for index in 0..<Splits.Part.count(body) {
      let part = Splits.Part.read(body, index)
      let left = part.amount - ledger.refunds.refunded(of: number, part: index).amount
      let claim = try claim(left, of: part.payee, party, decision.body.span, ledger)
      claim.append(to: &decision.body)
    }
  }

  /// What is claimed of one receiver who got `amount` and did not give it back: what he has is
  /// held, the rest is advanced as far as the caps leave room, and what is then left is uncovered
  /// . `before` lists what is claimed of those before him.
  private static func claim(
    _ amount: Amount, of payee: Payments.Payee, _ party: Party, _ before: Span<UInt8>,
    _ ledger: borrowing Ledger
  ) throws(Refusal) -> Claim {
    var claim = Claim(
      held: .zero, receivable: .zero, uncovered: .zero, payee: payee, suspense: .none)
    guard party == .payer else {
      claim.uncovered = amount
      return claim
    }
    switch payee {
    case .wallet(let number):
      let wallet = ledger.wallets.wallets[number]
      claim.held = min(Amount(units: wallet.available), amount)
      let short = amount - claim.held
      claim.receivable = advance(short, for: wallet, before, ledger)
      claim.uncovered = short - claim.receivable
    case .external(let number):
      let owed = Amount(units: ledger.payments.payees[number].balance)
      guard owed >= amount else { throw Refusal(.alreadySettled, limit: owed, asked: amount) }
      claim.held = amount
    case .split: preconditionFailure("a receiver of a split is one receiver")
    }
    return claim
  }

  /// What of `amount` is advanced for the owner of a wallet, after what is for those `before` him.
  private static func advance(
    _ amount: Amount, for wallet: Wallets.State.Wallet, _ before: Span<UInt8>,
    _ ledger: borrowing Ledger
  ) -> Amount {
    let tenant = ledger.identity.agents[wallet.agent].tenant
    var (own, all) = (Amount.zero, Amount.zero)
    for index in 0..<Claim.count(before) {
      let claim = Claim.read(before, index)
      all += claim.receivable
      if case .wallet(let other) = claim.payee, ledger.tenant(of: other) == tenant {
        own += claim.receivable
      }
    }
    let livemode = ledger.genesis.livemode
    let asset = wallet.asset
    let room = ledger.receivables.room(of: tenant, in: asset, after: own, livemode: livemode)
    let total = ledger.receivables.room(of: .none, in: asset, after: all, livemode: livemode)
    return min(amount, min(room ?? amount, total ?? amount))
  }

  /// The unfinished dispute that a command names, for a party to it or staff, in a status that
  /// allows `step`. `named` is the event of that number, if there is one, with its body.
  private static func unfinished(
    _ number: EventNumber, _ named: Recorded?, _ body: Span<UInt8>, by actor: Actor, _ step: Step,
    _ ledger: borrowing Ledger
  ) throws(Refusal) -> (Opening, State.Row) {
    guard case .dispute(.opened(let opening))? = named?.event else {
      throw Refusal(.disputeNotFound)
    }
    var isParty = actor.isStaff || isOwner(actor, of: opening.payer, ledger)
    for index in 0..<Claim.count(body) where !isParty {
      guard case .wallet(let number) = Claim.read(body, index).payee else { continue }
      isParty = isOwner(actor, of: number, ledger)
    }
    guard isParty else { throw Refusal(.disputeNotFound) }
    guard let row = ledger.disputes.unfinished(opening.slot, made: number) else {
      throw Refusal(.disputeEnded)
    }
    guard row.status.after(step) != nil else {
      throw Refusal(row.status == .open ? .disputeNotReviewed : .disputeUnderReview)
    }
    return (opening, row)
  }

  /// What ends, and of each receiver's claim: the decision's body.
  private static func end(
    _ opening: Opening, _ row: State.Row, isLost: Bool, _ ledger: borrowing Ledger,
    into decision: inout Decision
  ) throws(Refusal) -> End {
    var held = Amount.zero
    var slot = row.claimsNothing ? .none : row.first
    while slot.isSome {
      var claim = ledger.claim(slot)
      if isLost {
        try Payments.checkRoom(for: claim.held, of: claim.payee, ledger)
        if case .wallet(let number) = claim.payee {
          let wallet = ledger.wallets.wallets[number]
          if wallet.status == .closed { claim.suspense = wallet.agent }
        }
      }
      claim.append(to: &decision.body)
      held += claim.held
      slot = ledger.disputes.claims[slot].next
    }
    return End(
      held: held, payment: opening.payment, dispute: row.made, payer: opening.payer,
      slot: opening.slot, asset: opening.asset)
  }

  /// For the payer: what is held goes to him. Where the payee had opened it, he gives it back.
  private static func refund(
    _ opening: Opening, _ row: State.Row, _ body: Span<UInt8>, _ ledger: borrowing Ledger,
    into decision: inout Decision
  ) throws(Refusal) {
    var credited = opening.principal
    if opening.party == .payee {
      try Refunds.decide(resolved: opening, body, ledger, into: &decision)
      let end = End(
        held: .zero, payment: opening.payment, dispute: row.made, payer: opening.payer,
        slot: opening.slot, asset: opening.asset)
      decision.emit(.dispute(.refunded(end)), with: .own, isAnswer: true)
    } else {
      let end = try end(opening, row, isLost: false, ledger, into: &decision)
      credited = end.held
      decision.emit(.dispute(.refunded(end)), with: .own, isAnswer: true, hasBody: true)
    }
    _ = try Amount(units: ledger.wallets.wallets[opening.payer].available).adding(credited)
    if credited > .zero {
      Wallets.setAside(credited, of: opening.payer, ledger, into: &decision)
    }
  }

  // MARK: - Evolve

  static func evolve(
    _ ledger: inout Ledger, _ event: Event, _ header: Header, body: Span<UInt8>
  ) {
    switch event {
    case .opened(let opening):
      precondition(opening.dispute == header.number, "a dispute's number is its event's")
      ledger.openDispute(opening, body: body)
    case .evidenceSubmitted(let dispute, let slot, _):
      let row = ledger.disputes.rows[slot]
      precondition(row.made == dispute)
      ledger.disputes.countEvidence(slot, of: side(header.actor, payer: row.payer, ledger))
    case .reviewed(let dispute, let slot):
      precondition(ledger.disputes.rows[slot].made == dispute)
      ledger.disputes.review(slot)
    case .withdrawn(let end):
      let party: Party = ledger.disputes.rows[end.slot].party == 1 ? .payer : .payee
      ledger.endDispute(end, State.withdrew(party), isLost: true, body: body)
    case .denied(let end): ledger.endDispute(end, State.denied, isLost: true, body: body)
    case .refunded(let end): ledger.endDispute(end, State.refunded, isLost: false, body: body)
    }
  }

  // MARK: - Postings

  static func postings(_ event: Event, body: Span<UInt8>, into postings: inout Postings) {
    switch event {
    case .evidenceSubmitted, .reviewed: break
    case .opened(let opening):
      guard opening.party == .payer else { return }
      let hold = Account.disputeHold(opening.dispute)
      for index in 0..<Claim.count(body) {
        let claim = Claim.read(body, index)
        postings.post(claim.held, opening.asset, debit: claim.payee.account, credit: hold)
        postings.post(
          claim.receivable, opening.asset, debit: .receivable(opening.dispute), credit: hold)
      }
    case .withdrawn(let end), .denied(let end):
      let hold = Account.disputeHold(end.dispute)
      for index in 0..<Claim.count(body) {
        let claim = Claim.read(body, index)
        postings.post(
          claim.receivable, end.asset, debit: hold, credit: .receivable(end.dispute))
        postings.post(
          claim.held - claim.receivable, end.asset, debit: hold,
          credit: claim.suspense.isSome ? .suspense(claim.suspense) : claim.payee.account)
      }
    case .refunded(let end):
      postings.post(
        end.held, end.asset, debit: .disputeHold(end.dispute), credit: .walletAvailable(end.payer))
    }
  }
}

extension Disputes.State {
  static let refunded: UInt64 = 1
  static let denied: UInt64 = 8
  static func withdrew(_ party: Disputes.Party) -> UInt64 { party == .payer ? 2 : 4 }

  /// What of the past bars another dispute by this party (E-08).
  static func bars(_ party: Disputes.Party) -> UInt64 { refunded | denied | withdrew(party) }
}

extension Disputes.State.ClaimRow {
  /// Of whom it is claimed.
  var owner: Payments.Payee {
    kind == 0 ? .wallet(WalletNumber(payee)) : .external(PayeeNumber(payee))
  }

  /// The wallet that cannot be closed meanwhile, if there is one.
  var claimedWallet: WalletNumber? {
    kind == 0 && isOfSomething == 1 ? WalletNumber(payee) : nil
  }
}

extension Ledger {
  /// What a claim of an unfinished dispute is now.
  func claim(_ slot: ClaimSlot) -> Disputes.Claim {
    let row = disputes.claims[slot]
    let owed = receivables.owed(row.debt, for: slot)
    return Disputes.Claim(
      held: Amount(units: row.held), receivable: owed.receivable, uncovered: owed.uncovered,
      payee: row.owner, suspense: .none)
  }

  fileprivate mutating func openDispute(_ opening: Disputes.Opening, body: Span<UInt8>) {
    disputes.open(opening)
    for index in 0..<Disputes.Claim.count(body) {
      let claim = Disputes.Claim.read(body, index)
      payments.takeBack(claim.held, fee: .zero, from: claim.payee, &wallets, body: Span())
      // Of the payee's dispute too: none of the wallets it is about is closed meanwhile.
      let number = disputes.add(claim, to: opening.slot)
      guard opening.party == .payer, claim.receivable + claim.uncovered > .zero else { continue }
      guard case .wallet(let wallet) = claim.payee else {
        preconditionFailure("a label never owes")
      }
      let debt = receivables.add(
        receivable: claim.receivable.units, uncovered: claim.uncovered.units,
        of: wallets.wallets[wallet].agent, tenant(of: wallet), in: opening.asset,
        for: opening.dispute, claim: number)
      disputes.owe(debt, for: number)
    }
  }

  fileprivate mutating func endDispute(
    _ end: Disputes.End, _ fact: UInt64, isLost: Bool, body: Span<UInt8>
  ) {
    precondition(disputes.rows[end.slot].made == end.dispute)
    let row = disputes.rows[end.slot]
    var slot = row.claimsNothing ? .none : row.first
    var principal = Amount.zero
    for index in 0..<Disputes.Claim.count(body) {
      let claim = Disputes.Claim.read(body, index)
      let row = disputes.claims[slot]
      let owed = receivables.owed(row.debt, for: slot)
      precondition(
        row.held == claim.held.units && owed == (claim.receivable, claim.uncovered)
          && row.owner == claim.payee, "a dispute ends as it was")
      principal += claim.held + claim.uncovered
      let isOwed = owed.receivable + owed.uncovered > .zero
      if isLost {
        if isOwed { receivables.remove(row.debt) }
        giveBack(claim, end.asset)
      } else if isOwed {
        receivables.redirect(
          row.debt, to: end.payer, of: wallets.wallets[end.payer].agent)
      }
      slot = row.next
    }
    precondition(!slot.isSome, "a dispute ends with all its claims")
    if !isLost, principal > .zero {
      wallets.wallets[end.payer].available += end.held.units
      refunds.add(resolved: end.payment, principal, body: body)
    }
    disputes.end(end, fact)
  }

  private mutating func giveBack(_ claim: Disputes.Claim, _ asset: AssetNumber) {
    let back = claim.held - claim.receivable
    guard claim.suspense.isSome else {
      return payments.credit(back, to: claim.payee, &wallets)
    }
    if back > .zero { wallets.addSuspense(back.units, of: claim.suspense, in: asset) }
  }
}
