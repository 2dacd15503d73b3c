import LedgerCore

/// What each wallet has and where its timeline begins: 64 bytes a wallet, 31 wallets a row. They
/// lie together because nearly every event that changes the one changes the other.
struct WalletRows: ~Copyable, Sendable {
  /// To change words at a ``place(of:_:)``, and to write.
  var rows = RowCache(Layout.wallets, rowWordCount: Layout.walletRowWordCount)

  /// Words of a wallet, from its first.
  enum Column {
    static let asset = 0
    static let available = 1
    /// The newest entry of its timeline.
    static let newest = 3
    static let held = 4
    static let pending = 6
    static let count = 8
  }

  /// Where the words of `wallet` begin, to change them; zeros where it was never touched.
  mutating func place(
    of wallet: WalletNumber, _ transaction: Transaction
  ) throws(StorageError) -> Int {
    guard wallet.isSome else { throw .damaged("an event names wallet 0") }
    let (row, place) = Self.row(of: wallet)
    return try rows.row(row, transaction) + place
  }

  /// A copy of a wallet's words as they are now; zeros where there is no such wallet.
  func copy(
    _ wallet: WalletNumber, _ transaction: Transaction
  ) throws(StorageError) -> ArraySlice<UInt64> {
    guard wallet.isSome else { return ArraySlice(repeating: 0, count: Column.count) }
    let (row, place) = Self.row(of: wallet)
    return try rows.copy(row, transaction)[place..<place + Column.count]
  }

  /// Hands the words of every wallet to `body`, as they were last written, in the order of their
  /// numbers.
  static func walk(
    _ transaction: Transaction, _ body: (WalletNumber, ArraySlice<UInt64>) -> Void
  ) throws(StorageError) {
    try transaction.rows(Layout.wallets) { row, words throws(StorageError) in
      for index in 0..<Layout.walletsPerRow {
        let place = Int(index) * Column.count
        body(
          WalletNumber(row * Layout.walletsPerRow + index + 1), words[place..<place + Column.count])
      }
      return true
    }
  }

  private static func row(of wallet: WalletNumber) -> (key: UInt64, place: Int) {
    let (row, index) = (wallet.rawValue - 1).quotientAndRemainder(dividingBy: Layout.walletsPerRow)
    return (row, Int(index) * Column.count)
  }
}
