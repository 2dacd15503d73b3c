@testable import LedgerCore

extension NaiveLedger {
  /// Does the command and records its events, or leaves everything as it is.
  mutating func perform(_ request: Request) throws(Refusal) {
    let actor = request.actor
    // The command's own text, and that of what it may register.
    let own = request.texts.first?.readable
    let other = request.texts.dropFirst().first?.readable
    switch request.command {
    case .identity(.registerAgent(let tenant, let name, let asset, let apiKey, let secretKey)):
      try checkAgent(name, asset, apiKey, secretKey, by: actor)
      registerTenant(tenant, by: actor, other)
      registerAgent(tenant, name, asset, apiKey, secretKey, by: actor, own)
    case .identity(.registerOperator(let key)):
      try registerOperator(key, by: actor)
    case .identity(.issue(let key, let kind)):
      try issue(key, kind, by: actor)
    case .identity(.revoke(let credential)):
      try revoke(credential, by: actor)
    case .wallet(.open(let agent, let asset)):
      try open(agent, asset, by: actor)
    case .wallet(.fund(let wallet, let amount, let asset, let cap)):
      try fund(wallet, amount.units, asset, cap: cap.units, by: actor)
    case .wallet(.addAsset(let code, let scale)):
      try addAsset(code, scale, by: actor)
    case .payment(.pay(let from, let to, let amount, let asset, let rail)):
      try pay(from: from, to: to, amount.units, asset, rail, by: actor, own, label: other)
    case .fee(.set(let terms, let begins)):
      try setFees(terms, begins: begins.nanoseconds, by: actor)
    }
  }
}

// MARK: - Payments

extension NaiveLedger {
  /// The largest amount a command may name: 18 digits before the point, 9 behind it.
  private static let amountMax: Int128 = 999_999_999_999_999_999_999_999_999

  private func checkRange(_ units: Int128) throws(Refusal) {
    let asked = Amount(units: units)
    guard units > 0 else { throw Refusal(.amountNotPositive, asked: asked) }
    guard units <= Self.amountMax else {
      throw Refusal(.amountOutOfRange, limit: Amount(units: Self.amountMax), asked: asked)
    }
  }

  private mutating func pay(
    from: WalletNumber, to: Payments.Recipient, _ amount: Int128, _ named: AssetNumber,
    _ rail: Rail, by actor: Actor, _ text: String?, label: String?
  ) throws(Refusal) {
    if bug == .payeeIsCheckedFirst { _ = try payee(to, from: from, nil) }
    try checkRange(amount)
    guard let payer = place(from.rawValue, in: wallets.count), mayUse(payer, actor)
    else { throw Refusal(.walletNotFound) }
    let asset = wallets[payer].asset
    let wallet = try payee(to, from: from, asset)
    guard !named.isSome || named == asset || bug == .namedAssetIsIgnored
    else { throw Refusal(.currencyDiffers) }

    let fee = fee(on: amount)
    let available = available(payer)
    var covered = bug == .feeIsNotCovered ? amount : amount + fee
    if bug == .balanceIsNeverEmptied { covered += 1 }
    guard covered <= available else {
      throw Refusal(
        .insufficientFunds, limit: Amount(units: available), asked: Amount(units: amount + fee))
    }

    let toWhom: (account: String, payee: Payments.Payee)
    if let wallet {
      toWhom = (Self.wallet(wallet), .wallet(WalletNumber(UInt64(wallet + 1))))
    } else if case .external(let hash) = to {
      let tenant = agents[Int(wallets[payer].agent) - 1].tenant
      let payee = external(hash, of: tenant, asset, actor, label)
      toWhom = (external(payee), .external(PayeeNumber(UInt64(payee + 1))))
    } else {
      preconditionFailure("a payee is a wallet or external")
    }
    move(amount, asset, debit: Self.wallet(payer), credit: toWhom.account)
    move(
      fee, asset, debit: Self.wallet(payer),
      credit: bug == .feeGoesToPayee ? toWhom.account : Self.feeIncome)
    let payment = Payments.Payment(
      amount: Amount(units: amount), fee: Amount(units: fee), payer: from, payee: toWhom.payee,
      schedule: ScheduleNumber(UInt64(schedule)), asset: asset, rail: rail)
    record(.payment(.completed(payment)), by: actor, text)
  }

