@testable import LedgerCore

/// What a model says is used of every policy and is owed of what was advanced.
extension NaiveLedger {
  /// The policies in force and coming, scope by scope, as the engine shows them.
  var limits: [LedgerCore.Policy] {
    scopes.flatMap { scope in
      [Stage.inForce, .coming].compactMap { stage in
        policy(of: scope, stage).map { shown(policies[$0]) }
      }
    }
  }

  /// Every scope that ever had a policy, each once.
  var scopes: [Policies.Scope] {
    policies.indices.filter { place in
      !policies[..<place].contains { $0.scope == policies[place].scope }
    }.map { policies[$0].scope }
  }

  private func shown(_ policy: Policy) -> LedgerCore.Policy {
    let isInForce = policy.stage == .inForce
    let lines = policy.lines.map { line in
      var shown = LedgerCore.Policy.Line(rule: line.rule, used: .zero, resets: .none)
      switch line.rule {
      case .spend(_, _, let period), .count(_, let period):
        guard isInForce else { return shown }
        shown.used = Amount(units: used(line, of: policy, at: time))
        shown.resets = Timestamp(nanoseconds: span(of: period, around: time).upperBound)
      case .perPayment, .allow, .deny, .hours, .approval: break
      }
      return shown
    }
    return LedgerCore.Policy(
      made: policy.made, scope: policy.scope, version: UInt32(policy.version),
      begins: Timestamp(nanoseconds: policy.begins), isInForce: isInForce, lines: lines)
  }

  /// What is owed of what was advanced, and the cap of it; of tenant none in all.
  struct Exposed: Hashable {
    var tenant: UInt64
    var asset: UInt64
    var outstanding: Int128
    var cap: Int128?
  }

  /// Of every tenant and asset where anything is owed or capped.
  var exposures: Set<Exposed> {
    var all: Set<Exposed> = []
    for tenant in 0...UInt64(tenants.count) {
      for asset in 1...UInt64(assets.count) {
        let cap = caps.first { $0.tenant == tenant && $0.asset.rawValue == asset }?.units
        let owed = outstanding(tenant, AssetNumber(asset))
        if cap == nil, owed == 0 { continue }
        all.insert(Exposed(tenant: tenant, asset: asset, outstanding: owed, cap: cap))
      }
    }
    return all
  }
}

extension EngineSubject {
  func compareLimits(with model: NaiveLedger) async throws {
    if !model.policies.isEmpty {
      let expected = model.limits
      let policies = try await engine.policies(of: model.scopes)
      guard policies == expected else {
        throw Mismatch("the policies are\n  \(policies)\nnot\n  \(expected)")
      }
    }
    if model.disputes.isEmpty, model.caps.isEmpty { return }
    let exposures = try await engine.exposures().map { row in
      NaiveLedger.Exposed(
        tenant: row.tenant.rawValue, asset: row.asset.number.rawValue,
        outstanding: row.outstanding.units, cap: row.cap?.units)
    }
    let some = Set(exposures.filter { $0.cap != nil || $0.outstanding != 0 })
    guard some == model.exposures, Set(exposures).count == exposures.count else {
      throw Mismatch("what is owed is \(some), not \(model.exposures)")
    }
  }

  /// Whatever is in force or coming has a row, and nothing else has.
  func comparePolicies(_ model: NaiveLedger) async throws {
    let counts = try await engine.read { ledger in
      [ledger.policies.rows.count, ledger.policies.rules.count, ledger.policies.count]
    }
    let open = model.policies.filter { $0.stage != .gone }
    let expected = [
      open.count, open.map(\.lines.count).reduce(0, +), open.count { $0.stage == .inForce },
    ]
    guard counts == expected else {
      throw Mismatch("rows of policies and rules are \(counts), not \(expected)")
    }
    let slots = try await engine.read { ledger in
      var slots: [UInt64: UInt64] = [:]
      ledger.policies.rows.walk { slot, row in slots[slot.rawValue] = row.made.rawValue }
      return slots
    }
    for policy in open where slots[UInt64(policy.slot)] != policy.made.rawValue {
      throw Mismatch("policy \(policy.made) is not in row \(policy.slot): \(slots)")
    }
  }
}
