import LedgerCore

extension Generator {
  /// A command and who asks it: mostly one that passes, else one that breaks up to three rules, so
  /// that the precedence of refusals is seen too.
  mutating func command(_ model: NaiveLedger) -> Request {
    guard let kind = Swarm.Kind(rawValue: dice.weighted(swarm.kinds)) else {
      preconditionFailure("each kind has a weight")
    }
    let broken = dice.isOne(in: swarm.brokenOneIn) ? 1 + dice.below(3) : 0
    if let request = goOn(model) { return request }
    switch kind {
    case .registerAgent: return registerAgent(model, broken)
    case .registerOperator: return registerOperator(model, broken)
    case .issue: return issue(model, broken)
    case .revoke: return revoke(model, broken)
    case .openWallet: return openWallet(model, broken)
    case .addAsset: return addAsset(model, broken)
    case .fund: return fund(model, broken)
    case .pay: return pay(model, broken, isExternal: false)
    case .payExternal: return pay(model, broken, isExternal: true)
    case .paySplit: return paySplit(model, broken)
    case .setFees: return setFees(model, broken)
    case .reserve: return reserve(model, broken)
    case .capture: return capture(model, broken)
    case .release: return release(model, broken)
    case .refund: return refund(model, broken)
    case .freeze: return freeze(model, broken)
    case .close: return close(model, broken)
    case .reopen: return reopen(model, broken)
    case .pause: return pause(model, broken)
    case .dispute: return dispute(model, broken)
    case .evidence: return submitEvidence(model, broken)
    case .decide: return decide(model, broken)
    case .repay: return repay(model, broken)
    case .setPolicy: return setPolicy(model, broken)
    case .decideWaiting: return decideWaiting(model, broken)
    case .registerTenantAdmin: return registerTenantAdmin(model, broken)
    case .setCap: return setCap(model, broken)
    case .writeOff: return writeOff(model, broken)
    }
  }
}

// MARK: - Payments

extension Generator {
  mutating func pay(
    _ model: NaiveLedger, _ broken: Int, isExternal: Bool
  ) -> Request {
    let payer = payer(model)
    var from = WalletNumber(UInt64(payer + 1))
    var actor = Actor.agent(AgentNumber(model.wallets[payer].agent))
    let payees = model.wallets.indices.filter {
      $0 != payer && model.wallets[$0].asset == model.wallets[payer].asset
    }
    // Tenants use the same labels: what they owe by them is theirs alone.
    var to = Payments.Recipient.external(label: UInt128(1 + dice.below(4)))
    if !isExternal, !payees.isEmpty { to = .wallet(WalletNumber(UInt64(dice.pick(payees) + 1))) }
    var amount = amount(model, payer)
    var asset = dice.isOne(in: 2) ? model.wallets[payer].asset : .none
    for _ in 0..<broken {
      switch dice.below(12) {
      case 0: amount = dice.isOne(in: 2) ? 0 : -1
      case 1: amount = Amount.commandMax.units + Int128(dice.below(2))
      case 2: amount = dice.isOne(in: 2) ? .max : .min
      case 11: to = .split
      case 3: from = WalletNumber(number(beyond: model.wallets.count))
      case 4: actor = anybody(model)
      case 5: to = .wallet(WalletNumber(number(beyond: model.wallets.count)))
      case 6: to = .external(label: 0)
      case 7: to = .wallet(from)
      case 8: to = .wallet(WalletNumber(UInt64(dice.below(model.wallets.count) + 1)))
      case 9: asset = AssetNumber(UInt64(dice.below(model.assets.count) + 1))
      default: asset = AssetNumber(number(beyond: model.assets.count))
      }
    }
    let command = Payments.Command.pay(
      from: from, to: to, amount: Amount(units: amount), asset: asset, rail: .internal,
      category: category())
    return Request(.payment(command), by: actor)
  }

  /// Mostly one that may pay and has something.
  mutating func payer(_ model: NaiveLedger) -> Int {
    for _ in 0..<3 {
      let payer = dice.below(model.wallets.count)
      if model.wallets[payer].status == .open, model.available(payer) > 0 { return payer }
    }
    return dice.below(model.wallets.count)
  }

