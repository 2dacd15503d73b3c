import Dispatch
import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// What a piece of work took: time, the process's CPU (whoever calls the engine included), the
/// disk.
struct Cost {
  var seconds = 0.0
  var cpuSeconds = 0.0
  /// How much the log grew.
  var byteCount = 0
  /// What was handed to the device, by the kernel's count: a page that is written twice counts
  /// twice. 0 where the kernel does not say.
  var writtenByteCount = 0

  static func - (later: Cost, earlier: Cost) -> Cost {
    Cost(
      seconds: later.seconds - earlier.seconds, cpuSeconds: later.cpuSeconds - earlier.cpuSeconds,
      byteCount: later.byteCount - earlier.byteCount,
      writtenByteCount: later.writtenByteCount - earlier.writtenByteCount)
  }

  static func + (one: Cost, other: Cost) -> Cost {
    Cost(
      seconds: one.seconds + other.seconds, cpuSeconds: one.cpuSeconds + other.cpuSeconds,
      byteCount: one.byteCount + other.byteCount,
      writtenByteCount: one.writtenByteCount + other.writtenByteCount)
  }

  /// All so far, of this process and the log in `data`.
  static func soFar(_ data: String) -> Cost {
    Cost(
      seconds: Double(Clock.nanoseconds) / 1e9, cpuSeconds: Double(clock()) / 1e6,
      byteCount: Bench.byteCount(of: data + "/log/data.mdb"),
      writtenByteCount: writtenByteCount)
  }

  private static var writtenByteCount: Int {
    let lines = (try? String(contentsOfFile: "/proc/self/io", encoding: .utf8)) ?? ""
    let line = lines.split(separator: "\n").first { $0.hasPrefix("write_bytes: ") }
    return line.flatMap { Int($0.dropFirst(13)) } ?? 0
  }
}

/// A clock that is cheap to read for every payment.
enum Clock {
  /// Nanoseconds since some moment.
  static var nanoseconds: UInt64 { DispatchTime.now().uptimeNanoseconds }
}

/// CPU that threads of this process took, by their name.
enum ThreadTime {
  /// Seconds that the threads called `name` ran so far; 0 where the kernel does not say.
  static func seconds(of name: String) -> Double {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return tasks.reduce(0) { sum, task in
      guard read(task, "comm") == name else { return sum }
      // Nanoseconds on a core, nanoseconds waiting for one, turns.
      let first = read(task, "schedstat").split(separator: " ").first
      return sum + (first.flatMap { Double($0) } ?? 0) / 1e9
    }
  }

  private static func read(_ task: String, _ file: String) -> String {
    let text = try? String(contentsOfFile: "/proc/self/task/\(task)/\(file)", encoding: .utf8)
    return (text ?? "").trimmingCharacters(in: .newlines)
  }
}
