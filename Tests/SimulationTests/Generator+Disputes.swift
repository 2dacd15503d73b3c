@testable import LedgerCore

/// Disputes, and what makes debts and pays them back.
extension Generator {
  mutating func dispute(_ model: NaiveLedger, _ broken: Int) -> Request {
    guard let paid = disputable(model) else { return pay(model, broken, isExternal: false) }
    if let other = disputeOfTheOther(model) { return other }
    var number = paid.number
    var seconds = window(of: paid, model)
    var actor = owner(Int(paid.payment.payer.rawValue) - 1, model)
    let receivers = owners(of: paid, model)
    if !receivers.isEmpty, dice.isOne(in: 4) { actor = dice.pick(receivers) }
    if dice.isOne(in: 6) { actor = staff(model) }
    for _ in 0..<broken {
      switch dice.below(5) {
      case 0: number = EventNumber(self.number(beyond: model.log.count))
      case 1: number = EventNumber(UInt64(1 + dice.below(model.log.count)))
      case 2: seconds = dice.pick([0, 1])
      default: actor = anybody(model)
      }
    }
    let reason = dice.pick(Disputes.Reason.allCases)
    return Request(.dispute(.open(number, reason: reason, within: seconds)), by: actor)
  }

  /// One party withdrew, and the other or the same disputes.
  private mutating func disputeOfTheOther(_ model: NaiveLedger) -> Request? {
    let withdrawn = model.disputes.suffix(12).filter { $0.ending == .withdrawn }
    guard !withdrawn.isEmpty, dice.isOne(in: 6) else { return nil }
    let dispute = dice.pick(withdrawn)
    let open = Disputes.Command.open(
      model.paid[dispute.paid].number, reason: .other, within: 30 * 86_400)
    return Request(.dispute(open), by: party(of: dispute, model))
  }

  /// Mostly one that may be disputed, and one whose payee does not have it any more.
  private mutating func disputable(_ model: NaiveLedger) -> NaiveLedger.Paid? {
    if model.paid.isEmpty { return nil }
    if dice.isOne(in: 8) { return dice.pick(model.paid) }
    let disputed = Set(model.disputes.map(\.paid))
    let places = model.paid.indices.suffix(60).filter { place in
      model.paid[place].refunded < model.paid[place].payment.amount.units
        && (!disputed.contains(place) || dice.isOne(in: 8))
    }
    if places.isEmpty { return dice.pick(model.paid) }
    let spent = places.filter { place in
      model.paid[place].parts.contains { part in
        guard case .wallet(let wallet) = part.payee else { return false }
        return model.available(Int(wallet.rawValue) - 1) < part.amount - part.refunded
      }
    }
    let awaited = places.filter { place in
      model.paid[place].parts.contains { part in
        guard case .wallet(let wallet) = part.payee else { return false }
        let payee = model.wallets[Int(wallet.rawValue) - 1]
        return model.balance(NaiveLedger.suspense(payee.agent), payee.asset) > 0
      }
    }
    if !awaited.isEmpty, dice.isOne(in: 3) { return model.paid[dice.pick(awaited)] }
    if !spent.isEmpty, dice.isOne(in: 2) { return model.paid[dice.pick(spent)] }
    let divided = places.filter { model.paid[$0].parts.count > 1 }
    if !divided.isEmpty, dice.isOne(in: 3) { return model.paid[dice.pick(divided.suffix(4))] }
    return model.paid[dice.isOne(in: 2) ? dice.pick(places.suffix(4)) : dice.pick(places)]
  }

  /// Mostly long; where it would just end now, that.
  private mutating func window(of paid: NaiveLedger.Paid, _ model: NaiveLedger) -> UInt32 {
    let second: UInt64 = 1_000_000_000
    let age = model.time - model.log[Int(paid.number.rawValue) - 1].header.time.nanoseconds
    let near = (age + 5) / second
    if near > 0, near < 1 << 32, age + 5 - near * second < 10 { return UInt32(near) }
    return dice.pick([60, 3_600, 86_400, 30 * 86_400, 30 * 86_400, 30 * 86_400, .max])
  }

  /// When the window of a payment is nearly over, or just.
  mutating func endOfWindow(_ model: NaiveLedger) -> UInt64? {
    guard let last = model.paid.last else { return nil }
    let made = model.log[Int(last.number.rawValue) - 1].header.time.nanoseconds
    let end = made + dice.pick([1, 60, 3_600]) * 1_000_000_000
    return end > model.wall ? end - 2 + UInt64(dice.below(4)) : nil
  }

