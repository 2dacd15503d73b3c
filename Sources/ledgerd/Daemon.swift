import Foundation
import Hummingbird
import HummingbirdCore
import LedgerCore
import Logging
import NIOCore
import Projections
import ServiceLifecycle
import UnixSignals

/// A ledger behind a port and a Unix socket, from opening to letting go.
///
///     ledger (engine, views) ◀── socket (administration) ◀── port        started left to right,
///                                                                        stopped right to left
///
/// Stopping finishes what was accepted: first the port and the socket answer what is in flight and
/// close, then the engine does what it still holds.
struct Daemon: Sendable {
  let backend: Backend
  let settings: Settings
  let logger: Logger

  /// Opens the ledger and finds, or makes, the first operator's key.
  ///
  /// - `options`: of the engine; what the settings say replaces it.
  static func open(
    _ settings: Settings, _ logger: Logger, _ options: Engine.Options = Engine.Options()
  ) async throws -> Daemon {
    try checkSocketPath(settings)
    var options = try settings.engineOptions(options)
    options.onWarning = { sentence in logger.warning("\(sentence)") }
    let engine = try Engine.open(settings.data, options)
    do {
      try await registerOperator(engine, settings, logger)
      let projections = try Projections.open(settings.data + "/projections", following: engine)
      let backend = Backend(engine, projections, isLive: settings.isLive, settings)
      return Daemon(backend: backend, settings: settings, logger: logger)
    } catch {
      engine.close()
      throw error
    }
  }

  func close() {
    backend.projections.close()
    backend.engine.close()
  }

  // MARK: - The first operator

  /// Makes sure that the key in the operator key's file is one of an operator, once.
  ///
  /// The file comes first: a crash before the engine knows the key leaves one that the next start
  /// registers. A key that was revoked since stays revoked.
  private static func registerOperator(
    _ engine: Engine, _ settings: Settings, _ logger: Logger
  ) async throws {
    let path = settings.operatorKeyFile ?? "\(settings.data)/\(KeyFiles.operatorKey)"
    var credential = try KeyFiles.operatorKey(path, isLive: settings.isLive)
    if credential == nil && settings.operatorKeyFile == nil {
      let new = Credential(.operatorKey, livemode: settings.isLive)
      try KeyFiles.create(path, new.text + "\n")
      credential = new
    }
    guard let credential else { throw SettingsError("\(path) is not there") }
    let hash = engine.preparation.hash(credential: credential.text)
    guard try await engine.principal(of: hash) == nil else { return }
    let request = LedgerCore.Request(
      .identity(.registerOperator(key: hash)), by: .administrator)
    let outcome = try await engine.submit(request)
    if outcome.refusal != nil {
      logger.warning("the operator key in its file is no longer live")
    }
  }

  // MARK: - Serving

  var socketPath: String { Self.socketPath(settings) }

  private static func socketPath(_ settings: Settings) -> String {
    settings.data + "/ledgerd.sock"
  }

  /// The system keeps a socket's path in 108 bytes, the last of them zero.
  private static func checkSocketPath(_ settings: Settings) throws(SettingsError) {
    let byteCountMax = 107
    guard socketPath(settings).utf8.count <= byteCountMax else {
      throw SettingsError(
        "data is too long a path for the socket in it: use at most "
          + "\(byteCountMax - "/ledgerd.sock".utf8.count) bytes, or a relative path")
    }
  }

  /// Serves until a signal or a failure ends it.
  func run(onRunning: @escaping @Sendable (Int) -> Void) async throws {
    let port = application(
      Dispatch(backend: backend, routes: PublicRoutes.all),
      at: .hostname(settings.host, port: settings.port), connectionCountMax: settings.maxConnections
    ) { channel in onRunning(channel.localAddress?.port ?? 0) }
    let path = socketPath
    let socket = application(
      Dispatch(backend: backend, routes: PublicRoutes.all + AdminRoutes.all),
      at: .unixDomainSocket(path: path), connectionCountMax: Limits.socketConnectionCountMax
    ) { [logger] _ in
      do {
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      } catch {
        logger.error("the socket in the data directory could not be closed to others")
      }
    }
    var configuration = ServiceGroupConfiguration(
      services: [
        .init(
          service: LedgerService(daemon: self),
          failureTerminationBehavior: .gracefullyShutdownGroup),
        .init(service: socket), .init(service: port),
      ],
      gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    configuration.maximumGracefulShutdownDuration = .seconds(Limits.shutdownSeconds)
    try await ServiceGroup(configuration: configuration).run()
  }

  private func application(
    _ dispatch: Dispatch, at address: BindAddress, connectionCountMax: Int,
    onRunning: @escaping @Sendable (any Channel) async -> Void
  ) -> Application<RouterResponder<EdgeContext>> {
    let channel = HTTP1Channel.Configuration(
      additionalChannelHandlers: [Deadlines(streams: dispatch.streams)],
      idleTimeout: .seconds(Limits.idleSeconds),
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: Limits.headerListByteCountMax,
        maxHeaderListSize: Limits.headerListByteCountMax,
        maxHeaderFieldCount: Limits.headerFieldCountMax))
    let configuration = ApplicationConfiguration(
      address: address, serverName: nil, backlog: Limits.backlog,
      availableConnectionsDelegate: .maximum(connectionCountMax, logger: logger))
    return Application(
      router: dispatch.router(), server: .http1(configuration: channel),
      configuration: configuration, onServerRunning: onRunning, logger: logger)
  }
}

/// Holds the ledger open while others serve it, and ends them when it fails.
private struct LedgerService: Service {
  let daemon: Daemon

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown {
        while true {
          // Also tells a failure that no request met.
          do throws(LedgerFailure) {
            _ = try await daemon.backend.engine.isLive()
          } catch {
            // A full queue or a full disk is a ledger that waits, not a failed one.
            let isWaiting = [.queueFull, .storageFull, .outcomeUnknown].contains(error)
            guard isWaiting else { throw error }
          }
          try await Task.sleep(for: .seconds(1))
        }
      }
    } catch is CancellationError {
      return
    }
  }
}
