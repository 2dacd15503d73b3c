import Foundation
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: a block on disk is the documented one for ever, and a damaged one names itself.
/// Method: golden bytes made by another program; then every byte of a block flipped, one at a time.
@Suite struct BlockTests {
  /// The golden block's three frames as a sealed batch.
  private static func seal() throws -> [UInt8] {
    var batch = Batch(first: EventNumber(1), after: .none)
    for (index, golden) in Golden.slices.prefix(3).enumerated() {
      let header = Header(
        number: EventNumber(UInt64(index + 1)), time: Timestamp(nanoseconds: golden.time),
        actor: golden.actor)
      let text = golden.commitment.map { SealedText(commitment: $0, ciphertext: [1]) }
      batch.append(golden.event, header, key: golden.key, text: text, body: golden.body.span)
    }
    var tree = MerkleTree()
    batch.seal(&tree)
    return try batch.withBlock { $0.copied() }
  }

  private static func read(_ bytes: [UInt8], key: UInt64 = 1) throws(StorageError) -> [Event] {
    let span = unsafe bytes.span.bytes
    let header = try Block.header(of: span, key: EventNumber(key), checksum: true)
    var events: [Event] = []
    for index in 0..<header.count {
      events.append(try Frame.decode(try Block.frame(index, of: header, in: span)).event)
    }
    return events
  }

  @Test func `a block has its golden bytes`() throws {
    #expect(try Self.seal() == Golden.bytes(Golden.block))
    #expect(try Self.read(Golden.bytes(Golden.block)) == Golden.slices.prefix(3).map(\.event))
  }

  @Test func `every flipped bit of a block is found`() {
    let whole = Golden.bytes(Golden.block)
    for place in whole.indices {
      for bit in 0..<8 {
        var bytes = whole
        bytes[place] ^= 1 << UInt8(bit)
        #expect(throws: StorageError.self, "byte \(place), bit \(bit)") {
          _ = try Self.read(bytes)
        }
      }
    }
  }

  @Test func `a block that is cut, longer, or under another number is named`() {
    let whole = Golden.bytes(Golden.block)
    for count in 0..<whole.count {
      #expect(throws: StorageError.self) { _ = try Self.read(Array(whole.prefix(count))) }
    }
    #expect(throws: StorageError.damaged("block 1 has a wrong length or number")) {
      _ = try Self.read(whole + [0])
    }
    #expect(throws: StorageError.damaged("block 2 has a wrong length or number")) {
      _ = try Self.read(whole, key: 2)
    }
    var newer = whole
    newer[4] = 2
    #expect(throws: StorageError.refused("block 1 has format 2; this program reads 1")) {
      _ = try Self.read(newer)
    }
  }

  /// Where checksums are not asked for, a damaged length must still not lead outside the block.
  @Test func `an offset table that leads astray is refused`() throws {
    let whole = Golden.bytes(Golden.block)
    var random = SplitMix64(seeded: "offsets")
    for _ in 0..<2_000 {
      var bytes = whole
      let place = whole.count - 12 + random.below(12)
      bytes[place] = UInt8(truncatingIfNeeded: random.next())
      let span = unsafe bytes.span.bytes
      let header = try Block.header(of: span, key: EventNumber(1), checksum: false)
      for index in 0..<header.count {
        if let frame = try? Block.frame(index, of: header, in: span) {
          #expect(frame.byteCount <= header.framesByteCount)
        }
      }
    }
  }

  // MARK: - Notes

  @Test func `notes have their golden bytes`() throws {
    let texts = Array("firstthird!".utf8)
    let bytes = Notes.encode([(0, 0, 5), (2, 5, 6)], texts)
    #expect(bytes == Golden.bytes(Golden.notes))
    var found: [(Int, String)] = []
    try unsafe Notes.decode(bytes.span.bytes, block: EventNumber(1)) {
      index, text throws(StorageError) in
      found.append((index, String(decoding: text.copied(), as: UTF8.self)))
    }
    #expect(found.map(\.0) == [0, 2] && found.map(\.1) == ["first", "third!"])
  }

  @Test func `flipped and cut notes are found, or the texts are whole`() {
    let whole = Golden.bytes(Golden.notes)
    for place in whole.indices where !(12..<16).contains(place) {
      var bytes = whole
      bytes[place] ^= 0x10
      let seen = Self.texts(bytes)
      // The count stands before the checksummed part: a smaller one only hides texts.
      #expect(seen == nil || (4..<8).contains(place), "byte \(place)")
    }
    for count in 0..<whole.count { #expect(Self.texts(Array(whole.prefix(count))) == nil) }
  }

  private static func texts(_ bytes: [UInt8]) -> [[UInt8]]? {
    var found: [[UInt8]] = []
    do throws(StorageError) {
      try unsafe Notes.decode(bytes.span.bytes, block: EventNumber(1)) {
        _, text throws(StorageError) in found.append(text.copied())
      }
      return found
    } catch {
      return nil
    }
  }

  // MARK: - head.log

  @Test func `a record of head.log has its golden bytes`() throws {
    let directory = TemporaryDirectory()
    let path = directory.path
    try HeadLog.create(path)
    var log = try HeadLog(path)
    #expect(log.newest == nil)
    let root = Digest32(Array(0..<32))
    try log.append(last: EventNumber(7), transaction: 9, root: root, epoch: 3)
    let bytes = try Data(contentsOf: URL(filePath: path))
    #expect(bytes.count == 1 << 20)
    #expect(Array(bytes[64..<128]) == Golden.bytes(Golden.headRecord))
    let again = try HeadLog(path)
    #expect(again.newest == log.newest && again.newest?.sequence == 1)
  }

  @Test func `the ring keeps its newest record around its end`() throws {
    let directory = TemporaryDirectory()
    try HeadLog.create(directory.path)
    var log = try HeadLog(directory.path)
    for number in 1...UInt64(HeadLog.recordCount + 10) {
      try log.append(last: EventNumber(number), transaction: number, root: .none, epoch: 1)
    }
    let newest = try HeadLog(directory.path).newest
    #expect(newest == log.newest && newest?.last.rawValue == UInt64(HeadLog.recordCount + 10))
  }

  @Test func `a torn newest record is passed over, a ring of nothing else is refused`() throws {
    let directory = TemporaryDirectory()
    try HeadLog.create(directory.path)
    var log = try HeadLog(directory.path)
    for number in 1...UInt64(3) {
      try log.append(last: EventNumber(number), transaction: number, root: .none, epoch: 1)
    }
    var bytes = try Data(contentsOf: URL(filePath: directory.path))
    bytes[3 * 64 + 20] ^= 1
    try bytes.write(to: URL(filePath: directory.path))
    #expect(try HeadLog(directory.path).newest?.last == EventNumber(2))
    bytes[64 + 8] ^= 1
    bytes[2 * 64 + 63] ^= 1
    try bytes.write(to: URL(filePath: directory.path))
    #expect(throws: StorageError.self) { _ = try HeadLog(directory.path) }
  }
}
