/// Disputes: a party to a payment says that it was wrong, and an operator decides.
///
/// Life of a dispute, as ``Status/after(_:)`` has it:
///
///     open ──▶ open ──▶ under review ──▶ resolved, refunded
///              │                    └──▶ resolved, denied
///              └──▶ withdrawn   by who opened it, until it is reviewed
///
/// The payer's dispute claims of each receiver what he still has of the payment: it is taken out of
/// his wallet into a hold, and what is not there is owed (``Receivables``). The payee's claims
/// nothing. A dispute's own number is that of the event that opened it.
///
/// Invariant: what is claimed is what was held, advanced and left uncovered; a dispute that is won
/// moves the hold to the payer, one that is lost moves it back, less what the platform advanced.
/// The fee stays where it is (AP-93).
public enum Disputes {
  /// What is wrong. One byte in the frame, never reused [AP-88].
  public enum Reason: UInt8, Hashable, Sendable, CaseIterable {
    /// What was paid for did not come.
    case serviceNotDelivered = 1
    /// It was another amount than agreed.
    case incorrectAmount = 2
    /// It was paid twice.
    case duplicate = 3
    /// The payer did not mean to pay.
    case unauthorized = 4
    /// What came was not what was agreed.
    case qualityIssue = 5
    /// Anything else; the description says what.
    case other = 6
  }

  /// Who says so. One byte in the frame, never reused.
  public enum Party: UInt8, Hashable, Sendable, CaseIterable {
    /// Who paid, or an operator for him.
    case payer = 1
    /// Who was paid.
    case payee = 2
  }

  /// What evidence is. One byte in the frame, never reused [AP-96].
  public enum Evidence: UInt8, Hashable, Sendable, CaseIterable {
    /// Lines of a log.
    case logExcerpt = 1
    /// A picture.
    case screenshot = 2
    /// What a service answered.
    case apiResponse = 3
  }

  /// How an operator decides.
  public enum Outcome: UInt8, Hashable, Sendable, CaseIterable {
    /// The payer gets his money back.
    case refunded = 1
    /// The payee keeps it.
    case denied = 2
  }

  /// What became of a dispute so far.
  public enum Status: UInt8, Hashable, Sendable, CaseIterable {
    /// Nobody looked at it yet.
    case open
    /// An operator looks at it.
    case underReview
    /// The payer got his money back.
    case resolvedRefunded
    /// The payee keeps it.
    case resolvedDenied
    /// Who opened it dropped it.
    case withdrawn

    /// The status after `step`, or `nil` where the step is not allowed. The one table of this
    /// machine: the documentation and the tests read it.
    public func after(_ step: Step) -> Status? {
      switch (self, step) {
      case (.open, .submitEvidence): .open
      case (.open, .review): .underReview
      case (.open, .withdraw): .withdrawn
      case (.underReview, .submitEvidence): .underReview
      case (.underReview, .refund): .resolvedRefunded
      case (.underReview, .deny): .resolvedDenied
      case (.open, .refund), (.open, .deny), (.underReview, .review), (.underReview, .withdraw),
        (.resolvedRefunded, _), (.resolvedDenied, _), (.withdrawn, _):
        nil
      }
    }

    /// Whether nothing can be done to it any more.
    public var isEnd: Bool { Step.allCases.allSatisfy { after($0) == nil } }
  }

  /// How a dispute stands.
  public struct Standing: Hashable, Sendable {
    /// The event that opened it.
    public var dispute: EventNumber
    /// How far it is.
    public var status: Status
  }

  /// What can be done to a dispute.
  public enum Step: UInt8, Hashable, Sendable, CaseIterable {
    /// A party adds to what an operator will look at.
    case submitEvidence
    /// An operator begins to look at it.
    case review
    /// Who opened it drops it.
    case withdraw
    /// An operator decides for the payer.
    case refund
    /// An operator decides for the payee.
    case deny
  }

  /// The most pieces of evidence of each side.
  public static let evidenceCountMax: UInt64 = 100

  /// Who adds evidence. Each side has a count of its own, so that none can use up another's.
  enum Side: Int, CaseIterable {
    /// The agent who paid, also where he is a receiver.
    case payer = 0
    /// All receivers together.
    case payee = 1
    /// Operators and administrators together.
    case staff = 2
  }