  /// Often near a border: of the fee's rounding, of what is available, or of what is so little that
  /// a wallet may be closed with it.
  mutating func amount(_ model: NaiveLedger, _ payer: Int) -> Int128 {
    let available = model.available(payer)
    if dice.isOne(in: 3), let border = border(model, payer) { return border }
    let borders = model.schedules[model.schedule - 1].tiers.map(\.from)
    if !borders.isEmpty, dice.isOne(in: 4) {
      return max(dice.pick(borders) + Int128(dice.below(3)) - 1, 1)
    }
    switch dice.below(7) {
    case 0: return Int128(1 + dice.below(3))
    case 1: return Int128(249 + dice.below(3))
    case 2: return max(affordable(model, available), 1)
    case 3: return affordable(model, available) + 1
    case 4: return dice.magnitude(to: max(available, 1))
    case 5:
      let rest = model.leastAmount(model.wallets[payer].asset) - Int128(dice.below(2))
      return max(affordable(model, available - rest), 1)
    default: return max(available / Int128(2 + dice.below(20)), 1)
    }
  }

  /// The largest amount that `available` covers with its fee.
  func affordable(_ model: NaiveLedger, _ available: Int128) -> Int128 {
    var low: Int128 = 0
    var high = min(max(available, 0), Amount.commandMax.units)
    while low < high {
      let middle = high - (high - low) / 2
      if model.debited(middle, model.fee(on: middle)) <= available {
        low = middle
      } else {
        high = middle - 1
      }
    }
    return low
  }
}

// MARK: - Wallets and assets

extension Generator {
  private mutating func openWallet(_ model: NaiveLedger, _ broken: Int) -> Request {
    var agent = AgentNumber(UInt64(dice.below(model.agents.count) + 1))
    var asset = AssetNumber(UInt64(dice.below(model.assets.count) + 1))
    var actor = dice.isOne(in: 4) ? staff(model) : .agent(agent)
    for _ in 0..<broken {
      switch dice.below(3) {
      case 0: agent = AgentNumber(number(beyond: model.agents.count))
      case 1: asset = AssetNumber(number(beyond: model.assets.count))
      default: actor = anybody(model)
      }
    }
    return Request(.wallet(.open(agent: agent, asset: asset)), by: actor)
  }

  private mutating func fund(_ model: NaiveLedger, _ broken: Int) -> Request {
    let funded = dice.below(model.wallets.count)
    var wallet = WalletNumber(UInt64(funded + 1))
    var asset = dice.isOne(in: 2) ? model.wallets[funded].asset : .none
    var amount = dice.isOne(in: 4) ? swarm.cap : dice.magnitude(to: swarm.cap)
    var cap = swarm.cap
    let agent = AgentNumber(model.wallets[funded].agent)
    var actor = dice.isOne(in: 4) ? staff(model) : .agent(agent)
    for _ in 0..<broken {
      switch dice.below(9) {
      case 0: amount = dice.isOne(in: 2) ? 0 : -1
      case 1: amount = Amount.commandMax.units + Int128(dice.below(2))
      case 2: amount = dice.isOne(in: 2) ? .max : .min
      case 3: wallet = WalletNumber(number(beyond: model.wallets.count))
      case 4: actor = anybody(model)
      case 5: asset = AssetNumber(UInt64(dice.below(model.assets.count) + 1))
      case 6: asset = AssetNumber(number(beyond: model.assets.count))
      case 7: amount = min(swarm.cap, Amount.commandMax.units - 1) + 1
      default: cap = Int128(dice.below(2))
      }
    }
    let command = Wallets.Command.fund(
      wallet, amount: Amount(units: amount), asset: asset, cap: Amount(units: cap))
    return Request(.wallet(command), by: actor)
  }

  private mutating func addAsset(_ model: NaiveLedger, _ broken: Int) -> Request {
    var code = AssetCode(bytes: 0x4453_55 | UInt128(65 + dice.below(26)) << 24)
    var scale = UInt8(dice.below(19))
    var actor = staff(model)
    for _ in 0..<broken {
      switch dice.below(6) {
      case 0: code.bytes = 0
      case 1: code.bytes = 0x41_00_42
      case 2: code.bytes = UInt128.max
      case 3: scale = dice.isOne(in: 2) ? 19 : .max
      case 4: code = dice.pick(model.assets)
      default: actor = anybody(model)
      }
    }
    return Request(.wallet(.addAsset(code, scale: scale)), by: actor)
  }
}

// MARK: - Identity

