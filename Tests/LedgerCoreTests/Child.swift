import Foundation
import Synchronization
import TestSupport

/// A `KillTarget` process: what it wrote so far, and how it ended.
final class Child: Sendable {
  private let process: Process
  private let written = Mutex(Data())
  private let isWhole = DispatchSemaphore(value: 0)

  /// How a process ended.
  enum End: Equatable {
    case exit(Int32)
    case signal(Int32)
  }

  /// Starts `KillTarget` with these arguments.
  init(_ arguments: [String]) throws {
    process = Process()
    process.executableURL = Products.url("KillTarget")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let thread = Thread { [self] in
      while true {
        let data = pipe.fileHandleForReading.availableData
        if data.isEmpty { break }
        written.withLock { $0.append(data) }
      }
      isWhole.signal()
    }
    thread.start()
  }

  /// The whole lines so far.
  var lines: [String] {
    let data = written.withLock { $0 }
    guard let end = data.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
    return String(decoding: data[..<end], as: UTF8.self).components(separatedBy: "\n")
  }

  var pid: Int32 { process.processIdentifier }

  func kill() { _ = Foundation.kill(process.processIdentifier, SIGKILL) }

  /// Waits for the end; kills it where it wrote nothing for `seconds`.
  func wait(quietAtMost seconds: Double = 60) -> End {
    var size = -1
    while isWhole.wait(timeout: .now() + seconds) == .timedOut {
      let now = written.withLock { $0.count }
      if now == size { kill() }
      size = now
    }
    process.waitUntilExit()
    return process.terminationReason == .exit
      ? .exit(process.terminationStatus) : .signal(process.terminationStatus)
  }
}
