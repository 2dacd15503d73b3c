import Foundation
import LedgerCore

/// Flips one random byte of a ledger's data file after the other, each in a fresh copy, and opens
/// it.
///
/// Prints a line `begin N` before each flip and then `refused N`, `same N`, or `WRONG N …` where
/// the ledger opened with other balances. Whoever runs it goes on after the flip at which it
/// crashed. Where the ledger opens, it is also written to and opened once more: damage can sleep.
struct Sweep {
  private let pristine: String
  private let copy: String
  private let seed: UInt64
  private let range: Range<Int>

  init(_ arguments: [String]) throws {
    (pristine, copy) = (arguments[1], arguments[2])
    guard let seed = UInt64(arguments[3]), let from = Int(arguments[4]),
      let to = Int(arguments[5]), from <= to
    else { throw Workload.Unexpected() }
    (self.seed, range) = (seed, from..<to)
  }

  func run() throws {
    let data = try Data(contentsOf: URL(filePath: pristine + "/log/data.mdb"))
    try restore(data)
    let expected = try Sight(copy).text
    for flip in range {
      Victim.say("begin \(flip)")
      try restore(Self.flipped(data, seed: seed, flip))
      Victim.say("\(try verdict(expected)) \(flip)")
    }
  }

  /// The data with one bit of one byte changed; every fourth time in a meta page.
  static func flipped(_ data: Data, seed: UInt64, _ flip: Int) -> Data {
    var state = seed &+ UInt64(flip) &* 0x9E37_79B9_7F4A_7C15
    state = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    state = (state ^ (state >> 27)) &* 0x94D0_49BB_1331_11EB
    state ^= state >> 31
    // A meta page's fields are its first 152 bytes.
    let place =
      flip % 4 == 0
      ? Int(state >> 8) % 2 * 4096 + Int(state >> 9) % 152 : Int(state >> 8) % data.count
    var copy = data
    copy[copy.startIndex + place] ^= 1 << UInt8(state & 7)
    return copy
  }

  private func restore(_ data: Data) throws {
    let files = FileManager.default
    try? files.removeItem(atPath: copy)
    try files.copyItem(atPath: pristine, toPath: copy)
    try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: copy)
    try data.write(to: URL(filePath: copy + "/log/data.mdb"))
  }

  private func verdict(_ expected: String) throws -> String {
    do {
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
