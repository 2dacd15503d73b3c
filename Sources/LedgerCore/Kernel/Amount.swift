/// Money: an exact count of an asset's ledger units.
///
/// The scale belongs to the asset (9 for USD and USD stablecoins, so one unit is 1e-9 USD). An
/// amount knows neither its asset nor its scale; whoever holds it does. Arithmetic is checked: a
/// sum that leaves the range is a ``Rejection/amountOutOfRange``, never a trap reachable from input
/// and never a wrap (`accounting.md` 2).
public struct Amount: Hashable, Comparable, Sendable {
  /// The count of ledger units. Negative only inside a difference, never in a balance.
  public var units: Int128

  /// An amount of `units` ledger units.
  @inlinable
  public init(units: Int128) {
    self.units = units
  }

  /// No money.
  public static let zero = Amount(units: 0)

  /// The largest amount one command may name: 999,999,999,999,999,999 whole units of an asset with
  /// scale 9 (S18). Balances may grow beyond it; 10^11 such amounts still fit `Int128`.
  public static let commandMax = Amount(units: 999_999_999_999_999_999_999_999_999)

  @inlinable
  public static func < (a: Amount, b: Amount) -> Bool { a.units < b.units }

  /// The sum, or a refusal where it leaves the range.
  @inlinable
  public func adding(_ other: Amount) throws(Refusal) -> Amount {
    let (sum, overflow) = units.addingReportingOverflow(other.units)
    guard !overflow else { throw Refusal(.amountOutOfRange) }
    return Amount(units: sum)
  }

  /// The sum of two amounts that were checked before. Traps where that was a mistake, because a
  /// wrong balance is worse than a stopped ledger.
  @inlinable
  public static func + (a: Amount, b: Amount) -> Amount { Amount(units: a.units + b.units) }

  /// The difference of two amounts that were checked before; see ``+(_:_:)``.
  @inlinable
  public static func - (a: Amount, b: Amount) -> Amount { Amount(units: a.units - b.units) }

  /// Adds as ``+(_:_:)`` does.
  @inlinable
  public static func += (a: inout Amount, b: Amount) { a = a + b }

  /// Subtracts as ``-(_:_:)`` does.
  @inlinable
  public static func -= (a: inout Amount, b: Amount) { a = a - b }

  /// `self` × `numerator` ÷ `denominator`, rounded up to the next unit.
  ///
  /// The one rounding of a fee (`accounting.md` 2: fee up). Refused where the product leaves
  /// `Int128`. Both must be non-negative and the denominator positive.
  func scaledUp(by numerator: Int128, over denominator: Int128) throws(Refusal) -> Amount {
    precondition(units >= 0 && numerator >= 0 && denominator > 0)
    let (product, overflow) = units.multipliedReportingOverflow(by: numerator)
    guard !overflow else { throw Refusal(.amountOutOfRange) }
    // A product that fits 64 bits divides twenty times faster, and almost every payment's does.
    if product <= Int128(Int64.max) && denominator <= Int128(Int64.max) {
      let small = Int64(truncatingIfNeeded: product)
      let (quotient, rest) = small.quotientAndRemainder(
        dividingBy: Int64(truncatingIfNeeded: denominator))
      return Amount(units: Int128(rest == 0 ? quotient : quotient + 1))
    }
    let (quotient, rest) = product.quotientAndRemainder(dividingBy: denominator)
    return Amount(units: rest == 0 ? quotient : quotient + 1)
  }
}

extension Amount {
  /// `self` × `part` ÷ `whole`, rounded down: the share of a part in something that belongs to the
  /// whole, such as a fee. The part must be within the whole, which is positive, and none negative.
  /// The product may be longer than 128 bits; the share is not.
  func share(_ part: Amount, of whole: Amount) -> Amount {
    precondition(units >= 0 && part.units >= 0 && whole.units > 0 && part <= whole)
    let product = units.magnitude.multipliedFullWidth(by: part.units.magnitude)
    let (quotient, _) = whole.units.magnitude.dividingFullWidth(product)
    return Amount(units: Int128(quotient))
  }
}

// MARK: - Decimal text

