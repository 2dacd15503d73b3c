import Dispatch
import LedgerCore
import Synchronization

/// What somebody who opens a ledger sees: its head and every balance.
struct Sight {
  let text: String

  /// Opens the ledger in `directory`, looks, and closes it.
  init(_ directory: String) throws {
    let engine = try Self.open(directory)
    text = try Self.look(engine)
    engine.close()
  }

  static func open(_ directory: String) throws -> Engine {
    var options = Engine.Options()
    options.mapByteCount = 1 << 30
    options.mayCreate = false
    options.acceptsClock = true
    return try Engine.open(directory, options)
  }

  /// The head and the balances of wallets and payees, as one line.
  static func look(_ engine: Engine) throws -> String {
    let found = Mutex<Result<String, LedgerFailure>?>(nil)
    let isThere = DispatchSemaphore(value: 0)
    Task {
      let result = await lines(engine)
      found.withLock { $0 = result }
      isThere.signal()
    }
    isThere.wait()
    guard let result = found.withLock({ $0 }) else { throw LedgerFailure.outcomeUnknown }
    return try result.get()
  }

  private static func lines(_ engine: Engine) async -> Result<String, LedgerFailure> {
    do throws(LedgerFailure) {
      var parts = ["head \(engine.head)"]
      var number: UInt64 = 1
      while let wallet = try await engine.wallet(WalletNumber(number)) {
        parts.append("wallet \(number) \(wallet.available.units)")
        number += 1
      }
      number = 1
      while let payee = try await engine.payee(PayeeNumber(number)) {
        parts.append("payee \(number) \(payee.balance.units)")
        number += 1
      }
      return .success(parts.joined(separator: ", "))
    } catch {
      return .failure(error)
    }
  }
}
