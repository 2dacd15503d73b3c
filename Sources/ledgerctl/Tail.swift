import ArgumentParser
import Foundation

/// The newest events, and with `-f` what comes.
struct Tail: LedgerCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the newest events; with -f also those to come.",
    discussion: """
      Without a ledgerd nothing new comes: -f then lets go of the ledger and waits for one, also \
      when it is started again. With --json, one object a line.
      """)

  @OptionGroup var access: Access
  @Flag(name: .shortAndLong, help: "Go on with new events until interrupted.")
  var follow = false
  @Option(name: .shortAndLong, help: "How many of the newest events to begin with, 0 to 10000.")
  var number = 10

  private static let pause = Duration.milliseconds(200)

  func validate() throws {
    guard (0...10_000).contains(number) else { throw ValidationError("--number is 0 to 10000") }
  }

  func perform() async throws {
    let (newest, head) = try await access.look { source in
      let newest = try await source.newest(number)
      if let last = newest.last { return (newest, last.event) }
      return (newest, try await source.head())
    }
    for event in newest { try show(event) }
    if follow { try await follow(after: head) }
  }

  private func follow(after head: UInt64) async throws {
    let daemon = RunningDaemon(in: access.data)
    var head = head
    var isWaiting = false
    while true {
      do {
        let page = try await daemon.events(from: head + 1, limit: Pages.eventCountMax)
        isWaiting = false
        for event in page.events { try show(event) }
        if let last = page.events.last {
          head = last.event
          continue
        }
      } catch let failure as Failure where failure.code == 69 {
        if !isWaiting { Failure("\(failure.message); waiting", code: failure.code).say() }
        isWaiting = true
      }
      try await Task.sleep(for: Self.pause)
    }
  }

  /// Writes at once, so that a program at the other end of a pipe sees it now.
  private func show(_ event: EventView) throws {
    var line = Data(event.line.utf8)
    if access.json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      line = try encoder.encode(event)
    }
    do {
      try FileHandle.standardOutput.write(contentsOf: line + Data("\n".utf8))
    } catch {
      // Whoever read has gone.
      throw ExitCode.success
    }
  }
}
