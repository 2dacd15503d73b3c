@testable import LedgerCore

/// Bytes that every version of the program must write and read, worked out by a program that knows
/// only the format page. Written once: a change here breaks every ledger there is.
enum Golden {
  /// One frame: what goes in and what lies on disk.
  struct Frame: Sendable {
    var event: Event
    var time: UInt64
    var actor: Actor
    var key: IdempotencyKey?
    var commitment: Digest32?
    var body: [UInt8] = []
    var hex: String
  }

  static let start: UInt64 = 1_700_000_000_000_000_000
  static let key = IdempotencyKey(
    fingerprint: 0x100F_0E0D_0C0B_0A09_0807_0605_0403_0201, digest: 0xF8F7_F6F5_F4F3_F2F1)
  static let commitment = Digest32(Array(0x40..<0x60))
  private static let agent6 = Actor.agent(AgentNumber(6))
  private static let agent7 = Actor.agent(AgentNumber(7))
  private static let operator2 = Actor.operator(OperatorNumber(2))

  /// Every event of every slice.
  static let slices: [Frame] =
    [
      Frame(
        event: .genesis(
          .opened(
            ledger: 0x0F0E_0D0C_0B0A_0908_0706_0504_0302_0100, terms: .standard, livemode: true)
        ), time: start + 0, actor: Actor.ledger, body: Scenario.assets,
        hex: """
          00002a36fe9c971700000000000000005000010001040000000102030405060708090a0b0c0d0e0f01000000
          000000000000000000000000000000000000000000000000000000000000000000000000ffffffe73c80d09f
          3c2e3b03000000002800000000000000555344000000000000000000000000000900555344432e6261736500
          0000000000000900
          """),
      Frame(
        event: .refusal(
          .recorded(
            Refusal(
              .insufficientFunds, limit: Amount(units: 10), used: Amount(units: 2),
              asked: Amount(units: 101), rule: 7, ruleVersion: 3), operation: .pay)),
        time: start + 1,
        actor: agent7,
        key: key,
        hex: """
          01002a36fe9c9717070000000000000240000200010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
          f5f6f7f8010330010700000003000000000000000a0000000000000000000000000000000200000000000000
          000000000000000065000000000000000000000000000000
          """),
      Frame(
        event: .identity(.tenantRegistered(tenant: TenantNumber(5), name: 0xABCDEF)),
        time: start + 2,
        actor: .anonymous, commitment: commitment,
        hex: """
          02002a36fe9c971700000000000000011800010101020000404142434445464748494a4b4c4d4e4f50515253
          5455565758595a5b5c5d5e5fefcdab000000000000000000000000000500000000000000
          """),
      Frame(
        event: .identity(
          .agentRegistered(
            agent: AgentNumber(6), tenant: TenantNumber(5), wallet: WalletNumber(9), name: 0xFEDCBA,
            apiKey: CredentialNumber(11), secretKey: CredentialNumber(12))), time: start + 3,
        actor: .anonymous, key: key, commitment: commitment,
        hex: """
          03002a36fe9c9717000000000000000138000201010300000102030405060708090a0b0c0d0e0f10f1f2f3f4
          f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fbadcfe0000000000
          00000000000000000600000000000000050000000000000009000000000000000b000000000000000c000000
          00000000
          """),
      Frame(
        event: .identity(
          .operatorRegistered(operator: OperatorNumber(2), credential: CredentialNumber(13))),
        time: start + 4, actor: .administrator,
        hex: """
          04002a36fe9c97170000000000000004100003010100000002000000000000000d00000000000000
          """),
      Frame(
        event: .identity(
          .credentialIssued(
            credential: CredentialNumber(14), key: 0x1234, kind: .operatorKey,
            holder: .operator(OperatorNumber(2)))), time: start + 5, actor: operator2,
        hex: """
          05002a36fe9c971702000000000000032800040101000000341200000000000000000000000000000e000000
          0000000002000000000000030300000000000000
          """),
      Frame(
        event: .identity(.credentialRevoked(credential: CredentialNumber(14))), time: start + 6,
        actor: .administrator, key: key,
        hex: """
          06002a36fe9c9717000000000000000408000501010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
          f5f6f7f80e00000000000000
          """),
      Frame(
        event: .wallet(
          .opened(wallet: WalletNumber(10), agent: AgentNumber(6), asset: AssetNumber(2))),
        time: start + 7, actor: agent6,
        hex: """
          07002a36fe9c9717060000000000000218000102010000000a00000000000000060000000000000002000000
          00000000
          """),
      Frame(
        event: .wallet(
          .funded(
            wallet: WalletNumber(10), amount: Amount(units: 1_000_000_000), asset: AssetNumber(2))),
        time: start + 8, actor: agent6, key: key,
        hex: """
          08002a36fe9c9717060000000000000220000202010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
          f5f6f7f800ca9a3b0000000000000000000000000a000000000000000200000000000000
          """),
      Frame(
        event: .wallet(
          .assetAdded(asset: AssetNumber(7), code: AssetCode(bytes: 0x4C_5242), scale: 2)),
        time: start + 9, actor: .administrator,
        hex: """
          09002a36fe9c97170000000000000004200003020100000042524c0000000000000000000000000007000000
          000000000200000000000000
          """),
      Frame(
        event: .payment(
          .completed(
            Payments.Payment(
              amount: Amount(units: 5_000_000_000), fee: Amount(units: 20_000_000),
              payer: WalletNumber(9), payee: .wallet(WalletNumber(10)), schedule: ScheduleNumber(1),
              asset: AssetNumber(1), rail: .internal))), time: start + 10, actor: agent6, key: key,
        hex: """
          0a002a36fe9c9717060000000000000240000103010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
          f5f6f7f800f2052a010000000000000000000000002d31010000000000000000000000000900000000000000
          0a0000000000000000000000000000000100000001000000
          """),
      Frame(
        event: .payment(
          .completed(
            Payments.Payment(
              amount: Amount(units: 1 << 100), fee: Amount(units: 1), payer: WalletNumber(9),
              payee: .external(PayeeNumber(4)), schedule: ScheduleNumber(0xFFFF_FFFF),
              asset: AssetNumber(0xFFFF), rail: .internal))), time: start + 11, actor: agent6,
        key: key, commitment: commitment,
        hex: """
          0b002a36fe9c9717060000000000000240000103010300000102030405060708090a0b0c0d0e0f10f1f2f3f4
          f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f0000000000000000
          0000000010000000010000000000000000000000000000000900000000000000040000000000000000000000
          00000000ffffffffffff0001
          """),
      Frame(
        event: .payment(
          .payeeRegistered(
            payee: PayeeNumber(4), tenant: TenantNumber(5), asset: AssetNumber(1), label: 0xB0B)),
        time: start + 12, actor: agent6, commitment: commitment,
        hex: """
          0c002a36fe9c971706000000000000022800020301020000404142434445464748494a4b4c4d4e4f50515253
          5455565758595a5b5c5d5e5f0b0b000000000000000000000000000004000000000000000500000000000000
          0100000000000000
          """),
      Frame(
        event: .fee(
          .set(
            schedule: ScheduleNumber(2),
            terms: Fees.Terms(
              flat: Amount(units: 30), basisPoints: 25, min: Amount(units: 40),
              max: Amount(units: 50)
            ), begins: Timestamp(nanoseconds: start + 1_000))), time: start + 13, actor: operator2,
        key: key,
        hex: """
          0d002a36fe9c9717020000000000000348000104010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
          f5f6f7f80200000000000000e8032a36fe9c97171e0000000000000000000000000000002800000000000000
          0000000000000000320000000000000000000000000000001900000000000000
          """),
      Frame(
        event: .fee(
          .began(schedule: ScheduleNumber(2), effective: Timestamp(nanoseconds: start + 1_000))),
        time: start + 14, actor: .ledger,
        hex: """
          0e002a36fe9c9717000000000000000010000204010000000200000000000000e8032a36fe9c9717
          """),
    ] + moving + disputes + policies

