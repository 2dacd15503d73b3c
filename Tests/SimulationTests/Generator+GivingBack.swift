@testable import LedgerCore

/// Stories in which whoever was paid gives it back.
extension Generator {
  /// Two wallets of an agent are paid by one payment, and he refunds it, whole or a part.
  mutating func oneReceiverOfAll(_ model: NaiveLedger) -> [Chapter] {
    guard let (payer, payee) = pair(model) else { return [] }
    let agent = AgentNumber(model.wallets[payee].agent)
    let asset = model.wallets[payee].asset
    let opening: Chapter = { _, _ in
      Self.ask([Request(.wallet(.open(agent: agent, asset: asset)), by: .agent(agent))])
    }
    let paying: Chapter = { make, model in
      let receivers = model.wallets.indices.filter { wallet in
        model.wallets[wallet].agent == agent.rawValue && model.wallets[wallet].asset == asset
          && model.wallets[wallet].status != .closed
      }
      let shares = receivers.prefix(2 + make.dice.below(3)).map { wallet in
        Splits.Share(.wallet(WalletNumber(UInt64(wallet + 1))), weight: Int128(1 + wallet))
      }
      return Self.ask([
        Request(
          make.pay(model, payer, to: .split), by: make.owner(payer, model),
          body: Splits.Share.body(shares))
      ])
    }
    let giving: Chapter = { make, model in
      guard let paid = model.paid.last(where: { $0.parts.count > 1 }) else {
        return .clock(model.wall)
      }
      let part = make.dice.isOne(in: 2) ? nil : Amount(units: 1)
      return Self.ask([
        Request(.refund(.refund(paid.number, amount: part)), by: .agent(agent)),
        Request(.refund(.refund(paid.number, amount: nil)), by: .agent(agent)),
      ])
    }
    return [opening, paying, giving]
  }

  /// Somebody disputes what he was paid, and it is decided for the payer.
  mutating func payeeLosesHisDispute(_ model: NaiveLedger) -> [Chapter] {
    guard let (payer, payee) = pair(model) else { return [] }
    let wallet = WalletNumber(UInt64(payee + 1))
    let paying: Chapter = { make, model in
      Self.ask([
        Request(make.pay(model, payer, to: .wallet(wallet)), by: make.owner(payer, model))
      ])
    }
    let disputing: Chapter = { make, model in
      guard let paid = model.paid.last(where: { $0.payment.payee == .wallet(wallet) })
      else { return .clock(model.wall) }
      return Self.ask([
        Request(
          .dispute(.open(paid.number, reason: .other, within: .max)),
          by: make.owner(payee, model))
      ])
    }
    let deciding: Chapter = { make, model in
      guard let dispute = model.disputes.last, dispute.ending == nil else {
        return .clock(model.wall)
      }
      return Self.ask([
        Request(.dispute(.review(dispute.number)), by: make.staff(model)),
        Request(.dispute(.resolve(dispute.number, .refunded)), by: make.staff(model)),
      ])
    }
    return [paying, disputing, deciding]
  }

  private func pay(
    _ model: NaiveLedger, _ payer: Int, to recipient: Payments.Recipient
  ) -> Command {
    let amount = max(affordable(model, model.available(payer) / 4), 1)
    return .payment(
      .pay(
        from: WalletNumber(UInt64(payer + 1)), to: recipient, amount: Amount(units: amount)))
  }

  /// A wallet that has something, and one of another agent in the same asset.
  private mutating func pair(_ model: NaiveLedger) -> (payer: Int, payee: Int)? {
    let payers = model.wallets.indices.filter { wallet in
      model.wallets[wallet].status == .open && model.available(wallet) > 100
    }
    guard !payers.isEmpty else { return nil }
    let payer = dice.pick(payers)
    let payees = model.wallets.indices.filter { wallet in
      model.wallets[wallet].status == .open
        && model.wallets[wallet].asset == model.wallets[payer].asset
        && model.wallets[wallet].agent != model.wallets[payer].agent
    }
    return payees.isEmpty ? nil : (payer, dice.pick(payees))
  }
}
