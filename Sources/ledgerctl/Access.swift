import ArgumentParser
import Foundation
import LedgerCore
import Projections

/// `--data` and `--json`, which every subcommand takes.
struct Access: ParsableArguments {
  @Option(
    name: .long, help: "The ledger's directory. Also LEDGER_DATA.",
    completion: .directory)
  var data = ProcessInfo.processInfo.environment["LEDGER_DATA"] ?? "./data"
  @Flag(help: "Write JSON, for a program.")
  var json = false

  /// Opens the ledger that is there; exits with the code and the sentence of why it cannot be
  /// opened.
  func open() throws -> Engine {
    var options = Engine.Options()
    options.mayCreate = false
    options.mayBeEitherMode = true
    // Looking is never refused for the clock: what is looked at does not depend on it.
    options.acceptsClock = true
    return try open(options)
  }

  /// Opens the read models beside the ledger and waits until they have seen every event.
  func openProjections(_ engine: Engine) async throws -> Projections {
    let projections: Projections
    do throws(StorageError) {
      projections = try Projections.open(data + "/projections", following: engine)
    } catch {
      throw Failure(error, data)
    }
    let progress = Progress("projections", total: Int(engine.head.rawValue))
    defer { progress.finish() }
    var seen: UInt64 = 0
    while true {
      do throws(ProjectionFailure) {
        _ = try await projections.balance(of: WalletNumber(1))
        return projections
      } catch {
        guard case .behind(let position, _) = error else {
          throw Failure("\(error)", code: 74)
        }
        progress.advance(Int(position.rawValue - seen))
        seen = position.rawValue
      }
    }
  }

  func open(_ options: Engine.Options) throws -> Engine {
    do throws(StorageError) {
      return try Engine.open(data, options)
    } catch {
      throw Failure(error, data)
    }
  }
}

/// An error as a person reads it, with the exit code of `design.md` 4.12.
struct Failure: Error {
  let message: String
  let code: Int32

  init(_ message: String, code: Int32) {
    self.message = message
    self.code = code
  }

  init(_ error: StorageError, _ directory: String) {
    if case .locked(let holder) = error {
      message = "\(directory) is in use by process \(holder); stop it first, or ask it"
    } else {
      message = "\(error)"
    }
    code = error.exitCode
  }

  /// Says what it is on stderr and ends the process.
  func exit() -> Never {
    FileHandle.standardError.write(Data("ledgerctl: \(message)\n".utf8))
    Ledgerctl.exit(withError: ExitCode(code))
  }
}

/// A subcommand whose failures end with their own exit code.
protocol LedgerCommand: AsyncParsableCommand {
  func perform() async throws
}

extension LedgerCommand {
  func run() async throws {
    do {
      try await perform()
    } catch let failure as Failure {
      failure.exit()
    } catch let failure as LedgerFailure {
      Failure("\(failure)", code: 74).exit()
    } catch let failure as ProjectionFailure {
      Failure("\(failure)", code: 74).exit()
    }
  }
}

/// Writes a value as one JSON object, keys sorted.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// RFC 3339 in UTC with nine decimals: the exact recorded time.
func rfc3339(_ time: Timestamp) -> String {
  let (seconds, rest) = time.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
  let date = Date(timeIntervalSince1970: Double(seconds))
  let text = date.formatted(.iso8601.dateSeparator(.dash).timeSeparator(.colon))
  let decimals = String(rest)
  let zeros = String(repeating: "0", count: 9 - decimals.count)
  return text.replacingOccurrences(of: "Z", with: ".\(zeros)\(decimals)Z")
}
