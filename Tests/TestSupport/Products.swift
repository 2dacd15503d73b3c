public import Foundation

/// The executables that were built with the tests.
public enum Products {
  /// Where a product lies: beside the running test bundle, where SwiftPM puts everything it builds.
  public static func url(_ name: String) -> URL {
    let bundle = ProcessInfo.processInfo.arguments.first { $0.contains(".xctest") }
    let path =
      bundle ?? (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    var url = URL(filePath: path ?? ".")
    while url.path.contains(".xctest") { url.deleteLastPathComponent() }
    if bundle == nil { url.deleteLastPathComponent() }
    return url.appending(path: name)
  }
}
