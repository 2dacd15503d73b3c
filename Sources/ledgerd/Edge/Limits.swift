import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// What one client may cost at most (`reliability.md` 5, S20 to S24).
enum Limits {
  /// A connection on which nothing arrives and nothing is answered is closed.
  static let idleSeconds: Int64 = 30
  /// A body must have arrived so long after its head.
  static let bodySeconds: Int64 = 10
  static let headerListByteCountMax = 16 * 1024
  static let headerFieldCountMax = 64
  static let backlog = 4_096
  static let socketConnectionCountMax = 16
  /// How long stopping waits for what is in flight.
  static let shutdownSeconds: Int64 = 30
}

/// Closes a connection whose body trickles: the idle timeout begins anew with every byte.
final class BodyDeadline: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart

  private var deadline: Scheduled<Void>?
  /// Paths of routes that take lines, whose bodies may last as long as something comes.
  private let streams: Set<String>

  init(streams: Set<String>) { self.streams = streams }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      deadline?.cancel()
      deadline = nil
      let path = (head.path ?? "").prefix { $0 != "?" }
      if streams.contains(String(path)) { break }
      deadline = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(Limits.bodySeconds)) {
        context.close(promise: nil)
      }
    case .body: break
    case .end:
      deadline?.cancel()
      deadline = nil
    }
    context.fireChannelRead(data)
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    deadline = nil
    context.fireChannelInactive()
  }
}

@available(*, unavailable)
extension BodyDeadline: Sendable {}
