extension Policies.Event {
  var code: UInt16 {
    switch self {
    case .set: 0x0A01
    case .began: 0x0A02
    case .counted: 0x0A03
    case .denied: 0x0A04
    }
  }

  /// A policy: scope 16, begin 8, row 8, version 8. Its begin: scope 16, row 8, version 8,
  /// effective 8.
  func encode(into writer: inout ByteWriter) {
    switch self {
    case .set(let setting):
      setting.scope.encode(into: &writer)
      writer.put(setting.begins)
      writer.put(setting.slot)
      writer.put(UInt64(setting.version))
    case .began(let scope, let version, let slot, let effective):
      scope.encode(into: &writer)
      writer.put(slot)
      writer.put(UInt64(version))
      writer.put(effective)
    case .counted(let use): use.encode(into: &writer)
    case .denied(let denial): denial.encode(into: &writer)
    }
  }

  init(code: UInt16, from reader: inout ByteReader) throws(StorageError) {
    switch code {
    case 0x0A01:
      let scope = try Policies.Scope(from: &reader)
      let begins = try reader.time()
      let slot: PolicySlot = try reader.number()
      let version = try Self.version(from: &reader)
      self = .set(Policies.Setting(scope: scope, version: version, begins: begins, slot: slot))
    case 0x0A02:
      let scope = try Policies.Scope(from: &reader)
      let slot: PolicySlot = try reader.number()
      let version = try Self.version(from: &reader)
      self = .began(scope: scope, version: version, slot: slot, effective: try reader.time())
    case 0x0A03: self = .counted(try Policies.Use(from: &reader))
    case 0x0A04: self = .denied(try Policies.Denial(from: &reader))
    default:  // not ours: a number from the disk
      throw Event.unknown(code)
    }
  }
}

extension Policies.Event {
  private static func version(from reader: inout ByteReader) throws(StorageError) -> UInt32 {
    guard let version = UInt32(exactly: try reader.take(UInt64.self)), version > 0 else {
      throw .damaged("a policy's version is none")
    }
    return version
  }
}

extension Policies.Scope {
  fileprivate func encode(into writer: inout ByteWriter) {
    writer.put(words.kind)
    writer.put(words.number)
  }

  fileprivate init(from reader: inout ByteReader) throws(StorageError) {
    let kind: UInt64 = try reader.take()
    guard let scope = Policies.Scope(kind: kind, number: try reader.take()) else {
      throw .refused("a policy is of a newer version")
    }
    self = scope
  }
}

extension Policies.Use {
  /// 104 bytes: amount 16, category 16, payer 8, payment 8, hold's row 8, effective 8, asset 8, the
  /// policies of wallet, agent, tenant and ledger 8 each.
  fileprivate func encode(into writer: inout ByteWriter) {
    writer.put(amount)
    writer.put(category)
    writer.put(payer)
    writer.put(payment)
    writer.put(hold)
    writer.put(effective)
    writer.put(asset)
    writer.put(policies.wallet)
    writer.put(policies.agent)
    writer.put(policies.tenant)
    writer.put(policies.ledger)
  }

  fileprivate init(from reader: inout ByteReader) throws(StorageError) {
    amount = try reader.amount()
    category = try reader.take()
    payer = try reader.number()
    payment = try reader.number()
    hold = try reader.number()
    effective = try reader.time()
    asset = try reader.number()
    policies = Policies.InForce()
    policies.wallet = try reader.number()
    policies.agent = try reader.number()
    policies.tenant = try reader.number()
    policies.ledger = try reader.number()
  }
}

