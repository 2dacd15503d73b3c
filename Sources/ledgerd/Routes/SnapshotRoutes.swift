import LedgerCore
import Projections

/// Snapshots of the state, for `ledgerctl snapshot` beside a running daemon: on the socket only.
enum SnapshotRoutes {
  static let keep: Field<Int> = Field.whole(
    "keep", 1...1_000_000, "How many of the newest to keep."
  ).required()
  static let isDryRun = Field.flag("dry_run", "Whether to only say which would be removed.")

  private static let snapshot = [
    Property("event", .whole(1...Int.max), "The event that it is the state after."),
    Property("time", .time, "When that event was recorded."),
    Property("state", .label, "SHA-256 over the state, in hex."),
    Property("bytes", .whole(1...Int.max), "The size of its file."),
  ]

  static let list = Route(
    method: .get, path: "/admin/snapshots", name: "adminSnapshots",
    summary: "The snapshots of the state, newest first.", who: .administrator,
    answer: [Property("snapshots", .list(snapshot), "All of them.")],
    handle: { call throws(Problem) in Answer(view(call.backend.engine.snapshots())) })

  static let create = Route(
    method: .post, path: "/admin/snapshots", name: "adminMakeSnapshot",
    summary: "Makes a snapshot of everything that is durable now.", who: .administrator, body: [],
    answer: snapshot, errors: [.notWritten],
    handle: { call throws(Problem) in
      let engine = call.backend.engine
      do throws(LedgerFailure) {
        return Answer(
          view(
            try await AdminRoutes.blocking { () throws(LedgerFailure) in
              try engine.makeSnapshot()
            }))
      } catch {
        throw Problem(reading: error)
      }
    })

  static let prune = Route(
    method: .post, path: "/admin/snapshots/prune", name: "adminPruneSnapshots",
    summary: "Removes all but the newest, and the newest of each month.", who: .administrator,
    body: [keep, isDryRun],
    answer: [Property("snapshots", .list(snapshot), "Those removed, or that would be.")],
    errors: [.notWritten],
    handle: { call throws(Problem) in
      do throws(LedgerFailure) {
        return Answer(
          view(
            try call.backend.engine.pruneSnapshots(
              keeping: call[keep], isDryRun: call[isDryRun] ?? false)))
      } catch {
        throw Problem(reading: error)
      }
    })

  private static func view(_ snapshots: [Snapshot]) -> JSONValue {
    var members = Members()
    members.value("snapshots", .array(snapshots.map { view($0) }))
    return members.json
  }

  private static func view(_ snapshot: Snapshot) -> JSONValue {
    var members = Members()
    members.integer("event", snapshot.last.rawValue)
    members.time("time", snapshot.time)
    members.string("state", snapshot.state.hex)
    members.integer("bytes", snapshot.byteCount)
    return members.json
  }
}