  /// Those of money that is held, given back or set aside, and of what is stopped.
  private static let moving: [Frame] = [
    Frame(
      event: .wallet(.frozen(wallet: WalletNumber(10))),
      time: start + 30, actor: operator2, commitment: commitment,
      hex: """
        1e002a36fe9c971702000000000000030800040201020000404142434445464748494a4b4c4d4e4f50515253
        5455565758595a5b5c5d5e5f0a00000000000000
        """),
    Frame(
      event: .wallet(.unfrozen(wallet: WalletNumber(10))),
      time: start + 31, actor: operator2, key: key,
      hex: """
        1f002a36fe9c9717020000000000000308000502010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f80a00000000000000
        """),
    Frame(
      event: .wallet(
        .closed(
          wallet: WalletNumber(10), to: .none, amount: Amount(units: 7),
          asset: AssetNumber(2))),
      time: start + 32, actor: agent6, key: key,
      hex: """
        20002a36fe9c9717060000000000000228000602010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8070000000000000000000000000000000a0000000000000000000000000000000200000000000000
        """),
    Frame(
      event: .wallet(
        .reopened(
          wallet: WalletNumber(10), agent: AgentNumber(6), amount: Amount(units: 8),
          asset: AssetNumber(2))),
      time: start + 33, actor: agent6, key: key,
      hex: """
        21002a36fe9c9717060000000000000228000702010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8080000000000000000000000000000000a0000000000000006000000000000000200000000000000
        """),
    Frame(
      event: .wallet(
        .setAside(
          wallet: WalletNumber(10), agent: AgentNumber(6), amount: Amount(units: 9),
          asset: AssetNumber(2))),
      time: start + 34, actor: agent6,
      hex: """
        22002a36fe9c971706000000000000022800080201000000090000000000000000000000000000000a000000
        0000000006000000000000000200000000000000
        """),
    Frame(
      event: .payment(
        .completed(
          Payments.Payment(
            amount: Amount(units: 500), fee: Amount(units: 5), payer: WalletNumber(9),
            payee: .wallet(WalletNumber(10)), schedule: ScheduleNumber(1), asset: AssetNumber(1),
            rail: .internal, side: .payee))),
      time: start + 35, actor: agent6, key: key,
      hex: """
        23002a36fe9c9717060000000000000240000103010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8f4010000000000000000000000000000050000000000000000000000000000000900000000000000
        0a0000000000000000000000000000000100000001000010
        """),
    Frame(
      event: .fee(
        .set(
          schedule: ScheduleNumber(3),
          terms: Fees.Terms(basisPoints: 25, side: .payee, isFeeRefunded: true),
          begins: Timestamp(nanoseconds: start + 1_000))),
      time: start + 36, actor: operator2,
      hex: """
        24002a36fe9c9717020000000000000348000104010000000300000000000000e8032a36fe9c971700000000
        00000000000000000000000000000000000000000000000000000000ffffffe73c80d09f3c2e3b0300000000
        1900000001010000
        """),
    Frame(
      event: .reservation(
        .reserved(
          Reservations.Hold(
            amount: Amount(units: 1 << 100), fee: Amount(units: 3), payer: WalletNumber(9),
            payee: .external(PayeeNumber(4)), deadline: Timestamp(nanoseconds: start + 1_000),
            slot: ReservationSlot(2), schedule: ScheduleNumber(1), asset: AssetNumber(1),
            purpose: .hold, isMultiple: true))),
      time: start + 37, actor: agent6, key: key, commitment: commitment,
      hex: """
        25002a36fe9c9717060000000000000250000105010300000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f0000000000000000
        00000000100000000300000000000000000000000000000009000000000000000400000000000000e8032a36
        fe9c9717020000000000000001000000010001030000000000000000
        """),
    Frame(
      event: .reservation(
        .captured(
          Reservations.Capture(
            payment: Payments.Payment(
              amount: Amount(units: 500), fee: Amount(units: 5), payer: WalletNumber(9),
              payee: .external(PayeeNumber(4)), schedule: ScheduleNumber(1), asset: AssetNumber(1),
              rail: .internal, side: .payee), released: Amount(units: 6),
            reservation: EventNumber(22), slot: ReservationSlot(2), isLast: true))),
      time: start + 38, actor: agent6, key: key,
      hex: """
        26002a36fe9c9717060000000000000260000205010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8f4010000000000000000000000000000050000000000000000000000000000000900000000000000
        0400000000000000000000000000000001000000010000310600000000000000000000000000000016000000
        000000000200000000000000
        """),
    Frame(
      event: .reservation(
        .released(
          Reservations.End(
            amount: Amount(units: 6), payer: WalletNumber(9), reservation: EventNumber(22),
            slot: ReservationSlot(2), asset: AssetNumber(1)))),
      time: start + 39, actor: agent6, key: key,
      hex: """
        27002a36fe9c9717060000000000000230000305010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f806000000000000000000000000000000090000000000000016000000000000000200000000000000
        0100000000000000
        """),
    Frame(
      event: .reservation(
        .expired(
          Reservations.End(
            amount: Amount(units: 6), payer: WalletNumber(9), reservation: EventNumber(22),
            slot: ReservationSlot(2), asset: AssetNumber(1)),
          effective: Timestamp(nanoseconds: start + 1_000))),
      time: start + 40, actor: .ledger,
      hex: """
        28002a36fe9c9717000000000000000038000405010000000600000000000000000000000000000009000000
        00000000160000000000000002000000000000000100000000000000e8032a36fe9c9717
        """),
    Frame(
      event: .refund(
        .completed(
          Refunds.Refund(
            amount: Amount(units: 6), fee: Amount(units: 1), payment: EventNumber(11),
            payer: WalletNumber(9), payee: .external(PayeeNumber(4)), asset: AssetNumber(1),
            rail: .internal, side: .payee))),
      time: start + 41, actor: operator2, key: key, commitment: commitment,
      hex: """
        29002a36fe9c9717020000000000000340000106010300000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f0600000000000000
        0000000000000000010000000000000000000000000000000b00000000000000090000000000000004000000
        000000000100000300000000
        """),
    Frame(
      event: .pause(.paused(.tenant(TenantNumber(5)))),
      time: start + 42, actor: operator2, key: key, commitment: commitment,
      hex: """
        2a002a36fe9c9717020000000000000310000107010300000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f0200000000000000
        0500000000000000
        """),
    Frame(
      event: .pause(.resumed(.ledger)),
      time: start + 43, actor: operator2,
      hex: """
        2b002a36fe9c97170200000000000003100002070100000001000000000000000000000000000000
        """),
  ]

