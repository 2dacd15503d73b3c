/// What a full check of a ledger found: every frame rehashed, every state refolded, every invariant
/// looked at after every event (`reliability.md` 4).
public struct Verification: Sendable {
  /// Events checked.
  public var eventCount = 0
  /// Blocks checked.
  public var blockCount = 0
  /// Snapshots read through and compared with the state at their event.
  public var snapshotCount = 0
  /// Sealed texts opened and compared with their commitments.
  public var textCount = 0
  /// The tree's root over all events.
  public var root = Digest32.none
  /// SHA-256 over the refolded state. Equal logs give equal states.
  public var state = Digest32.none
  /// What is wrong, first things first; empty where nothing is.
  public var findings: [String] = []
  /// Which events an earlier check saw and this one did not; `nil` where this one saw all.
  public var earlier: Earlier?
  /// Where the check was stopped, up to which event one that resumes need not look again, which is
  /// none where its place could not be kept; `nil` where it went to its end.
  public var kept: EventNumber?

  /// What was seen before: nobody looked since whether it is still so.
  public struct Earlier: Hashable, Sendable {
    /// The events from 1 to this one were checked, and nothing was found.
    public var last: EventNumber
    /// When that began, by the clock of whoever checked.
    public var began: Timestamp
    /// When it had come so far.
    public var ended: Timestamp
  }
}

extension Engine {
  /// Checks the whole log against itself and against the live state.
  ///
  /// Rehashes every frame and compares each block's root and every stored subtree; opens every
  /// text; refolds the state and compares it with the live one, byte for byte, and with balances
  /// computed from the postings alone; after every event, that no account of the sign rules is
  /// negative and that debits equal credits. Stops at the first damaged block, because nothing
  /// after it can be told. `progress` gets the number of events checked so far.
  /// - Complexity: O(events); memory as much again as the state.
  public func verify(
    progress: (Int) -> Void = { _ in }
  ) throws(LedgerFailure) -> Verification {
    try verify(in: nil, resuming: false) { count in
      progress(count)
      return true
    }
  }

  /// As ``verify(progress:)``, for a log so large that it matters where a check was interrupted.
  ///
  /// Its place is kept in the file at `path`: when `mayGoOn` answers false, which ends the check,
  /// and now and then, so that a kill costs a minute. The file is gone when a check went to its
  /// end, and where it cannot be written there is a warning, and the check goes on. Once something
  /// is found, the place stays where it was, so that it is found again.
  /// - `resuming`: goes on where the file says. Where it is missing, the check begins at event 1;
  ///   where it is damaged, or not of this ledger or of the log as it is, with a warning.
  /// - `mayGoOn`: gets the number of events checked so far, first of all that of earlier checks.
  /// - Complexity: what is left of that of ``verify(progress:)``, and O(state) to begin and to end.
  public func verify(
    keepingPlaceAt path: String, resuming: Bool, mayGoOn: (Int) -> Bool
  ) throws(LedgerFailure) -> Verification {
    let place = VerifierPlace(path, housekeeping)
    let found = try verify(in: place, resuming: resuming, mayGoOn: mayGoOn)
    if found.kept == nil { place.remove() }
    return found
  }

  func verify(
    in place: VerifierPlace?, resuming: Bool, mayGoOn: (Int) -> Bool
  ) throws(LedgerFailure) -> Verification {
    let (head, live) = try stateDigest()
    return try withLog { log throws(StorageError) in
      let runs = housekeeping.keys.runs
      var verifier = Verifier(head: head, runs, housekeeping.snapshots)
      if let place, resuming, let resumed = place.resume(log, head, runs) { verifier = resumed }
      return verifier.run(log, preparation, live: live, place, mayGoOn: mayGoOn)
    }
  }

  /// SHA-256 over the live state, with the event it is the state after.
  public func stateDigest() throws(LedgerFailure) -> (EventNumber, Digest32) {
    try readAtEvent(atBoundary: true) { ledger, event, _ in (event, ledger.digest) }
  }
}

extension Verification {
  /// Checks a log without a live state, up to event `head`.
  static func of(
    _ log: EventLog, upTo head: EventNumber, _ preparation: Preparation, runs: [KeyRun],
    progress: (Int) -> Void
  ) -> Verification {
    let verifier = Verifier(head: head, runs, nil)
    return verifier.run(log, preparation, live: nil, nil) { count in
      progress(count)
      return true
    }
  }
}

extension Ledger {
  /// SHA-256 over all tables in their fixed order.
  var digest: Digest32 {
    var digester = Digester()
    withBytes { bytes, _ in digester.update(bytes) }
    return digester.finish()
  }
}
