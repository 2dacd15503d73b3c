@testable import LedgerCore

/// Payments and reservations are in `NaiveLedger+Payments.swift`, payments with several receivers
/// in `NaiveLedger+Splits.swift`, refunds in `NaiveLedger+Refunds.swift`, disputes in
/// `NaiveLedger+Disputes.swift`, policies in `NaiveLedger+Policies.swift`, fees in
/// `NaiveLedger+Fees.swift`, what stops wallets and more in `NaiveLedger+Wallets.swift`.
extension NaiveLedger {
  /// Does the command and records its events, or leaves everything as it is.
  mutating func perform(_ request: Request) throws(Refusal) {
    let actor = request.actor
    // The command's own text, and that of what it may register.
    let own = request.texts.first?.readable
    let other = request.texts.dropFirst().first?.readable
    switch request.command {
    case .identity(.registerAgent(let tenant, let name, let asset, let apiKey, let secretKey)):
      try registerAgent(
        tenant, name, asset, apiKey, secretKey, by: actor, own, tenantText: other)
    case .identity(.registerOperator(let key)):
      try registerOperator(key, by: actor)
    case .identity(.registerTenantAdmin(let tenant, let name, let key)):
      try registerTenantAdmin(tenant, name, key, by: actor, other)
    case .identity(.issue(let key, let kind)):
      try issue(key, kind, by: actor)
    case .identity(.revoke(let credential)):
      try revoke(credential, by: actor)
    case .wallet(let command):
      try perform(command, by: actor, own)
    case .payment(.pay(let from, .split, let amount, let asset, let rail, let category)):
      try paySplit(
        from: from, among: request.body, amount.units, asset, rail, category, by: actor, own,
        labels: request.texts.dropFirst().map(\.readable))
    case .payment(.pay(let from, let to, let amount, let asset, let rail, let category)):
      try pay(
        from: from, to: to, amount.units, asset, rail, category, by: actor, own, label: other)
    case .fee(.set(let terms, let begins)):
      try setFees(terms, request.body, begins: begins.nanoseconds, by: actor)
    case .reservation(
      .reserve(
        let from, let to, let amount, let asset, let seconds, let isMultiple, let category)):
      try reserve(
        from: from, to: to, amount.units, asset, seconds: seconds, isMultiple: isMultiple,
        category, by: actor, own, label: other)
    case .reservation(.capture(let number, let amount, let isLast)):
      try capture(number, amount?.units, isLast: isLast, by: actor)
    case .reservation(.release(let number)):
      try release(number, by: actor)
    case .refund(.refund(let number, let amount)):
      try refund(number, amount?.units, by: actor, own)
    case .dispute(let command):
      try perform(command, by: actor, own)
    case .receivable(let command):
      try perform(command, by: actor, own)
    case .policy(.set(let scope, let begins)):
      try setPolicy(scope, request.body, begins: begins.nanoseconds, by: actor, own)
    case .approval(let command):
      try perform(command, by: actor, own)
    case .pause(.pause(let scope)):
      try pause(scope, by: actor, own)
    case .pause(.resume(let scope)):
      try resume(scope, by: actor, own)
    }
  }
}

extension SealedText {
  /// A run's texts are not sealed before a ledger takes them.
  init(readable text: String) {
    self.init(commitment: .none, ciphertext: Array(text.utf8))
  }

  var readable: String { String(decoding: ciphertext, as: UTF8.self) }
}
