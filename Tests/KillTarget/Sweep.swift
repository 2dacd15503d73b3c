import Foundation
import LedgerCore

/// Flips one bit of a ledger's file after the other, each in a fresh copy, and opens it. Of a
/// backup, the copy is restored and that is opened.
///
/// Prints a line `begin N` before each flip and then `refused N`, `same N`, or `WRONG N …` where
/// the ledger opened with other balances. Whoever runs it goes on after the flip at which it
/// crashed. Where the ledger opens, it is also written to and opened once more: damage can sleep.
struct Sweep {
  private let pristine: String
  private let copy: String
  private let file: String
  private let seed: UInt64
  /// Of the places in turn every so many-th is flipped; 0 where they are random.
  private let step: Int
  private let range: Range<Int>
  /// Of a backup: the file with its master key.
  private let keyFile: String?
  /// Of the file: where its bytes are not zero; and of `head.log`, the bytes of records with such.
  private var used: [Int] = []
  private var recorded: [Int] = []

  /// `DIR COPY FILE SEED[/STEP] FROM TO [KEY]`: `FILE` is a path within `DIR`; with a step it is
  /// each step-th byte in turn instead of random ones, or each
  /// step-th bit of the records that `head.log` has.
  init(_ arguments: [String]) throws {
    (pristine, copy, file) = (arguments[1], arguments[2], arguments[3])
    let way = arguments[4].split(separator: "/")
    guard let seed = UInt64(way[0]), let step = way.count > 1 ? Int(way[1]) : 0,
      let from = Int(arguments[5]), let to = Int(arguments[6]), from <= to
    else { throw Workload.Unexpected() }
    (self.seed, self.step, range) = (seed, step, from..<to)
    keyFile = arguments.count > 7 ? arguments[7] : nil
  }

  mutating func run() throws {
    let data = try Data(contentsOf: URL(filePath: pristine + "/" + file))
    try prepare(data)
    let expected = try Sight(copy).text
    used = data.indices.filter { data[$0] != 0 }
    recorded = data.indices.filter { place in
      let start = place / 64 * 64
      return data[start..<min(start + 64, data.count)].contains { $0 != 0 }
    }
    for flip in range {
      Victim.say("begin \(flip)")
      Victim.say("\(try verdict(expected, flipped(data, flip))) \(flip)")
    }
  }

  /// The data with one bit of one byte changed; every fourth time where it counts most: in a meta
  /// page, in the newest records, in the head.
  private func flipped(_ data: Data, _ flip: Int) -> Data {
    var copy = data
    let (place, bit) = place(in: data, flip)
    copy[copy.startIndex + place % data.count] ^= 1 << UInt8(bit)
    return copy
  }

  private func place(in data: Data, _ flip: Int) -> (byte: Int, bit: UInt64) {
    var state = seed &+ UInt64(flip) &* 0x9E37_79B9_7F4A_7C15
    state = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    state = (state ^ (state >> 27)) &* 0x94D0_49BB_1331_11EB
    state ^= state >> 31
    if step > 0, file == "head.log" {
      let turn = flip * step
      return (recorded[turn / 8], UInt64(turn % 8))
    }
    if step > 0 {
      // In turn: all bits of the two meta pages, then one of each byte.
      let metaBitCount = file == "log/data.mdb" ? 2 * 4096 * 8 : 0
      let turn = flip * step
      if turn < metaBitCount { return (turn / 8, UInt64(turn % 8)) }
      return (turn - metaBitCount, state & 7)
    }
    let number = Int(state >> 9)
    // A meta page's fields are its first 152 bytes. Of `head.log` few records are written.
    let isChosen = file == "head.log" ? flip % 4 != 0 : flip % 4 == 0
    let place: Int
    switch (isChosen, file) {
    case (true, "log/data.mdb"): place = number % 2 * 4096 + number / 2 % 152
    case (true, "head.log"): place = used[number % used.count]
    case (true, _): place = number % 600
    case (false, _): place = number
    }
    return (place, state & 7)
  }

  /// Makes the copy, with other bytes in the file.
  private func prepare(_ data: Data) throws {
    let files = FileManager.default
    try? files.removeItem(atPath: copy)
    let target = keyFile == nil ? copy : copy + "-backup"
    try? files.removeItem(atPath: target)
    try files.copyItem(atPath: pristine, toPath: target)
    try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: target)
    try data.write(to: URL(filePath: target + "/" + file))
    guard let keyFile else { return }
    let key = Array(try Data(contentsOf: URL(filePath: keyFile)))
    _ = try Backup.restore(target, to: copy, masterKey: key)
  }

  private func verdict(_ expected: String, _ data: Data) throws -> String {
    do {
      try prepare(data)
      let seen = try Sight(copy).text
      guard seen == expected else { return "WRONG opened with \(seen), not \(expected), at flip" }
      return try laterVerdict()
    } catch is StorageError {
      return "refused"
    } catch is LedgerFailure {
      return "refused"
    }
  }

  /// The ledger opened and looks right: pay, close, open again.
  private func laterVerdict() throws -> String {
    let engine = try Sight.open(copy)
    defer { engine.close() }
    do {
      for number in 0..<3 {
        let fund = Command.wallet(
          .fund(
            WalletNumber(1), amount: Amount(units: Int128(number + 1)), asset: .none,
            cap: .commandMax))
        _ = try engine.submitAndWait(Request(fund, by: .administrator))
      }
      let after = try Sight.look(engine)
      engine.close()
      let seen = try Sight(copy).text
      return seen == after ? "same" : "WRONG later with \(seen), not \(after), at flip"
    } catch is LedgerFailure {
      return "refused"
    }
  }
}