extension Amount {
  /// Why a text is not an amount.
  public enum TextError: Error, Hashable, Sendable {
    /// Not `0` or digits without a leading zero, with at most one point and digits behind it.
    case malformed
    /// More decimals than the asset has. The value is the number of decimals allowed.
    case tooPrecise(decimals: Int)
    /// More than 18 digits before the point.
    case tooLarge
  }

  /// Reads an exact decimal such as `5`, `0.005` or `12.000000001`.
  ///
  /// Grammar (S18): `^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$`, and no more decimals than `scale`. No
  /// sign, exponent, space or leading zero; nothing is rounded. Zeros behind the last decimal of
  /// the asset are refused too: the text claims a precision that the asset has not.
  /// - Complexity: O(length), no allocation.
  public init(text: String, scale: Int) throws(TextError) {
    try self.init(text: text.utf8.span, scale: scale)
  }

  /// As ``init(text:scale:)-(String,_)``, from a text in ASCII.
  public init(text: Span<UInt8>, scale: Int) throws(TextError) {
    precondition((0...18).contains(scale))
    // 18 digits on either side fit 64 bits, whose arithmetic is ten times as fast.
    var (whole, fraction): (UInt64, UInt64) = (0, 0)
    var wholeDigits = 0
    var decimals = -1
    for index in text.indices {
      let byte = text[index]
      if byte == UInt8(ascii: ".") {
        guard decimals < 0, wholeDigits > 0 else { throw .malformed }
        decimals = 0
        continue
      }
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { throw .malformed }
      let digit = UInt64(byte - UInt8(ascii: "0"))
      if decimals >= 0 {
        decimals += 1
        guard decimals <= 18 else { throw .tooPrecise(decimals: scale) }
        fraction = fraction * 10 + digit
      } else {
        guard wholeDigits == 0 || whole > 0 else { throw .malformed }
        wholeDigits += 1
        guard wholeDigits <= 18 else { throw .tooLarge }
        whole = whole * 10 + digit
      }
    }
    guard wholeDigits > 0, decimals != 0 else { throw .malformed }
    let given = max(decimals, 0)
    guard given <= scale else { throw .tooPrecise(decimals: scale) }
    units =
      Int128(whole) * Int128(Self.powers[scale]) + Int128(fraction)
      * Int128(Self.powers[scale - given])
  }

  /// The powers of ten that fit 64 bits.
  private static let powers: [UInt64] = (0..<20).map { exponent in
    (0..<exponent).reduce(1) { power, _ in power * 10 }
  }

  /// The exact decimal text at `scale`, with at least `decimalsMin` decimals and no other trailing
  /// zeros: `5` or, with two decimals, `5.00`.
  public func text(scale: Int, decimalsMin: Int = 0) -> String {
    var bytes: [UInt8] = []
    append(to: &bytes, scale: scale, decimalsMin: decimalsMin)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends ``text(scale:decimalsMin:)`` to a text in UTF-8.
  public func append(to bytes: inout [UInt8], scale: Int, decimalsMin: Int = 0) {
    precondition((0...18).contains(scale) && decimalsMin <= scale)
    if units < 0 { bytes.append(UInt8(ascii: "-")) }
    let power = Self.powers[scale]
    var fraction: UInt64
    if let small = UInt64(exactly: units.magnitude) {
      let whole: UInt64
      (whole, fraction) = small.quotientAndRemainder(dividingBy: power)
      Self.append(digitsOf: whole, to: &bytes)
    } else {
      let (whole, rest) = units.magnitude.quotientAndRemainder(dividingBy: UInt128(power))
      bytes.append(contentsOf: String(whole).utf8)
      fraction = UInt64(rest)
    }
    var count = scale
    while count > decimalsMin, fraction % 10 == 0 { (fraction, count) = (fraction / 10, count - 1) }
    guard count > 0 else { return }
    bytes.append(UInt8(ascii: "."))
    Self.append(digitsOf: fraction, countMin: count, to: &bytes)
  }

  /// Appends a number with at least so many digits.
  private static func append(digitsOf number: UInt64, countMin: Int = 1, to bytes: inout [UInt8]) {
    var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
    var (rest, count) = (number, 0)
    while rest > 0 || count < countMin {
      count += 1
      digits[20 - count] += UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    bytes.append(addingCapacity: count) { text in
      for index in 20 - count..<20 { text.append(digits[index]) }
    }
  }
}