  mutating func submitEvidence(_ model: NaiveLedger, _ broken: Int) -> Request {
    guard let dispute = dispute(model) else { return self.dispute(model, broken) }
    var number = dispute.number
    var actor = party(of: dispute, model)
    for _ in 0..<broken {
      switch dice.below(3) {
      case 0: number = EventNumber(self.number(beyond: model.log.count))
      case 1: number = EventNumber(UInt64(1 + dice.below(model.log.count)))
      default: actor = anybody(model)
      }
    }
    let evidence = dice.pick(Disputes.Evidence.allCases)
    return Request(.dispute(.submitEvidence(number, evidence)), by: actor)
  }

  /// Any step, most of them in an order that is allowed.
  mutating func decide(_ model: NaiveLedger, _ broken: Int) -> Request {
    guard let dispute = dispute(model) else { return self.dispute(model, broken) }
    var number = dispute.number
    var actor = staff(model)
    let outcome = dice.pick(Disputes.Outcome.allCases)
    var command = Disputes.Command.review(number)
    if dispute.isReviewed { command = .resolve(number, outcome) }
    if !dispute.isReviewed, dice.isOne(in: 3) {
      command = .withdraw(number)
      actor = dice.isOne(in: 6) ? party(of: dispute, model) : dispute.actor
    }
    for _ in 0..<broken {
      switch dice.below(6) {
      case 0: number = EventNumber(self.number(beyond: model.log.count))
      case 1: number = EventNumber(UInt64(1 + dice.below(model.log.count)))
      case 2: actor = anybody(model)
      case 3: actor = party(of: dispute, model)
      default: break
      }
      command = dice.pick([.review(number), .withdraw(number), .resolve(number, outcome)])
    }
    return Request(.dispute(command), by: actor)
  }

  /// Mostly one that did not end.
  private mutating func dispute(_ model: NaiveLedger) -> NaiveLedger.Dispute? {
    if model.disputes.isEmpty { return nil }
    let open = model.disputes.filter { $0.ending == nil }
    if open.isEmpty || dice.isOne(in: 8) { return dice.pick(model.disputes) }
    // Those that hold less than they claim are the rare ones.
    let short = open.filter { dispute in model.debts.contains { $0.dispute == dispute.number } }
    if !short.isEmpty, dice.isOne(in: 3) { return dice.pick(short) }
    return dice.isOne(in: 2) ? dice.pick(open) : dice.pick(open.suffix(3))
  }

  /// Who paid, who was paid, or staff.
  private mutating func party(of dispute: NaiveLedger.Dispute, _ model: NaiveLedger) -> Actor {
    let paid = model.paid[dispute.paid]
    let payer = owner(Int(paid.payment.payer.rawValue) - 1, model)
    return dice.pick([payer, staff(model)] + owners(of: paid, model))
  }

  /// The agent of each receiver that is a wallet.
  func owners(of paid: NaiveLedger.Paid, _ model: NaiveLedger) -> [Actor] {
    paid.parts.compactMap { part in
      guard case .wallet(let wallet) = part.payee else { return nil }
      return owner(Int(wallet.rawValue) - 1, model)
    }
  }
}

// MARK: - Debts

extension Generator {
  /// Pays a debtor what he owes, nearly that, or less.
  mutating func repay(_ model: NaiveLedger, _ broken: Int) -> Request {
    guard !model.debts.isEmpty else { return dispute(model, broken) }
    let debt = dice.pick(model.debts)
    let his = model.debts.filter { $0.agent == debt.agent && $0.asset == debt.asset }
    let all = his.map { $0.receivable + $0.uncovered }.reduce(0, +)
    let wallets = model.wallets.indices.filter {
      model.wallets[$0].agent == debt.agent && model.wallets[$0].asset == debt.asset
    }
    let to = dice.pick(wallets)
    let payers = model.wallets.indices.filter {
      $0 != to && model.wallets[$0].asset == debt.asset && model.available($0) > 0
    }
    let most = payers.map { affordable(model, model.available($0)) }.max() ?? 0
    let amount = max(repayment(of: his[0], all, dice.isOne(in: 4) ? all : most), 1)
    let able = payers.filter { affordable(model, model.available($0)) >= amount }
    if able.isEmpty || dice.isOne(in: 6) {
      let fund = Wallets.Command.fund(
        WalletNumber(UInt64(to + 1)), amount: Amount(units: amount), asset: .none,
        cap: .commandMax)
      return Request(.wallet(fund), by: staff(model))
    }
    let from = dice.pick(able)
    let pay = Payments.Command.pay(
      from: WalletNumber(UInt64(from + 1)), to: .wallet(WalletNumber(UInt64(to + 1))),
      amount: Amount(units: amount), asset: .none, rail: .internal)
    return Request(.payment(pay), by: owner(from, model))
  }

