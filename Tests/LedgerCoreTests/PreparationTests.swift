import Crypto
import Foundation
import Testing

@testable import LedgerCore

/// Goal: the hashes by which keys and names are known for ever stay what they are.
/// Method: HMAC-SHA256 written down once more, over each part led by its length.
@Suite struct PreparationTests {
  private static func hash(_ parts: [[UInt8]], _ key: SymmetricKey) -> [UInt8] {
    var message = Data()
    for part in parts {
      message.append(contentsOf: number(UInt64(part.count)))
      message.append(contentsOf: part)
    }
    return Array(HMAC<SHA256>.authenticationCode(for: message, using: key).prefix(16))
  }

  /// Little-endian.
  private static func number(_ value: UInt64, _ count: Int = 8) -> [UInt8] {
    (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) : 0 }
  }

  @Test func `keys and names are hashed as format 1 says`() throws {
    let secrets = Secrets()
    let preparation = Preparation(ledger: 1, secrets: secrets)
    let tenant: [UInt8] = [7, 0, 0, 0, 0, 0, 0, 0]
    for text in ["", "x", String(repeating: "ä", count: 200)] {
      let bytes = Array(text.utf8)
      #expect(
        UInt128.bytes(preparation.hash(credential: text))
          == Self.hash([bytes], secrets.credentials))
      #expect(
        UInt128.bytes(preparation.hash(tenant: text)) == Self.hash([[1], bytes], secrets.names))
      #expect(
        UInt128.bytes(preparation.hash(agent: text, tenant: "t"))
          == Self.hash([[2], [0x74], bytes], secrets.names))
      #expect(
        UInt128.bytes(preparation.hash(label: text, of: TenantNumber(7)))
          == Self.hash([[3], tenant, bytes], secrets.names))
    }
    let command = Command.payment(
      .pay(
        from: WalletNumber(3), to: .wallet(WalletNumber(4)), amount: Amount(units: 5),
        asset: AssetNumber(1), rail: .internal))
    let actor = Actor.agent(AgentNumber(9))
    let key = try #require(
      try preparation.request(command, by: actor, key: "k", text: ["tea"]).key)
    let scope = Self.number(actor.rawValue) + Self.number(UInt64(command.operation.rawValue))
    #expect(
      UInt128.bytes(key.fingerprint) == Self.hash([[1], scope, [0x6B]], secrets.requests))
    var said = Self.number(3)
    said += [0]
    said += Self.number(4, 16)
    said += Self.number(5, 16)
    said += Self.number(1, MemoryLayout<AssetNumber>.size)
    said += [Rail.internal.rawValue]
    let digest = Self.hash([[2], scope, said, Array("tea".utf8)], secrets.requests)
    #expect(Self.number(key.digest) == Array(digest.prefix(8)))
  }
}
