import Foundation
import LedgerCore
import Testing

@testable import Projections

/// Goal: what a reader sees is what the log says, at once, and after whatever happened to the rows.
/// Method: a real engine and real projections in a directory; restarts and edits of the mark
/// instead of mocks.
@Suite struct ProjectionsTests {
  @Test func `a payment that was answered is in the balance`() async throws {
    let scene = try Scene()
    let projections = try scene.open()
    _ = try await scene.engine.submit(scene.pay(0, 1, 100_000))
    let payer = try #require(try await projections.balance(of: scene.wallets[0]))
    #expect(payer.wallet == scene.wallets[0] && payer.asset == AssetNumber(1))
    #expect(payer.available.units == 1_000_000 - 100_400)
    #expect(payer.held == .zero && payer.pending == .zero)
    #expect(try await projections.balance(of: scene.wallets[1])?.available.units == 1_100_000)
    let usd = AssetNumber(1)
    #expect(try await projections.balance(of: .faucet, in: usd).units == 2_000_000)
    #expect(try await projections.balance(of: .feeIncome(.internal), in: usd).units == 400)
    #expect(try await projections.balance(of: .faucet, in: AssetNumber(2)) == .zero)
    #expect(projections.position == scene.engine.head)
    projections.close()
  }

  @Test func `there is no balance and no timeline of a wallet that is not there`() async throws {
    let scene = try Scene()
    let projections = try scene.open()
    for wallet in [WalletNumber.none, WalletNumber(3), WalletNumber(1 << 40)] {
      #expect(try await projections.balance(of: wallet) == nil)
      let page = try await projections.timeline(of: .wallet(wallet), before: nil, limit: 10)
      #expect(page.events.isEmpty && page.next == nil)
    }
    projections.close()
  }

