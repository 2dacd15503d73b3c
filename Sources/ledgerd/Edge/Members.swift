import LedgerCore
import Projections

/// The members of a JSON object, one call each. What is nil is left out.
struct Members: Sendable {
  private var members: [JSONObject.Member] = []

  var json: JSONValue { .object(JSONObject(members: members)) }

  mutating func value(_ name: String, _ value: JSONValue?) {
    guard let value else { return }
    members.append(JSONObject.Member(name: name, value: value))
  }

  mutating func string(_ name: String, _ text: String?) {
    value(name, text.map { .string($0) })
  }

  mutating func bool(_ name: String, _ flag: Bool?) {
    value(name, flag.map { .bool($0) })
  }

  mutating func integer(_ name: String, _ number: (some FixedWidthInteger)?) {
    value(name, number.map { .number(String($0)) })
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
    value(name, .number(text))
    string(name + "_text", text)
  }

  mutating func time(_ name: String, _ time: Timestamp) {
    string(name, time.text)
  }
}
