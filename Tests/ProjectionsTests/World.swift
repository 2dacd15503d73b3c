import Testing

@testable import LedgerCore
@testable import Projections

/// Rows in an environment of their own, and the fold that writes them.
final class World {
  private let directory: TemporaryDirectory
  private let store: DisposableStore
  private var fold = Fold(Progress(ledger: 1))
  private var history: [Happening] = []

  init(given events: [Happening]) throws {
    directory = try TemporaryDirectory()
    store = try DisposableStore(
      directory.path, databases: Layout.names, mapByteCount: 1 << 28)
    try apply(events)
  }

  func when(_ event: Happening) throws { try apply([event]) }

  func when(_ event: Event) throws { try apply([Happening(event)]) }

  /// Applies events, and writes them.
  func apply(_ events: [Happening], from first: UInt64? = nil) throws {
    try applyInMemory(events, from: first)
    try write()
  }

  /// Applies events without writing them; where one fails, what is not written is forgotten.
  func applyInMemory(_ events: [Happening], from first: UInt64? = nil) throws {
    let first = first ?? fold.progress.position.rawValue + 1
    do throws(StorageError) {
      try store.environment.read { transaction throws(StorageError) in
        for (index, event) in events.enumerated() {
          try fold.apply(
            EventNumber(first + UInt64(index)), event.event, body: event.body.span, transaction)
        }
      }
      history += events
    } catch {
      #expect(fold.isSpoilt || fold.progress.position.rawValue + 1 != first)
      fold = Fold(fold.written)
      throw error
    }
  }

  /// Writes what was applied; `meanwhile` happens before each piece of the draft and before its
  /// end, as it may.
  func write(failing isFailing: Bool = false, meanwhile: () throws -> Void = {}) throws {
    fold.beginDraft()
    var draft: Fold.Draft?
    while draft == nil {
      try meanwhile()
      draft = fold.continueDraft(rowCount: 3)
    }
    try meanwhile()
    if !isFailing { try draft?.write(store.environment) }
    fold.settle(wasWritten: !isFailing)
  }

  /// Gives memory back, as where it is full.
  func forgetWritten() { fold.forgetWritten() }

  /// Forgets what is not written, as a kill does, and goes on after it.
  func restart() {
    fold = Fold(fold.written)
    history.removeLast(history.count - Int(fold.progress.position.rawValue))
  }

  var eventCount: Int { history.count }

  private func look<Value>(
    _ body: (borrowing Fold, Transaction) throws(StorageError) -> Value
  ) throws -> Value {
    try store.environment.read { transaction throws(StorageError) in try body(fold, transaction) }
  }

  func balance(_ wallet: UInt64) throws -> WalletBalance? {
    try look { fold, transaction throws(StorageError) in
      try fold.balance(of: WalletNumber(wallet), transaction)
    }
  }

  func expected(_ wallet: UInt64, in asset: UInt64, available: Int128) -> WalletBalance? {
    let low = UInt64(truncatingIfNeeded: available)
    let high = UInt64(truncatingIfNeeded: available >> 64)
    return WalletBalance(WalletNumber(wallet), [asset, low, high, 0, 0, 0, 0, 0])
  }

  func account(_ account: Account, in asset: UInt64 = 1) throws -> Int128 {
    try look { fold, transaction throws(StorageError) in
      try fold.balance(of: account, in: AssetNumber(asset), transaction).units
    }
  }

  func timeline(_ wallet: UInt64, limit: Int = 100) throws -> [UInt64] {
    try page(wallet, before: nil, limit: limit).events
  }

  func page(
    _ wallet: UInt64, before: UInt64?, limit: Int
  ) throws -> (events: [UInt64], hasMore: Bool) {
    try page(of: .wallet(WalletNumber(wallet)), before: before, limit: limit)
  }

  func page(
    of owner: TimelineOwner, before: UInt64?, limit: Int
  ) throws -> (events: [UInt64], hasMore: Bool) {
    var index: Int?
    if let before, before >= 1, before <= history.count {
      var postings = Postings()
      let happening = history[Int(before) - 1]
      happening.event.postings(body: happening.body.span, into: &postings)
      index = Touched(happening.event, body: happening.body.span, postings).index(of: owner)
    }
    let before = before.map { EventNumber($0) }
    let page = try look { fold, transaction throws(StorageError) in
      let beginning = try fold.timeline(
        of: owner, before: before, index: index, limit: limit, transaction)
      return try Timelines.page(beginning, before: before, limit: limit, transaction)
    }
    return (page.events.map(\.rawValue), page.hasMore)
  }

  /// The whole timeline, page by page.
  func pages(_ wallet: UInt64, limit: Int) throws -> [[UInt64]] {
    var pages: [[UInt64]] = []
    var before: UInt64?
    while true {
      let page = try page(wallet, before: before, limit: limit)
      pages.append(page.events)
      guard page.hasMore else { return pages }
      before = page.events.last
    }
  }

