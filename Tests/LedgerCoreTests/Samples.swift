import TestSupport

@testable import LedgerCore

/// Events at random, and one of each code.
enum Samples {
  /// One event of each code, in the order of the codes.
  static let all: [Event] = {
    var random = SplitMix64(seeded: "samples")
    var found: [UInt16: Event] = [:]
    // Sixteen draws per event kind find each with certainty, short of a broken generator.
    for _ in 0..<1_000 {
      let event = event(&random)
      found[event.code] = event
    }
    return found.sorted { $0.key < $1.key }.map(\.value)
  }()

  static func actor(_ random: inout SplitMix64) -> Actor {
    switch random.below(6) {
    case 5: .tenantAdmin(TenantNumber(random.next() >> 8))
    case 0: .ledger
    case 1: .anonymous
    case 2: .agent(AgentNumber(random.next() >> 8))
    case 3: .operator(OperatorNumber(random.next() >> 8))
    default: .administrator  // not ours: a random number
    }
  }

  static func terms(_ random: inout SplitMix64) -> Fees.Terms {
    Fees.Terms(
      flat: random.amount(), basisPoints: UInt32(random.below(10_001)), min: random.amount(),
      max: random.amount(), side: side(&random), isFeeRefunded: random.below(2) == 0)
  }

  private static func side(_ random: inout SplitMix64) -> Fees.Side {
    random.below(2) == 0 ? .payer : .payee
  }

  static func event(_ random: inout SplitMix64) -> Event {
    switch random.below(12) {
    case 10: .policy(policy(&random))
    case 0:
      .genesis(
        .opened(
          ledger: random.wide(), terms: terms(&random), livemode: random.below(2) == 0))
    case 1: .refusal(refusal(&random))
    case 2: .identity(identity(&random))
    case 3: .wallet(wallet(&random))
    case 4: .payment(payment(&random))
    case 5: .reservation(reservation(&random))
    case 6: .refund(refund(&random))
    case 7: .pause(pause(&random))
    case 8: .dispute(dispute(&random))
    case 9: .receivable(receivable(&random))
    default: .fee(fee(&random))  // not ours: a random number
    }
  }

  private static func refusal(_ random: inout SplitMix64) -> Refusals.Event {
    let reason = Rejection.allCases[random.below(Rejection.allCases.count)]
    return .recorded(
      Refusal(
        reason, limit: random.amount(), used: random.amount(),
        asked: Amount(units: Int128(truncatingIfNeeded: random.wide())),
        rule: UInt32(truncatingIfNeeded: random.next()),
        ruleVersion: UInt32(truncatingIfNeeded: random.next()),
        about: reason.isAboutEvent ? number(&random) : .none,
        resets: reason.isOfPolicy ? Timestamp(nanoseconds: random.next()) : .none),
      operation: Operation.allCases[random.below(Operation.allCases.count)])
  }

  private static func dispute(_ random: inout SplitMix64) -> Disputes.Event {
    switch random.below(6) {
    case 0:
      .opened(
        Disputes.Opening(
          principal: random.amount(), payment: number(&random), dispute: number(&random),
          payer: number(&random), slot: number(&random), asset: number(&random),
          reason: Disputes.Reason.allCases[random.below(Disputes.Reason.allCases.count)],
          party: Disputes.Party.allCases[random.below(2)]))
    case 1:
      .evidenceSubmitted(
        dispute: number(&random), slot: number(&random),
        Disputes.Evidence.allCases[random.below(3)])
    case 2: .reviewed(dispute: number(&random), slot: number(&random))
    case 3: .withdrawn(disputeEnd(&random))
    case 4: .denied(disputeEnd(&random))
    default: .refunded(disputeEnd(&random))  // not ours: a random number
    }
  }

  private static func disputeEnd(_ random: inout SplitMix64) -> Disputes.End {
    Disputes.End(
      held: random.amount(), payment: number(&random), dispute: number(&random),
      payer: number(&random), slot: number(&random), asset: number(&random))
  }

  private static func receivable(_ random: inout SplitMix64) -> Receivables.Event {
    let writeOff = Receivables.WriteOff(
      amount: random.amount(), dispute: number(&random), agent: number(&random),
      slot: number(&random), asset: number(&random))
    switch random.below(5) {
    case 0: return .writeOffAsked(writeOff)
    case 1: return .writtenOff(writeOff)
    case 2:
      return .capSet(tenant: number(&random), asset: number(&random), cap: random.amount())
    default: break  // not ours: a random number
    }
    let destinations: [Receivables.Destination] = [
      .hold, .wallet(number(&random)), .suspense(number(&random)),
    ]
    return .netted(
      Receivables.Netting(
        receivable: random.amount(), uncovered: random.amount(), dispute: number(&random),
        source: random.below(2) == 0 ? .wallet(number(&random)) : .suspense(number(&random)),
        destination: destinations[random.below(3)], slot: number(&random),
        asset: number(&random)))
  }

  private static func identity(_ random: inout SplitMix64) -> Identity.Event {
    switch random.below(5) {
    case 0: .tenantRegistered(tenant: number(&random), name: random.wide())
    case 1:
      .agentRegistered(
        agent: number(&random), tenant: number(&random), wallet: number(&random),
        name: random.wide(), apiKey: number(&random), secretKey: number(&random))
    case 2: .operatorRegistered(operator: number(&random), credential: number(&random))
    case 3:
      .credentialIssued(
        credential: number(&random), key: random.wide(),
        kind: Identity.CredentialKind.allCases[random.below(4)], holder: actor(&random))
    default: .credentialRevoked(credential: number(&random))  // not ours: a random number
    }
  }

