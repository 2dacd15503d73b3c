import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// What one client may cost at most (`reliability.md` 5, S20 to S24).
enum Limits {
  /// A connection on which nothing arrives and nothing is answered is closed.
  static let idleSeconds: Int64 = 30
  /// A request's head must have arrived so long after the connection or the answer before.
  static let headSeconds: Int64 = 30
  /// A body must have arrived so long after its head.
  static let bodySeconds: Int64 = 10
  static let headerListByteCountMax = 16 * 1024
  static let headerFieldCountMax = 64
  static let backlog = 4_096
  static let socketConnectionCountMax = 16
  /// How long stopping waits for what is in flight.
  static let shutdownSeconds: Int64 = 30
}

/// Closes a connection whose client trickles its request or does not read its answer: the server's
/// idle timeout begins anew with every byte, and waits for ever while an answer is pending.
///
///     accepted ─head─▶ body ─▶ end       each must come in time
///                       answer ─▶ read   and be taken in time
final class Deadlines: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  /// For what is to come of the request.
  private var request: Scheduled<Void>?
  /// For the client to read what was written.
  private var reading: Scheduled<Void>?
  /// The head came, and the end did not.
  private var isWithin = false
  /// Paths of routes that take lines, whose bodies may last as long as something comes.
  private let streams: Set<String>

  init(streams: Set<String>) { self.streams = streams }

  private func close(in seconds: Int64, _ context: ChannelHandlerContext) -> Scheduled<Void> {
    context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(seconds)) {
      context.close(promise: nil)
    }
  }

  private func expect(in seconds: Int64?, _ context: ChannelHandlerContext) {
    request?.cancel()
    request = seconds.map { close(in: $0, context) }
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { expect(in: Limits.headSeconds, context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    expect(in: Limits.headSeconds, context)
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      isWithin = true
      let path = (head.path ?? "").prefix { $0 != "?" }
      let isStream = head.method == .post && streams.contains(String(path))
      expect(in: isStream ? nil : Limits.bodySeconds, context)
    case .body: break
    case .end:
      isWithin = false
      expect(in: nil, context)
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) {
      // The next head; or, where it was answered before its end, the rest of this request.
      expect(in: isWithin ? Limits.bodySeconds : Limits.headSeconds, context)
    }
    context.write(data, promise: promise)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    reading?.cancel()
    reading = context.channel.isWritable ? nil : close(in: Limits.idleSeconds, context)
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    request?.cancel()
    reading?.cancel()
    (request, reading) = (nil, nil)
    context.fireChannelInactive()
  }
}

@available(*, unavailable)
extension Deadlines: Sendable {}