  /// Every combination of flags.
  static let flags: [Frame] = [
    Frame(
      event: .fee(.began(schedule: ScheduleNumber(3), effective: Timestamp(nanoseconds: 4))),
      time: start + 15, actor: .ledger,
      hex: """
        0f002a36fe9c97170000000000000000100002040100000003000000000000000400000000000000
        """),
    Frame(
      event: .fee(.began(schedule: ScheduleNumber(3), effective: Timestamp(nanoseconds: 4))),
      time: start + 16, actor: .ledger, key: key,
      hex: """
        10002a36fe9c9717000000000000000010000204010100000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f803000000000000000400000000000000
        """),
    Frame(
      event: .fee(.began(schedule: ScheduleNumber(3), effective: Timestamp(nanoseconds: 4))),
      time: start + 17, actor: .ledger, commitment: commitment,
      hex: """
        11002a36fe9c971700000000000000001000020401020000404142434445464748494a4b4c4d4e4f50515253
        5455565758595a5b5c5d5e5f03000000000000000400000000000000
        """),
    Frame(
      event: .fee(.began(schedule: ScheduleNumber(3), effective: Timestamp(nanoseconds: 4))),
      time: start + 18, actor: .ledger, key: key, commitment: commitment,
      hex: """
        12002a36fe9c9717000000000000000010000204010300000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f0300000000000000
        0400000000000000
        """),
    Frame(
      event: .fee(.began(schedule: ScheduleNumber(3), effective: Timestamp(nanoseconds: 4))),
      time: start + 19, actor: .ledger, body: [1, 2, 3],
      hex: """
        13002a36fe9c97170000000000000000100002040104000003000000000000000400000000000000010203
        """),
    Frame(
      event: .fee(.began(schedule: ScheduleNumber(3), effective: Timestamp(nanoseconds: 4))),
      time: start + 20, actor: .ledger, key: key, body: [1, 2, 3],
      hex: """
        14002a36fe9c9717000000000000000010000204010500000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f803000000000000000400000000000000010203
        """),
    Frame(
      event: .fee(.began(schedule: ScheduleNumber(3), effective: Timestamp(nanoseconds: 4))),
      time: start + 21, actor: .ledger, commitment: commitment, body: [1, 2, 3],
      hex: """
        15002a36fe9c971700000000000000001000020401060000404142434445464748494a4b4c4d4e4f50515253
        5455565758595a5b5c5d5e5f03000000000000000400000000000000010203
        """),
    Frame(
      event: .fee(.began(schedule: ScheduleNumber(3), effective: Timestamp(nanoseconds: 4))),
      time: start + 22, actor: .ledger, key: key, commitment: commitment, body: [1, 2, 3],
      hex: """
        16002a36fe9c9717000000000000000010000204010700000102030405060708090a0b0c0d0e0f10f1f2f3f4
        f5f6f7f8404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f0300000000000000
        0400000000000000010203
        """),
  ]

