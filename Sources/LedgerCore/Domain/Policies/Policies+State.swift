/// The state of policies: rows for what is in force or coming, and what was used of their limits.
extension Policies {
  /// The policies in force and to come, with what was used of their limits.
  struct State: ~Copyable {
    enum Subjects {}
    enum Rules {}
    private enum Counters {}
    /// Whoever has had a policy.
    struct Subject: BitwiseCopyable {
      var kind: UInt64
      var number: UInt64
      var current: PolicySlot = .none
      var coming: PolicySlot = .none
      var versionCount: UInt64 = 0
    }
    struct Row: SlabRow {
      var subject: Number<Subjects>
      var version: UInt64
      var made: EventNumber
      var begins: UInt64
      var timer: Timers.Handle = .none
      var firstRule: Number<Rules> = .none
      var ruleCount: UInt64 = 0
      /// 1 where staff set it.
      var isStaffs: UInt64 = 0
      var nextFree: UInt64 = 0
    }
    struct RuleRow: SlabRow {
      /// The rule as its body has it.
      var limit: Int128
      var key: UInt128
      var counter: Limits.Counter
      var words: UInt64
      var next: Number<Rules> = .none
      var nextFree: UInt64 = 0
      var unused: UInt64 = 0
    }

    private(set) var subjects: Table<Subjects, Subject>
    private var subjectByScope: Index
    private(set) var rows: Slab<Kinds.PolicySlot, Row>
    private(set) var rules: Slab<Rules, RuleRow>
    /// Row 1: how many policies are in force.
    private var counters: Table<Counters, UInt64>

    init(undo: Undo) {
      subjects = Table(undo: undo)
      subjectByScope = Index(undo: undo)
      rows = Slab(undo: undo)
      rules = Slab(undo: undo)
      counters = Table(undo: undo)
      counters.append(0)
    }

    /// Whether any policy is in force.
    @inline(__always)
    var isAny: Bool { counters[Number(1)] > 0 }

    /// How many are.
    var count: Int { Int(counters[Number(1)]) }

    /// The policy that is in force for a scope itself, or none.
    func current(of scope: Scope) -> PolicySlot {
      let subject = subject(of: scope)
      return subject.isSome ? subjects[subject].current : .none
    }

    /// The policy that will be in force for a scope, or none.
    func coming(of scope: Scope) -> PolicySlot {
      let subject = subject(of: scope)
      return subject.isSome ? subjects[subject].coming : .none
    }

    /// Whether a policy of the scope itself is in force or coming.
    func isAbout(_ scope: Scope) -> Bool {
      current(of: scope).isSome || coming(of: scope).isSome
    }

    /// Whether staff set one of them, so that only staff replaces it.
    func isStaffs(_ scope: Scope) -> Bool {
      for slot in [current(of: scope), coming(of: scope)] where slot.isSome {
        if rows[slot].isStaffs == 1 { return true }
      }
      return false
    }

    /// The version that the next policy of a scope gets.
    func nextVersion(of scope: Scope) -> UInt64 {
      let subject = subject(of: scope)
      return subject.isSome ? subjects[subject].versionCount + 1 : 1
    }

    /// The scope of a policy that there is.
    func scope(of slot: PolicySlot) -> Scope {
      let subject = subjects[rows[slot].subject]
      guard let scope = Scope(kind: subject.kind, number: subject.number) else {
        preconditionFailure("a policy of an unknown scope")
      }
      return scope
    }

    private func subject(of scope: Scope) -> Number<Subjects> {
      Number(subjectByScope.find(Self.indexKey(scope)))
    }

    private static func indexKey(_ scope: Scope) -> UInt128 {
      let words = scope.words
      return UInt128(words.kind) << 64 | UInt128(words.number)
    }

    /// Takes down a policy that was set; `body` lists its rules.
    mutating func add(
      _ setting: Setting, _ header: Header, body: Span<UInt8>
    ) -> PolicySlot {
      var subject = subject(of: setting.scope)
      if !subject.isSome {
        subject = subjects.next
        let words = setting.scope.words
        subjects.append(Subject(kind: words.kind, number: words.number))
        subjectByScope.insert(Self.indexKey(setting.scope), subject.rawValue)
      }
      subjects[subject].versionCount += 1
      precondition(subjects[subject].versionCount == UInt64(setting.version))
      var row = Row(
        subject: subject, version: UInt64(setting.version), made: header.number,
        begins: setting.begins.nanoseconds)
      row.ruleCount = UInt64(Rule.count(body) ?? 0)
      row.isStaffs = header.actor.isStaff ? 1 : 0
      // From the last to the first, so that each is linked to the one after it.
      for index in (0..<Int(row.ruleCount)).reversed() {
        let words = Rule.words(body, index)
        row.firstRule = rules.take(
          RuleRow(
            limit: words.limit, key: words.key, counter: Limits.Counter(began: .none),
            words: words.facts, next: row.firstRule))
      }
      return rows.take(row)
    }