extension Policies.Denial {
  /// 72 bytes: amount 16, category 16, wallet number or hash of the label 16, payer 8, effective 8,
  /// kind of the recipient 1 (0 a wallet, 1 a label, 4 several), rail 1, whether a hold 1, zero 5.
  fileprivate func encode(into writer: inout ByteWriter) {
    let (name, kind): (UInt128, UInt8) =
      switch recipient {
      case .wallet(let number): (UInt128(number.rawValue), 0)
      case .external(let label): (label, 1)
      case .split: (0, 4)
      }
    writer.put(amount)
    writer.put(category)
    writer.put(name)
    writer.put(payer)
    writer.put(effective)
    writer.put(kind)
    writer.put(rail.rawValue)
    writer.put(UInt8(isHold ? 1 : 0))
    writer.put(UInt8(0))
    writer.put(UInt32(0))
  }

  fileprivate init(from reader: inout ByteReader) throws(StorageError) {
    amount = try reader.amount()
    category = try reader.take()
    let name: UInt128 = try reader.take()
    payer = try reader.number()
    effective = try reader.time()
    let kind: UInt8 = try reader.take()
    let rail = Rail(rawValue: try reader.take())
    let isHold: UInt8 = try reader.take()
    try reader.zero(5)
    guard let rail, isHold <= 1 else { throw .refused("a denial is of a newer version") }
    switch (kind, UInt64(exactly: name)) {
    case (0, let number?): recipient = .wallet(WalletNumber(number))
    case (1, _): recipient = .external(label: name)
    case (4, 0): recipient = .split
    default: throw .refused("a denial is of a newer version")  // not ours: bytes from the disk
    }
    self.rail = rail
    self.isHold = isHold == 1
  }

  /// Refuses a body that is no list of receivers.
  func check(_ body: Span<UInt8>) throws(StorageError) {
    let count = Splits.Share.count(body)
    guard let count, recipient == .split ? count <= Splits.countMax : count == 0 else {
      throw .damaged("a denial has \(body.count) bytes of receivers")
    }
  }
}

/// The body of a policy: 40 bytes a rule, one after the other. The same in a request and in its
/// event. Never changes, since digests are taken over it.
extension Policies.Rule {
  static let byteCount = 40

  /// The body that lists these rules: of each kind 1, period or days 1, asset 2, seconds or minutes
  /// 4, limit 16, key 16.
  public static func body(_ rules: [Policies.Rule]) -> [UInt8] {
    var bytes: [UInt8] = []
    for rule in rules {
      let words = rule.words
      bytes.put(words.facts)
      bytes.put(words.limit)
      bytes.put(words.key)
    }
    return bytes
  }

  /// The rules in the body of an event.
  public static func all(_ body: Span<UInt8>) -> [Policies.Rule] {
    (0..<(count(body) ?? 0)).compactMap { read(body, $0) }
  }

  /// How many rules a body lists; `nil` where it is no list of them.
  static func count(_ body: Span<UInt8>) -> Int? {
    body.count % byteCount == 0 ? body.count / byteCount : nil
  }

  /// What the body has at `index`, which is less than ``count(_:)``.
  static func words(
    _ body: Span<UInt8>, _ index: Int
  ) -> (facts: UInt64, limit: Int128, key: UInt128) {
    let at = index * byteCount
    return (body.load(at: at), body.load(at: at + 8), body.load(at: at + 24))
  }

  /// The rule at `index`; `nil` where it is none that this version knows.
  static func read(_ body: Span<UInt8>, _ index: Int) -> Policies.Rule? {
    let words = words(body, index)
    return Policies.Rule(facts: words.facts, limit: words.limit, key: words.key)
  }

  /// Refuses a body that is no list of rules.
  static func check(_ body: Span<UInt8>) throws(StorageError) {
    guard let count = count(body), count <= Policies.ruleCountMax else {
      throw .damaged("a policy has \(body.count) bytes of rules")
    }
    for index in 0..<count where read(body, index) == nil {
      throw .refused("a policy's rule is of a newer version")
    }
  }