  /// The first three of ``slices`` as block 1.
  static let block = """
    4c424c4b010000000100000000000000030000004c01000002002a36fe9c9717282c84f37bff1798c46ddaf3
    10d5932517cea1e3e20d3fa32c6b77f2d8164f7502aaf2a20000000000002a36fe9c97170000000000000000
    5000010001040000000102030405060708090a0b0c0d0e0f0100000000000000000000000000000000000000
    0000000000000000000000000000000000000000ffffffe73c80d09f3c2e3b03000000002800000000000000
    555344000000000000000000000000000900555344432e6261736500000000000000090001002a36fe9c9717
    070000000000000240000200010100000102030405060708090a0b0c0d0e0f10f1f2f3f4f5f6f7f801033001
    0700000003000000000000000a00000000000000000000000000000002000000000000000000000000000000
    6500000000000000000000000000000002002a36fe9c97170000000000000001180001010102000040414243
    4445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fefcdab00000000000000000000000000
    0500000000000000000000008c000000fc000000
    """

  /// Texts "first" of event 0 and "third!" of event 2 of a block.
  static let notes = """
    4c4e54450200000094bbb8320000000000000000000000000500000002000000050000000600000066697273
    74746869726421
    """

  /// Event 7, transaction 9, a root that begins 00 01 02 …, epoch 3, the first record.
  static let headRecord = """
    4c4845414430303107000000000000000900000000000000000102030405060708090a0b0c0d0e0f03000000
    000000000100000000000000d3e5bd0200000000
    """

  /// The bytes of a hex string; line breaks are passed over.
  static func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
  }
}