  @Test func `many who pay at once each see what they did`() async throws {
    let scene = try Scene(agents: 8)
    let projections = try scene.open()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for payer in 0..<4 {
        group.addTask {
          for round in 1...100 {
            _ = try await scene.engine.submit(scene.pay(payer, payer + 4, 1_000))
            let balance = try await projections.balance(of: scene.wallets[payer])
            #expect(balance?.available.units == 1_000_000 - Int128(round) * 1_004)
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try await projections.verify() == [])
    projections.close()
  }

  @Test func `large batches are applied to the last event`() async throws {
    let scene = try Scene(agents: 50)
    let projections = try scene.open()
    var dice = Dice(seed: 7)
    for _ in 0..<4 {
      let requests = (0..<10_000).map { _ in
        let from = dice.below(50)
        return scene.pay(from, (from + 1 + dice.below(49)) % 50, 1)
      }
      _ = try await scene.engine.submit(requests)
    }
    #expect(try await projections.verify() == [])
    let comparison = try projections.compareWithRebuild()
    #expect(comparison.differences == [])
    #expect(comparison.position == scene.engine.head && comparison.rowCount > 600)
    #expect(!FileManager.default.fileExists(atPath: scene.path + ".shadow"))
    projections.close()
  }

  // MARK: - Timelines

  @Test func `a timeline has opening, funding and payments of either side`() async throws {
    let scene = try Scene(agents: 3)
    let projections = try scene.open()
    _ = try await scene.engine.submit([
      scene.pay(0, 1, 1_000), scene.pay(1, 2, 1_000), scene.pay(2, 0, 1_000),
      try scene.pay(0, label: "merchant:demo", 1_000),
    ])
    let page = try await projections.timeline(of: .wallet(scene.wallets[0]), before: nil, limit: 10)
    let kinds = page.events.map { recorded -> String in
      switch recorded.event {
      case .wallet(.opened): "opened"
      case .wallet(.funded): "funded"
      case .payment(.completed(let payment)):
        payment.payer == scene.wallets[0] ? "paid" : "received"
      default: "\(recorded)"
      }
    }
    #expect(kinds == ["paid", "received", "paid", "funded", "opened"])
    #expect(page.next == nil)
    projections.close()
  }

  @Test func `a cursor goes on where its page ended, whatever came since`() async throws {
    let scene = try Scene(agents: 4)
    let projections = try scene.open()
    var dice = Dice(seed: 5)
    func payments(_ count: Int) -> [Request] {
      (0..<count).map { _ in
        let from = dice.below(4)
        return scene.pay(from, (from + 1 + dice.below(3)) % 4, 1)
      }
    }
    _ = try await scene.engine.submit(payments(500))
    let wallet = scene.wallets[2]
    let whole = try naiveTimeline(wallet, scene.engine)
    var seen: [Recorded] = []
    var before: EventNumber?
    repeat {
      let page = try await projections.timeline(of: .wallet(wallet), before: before, limit: 13)
      #expect(page.events.count == 13 || page.next == nil)
      seen += page.events
      before = page.next
      _ = try await scene.engine.submit(payments(10))
    } while before != nil
    #expect(seen == whole)
    let all = try await projections.timeline(of: .wallet(wallet), before: nil, limit: 5_000)
    #expect(all.events.count > whole.count && all.events.count <= 1_000)
    #expect(
      try await projections.timeline(of: .wallet(wallet), before: nil, limit: 0).events.isEmpty)
    #expect(try await projections.timeline(of: .wallet(wallet), before: nil, limit: -1).next == nil)
    projections.close()
  }

  /// Newest first, by looking at every event.
  private func naiveTimeline(_ wallet: WalletNumber, _ engine: Engine) throws -> [Recorded] {
    var found: [Recorded] = []
    var next = EventNumber(1)
    while let last = try engine.events(from: next).last {
      for recorded in try engine.events(from: next) {
        let isThere =
          switch recorded.event {
          case .wallet(.opened(let number, _, _)), .wallet(.funded(let number, _, _)):
            number == wallet
          case .payment(.completed(let payment)):
            payment.payer == wallet || payment.payee == .wallet(wallet)
          default: false
          }
        if isThere { found.append(recorded) }
      }
      next = EventNumber(last.number.rawValue + 1)
    }
    return found.reversed()
  }

  // MARK: - Restarts

  @Test(arguments: [1, 2, 3]) func `restarts on the way leave no trace in the rows`(
    _ seed: UInt64
  ) async throws {
    let scene = try Scene(agents: 40)
    var dice = Dice(seed: seed)
    for round in 0..<12 {
      let projections = try scene.open()
      if round % 3 == 0 { try await projections.catchUp() }
      let requests = (0..<dice.below(400)).map { _ in
        let from = dice.below(40)
        return scene.pay(from, (from + 1 + dice.below(39)) % 40, Int128(1 + dice.below(9)))
      }
      if !requests.isEmpty { _ = try await scene.engine.submit(requests) }
      projections.close()
    }
    let resumed = try scene.open()
    let rows = try await resumed.dump()
    resumed.close()
    try Projections.remove(scene.path)
    let fresh = try scene.open()
    #expect(try await fresh.dump() == rows)
    fresh.close()
  }

  @Test func `a clean close is trusted after another boot, an unclean one is not`() async throws {
    let scene = try Scene()
    let projections = try scene.open()
    try await projections.catchUp()
    let position = projections.position
    projections.close()
    #expect(try mark(scene).hasPrefix("clean "))

    try Data("clean 00000000-another-boot\n".utf8).write(to: markFile(scene))
    let resumed = try scene.open()
    #expect(resumed.start == position)
    #expect(try mark(scene).hasPrefix("open "))
    resumed.close()

    try Data("open 00000000-another-boot\n".utf8).write(to: markFile(scene))
    let rebuilt = try scene.open()
    #expect(rebuilt.start == .none)
    #expect(try await rebuilt.verify() == [])
    rebuilt.close()
  }

  @Test func `a killed process loses nothing that was written, and applies the rest again`()
    async throws
  {
    let scene = try Scene()
    let projections = try scene.open()
    #expect(try await projections.dump().count == 4)
    // What a kill leaves that comes before the next draft: what is written by now, and the mark of
    // an open store of this boot.
    let left = scene.path + ".left"
    try FileManager.default.copyItem(atPath: scene.path, toPath: left)
    for _ in 0..<3 { _ = try await scene.engine.submit(scene.pay(0, 1, 100)) }
    #expect(try await projections.balance(of: scene.wallets[1])?.available.units == 1_000_300)
    projections.close()
    try FileManager.default.removeItem(atPath: scene.path)
    try FileManager.default.moveItem(atPath: left, toPath: scene.path)

    let resumed = try scene.open()
    #expect(resumed.start == EventNumber(scene.engine.head.rawValue - 3))
    #expect(try await resumed.balance(of: scene.wallets[1])?.available.units == 1_000_300)
    #expect(try resumed.compareWithRebuild().differences == [])
    #expect(try await resumed.verify() == [])
    #expect(try resumed.compareWithRebuild().differences == [])
    resumed.close()
  }

  /// The rows cannot be written: a full disk, or here a full map.
  @Test func `what cannot be written is answered from memory, and written later`() async throws {
    let scene = try Scene(agents: 600)
    let projections = try Projections.open(
      scene.path, following: scene.engine, mapByteCount: 64 << 10)
    _ = try await scene.engine.submit((0..<599).map { scene.pay($0, $0 + 1, 7) })
    #expect(try await projections.balance(of: scene.wallets[599])?.available.units == 1_000_007)
    do {
      _ = try await projections.verify()
      Issue.record("600 wallets were written into 64 KiB")
    } catch {
      guard case .failed(.call) = error else { throw error }
    }
    _ = try await scene.engine.submit(scene.pay(0, 599, 3))
    #expect(try await projections.balance(of: scene.wallets[599])?.available.units == 1_000_010)
    projections.close()

    let resumed = try scene.open()
    #expect(try await resumed.balance(of: scene.wallets[599])?.available.units == 1_000_010)
    #expect(try await resumed.verify() == [])
    resumed.close()
  }

  @Test func `without a mark, or with a cut file, everything is rebuilt`() async throws {
    let scene = try Scene()
    try scene.open().close()
    try FileManager.default.removeItem(at: markFile(scene))
    var projections = try scene.open()
    #expect(projections.start == .none)
    try await projections.catchUp()
    projections.close()

    let file = try FileHandle(forWritingTo: URL(filePath: scene.path + "/data.mdb"))
    try file.truncate(atOffset: 10_000)
    try file.close()
    projections = try scene.open()
    #expect(projections.start == .none)
    #expect(try await projections.verify() == [])
    projections.close()
  }

  @Test func `the projections of another ledger are thrown away`() async throws {
    let (scene, other) = (try Scene(agents: 3), try Scene(agents: 5))
    let projections = try scene.open()
    try await projections.catchUp()
    projections.close()
    let moved = try Projections.open(scene.path, following: other.engine, mapByteCount: 1 << 30)
    #expect(moved.start == .none)
    #expect(try await moved.balance(of: other.wallets[4])?.available.units == 1_000_000)
    #expect(try await moved.verify() == [])
    moved.close()
  }

  @Test func `rows of another format, history or ahead of the log are thrown away`() async throws {
    let scene = try Scene()
    for change in [(word: 0, to: UInt64(99)), (word: 3, to: 1 << 30), (word: 5, to: 1)] {
      let projections = try scene.open()
      try await projections.catchUp()
      projections.close()
      try edit(scene, "meta", row: 0, word: change.word, to: change.to)
      let rebuilt = try scene.open()
      #expect(rebuilt.start == .none)
      #expect(try await rebuilt.verify() == [])
      rebuilt.close()
    }
  }

  // MARK: - Differences and failures

  @Test func `a row that was changed is found`() async throws {
    let scene = try Scene()
    try await scene.open().closeCaughtUp()
    try edit(scene, "wallets", row: 0, word: WalletRows.Column.available, to: 999_999)
    let projections = try scene.open()
    let sentences = try await projections.verify()
    try #require(sentences.count == 2)
    #expect(sentences[0].hasPrefix("wallet 1: 999999 available"))
    #expect(sentences[1] == "asset 1: debits are 2000000, credits 1999999")
    let comparison = try projections.compareWithRebuild()
    #expect(comparison.differences == ["wallets, row 0, word 1: 999999, rebuilt 1000000"])
    projections.close()
  }

  @Test func `a balance below zero ends the projection, and the next open rebuilds`() async throws {
    let scene = try Scene()
    try await scene.open().closeCaughtUp()
    try edit(scene, "wallets", row: 0, word: WalletRows.Column.available, to: 10)
    let projections = try scene.open()
    _ = try await scene.engine.submit(scene.pay(0, 1, 1_000))
    do {
      _ = try await projections.balance(of: scene.wallets[0])
      Issue.record("a balance below zero was answered")
    } catch {
      guard case .failed(.damaged(let what)) = error else { throw error }
      #expect(what.contains("would be 10 + -1000"))
    }
    projections.close()
    let rebuilt = try scene.open()
    #expect(rebuilt.start == .none)
    #expect(try await rebuilt.verify() == [])
    rebuilt.close()
  }

  @Test func `a read that waits too long, or is cancelled, says how far behind it is`() async throws
  {
    let scene = try Scene()
    let projections = try scene.open()
    try await projections.catchUp()
    let position = projections.position
    projections.follower.stop(at: position)
    _ = try await scene.engine.submit(scene.pay(0, 1, 1_000))
    let behind = ProjectionFailure.behind(position: position, head: scene.engine.head)
    await #expect(throws: behind) { _ = try await projections.balance(of: scene.wallets[0]) }
    let cancelled = Task { try await projections.balance(of: scene.wallets[0]) }
    cancelled.cancel()
    await #expect(throws: behind) { _ = try await cancelled.value }
    projections.follower.stop(at: EventNumber(.max))
    #expect(try await projections.balance(of: scene.wallets[1])?.available.units == 1_001_000)
    projections.close()
  }

  @Test func `closing while following answers who waits, and is done once`() async throws {
    let scene = try Scene(agents: 10)
    for _ in 0..<10 {
      let projections = try scene.open()
      let reader = Task {
        while true { _ = try await projections.balance(of: scene.wallets[3]) }
      }
      _ = try await scene.engine.submit((0..<500).map { _ in scene.pay(0, 1, 1) })
      projections.close()
      projections.close()
      await #expect(throws: ProjectionFailure.closed) { try await reader.value }
    }
    let projections = try scene.open()
    #expect(try await projections.verify() == [])
    projections.close()
  }

  /// Whoever reads while it is closed is answered or refused; and the directory is free afterwards.
  @Test func `many readers are let out before it is closed`() throws {
    let scene = try Scene()
    for _ in 0..<100 {
      let projections = try scene.open()
      let readers = (0..<3).map { _ in
        Worker(name: "reader") {
          while true {
            do throws(ProjectionFailure) {
              _ = try projections.readWritten { transaction throws(StorageError) in
                WalletBalance(
                  scene.wallets[0], try WalletRows().copy(scene.wallets[0], transaction))
              }
            } catch {
              #expect(error == .closed)
              return
            }
          }
        }
      }
      projections.close()
      for reader in readers { reader.join() }
    }
  }

  @Test func `a second open of the directory is refused`() async throws {
    let scene = try Scene()
    let projections = try scene.open()
    #expect(throws: StorageError.locked(holder: getpid())) { _ = try scene.open() }
    projections.close()
    try scene.open().close()
  }

  @Test func `an engine that closes first ends the projections`() async throws {
    let scene = try Scene()
    let projections = try scene.open()
    try await projections.catchUp()
    scene.engine.close()
    await #expect(throws: ProjectionFailure.closed) {
      _ = try await projections.timeline(of: .wallet(scene.wallets[0]), before: nil, limit: 1)
    }
    projections.close()
  }

  // MARK: - Helpers

  private func markFile(_ scene: Scene) -> URL { URL(filePath: scene.path + "/mark") }

  private func mark(_ scene: Scene) throws -> String {
    try String(contentsOf: markFile(scene), encoding: .utf8)
  }

  /// Changes one word of a closed projection.
  private func edit(
    _ scene: Scene, _ database: String, row: UInt64, word: Int, to value: UInt64
  ) throws {
    let store = try DisposableStore(
      scene.path, databases: Layout.names, mapByteCount: 1 << 30)
    try #require(store.wasKept)
    let database = Database(index: try #require(Layout.names.firstIndex(of: database)))
    try store.environment.write { transaction throws(StorageError) in
      var found: [UInt64] = []
      try transaction.rows(database, from: row) { _, words throws(StorageError) in
        found = words
        return false
      }
      found[word] = value
      try transaction.put(database, row, found, 0..<found.count)
    }
    try store.markClean()
  }
}

extension Projections {
  fileprivate func closeCaughtUp() async throws {
    try await catchUp()
    close()
  }
}
