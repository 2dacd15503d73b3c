/// Genesis: event 1, which says what ledger this is.
///
/// Life of a ledger: it is opened once, as a test ledger or a live one, and never changes its kind.
///
/// Invariant: event 1 is ``Event/opened(ledger:terms:livemode:)``, and no other event is.
public enum Genesis {
  // MARK: - Events

  /// What happens to a ledger as a whole.
  public enum Event: Hashable, Sendable {
    /// The ledger began.
    ///
    /// - `ledger`: 16 random bytes that tell this ledger from every other.
    /// - `terms`: fee schedule 1, which counts at once.
    /// - `livemode`: false for a test ledger, which has a faucet.
    ///
    /// The body lists the first assets, 18 bytes each: code (16), scale (1), zero (1).
    case opened(ledger: UInt128, terms: Fees.Terms, livemode: Bool)
  }

  // MARK: - State

  /// The ledger's identity.
  struct State: ~Copyable {
    private enum Rows {}
    struct Row: BitwiseCopyable {
      var ledger: UInt128
      var livemode: UInt64
      var unused: UInt64 = 0
    }
    private var rows: Table<Rows, Row>

    init(undo: Undo) { rows = Table(undo: undo) }

    /// Whether event 1 was seen.
    var isOpen: Bool { rows.count == 1 }
    /// The ledger's id.
    var ledger: UInt128 { rows[Number(1)].ledger }
    /// Whether real money moves here.
    var livemode: Bool { rows[Number(1)].livemode == 1 }

    mutating func open(ledger: UInt128, livemode: Bool) {
      precondition(!isOpen, "a ledger begins once")
      rows.append(Row(ledger: ledger, livemode: livemode ? 1 : 0))
    }

    func withBytes<Failure: Error>(
      _ body: (RawSpan, _ rowByteCount: Int) throws(Failure) -> Void
    ) throws(Failure) {
      try rows.withBytes(body)
    }

    mutating func load(from source: inout some TableSource & ~Copyable) throws(StorageError) {
      try rows.load(from: &source)
    }
  }

  // MARK: - Evolve

  static func evolve(
    _ state: inout State, _ wallets: inout Wallets.State, _ fees: inout Fees.State,
    _ event: Event, body: Span<UInt8>
  ) {
    switch event {
    case .opened(let ledger, let terms, let livemode):
      state.open(ledger: ledger, livemode: livemode)
      let number = fees.add(terms)
      fees.begin(number)
      precondition(body.count % assetByteCount == 0)
      var offset = 0
      while offset < body.count {
        var code: UInt128 = 0
        for index in 0..<16 { code |= UInt128(body[offset + index]) << UInt128(index * 8) }
        wallets.addAsset(AssetCode(bytes: code), scale: body[offset + 16])
        offset += assetByteCount
      }
    }
  }

  /// Bytes of one asset in the body of ``Event/opened(ledger:terms:livemode:)``.
  static let assetByteCount = 18

  // MARK: - Postings

  static func postings(_ event: Event, into postings: inout Postings) {
    switch event {
    case .opened: break
    }
  }
}