  private func mayUse(_ wallet: Int, _ actor: Actor) -> Bool {
    if isStaff(actor) || bug == .anybodyMayPay { return true }
    guard let agent = agent(actor) else { return false }
    return wallets[wallet].agent == UInt64(agent + 1)
  }

  /// The wallet paid, or `nil` for an external label; `asset` is the payer's.
  private func payee(
    _ to: Payments.Recipient, from: WalletNumber, _ asset: AssetNumber?
  ) throws(Refusal) -> Int? {
    switch to {
    case .external(let label):
      guard label != 0 else { throw Refusal(.payeeNotFound) }
      return nil
    case .wallet(let number):
      guard let wallet = place(number.rawValue, in: wallets.count)
      else { throw Refusal(.payeeNotFound) }
      guard number != from || bug == .selfPaymentIsAllowed else { throw Refusal(.selfPayment) }
      guard asset == nil || wallets[wallet].asset == asset || bug == .payeeAssetIsIgnored
      else { throw Refusal(.currencyDiffers) }
      return wallet
    }
  }

  /// The payee behind a label, from 0; registered where it is new in this asset to this tenant.
  private mutating func external(
    _ label: UInt128, of tenant: UInt64, _ asset: AssetNumber, _ actor: Actor, _ text: String?
  ) -> Int {
    let known = payees.firstIndex { payee in
      payee.label == label
        && (payee.tenant == tenant || bug == .externalPayeeIsSharedByTenants)
        && (payee.asset == asset || bug == .externalPayeeIsSharedByAssets)
    }
    if let known { return known }
    payees.append(Payee(tenant: tenant, asset: asset, label: label))
    let event = Payments.Event.payeeRegistered(
      payee: PayeeNumber(UInt64(payees.count)), tenant: TenantNumber(tenant), asset: asset,
      label: label)
    record(.payment(event), by: actor, text)
    return payees.count - 1
  }
}

// MARK: - Fees

extension NaiveLedger {
  /// The fee that counts now: what is flat and the share, within the bounds.
  func fee(on amount: Int128) -> Int128 {
    let terms = schedules[schedule - 1].terms
    let fee = terms.flat.units + share(Int128(terms.basisPoints), of: amount)
    if fee < terms.min.units { return terms.min.units }
    return fee > terms.max.units ? terms.max.units : fee
  }

  /// So many ten-thousandths, rounded up: whole ten-thousands first, then what is left of them.
  private func share(_ basisPoints: Int128, of amount: Int128) -> Int128 {
    let rest = amount % 10_000 * basisPoints
    var share = amount / 10_000 * basisPoints + rest / 10_000
    if bug == .feeRoundsDown { return share }
    if rest % 10_000 != 0 { share += 1 }
    // The least number of units that is no less than the exact share.
    precondition(share * 10_000 >= amount * basisPoints)
    precondition(share == 0 || (share - 1) * 10_000 < amount * basisPoints)
    return share
  }

  private mutating func setFees(
    _ terms: Fees.Terms, begins: UInt64, by actor: Actor
  ) throws(Refusal) {
    guard isStaff(actor) else { throw Refusal(.notPermitted) }
    for amount in [terms.flat, terms.min, terms.max] {
      guard amount.units >= 0, amount.units <= Self.amountMax
      else { throw Refusal(.scheduleInvalid) }
    }
    guard terms.basisPoints <= 10_000, terms.min.units <= terms.max.units
    else { throw Refusal(.scheduleInvalid) }
    // A deadline that is now has passed (`accounting.md` 6).
    guard begins == 0 || begins > time else { throw Refusal(.scheduleInPast) }

    let deadline = begins == 0 ? time : begins
    schedules.append(Schedule(terms: terms, waitsFor: begins == 0 ? nil : begins))
    let number = ScheduleNumber(UInt64(schedules.count))
    if begins == 0 || bug == .scheduleCountsAtOnce { schedule = schedules.count }
    let moment = Timestamp(nanoseconds: deadline)
    record(.fee(.set(schedule: number, terms: terms, begins: moment)), by: actor)
    if begins == 0 { record(.fee(.began(schedule: number, effective: moment)), by: actor) }
  }
}