    /// Arms the timer of a policy that is to come, in place of the one that was.
    mutating func await(_ slot: PolicySlot, _ timers: inout Timers) {
      let subject = rows[slot].subject
      let before = subjects[subject].coming
      if before.isSome {
        timers.cancel(rows[before].timer)
        remove(before)
      }
      rows[slot].timer = timers.arm(
        Timers.Armed(
          deadline: Timestamp(nanoseconds: rows[slot].begins), kind: .policyBegins,
          subject: slot.rawValue))
      subjects[subject].coming = slot
    }

    /// Puts a policy in force at `time`, in place of the one that was.
    mutating func begin(
      _ slot: PolicySlot, _ timers: inout Timers, at time: Timestamp
    ) {
      let row = rows[slot]
      if row.timer.isSome {
        timers.cancel(row.timer)
        rows[slot].timer = .none
        subjects[row.subject].coming = .none
      }
      let before = subjects[row.subject].current
      var number = row.firstRule
      while number.isSome {
        rules[number].counter =
          counter(like: rules[number], of: before) ?? Limits.Counter(began: time)
        number = rules[number].next
      }
      if before.isSome {
        remove(before)
        counters[Number(1)] -= 1
      }
      subjects[row.subject].current = row.ruleCount > 0 ? slot : .none
      if row.ruleCount > 0 { counters[Number(1)] += 1 } else { rows.free(slot) }
    }

    /// What was counted for a rule that says the same but for its limit.
    private func counter(like rule: RuleRow, of slot: PolicySlot) -> Limits.Counter? {
      guard slot.isSome, rule.rule.period != nil else { return nil }
      var number = rows[slot].firstRule
      while number.isSome {
        if rules[number].words == rule.words { return rules[number].counter }
        number = rules[number].next
      }
      return nil
    }

    private mutating func remove(_ slot: PolicySlot) {
      var number = rows[slot].firstRule
      while number.isSome {
        let next = rules[number].next
        rules.free(number)
        number = next
      }
      rows.free(slot)
    }

    /// Counts `units` of an asset, and one more, for every limit of a policy; or gives them back.
    mutating func count(
      _ amount: Amount, _ asset: AssetNumber, _ slot: PolicySlot, at time: Timestamp
    ) {
      var number = rows[slot].firstRule
      while number.isSome {
        let row = rules[number]
        switch row.rule {
        case .spend(_, asset, let period):
          rules[number].counter.add(amount.units, in: period, at: time)
        case .count(_, let period): rules[number].counter.add(1, in: period, at: time)
        case .spend, .perPayment, .allow, .deny, .hours, .approval: break
        }
        number = row.next
      }
    }

    mutating func giveBack(
      _ amount: Amount, _ asset: AssetNumber, _ slot: PolicySlot, countedAt time: Timestamp
    ) {
      var number = rows[slot].firstRule
      while number.isSome {
        let row = rules[number]
        if case .spend(_, asset, let period) = row.rule {
          rules[number].counter.giveBack(amount.units, in: period, countedAt: time)
        }
        number = row.next
      }
    }

    mutating func reserve(_ events: Int, rules count: Int) {
      subjects.reserve(events)
      subjectByScope.reserve(events)
      rows.reserve(events)
      rules.reserve(count)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try subjects.withBytes(body)
      try rows.withBytes(body)
      try rules.withBytes(body)
      try counters.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try subjects.load(from: &source)
      try rows.load(from: &source)
      try rules.load(from: &source)
      try counters.load(from: &source)
    }

    /// Makes the index of tables that were loaded.
    mutating func rebuildIndexes() {
      subjectByScope.reserve(subjects.count)
      for raw in 1..<subjects.next.rawValue {
        let row = subjects[Number(raw)]
        subjectByScope.insert(UInt128(row.kind) << 64 | UInt128(row.number), raw)
      }
    }
  }
}

extension Policies.State.RuleRow {
  /// The rule that the row has.
  var rule: Policies.Rule {
    guard let rule = Policies.Rule(decoding: words, limit: limit, key: key) else {
      preconditionFailure("a rule of an unknown kind")
    }
    return rule
  }
}
