import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import ledgerd

/// Goal: one address may ask for so much a minute, others are not hurt, and nobody passes for
/// another by what he writes into a header.
/// Method: the buckets at moments of the test's own; the context over addresses and headers.
@Suite struct RateTests {
  @Test func `so many at once, then one by one`() {
    let rate = Rate()
    let second: UInt64 = 1_000_000_000
    for _ in 0..<30 { #expect(rate.take("a", perMinute: 30, at: 5 * second) == nil) }
    #expect(rate.take("a", perMinute: 30, at: 5 * second) == 3)
    #expect(rate.take("b", perMinute: 30, at: 5 * second) == nil)
    #expect(rate.take("a", perMinute: 30, at: 7 * second) == nil)
    #expect(rate.take("a", perMinute: 30, at: 7 * second) != nil)
    for _ in 0..<30 { #expect(rate.take("a", perMinute: 30, at: 200 * second) == nil) }
    #expect(rate.take("a", perMinute: 30, at: 200 * second) != nil)
  }

  private static func peer(
    _ address: String, _ forwarded: [String] = [], proxyHops: Int = 0
  ) throws -> String? {
    let source = ApplicationRequestContextSource(
      channel: EmbeddedChannel(), logger: Logger(label: "test"))
    var context = EdgeContext(source: source)
    context.address = try SocketAddress(ipAddress: address, port: 1)
    return context.peer(forwarded, proxyHops: proxyHops)
  }

  @Test func `a header is believed as far as there are proxies`() throws {
    #expect(try Self.peer("192.0.2.1") == "192.0.2.1")
    #expect(try Self.peer("192.0.2.1", ["198.51.100.7"]) == "192.0.2.1")
    #expect(try Self.peer("192.0.2.1", ["198.51.100.7"], proxyHops: 1) == "198.51.100.7")
    let forged = ["203.0.113.9, 198.51.100.7", "192.0.2.2"]
    #expect(try Self.peer("192.0.2.1", forged, proxyHops: 2) == "198.51.100.7")
    #expect(try Self.peer("192.0.2.1", forged, proxyHops: 4) == "192.0.2.1")
    #expect(try Self.peer("192.0.2.1", ["nonsense"], proxyHops: 1) == "192.0.2.1")
  }

  @Test func `a network of IPv6 counts as one`() throws {
    #expect(try Self.peer("2001:db8:1:2:3::4") == "2001:db8:1:2")
    #expect(try Self.peer("2001:db8:1:2:ffff::9") == "2001:db8:1:2")
    #expect(try Self.peer("2001:db8::9") == "2001:db8:0:0")
    #expect(try Self.peer("::1") == "0:0:0:0")
    #expect(try Self.peer("::ffff:192.0.2.1") == "::ffff:192.0.2.1")
  }
}
