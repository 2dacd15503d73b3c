/// Policies: what wallets may spend, as data: for one wallet, for all of an agent's, a tenant's, or
/// the ledger's.
///
/// Life of a policy:
///
///     set ──▶ coming ──▶ in force ──▶ replaced
///              its begin, by timer
///
/// Whatever takes something new from a wallet, a payment or a hold, must pass every policy that
/// bears on it; what ends an obligation passes anyway. A wallet that a policy is about is not
/// closed by its agent, who has others. Limits count what leaves the wallet, the fee that it bears
/// included. What is not mentioned where something of its kind is, is denied: an asset beside
/// limits in others, a payee beside allowed ones, a payment of no category.
///
/// Within a linked unit no timer fires, so a policy that comes in force meanwhile binds what
/// follows the unit.
///
/// Invariant: of each scope at most one policy is in force and at most one is coming. A limit that
/// the next version repeats goes on counting; every other begins with nothing used.
public enum Policies {
  /// Whose spending a policy is about.
  public enum Scope: Hashable, Sendable {
    /// Everybody's together, so that one can use up all. Set by staff only, and without labels,
    /// which are a tenant's.
    case ledger
    /// All agents' of a tenant, together.
    case tenant(TenantNumber)
    /// All wallets' of an agent, together.
    case agent(AgentNumber)
    /// One wallet's.
    case wallet(WalletNumber)
  }

  /// What a rule allows or denies.
  public enum Target: Hashable, Sendable {
    /// A payee: a wallet of this ledger.
    case wallet(WalletNumber)
    /// A payee: an external label, by its keyed hash (``Preparation/hash(label:of:)``).
    case label(UInt128)
    /// How it settles.
    case rail(Rail)
    /// What the payer says it is for, by its keyed hash (``Preparation/hash(category:)``).
    case category(UInt128)
  }

  /// Days and times at which spending is allowed, in UTC.
  public struct Hours: Hashable, Sendable {
    /// Bit 0 for Monday to bit 6 for Sunday; at least one.
    public var days: UInt8
    /// The first minute of the day, 0 to 1,439.
    public var from: UInt16
    /// The first minute that is not in it any more, up to 1,440. Greater than ``from``; what goes
    /// beyond midnight is two rules.
    public var until: UInt16

    /// These days and times.
    public init(days: UInt8, from: UInt16, until: UInt16) {
      self.days = days
      self.from = from
      self.until = until
    }

    func contains(_ time: Timestamp) -> Bool {
      let window = UInt64(from)..<UInt64(until)
      return days >> UInt8(time.weekday) & 1 == 1 && window.contains(time.minuteOfDay)
    }
  }

  /// One thing that a policy says.
  public enum Rule: Hashable, Sendable {
    /// At most so much at once in an asset. Greater than zero.
    case perPayment(Amount, AssetNumber)
    /// At most so much in a period in an asset. Greater than zero.
    case spend(Amount, AssetNumber, Limits.Period)
    /// At most so many payments and holds in a period, 1 to ``countLimitMax``. What is captured of
    /// a hold is not counted again.
    case count(UInt32, Limits.Period)
    /// Nothing but this, and what other such rules of its kind name: payees, rails or categories.
    case allow(Target)
    /// All but this.
    case deny(Target)
    /// Only then, or when other such rules say.
    case hours(Hours)
    /// A payment of more waits, with its money held, until somebody who manages the tenant approves
    /// it, at most so many seconds: 1 to ``Reservations/secondsMax``. A hold of more is denied.
    case approval(above: Amount, AssetNumber, seconds: UInt32)
  }

  /// The most rules of one policy.
  public static let ruleCountMax = 128
  /// The greatest number that a rule limits payments to.
  public static let countLimitMax: UInt32 = 1_000_000_000

  // MARK: - Commands