  // MARK: - Commands

  /// What can be asked about disputes.
  public enum Command: Hashable, Sendable {
    /// Disputes the payment that this event is [AP-86, AP-87]: by its payer, its payee, or an
    /// operator for the payer.
    ///
    /// The request's first text is the description.
    /// - `seconds`: how long after the payment that is possible.
    case open(EventNumber, reason: Reason, within: UInt32)
    /// Adds evidence to the dispute that this event opened: by a party or an operator. The
    /// request's first text is the evidence.
    case submitEvidence(EventNumber, Evidence)
    /// Drops the dispute, before it is reviewed [AP-91].
    case withdraw(EventNumber)
    /// Begins to look at it. Operators only.
    case review(EventNumber)
    /// Decides it. Operators only. The request's first text is why.
    case resolve(EventNumber, Outcome)
  }

  // MARK: - Events

  /// A dispute as it was opened, with every fact that its effects need. The body lists what is
  /// claimed of each receiver (``Claim``); where the payee opened it nothing is, and all of each
  /// receiver's part counts as uncovered, without being owed.
  public struct Opening: Hashable, Sendable {
    /// What is disputed: all that was not refunded of the payment, greater than zero.
    public var principal: Amount
    /// The event of the payment.
    public var payment: EventNumber
    /// The event that this is, which is the dispute's number.
    public var dispute: EventNumber
    /// Who paid.
    public var payer: WalletNumber
    /// Its row while it is unfinished.
    public var slot: DisputeSlot
    /// The payment's asset.
    public var asset: AssetNumber
    /// What is wrong.
    public var reason: Reason
    /// Who says so.
    public var party: Party
  }

  /// The end of a dispute. The body lists what ends of each receiver's claim (``Claim``); empty
  /// where nothing was claimed.
  public struct End: Hashable, Sendable {
    /// What was held of all receivers, and goes to the payer or back.
    public var held: Amount
    /// The event of the payment.
    public var payment: EventNumber
    /// The event that opened the dispute.
    public var dispute: EventNumber
    /// Who paid.
    public var payer: WalletNumber
    /// Its row until now.
    public var slot: DisputeSlot
    /// The payment's asset.
    public var asset: AssetNumber
  }

  /// What is claimed of one receiver, when a dispute begins and as it ends. The sum is his part of
  /// what is disputed, until something of it was netted.
  public struct Claim: Hashable, Sendable {
    /// In the hold, of his own money; at the end all that is in the hold for him.
    public var held: Amount
    /// In the hold, advanced by the platform; at the end what of that is still owed.
    public var receivable: Amount
    /// Not in the hold; at the end what is still owed of that.
    public var uncovered: Amount
    /// Who he is: a wallet or an external payee.
    public var payee: Payments.Payee
    /// Where it goes back to instead, because his wallet is closed: what is set aside for this
    /// agent; else none.
    public var suspense: AgentNumber
  }

  /// What happens to disputes.
  public enum Event: Hashable, Sendable {
    /// A dispute began.
    case opened(Opening)
    /// Evidence was added; it is the event's text.
    case evidenceSubmitted(dispute: EventNumber, slot: DisputeSlot, Evidence)
    /// An operator looks at it from here on.
    case reviewed(dispute: EventNumber, slot: DisputeSlot)
    /// Who opened it dropped it.
    case withdrawn(End)
    /// The payee keeps the money.
    case denied(End)
    /// The payer gets it back. Where the payee had opened the dispute, a refund comes before.
    case refunded(End)
  }

  // MARK: - State

  /// The unfinished disputes, what they claim, and what is known of disputed payments.
  struct State: ~Copyable {
    private enum Histories {}
    private enum ClaimedWallets {}
    struct Row: SlabRow {
      var made: EventNumber
      var payment: EventNumber
      var payer: WalletNumber
      /// Its claims, in the order of the receivers; of the payee's dispute none is of anything.
      var first: ClaimSlot = .none
      var last: ClaimSlot = .none
      /// How much evidence there is of each ``Side``.
      var evidenceCounts = InlineArray<3, UInt64>(repeating: 0)
      /// 0 where it is open, 1 under review.
      var isReviewed: UInt64 = 0
      var party: UInt64
      var nextFree: UInt64 = 0