  private mutating func repayment(
    of oldest: NaiveLedger.Debt, _ all: Int128, _ most: Int128
  ) -> Int128 {
    let first = oldest.receivable + oldest.uncovered
    let fitting = [
      first, first + 1, first - 1, first / 2, oldest.receivable + 1, oldest.uncovered, all,
      all + 1, all - 1, (first + all) / 2,
    ].filter { $0 > 0 && $0 <= most }
    if fitting.isEmpty || dice.isOne(in: 6) { return dice.magnitude(to: max(min(all, most), 1)) }
    return dice.pick(fitting)
  }

  /// A payee passes on what he got, or has it held, and then it is disputed.
  mutating func spendAndDispute(_ model: NaiveLedger) -> [Request] {
    var requests: [Request] = []
    for _ in 0...dice.below(3) {
      guard let paid = disputable(model) else { break }
      for part in paid.parts {
        guard case .wallet(let number) = part.payee, !dice.isOne(in: 4) else { continue }
        let place = Int(number.rawValue) - 1
        requests.append(spend(place, model))
      }
      let payer = owner(Int(paid.payment.payer.rawValue) - 1, model)
      let open = Disputes.Command.open(paid.number, reason: .other, within: 30 * 86_400)
      requests.append(Request(.dispute(open), by: dice.isOne(in: 4) ? staff(model) : payer))
    }
    if requests.isEmpty { return [pay(model, 0, isExternal: false)] }
    return requests
  }

  private mutating func spend(_ place: Int, _ model: NaiveLedger) -> Request {
    let from = WalletNumber(UInt64(place + 1))
    let all = max(affordable(model, model.available(place)), 1)
    let amount = Amount(units: dice.isOne(in: 3) ? max(all / 2, 1) : all)
    let others = model.wallets.indices.filter {
      $0 != place && model.wallets[$0].asset == model.wallets[place].asset
    }
    var to = Payments.Recipient.external(label: 1)
    if !others.isEmpty, dice.isOne(in: 2) {
      to = .wallet(WalletNumber(UInt64(dice.pick(others) + 1)))
    }
    guard dice.isOne(in: 3) else {
      let pay = Payments.Command.pay(
        from: from, to: to, amount: amount, asset: .none, rail: .internal)
      return Request(.payment(pay), by: owner(place, model))
    }
    let reserve = Reservations.Command.reserve(
      from: from, to: to, amount: amount, asset: .none, seconds: dice.pick([1, 60, 3_600]),
      isMultiple: dice.isOne(in: 2))
    return Request(.reservation(reserve), by: owner(place, model))
  }

  /// Two who pay one another, have the rest held, and win what each of them disputes: what one of
  /// them is credited goes on to the other.
  mutating func oweEachOther(_ model: NaiveLedger) -> [Request] {
    let one = payer(model)
    let others = model.wallets.indices.filter {
      $0 != one && model.wallets[$0].asset == model.wallets[one].asset
        && model.wallets[$0].status == .open
    }
    guard !others.isEmpty else { return spendAndDispute(model) }
    let two = dice.pick(others)
    let pairs = [(one, two), (two, one)]
    var has = [one: model.available(one), two: model.available(two)]
    var requests: [Request] = []
    for (from, to) in pairs {
      let amount = max(affordable(model, has[from, default: 0] / Int128(1 + dice.below(2))), 1)
      has[from, default: 0] -= model.debited(amount, model.fee(on: amount))
      has[to, default: 0] += amount
      requests.append(pass(amount, from, to, model))
    }
    for (from, to) in pairs {
      let rest = max(affordable(model, has[from, default: 0]), 1)
      let reserve = Reservations.Command.reserve(
        from: WalletNumber(UInt64(from + 1)), to: .wallet(WalletNumber(UInt64(to + 1))),
        amount: Amount(units: rest), asset: .none, seconds: dice.pick([1, 60, 3_600]),
        isMultiple: true)
      requests.append(Request(.reservation(reserve), by: owner(from, model)))
    }
    let next = UInt64(model.log.count + 1)
    var steps: [(Disputes.Command, Actor)] = [0, 1].map { place in
      let payment = EventNumber(next + UInt64(place))
      return (
        .open(payment, reason: .unauthorized, within: 3_600), owner(pairs[place].0, model)
      )
    }
    let disputes = [EventNumber(next + 4), EventNumber(next + 5)]
    for dispute in disputes { steps.append((.review(dispute), staff(model))) }
    for dispute in disputes { steps.append((.resolve(dispute, .refunded), staff(model))) }
    return requests + steps.map { Request(.dispute($0.0), by: $0.1) }
  }

