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

  /// Growing moves every key within the table. Keys that crowd at its end, its middle or its start
  /// are what could be overwritten on the way.
  @Test(arguments: [nil, 0, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF] as [UInt64?])
  func `fingerprints stay findable while the table grows`(crowded: UInt64?) throws {
    var random = SplitMix64(seeded: "fingerprints grow")
    let undo = Undo()
    defer { undo.destroy() }
    var fingerprints = Fingerprints(undo: undo)
    var keys: [UInt128] = []
    for number in 1...UInt64(60_000) {
      var tag = random.next()
      if let crowded, number % 64 == 0 { tag = crowded << 48 | tag >> 16 }
      keys.append(UInt128(tag))
      fingerprints.insert(UInt128(tag), EventNumber(number))
      // Just after each doubling, at three quarters of a power of two.
      guard [3_073, 6_145, 12_289, 24_577, 49_153, 60_000].contains(number) else { continue }
      for (index, key) in keys.enumerated() {
        let found = try fingerprints.find(key) { $0.rawValue == UInt64(index + 1) }
        #expect(found?.rawValue == UInt64(index + 1), "key \(index) of \(keys.count)")
      }
    }
    #expect(fingerprints.count == keys.count)
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
