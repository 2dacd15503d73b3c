import Foundation
import LedgerCore

extension Bench {
  /// Payments between random wallets, each with a fresh random key.
  struct Load {
    let wallets: ClosedRange<UInt64>
    private var generator = SplitMix64(seed: 0x5EED)
    /// Cumulative weights of the Zipf distribution; empty where all wallets are alike.
    private var cumulative: [Double] = []

    init(wallets: ClosedRange<UInt64>, hot: Double) {
      self.wallets = wallets
      guard hot > 0 else { return }
      var sum = 0.0
      for rank in 1...wallets.count {
        sum += 1 / pow(Double(rank), hot)
        cumulative.append(sum)
      }
    }

    mutating func payment() -> Request {
      let from = wallet()
      return payment(from: from, to: other(than: from))
    }

    /// A payment that the first wallet makes or gets: one as often as the other.
    mutating func hotPayment() -> Request {
      let hot = wallets.lowerBound
      let other = other(than: hot)
      let pays = generator.next().isMultiple(of: 2)
      return pays ? payment(from: hot, to: other) : payment(from: other, to: hot)
    }

    /// A key that no request had before.
    mutating func key() -> IdempotencyKey {
      IdempotencyKey(
        fingerprint: UInt128(generator.next()) << 64 | UInt128(generator.next()),
        digest: generator.next())
    }

    /// A reservation between random wallets, for a day.
    mutating func reservation() -> Command {
      let from = wallet()
      return .reservation(
        .reserve(
          from: WalletNumber(from), to: .wallet(WalletNumber(other(than: from))),
          amount: Amount(units: Int128(generator.next() % 1_000 + 1)), seconds: 86_400))
    }

    private mutating func payment(from: UInt64, to: UInt64) -> Request {
      let key = key()
      return Request(
        .payment(
          .pay(
            from: WalletNumber(from), to: .wallet(WalletNumber(to)),
            amount: Amount(units: Int128(generator.next() % 1_000 + 1)), asset: .none,
            rail: .internal)),
        by: .agent(AgentNumber(1)), key: key)
    }

    private mutating func other(than wallet: UInt64) -> UInt64 {
      var other = self.wallet()
      while other == wallet { other = self.wallet() }
      return other
    }

    private mutating func wallet() -> UInt64 {
      guard let total = cumulative.last else {
        return wallets.lowerBound + generator.next() % UInt64(wallets.count)
      }
      let target = Double(generator.next() >> 11) / Double(1 << 53) * total
      var (low, high) = (0, cumulative.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if cumulative[middle] < target { low = middle + 1 } else { high = middle }
      }
      // Popular wallets are spread over the table, as they would be in life.
      return wallets.lowerBound + UInt64(low) &* 0x9E37_79B9_7F4A_7C15 % UInt64(wallets.count)
    }
  }
}

/// A small seeded generator (Steele, Lea and Flood 2014), so that a run can be repeated.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
