import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: linked commands are all done or none, in one commit; keys make every retry harmless; a
/// full queue refuses at once.
/// Method: the real engine at the edges of its bounds, alone and from several threads.
@Suite struct UnitTests {
  private static func reasons(_ outcomes: [Outcome]) -> Set<Rejection?> {
    Set(outcomes.map { $0.refusal?.reason })
  }

  private static func register(_ scene: Scene, _ index: Int) -> Request {
    let preparation = scene.engine.preparation
    return Request(
      .identity(
        .registerAgent(
          tenant: 0, name: 0, asset: AssetNumber(1),
          apiKey: preparation.hash(credential: "pk\(index)"),
          secretKey: preparation.hash(credential: "sk\(index)"))),
      by: .anonymous)
  }

  // MARK: - Bounds

  @Test func `a unit has 1 to 1,000 commands`() throws {
    let scene = try Scene()
    let head = scene.engine.head
    #expect(try scene.engine.submitAndWait(linked: []).isEmpty)
    let tooMany = try scene.engine.submitAndWait(
      linked: (0..<1_001).map { _ in try scene.pay(1) })
    #expect(tooMany.count == 1_001 && Self.reasons(tooMany) == [.unitTooLarge])
    #expect(scene.engine.head == head)
    let most = try scene.engine.submitAndWait(linked: (0..<1_000).map { _ in try scene.pay(1) })
    #expect(most.count == 1_000 && Self.reasons(most) == [nil])
    #expect(try scene.available(scene.to) == 1_000)
    try scene.expectReplayAgrees()
  }

  @Test func `a unit has at most 4,096 events`() throws {
    let scene = try Scene()
    let head = scene.engine.head
    let before = try scene.engine.read { $0.bytes }
    // Five events each.
    let tooMany = try scene.engine.submitAndWait(
      linked: (0..<820).map { Self.register(scene, $0) })
    #expect(Self.reasons(tooMany) == [.unitTooLarge, .linkedCommandRefused])
    #expect(tooMany[819].refusal?.reason == .unitTooLarge)
    #expect(scene.engine.head == head)
    #expect(try scene.engine.read { $0.bytes } == before)
    let most = try scene.engine.submitAndWait(linked: (0..<819).map { Self.register(scene, $0) })
    #expect(Self.reasons(most) == [nil])
    #expect(scene.engine.head.rawValue == head.rawValue + 4_095)
    try scene.expectReplayAgrees()
  }

  @Test func `a unit has at most 4 MiB of texts, a span is split there`() throws {
    let scene = try Scene()
    let text = String(repeating: "t", count: Preparation.textByteCountMax)
    let count = Batch.textByteCountMax / Preparation.textByteCountMax + 1
    let requests = try (0..<count).map { _ in try scene.pay(1, text: [text]) }
    let head = scene.engine.head
    let tooMuch = try scene.engine.submitAndWait(linked: requests)
    #expect(Self.reasons(tooMuch) == [.unitTooLarge, .linkedCommandRefused])
    #expect(scene.engine.head == head)
    let most = try scene.engine.submitAndWait(linked: Array(requests.prefix(count - 2)))
    #expect(Self.reasons(most) == [nil])
    #expect(try Self.reasons(scene.engine.submitAndWait(requests)) == [nil])
    #expect(try scene.engine.text(of: scene.engine.head) == [text])
    try scene.expectReplayAgrees()
  }

  @Test func `a unit never spans two commits`() throws {
    let scene = try Scene()
    let head = scene.engine.head.rawValue
    let group = DispatchGroup()
    // Held back by a first answer, so that all of these wait and are taken together.
    let (isHeld, hold) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    scene.engine.submit([try scene.pay(1)]) { _ in
      isHeld.signal()
      hold.wait()
    }
    isHeld.wait()
    for size in [900, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000] {
      let requests = try (0..<size).map { _ in try scene.pay(1) }
      let engine = scene.engine
      DispatchQueue.global().async(group: group) {
        let outcomes = try? engine.submitAndWait(linked: requests)
        #expect(outcomes.map(Self.reasons) == [nil])
      }
    }
    // Time for all of them to be queued; fewer would only make the test weaker, not wrong.
    Thread.sleep(forTimeInterval: 0.3)
    hold.signal()
    group.wait()
    scene.engine.close()
    let environment = try Environment(
      directory: scene.directory.path + "/log", databases: EventLog.names, mapByteCount: 1 << 30,
      durability: .synced, mayCreate: false)
    var sizes: [Int] = []
    _ = try EventLog(environment).walkBlocks(
      from: EventNumber(head + 2), countMax: .max, checking: .every
    ) { header, _ throws(StorageError) in
      sizes.append(header.count)
      return true
    }
    #expect(sizes.reduce(0, +) == 9_900)
    // Units of a thousand and one of 900: every block ends where a unit does.
    var total = 0
    for size in sizes {
      total += size
      #expect(total % 1_000 == 0 || total % 1_000 == 900, "\(sizes)")
    }
  }

