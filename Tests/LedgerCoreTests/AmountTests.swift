import TestSupport
import Testing

@testable import LedgerCore

/// Goal: an amount on the wire is read exactly or refused, never rounded, and printed as it is.
/// Method: a table over the grammar's edges (S18), then parse after print over random values.
@Suite struct AmountTests {
  @Test(
    arguments: [
      ("0", 0), ("5", 5_000_000_000), ("0.02", 20_000_000), ("0.005", 5_000_000),
      ("5.0", 5_000_000_000),
      ("5.00", 5_000_000_000), ("0.0", 0), ("0.000000001", 1), ("12.000000001", 12_000_000_001),
      ("1000000", 1_000_000_000_000_000), ("5.000000000", 5_000_000_000),
      ("999999999999999999", 999_999_999_999_999_999_000_000_000),
      ("999999999999999999.999999999", 999_999_999_999_999_999_999_999_999),
      ("100000000000000000", 100_000_000_000_000_000_000_000_000), ("10", 10_000_000_000),
    ] as [(String, Int128)])
  func `an amount is read to the unit`(text: String, units: Int128) throws {
    #expect(try Amount(text: text, scale: 9) == Amount(units: units))
  }

  @Test(arguments: [
    "", "-5", "-0", "+5", "1e30", "1e-12", "1E3", "0x10", "5.", ".5", ".", "..", "5..0", "5.0.0",
    "05", "00", "00.5", "01", " 5", "5 ", "5 0", "\t5", "5\n", "5\u{0}", "5,0", "5_000", "1,000",
    "٥", "５", "5\u{301}", "NaN", "Infinity", "inf", "null", "true", "five", "$5", "5USD", "5%",
    "(5)", "1/2", "٫5", "\u{FEFF}5", "５.5", "0-1", "5.-1", "5.+1", "5. 1", "--5", "'5'", "\"5\"",
  ])
  func `what is no plain decimal is malformed`(text: String) {
    #expect(throws: Amount.TextError.malformed) { try Amount(text: text, scale: 9) }
  }

  @Test(arguments: [
    "5.0000000001", "5.0000000000", "0.0000000001", "5.0000000000000000001",
    "0.1234567890", "1.000000000000000000", "1.0000000000000000000000000000000000000001",
  ])
  func `more decimals than the asset has are refused, zeros too`(text: String) {
    #expect(throws: Amount.TextError.tooPrecise(decimals: 9)) {
      try Amount(text: text, scale: 9)
    }
  }

  @Test(arguments: [
    "1000000000000000000", "9999999999999999999", "1000000000000000000.5",
    "340282366920938463463374607431768211456", "123456789012345678901234567890",
  ])
  func `more than 18 digits before the point are too large`(text: String) {
    #expect(throws: Amount.TextError.tooLarge) { try Amount(text: text, scale: 9) }
  }

  @Test func `eighteen digits fit on either side`() throws {
    let nines = String(repeating: "9", count: 18)
    #expect(try Amount(text: nines, scale: 0).units == 999_999_999_999_999_999)
    let both = try Amount(text: "\(nines).\(nines)", scale: 18)
    #expect(both.text(scale: 18) == "\(nines).\(nines)")
    #expect(throws: Amount.TextError.tooPrecise(decimals: 18)) {
      try Amount(text: "\(nines).\(nines)9", scale: 18)
    }
    #expect(throws: Amount.TextError.tooLarge) { try Amount(text: "\(nines)9", scale: 0) }
  }

  @Test(arguments: 0...18)
  func `an asset allows exactly its own decimals`(scale: Int) throws {
    let digits = String(repeating: "3", count: scale)
    let text = scale == 0 ? "7" : "7.\(digits)"
    let amount = try Amount(text: text, scale: scale)
    #expect(amount.text(scale: scale) == text)
    let more = scale == 0 ? "7.3" : text + "3"
    #expect(throws: Amount.TextError.tooPrecise(decimals: scale)) {
      try Amount(text: more, scale: scale)
    }
  }

  @Test(
    arguments: [
      (0, 0, "0"), (0, 2, "0.00"), (5_000_000_000, 0, "5"), (5_000_000_000, 2, "5.00"),
      (20_000_000, 0, "0.02"), (20_000_000, 2, "0.02"), (1, 2, "0.000000001"),
      (1, 0, "0.000000001"),
      (5_500_000_000, 2, "5.50"), (-5_500_000_000, 2, "-5.50"), (-1, 0, "-0.000000001"),
      (123_456_789, 9, "0.123456789"), (100_000_000, 9, "0.100000000"),
      (999_999_999_999_999_999_999_999_999, 2, "999999999999999999.999999999"),
    ] as [(Int128, Int, String)])
  func `an amount is printed exactly`(units: Int128, decimalsMin: Int, text: String) {
    #expect(Amount(units: units).text(scale: 9, decimalsMin: decimalsMin) == text)
  }

  @Test func `extremes are printed without a trap`() {
    #expect(
      Amount(units: .max).text(scale: 9) == "170141183460469231731687303715.884105727")
    #expect(
      Amount(units: .min).text(scale: 9) == "-170141183460469231731687303715.884105728")
    #expect(Amount(units: .max).text(scale: 0) == "\(Int128.max)")
  }

  @Test func `reading what was printed gives the same amount`() throws {
    var random = SplitMix64(seeded: "amount text")
    for _ in 0..<5_000 {
      let scale = random.below(19)
      var limit: Int128 = 1_000_000_000_000_000_000
      for _ in 0..<scale { limit *= 10 }
      let amount = Amount(units: random.amount().units % limit)
      let decimals = random.below(scale + 1)
      let text = amount.text(scale: scale, decimalsMin: decimals)
      #expect(try Amount(text: text, scale: scale) == amount, "\(text) at scale \(scale)")
    }
  }

  @Test func `random bytes are read or refused, and what is read prints the same value`() {
    var random = SplitMix64(seeded: "amount bytes")
    let alphabet = Array("00112345678999..-+e ".utf8)
    for _ in 0..<20_000 {
      let bytes = (0..<random.below(24)).map { _ in alphabet[random.below(alphabet.count)] }
      let text = String(decoding: bytes, as: UTF8.self)
      guard let amount = try? Amount(text: text, scale: 9) else { continue }
      let decimals = text.split(separator: ".").dropFirst().first?.count ?? 0
      #expect(amount.text(scale: 9, decimalsMin: decimals) == text)
    }
  }

  // MARK: - Arithmetic

  @Test func `a sum that leaves the range is refused`() throws {
    let most = Amount(units: .max)
    #expect(try most.adding(.zero) == most)
    #expect(throws: Refusal(.amountOutOfRange)) { try most.adding(Amount(units: 1)) }
    #expect(throws: Refusal(.amountOutOfRange)) {
      try Amount(units: .min).adding(Amount(units: -1))
    }
  }

  @Test func `a product that leaves the range is refused`() throws {
    #expect(throws: Refusal(.amountOutOfRange)) {
      try Amount(units: Int128.max / 2 + 1).scaledUp(by: 2, over: 10_000)
    }
    // Both sides of the border where division takes the short way.
    for units in [Int128(Int64.max) - 1, Int128(Int64.max), Int128(Int64.max) + 1] {
      let scaled = try Amount(units: units).scaledUp(by: 1, over: 7).units
      #expect(scaled * 7 >= units && (scaled - 1) * 7 < units)
    }
  }
}
