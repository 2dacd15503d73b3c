/// What a linked unit is answered where its keys were used before, or one of its commands is
/// refused.
extension Sequencer {
  /// The answer to a unit of which keys were used before; `nil` where none was.
  mutating func knownUnit(_ requests: [Request]) throws(StorageError) -> [Outcome]? {
    var seen: Set<UInt128> = []
    var known: [Outcome?] = []
    for request in requests {
      guard let key = request.key else {
        known.append(nil)
        continue
      }
      guard seen.insert(key.fingerprint).inserted else {
        known.append(.refused(Refusal(.idempotencyConflict), event: .none, isReplay: false))
        continue
      }
      known.append(try self.known(key))
    }
    let isConflict = { (outcome: Outcome?) in outcome?.refusal?.reason == .idempotencyConflict }
    let refused = known.firstIndex(where: isConflict) ?? known.firstIndex { $0?.refusal != nil }
    if let refused, let outcome = known[refused] {
      return Self.others(requests.count, but: refused, outcome)
    }
    let done = known.compactMap { $0 }
    if done.isEmpty { return nil }
    guard done.count == requests.count else {
      let differ = Outcome.refused(Refusal(.linkedKeysDiffer), event: .none, isReplay: false)
      return requests.map { _ in differ }
    }
    return done
  }

  /// One command's own answer; for all others, that a command of their unit was refused.
  static func others(_ count: Int, but index: Int, _ outcome: Outcome) -> [Outcome] {
    let refusal = Refusal(.linkedCommandRefused)
    var outcomes = [Outcome](
      repeating: .refused(refusal, event: .none, isReplay: false), count: count)
    outcomes[index] = outcome
    return outcomes
  }
}
