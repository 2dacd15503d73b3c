import Hummingbird
import NIOCore
import Synchronization

/// How often one address may ask for what strangers may have: so many at once, and as many a minute
/// [AP-09].
///
/// Bounded whatever comes: addresses share a fixed number of buckets by a hash that is seeded anew
/// in each process, so that nobody can choose whose bucket he empties.
final class Rate: Sendable {
  private static let bucketCount = 16_384

  /// When a bucket will be full, as nanoseconds of the process; what is missing is the rest.
  private let fullAt = Mutex([UInt64](repeating: 0, count: bucketCount))
  private let start = ContinuousClock.now

  /// Takes one of `perMinute` from the bucket of `peer`; nil, or in how many seconds there is one.
  func take(_ peer: String, perMinute: Int) -> Int? {
    let elapsed = start.duration(to: .now).components
    let now = UInt64(elapsed.seconds) * 1_000_000_000 + UInt64(elapsed.attoseconds / 1_000_000_000)
    return take(peer, perMinute: perMinute, at: now)
  }

  /// The same at a moment of the test's own, in nanoseconds.
  func take(_ peer: String, perMinute: Int, at now: UInt64) -> Int? {
    let minute: UInt64 = 60_000_000_000
    let each = minute / UInt64(perMinute)
    return fullAt.withLock { fullAt in
      let bucket = Int(UInt(bitPattern: peer.hashValue) % UInt(Self.bucketCount))
      let full = max(fullAt[bucket], now) + each
      guard full - now <= minute else { return Int((full - now - minute) / 1_000_000_000) + 1 }
      fullAt[bucket] = full
      return nil
    }
  }
}

/// A request's context that also knows from which address it comes.
struct EdgeContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The connection's other end; nil for the Unix socket, whose users are not strangers.
  var address: SocketAddress?

  init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
    let address = source.channel.remoteAddress
    self.address = address?.ipAddress == nil ? nil : address
  }

  /// Who is to be counted: the address, or where `proxyHops` trusted proxies stand before us, the
  /// one that the outermost of them saw. Of IPv6 the network, since a host has a whole one.
  func peer(_ forwarded: [String], proxyHops: Int) -> String? {
    guard let address else { return nil }
    guard proxyHops > 0 else { return Self.network(of: address) }
    let hops = forwarded.joined(separator: ",").split(separator: ",")
      .map { String($0.filter { $0 != " " }) }
    // Fewer than that: the request did not come through all proxies, so nothing in it is believed.
    guard hops.count >= proxyHops,
      let seen = try? SocketAddress(ipAddress: hops[hops.count - proxyHops], port: 0)
    else { return Self.network(of: address) }
    return Self.network(of: seen)
  }

  private static func network(of address: SocketAddress) -> String {
    let text = address.ipAddress ?? ""
    // An IPv4 address within an IPv6 one is that host's alone.
    guard text.contains(":"), !text.contains(".") else { return text }
    let sides = text.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
      .map { $0.split(separator: ":") }
    let zeros = Array(repeating: Substring("0"), count: 8 - sides.joined().count)
    let groups = sides[0] + zeros + (sides.count > 1 ? sides[1] : [])
    return groups.prefix(4).joined(separator: ":")
  }
}
