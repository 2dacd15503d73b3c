import Foundation
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Text in columns, for a person.
enum Table {
  /// Names and what they stand for, one a line.
  static func pairs(_ rows: [[String]]) -> String {
    let width = rows.map { $0[0].count }.max() ?? 0
    return rows.map { row in
      row[0] + String(repeating: " ", count: width - row[0].count + 2) + row[1]
    }.joined(separator: "\n")
  }

  /// Rows under their header; every column as wide as its widest cell, numbers to the right.
  static func render(_ rows: [[String]]) -> String {
    guard let header = rows.first else { return "" }
    let widths = header.indices.map { column in
      rows.map { $0[column].count }.max() ?? 0
    }
    return rows.map { row in
      zip(row, widths).enumerated().map { column, cell in
        let space = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == 0 ? cell.0 + space : space + cell.0
      }.joined(separator: "  ").trimmingTrailingSpaces
    }.joined(separator: "\n")
  }
}

extension String {
  fileprivate var trimmingTrailingSpaces: String {
    var text = self[...]
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}

/// A progress bar on stderr, when that is a terminal and the work takes longer than a second.
final class Progress: Sendable {
  private struct State {
    var done = 0
    var shown = ContinuousClock.now
    var isShown = false
  }

  private let label: String
  private let total: Int
  private let start = ContinuousClock.now
  private let isTerminal = isatty(2) == 1
  private let state = Mutex(State())

  init(_ label: String, total: Int) {
    self.label = label
    self.total = max(total, 1)
  }

  /// Says that `count` more are done.
  func advance(_ count: Int) { update { $0 + count } }

  /// Says that `count` are done by now.
  func reach(_ count: Int) { update { _ in count } }

  private func update(_ change: (Int) -> Int) {
    guard isTerminal else { return }
    let line = state.withLock { state -> String? in
      state.done = change(state.done)
      let now = ContinuousClock.now
      guard now - start > .seconds(1), now - state.shown > .milliseconds(100) else { return nil }
      state.shown = now
      state.isShown = true
      return bar(state.done, now)
    }
    if let line { FileHandle.standardError.write(Data(("\r" + line).utf8)) }
  }

  /// Removes the bar.
  func finish() {
    guard state.withLock({ $0.isShown }) else { return }
    FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
  }

  private func bar(_ done: Int, _ now: ContinuousClock.Instant) -> String {
    let share = min(1, Double(done) / Double(total))
    let filled = Int(share * 30)
    let seconds = (now - start).seconds
    let rate = Int(Double(done) / seconds)
    let left = share > 0 ? Int(seconds / share - seconds) : 0
    let blocks = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
    return "\(label) [\(blocks)] \(Int(share * 100)) %  \(rate)/s  \(left) s left   "
  }
}
