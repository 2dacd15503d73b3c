@testable import LedgerCore

/// Golden frames of policies, approvals, tenant admins, caps and write-offs; see `Golden.swift`.
extension Golden {
  static let policies: [Frame] = [
    Frame(
      event: .identity(
        .credentialIssued(
          credential: CredentialNumber(9), key: 0xABC, kind: .tenantKey, holder: admin4)),
      time: start + 44, actor: .operator(OperatorNumber(2)), key: key,
      hex: """
        2c002a36fe9c9717020000000000000328000401010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8bc0a0000000000000000000000000000090000000000000004000000000000050400000000000000
        """),
    Frame(
      event: .reservation(
        .reserved(
          Reservations.Hold(
            amount: Amount(units: 500), fee: Amount(units: 5), payer: WalletNumber(9),
            payee: .split(2), deadline: Timestamp(nanoseconds: start + 99),
            slot: ReservationSlot(3), schedule: ScheduleNumber(1), asset: AssetNumber(1),
            purpose: .approval, isMultiple: false))),
      time: start + 45, actor: .agent(AgentNumber(6)), key: key, commitment: commitment,
      body: parts,
      hex: """
        2d002a36fe9c9717060000000000000250000105010700000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5ff401000000000000
        0000000000000000050000000000000000000000000000000900000000000000020000000000000063002a36
        fe9c97170300000000000000010000000100050400000000000000005e010000000000000000000000000000
        000000000000000000000000000000000a000000000000000000000000000000960000000000000000000000
        000000000000000000000000000000000000000004000000000000000100000000000000
        """),
    Frame(
      event: .reservation(
        .captured(
          Reservations.Capture(
            payment: Payments.Payment(
              amount: Amount(units: 500), fee: Amount(units: 5), payer: WalletNumber(9),
              payee: .split(2), schedule: ScheduleNumber(1), asset: AssetNumber(1),
              rail: .internal),
            released: .zero, reservation: EventNumber(45), slot: ReservationSlot(3),
            isLast: true))),
      time: start + 46, actor: admin4, key: key, body: parts,
      hex: """
        2e002a36fe9c9717040000000000000560000205010500000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8f4010000000000000000000000000000050000000000000000000000000000000900000000000000
        020000000000000000000000000000000100000001000024000000000000000000000000000000002d000000
        0000000003000000000000005e01000000000000000000000000000000000000000000000000000000000000
        0a00000000000000000000000000000096000000000000000000000000000000000000000000000000000000
        0000000004000000000000000100000000000000
        """),
    Frame(
      event: .policy(
        .set(
          Policies.Setting(
            scope: .wallet(WalletNumber(9)), version: 3,
            begins: Timestamp(nanoseconds: start + 60), slot: PolicySlot(2)))),
      time: start + 47, actor: admin4, key: key, commitment: commitment,
      body: Policies.Rule.body(rules),
      hex: """
        2f002a36fe9c971704000000000000052800010a010700000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f0400000000000000
        09000000000000003c002a36fe9c9717020000000000000003000000000000000100010000000000f4010000
        000000000000000000000000000000000000000000000000000000000201010000000000e803000000000000
        0000000000000000000000000000000000000000000000000203020000000000070000000000000000000000
        0000000000000000000000000000000000000000030200000000000014000000000000000000000000000000
        0000000000000000000000000000000004010000000000000000000000000000000000000000000008000000
        000000000000000000000000040200000000000000000000000000000000000000000000efcdab0000000000
        0000000000000000040300000000000000000000000000000000000000000000000000000000000000000000
        00000000050400000000000000000000000000000000000000000000efcdab8967452301efcdab8967452301
        061f0000e0013804000000000000000000000000000000000000000000000000000000000000000007000100
        805101002c01000000000000000000000000000000000000000000000000000000000000
        """),
    Frame(
      event: .policy(
        .set(
          Policies.Setting(
            scope: .ledger, version: 4, begins: Timestamp(nanoseconds: start + 48),
            slot: PolicySlot(2)))),
      time: start + 48, actor: .administrator,
      hex: """
        30002a36fe9c971700000000000000042800010a010000000100000000000000000000000000000030002a36
        fe9c971702000000000000000400000000000000
        """),
    Frame(
      event: .policy(
        .began(
          scope: .tenant(TenantNumber(5)), version: 3, slot: PolicySlot(2),
          effective: Timestamp(nanoseconds: start + 40))),
      time: start + 49, actor: .ledger,
      hex: """
        31002a36fe9c971700000000000000002800020a010000000200000000000000050000000000000002000000
        00000000030000000000000028002a36fe9c9717
        """),
    Frame(
      event: .policy(
        .counted(
          Policies.Use(
            amount: Amount(units: 505), payer: WalletNumber(9), payment: EventNumber(45),
            hold: ReservationSlot(3), effective: Timestamp(nanoseconds: start + 45),
            category: 0xABCDEF, asset: AssetNumber(1), policies: inForce))),
      time: start + 50, actor: .agent(AgentNumber(6)),
      hex: """
        32002a36fe9c971706000000000000026800030a01000000f9010000000000000000000000000000efcdab00
        00000000000000000000000009000000000000002d0000000000000003000000000000002d002a36fe9c9717
        0100000000000000290000000000000000000000000000002a000000000000002b00000000000000
        """),
    Frame(
      event: .refusal(
        .recorded(
          Refusal(
            .limitExceeded, limit: Amount(units: 1_000), used: Amount(units: 900),
            asked: Amount(units: 505), rule: 2, ruleVersion: 3, about: EventNumber(41),
            resets: Timestamp(nanoseconds: start + 77)), operation: .pay)),
      time: start + 51, actor: .agent(AgentNumber(6)), key: key,
      hex: """
        33002a36fe9c9717060000000000000250000200010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f80103ec03020000000300000000000000e80300000000000000000000000000008403000000000000
        0000000000000000f901000000000000000000000000000029000000000000004d002a36fe9c9717
        """),
    Frame(
      event: .receivable(.writeOffAsked(writeOff)),
      time: start + 52, actor: .operator(OperatorNumber(2)), key: key, commitment: commitment,
      hex: """
        34002a36fe9c9717020000000000000330000209010300000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fbc02000000000000
        00000000000000002d00000000000000070000000000000003000000000000000100000000000000
        """),
    Frame(
      event: .receivable(.writtenOff(writeOff)),
      time: start + 53, actor: .operator(OperatorNumber(3)), key: key, commitment: commitment,
      hex: """
        35002a36fe9c9717030000000000000330000309010300000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fbc02000000000000
        00000000000000002d00000000000000070000000000000003000000000000000100000000000000
        """),
    Frame(
      event: .receivable(
        .capSet(
          tenant: TenantNumber(5), asset: AssetNumber(1), cap: Amount(units: 1_000_000_000_000))),
      time: start + 54, actor: .operator(OperatorNumber(2)), key: key,
      hex: """
        36002a36fe9c9717020000000000000320000409010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f80010a5d4e8000000000000000000000005000000000000000100000000000000
        """),
    Frame(
      event: .policy(
        .denied(
          Policies.Denial(
            amount: Amount(units: 505), payer: WalletNumber(9),
            recipient: .external(label: 0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF),
            category: 0xABCDEF, effective: Timestamp(nanoseconds: start + 55), rail: .internal,
            isHold: true))),
      time: start + 55, actor: .agent(AgentNumber(6)),
      hex: """
        37002a36fe9c971706000000000000024800040a01000000f9010000000000000000000000000000efcdab00
        000000000000000000000000efcdab8967452301efcdab8967452301090000000000000037002a36fe9c9717
        0100010000000000
        """),
    Frame(
      event: .policy(
        .denied(
          Policies.Denial(
            amount: Amount(units: 505), payer: WalletNumber(9), recipient: .split, category: 0,
            effective: Timestamp(nanoseconds: start + 56), rail: .internal, isHold: false))),
      time: start + 56, actor: .agent(AgentNumber(6)),
      body: Splits.Share.body([
        Splits.Share(.wallet(WalletNumber(8)), weight: 3),
        Splits.Share(.external(label: 0xABCDEF), weight: 1),
      ]),
      hex: """
        38002a36fe9c971706000000000000024800040a01040000f901000000000000000000000000000000000000
        00000000000000000000000000000000000000000000000000000000090000000000000038002a36fe9c9717
        0400000000000000030000000000000000000000000000000800000000000000000000000000000000000000
        00000000000000000000000001000000000000000000000000000000efcdab00000000000000000000000000
        01000000000000000000000000000000
        """),
  ]

