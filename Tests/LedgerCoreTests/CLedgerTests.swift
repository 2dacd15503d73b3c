import CLedger
import Crypto
import Foundation
import TestSupport
import Testing

/// Goal: the C primitives give exactly the bytes of their standards, on every path a machine may
/// take, so that a ledger written on one machine verifies on any other.
/// Method: compare with swift-crypto, with published vectors and with each other, accelerated and
/// forced portable, over every small length and seeded random input. Serialized, because forcing
/// the portable path is process-wide.
@Suite(.serialized) struct CLedgerTests {
  @Test(arguments: [false, true])
  func `leaf hashes agree with swift-crypto over every length to 300`(portable: Bool) {
    var random = SplitMix64(seeded: "leaf lengths")
    // Twice each, so that both a lone lane and a pair of lanes see every length.
    let lengths = (0...300).flatMap { [$0, $0] } + Array(0...300)
    let frames = lengths.map { random.bytes($0) }
    let actual = withPortable(portable) { leafHashes(frames) }
    #expect(actual == frames.flatMap { sha256([0] + $0) })
  }

  @Test(arguments: [false, true])
  func `leaf hashes agree with swift-crypto over random frames`(portable: Bool) {
    var random = SplitMix64(seeded: "leaf random")
    for _ in 0..<200 {
      let count = random.below(20)
      let limit = random.below(8) == 0 ? 2_000 : 130
      let frames = (0..<count).map { _ in random.bytes(random.below(limit)) }
      let actual = withPortable(portable) { leafHashes(frames) }
      #expect(actual == frames.flatMap { sha256([0] + $0) })
    }
  }

  @Test(arguments: [false, true])
  func `leaf hashes agree with swift-crypto over big frames`(portable: Bool) {
    var random = SplitMix64(seeded: "leaf big")
    let lengths = [65_535, 65_535, 65_534, 4_096, 4_095, 65_520, 1, 65_471]
    let frames = lengths.map { random.bytes($0) }
    let actual = withPortable(portable) { leafHashes(frames) }
    #expect(actual == frames.flatMap { sha256([0] + $0) })
  }

  @Test(arguments: [false, true])
  func `leaf hash of the empty frame is the one RFC 6962 implies`(portable: Bool) {
    let actual = withPortable(portable) { leafHashes([[]]) }
    let hex = actual.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    #expect(hex == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
  }

  @Test(arguments: [false, true])
  func `node hashes agree with swift-crypto in place and apart`(portable: Bool) {
    var random = SplitMix64(seeded: "nodes")
    for count in Array(0...17) + [256, 1_001] {
      let pairs = random.bytes(64 * count)
      let expected = (0..<count).flatMap { sha256([1] + pairs[64 * $0..<64 * ($0 + 1)]) }
      let (apart, inPlace) = withPortable(portable) { (nodeHashes(pairs), foldedInPlace(pairs)) }
      #expect(apart == expected)
      #expect(inPlace == expected)
    }
  }

  @Test(arguments: [false, true])
  func `crc32c agrees with published vectors`(portable: Bool) {
    withPortable(portable) {
      #expect(crc32c(Array("123456789".utf8)) == 0xE306_9283)
      #expect(crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
      #expect(crc32c([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
      #expect(crc32c(Array(0..<32)) == 0x46DD_794E)
      #expect(crc32c([]) == 0)
    }
  }

  @Test func `crc32c is the same on both paths from any start`() {
    var random = SplitMix64(seeded: "crc paths")
    let bytes = random.bytes(8_192)
    // The lengths around one, two and three interleaved rounds come first, then random ones.
    let lengths = Array(0...40) + Array(760...780) + Array(1_530...1_545) + Array(2_300...2_310)
    for length in lengths + (0..<300).map({ _ in random.below(4_000) }) {
      let start = random.below(64)
      let seed = UInt32(truncatingIfNeeded: random.next())
      let part = start..<(start + length)
      let fast = withPortable(false) { crc32c(bytes, part, seed: seed) }
      let portable = withPortable(true) { crc32c(bytes, part, seed: seed) }
      #expect(fast == portable, "start \(start), length \(length)")
    }
  }

  @Test(arguments: [false, true])
  func `crc32c of a message chains over any split`(portable: Bool) {
    var random = SplitMix64(seeded: "crc chain")
    for _ in 0..<200 {
      let bytes = random.bytes(random.below(3_000))
      let split = random.below(bytes.count + 1)
      let (whole, chained) = withPortable(portable) {
        let head = crc32c(bytes, 0..<split)
        return (crc32c(bytes), crc32c(bytes, split..<bytes.count, seed: head))
      }
      #expect(chained == whole, "split \(split) of \(bytes.count)")
    }
  }

