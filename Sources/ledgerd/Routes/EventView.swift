import LedgerCore
import Projections

/// An event in words, as `ledgerctl --json` says it.
struct EventView: Sendable {
  let event: Recorded
  /// See ``Engine/body(of:)``.
  let body: [UInt8]
  let words: EventWords
  /// The texts beside it, field by field.
  let text: [String]?

  static let properties = [
    Property("event", .whole(1...Int.max), "Its number."),
    Property("time", .time, "When it was recorded."),
    Property("actor", .label, "Who caused it."),
    Property("name", .label, "What happened, such as payment.completed."),
    Property("fields", .any, "Its facts, by name; each is a text."),
    Property("text", .any, isRequired: false, "The texts beside it, field by field."),
  ]

  /// What moved, where one event is looked at.
  static let postings = Property(
    "postings",
    .list([
      Property("debit", .label, "The account debited."),
      Property("credit", .label, "The account credited."),
      Property("amount", .decimal, "How much."),
      Property("asset", .currency, "Of what."),
    ]), "What it moved; empty where it moved nothing.")

  var json: JSONValue {
    let members = written()
    return members.json
  }

  /// With what it moved.
  var jsonWithPostings: JSONValue {
    let lines = words.postings(of: event.event, body: body).map { line in
      var members = Members()
      members.string("debit", line.debit)
      members.string("credit", line.credit)
      members.string("amount", line.amount)
      members.string("asset", line.asset)
      return members.json
    }
    var members = written()
    members.value(Self.postings.name, .array(lines))
    return members.json
  }

  private func written() -> Members {
    let facts = words.facts(event.event, body: body)
    var fields = Members()
    for (name, text) in facts.fields { fields.string(name, text) }
    var members = Members()
    members.integer("event", event.number.rawValue)
    members.time("time", event.header.time)
    members.string("actor", words.actor(event.header.actor))
    members.string("name", facts.name)
    members.value("fields", fields.json)
    members.value("text", text.map { .array($0.map { .string($0) }) })
    return members
  }
}
