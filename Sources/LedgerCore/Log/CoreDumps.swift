import CLedger

/// Images of a process's memory, in which keys and texts lie open.
package enum CoreDumps {
  /// Has the system write none of this process, and lets no other process of the same user read its
  /// memory (`reliability.md` S16). For programs, at their start; a library leaves it to them.
  package static func forbid() { cledger_forbid_core_dumps() }
}