  @Test func `memory growth keeps contents and fills with zero`() throws {
    let mebibyte = 1 << 20
    let sizes = [
      100, 4_096, 4_097, 100_000, mebibyte, 8 * mebibyte - 1, 8 * mebibyte, 8 * mebibyte + 1,
      20 * mebibyte, 20 * mebibyte, 33 * mebibyte + 5,
    ]
    var block: UnsafeMutableRawPointer? = nil
    var old = 0
    for size in sizes {
      let grown = unsafe cledger_memory_grow(block, old, size)
      let now = try unsafe #require(unsafe grown)
      let kept = unsafe allEqual(now, 0..<old, to: 0xA5)
      let zeroed = unsafe allEqual(now, old..<size, to: 0)
      #expect(kept, "growth from \(old) to \(size)")
      #expect(zeroed, "growth from \(old) to \(size)")
      unsafe memset(now, 0xA5, size)
      unsafe block = now
      old = size
    }
    unsafe cledger_memory_free(block, old)
  }

  @Test func `memory growth refuses what it cannot give and keeps the block`() throws {
    let made = unsafe cledger_memory_grow(nil, 0, 10_000)
    let block = try unsafe #require(unsafe made)
    unsafe memset(block, 0xA5, 10_000)
    for size in [0, 9_999, Int.max - 4_096, Int.max, -1] {
      let refused = unsafe cledger_memory_grow(block, 10_000, size) == nil
      #expect(refused, "size \(size)")
    }
    let nothing = unsafe cledger_memory_grow(nil, 0, 0) == nil
    let kept = unsafe allEqual(block, 0..<10_000, to: 0xA5)
    #expect(nothing)
    #expect(kept)
    unsafe cledger_memory_free(block, 10_000)
    cledger_memory_free(nil, 0)
  }

  @Test func `forcing the portable path returns the old setting`() {
    #expect(cledger_force_portable(7) == 0)
    #expect(cledger_force_portable(0) == 1)
    #expect(cledger_force_portable(0) == 0)
  }
}

private func withPortable<Result>(_ on: Bool, _ body: () throws -> Result) rethrows -> Result {
  let old = cledger_force_portable(on ? 1 : 0)
  defer { cledger_force_portable(old) }
  return try body()
}

private func sha256(_ bytes: [UInt8]) -> [UInt8] {
  Array(SHA256.hash(data: bytes))
}

/// Gives the frames no byte of slack at the end, so that a read past the end is one past the array.
private func leafHashes(_ frames: [[UInt8]]) -> [UInt8] {
  var offsets: [UInt32] = [0]
  for frame in frames { offsets.append(offsets[offsets.count - 1] + UInt32(frame.count)) }
  let bytes = frames.flatMap { $0 }
  var out = [UInt8](repeating: 0xEE, count: 32 * frames.count)
  unsafe cledger_leaf_hashes(bytes, offsets, frames.count, &out)
  return out
}

private func nodeHashes(_ pairs: [UInt8]) -> [UInt8] {
  var out = [UInt8](repeating: 0xEE, count: pairs.count / 2)
  unsafe cledger_node_hashes(pairs, pairs.count / 64, &out)
  return out
}

private func foldedInPlace(_ pairs: [UInt8]) -> [UInt8] {
  var level = pairs
  unsafe level.withUnsafeMutableBufferPointer { buffer in
    unsafe cledger_node_hashes(buffer.baseAddress, buffer.count / 64, buffer.baseAddress)
  }
  return Array(level.prefix(pairs.count / 2))
}

private func crc32c(_ bytes: [UInt8]) -> UInt32 {
  crc32c(bytes, 0..<bytes.count)
}

private func crc32c(_ bytes: [UInt8], _ part: Range<Int>, seed: UInt32 = 0) -> UInt32 {
  unsafe bytes[part].withUnsafeBytes { unsafe cledger_crc32c(seed, $0.baseAddress, $0.count) }
}

/// Compares the part with itself one byte on: many times faster than a loop in a debug build.
private func allEqual(
  _ block: UnsafeMutableRawPointer, _ part: Range<Int>, to value: UInt8
) -> Bool {
  guard !part.isEmpty else { return true }
  let start = unsafe block + part.lowerBound
  let first = unsafe start.load(as: UInt8.self)
  return unsafe first == value && memcmp(start, start + 1, part.count - 1) == 0
}