  /// Somebody wins what is not there, closes his wallet, and then some of it comes in.
  mutating func winAndClose(_ model: NaiveLedger) -> [Request] {
    let one = payer(model)
    let others = model.wallets.indices.filter {
      $0 != one && model.wallets[$0].asset == model.wallets[one].asset
        && model.wallets[$0].status == .open && model.wallets[$0].agent != model.wallets[one].agent
    }
    guard !others.isEmpty else { return spendAndDispute(model) }
    let two = dice.pick(others)
    let (first, second) = (owner(one, model), owner(two, model))
    let amount = max(affordable(model, model.available(one)), 1)
    let rest = max(affordable(model, model.available(two) + amount / 2), 1)
    let payment = EventNumber(UInt64(model.log.count + 1))
    let (hold, dispute) = (
      EventNumber(payment.rawValue + 1), EventNumber(payment.rawValue + 2)
    )
    let wallet = WalletNumber(UInt64(one + 1))
    let reserve = Reservations.Command.reserve(
      from: WalletNumber(UInt64(two + 1)), to: .wallet(wallet), amount: Amount(units: rest),
      asset: .none, seconds: 3_600, isMultiple: true)
    let commands: [(Command, Actor)] = [
      (.reservation(reserve), second),
      (.dispute(.open(payment, reason: .other, within: 3_600)), first),
      (.dispute(.review(dispute)), staff(model)),
      (.dispute(.resolve(dispute, .refunded)), staff(model)),
      (.wallet(.open(agent: first.agent, asset: model.wallets[one].asset)), first),
      (.wallet(.close(wallet, to: WalletNumber(UInt64(model.wallets.count + 1)))), first),
      (.reservation(.release(hold)), second),
    ]
    return [pass(amount, one, two, model)] + commands.map { Request($0.0, by: $0.1) }
  }

  /// Somebody closes his wallet and owes what he was paid there; what is taken of his other one
  /// comes back to what is set aside for him, out of which the next debt is netted.
  mutating func closeAndOwe(_ model: NaiveLedger) -> [Request] {
    let one = payer(model)
    let others = model.wallets.indices.filter {
      $0 != one && model.wallets[$0].asset == model.wallets[one].asset
        && model.wallets[$0].status == .open && model.held($0) == 0 && !model.isInDispute($0)
        && model.wallets[$0].agent != model.wallets[one].agent
    }
    guard !others.isEmpty else { return spendAndDispute(model) }
    let two = dice.pick(others)
    let (first, second) = (owner(one, model), owner(two, model))
    let amount = max(affordable(model, model.available(one) / 4), 1)
    let next = UInt64(model.log.count + 1)
    let payments = [EventNumber(next), EventNumber(next + 1)]
    let dispute = EventNumber(next + 5)
    let heir = model.wallets.count
    let got = model.terms.side == .payer ? amount : amount - model.fee(on: amount)
    let all = max(affordable(model, model.available(two) + 2 * got), 1)
    var requests = [pass(amount, one, two, model), pass(amount, one, two, model)]
    requests.append(pass(all, two, one, model))
    let commands: [(Command, Actor)] = [
      (.wallet(.open(agent: second.agent, asset: model.wallets[two].asset)), second),
      (
        .wallet(.close(WalletNumber(UInt64(two + 1)), to: WalletNumber(UInt64(heir + 1)))), second
      ),
      (.dispute(.open(payments[0], reason: .other, within: 3_600)), first),
      (.dispute(.open(payments[1], reason: .other, within: 3_600)), first),
    ]
    requests += commands.map { Request($0.0, by: $0.1) }
    requests.append(pass(dice.isOne(in: 2) ? amount : max(amount / 2, 1), one, heir, model))
    if dice.isOne(in: 2) {
      return requests + [Request(.dispute(.withdraw(dispute)), by: first)]
    }
    return requests + [
      Request(.dispute(.review(dispute)), by: staff(model)),
      Request(.dispute(.resolve(dispute, .denied)), by: staff(model)),
    ]
  }

