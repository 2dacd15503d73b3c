@testable import LedgerCore

/// Payments with several receivers.
extension Generator {
  private typealias Share = Splits.Share

  mutating func paySplit(_ model: NaiveLedger, _ broken: Int) -> Request {
    let payer = payer(model)
    var from = WalletNumber(UInt64(payer + 1))
    var actor = Actor.agent(AgentNumber(model.wallets[payer].agent))
    var asset = dice.isOne(in: 2) ? model.wallets[payer].asset : .none
    var shares = shares(model, payer)
    var amount = amount(model, payer)
    // Mostly so much that everybody gets something.
    let needed = Int128(shares.count) * 10 + Int128(dice.below(100))
    if amount < needed, !dice.isOne(in: 3) {
      amount = max(min(needed, affordable(model, model.available(payer))), 1)
    }
    if model.terms.side == .payee, dice.isOne(in: 3) {
      amount = least(model) + Int128(dice.below(2 * shares.count + 1))
    }
    var body: [UInt8]?
    for _ in 0..<broken {
      switch dice.below(16) {
      case 0: amount = dice.pick([0, -1, .max, Amount.commandMax.units + 1])
      case 1: from = WalletNumber(number(beyond: model.wallets.count))
      case 2: actor = anybody(model)
      case 3: asset = AssetNumber(UInt64(dice.below(model.assets.count) + 1))
      case 4: body = garbled(Share.body(shares))
      default: spoil(&shares, model, from)
      }
    }
    let command = Payments.Command.pay(
      from: from, to: .split, amount: Amount(units: amount), asset: asset, rail: .internal,
      category: category())
    return Request(
      .payment(command), by: actor, texts: texts(of: shares), body: body ?? Share.body(shares))
  }

  /// Splits among as many labels that are new as may be, until there are enough for one that is
  /// among as many receivers as may be, or among one more; and some of it back.
  mutating func widestSplit(_ model: NaiveLedger) -> [Request] {
    let payer = WalletNumber(UInt64(payer(model) + 1))
    let labels = (1...Splits.countMax + 1).map { UInt128(1_000 + $0) }
    let count = Splits.countMax + (dice.isOne(in: 4) ? 1 : 0)
    var parts = stride(from: 0, to: count, by: Splits.newLabelCountMax).map { start in
      Array(labels[start...].prefix(Splits.newLabelCountMax))
    }
    parts.append(Array(labels[..<count]))
    var requests = parts.map { labels in
      let shares = labels.map { Share(.external(label: $0), weight: Int128(10 + dice.below(9))) }
      let amount = Amount(units: Int128(100 + dice.below(1_000)))
      return Request(
        .payment(.pay(from: payer, to: .split, amount: amount)), by: staff(model),
        body: Share.body(shares))
    }
    // Where it is all in the log as it should be, one event each, once the labels are known.
    for _ in 0..<dice.below(4) {
      let last = EventNumber(UInt64(model.log.count + count + parts.count))
      requests.append(
        Request(
          .refund(.refund(last, amount: Amount(units: Int128(1 + dice.below(60))))),
          by: staff(model)))
    }
    return requests
  }

  /// An amount of which a payee who bears the fee is left one unit, or nearly one.
  private func least(_ model: NaiveLedger) -> Int128 {
    var amount: Int128 = 1
    for _ in 0..<20 { amount = max(amount, min(model.fee(on: amount) + 1, 1_000_000_000)) }
    return amount
  }