  /// What can be asked about policies.
  public enum Command: Hashable, Sendable {
    /// Sets the policy of a scope, in force from `begins`, which must be later than now, or at once
    /// where it is ``Timestamp/none``. It replaces the one in force, or where both are yet to
    /// come, the one that is coming. By staff, or by the admin of the scope's tenant; what staff
    /// set, staff alone replaces.
    ///
    /// The request's body lists the rules (``Rule/body(_:)``); without any, nothing is restricted.
    /// Its first text has the labels and categories that they name, in their order.
    case set(Scope, begins: Timestamp)
  }

  // MARK: - Events

  /// A policy as it was set.
  public struct Setting: Hashable, Sendable {
    /// Whose spending it is about.
    public var scope: Scope
    /// The how-manieth of this scope, from 1.
    public var version: UInt32
    /// From when on it is in force, when an event of its own says so.
    public var begins: Timestamp
    /// Its row until another is in its place.
    public var slot: PolicySlot
  }

  /// That a payment or a hold passed the policies that bear on it, and counts for their limits.
  public struct Use: Hashable, Sendable {
    /// What left the wallet or is held, fee included.
    public var amount: Amount
    /// The wallet.
    public var payer: WalletNumber
    /// The event of the payment or the hold.
    public var payment: EventNumber
    /// The row of the hold, or none.
    public var hold: ReservationSlot
    /// The moment that it was decided at, which says in which periods it counts.
    public var effective: Timestamp
    /// What it is for, as the payer said, by keyed hash; or 0.
    public var category: UInt128
    /// The asset of the amount.
    public var asset: AssetNumber
    /// The events that set the policies it passed: of the wallet, the agent, the tenant and the
    /// ledger; none where there is none.
    public var policies: InForce
  }

  /// What a policy denied, with all that it was asked about, so that anybody can ask again.
  public struct Denial: Hashable, Sendable {
    /// What was to be paid or held, before the fee.
    public var amount: Amount
    /// The wallet that would have paid.
    public var payer: WalletNumber
    /// Who would have been paid; the receivers of a split are in the body (``Splits/Share``).
    public var recipient: Payments.Recipient
    /// What it was for, as the payer said, by keyed hash; or 0.
    public var category: UInt128
    /// The moment that it was asked at.
    public var effective: Timestamp
    /// How it would have settled.
    public var rail: Rail
    /// Whether it was a hold, and no payment.
    public var isHold: Bool
  }

  /// The policies in force for one wallet, closest first, each by the event that set it, or none.
  public struct InForce: Hashable, Sendable {
    /// That of the wallet.
    public var wallet = EventNumber.none
    /// That of its agent.
    public var agent = EventNumber.none
    /// That of the agent's tenant.
    public var tenant = EventNumber.none
    /// That of everybody.
    public var ledger = EventNumber.none

    /// None.
    public init() {}

    /// Whether any is in force.
    public var isAny: Bool { wallet.isSome || agent.isSome || tenant.isSome || ledger.isSome }
  }

  /// What happens to policies.
  public enum Event: Hashable, Sendable {
    /// A policy was set, with its rules in the body.
    case set(Setting)
    /// It is in force. `effective` is its deadline, not the recorded time.
    case began(scope: Scope, version: UInt32, slot: PolicySlot, effective: Timestamp)
    /// Something passed, and counts.
    case counted(Use)
    /// Something was denied, as the refusal before it says with the rule. Nothing moved.
    case denied(Denial)
  }
}

extension Policies.Scope {
  /// Kind and number, as the frame and the state have them. Kinds are never reused.
  var words: (kind: UInt64, number: UInt64) {
    switch self {
    case .ledger: (1, 0)
    case .tenant(let tenant): (2, tenant.rawValue)
    case .agent(let agent): (3, agent.rawValue)
    case .wallet(let wallet): (4, wallet.rawValue)
    }
  }

  /// The scope of these words; `nil` where they are none that this version knows.
  init?(kind: UInt64, number: UInt64) {
    switch kind {
    case 1 where number == 0: self = .ledger
    case 2: self = .tenant(TenantNumber(number))
    case 3: self = .agent(AgentNumber(number))
    case 4: self = .wallet(WalletNumber(number))
    default: return nil  // not ours: a number from the disk
    }
  }
}