  /// A receiver gives all of his part back, and closes his wallet while the others' is disputed.
  mutating func giveBackAndClose(_ model: NaiveLedger) -> [Request] {
    let one = payer(model)
    let others = model.wallets.indices.filter {
      $0 != one && model.wallets[$0].asset == model.wallets[one].asset
        && model.wallets[$0].status == .open && model.held($0) == 0 && !model.isInDispute($0)
    }
    guard others.count > 1 else { return spendAndDispute(model) }
    let small = dice.pick(others)
    let large = dice.pick(others.filter { $0 != small })
    let shares = [(small, 1), (large, 9)].map { place, weight in
      Splits.Share(.wallet(WalletNumber(UInt64(place + 1))), weight: weight)
    }
    let (payer, his) = (owner(one, model), owner(small, model))
    let opener = dice.isOne(in: 2) ? payer : owner(large, model)
    let pay = Payments.Command.pay(
      from: WalletNumber(UInt64(one + 1)), to: .split, amount: Amount(units: 10))
    let paid = EventNumber(UInt64(model.log.count + 1))
    let (closed, heir) = (UInt64(small + 1), UInt64(model.wallets.count + 1))
    let commands: [(Command, Actor)] = [
      // Of 0.6 and 5.4 the unit goes to the first.
      (.refund(.refund(paid, amount: Amount(units: 6))), staff(model)),
      (.dispute(.open(paid, reason: .other, within: 3_600)), opener),
      (.wallet(.open(agent: his.agent, asset: model.wallets[small].asset)), his),
      (.wallet(.close(WalletNumber(closed), to: WalletNumber(heir))), his),
    ]
    let first = Request(.payment(pay), by: payer, body: Splits.Share.body(shares))
    return [first] + commands.map { Request($0.0, by: $0.1) }
  }

  private func pass(_ amount: Int128, _ from: Int, _ to: Int, _ model: NaiveLedger) -> Request {
    let pay = Payments.Command.pay(
      from: WalletNumber(UInt64(from + 1)), to: .wallet(WalletNumber(UInt64(to + 1))),
      amount: Amount(units: amount), asset: .none, rail: .internal)
    return Request(.payment(pay), by: owner(from, model))
  }

  /// A payment and its dispute up to its end, and what credits the debtor meanwhile, in one unit or
  /// batch.
  mutating func disputeAndEnd(_ model: NaiveLedger) -> [Request] {
    let payment = pay(model, 0, isExternal: dice.isOne(in: 6))
    let number = EventNumber(UInt64(model.log.count + 1))
    let dispute = EventNumber(number.rawValue + 1)
    let outcome = dice.pick(Disputes.Outcome.allCases)
    var opener = payment.actor
    if case .payment(.pay(_, .wallet(let payee), _, _, _, _)) = payment.command, dice.isOne(in: 2) {
      opener = owner(Int(payee.rawValue) - 1, model)
    }
    let steps: [(Disputes.Command, Actor)] = [
      (.open(number, reason: .duplicate, within: 3_600), opener),
      (.submitEvidence(dispute, .screenshot), payment.actor),
      (.review(dispute), staff(model)), (.resolve(dispute, outcome), staff(model)),
    ]
    var requests = [payment]
    for (command, actor) in steps where !dice.isOne(in: 6) {
      requests.append(Request(.dispute(command), by: actor))
      if dice.isOne(in: 4) { requests.append(repay(model, 0)) }
    }
    return requests
  }

  /// More evidence than a dispute takes of one side, now or soon.
  mutating func muchEvidence(_ model: NaiveLedger) -> [Request]? {
    let open = model.disputes.filter { $0.ending == nil }
    guard !open.isEmpty else { return nil }
    let known = open.filter { $0.evidenceCounts.contains { $0 > 30 } }
    let dispute = dice.pick(known.isEmpty || dice.isOne(in: 4) ? open : known)
    let command = Command.dispute(.submitEvidence(dispute.number, .apiResponse))
    return [staff(model), party(of: dispute, model)].flatMap { actor in
      [Request](repeating: Request(command, by: actor), count: 30 + dice.below(50))
    }
  }

  /// A debtor whose reservation ends, or who is given something back.
  mutating func debtorsHold(_ model: NaiveLedger) -> NaiveLedger.Reservation? {
    let holds = model.reservations.filter { hold in
      hold.isOpen && model.debts.contains { $0.agent == model.wallets[hold.payer].agent }
    }
    return holds.isEmpty ? nil : dice.pick(holds)
  }

  /// Money that comes in by a rail.
  mutating func deposit(_ model: NaiveLedger) -> Step {
    let able = model.wallets.indices.filter { place in
      let wallet = model.wallets[place]
      return wallet.status != .closed && model.oldestDebt(of: wallet.agent, in: wallet.asset) == nil
    }
    return .deposit(
      able.prefix(30).map { ($0, dice.magnitude(to: 10_000_000_000)) }
        .map { Deposit(wallet: $0, units: $1) })
  }
}
