/// The stack that lets a linked unit be taken back.
///
/// While a unit is open, every container saves the bytes that it is about to change; a refusal
/// writes them back, last first (`design.md` 4.2). Single commands need none of it: they decide
/// before they change anything.
///
/// A handle: all containers of one ledger share one stack, which ``Ledger`` frees.
@safe
struct Undo {
  private struct Stack: ~Copyable {
    var isOpen = false
    var byteCount = 0
    var memory: Memory
  }

  private let stack: UnsafeMutablePointer<Stack>

  /// An empty stack. Freed by ``destroy()``, once, by its owner.
  init() {
    unsafe stack = UnsafeMutablePointer.allocate(capacity: 1)
    unsafe stack.initialize(to: Stack(memory: Memory(byteCount: 4096)))
  }

  /// Frees the stack. No container may write afterwards.
  func destroy() {
    unsafe stack.deinitialize(count: 1)
    unsafe stack.deallocate()
  }

  /// Whether a unit is open.
  var isOpen: Bool { unsafe stack.pointee.isOpen }

  /// Begins a unit. Containers must not move their memory until it ends: reserve room first.
  func begin() {
    precondition(!isOpen, "linked units do not nest")
    unsafe stack.pointee.isOpen = true
  }

  /// Ends the unit and keeps its changes.
  func keep() {
    precondition(isOpen)
    unsafe stack.pointee.isOpen = false
    unsafe stack.pointee.byteCount = 0
  }

  /// Ends the unit and writes every saved byte back, last first.
  func rollBack() {
    precondition(isOpen)
    let base = unsafe stack.pointee.memory.base
    var top = unsafe stack.pointee.byteCount
    while top > 0 {
      let address = unsafe base.load(fromByteOffset: top - 16, as: UInt.self)
      let count = unsafe base.load(fromByteOffset: top - 8, as: Int.self)
      top -= 16 + Self.padded(count)
      precondition(top >= 0)
      guard let target = unsafe UnsafeMutableRawPointer(bitPattern: address) else {
        preconditionFailure("a saved address is never null")
      }
      unsafe target.copyMemory(from: base + top, byteCount: count)
    }
    unsafe stack.pointee.isOpen = false
    unsafe stack.pointee.byteCount = 0
  }

  /// Saves the `count` bytes at `address` if a unit is open.
  @inline(__always)
  func save(_ address: UnsafeMutableRawPointer, count: Int) {
    if unsafe stack.pointee.isOpen { unsafe push(address, count: count) }
  }

  private func push(_ address: UnsafeMutableRawPointer, count: Int) {
    let top = unsafe stack.pointee.byteCount
    let size = Self.padded(count) + 16
    unsafe stack.pointee.memory.grow(toHold: top + size)
    let base = unsafe stack.pointee.memory.base
    unsafe (base + top).copyMemory(from: address, byteCount: count)
    unsafe base.storeBytes(
      of: UInt(bitPattern: address), toByteOffset: top + size - 16, as: UInt.self)
    unsafe base.storeBytes(of: count, toByteOffset: top + size - 8, as: Int.self)
    unsafe stack.pointee.byteCount = top + size
  }

  private static func padded(_ count: Int) -> Int { (count + 15) & ~15 }
}
