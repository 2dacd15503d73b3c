@testable import LedgerCore

extension Golden {
  /// Those with a body: of several receivers, and of tiers.
  static let withBodies: [Frame] = [
    Frame(
      event: .payment(
        .completed(
          Payments.Payment(
            amount: Amount(units: 500), fee: Amount(units: 5), payer: WalletNumber(9),
            payee: .split(2), schedule: ScheduleNumber(1), asset: AssetNumber(1), rail: .internal,
            side: .payee))),
      time: start + 44, actor: .agent(AgentNumber(6)), key: key, commitment: commitment,
      body: parts([
        part(350, fee: 3, .wallet(WalletNumber(10))), part(150, fee: 2, .external(PayeeNumber(4))),
      ]),
      hex: """
        2c002a36fe9c9717060000000000000240000103010700000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5ff401000000000000
        0000000000000000050000000000000000000000000000000900000000000000020000000000000000000000
        0000000001000000010000145e01000000000000000000000000000003000000000000000000000000000000
        0a00000000000000000000000000000096000000000000000000000000000000020000000000000000000000
        0000000004000000000000000100000000000000
        """),
    Frame(
      event: .payment(
        .completed(
          Payments.Payment(
            amount: Amount(units: 1 << 89), fee: Amount(units: 5), payer: WalletNumber(9),
            payee: .split(2), schedule: ScheduleNumber(1), asset: AssetNumber(1),
            rail: .internal))),
      time: start + 45, actor: .agent(AgentNumber(6)), key: key,
      body: parts([
        part(1 << 89 - 1, .external(PayeeNumber(4))), part(1, .wallet(WalletNumber(10))),
      ]),
      hex: """
        2d002a36fe9c9717060000000000000240000103010500000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f800000000000000000000000200000000050000000000000000000000000000000900000000000000
        020000000000000000000000000000000100000001000004ffffffffffffffffffffff010000000000000000
        0000000000000000000000000400000000000000010000000000000001000000000000000000000000000000
        000000000000000000000000000000000a000000000000000000000000000000
        """),
    Frame(
      event: .refund(
        .completed(
          Refunds.Refund(
            amount: Amount(units: 6), fee: Amount(units: 1), payment: EventNumber(11),
            payer: WalletNumber(9), payee: .split(2), asset: AssetNumber(1), rail: .internal,
            side: .payee))),
      time: start + 46, actor: .operator(OperatorNumber(2)), key: key,
      body: parts([
        part(6, .wallet(WalletNumber(10))), part(0, fee: 1, .external(PayeeNumber(4))),
      ]),
      hex: """
        2e002a36fe9c9717020000000000000340000106010500000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f806000000000000000000000000000000010000000000000000000000000000000b00000000000000
        0900000000000000020000000000000001000006000000000600000000000000000000000000000000000000
        0000000000000000000000000a00000000000000000000000000000000000000000000000000000000000000
        0100000000000000000000000000000004000000000000000100000000000000
        """),
    Frame(
      event: .fee(
        .set(
          schedule: ScheduleNumber(4),
          terms: Fees.Terms(
            flat: Amount(units: 30), basisPoints: 25, min: Amount(units: 40),
            max: Amount(units: 50), side: .payee),
          begins: Timestamp(nanoseconds: start + 1_000))),
      time: start + 47, actor: .operator(OperatorNumber(2)), key: key,
      body: Fees.Tier.body([
        Fees.Tier(from: Amount(units: 1_000), flat: Amount(units: 31), basisPoints: 26),
        Fees.Tier(from: Amount(units: 1 << 80), basisPoints: 10_000),
      ]),
      hex: """
        2f002a36fe9c9717020000000000000348000104010500000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f80400000000000000e8032a36fe9c97171e0000000000000000000000000000002800000000000000
        0000000000000000320000000000000000000000000000001900000001000000e80300000000000000000000
        000000001f0000000000000000000000000000001a0000000000000000000000000000000000010000000000
        000000000000000000000000000000001027000000000000
        """),
  ]

  private static func part(
    _ units: Int128, fee: Int128 = 0, _ payee: Payments.Payee
  ) -> Splits.Part {
    Splits.Part(amount: Amount(units: units), fee: Amount(units: fee), payee: payee)
  }

  private static func parts(_ parts: [Splits.Part]) -> [UInt8] {
    var body: [UInt8] = []
    for part in parts { part.append(to: &body) }
    return body
  }
}