  private static func wallet(_ random: inout SplitMix64) -> Wallets.Event {
    switch random.below(8) {
    case 0: .opened(wallet: number(&random), agent: number(&random), asset: number(&random))
    case 2: .frozen(wallet: number(&random))
    case 3: .unfrozen(wallet: number(&random))
    case 4:
      .closed(
        wallet: number(&random), to: number(&random), amount: random.amount(),
        asset: number(&random))
    case 5:
      .reopened(
        wallet: number(&random), agent: number(&random), amount: random.amount(),
        asset: number(&random))
    case 6:
      .setAside(
        wallet: number(&random), agent: number(&random), amount: random.amount(),
        asset: number(&random))
    case 1: .funded(wallet: number(&random), amount: random.amount(), asset: number(&random))
    default:  // not ours: a random number
      .assetAdded(
        asset: number(&random), code: AssetCode(bytes: random.wide()),
        scale: UInt8(random.below(19)))
    }
  }

  private static func payment(_ random: inout SplitMix64) -> Payments.Event {
    if random.below(2) == 0 {
      return .payeeRegistered(
        payee: number(&random), tenant: number(&random), asset: number(&random),
        label: random.wide())
    }
    return .completed(paid(&random))
  }

  /// A fee on the payee's side leaves him something.
  private static func paid(_ random: inout SplitMix64) -> Payments.Payment {
    let (amount, other) = (random.amount(), random.amount())
    let isPayee = random.below(2) == 0 && amount != other
    return Payments.Payment(
      amount: isPayee ? max(amount, other) : amount, fee: isPayee ? min(amount, other) : other,
      payer: number(&random), payee: payee(&random),
      schedule: ScheduleNumber(random.next() >> 32), asset: AssetNumber(random.next() >> 48),
      rail: rail(&random), side: isPayee ? .payee : .payer)
  }

  private static func payee(_ random: inout SplitMix64) -> Payments.Payee {
    random.below(2) == 0 ? .wallet(number(&random)) : .external(number(&random))
  }

  private static func rail(_ random: inout SplitMix64) -> Rail {
    Rail.allCases[random.below(Rail.allCases.count)]
  }

  private static func reservation(_ random: inout SplitMix64) -> Reservations.Event {
    switch random.below(4) {
    case 0:
      .reserved(
        Reservations.Hold(
          amount: random.amount(), fee: random.amount(), payer: number(&random),
          payee: payee(&random), deadline: Timestamp(nanoseconds: random.next()),
          slot: number(&random), schedule: ScheduleNumber(random.next() >> 32),
          asset: AssetNumber(random.next() >> 48),
          purpose: Reservations.Purpose.allCases[random.below(2)],
          isMultiple: random.below(2) == 0))
    case 1:
      .captured(
        Reservations.Capture(
          payment: paid(&random), released: random.amount(), reservation: number(&random),
          slot: number(&random), isLast: random.below(2) == 0))
    case 2: .released(end(&random))
    default:  // not ours: a random number
      .expired(end(&random), effective: Timestamp(nanoseconds: random.next()))
    }
  }

  private static func end(_ random: inout SplitMix64) -> Reservations.End {
    Reservations.End(
      amount: random.amount(), payer: number(&random), reservation: number(&random),
      slot: number(&random), asset: number(&random))
  }

  private static func refund(_ random: inout SplitMix64) -> Refunds.Event {
    .completed(
      Refunds.Refund(
        amount: random.amount(), fee: random.amount(), payment: number(&random),
        payer: number(&random), payee: payee(&random), asset: AssetNumber(random.next() >> 48),
        rail: rail(&random), side: side(&random)))
  }

  private static func pause(_ random: inout SplitMix64) -> Pauses.Event {
    let scopes: [Pauses.Scope] = [.ledger, .tenant(number(&random)), .rail(rail(&random))]
    let scope = scopes[random.below(3)]
    return random.below(2) == 0 ? .paused(scope) : .resumed(scope)
  }

  private static func policy(_ random: inout SplitMix64) -> Policies.Event {
    let scopes: [Policies.Scope] = [
      .ledger, .tenant(number(&random)), .agent(number(&random)), .wallet(number(&random)),
    ]
    let scope = scopes[random.below(4)]
    let version = UInt32(1 + random.below(1_000))
    let time = Timestamp(nanoseconds: random.next())
    switch random.below(4) {
    case 3:
      return .denied(
        Policies.Denial(
          amount: random.amount(), payer: number(&random),
          recipient: .external(label: random.wide()), category: random.wide(), effective: time,
          rail: rail(&random), isHold: random.below(2) == 0))
    case 0:
      return .set(
        Policies.Setting(scope: scope, version: version, begins: time, slot: number(&random)))
    case 1: return .began(scope: scope, version: version, slot: number(&random), effective: time)
    default:  // not ours: a random number
      var policies = Policies.InForce()
      for index in 0..<4 { policies[index] = number(&random) }
      return .counted(
        Policies.Use(
          amount: random.amount(), payer: number(&random), payment: number(&random),
          hold: number(&random), effective: time, category: random.wide(),
          asset: number(&random), policies: policies))
    }
  }

  private static func fee(_ random: inout SplitMix64) -> Fees.Event {
    random.below(2) == 0
      ? .set(
        schedule: number(&random), terms: terms(&random),
        begins: Timestamp(nanoseconds: random.next()))
      : .began(schedule: number(&random), effective: Timestamp(nanoseconds: random.next()))
  }

  private static func number<Kind>(_ random: inout SplitMix64) -> Number<Kind> {
    Number(random.next())
  }
}
