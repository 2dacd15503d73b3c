@testable import LedgerCore

/// Requests that are submitted in one call.
struct Job: Sendable {
  var requests: [Request]
  /// All or none.
  var isLinked = false
}

/// A call that reaches the disk fails.
struct DiskFault: Sendable, CustomStringConvertible {
  /// Whose calls are counted.
  enum Place: Sendable {
    /// Those on the log and the lock. Only the engine writes these, so that whenever a seed is run,
    /// the same call fails. Afterwards the disk works again.
    case log
    /// Those on snapshots and runs of old keys. Another thread writes them when it comes to it, so
    /// that any call may be the one: nothing that is compared may depend on it. The disk fails
    /// there until the next fault.
    case beside
  }

  var place: Place
  /// Which of the calls from now on. Writes in a row are one: see `Faults.h`.
  var call: Int
  /// The disk is full; else it is broken.
  var isFull: Bool
  /// All later calls fail too.
  var isForGood: Bool

  var description: String {
    let what = "\(isFull ? "full" : "broken") disk\(place == .beside ? " beside the log" : "")"
    return "\(what) at call \(call)\(isForGood ? " and later" : "")"
  }
}

/// What comes into a wallet by a rail.
struct Deposit: Sendable {
  /// From 0.
  var wallet: Int
  var units: Int128
}

/// One thing that happens in a run.
enum Step: Sendable, CustomStringConvertible {
  /// Several jobs are submitted one behind the other, before the first is answered.
  case submit([Job])
  case clock(UInt64)
  case restart
  /// The process ends without closing the ledger, and another opens what is on disk.
  case crash
  /// A job is submitted while the disk fails.
  case fault(Job, DiskFault)
  /// The ledger is closed, and the disk fails while it is opened.
  case opening(DiskFault)
  /// The ledger is closed, and events of deposits are written behind its log: there is no command
  /// yet that has money in a live ledger.
  case deposit([Deposit])

  var commandCount: Int {
    switch self {
    case .submit(let jobs): jobs.map(\.requests.count).reduce(0, +)
    case .fault(let job, _): job.requests.count
    case .clock, .restart, .crash, .opening, .deposit: 0
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
    case .deposit(let deposits): "deposits \(deposits)"
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
