@testable import LedgerCore

/// Payments that wait, and who manages tenants.
extension Generator {
  /// Approves, denies or cancels what waits, mostly by somebody who may.
  mutating func decideWaiting(_ model: NaiveLedger, _ broken: Int) -> Request {
    guard let hold = waiting(model) else { return pay(model, broken, isExternal: false) }
    var number = hold.number
    // A hold is its holder's, and nobody approves it.
    let holds = model.reservations.filter { $0.isOpen && $0.purpose == .hold }
    if !holds.isEmpty, dice.isOne(in: 8) { number = dice.pick(holds).number }
    let admin = Actor.tenantAdmin(TenantNumber(model.tenant(of: hold.payer)))
    var (command, actor) = (Approvals.Command.approve(number), admin)
    if dice.isOne(in: 2) { actor = staff(model) }
    if dice.isOne(in: 8) { actor = owner(hold.payer, model) }
    switch dice.below(6) {
    case 0: command = .deny(number)
    case 1: (command, actor) = (.cancel(number), owner(hold.payer, model))
    case 2: (command, actor) = (.cancel(number), hold.asker)
    default: break  // not ours: a random number
    }
    for _ in 0..<broken {
      switch dice.below(6) {
      case 0: number = EventNumber(self.number(beyond: model.log.count))
      case 1: number = EventNumber(UInt64(1 + dice.below(model.log.count)))
      case 2: actor = hold.asker
      case 3: actor = owner(hold.payer, model)
      case 4: actor = .tenantAdmin(TenantNumber(UInt64(1 + dice.below(model.tenants.count))))
      default: actor = anybody(model)
      }
      if dice.isOne(in: 3), let any = model.reservations.last { number = any.number }
      command = dice.pick([.approve(number), .deny(number), .cancel(number)])
    }
    return Request(.approval(command), by: actor)
  }

  /// Mostly one that waits still.
  private mutating func waiting(_ model: NaiveLedger) -> NaiveLedger.Reservation? {
    let all = model.reservations.filter { $0.purpose == .approval }
    let open = all.filter(\.isOpen)
    if open.isEmpty || dice.isOne(in: 8) { return all.isEmpty ? nil : dice.pick(all) }
    let splits = open.filter { !$0.parts.isEmpty }
    if !splits.isEmpty, dice.isOne(in: 3) { return dice.pick(splits) }
    return dice.pick(open)
  }

  // MARK: - Tenants

  mutating func registerTenantAdmin(_ model: NaiveLedger, _ broken: Int) -> Request {
    var tenant = TenantNumber(UInt64(1 + dice.below(model.tenants.count)))
    var name: UInt128 = 0
    // A named one, which others may want to join; or one that is new.
    if dice.isOne(in: 2) { (tenant, name) = (.none, UInt128(1 + dice.below(6))) }
    var key = dice.bits128()
    var actor = staff(model)
    for _ in 0..<broken {
      switch dice.below(4) {
      case 0: (tenant, name) = (TenantNumber(number(beyond: model.tenants.count)), 0)
      case 1: key = dice.isOne(in: 3) ? 0 : dice.pick(model.credentials).key
      default: actor = anybody(model)
      }
    }
    return Request(
      .identity(.registerTenantAdmin(tenant: tenant, name: name, key: key)), by: actor)
  }

  /// The admin of a tenant and the tenant's name.
  mutating func admin(_ model: NaiveLedger) -> (actor: Actor, name: UInt128) {
    let admins = model.credentials.filter { $0.kind == .tenantKey }
    guard !admins.isEmpty else {
      let place = dice.below(model.tenants.count)
      return (.tenantAdmin(TenantNumber(UInt64(place + 1))), model.tenants[place])
    }
    let tenant = dice.pick(admins).holder.tenant
    return (.tenantAdmin(tenant), model.tenants[Int(tenant.rawValue) - 1])
  }

  // MARK: - Receivables

  mutating func setCap(_ model: NaiveLedger, _ broken: Int) -> Request {
    let wallet = payer(model)
    var tenant = TenantNumber(dice.isOne(in: 2) ? 0 : model.tenant(of: wallet))
    var asset = model.wallets[wallet].asset
    let owed = model.outstanding(tenant.rawValue, asset)
    var cap = owed + dice.magnitude(to: max(model.available(wallet), 1))
    if dice.isOne(in: 6) { cap = dice.pick([0, owed, Amount.commandMax.units]) }
    var actor = staff(model)
    for _ in 0..<broken {
      switch dice.below(4) {
      case 0: tenant = TenantNumber(number(beyond: model.tenants.count))
      case 1: asset = AssetNumber(number(beyond: model.assets.count))
      case 2: cap = dice.pick([-1, Amount.commandMax.units + 1, .max])
      default: actor = anybody(model)
      }
    }
    return Request(
      .receivable(.setCap(tenant, asset, Amount(units: cap))), by: actor)
  }

  /// What somebody owes of a dispute that was decided, by one operator and then another.
  mutating func writeOff(_ model: NaiveLedger, _ broken: Int) -> Request {
    let decided = model.debts.filter { $0.payer != nil }
    guard let debt = decided.isEmpty ? model.debts.last : dice.pick(decided) else {
      return model.disputes.isEmpty ? dispute(model, broken) : decide(model, broken)
    }
    if decided.isEmpty, dice.isOne(in: 2) { return decide(model, broken) }
    var number = debt.dispute
    var agent = AgentNumber(debt.agent)
    var actor = staff(model)
    if model.operators > 0, !dice.isOne(in: 8) {
      actor = .operator(OperatorNumber(UInt64(1 + dice.below(model.operators))))
    }
    for _ in 0..<broken {
      switch dice.below(5) {
      case 0: number = EventNumber(UInt64(1 + dice.below(model.log.count)))
      case 1: agent = AgentNumber(UInt64(1 + dice.below(model.agents.count)))
      case 2: if let asker = debt.asker { actor = asker }
      case 3: if let dispute = model.disputes.last { number = dispute.number }
      default: actor = anybody(model)
      }
    }
    return Request(.receivable(.writeOff(number, of: agent)), by: actor)
  }
}