// MARK: - Wallets and assets

extension NaiveLedger {
  private mutating func open(
    _ agent: AgentNumber, _ asset: AssetNumber, by actor: Actor
  ) throws(Refusal) {
    guard let owner = place(agent.rawValue, in: agents.count),
      isStaff(actor) || self.agent(actor) == owner
    else { throw Refusal(.agentNotFound) }
    guard place(asset.rawValue, in: assets.count) != nil else { throw Refusal(.assetNotFound) }
    openWallet(UInt64(owner + 1), asset, by: actor)
  }

  private mutating func openWallet(_ agent: UInt64, _ asset: AssetNumber, by actor: Actor) {
    let opened = EventNumber(UInt64(log.count + 1))
    wallets.append(Wallet(agent: agent, asset: asset, opened: opened))
    let event = Wallets.Event.opened(
      wallet: WalletNumber(UInt64(wallets.count)), agent: AgentNumber(agent), asset: asset)
    record(.wallet(event), by: actor)
  }

  private mutating func fund(
    _ number: WalletNumber, _ amount: Int128, _ named: AssetNumber, cap: Int128, by actor: Actor
  ) throws(Refusal) {
    guard !livemode else { throw Refusal(.testLedgerOnly) }
    try checkRange(amount)
    guard let wallet = place(number.rawValue, in: wallets.count), mayUse(wallet, actor)
    else { throw Refusal(.walletNotFound) }
    let asset = wallets[wallet].asset
    guard !named.isSome || named == asset || bug == .namedAssetIsIgnored
    else { throw Refusal(.currencyDiffers) }
    guard amount <= (bug == .capIsOneLess ? cap - 1 : cap) || bug == .capIsIgnored else {
      throw Refusal(
        .fundingCapExceeded, limit: Amount(units: cap), asked: Amount(units: amount))
    }
    move(amount, asset, debit: Self.faucet, credit: Self.wallet(wallet))
    let event = Wallets.Event.funded(
      wallet: number, amount: Amount(units: amount), asset: asset)
    record(.wallet(event), by: actor)
  }

  private mutating func addAsset(
    _ code: AssetCode, _ scale: UInt8, by actor: Actor
  ) throws(Refusal) {
    guard isStaff(actor) else { throw Refusal(.notPermitted) }
    guard AssetCode(code.description)?.bytes == code.bytes, scale <= 18
    else { throw Refusal(.assetInvalid) }
    guard !assets.contains(where: { $0.bytes == code.bytes })
    else { throw Refusal(.assetExists) }
    assets.append(code)
    let event = Wallets.Event.assetAdded(
      asset: AssetNumber(UInt64(assets.count)), code: code, scale: scale)
    record(.wallet(event), by: actor)
  }
}

// MARK: - Identity

extension NaiveLedger {
  private func checkAgent(
    _ name: UInt128, _ asset: AssetNumber, _ apiKey: UInt128, _ secretKey: UInt128,
    by actor: Actor
  ) throws(Refusal) {
    guard actor.role != .agent else { throw Refusal(.notPermitted) }
    guard place(asset.rawValue, in: assets.count) != nil else { throw Refusal(.assetNotFound) }
    let isTaken = name != 0 && agents.contains { $0.name == name }
    guard !isTaken || bug == .nameIsNeverTaken else { throw Refusal(.agentNameTaken) }
    try checkFree([apiKey, secretKey])
  }

  /// The tenant of this name, from 1; each 0 is a tenant of its own.
  private func tenant(_ name: UInt128) -> UInt64? {
    guard name != 0, bug != .tenantIsNeverFound else { return nil }
    return tenants.firstIndex(of: name).map { UInt64($0 + 1) }
  }

  private mutating func registerTenant(_ name: UInt128, by actor: Actor, _ text: String?) {
    guard tenant(name) == nil else { return }
    tenants.append(name)
    let number = TenantNumber(UInt64(tenants.count))
    let event = Identity.Event.tenantRegistered(tenant: number, name: name)
    // A tenant that is an agent's own has no name.
    record(.identity(event), by: actor, name == 0 ? nil : text)
  }

