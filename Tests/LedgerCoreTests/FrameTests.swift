import TestSupport
import Testing

@testable import LedgerCore

/// Goal: an event's bytes on disk are the documented ones for ever, and nothing else is read as
/// one.
/// Method: golden bytes made by another program; decode after encode over random events; and every
/// way a frame can be of a newer version or damaged, one change at a time.
@Suite struct FrameTests {
  private static func encode(_ golden: Golden.Frame) -> [UInt8] {
    encode(
      golden.event, time: golden.time, actor: golden.actor, key: golden.key,
      commitment: golden.commitment, body: golden.body)
  }

  private static func encode(
    _ event: Event, time: UInt64 = 5, actor: Actor = .ledger, key: IdempotencyKey? = nil,
    commitment: Digest32? = nil, body: [UInt8] = []
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xEE, count: 512 + body.count)
    let header = Header(
      number: EventNumber(1), time: Timestamp(nanoseconds: time), actor: actor)
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return 0 }
      return unsafe Frame.encode(
        event, header, key: key, commitment: commitment, body: body.span, at: base)
    }
    #expect(bytes[count...].allSatisfy { $0 == 0xEE }, "wrote past the frame")
    return Array(bytes.prefix(count))
  }

  private static func decode(_ bytes: [UInt8]) throws(StorageError) -> Frame.Parts {
    try unsafe Frame.decode(bytes.span.bytes)
  }

  // MARK: - Golden

  @Test(arguments: Golden.slices + Golden.flags + Golden.withBodies)
  func `a frame has its golden bytes`(golden: Golden.Frame) throws {
    let bytes = Golden.bytes(golden.hex)
    #expect(Self.encode(golden) == bytes)
    let parts = try Self.decode(bytes)
    #expect(parts.event == golden.event)
    #expect(parts.time.nanoseconds == golden.time)
    #expect(parts.actor == golden.actor)
    #expect(parts.key == golden.key)
    #expect(parts.commitment == golden.commitment)
    #expect(Array(bytes[parts.body]) == golden.body)
  }

  @Test(arguments: Golden.withBodies)
  func `a body is checked against its event`(golden: Golden.Frame) throws {
    try golden.event.check(golden.body.span)
    for body in [Array(golden.body.dropLast()), golden.body + [0]] {
      #expect(throws: StorageError.self) { try golden.event.check(body.span) }
    }
    guard golden.event.code != 0x0401 else { return }
    var another = golden.body
    another[0] ^= 1
    for body in [another, golden.body + golden.body, []] {
      #expect(throws: StorageError.self) { try golden.event.check(body.span) }
    }
  }

  @Test func `every event has golden bytes`() {
    let codes = Set(Golden.slices.map(\.event.code))
    #expect(codes == Set(Samples.all.map(\.code)))
    #expect(Set(Golden.flags.map { Golden.bytes($0.hex)[21] }) == Set(0...7))
  }

  @Test func `a payment with a key and no text takes two SHA-256 blocks`() throws {
    let payment = try #require(Golden.slices.first { $0.event.code == 0x0301 })
    #expect(Golden.bytes(payment.hex).count == 112)
  }

  // MARK: - Random

  @Test func `decoding what was encoded gives the same event`() throws {
    var random = SplitMix64(seeded: "frames")
    for _ in 0..<3_000 {
      let event = Samples.event(&random)
      let key =
        random.below(2) == 0
        ? nil : IdempotencyKey(fingerprint: random.wide(), digest: random.next())
      let commitment =
        random.below(2) == 0 ? nil : Digest32(first: random.wide(), second: random.wide())
      let body = random.bytes(random.below(3) == 0 ? random.below(300) : 0)
      let actor = Samples.actor(&random)
      let time = random.next()
      let bytes = Self.encode(
        event, time: time, actor: actor, key: key, commitment: commitment, body: body)
      let parts = try Self.decode(bytes)
      #expect(parts.event == event)
      #expect(parts.time.nanoseconds == time && parts.actor == actor)
      #expect(parts.key == key && parts.commitment == commitment)
      #expect(Array(bytes[parts.body]) == body)
    }
  }

  @Test func `no payload is longer than a frame has room for`() {
    var random = SplitMix64(seeded: "payloads")
    for event in Samples.all + (0..<500).map({ _ in Samples.event(&random) }) {
      #expect(Self.encode(event).count <= Frame.headerByteCount + Frame.payloadByteCountMax)
    }
  }

  @Test func `the longest frame fits`() throws {
    let body = [UInt8](repeating: 7, count: Frame.bodyByteCountMax)
    let bytes = Self.encode(
      Samples.all[0], key: Golden.key, commitment: Golden.commitment, body: body)
    #expect(bytes.count <= Frame.byteCountMax)
    #expect(try Self.decode(bytes).body.count == body.count)
  }

  /// One encoding per event: whatever decodes, encodes to the same bytes again. Otherwise two
  /// different leaves could stand for the same event.
  @Test func `what decodes at all is what we would have written`() throws {
    var random = SplitMix64(seeded: "canonical")
    for _ in 0..<20_000 {
      let golden = Golden.slices[random.below(Golden.slices.count)]
      var bytes = Golden.bytes(golden.hex)
      bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
      guard let parts = try? Self.decode(bytes) else { continue }
      let again = Self.encode(
        parts.event, time: parts.time.nanoseconds, actor: parts.actor, key: parts.key,
        commitment: parts.commitment, body: Array(bytes[parts.body]))
      #expect(again == bytes, "\(parts.event)")
    }
  }

  // MARK: - Refused

  private static func refuse(
    _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
  ) -> StorageError? {
    do throws(StorageError) {
      _ = try decode(bytes)
      Issue.record("decoded", sourceLocation: sourceLocation)
      return nil
    } catch {
      return error
    }
  }

  private static func isRefused(_ error: StorageError?) -> Bool {
    if case .refused? = error { return true }
    return false
  }

  private static func isDamaged(_ error: StorageError?) -> Bool {
    if case .damaged? = error { return true }
    return false
  }

  @Test(arguments: Golden.slices)
  func `another version, code, flag or reserved byte is of a newer program`(
    golden: Golden.Frame
  ) {
    var bytes = Golden.bytes(golden.hex)
    for version: UInt8 in [0, 2, 255] {
      bytes[20] = version
      #expect(Self.isRefused(Self.refuse(bytes)))
    }
    bytes = Golden.bytes(golden.hex)
    for flag: UInt8 in [8, 16, 32, 64, 128] {
      bytes[21] ^= flag
      #expect(Self.isRefused(Self.refuse(bytes)))
      bytes[21] ^= flag
    }
    for place in [22, 23] {
      bytes[place] = 1
      #expect(Self.isRefused(Self.refuse(bytes)))
      bytes[place] = 0
    }
    // The actor's role is the highest byte.
    let role = bytes[15]
    bytes[15] = UInt8(Actor.Role.allCases.count)
    #expect(Self.isRefused(Self.refuse(bytes)))
    bytes[15] = role
    bytes[18] = 0x7F
    #expect(Self.isRefused(Self.refuse(bytes)))
  }

  @Test func `no unknown code is ever read`() {
    let known = Set(Samples.all.map(\.code))
    for code in UInt16.min...UInt16.max where !known.contains(code) {
      let zeros = [UInt8](repeating: 0, count: 128)
      var reader = unsafe ByteReader(zeros.span.bytes)
      #expect(throws: Event.unknown(code)) {
        _ = try Event(code: code, version: 1, from: &reader)
      }
    }
  }

  @Test(arguments: Golden.slices)
  func `a payload that is shorter or longer than its fields is damaged`(golden: Golden.Frame) {
    let whole = Golden.bytes(golden.hex)
    for change in [-1, 1, -8, 8] where golden.body.isEmpty {
      var bytes = whole
      let length = Int(bytes[16]) + Int(bytes[17]) << 8 + change
      (bytes[16], bytes[17]) = (UInt8(length & 0xFF), UInt8(length >> 8))
      // With the frame as it was the parts do not add up; with the frame cut to fit, the fields
      // end.
      #expect(Self.isDamaged(Self.refuse(bytes)))
      let fitted =
        change < 0 ? Array(bytes.dropLast(-change)) : bytes + [UInt8](repeating: 0, count: change)
      #expect(Self.isDamaged(Self.refuse(fitted)))
    }
    for count in 0..<whole.count where golden.body.isEmpty {
      #expect(Self.refuse(Array(whole.prefix(count))) != nil)
    }
  }

  @Test func `a body is there exactly when its flag says so`() {
    var bytes = Golden.bytes(Golden.flags[0].hex)
    #expect(Self.isDamaged(Self.refuse(bytes + [1])))
    bytes[21] = 4
    #expect(Self.isDamaged(Self.refuse(bytes)))
  }

  @Test func `a frame of more than 65,535 bytes is damaged`() {
    var bytes = Golden.bytes(Golden.flags[0].hex)
    bytes[21] = 4
    bytes += [UInt8](repeating: 1, count: 65_536 - bytes.count)
    #expect(Self.isDamaged(Self.refuse(bytes)))
    #expect((try? Self.decode(bytes.dropLast())) != nil)
  }

  /// Where one byte of a golden frame, counted from its payload, must not have this value.
  @Test(
    arguments: [
      (0x0001, 16, 2, "livemode"), (0x0001, 17, 1, "livemode"), (0x0001, 78, 1, "zero"),
      (0x0001, 76, 2, "side"), (0x0001, 77, 2, "refunded"),
      (0x0001, 39, 0x80, "negative"), (0x0002, 1, 0xFF, "operation"), (0x0002, 3, 0xFF, "reason"),
      (0x0002, 12, 1, "zero"), (0x0104, 31, 9, "holder"), (0x0104, 32, 5, "kind"),
      (0x0104, 33, 1, "kind"), (0x0104, 39, 1, "kind"), (0x0202, 15, 0x80, "negative"),
      (0x0203, 24, 19, "scale"), (0x0203, 31, 1, "scale"), (0x0301, 15, 0x80, "negative"),
      (0x0301, 31, 0x80, "negative"), (0x0301, 48, 1, "session"), (0x0301, 62, 1, "rail"),
      (0x0301, 63, 2, "payee kind"), (0x0401, 31, 0x80, "negative"), (0x0401, 70, 1, "zero"),
      (0x0A01, 0, 5, "scope"), (0x0A01, 7, 1, "scope"), (0x0A01, 32, 0, "version"),
      (0x0A01, 36, 1, "version"), (0x0A02, 24, 0, "version"),
      (0x0A03, 15, 0x80, "negative"), (0x0902, 15, 0x80, "negative"),
      (0x0904, 15, 0x80, "negative"),
    ] as [(UInt16, Int, UInt8, String)])
  func `a field out of its range is refused`(
    code: UInt16, place: Int, value: UInt8, field: String
  ) throws {
    let golden = try #require(Golden.slices.first { $0.event.code == code })
    var bytes = Golden.bytes(golden.hex)
    let payload =
      Frame.headerByteCount + (golden.key == nil ? 0 : Frame.keyByteCount)
      + (golden.commitment == nil ? 0 : Frame.commitmentByteCount)
    bytes[payload + place] = value
    #expect(Self.refuse(bytes) != nil, "\(field)")
  }
}

extension FrameTests {
  @Test func `what is read ahead of decoding is what decoding gives`() throws {
    for golden in Golden.slices + Golden.flags {
      let bytes = Golden.bytes(golden.hex)
      let fingerprint = unsafe Frame.fingerprintAhead(bytes.span.bytes)
      #expect(fingerprint == golden.key?.fingerprint)
      let ahead = unsafe Frame.walletsAhead(bytes.span.bytes)
      if case .payment(.completed(let payment)) = golden.event {
        #expect(ahead.0 == payment.payer.rawValue)
      } else {
        #expect(ahead == (0, 0))
      }
    }
    // Never past the end of a frame that is cut short.
    for golden in Golden.slices {
      let bytes = Golden.bytes(golden.hex)
      for count in 0...bytes.count {
        let cut = Array(bytes.prefix(count))
        _ = unsafe Frame.walletsAhead(cut.span.bytes)
        _ = unsafe Frame.fingerprintAhead(cut.span.bytes)
      }
    }
  }
}
