import LedgerCore

extension Projections {
  /// How many differences are listed; more are only counted.
  public static let differenceCountMax = 100

  /// Compares the balances, which come from postings, with the engine's own, which come from
  /// `evolve`, at one and the same event; and checks for each asset that debits equal credits.
  ///
  /// Answers what differs, a sentence each, at most 100 and then how many more; empty is good.
  /// Events go on being recorded meanwhile and are applied afterwards, so reads may wait a moment.
  /// - Complexity: O(wallets); copies every balance once, on the engine's thread.
  /// - Throws: ``ProjectionFailure/behind(position:head:)`` where the projections need more than
  ///   2 s to reach the engine, or where another call of it came in between.
  public func verify() async throws(ProjectionFailure) -> [String] {
    // Catch up first, then stand still where the engine is looked at.
    try await follower.wait(for: engine.head)
    follower.stop(at: position)
    defer { follower.stop(at: EventNumber(.max)) }
    let books: Books
    do throws(LedgerFailure) {
      books = try await engine.books()
    } catch {
      throw ProjectionFailure(error)
    }
    follower.stop(at: books.event)
    try await follower.wait(for: books.event, onDisk: true)
    let sentences = try readWritten { transaction throws(StorageError) -> [String]? in
      // Another call of this may have let the follower go on.
      guard try Progress(transaction)?.position == books.event else { return nil }
      var differences = Differences()
      try Self.compare(transaction, books, &differences)
      try Self.checkConservation(transaction, &differences)
      return differences.sentences
    }
    guard let sentences else { throw .behind(position: position, head: books.event) }
    return sentences
  }

  private static func compare(
    _ transaction: Transaction, _ books: Books, _ differences: inout Differences
  ) throws(StorageError) {
    var next = 0
    try Balances.walk(transaction) { balance in
      let index = Int(balance.wallet.rawValue) - 1
      while next < min(index, books.wallets.count) {
        differences.add("wallet \(next + 1): the engine has it, the projections do not")
        next += 1
      }
      next = index + 1
      guard index < books.wallets.count else {
        differences.add("wallet \(balance.wallet): the projections have it, the engine does not")
        return
      }
      let own = books.wallets[index]
      let isSame =
        own.asset == balance.asset && own.available == balance.available && own.held == balance.held
      if !isSame {
        differences.add(
          """
          wallet \(balance.wallet): \(balance.available.units) available and \
          \(balance.held.units) held of asset \(balance.asset); the engine has \
          \(own.available.units) and \(own.held.units) of asset \(own.asset)
          """)
      }
    }
    while next < books.wallets.count {
      differences.add("wallet \(next + 1): the engine has it, the projections do not")
      next += 1
    }
    let written = Balances()
    for (index, own) in books.payees.enumerated() {
      let payee = PayeeNumber(UInt64(index) + 1)
      let balance = try written.balance(of: .external(payee), in: own.asset, transaction)
      if balance != own.balance {
        differences.add(
          """
          external payee \(payee): \(balance.units) of asset \(own.asset); the engine has \
          \(own.balance.units)
          """)
      }
    }
    for own in books.suspenses {
      let balance = try written.balance(of: .suspense(own.agent), in: own.asset, transaction)
      if balance != own.balance {
        differences.add(
          """
          agent \(own.agent): \(balance.units) of asset \(own.asset) set aside; the engine has \
          \(own.balance.units)
          """)
      }
    }
  }

  /// For each asset: assets and expenses on one side, liabilities and income on the other.
  private static func checkConservation(
    _ transaction: Transaction, _ differences: inout Differences
  ) throws(StorageError) {
    var sums: [AssetNumber: (debit: Int128, credit: Int128)] = [:]
    try Balances.walk(transaction) { balance in
      sums[balance.asset, default: (0, 0)].credit += balance.total
    }
    try Balances.walk(transaction) { account, asset, balance in
      if account.isDebitNormal {
        sums[asset, default: (0, 0)].debit += balance.units
      } else {
        sums[asset, default: (0, 0)].credit += balance.units
      }
    }
    for (asset, sum) in sums.sorted(by: { $0.key < $1.key }) where sum.debit != sum.credit {
      differences.add("asset \(asset): debits are \(sum.debit), credits \(sum.credit)")
    }
  }
}

/// Sentences about what differs, as many as a person reads.
struct Differences {
  private var listed: [String] = []
  private(set) var count = 0

  mutating func add(_ sentence: @autoclosure () -> String) {
    count += 1
    if count <= Projections.differenceCountMax { listed.append(sentence()) }
  }

  /// The sentences, and how many more there would be.
  var sentences: [String] {
    count > listed.count ? listed + ["and \(count - listed.count) more"] : listed
  }
}