      /// Whether it is the payee's.
      var claimsNothing: Bool { party == UInt64(Party.payee.rawValue) }
      var status: Status { isReviewed == 0 ? .open : .underReview }
    }
    struct ClaimRow: SlabRow {
      /// What is in the hold of this receiver's part.
      var held: Int128
      var payee: UInt64
      /// 0 a wallet, 1 an external payee.
      var kind: UInt64
      /// The debt for what was not there, or none.
      var debt: DebtSlot = .none
      var next: ClaimSlot = .none
      var nextFree: UInt64 = 0
      /// 0 where the receiver had given all of his part back, 1 where there is something to claim.
      var isOfSomething: UInt64
    }
    /// A wallet that something was claimed of at all.
    struct ClaimedWallet: BitwiseCopyable {
      var wallet: WalletNumber
      /// How many unfinished disputes are about something that it got.
      var claimCount: UInt64 = 0
    }
    /// A payment that was disputed at all.
    struct History: BitwiseCopyable {
      var payment: EventNumber
      /// The dispute that bars another, or the last one.
      var dispute: EventNumber
      /// Its row while it is unfinished; else none.
      var slot: DisputeSlot
      /// Bit 0: one was refunded. Bit 1: the payer withdrew one. Bit 2: the payee did. Bit 3: one
      /// was denied.
      var facts: UInt64 = 0
    }

    private(set) var rows: Slab<Kinds.DisputeSlot, Row>
    private(set) var claims: Slab<Kinds.ClaimSlot, ClaimRow>
    private var histories: Table<Histories, History>
    private var historyByPayment: Index
    private var claimedWallets: Table<ClaimedWallets, ClaimedWallet>
    private var claimedByWallet: Index

    init(undo: Undo) {
      rows = Slab(undo: undo)
      claims = Slab(undo: undo)
      histories = Table(undo: undo)
      historyByPayment = Index(undo: undo)
      claimedWallets = Table(undo: undo)
      claimedByWallet = Index(undo: undo)
    }

    /// The row of the dispute that event `made` opened, while it is unfinished.
    func unfinished(_ slot: DisputeSlot, made: EventNumber) -> Row? {
      guard rows.isTaken(slot), rows[slot].made == made else { return nil }
      return rows[slot]
    }

    /// The unfinished dispute of a payment, or none.
    func unfinished(of payment: EventNumber) -> EventNumber {
      guard let history = history(of: payment), history.slot.isSome else { return .none }
      return history.dispute
    }

    func history(of payment: EventNumber) -> History? {
      let row = Number<Histories>(historyByPayment.find(UInt128(payment.rawValue)))
      return row.isSome ? histories[row] : nil
    }

    /// How far the newest dispute of a payment is.
    func standing(_ history: History) -> Standing {
      var status = Status.withdrawn
      if history.slot.isSome {
        status = rows[history.slot].status
      } else if history.facts & Self.refunded != 0 {
        status = .resolvedRefunded
      } else if history.facts & Self.denied != 0 {
        status = .resolvedDenied
      }
      return Standing(dispute: history.dispute, status: status)
    }

    /// Hands at most `count` of the payments that were disputed to `body`, those first that were
    /// disputed last, from the one before place `end` on; answers the place that it came to, 0 when
    /// there are no more.
    func walkHistories(before end: Int, count: Int, _ body: (History) -> Void) -> Int {
      let end = min(end, histories.count)
      let start = max(end - count, 0)
      for place in (start..<end).reversed() { body(histories[Number(UInt64(place + 1))]) }
      return start
    }

    /// Takes a row for a dispute that begins.
    mutating func open(_ opening: Opening) {
      let slot = rows.take(
        Row(
          made: opening.dispute, payment: opening.payment, payer: opening.payer,
          party: UInt64(opening.party.rawValue)))
      precondition(slot == opening.slot, "a dispute's row is the first that is free")
      setHistory(
        History(
          payment: opening.payment, dispute: opening.dispute, slot: slot,
          facts: history(of: opening.payment)?.facts ?? 0))
    }

