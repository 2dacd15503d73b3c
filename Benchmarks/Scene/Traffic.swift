package import LedgerCore

/// Payments between random wallets, each with a random key, kept so small that reading them costs
/// next to nothing.
///
/// Inlinable, so that what a loop over them measures is the ledger and not a call into this module.
package struct Traffic: Sendable {
  @usableFromInline
  package struct Row: Sendable {
    @usableFromInline package var from: UInt32
    @usableFromInline package var to: UInt32
    @usableFromInline package var seed: UInt64
  }

  @usableFromInline package let rows: [Row]

  /// `count` payments between wallets 1 to `walletCount`; equal arguments give equal payments.
  package init(count: Int, walletCount: Int) {
    var random = SplitMix64(state: 0x5EED)
    rows = (0..<count).map { _ in
      let from = random.next() % UInt64(walletCount)
      let step = 1 + random.next() % UInt64(walletCount - 1)
      let to = (from + step) % UInt64(walletCount)
      return Row(from: UInt32(from + 1), to: UInt32(to + 1), seed: random.next())
    }
  }

  /// How many there are.
  @inlinable package var count: Int { rows.count }

  /// The command of payment `index`: 1 to 1,000 units, no note.
  @inlinable
  package func command(_ index: Int) -> Command {
    let row = rows[index]
    return .payment(
      .pay(
        from: WalletNumber(UInt64(row.from)), to: .wallet(WalletNumber(UInt64(row.to))),
        amount: Amount(units: Int128(row.seed % 1_000 + 1)), asset: .none, rail: .internal))
  }

  /// The idempotency key of payment `index` in round `round`: each round has keys of its own.
  @inlinable
  package func key(_ index: Int, round: UInt64 = 0) -> IdempotencyKey {
    let seed = rows[index].seed
    var random = SplitMix64(state: seed &+ round)
    let high = UInt128(random.next()) << 64
    return IdempotencyKey(fingerprint: high | UInt128(random.next()), digest: seed)
  }
}

/// A small seeded generator (Steele, Lea and Flood 2014).
package struct SplitMix64 {
  @usableFromInline package var state: UInt64

  @inlinable
  package init(state: UInt64) { self.state = state }

  @inlinable
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
