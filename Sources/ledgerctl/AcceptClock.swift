import ArgumentParser
import Foundation

/// The clock jumped, and it is right.
struct AcceptClock: LedgerCommand {
  static let configuration = CommandConfiguration(
    commandName: "accept-clock",
    abstract: "Have a running ledgerd go by a clock that jumped ahead.",
    discussion: """
      A clock that gains more than 10 minutes on the time that passed would expire everything that \
      has a deadline, for good. So ledgerd refuses commands (CLOCK_AHEAD) until it is set right, \
      or until you say this. Look at the host's clock first.
      """)

  @OptionGroup var access: Access

  func perform() async throws {
    guard FileManager.default.fileExists(atPath: RunningDaemon.socket(in: access.data)) else {
      throw Failure("no ledgerd has \(access.data) open; start it with --accept-clock", code: 69)
    }
    let daemon = RunningDaemon(in: access.data)
    let view: ClockView
    do {
      view = try await daemon.acceptClock()
      await daemon.close()
    } catch {
      await daemon.close()
      throw error
    }
    if access.json { return try printJSON(view) }
    print(view.wasAhead ? "commands are taken again" : "the clock had not jumped; nothing to do")
  }
}

/// What it was like before.
struct ClockView: Codable {
  var wasAhead: Bool
}