  private static let admin4 = Actor.tenantAdmin(TenantNumber(4))

  private static let parts: [UInt8] = [
    Splits.Part(amount: Amount(units: 350), payee: .wallet(WalletNumber(10))),
    Splits.Part(amount: Amount(units: 150), payee: .external(PayeeNumber(4))),
  ].reduce(into: []) { body, part in part.append(to: &body) }

  private static let rules: [Policies.Rule] = [
    .perPayment(Amount(units: 500), AssetNumber(1)),
    .spend(Amount(units: 1_000), AssetNumber(1), .day),
    .spend(Amount(units: 7), AssetNumber(2), .month), .count(20, .week),
    .allow(.wallet(WalletNumber(8))), .allow(.label(0xABCDEF)), .allow(.rail(.internal)),
    .deny(.category(0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF)),
    .hours(Policies.Hours(days: 0x1F, from: 480, until: 1_080)),
    .approval(above: Amount(units: 300), AssetNumber(1), seconds: 86_400),
  ]

  private static let inForce: Policies.InForce = {
    var policies = Policies.InForce()
    policies.wallet = EventNumber(41)
    policies.tenant = EventNumber(42)
    policies.ledger = EventNumber(43)
    return policies
  }()

  private static let writeOff = Receivables.WriteOff(
    amount: Amount(units: 700), dispute: EventNumber(45), agent: AgentNumber(7),
    slot: DebtSlot(3), asset: AssetNumber(1))
}
