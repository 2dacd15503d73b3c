import CLedger

/// Zeroed memory from the system that can grow, in huge pages above 8 MiB where the system gives
/// them.
///
/// Growing moves page tables, not bytes, so a table of a million wallets doubles in microseconds.
/// The base address may change by it; nobody outside the containers keeps one.
@safe
struct Memory: ~Copyable {
  private(set) var base: UnsafeMutableRawPointer
  private(set) var byteCount: Int

  /// At least `byteCount` zeroed bytes, in whole pages.
  init(byteCount: Int) {
    let size = Self.wholePages(byteCount)
    guard let base = unsafe cledger_memory_grow(nil, 0, size) else {
      preconditionFailure("out of memory: \(size) bytes of ledger state")
    }
    unsafe self.base = base
    self.byteCount = size
  }

  deinit { unsafe cledger_memory_free(base, byteCount) }

  /// Makes room for `needed` bytes by doubling; new bytes are zero.
  mutating func grow(toHold needed: Int) {
    guard needed > byteCount else { return }
    let size = Self.wholePages(max(needed, byteCount * 2))
    guard let moved = unsafe cledger_memory_grow(base, byteCount, size) else {
      preconditionFailure("out of memory: \(size) bytes of ledger state")
    }
    unsafe base = moved
    byteCount = size
  }

  private static func wholePages(_ count: Int) -> Int { (max(count, 1) + 4095) & ~4095 }
}
