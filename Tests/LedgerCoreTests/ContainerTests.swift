import TestSupport
import Testing

@testable import LedgerCore

/// Goal: the containers that hold the state never lose, invent or misplace a row.
/// Method: random operations on each and on a plain Swift collection, compared as they go.
@Suite struct ContainerTests {
  private enum Things {}
  private struct Row: BitwiseCopyable, Equatable {
    var low: UInt64
    var high: UInt64
  }

  @Test func `a table does what an array does`() {
    var random = SplitMix64(seeded: "table")
    let undo = Undo()
    defer { undo.destroy() }
    var table = Table<Things, Row>(undo: undo)
    var model: [Row] = []
    for step in 0..<20_000 {
      switch random.below(10) {
      case 0 where !model.isEmpty:
        table.removeLast()
        model.removeLast()
      case 1...4 where !model.isEmpty:
        let index = random.below(model.count)
        let value = random.next()
        table[Number(UInt64(index + 1))].high = value
        model[index].high = value
      case 5: table.reserve(random.below(100))
      default:  // not ours: a random number
        let row = Row(low: random.next(), high: random.next())
        #expect(table.next.rawValue == UInt64(model.count + 1))
        table.append(row)
        model.append(row)
      }
      #expect(table.count == model.count)
      #expect(!table.contains(.none) && !table.contains(table.next))
      if step % 1_000 == 0 { #expect(rows(of: table) == model) }
    }
    #expect(rows(of: table) == model)
    table.withBytes { bytes, stride in
      #expect(bytes.byteCount == (model.count + 1) * stride)
    }
  }

  private func rows(of table: borrowing Table<Things, Row>) -> [Row] {
    var rows: [Row] = []
    for number in stride(from: UInt64(1), through: UInt64(table.count), by: 1) {
      rows.append(table[Number(number)])
    }
    return rows
  }

  @Test func `an index does what a dictionary does`() {
    var random = SplitMix64(seeded: "index")
    let undo = Undo()
    defer { undo.destroy() }
    var index = Index(undo: undo)
    var model: [UInt128: UInt64] = [:]
    for _ in 0..<20_000 {
      // Few different low halves, so that probing has to tell keys apart by the high half.
      let key = random.wide() & (UInt128(0xFFF) << 64 | 0xFF)
      #expect(index.find(key) == model[key] ?? 0)
      guard model[key] == nil else { continue }
      let value = random.next() | 1
      index.insert(key, value)
      model[key] = value
      #expect(index.count == model.count)
    }
    for (key, value) in model { #expect(index.find(key) == value) }
  }

  /// Numbers that callers choose: steps by which a multiplication alone makes neighbours of them.
  @Test(arguments: [1, 2_584, 6_765, 28_657, 1 << 32] as [UInt64])
  func `an index spreads numbers that somebody chose`(step: UInt64) {
    let undo = Undo()
    defer { undo.destroy() }
    var index = Index(undo: undo)
    for place in 1...UInt64(5_000) { index.insert(UInt128(place &* step) << 1 | 1 << 70, place) }
    #expect(index.count == 5_000)
    for place in 1...UInt64(5_000) {
      #expect(index.find(UInt128(place &* step) << 1 | 1 << 70) == place)
    }
  }

  @Test func `fingerprints find every candidate and only candidates`() throws {
    var random = SplitMix64(seeded: "fingerprints")
    let undo = Undo()
    defer { undo.destroy() }
    var fingerprints = Fingerprints(undo: undo)
    var model: [UInt128: UInt64] = [:]
    for number in 1...UInt64(20_000) {
      // Halves that meet often: a hit is only a candidate, which the caller confirms.
      let fingerprint = random.wide() & (UInt128(0xF) << 64 | UInt128(0xFFFF) << 48)
      let found = try fingerprints.find(fingerprint) { model[fingerprint] == $0.rawValue }
      #expect(found?.rawValue == model[fingerprint])
      guard found == nil else { continue }
      fingerprints.insert(fingerprint, EventNumber(number))
      model[fingerprint] = number
      #expect(fingerprints.count == model.count)
    }
    for (fingerprint, number) in model {
      #expect(try fingerprints.find(fingerprint) { $0.rawValue == number }?.rawValue == number)
    }
    #expect(try fingerprints.find(1 << 100) { _ in false } == nil)
  }

  /// Growing moves every key within the table, while others come. Keys that crowd at its end, its
  /// middle or its start are what could be overwritten on the way.
  @Test(arguments: [nil, 0, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF] as [UInt64?])
  func `fingerprints stay findable while the table grows`(crowded: UInt64?) {
    var random = SplitMix64(seeded: "fingerprints grow")
    let undo = Undo()
    defer { undo.destroy() }
    var fingerprints = Fingerprints(undo: undo)
    var model: [UInt64: [UInt64]] = [:]
    var tags: [UInt64] = []
    func isFound(_ tag: UInt64) -> Bool {
      var search = fingerprints.search(UInt128(tag))
      var found: [UInt64] = []
      while let event = fingerprints.next(&search) { found.append(event.rawValue) }
      return found.sorted() == model[tag] ?? []
    }
    for number in 1...UInt64(30_000) {
      var tag = random.next()
      if random.below(50) == 0, let old = tags.randomElement(using: &random) { tag = old }
      if let crowded, number % 32 == 0 { tag = crowded << 48 | tag >> 16 }
      fingerprints.insert(UInt128(tag), EventNumber(number))
      model[tag, default: []].append(number)
      tags.append(tag)
      let asked = [tag, tags[random.below(tags.count)], random.next()]
      guard asked.allSatisfy(isFound), number % 9_973 > 0 || model.keys.allSatisfy(isFound) else {
        Issue.record("of \(asked) or all, after \(number) keys")
        return
      }
    }
    #expect(fingerprints.count == tags.count)
  }

  /// However large the table is, an insertion waits for one step of its growing at most.
  @Test func `no insertion moves much, and a table that grows hands its keys over in order`() {
    var random = SplitMix64(seeded: "slots")
    let undo = Undo()
    defer { undo.destroy() }
    var slots = Slots<Key>(placeCount: 1 << 12, undo: undo)
    var model: [UInt64] = []
    var movedMax = 0
    for _ in 0..<100_000 {
      let (hash, before) = (random.next() | 1, slots.settled)
      slots.reserve(1)
      if before > 0 { movedMax = max(movedMax, before - slots.settled) }
      var index = slots.start(of: hash)
      while !slots[index].isEmpty { index += 1 }
      slots.fill(index, Key(hash: hash))
      model.append(hash)
      if model.count % 19_997 == 0 { expectOrder(slots, model) }
    }
    // Twice a step and what stands between two empty slots, in places of the larger table.
    #expect(movedMax > 0 && movedMax < 10_240, "\(movedMax)")
    expectOrder(slots, model)
  }

  private struct Key: SlotEntry {
    var hash: UInt64
    var isEmpty: Bool { hash == 0 }
    static var empty: Key { Key(hash: 0) }
  }

  private func expectOrder(_ slots: borrowing Slots<Key>, _ model: [UInt64]) {
    var (found, cluster): ([UInt64], [UInt64]) = ([], [])
    for index in slots.indices {
      if slots[index].isEmpty {
        found += cluster.sorted()
        cluster = []
      } else {
        cluster.append(slots[index].hash)
      }
    }
    #expect(found == model.sorted() && cluster.isEmpty && slots.count == model.count)
  }

  @Test func `room that is reserved is there without another move`() {
    var random = SplitMix64(seeded: "slots reserve")
    let undo = Undo()
    defer { undo.destroy() }
    var slots = Slots<Key>(placeCount: 64, undo: undo)
    var model: Set<UInt64> = []
    for _ in 0..<300 {
      let count = 1 + random.below(random.below(10) == 0 ? 5_000 : 300)
      slots.reserve(count)
      // Within a unit, moving stops the process.
      undo.begin()
      var hashes: [UInt64] = []
      for _ in 0..<count {
        let hash = random.next() | 1
        slots.reserve(1)
        var index = slots.start(of: hash)
        while !slots[index].isEmpty { index += 1 }
        slots.fill(index, Key(hash: hash))
        hashes.append(hash)
      }
      if random.below(3) == 0 {
        undo.rollBack()
        #expect(hashes.allSatisfy { !isThere($0, slots) })
      } else {
        undo.keep()
        model.formUnion(hashes)
      }
      #expect(slots.count == model.count)
    }
    #expect(model.allSatisfy { isThere($0, slots) })
  }

  private func isThere(_ hash: UInt64, _ slots: borrowing Slots<Key>) -> Bool {
    var index = slots.start(of: hash)
    while !slots[index].isEmpty, slots[index].hash != hash { index += 1 }
    return !slots[index].isEmpty
  }

  @Test func `timers are due in the order of deadline, then of arming`() {
    var random = SplitMix64(seeded: "timers")
    let undo = Undo()
    defer { undo.destroy() }
    var timers = Timers(undo: undo)
    var model: [(timer: Timers.Armed, handle: Timers.Handle, order: Int)] = []
    for order in 0..<20_000 {
      let isEarlier = {
        (a: (Timers.Armed, Timers.Handle, Int), b: (Timers.Armed, Timers.Handle, Int)) in
        (a.0.deadline.nanoseconds, a.2) < (b.0.deadline.nanoseconds, b.2)
      }
      switch random.below(5) {
      case 0 where !model.isEmpty:
        let index = random.below(model.count)
        timers.cancel(model[index].handle)
        model.remove(at: index)
      case 1 where !model.isEmpty:
        if let first = model.indices.min(by: { isEarlier(model[$0], model[$1]) }) {
          #expect(timers.first?.timer == model[first].timer)
          #expect(timers.first?.handle == model[first].handle)
          timers.cancel(model[first].handle)
          model.remove(at: first)
        }
      default:  // not ours: a random number
        // Kept small, so that deadlines meet; when it grows long, it shrinks again.
        guard model.count < 60 else { continue }
        let timer = Timers.Armed(
          deadline: Timestamp(nanoseconds: UInt64(random.below(50))), kind: .feeScheduleBegins,
          subject: UInt64(order))
        model.append((timer, timers.arm(timer), order))
      }
      #expect(timers.count == model.count)
      #expect(timers.first?.timer == model.min(by: isEarlier)?.timer)
    }
  }

  @Test func `a memory keeps its bytes while it grows and zeroes the rest`() {
    let undo = Undo()
    defer { undo.destroy() }
    var table = Table<Things, Row>(undo: undo)
    for number in 0..<UInt64(1_000_000) { table.append(Row(low: number, high: ~number)) }
    for number in stride(from: UInt64(0), to: 1_000_000, by: 997) {
      #expect(table[Number(number + 1)] == Row(low: number, high: ~number))
    }
  }
}
