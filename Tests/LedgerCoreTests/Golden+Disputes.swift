@testable import LedgerCore

/// Golden frames of disputes and receivables; see `Golden.swift`.
extension Golden {
  static let disputes: [Frame] = [
    Frame(
      event: .dispute(
        .opened(
          Disputes.Opening(
            principal: Amount(units: 1_000), payment: EventNumber(11), dispute: EventNumber(45),
            payer: WalletNumber(9), slot: DisputeSlot(2), asset: AssetNumber(1),
            reason: .duplicate, party: .payer))),
      time: start + 44, actor: .agent(AgentNumber(6)), key: key, commitment: commitment,
      body: claims([(400, 600, 0, .wallet(WalletNumber(8)), 0)]),
      hex: """
        2c002a36fe9c9717060000000000000240000108010700000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fe803000000000000
        00000000000000000b000000000000002d000000000000000900000000000000020000000000000001000000
        0000000003010000000000009001000000000000000000000000000058020000000000000000000000000000
        00000000000000000000000000000000080000000000000000000000000000000000000000000000
        """),
    Frame(
      event: .dispute(
        .evidenceSubmitted(dispute: EventNumber(45), slot: DisputeSlot(2), .screenshot)),
      time: start + 45, actor: .agent(AgentNumber(7)), key: key, commitment: commitment,
      hex: """
        2d002a36fe9c9717070000000000000218000208010300000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f2d00000000000000
        02000000000000000200000000000000
        """),
    Frame(
      event: .dispute(.reviewed(dispute: EventNumber(45), slot: DisputeSlot(2))),
      time: start + 46, actor: .operator(OperatorNumber(2)), key: key,
      hex: """
        2e002a36fe9c9717020000000000000310000308010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f82d000000000000000200000000000000
        """),
    Frame(
      event: .dispute(
        .withdrawn(
          Disputes.End(
            held: Amount(units: 1000), payment: EventNumber(11), dispute: EventNumber(45),
            payer: WalletNumber(9), slot: DisputeSlot(2), asset: AssetNumber(1)))),
      time: start + 47, actor: .agent(AgentNumber(6)), key: key,
      body: claims([(1_000, 500, 0, .wallet(WalletNumber(8)), 7)]),
      hex: """
        2f002a36fe9c9717060000000000000238000408010500000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8e80300000000000000000000000000000b000000000000002d000000000000000900000000000000
        02000000000000000100000000000000e8030000000000000000000000000000f40100000000000000000000
        0000000000000000000000000000000000000000080000000000000000000000000000000700000000000000
        """),
    Frame(
      event: .dispute(
        .denied(
          Disputes.End(
            held: Amount(units: 500), payment: EventNumber(11), dispute: EventNumber(45),
            payer: WalletNumber(9), slot: DisputeSlot(2), asset: AssetNumber(1)))),
      time: start + 48, actor: .operator(OperatorNumber(2)), key: key, commitment: commitment,
      body: claims([
        (300, 0, 0, .external(PayeeNumber(4)), 0), (200, 0, 50, .wallet(WalletNumber(8)), 0),
      ]),
      hex: """
        30002a36fe9c9717020000000000000338000508010700000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5ff401000000000000
        00000000000000000b000000000000002d000000000000000900000000000000020000000000000001000000
        000000002c010000000000000000000000000000000000000000000000000000000000000000000000000000
        0000000000000000040000000000000001000000000000000000000000000000c80000000000000000000000
        0000000000000000000000000000000000000000320000000000000000000000000000000800000000000000
        00000000000000000000000000000000
        """),
    Frame(
      event: .dispute(
        .refunded(
          Disputes.End(
            held: Amount(units: 0), payment: EventNumber(11), dispute: EventNumber(45),
            payer: WalletNumber(9), slot: DisputeSlot(2), asset: AssetNumber(1)))),
      time: start + 49, actor: .operator(OperatorNumber(2)), commitment: commitment,
      hex: """
        31002a36fe9c971702000000000000033800060801020000404142434445464748494a4b4c4d4e4f50515253
        5455565758595a5b5c5d5e5f000000000000000000000000000000000b000000000000002d00000000000000
        090000000000000002000000000000000100000000000000
        """),
    Frame(
      event: .receivable(
        .netted(
          Receivables.Netting(
            receivable: Amount(units: 5), uncovered: Amount(units: 6), dispute: EventNumber(45),
            source: .wallet(WalletNumber(8)), destination: .wallet(WalletNumber(9)),
            slot: DebtSlot(3),
            asset: AssetNumber(1)))),
      time: start + 50, actor: .ledger,
      hex: """
        32002a36fe9c9717000000000000000050000109010000000500000000000000000000000000000006000000
        0000000000000000000000002d00000000000000080000000000000009000000000000000300000000000000
        01000000000000000001000000000000
        """),
    Frame(
      event: .receivable(
        .netted(
          Receivables.Netting(
            receivable: Amount(units: 0), uncovered: Amount(units: 6), dispute: EventNumber(45),
            source: .suspense(AgentNumber(7)), destination: .hold, slot: DebtSlot(3),
            asset: AssetNumber(1)))),
      time: start + 51, actor: .ledger,
      hex: """
        33002a36fe9c9717000000000000000050000109010000000000000000000000000000000000000006000000
        0000000000000000000000002d00000000000000070000000000000000000000000000000300000000000000
        01000000000000000100000000000000
        """),
    Frame(
      event: .refusal(
        .recorded(
          Refusal(.duplicateDispute, about: EventNumber(45)), operation: .openDispute)),
      time: start + 52, actor: .agent(AgentNumber(7)), key: key,
      hex: """
        34002a36fe9c9717070000000000000248000200010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f801082203000000000000000000000000000000000000000000000000000000000000000000000000
        0000000000000000000000000000000000000000000000002d00000000000000
        """),
  ]

  private static func claims(
    _ claims: [(Int128, Int128, Int128, Payments.Payee, agent: UInt64)]
  ) -> [UInt8] {
    claims.reduce(into: []) { body, claim in
      Disputes.Claim(
        held: Amount(units: claim.0), receivable: Amount(units: claim.1),
        uncovered: Amount(units: claim.2), payee: claim.3, suspense: AgentNumber(claim.agent)
      ).append(to: &body)
    }
  }
}
