/// The number of one thing of a kind, given by the engine, from 1 and without gaps (`design.md`
/// 4.7).
///
/// Zero stands for "none". Numbers never leave the process as such; callers outside see text ids
/// that leak no volume (``TextId``).
@frozen
public struct Number<Kind>: Hashable, Comparable, Sendable {
  /// The number itself.
  public var rawValue: UInt64

  /// The number `rawValue`.
  @inlinable
  public init(_ rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// No such thing.
  @inlinable
  public static var none: Number { Number(0) }

  /// Whether this names a thing at all.
  @inlinable
  public var isSome: Bool { rawValue != 0 }

  @inlinable
  public static func < (a: Number, b: Number) -> Bool { a.rawValue < b.rawValue }
}

extension Number: CustomStringConvertible {
  /// The decimal number, for messages.
  public var description: String { String(rawValue) }
}

/// The kinds of numbered things. Empty: they only keep one kind of number from standing for
/// another.
public enum Kinds {
  /// A position in the log.
  public enum Event {}
  /// A wallet.
  public enum Wallet {}
  /// An agent.
  public enum Agent {}
  /// A tenant: AgentPay's `operator` field, MPP's company.
  public enum Tenant {}
  /// A member of the platform's staff.
  public enum Operator {}
  /// An API key, a secret key or an operator key.
  public enum Credential {}
  /// An external payee: a label of a tenant, in one asset.
  public enum Payee {}
  /// A version of the fee schedule.
  public enum Schedule {}
  /// The row of an open reservation.
  public enum ReservationSlot {}
  /// The row of an unfinished dispute.
  public enum DisputeSlot {}
  /// The row of what an unfinished dispute claims of one receiver.
  public enum ClaimSlot {}
  /// The row of what somebody owes.
  public enum DebtSlot {}
  /// The row of a policy that is in force or will be.
  public enum PolicySlot {}
  /// A unit of account such as USD. Assets are rows written by events, never an enum.
  public enum Asset {}
}

/// A position in the log, from 1, without gaps. A payment's number is that of its event.
public typealias EventNumber = Number<Kinds.Event>
/// A wallet's number.
public typealias WalletNumber = Number<Kinds.Wallet>
/// An agent's number.
public typealias AgentNumber = Number<Kinds.Agent>
/// A tenant's number.
public typealias TenantNumber = Number<Kinds.Tenant>
/// An operator's number.
public typealias OperatorNumber = Number<Kinds.Operator>
/// A credential's number.
public typealias CredentialNumber = Number<Kinds.Credential>
/// The row that an open reservation has in the state. Used again once it is free; the reservation's
/// own number is that of the event that made it.
public typealias ReservationSlot = Number<Kinds.ReservationSlot>
/// The row that an unfinished dispute has in the state, used again once it is free.
public typealias DisputeSlot = Number<Kinds.DisputeSlot>
/// The row of a claim, used again once it is free.
public typealias ClaimSlot = Number<Kinds.ClaimSlot>
/// The row of a debt, used again once it is free.
public typealias DebtSlot = Number<Kinds.DebtSlot>
/// The row of a policy, used again once another is in its place.
public typealias PolicySlot = Number<Kinds.PolicySlot>
/// An external payee's number.
public typealias PayeeNumber = Number<Kinds.Payee>
/// An asset's number, from 1 in the order of registration; at most 65,535.
public typealias AssetNumber = Number<Kinds.Asset>
/// A fee schedule's number; at most 4,294,967,295.
public typealias ScheduleNumber = Number<Kinds.Schedule>

/// An asset's code: 1 to 16 bytes of printable ASCII such as `USD` or `USDC.base`.
///
/// Two integers instead of a `String`, so that events stay trivial.
public struct AssetCode: Hashable, Sendable, CustomStringConvertible {
  /// The sixteen bytes, first byte in the lowest bits, zero-padded.
  public var bytes: UInt128

  /// The code with these sixteen bytes.
  public init(bytes: UInt128) {
    self.bytes = bytes
  }

