@testable import LedgerCore

/// Requests that are submitted in one call.
struct Job: Sendable {
  var requests: [Request]
  /// All or none.
  var isLinked = false
}

/// One thing that happens in a run.
enum Step: Sendable, CustomStringConvertible {
  /// Several jobs are submitted one behind the other, before the first is answered.
  case submit([Job])
  case clock(UInt64)
  case restart
  /// The process ends without closing the ledger, and another opens what is on disk.
  case crash

  var commandCount: Int {
    switch self {
    case .submit(let jobs): jobs.map(\.requests.count).reduce(0, +)
    case .clock, .restart, .crash: 0
    }
  }

  /// The same without one of its requests, counted over all jobs.
  func without(_ place: Int) -> Step {
    guard case .submit(var jobs) = self else { return self }
    var rest = place
    for job in jobs.indices {
      if rest < jobs[job].requests.count {
        jobs[job].requests.remove(at: rest)
        break
      }
      rest -= jobs[job].requests.count
    }
    return .submit(jobs.filter { !$0.requests.isEmpty })
  }

  var description: String {
    switch self {
    case .submit(let jobs):
      jobs.map { "\($0.isLinked ? "linked" : "submit")\(Self.list($0.requests))" }
        .joined(separator: "\n and ")
    case .clock(let time): "clock \(time)"
    case .restart: "restart"
    case .crash: "crash"
    }
  }

  private static func list(_ requests: [Request]) -> String {
    requests.map { request in
      let key = request.key.map { "\($0.fingerprint) of \($0.digest)" } ?? "none"
      return "\n  \(request.command)\n    by \(name(request.actor)), key \(key)"
    }.joined()
  }

  private static func name(_ actor: Actor) -> String {
    "\(actor.role) \(actor.rawValue & 0x00FF_FFFF_FFFF_FFFF)"
  }
}