  /// Kinds are never reused.
  private var words: (facts: UInt64, limit: Int128, key: UInt128) {
    switch self {
    case .perPayment(let limit, let asset):
      (Self.facts(1, asset: asset), limit.units, 0)
    case .spend(let limit, let asset, let period):
      (Self.facts(2, period.rawValue, asset: asset), limit.units, 0)
    case .count(let limit, let period): (Self.facts(3, period.rawValue), Int128(limit), 0)
    case .allow(let target): (Self.facts(4, target.kind), 0, target.key)
    case .deny(let target): (Self.facts(5, target.kind), 0, target.key)
    case .hours(let hours):
      (
        Self.facts(6, hours.days, extra: UInt32(hours.from) | UInt32(hours.until) << 16), 0, 0
      )
    case .approval(let above, let asset, let seconds):
      (Self.facts(7, asset: asset, extra: seconds), above.units, 0)
    }
  }

  private static func facts(
    _ kind: UInt64, _ detail: UInt8 = 0, asset: AssetNumber = .none, extra: UInt32 = 0
  ) -> UInt64 {
    kind | UInt64(detail) << 8 | (asset.rawValue & 0xFFFF) << 16 | UInt64(extra) << 32
  }

  /// The rule of these words; `nil` where they are none that this version knows, or have bits that
  /// it does not.
  init?(facts: UInt64, limit: Int128, key: UInt128) {
    self.init(decoding: facts, limit: limit, key: key)
    guard words == (facts, limit, key) else { return nil }
  }

  /// The rule of words that were checked, or ``init(facts:limit:key:)`` checks.
  @inline(__always)
  init?(decoding facts: UInt64, limit: Int128, key: UInt128) {
    let detail = UInt8(truncatingIfNeeded: facts >> 8)
    let asset = AssetNumber(facts >> 16 & 0xFFFF)
    let extra = UInt32(truncatingIfNeeded: facts >> 32)
    let period = Limits.Period(rawValue: detail)
    switch (facts & 0xFF, period) {
    case (1, _): self = .perPayment(Amount(units: limit), asset)
    case (2, let period?): self = .spend(Amount(units: limit), asset, period)
    case (3, let period?):
      guard let count = UInt32(exactly: limit) else { return nil }
      self = .count(count, period)
    case (4, _), (5, _):
      guard let target = Policies.Target(kind: detail, key) else { return nil }
      self = facts & 0xFF == 4 ? .allow(target) : .deny(target)
    case (6, _):
      self = .hours(
        Policies.Hours(
          days: detail, from: UInt16(truncatingIfNeeded: extra),
          until: UInt16(truncatingIfNeeded: extra >> 16)))
    case (7, _): self = .approval(above: Amount(units: limit), asset, seconds: extra)
    default: return nil  // not ours: a number from the disk or a caller
    }
  }

  /// Whether one of two rules of a body would be idle: both limit the same, or they are equal.
  static func isAlike(_ body: Span<UInt8>, _ first: Int, _ second: Int) -> Bool {
    let (a, b) = (words(body, first), words(body, second))
    // The thresholds of an asset differ in how long a payment waits, too.
    let mask: UInt64 = a.facts & 0xFF == 7 ? 0xFFFF_FFFF : .max
    return a.facts & mask == b.facts & mask && a.key == b.key
  }
}

extension Policies.Target {
  /// Kinds are never reused.
  fileprivate var kind: UInt8 {
    switch self {
    case .wallet: 1
    case .label: 2
    case .rail: 3
    case .category: 4
    }
  }

  fileprivate var key: UInt128 {
    switch self {
    case .wallet(let number): UInt128(number.rawValue)
    case .label(let hash), .category(let hash): hash
    case .rail(let rail): UInt128(rail.rawValue)
    }
  }

  fileprivate init?(kind: UInt8, _ key: UInt128) {
    switch kind {
    case 1:
      guard let number = UInt64(exactly: key) else { return nil }
      self = .wallet(WalletNumber(number))
    case 2: self = .label(key)
    case 3:
      guard let raw = UInt8(exactly: key), let rail = Rail(rawValue: raw) else { return nil }
      self = .rail(rail)
    case 4: self = .category(key)
    default: return nil  // not ours: a number from the disk or a caller
    }
  }
}
