@testable import LedgerCore

extension NaiveLedger {
  /// Longest history whose balances are counted from the first entry each time they are asked for.
  private static let recountedEntryCountMax = 120

  func available(_ wallet: Int) -> Int128 {
    balance(Self.wallet(wallet), wallets[wallet].asset)
  }

  func held(_ wallet: Int) -> Int128 {
    balance(Self.held(wallet), wallets[wallet].asset)
  }

  /// Credits less debits of an account in an asset.
  func balance(_ account: String, _ asset: AssetNumber) -> Int128 {
    let sum = sums.first { $0.account == account && $0.asset == asset }?.units ?? 0
    if entries.count <= Self.recountedEntryCountMax {
      precondition(sum == recounted(account, asset))
    }
    return sum
  }

  /// The same, added up from the first entry of the ledger.
  func recounted(_ account: String, _ asset: AssetNumber) -> Int128 {
    var sum: Int128 = 0
    for entry in entries where entry.asset == asset {
      if entry.debit == account { sum -= entry.units }
      if entry.credit == account { sum += entry.units }
    }
    return sum
  }

  mutating func move(
    _ units: Int128, _ asset: AssetNumber, debit: String, credit: String
  ) {
    guard units != 0 else { return }
    entries.append(Entry(debit: debit, credit: credit, asset: asset, units: units))
    add(-units, to: debit, asset)
    add(units, to: credit, asset)
  }

  private mutating func add(_ units: Int128, to account: String, _ asset: AssetNumber) {
    let place = sums.firstIndex { $0.account == account && $0.asset == asset }
    if let place {
      sums[place].units += units
    } else {
      sums.append((account, asset, units))
    }
  }

  static let faucet = "Assets:Rail:Faucet"
  static let feeIncome = "Income:Fees:internal"

  /// `wallet` from 0.
  static func wallet(_ wallet: Int) -> String { "Liabilities:Wallet:\(wallet + 1):Available" }

  static func held(_ wallet: Int) -> String { "Liabilities:Wallet:\(wallet + 1):Held" }

  /// `agent` as its number.
  static func suspense(_ agent: UInt64) -> String { "Liabilities:Suspense:\(agent)" }

  static let dust = "Income:Dust"

  /// `payee` from 0.
  func external(_ payee: Int) -> String {
    "Liabilities:External:\(payees[payee].tenant):\(payee + 1)"
  }
}
