import ArgumentParser
import Foundation
import LedgerCore
import Projections

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// `--data` and `--json`, which every subcommand takes.
struct Access: ParsableArguments {
  @Option(
    name: .long, help: "The ledger's directory. Also LEDGER_DATA.",
    completion: .directory)
  var data = ProcessInfo.processInfo.environment["LEDGER_DATA"] ?? "./data"
  @Option(
    help: "A file with the master key, if not DIR/keys/master.key. Also LEDGER_MASTER_KEY_FILE.",
    completion: .file())
  var masterKeyFile: String?
  @Flag(help: "Write JSON, for a program.")
  var json = false

  /// Asks the ledger, or the `ledgerd` that has it open.
  func look<Answer>(_ ask: (any Source) async throws -> Answer) async throws -> Answer {
    let source = try source()
    do {
      let answer = try await ask(source)
      await source.close()
      return answer
    } catch {
      await source.close()
      throw error
    }
  }

  private func source() throws -> any Source {
    do {
      return OpenedLedger(try open(), self)
    } catch let failure as Failure where failure.code == 75 {
      // Whoever has it open without a socket is no ledgerd, or one that starts or stops.
      guard FileManager.default.fileExists(atPath: RunningDaemon.socket(in: data)) else {
        throw failure
      }
      return RunningDaemon(in: data)
    }
  }

  /// Opens the ledger that is there; exits with the code and the sentence of why it cannot be
  /// opened.
  func open() throws -> Engine {
    var options = Engine.Options()
    options.mayCreate = false
    options.mayBeEitherMode = true
    // Looking lives in the ledger's own time: the wall clock must fire no timer, and a wrong one
    // must not keep anybody from looking.
    options.clock = { 0 }
    options.acceptsClock = true
    options.snapshotEventCount = 0
    let bar = Guarded<Progress?>(nil)
    options.onOpening = { done, total in
      bar.with { bar in
        let progress = bar ?? Progress("open", total: total)
        progress.reach(done)
        bar = progress
      }
    }
    defer { bar.with { $0?.finish() } }
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
    var options = options
    if masterKeyPath != nil { options.masterKey = try masterKey() }
    options.onWarning = { sentence in
      FileHandle.standardError.write(Data("ledgerctl: warning: \(sentence)\n".utf8))
    }
    do throws(StorageError) {
      return try Engine.open(data, options)
    } catch {
      throw Failure(error, data)
    }
  }
}

extension Access {
  private var masterKeyPath: String? {
    masterKeyFile ?? ProcessInfo.processInfo.environment["LEDGER_MASTER_KEY_FILE"]
  }

  /// The key in the file that was named.
  func masterKey() throws -> [UInt8] {
    guard let path = masterKeyPath else {
      throw Failure("name the file with the ledger's master key: --master-key-file", code: 64)
    }
    let file = FileHandle(forReadingAtPath: path)
    guard let bytes = try file?.read(upToCount: 1_024), let key = MasterKey.key(of: Array(bytes))
    else {
      throw Failure("\(path) must hold 32 random bytes, or 64 hex digits", code: 78)
    }
    return key
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
      message = Self.inUse(directory, holder)
    } else {
      message = "\(error)"
    }
    code = error.exitCode
  }

  /// Another process has the ledger open.
  init(_ directory: String, inUseBy holder: Int32) {
    self.init(Self.inUse(directory, holder), code: StorageError.locked(holder: holder).exitCode)
  }

  private static func inUse(_ directory: String, _ holder: Int32) -> String {
    "\(directory) is in use by process \(holder); stop it first"
  }

  /// Says what it is on stderr.
  func say() {
    FileHandle.standardError.write(Data("ledgerctl: \(message)\n".utf8))
  }

  /// Says what it is and ends the process.
  func exit() -> Never {
    say()
    Ledgerctl.exit(withError: ExitCode(code))
  }
}

/// Ends with the holder's pid where another process has the ledger in `directory` open. Reads no
/// more than the lock.
func refuseIfHeld(_ directory: String) throws {
  guard let file = FileHandle(forReadingAtPath: directory + "/daemon.lock") else { return }
  // Closing lets go of the lock again, where it was to be had.
  defer { try? file.close() }
  guard flock(file.fileDescriptor, LOCK_SH | LOCK_NB) != 0 else { return }
  let text = String(decoding: try file.read(upToCount: 16) ?? Data(), as: UTF8.self)
  throw Failure(directory, inUseBy: Int32(text.prefix { $0.isNumber }) ?? 0)
}

private let crashSentence: StaticString = """
  ledgerctl: it crashed reading the ledger: log/data.mdb has damaged pages; see ledgerctl verify

  """

/// A subcommand whose failures end with their own exit code.
protocol LedgerCommand: AsyncParsableCommand {
  /// Whether a crash is told in a sentence; otherwise somebody else watches for it.
  static var explainsCrashes: Bool { get }
  func perform() async throws
}

extension LedgerCommand {
  static var explainsCrashes: Bool { true }

  func run() async throws {
    ProcessGuards.forbidCoreDumps()
    if Self.explainsCrashes { ProcessGuards.explainCrashes(crashSentence) }
    do {
      try await perform()
    } catch let failure as Failure {
      failure.exit()
    } catch let error as StorageError {
      Failure("\(error)", code: error.exitCode).exit()
    } catch let failure as LedgerFailure {
      Failure("\(failure)", code: 74).exit()
    } catch let failure as ProjectionFailure {
      Failure("\(failure)", code: 74).exit()
    } catch let error as CocoaError {
      Failure("\(error.localizedDescription)", code: 74).exit()
    }
  }
}

/// Writes a value as one JSON object, keys sorted and in snake case.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.keyEncodingStrategy = .convertToSnakeCase
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}