  func progress() throws -> [UInt64]? {
    try store.environment.read { transaction throws(StorageError) in
      try Progress(transaction).map { [$0.position.rawValue, $0.entryCount] }
    }
  }

  func dump() throws -> [Row] { try store.dump() }
}

/// An event as the log has it.
struct Happening: Hashable, Sendable {
  var event: Event
  var body: [UInt8] = []

  init(_ event: Event, parts: [Splits.Part] = []) {
    self.event = event
    for part in parts { part.append(to: &body) }
  }
}

extension Happening {
  static func opened(_ wallet: UInt64, in asset: UInt64) -> Happening {
    Happening(
      .wallet(
        .opened(
          wallet: WalletNumber(wallet), agent: AgentNumber(1), asset: AssetNumber(asset))))
  }

  static func funded(_ wallet: UInt64, _ units: Int128, in asset: UInt64 = 1) -> Happening {
    Happening(
      .wallet(
        .funded(
          wallet: WalletNumber(wallet), amount: Amount(units: units), asset: AssetNumber(asset))))
  }

  static func paid(
    _ payer: UInt64, to payee: Payments.Payee, _ units: Int128, fee: Int128, in asset: UInt64 = 1
  ) -> Happening {
    Happening(
      .payment(
        .completed(
          Payments.Payment(
            amount: Amount(units: units), fee: Amount(units: fee), payer: WalletNumber(payer),
            payee: payee, schedule: ScheduleNumber(1), asset: AssetNumber(asset),
            rail: .internal))))
  }

  static func reserved(
    _ payer: UInt64, to payee: UInt64, _ units: Int128, fee: Int128
  ) -> Happening {
    Happening(
      .reservation(
        .reserved(
          Reservations.Hold(
            amount: Amount(units: units), fee: Amount(units: fee), payer: WalletNumber(payer),
            payee: .wallet(WalletNumber(payee)), deadline: Timestamp(nanoseconds: 9),
            slot: ReservationSlot(1), schedule: ScheduleNumber(1), asset: AssetNumber(1),
            purpose: .hold, isMultiple: true))))
  }

  static func captured(
    _ payer: UInt64, to payee: UInt64, _ units: Int128, fee: Int128, released: Int128,
    reservation: UInt64, isLast: Bool = true
  ) -> Happening {
    Happening(
      .reservation(
        .captured(
          Reservations.Capture(
            payment: Payments.Payment(
              amount: Amount(units: units), fee: Amount(units: fee), payer: WalletNumber(payer),
              payee: .wallet(WalletNumber(payee)), schedule: ScheduleNumber(1),
              asset: AssetNumber(1), rail: .internal),
            released: Amount(units: released), reservation: EventNumber(reservation),
            slot: ReservationSlot(1), isLast: isLast))))
  }

  static func refunded(
    _ payee: UInt64, to payer: UInt64, _ units: Int128, of payment: UInt64
  ) -> Happening {
    Happening(
      .refund(
        .completed(
          Refunds.Refund(
            amount: Amount(units: units), fee: .zero, payment: EventNumber(payment),
            payer: WalletNumber(payer), payee: .wallet(WalletNumber(payee)), asset: AssetNumber(1),
            rail: .internal, side: .payer))))
  }

  /// A payment to several; each part has its amount and what it bears of the fee.
  static func split(
    _ payer: UInt64, to parts: [Splits.Part], fee: Int128, side: Fees.Side = .payer,
    in asset: UInt64 = 1
  ) -> Happening {
    Happening(
      .payment(
        .completed(
          Payments.Payment(
            amount: parts.map(\.amount).reduce(.zero, +), fee: Amount(units: fee),
            payer: WalletNumber(payer), payee: .split(UInt64(parts.count)),
            schedule: ScheduleNumber(1), asset: AssetNumber(asset), rail: .internal, side: side))),
      parts: parts)
  }

  /// What several give back of a payment, with what goes back of the fee.
  static func refunded(
    _ parts: [Splits.Part], to payer: UInt64, fee: Int128 = 0, of payment: UInt64,
    side: Fees.Side = .payer, in asset: UInt64 = 1
  ) -> Happening {
    Happening(
      .refund(
        .completed(
          Refunds.Refund(
            amount: parts.map(\.amount).reduce(.zero, +), fee: Amount(units: fee),
            payment: EventNumber(payment), payer: WalletNumber(payer),
            payee: .split(UInt64(parts.count)), asset: AssetNumber(asset), rail: .internal,
            side: side))),
      parts: parts)
  }
}

extension Splits.Part {
  static func wallet(_ number: UInt64, _ units: Int128, fee: Int128 = 0) -> Splits.Part {
    Splits.Part(
      amount: Amount(units: units), fee: Amount(units: fee), payee: .wallet(WalletNumber(number)))
  }

  static func label(_ number: UInt64, _ units: Int128, fee: Int128 = 0) -> Splits.Part {
    Splits.Part(
      amount: Amount(units: units), fee: Amount(units: fee), payee: .external(PayeeNumber(number)))
  }
}