extension Generator {
  private mutating func registerAgent(_ model: NaiveLedger, _ broken: Int) -> Request {
    var tenant = UInt128(dice.below(4))
    // A name's hash is one of the tenant's too; an agent of a tenant of its own needs none.
    var name = tenant == 0 || dice.isOne(in: 3) ? 0 : tenant << 64 | dice.bits128() >> 66
    var asset = AssetNumber(UInt64(dice.below(model.assets.count) + 1))
    var apiKey = dice.bits128()
    var secretKey = dice.bits128()
    var actor = dice.isOne(in: 4) ? staff(model) : .anonymous
    if swarm.kinds[Swarm.Kind.registerTenantAdmin.rawValue] > 0, dice.isOne(in: 3) {
      let admin = admin(model)
      (actor, tenant) = (admin.actor, dice.isOne(in: 3) ? 0 : admin.name)
      if dice.isOne(in: 4) { name = 0 }
    }
    for _ in 0..<broken {
      switch dice.below(9) {
      case 8: tenant = UInt128(dice.below(4))
      case 0, 7:
        let names = model.agents.map(\.name).filter { $0 >> 64 == tenant && $0 != 0 }
        if !names.isEmpty { name = dice.pick(names) }
      case 1: asset = AssetNumber(number(beyond: model.assets.count))
      case 2: apiKey = takenKey(model)
      case 3: secretKey = takenKey(model)
      case 4: secretKey = apiKey
      default: actor = anybody(model)
      }
    }
    let command = Identity.Command.registerAgent(
      tenant: tenant, name: name, asset: asset, apiKey: apiKey, secretKey: secretKey)
    return Request(.identity(command), by: actor)
  }

  mutating func registerOperator(
    _ model: NaiveLedger, _ broken: Int
  ) -> Request {
    var key = dice.bits128()
    var actor = Actor.administrator
    for _ in 0..<broken {
      if dice.isOne(in: 2) { key = takenKey(model) } else { actor = anybody(model) }
    }
    return Request(.identity(.registerOperator(key: key)), by: actor)
  }

  private mutating func issue(_ model: NaiveLedger, _ broken: Int) -> Request {
    var key = dice.bits128()
    let isOperator = model.operators > 0 && dice.isOne(in: 4)
    var actor = Actor.agent(AgentNumber(UInt64(dice.below(model.agents.count) + 1)))
    var kind: Identity.CredentialKind = dice.isOne(in: 2) ? .apiKey : .secretKey
    if isOperator {
      actor = .operator(OperatorNumber(UInt64(dice.below(model.operators) + 1)))
      kind = .operatorKey
    }
    if swarm.kinds[Swarm.Kind.registerTenantAdmin.rawValue] > 0, dice.isOne(in: 4) {
      (actor, kind) = (admin(model).actor, .tenantKey)
      if broken > 0 || dice.isOne(in: 2) { kind = dice.pick(Identity.CredentialKind.allCases) }
    }
    for _ in 0..<broken {
      switch dice.below(4) {
      case 0: key = takenKey(model)
      case 1: kind = dice.pick(Identity.CredentialKind.allCases)
      case 2:
        kind = .operatorKey
        actor = .operator(OperatorNumber(UInt64(model.operators + 1)))
      default: actor = anybody(model)
      }
    }
    return Request(.identity(.issue(key: key, kind: kind)), by: actor)
  }

  private mutating func revoke(_ model: NaiveLedger, _ broken: Int) -> Request {
    let credential = dice.below(model.credentials.count)
    var number = CredentialNumber(UInt64(credential + 1))
    var actor = model.credentials[credential].holder
    for _ in 0..<broken {
      if dice.isOne(in: 2) {
        number = CredentialNumber(self.number(beyond: model.credentials.count))
      } else {
        actor = anybody(model)
      }
    }
    return Request(.identity(.revoke(number)), by: actor)
  }

  private mutating func takenKey(_ model: NaiveLedger) -> UInt128 {
    dice.isOne(in: 4) ? 0 : dice.pick(model.credentials).key
  }
}

// MARK: - Who and what

extension Generator {
  mutating func staff(_ model: NaiveLedger) -> Actor {
    guard model.operators > 0, dice.isOne(in: 2) else { return .administrator }
    return .operator(OperatorNumber(UInt64(dice.below(model.operators) + 1)))
  }

  mutating func anybody(_ model: NaiveLedger) -> Actor {
    switch dice.below(7) {
    case 0: .anonymous
    case 1: .administrator
    case 4: .tenantAdmin(TenantNumber(UInt64(dice.below(model.tenants.count + 1) + 1)))
    case 2: .operator(OperatorNumber(UInt64(dice.below(model.operators + 1) + 1)))
    case 3: .agent(AgentNumber(number(beyond: model.agents.count) & 0x00FF_FFFF_FFFF_FFFF))
    default: .agent(AgentNumber(UInt64(dice.below(model.agents.count) + 1)))
    }
  }

  /// No thing's number, where there are `count`.
  mutating func number(beyond count: Int) -> UInt64 {
    let next = UInt64(count + 1)
    return dice.pick([0, next, next + 1, 65_536, 65_537, 1 << 32 | 1, 1 << 56 | 1, .max])
  }
}
