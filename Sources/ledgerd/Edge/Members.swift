import LedgerCore
import Projections

/// The members of a JSON object, one call each. What is nil is left out.
///
/// Written at once, since an answer is read by nobody here: that costs a fifth of a tree.
struct Members: ~Copyable {
  private var bytes: [UInt8]

  init() {
    bytes = []
    bytes.reserveCapacity(640)
    bytes.append(UInt8(ascii: "{"))
  }

  var json: JSONValue {
    consuming get {
      bytes.append(UInt8(ascii: "}"))
      return .written(bytes)
    }
  }

  /// A name is one of ours, and needs no escape.
  private mutating func begin(_ name: String) {
    let needsComma = bytes.count > 1
    bytes.append(addingCapacity: name.utf8.count + 4) { text in
      if needsComma { text.append(UInt8(ascii: ",")) }
      text.append(UInt8(ascii: "\""))
      for byte in name.utf8 { text.append(byte) }
      text.append(UInt8(ascii: "\""))
      text.append(UInt8(ascii: ":"))
    }
  }

  mutating func value(_ name: String, _ value: JSONValue?) {
    guard let value else { return }
    begin(name)
    bytes += value.bytes
  }

  mutating func string(_ name: String, _ text: String?) {
    guard let text else { return }
    begin(name)
    bytes.append(quoted: text)
  }

  mutating func id(_ name: String, _ kind: TextIds.Kind, _ number: UInt64, _ ids: TextIds) {
    begin(name)
    bytes.append(UInt8(ascii: "\""))
    ids.append(kind, number, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  mutating func bool(_ name: String, _ flag: Bool?) {
    guard let flag else { return }
    begin(name)
    bytes.append(contentsOf: (flag ? "true" : "false").utf8)
  }

  mutating func integer(_ name: String, _ number: (some FixedWidthInteger)?) {
    guard let number else { return }
    begin(name)
    bytes.append(contentsOf: String(number).utf8)
  }

  /// An amount twice: a number in its exact text, and beside it the text, for those whose numbers
  /// are doubles.
  mutating func amount(_ name: String, _ amount: Amount, of asset: Asset) {
    decimal(name, amount, asset.scale, decimalsMin: 0)
  }

  /// An amount that somebody has, with at least two decimals (`accounting.md` 2).
  mutating func balance(_ name: String, _ amount: Amount, of asset: Asset) {
    decimal(name, amount, asset.scale, decimalsMin: min(2, asset.scale))
  }

  private mutating func decimal(_ name: String, _ amount: Amount, _ scale: Int, decimalsMin: Int) {
    begin(name)
    amount.append(to: &bytes, scale: scale, decimalsMin: decimalsMin)
    begin(name + "_text")
    bytes.append(UInt8(ascii: "\""))
    amount.append(to: &bytes, scale: scale, decimalsMin: decimalsMin)
    bytes.append(UInt8(ascii: "\""))
  }

  /// A decimal of so many places twice, as ``amount(_:_:of:)``; a whole number where it has none.
  mutating func decimal(_ name: String, _ amount: Amount, scale: Int) {
    decimal(name, amount, scale, decimalsMin: 0)
  }

  mutating func time(_ name: String, _ time: Timestamp) {
    begin(name)
    bytes.append(UInt8(ascii: "\""))
    time.append(to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }
}
