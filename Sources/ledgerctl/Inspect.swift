import ArgumentParser
import LedgerCore

/// One event, payment or wallet, whole.
struct Inspect: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show an event, a payment (tx_…), a reservation (res_…) or a wallet whole.")

  @OptionGroup var access: Access
  @Argument(
    help: "An event's number, or the text id of a payment, reservation, refund or wallet.")
  var subject: String

  /// What was found: an event, or a wallet and the event that opened it.
  private enum Found {
    case event(EventView)
    case wallet(WalletView, opened: EventView)
  }

  private struct WholeWallet: Encodable {
    var wallet: WalletView
    var opened: EventView
  }

  func perform() async throws {
    switch try await access.look(find) {
    case .event(let event):
      if access.json { return try printJSON(event) }
      print(Table.pairs(Self.rows(event)))
      if let postings = Self.table(event.postings ?? []) { print("\n" + postings) }
    case .wallet(let wallet, let opened):
      if access.json { return try printJSON(WholeWallet(wallet: wallet, opened: opened)) }
      let rows = [
        ["wallet", wallet.wallet], ["agent", wallet.agent], ["asset", wallet.asset],
        ["status", wallet.status], ["available", wallet.available], ["held", wallet.held],
      ]
      print(Table.pairs(rows) + "\n\nopened by\n" + Table.pairs(Self.rows(opened)))
    }
  }

  private func find(_ source: any Source) async throws -> Found {
    if subject.hasPrefix(TextIds.Kind.wallet.prefix + "_") {
      let wallet = try await source.knownWallet(subject)
      return .wallet(wallet, opened: try await event("\(wallet.opened)", source))
    }
    return .event(try await event(subject, source))
  }

  private func event(_ name: String, _ source: any Source) async throws -> EventView {
    guard let found = try await source.event(name) else {
      throw Failure(noEvent: name, head: try await source.head())
    }
    return found
  }

  private static func rows(_ event: EventView) -> [[String]] {
    let head = [
      ["event", "\(event.event)"], ["name", event.name], ["time", event.time],
      ["actor", event.actor],
    ]
    let fields = event.fields.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
    return head + fields + (event.text ?? []).map { ["text", $0] }
  }

  private static func table(_ postings: [PostingView]) -> String? {
    guard !postings.isEmpty else { return nil }
    return Table.render(
      [["debit", "credit", "amount", "asset"]]
        + postings.map { [$0.debit, $0.credit, $0.amount, $0.asset] })
  }
}