    /// Adds what is claimed of the next receiver.
    mutating func add(_ claim: Claim, to dispute: DisputeSlot) -> ClaimSlot {
      var kind: UInt64 = 0
      if case .external = claim.payee { kind = 1 }
      let inHold = claim.held + claim.receivable
      let row = ClaimRow(
        held: inHold.units, payee: claim.payee.number, kind: kind,
        isOfSomething: inHold + claim.uncovered > .zero ? 1 : 0)
      let slot = claims.take(row)
      if let wallet = row.claimedWallet { claimedWallets[claimed(wallet)].claimCount += 1 }
      if rows[dispute].last.isSome {
        claims[rows[dispute].last].next = slot
      } else {
        rows[dispute].first = slot
      }
      rows[dispute].last = slot
      return slot
    }

    /// For this claim something is owed.
    mutating func owe(_ debt: DebtSlot, for claim: ClaimSlot) { claims[claim].debt = debt }

    mutating func countEvidence(_ dispute: DisputeSlot, of side: Side) {
      rows[dispute].evidenceCounts[side.rawValue] += 1
    }

    mutating func review(_ dispute: DisputeSlot) { rows[dispute].isReviewed = 1 }

    /// Lets go of a dispute and its claims, and remembers of its payment that it came to `fact`.
    mutating func end(_ end: End, _ fact: UInt64) {
      var slot = rows[end.slot].first
      while slot.isSome {
        let row = claims[slot]
        if let wallet = row.claimedWallet { claimedWallets[claimed(wallet)].claimCount -= 1 }
        claims.free(slot)
        slot = row.next
      }
      rows.free(end.slot)
      let facts = (history(of: end.payment)?.facts ?? 0) | fact
      setHistory(
        History(payment: end.payment, dispute: end.dispute, slot: .none, facts: facts))
    }

    private mutating func setHistory(_ history: History) {
      let row = Number<Histories>(historyByPayment.find(UInt128(history.payment.rawValue)))
      if row.isSome {
        histories[row] = history
      } else {
        historyByPayment.insert(
          UInt128(history.payment.rawValue), histories.next.rawValue)
        histories.append(history)
      }
    }

    /// Whether an unfinished dispute is about something that this wallet got. O(1).
    func isClaimed(_ wallet: WalletNumber) -> Bool {
      let row = Number<ClaimedWallets>(claimedByWallet.find(UInt128(wallet.rawValue)))
      return row.isSome && claimedWallets[row].claimCount > 0
    }

    /// The row of a wallet that something is claimed of, made where it has none.
    private mutating func claimed(_ wallet: WalletNumber) -> Number<ClaimedWallets> {
      let found = Number<ClaimedWallets>(claimedByWallet.find(UInt128(wallet.rawValue)))
      guard !found.isSome else { return found }
      let row = claimedWallets.next
      claimedWallets.append(ClaimedWallet(wallet: wallet))
      claimedByWallet.insert(UInt128(wallet.rawValue), row.rawValue)
      return row
    }

    /// Hands what is in the hold of each unfinished dispute to `body`, claim by claim.
    func walk(_ body: (EventNumber, Int128) -> Void) {
      rows.walk { _, row in
        var slot = row.first
        while slot.isSome {
          body(row.made, claims[slot].held)
          slot = claims[slot].next
        }
      }
    }

    /// More is in the hold for a claim.
    mutating func add(_ amount: Amount, to claim: ClaimSlot) {
      claims[claim].held += amount.units
    }

    mutating func reserve(_ events: Int, claims count: Int) {
      rows.reserve(events)
      claims.reserve(count)
      histories.reserve(events)
      historyByPayment.reserve(events)
      claimedWallets.reserve(count)
      claimedByWallet.reserve(count)
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try rows.withBytes(body)
      try claims.withBytes(body)
      try histories.withBytes(body)
      try claimedWallets.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try rows.load(from: &source)
      try claims.load(from: &source)
      try histories.load(from: &source)
      try claimedWallets.load(from: &source)
    }

    /// Makes the index of tables that were loaded.
    mutating func rebuildIndexes() {
      historyByPayment.reserve(histories.count)
      for raw in 1..<histories.next.rawValue {
        historyByPayment.insert(UInt128(histories[Number(raw)].payment.rawValue), raw)
      }
      claimedByWallet.reserve(claimedWallets.count)
      for raw in 1..<claimedWallets.next.rawValue {
        claimedByWallet.insert(UInt128(claimedWallets[Number(raw)].wallet.rawValue), raw)
      }
    }
  }
}