  /// The code spelled `text`; `nil` where it is empty, longer than 16 bytes or not printable ASCII.
  public init?(_ text: some StringProtocol) {
    var bytes: UInt128 = 0
    var count = 0
    for byte in text.utf8 {
      guard byte > 0x20, byte < 0x7F, count < 16 else { return nil }
      bytes |= UInt128(byte) << UInt128(count * 8)
      count += 1
    }
    guard count > 0 else { return nil }
    self.bytes = bytes
  }

  /// The code as text.
  public var description: String {
    let ascii = [UInt8](capacity: 16) { ascii in
      var rest = bytes
      while rest != 0 {
        ascii.append(UInt8(truncatingIfNeeded: rest))
        rest >>= 8
      }
    }
    return String(decoding: ascii, as: UTF8.self)
  }
}

/// The way a payment settles. One byte in the frame.
public enum Rail: UInt8, Hashable, Sendable, CaseIterable {
  /// Between wallets and labels of this ledger, completed at once [AP-22].
  case `internal` = 0
}

/// Who caused an event: eight bytes of its frame, the role in the highest byte.
public struct Actor: Hashable, Sendable {
  /// What someone may do here. One byte in the frame, never reused.
  public enum Role: UInt8, Hashable, Sendable, CaseIterable {
    /// The engine itself: genesis and due timers.
    case ledger = 0
    /// Nobody in particular: an unauthenticated registration [AP-08].
    case anonymous = 1
    /// An agent, for its own wallets.
    case agent = 2
    /// Platform staff. Never acts where he is a party.
    case `operator` = 3
    /// Whoever can open the data directory.
    case administrator = 4
    /// Manages a tenant: its agents, policies, approvals and refunds.
    case tenantAdmin = 5
  }

  /// Role in the highest byte, number of the agent, operator or tenant below.
  public var rawValue: UInt64

  /// The actor with these eight bytes; `nil` for a role this version does not know.
  public init?(rawValue: UInt64) {
    guard Role(rawValue: UInt8(rawValue >> 56)) != nil else { return nil }
    self.rawValue = rawValue
  }

  init(_ role: Role, _ number: UInt64 = 0) {
    precondition(number < 1 << 56)
    rawValue = UInt64(role.rawValue) << 56 | number
  }

  /// The engine.
  public static let ledger = Actor(.ledger)
  /// Somebody without a credential.
  public static let anonymous = Actor(.anonymous)
  /// Whoever can open the data directory.
  public static let administrator = Actor(.administrator)
  /// An agent.
  public static func agent(_ number: AgentNumber) -> Actor { Actor(.agent, number.rawValue) }
  /// Whoever manages a tenant.
  public static func tenantAdmin(_ number: TenantNumber) -> Actor {
    Actor(.tenantAdmin, number.rawValue)
  }
  /// A member of the platform's staff.
  public static func `operator`(_ number: OperatorNumber) -> Actor {
    Actor(.operator, number.rawValue)
  }

  /// What this actor may do.
  public var role: Role {
    guard let role = Role(rawValue: UInt8(rawValue >> 56)) else {
      preconditionFailure("an actor is only made with a known role")
    }
    return role
  }

  /// The agent, or none.
  public var agent: AgentNumber { AgentNumber(number(as: .agent)) }

  /// The tenant that he manages, or none.
  public var tenant: TenantNumber { TenantNumber(number(as: .tenantAdmin)) }

  /// The operator, or none.
  public var `operator`: OperatorNumber { OperatorNumber(number(as: .operator)) }

  @inline(__always)
  private func number(as role: Role) -> UInt64 {
    rawValue >> 56 == UInt64(role.rawValue) ? rawValue & 0x00FF_FFFF_FFFF_FFFF : 0
  }
}

extension Actor {
  /// Whether this is an operator or an administrator.
  public var isStaff: Bool { role == .operator || role == .administrator }

  /// Whether he manages this tenant: as its admin, or as staff.
  public func manages(_ tenant: TenantNumber) -> Bool {
    isStaff || role == .tenantAdmin && self.tenant == tenant
  }
}