  /// Wallets of the payer's asset and labels, each once; in few payments as many as may be.
  private mutating func shares(_ model: NaiveLedger, _ payer: Int) -> [Share] {
    let paying = model.wallets[payer]
    var wallets = model.wallets.indices.filter {
      $0 != payer && model.wallets[$0].asset == paying.asset
        && (model.wallets[$0].status != .closed || dice.isOne(in: 12))
    }
    // All of one agent, who may then refund it.
    if !wallets.isEmpty, dice.isOne(in: 3) {
      let agent = model.wallets[dice.pick(wallets)].agent
      wallets = wallets.filter { model.wallets[$0].agent == agent }
    }
    let tenant = model.agents[Int(paying.agent) - 1].tenant
    let known = model.payees.filter { $0.tenant == tenant && $0.asset == paying.asset }
      .map(\.label)
    let new = (1...60).map { UInt128($0) }.filter { !known.contains($0) }
    let count = dice.isOne(in: 6) ? Splits.countMax : 2 + dice.below(dice.isOne(in: 3) ? 8 : 3)
    var recipients: [Payments.Recipient] = wallets.map { .wallet(WalletNumber(UInt64($0 + 1))) }
    if recipients.count < 2 || !dice.isOne(in: 3) {
      recipients += known.map { .external(label: $0) }
      // So that the next one has many to choose from.
      let isMost = count == Splits.countMax || dice.isOne(in: 4)
      let newCount = isMost ? Splits.newLabelCountMax : 2 + dice.below(3)
      recipients += new.prefix(newCount).map { .external(label: $0) }
    }
    var shares: [Share] = []
    let weights = dice.below(6)
    while shares.count < count, !recipients.isEmpty {
      let recipient = recipients.remove(at: dice.below(recipients.count))
      shares.append(Share(recipient, weight: weight(weights)))
    }
    return shares
  }

  private mutating func weight(_ kind: Int) -> Int128 {
    switch kind {
    case 0: 1
    case 1: Int128(1 + dice.below(3))
    case 2: Int128(1 + dice.below(100))
    case 3: Amount.commandMax.units - Int128(dice.below(3))
    case 4: dice.magnitude(to: 1_000_000)
    default: dice.isOne(in: 2) ? Int128(5 + dice.below(9)) : dice.magnitude(to: 100)
    }
  }

  /// Breaks one rule of receivers and weights.
  private mutating func spoil(
    _ shares: inout [Share], _ model: NaiveLedger, _ from: WalletNumber
  ) {
    guard !shares.isEmpty else { return }
    let place = dice.below(shares.count)
    switch dice.below(14) {
    case 10, 11: shares[place].recipient = shares[(place + 1) % shares.count].recipient
    case 0: shares.append(Share(shares[place].recipient, weight: weight(dice.below(6))))
    case 1: shares[place].recipient = .wallet(from)
    case 2: shares[place].recipient = .wallet(WalletNumber(number(beyond: model.wallets.count)))
    case 3:
      let wallet = UInt64(1 + dice.below(model.wallets.count))
      shares[place].recipient = .wallet(WalletNumber(wallet))
    case 4: shares[place].recipient = .external(label: 0)
    case 5:
      shares[place].weight = dice.pick([0, -1, Amount.commandMax.units + 1, .max, .min])
    case 6:
      shares[place].weight = 1
      let other = (place + 1) % shares.count
      shares[other].weight = dice.pick([10_000, 1_000_000_000, Amount.commandMax.units])
    case 7: shares.removeLast(shares.count - 1)
    case 8: shares.removeAll()
    case 9:
      while shares.count <= Splits.countMax {
        shares.append(Share(.external(label: UInt128(100 + shares.count)), weight: 1))
      }
    default:
      // As many labels that are new as may be, or one more.
      let newCount = Splits.newLabelCountMax + dice.below(2)
      shares = (0..<newCount).map { _ in
        Share(.external(label: dice.bits128() | 1), weight: 5)
      }
    }
  }

  /// None, its own, or one for each receiver as well, of which wallets need none.
  private mutating func texts(of shares: [Share]) -> [SealedText] {
    if dice.isOne(in: 4) { return [] }
    var texts = [SealedText(readable: "text \(dice.next())")]
    for share in shares.prefix(dice.isOne(in: 4) ? dice.below(32) : 32) {
      guard case .external = share.recipient else {
        texts.append(SealedText(readable: ""))
        continue
      }
      texts.append(SealedText(readable: dice.isOne(in: 6) ? "" : "text \(dice.next())"))
    }
    return texts
  }
}