  private mutating func registerAgent(
    _ tenantName: UInt128, _ name: UInt128, _ asset: AssetNumber, _ apiKey: UInt128,
    _ secretKey: UInt128, by actor: Actor, _ text: String?
  ) {
    let tenant = tenant(tenantName) ?? UInt64(tenants.count)
    let wallet = WalletNumber(UInt64(wallets.count + 1))
    agents.append(Agent(tenant: tenant, name: name, wallet: wallet))
    let agent = AgentNumber(UInt64(agents.count))
    openWallet(agent.rawValue, asset, by: actor)
    let apiNumber = issueCredential(apiKey, .apiKey, to: .agent(agent), by: actor)
    let secretNumber = issueCredential(secretKey, .secretKey, to: .agent(agent), by: actor)
    let event = Identity.Event.agentRegistered(
      agent: agent, tenant: TenantNumber(tenant), wallet: wallet, name: name,
      apiKey: apiNumber, secretKey: secretNumber)
    record(.identity(event), by: actor, text)
  }

  private mutating func registerOperator(_ key: UInt128, by actor: Actor) throws(Refusal) {
    guard actor.role == .administrator else { throw Refusal(.notPermitted) }
    try checkFree([key])
    operators += 1
    let number = OperatorNumber(UInt64(operators))
    let credential = issueCredential(key, .operatorKey, to: .operator(number), by: actor)
    let event = Identity.Event.operatorRegistered(operator: number, credential: credential)
    record(.identity(event), by: actor)
  }

  private mutating func issue(
    _ key: UInt128, _ kind: Identity.CredentialKind, by actor: Actor
  ) throws(Refusal) {
    switch (actor.role, kind) {
    case (.agent, .apiKey), (.agent, .secretKey):
      guard agent(actor) != nil else { throw Refusal(.agentNotFound) }
    case (.operator, .operatorKey):
      let number = actor.rawValue & 0x00FF_FFFF_FFFF_FFFF
      guard place(number, in: operators) != nil else { throw Refusal(.operatorNotFound) }
    default:
      throw Refusal(.notPermitted)
    }
    try checkFree([key])
    _ = issueCredential(key, kind, to: actor, by: actor)
  }

  private mutating func revoke(_ number: CredentialNumber, by actor: Actor) throws(Refusal) {
    // One's own; the administrator ends any, because replacing keys is his (`design.md` 4.16).
    guard let credential = place(number.rawValue, in: credentials.count),
      credentials[credential].holder == actor || actor.role == .administrator,
      !credentials[credential].isRevoked
    else { throw Refusal(.credentialNotFound) }
    credentials[credential].isRevoked = true
    record(.identity(.credentialRevoked(credential: number)), by: actor)
  }

  /// No key is nothing, used twice in one command, or was ever used.
  private func checkFree(_ keys: [UInt128]) throws(Refusal) {
    for (index, key) in keys.enumerated() {
      let isTaken =
        key == 0 || keys[..<index].contains(key)
        || credentials.contains { used in
          used.key == key && !(used.isRevoked && bug == .revokedKeyIsFree)
        }
      guard !isTaken else { throw Refusal(.credentialTaken) }
    }
  }

  private mutating func issueCredential(
    _ key: UInt128, _ kind: Identity.CredentialKind, to holder: Actor, by actor: Actor
  ) -> CredentialNumber {
    credentials.append(Credential(key: key, kind: kind, holder: holder, isRevoked: false))
    let number = CredentialNumber(UInt64(credentials.count))
    let event = Identity.Event.credentialIssued(
      credential: number, key: key, kind: kind, holder: holder)
    record(.identity(event), by: actor)
    return number
  }
}

extension SealedText {
  /// A run's texts are not sealed before a ledger takes them.
  init(readable text: String) {
    self.init(commitment: .none, ciphertext: Array(text.utf8))
  }

  var readable: String { String(decoding: ciphertext, as: UTF8.self) }
}
