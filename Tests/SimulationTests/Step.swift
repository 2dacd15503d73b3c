@testable import LedgerCore

/// Requests that are submitted in one call.
struct Job: Sendable {
  var requests: [Request]
  /// All or none.
  var isLinked = false
}

/// A call that reaches the disk fails.
struct DiskFault: Sendable, CustomStringConvertible {
  /// Which of the calls from now on.
  var call: Int
  /// The disk is full; else it is broken.
  var isFull: Bool
  /// All later calls fail too, until the step is over.
  var isForGood: Bool

  var description: String {
    "\(isFull ? "full" : "broken") disk at call \(call)\(isForGood ? " and later" : "")"
  }
}

/// One thing that happens in a run.
enum Step: Sendable, CustomStringConvertible {
  /// Several jobs are submitted one behind the other, before the first is answered.
  case submit([Job])
  case clock(UInt64)
  case restart
  /// The process ends without closing the ledger, and another opens what is on disk.
  case crash
  /// A job is submitted while the disk fails; afterwards it works again.
  case fault(Job, DiskFault)
  /// The ledger is closed, and the disk fails while it is opened; afterwards it works again.
  case opening(DiskFault)

  var commandCount: Int {
    switch self {
    case .submit(let jobs): jobs.map(\.requests.count).reduce(0, +)
    case .fault(let job, _): job.requests.count
    case .clock, .restart, .crash, .opening: 0
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
    case .fault(let job, let fault): "\(fault)\(Self.list(job.requests))"
    case .opening(let fault): "\(fault) of opening"
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
