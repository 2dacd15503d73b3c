import Synchronization

/// How long commits take, so that a disk that became slow is told (`reliability.md` 2.2).
final class CommitPace: Sendable {
  /// A commit that takes longer is slow, in nanoseconds.
  static let slow: UInt64 = 1_000_000_000
  /// How long a slow commit is told after its end, in nanoseconds.
  static let window: UInt64 = 60_000_000_000

  private struct State {
    /// When the commit at hand began.
    var began: UInt64?
    /// The newest slow one.
    var last: (ended: UInt64, took: UInt64)?
  }

  private let uptime: @Sendable () -> UInt64
  private let state = Mutex(State())

  /// - `uptime`: nanoseconds by a clock that nobody sets.
  init(uptime: @escaping @Sendable () -> UInt64) { self.uptime = uptime }

  /// Takes the time of one commit, whether it succeeds or not. There is one at a time.
  func measure<Failure: Error>(_ commit: () throws(Failure) -> Void) throws(Failure) {
    let began = uptime()
    state.withLock { $0.began = began }
    defer {
      let ended = uptime()
      state.withLock { state in
        state.began = nil
        if ended > began, ended - began > Self.slow { state.last = (ended, ended - began) }
      }
    }
    try commit()
  }

  /// How many nanoseconds a commit takes that is slow now, or took that was so last, at most a
  /// minute ago; `nil` where there is none.
  var slowNanoseconds: UInt64? {
    let now = uptime()
    return state.withLock { state in
      if let began = state.began, now > began, now - began > Self.slow { return now - began }
      guard let (ended, took) = state.last, now <= ended || now - ended < Self.window else {
        return nil
      }
      return took
    }
  }
}