  // MARK: - Keys of units

  @Test func `a unit is answered again as it was`() throws {
    let scene = try Scene()
    let unit = try [scene.pay(5, key: "a"), scene.pay(6, key: "b")]
    let first = try scene.engine.submitAndWait(linked: unit)
    let again = try scene.engine.submitAndWait(linked: unit)
    #expect(again == first.compactMap(\.recorded).map { .done($0, isReplay: true) })
    #expect(try scene.available(scene.to) == 11)
  }

  @Test func `of a refused unit the refusal is recorded under its own key`() throws {
    let scene = try Scene(funds: 100)
    let unit = try [scene.pay(50, key: "a"), scene.pay(60, key: "b"), scene.pay(1, key: "c")]
    let first = try scene.engine.submitAndWait(linked: unit)
    #expect(
      first.map { $0.refusal?.reason }
        == [.linkedCommandRefused, .insufficientFunds, .linkedCommandRefused])
    guard case .refused(let refusal, let event, isReplay: false) = first[1], event.isSome else {
      throw Unexpected(first[1])
    }
    let again = try scene.engine.submitAndWait(linked: unit)
    #expect(again[1] == .refused(refusal, event: event, isReplay: true))
    #expect(again[0].refusal?.reason == .linkedCommandRefused)
    // The others' keys are free still.
    #expect(try scene.engine.submitAndWait(scene.pay(50, key: "a")).recorded != nil)
    try scene.expectReplayAgrees()
  }

  @Test func `a unit of old and new keys is refused`() throws {
    let scene = try Scene()
    _ = try scene.engine.submitAndWait(scene.pay(5, key: "a"))
    let mixed = try scene.engine.submitAndWait(
      linked: [scene.pay(5, key: "a"), scene.pay(6, key: "b")])
    #expect(Self.reasons(mixed) == [.linkedKeysDiffer])
    let conflict = try scene.engine.submitAndWait(
      linked: [scene.pay(7, key: "b"), scene.pay(6, key: "a")])
    #expect(
      conflict.map { $0.refusal?.reason } == [.linkedCommandRefused, .idempotencyConflict])
    let twice = try scene.engine.submitAndWait(
      linked: [scene.pay(7, key: "b"), scene.pay(7, key: "b")])
    #expect(twice.map { $0.refusal?.reason } == [.linkedCommandRefused, .idempotencyConflict])
    #expect(try scene.available(scene.to) == 5)
  }

  // MARK: - Keys

  @Test func `the same key twice in one span is done once`() throws {
    let scene = try Scene()
    let span = try scene.engine.submitAndWait([
      scene.pay(7, key: "k"), scene.pay(7, key: "k"), scene.pay(8, key: "k"),
      scene.pay(7, key: "k"),
    ])
    let done = try #require(span[0].recorded)
    #expect(span[0] == .done(done, isReplay: false))
    #expect(span[1] == .done(done, isReplay: true) && span[3] == span[1])
    #expect(span[2].refusal?.reason == .idempotencyConflict)
    #expect(try scene.available(scene.to) == 7)
    try scene.expectReplayAgrees()
  }

  @Test func `a key is its actor's and its operation's own`() throws {
    let scene = try Scene()
    let preparation = scene.engine.preparation
    let fund = Command.wallet(
      .fund(scene.to, amount: Amount(units: 9), asset: .none, cap: .commandMax))
    let outcomes = try scene.engine.submitAndWait([
      scene.pay(7, key: "k"),
      preparation.request(fund, by: .agent(scene.bob), key: "k"),
      preparation.request(fund, by: .administrator, key: "k"),
    ])
    #expect(outcomes.allSatisfy { $0.recorded != nil })
    #expect(try scene.available(scene.to) == 7 + 9 + 9)
  }

  @Test func `another text, amount or payee under a key is another request`() throws {
    let scene = try Scene()
    _ = try scene.engine.submitAndWait(scene.pay(7, key: "k", text: ["one"]))
    for request in try [
      scene.pay(7, key: "k"), scene.pay(7, key: "k", text: ["two"]),
      scene.pay(8, key: "k", text: ["one"]), scene.pay(7, key: "k", text: ["one", ""]),
    ] {
      let outcome = try scene.engine.submitAndWait(request)
      #expect(outcome.refusal?.reason == .idempotencyConflict)
    }
    let same = try scene.engine.submitAndWait(scene.pay(7, key: "k", text: ["one"]))
    guard case .done(_, isReplay: true) = same else { throw Unexpected(same) }
  }

  @Test func `of many threads with one key exactly one has an effect`() throws {
    let scene = try Scene()
    let keys = 200
    let outcomes = Mutex<[Int: [Outcome]]>([:])
    let engine = scene.engine
    let requests = try (0..<keys).map { try scene.pay(3, key: "key \($0)".filter { $0 != " " }) }
    let group = DispatchGroup()
    for thread in 0..<8 {
      DispatchQueue.global().async(group: group) {
        var random = SplitMix64(seeded: "thread \(thread)")
        for index in Array(0..<keys).shuffled(using: &random) {
          guard let outcome = try? engine.submitAndWait(requests[index]) else { continue }
          outcomes.withLock { $0[index, default: []].append(outcome) }
        }
      }
    }
    group.wait()
    for (index, outcomes) in outcomes.withLock({ $0 }) {
      #expect(outcomes.count == 8)
      let first = outcomes.filter { if case .done(_, isReplay: false) = $0 { true } else { false } }
      #expect(first.count == 1, "key \(index)")
      #expect(Set(outcomes.map { $0.recorded }).count == 1, "key \(index)")
    }
    #expect(try scene.available(scene.to) == Int128(keys * 3))
    try scene.expectReplayAgrees()
  }

  @Test func `an old key is found after a restart`() throws {
    let scene = try Scene()
    let requests = try (0..<3_000).map { try scene.pay(1, key: "k\($0)") }
    let first = try scene.engine.submitAndWait(requests)
    scene.engine.close()
    let again = try Engine.open(scene.directory.path, .test)
    let replayed = try again.submitAndWait(requests)
    #expect(replayed == first.compactMap(\.recorded).map { .done($0, isReplay: true) })
    again.close()
  }

  // MARK: - The queue

  /// Otherwise a service whose completions hold it could never let go of its engine.
  @Test func `an idle engine holds nothing of those it answered`() throws {
    final class Caller: Sendable {}
    let scene = try Scene()
    weak var known: Caller?
    for isLone in [true, false] {
      do {
        let (caller, isAnswered) = (Caller(), DispatchSemaphore(value: 0))
        known = caller
        let answered = { @Sendable in withExtendedLifetime(caller) { _ = isAnswered.signal() } }
        if isLone {
          scene.engine.submit(try scene.pay(1)) { _ in answered() }
        } else {
          scene.engine.submit([try scene.pay(1)]) { _ in answered() }
        }
        isAnswered.wait()
      }
      let deadline = ContinuousClock.now + .seconds(10)
      // Let go of by the engine's thread, after the answer: nothing says when.
      while known != nil, ContinuousClock.now < deadline { usleep(1_000) }
      #expect(known == nil)
    }
  }

  @Test func `lone commands and spans are done in the order they came`() throws {
    let scene = try Scene()
    let one = try scene.pay(1)
    let (hold, isHeld) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    scene.engine.submit(one) { _ in
      isHeld.signal()
      hold.wait()
    }
    isHeld.wait()
    let numbers = Mutex<[EventNumber?]>([])
    let all = DispatchGroup()
    // More than the engine looks ahead, all waiting at once.
    for index in 0..<60 {
      all.enter()
      if index % 7 == 0 {
        scene.engine.submit([one, one]) { result in
          let outcomes = (try? result.get()) ?? []
          numbers.withLock { $0 += outcomes.map { $0.recorded?.number } }
          all.leave()
        }
      } else {
        scene.engine.submit(one) { result in
          numbers.withLock { $0.append((try? result.get())?.recorded?.number) }
          all.leave()
        }
      }
    }
    hold.signal()
    all.wait()
    let done = numbers.withLock { $0 }.compactMap { $0?.rawValue }
    #expect(done.count == 69 && done == Array(done[0]..<done[0] + 69))
  }

  @Test func `a full queue refuses at once and does nothing`() throws {
    let scene = try Scene()
    let one = try scene.pay(1)
    let tooMany = try scene.engine.submitAndWait(
      [Request](repeating: one, count: Inbox.commandCountMax + 1))
    #expect(Self.reasons(tooMany) == [.queueFull])

    let (hold, isHeld) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    scene.engine.submit(one) { _ in
      isHeld.signal()
      hold.wait()
    }
    isHeld.wait()
    let answers = Mutex<[Outcome]>([])
    let all = DispatchGroup()
    all.enter()
    scene.engine.submit([Request](repeating: one, count: Inbox.commandCountMax)) { result in
      if case .success(let outcomes) = result { answers.withLock { $0 = outcomes } }
      all.leave()
    }
    // The engine is busy and its queue is full to the last place: neither of these waits for it.
    #expect(try scene.engine.submitAndWait(one).refusal?.reason == .queueFull)
    #expect(try Self.reasons(scene.engine.submitAndWait(linked: [one])) == [.queueFull])
    #expect(throws: LedgerFailure.queueFull) { try scene.engine.read { $0.wallets.next } }
    hold.signal()
    all.wait()
    #expect(answers.withLock { Self.reasons($0) } == [nil])
    #expect(try scene.available(scene.to) == Int128(Inbox.commandCountMax + 1))
  }
}
