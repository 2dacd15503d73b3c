public import LedgerCore

extension Projections {
  /// What a rebuild found.
  public struct Comparison: Hashable, Sendable {
    /// Both were compared as they were after this event.
    public var position: EventNumber
    /// How many rows were compared.
    public var rowCount: Int
    /// What differs, a sentence each, at most 100 and then how many more; empty is good.
    public var differences: [String]
  }

  /// Folds the log from its start into an empty directory beside the live one, and compares the two
  /// byte for byte, as they were last written: at most some seconds ago, and anew in ``verify()``.
  /// The live one answers and follows meanwhile; the other is removed afterwards.
  ///
  /// Blocks, for less than a second a million events. Not from tasks.
  /// - `progress`: called now and then with the events folded so far and their goal.
  /// - Throws: ``ProjectionFailure/closed`` where the projections or the engine are closed;
  ///   ``ProjectionFailure/failed(_:)`` where the log cannot be folded, which says at which event.
  public func compareWithRebuild(
    progress: (_ done: EventNumber, _ goal: EventNumber) -> Void = { _, _ in }
  ) throws(ProjectionFailure) -> Comparison {
    let tape: Tape
    do throws(LedgerFailure) {
      tape = try engine.tape()
    } catch {
      throw ProjectionFailure(error)
    }
    let shadow = Shadow(directory: directory + ".shadow", ledger: engine.ledger)
    // What cannot be removed now will be by the next rebuild, which begins with that.
    defer { shadow.remove() }
    return try shadow.run(tape, live: self, progress)
  }
}

/// Projections built anew, to compare the live ones with.
private struct Shadow {
  let directory: String
  let ledger: UInt128

  func run(
    _ tape: Tape, live: Projections, _ progress: (EventNumber, EventNumber) -> Void
  ) throws(ProjectionFailure) -> Projections.Comparison {
    let store: DisposableStore
    var fold = Fold(Progress(ledger: ledger))
    do throws(StorageError) {
      store = try DisposableStore(
        directory, databases: Layout.names, mapByteCount: 1 << 40, keeps: false)
      // Nearly there first, so that the snapshot below is held for a small rest only.
      try Self.advance(&fold, store, tape, through: live.follower.written, progress)
    } catch {
      throw .failed(error)
    }
    return try live.readWritten { transaction throws(StorageError) in
      let goal = try Progress(transaction)?.position ?? .none
      try Self.advance(&fold, store, tape, through: goal, progress)
      return try store.environment.read { rebuilt throws(StorageError) in
        var differences = Differences()
        var rowCount = 0
        if goal.isSome {
          for database in Layout.names.indices.map(Database.init(index:)) {
            rowCount += try Self.compare(database, transaction, rebuilt, &differences)
          }
        }
        return Projections.Comparison(
          position: goal, rowCount: rowCount, differences: differences.sentences)
      }
    }
  }

  func remove() {
    do throws(StorageError) { try DisposableStore.remove(directory) } catch {}
  }

  private static func advance(
    _ fold: inout Fold, _ store: DisposableStore, _ tape: Tape, through goal: EventNumber,
    _ progress: (EventNumber, EventNumber) -> Void
  ) throws(StorageError) {
    while fold.written.position < goal {
      try fold.advance(store.environment, tape, through: goal)
      if fold.isFull || fold.progress.position == goal {
        try fold.write(store.environment)
      }
      progress(fold.progress.position, goal)
    }
  }

  /// Both ways: rows that differ or are missing in the rebuilt, then those that it has alone.
  private static func compare(
    _ database: Database, _ live: Transaction, _ rebuilt: Transaction,
    _ differences: inout Differences
  ) throws(StorageError) -> Int {
    var rowCount = 0
    var words: [UInt64] = []
    try live.rows(database) { key, row throws(StorageError) in
      rowCount += 1
      if words.count != row.count { words = [UInt64](repeating: 0, count: row.count) }
      guard try rebuilt.row(database, key, into: &words, at: 0, count: row.count) else {
        differences.add("\(place(database, key)) is not in the rebuilt one")
        return true
      }
      for index in row.indices where row[index] != words[index] {
        differences.add(
          "\(place(database, key)), word \(index): \(row[index]), rebuilt \(words[index])")
        break
      }
      return true
    }
    guard rowCount != (try rebuilt.count(database)) else { return rowCount }
    try rebuilt.rows(database) { key, row throws(StorageError) in
      if words.count != row.count { words = [UInt64](repeating: 0, count: row.count) }
      if try !live.row(database, key, into: &words, at: 0, count: row.count) {
        differences.add("\(place(database, key)) is in the rebuilt one only")
      }
      return true
    }
    return rowCount
  }

  private static func place(_ database: Database, _ key: UInt64) -> String {
    "\(Layout.names[database.index]), row \(key)"
  }
}
