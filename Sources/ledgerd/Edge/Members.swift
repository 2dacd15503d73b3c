import LedgerCore
import Projections

/// The members of a JSON object, one call each. What is nil is left out.
///
/// Written at once, since an answer is read by nobody here: that costs a fifth of a tree.
struct Members: Sendable {
  private var bytes: [UInt8]

  init() {
    bytes = []
    bytes.reserveCapacity(512)
    bytes.append(UInt8(ascii: "{"))
  }

  var json: JSONValue { .written(bytes + [UInt8(ascii: "}")]) }

  private mutating func begin(_ name: String) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    bytes.append(quoted: name)
    bytes.append(UInt8(ascii: ":"))
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
    decimal(name, amount.text(scale: asset.scale))
  }

  /// An amount that somebody has, with at least two decimals (`accounting.md` 2).
  mutating func balance(_ name: String, _ amount: Amount, of asset: Asset) {
    decimal(name, amount.text(scale: asset.scale, decimalsMin: min(2, asset.scale)))
  }

  private mutating func decimal(_ name: String, _ text: String) {
    begin(name)
    bytes.append(contentsOf: text.utf8)
    string(name + "_text", text)
  }

  mutating func time(_ name: String, _ time: Timestamp) {
    string(name, time.text)
  }
}
