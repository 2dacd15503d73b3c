import CLedger

/// What a program that opens ledgers does for itself at its start; a library leaves it alone.
package enum ProcessGuards {
  /// Has the system write no image of this process's memory, in which keys and texts lie open, and
  /// lets no other process of the same user read it (`reliability.md` S16).
  package static func forbidCoreDumps() { cledger_forbid_core_dumps() }

  /// Has a crash on damaged pages, which LMDB follows without looking twice, end the process with
  /// the exit code of a failed disk and a sentence.
  package static func explainCrashes(_ sentence: StaticString) {
    precondition(sentence.hasPointerRepresentation)
    unsafe UnsafeRawPointer(sentence.utf8Start).withMemoryRebound(to: CChar.self, capacity: 1) {
      unsafe cledger_explain_crashes($0, 74)
    }
  }
}
