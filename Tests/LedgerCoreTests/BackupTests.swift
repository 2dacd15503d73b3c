import Foundation
import Synchronization
import Testing

@testable import LedgerCore

/// Goal: a backup is the ledger as it was at one event, whatever went on meanwhile; a restored
/// ledger answers as that one did, and goes on; what is not whole never has the final name.
/// Method: real directories; roots and states noted while the ledger grew are compared with those
/// of ledgers restored to the same events; faults at every call of a backup.
@Suite struct BackupTests {
  private static func key(_ scene: Scene) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: scene.directory.path + "/keys/master.key")))
  }

  private static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path)
  }

  @Test func `a backup beside commits is the ledger at one of its events`() throws {
    let scene = try Scene()
    for index in 0..<20 {
      _ = try scene.engine.submitAndWait(
        try (0..<50).map { try scene.pay(1, key: "\(index)-\($0)", text: ["for tea"]) })
    }
    let isOver = Atomic(false)
    let writer = Worker(name: "writer") {
      while !isOver.load(ordering: .relaxed) {
        _ = try? scene.engine.submitAndWait(scene.pay(1))
      }
    }
    let backup = TemporaryDirectory()
    let before = scene.engine.head
    let made = try scene.engine.backup(to: backup.path)
    isOver.store(true, ordering: .relaxed)
    writer.join()
    #expect(made.head >= before && made.head < scene.engine.head)
    #expect(!Self.exists(backup.path + ".partial") && !Self.exists(backup.path + "/keys"))
    #expect(throws: LedgerFailure.self) { _ = try scene.engine.backup(to: backup.path) }

    let restored = TemporaryDirectory()
    let again = try Backup.restore(
      backup.path, to: restored.path, masterKey: try Self.key(scene))
    #expect(again.head == made.head && again.root == made.root)
    let engine = try Engine.open(restored.path, .test)
    #expect(try engine.verify().findings == [])
    // It answers what the old one answered, and goes on.
    let outcome = try engine.submitAndWait(scene.pay(1, key: "3-7", text: ["for tea"]))
    #expect(
      outcome == (try scene.engine.submitAndWait(scene.pay(1, key: "3-7", text: ["for tea"]))))
    #expect(
      try engine.submitAndWait(scene.pay(1)).recorded?.number.rawValue == made.head.rawValue + 1)
    engine.close()
    #expect(throws: StorageError.self) {
      _ = try Backup.restore(backup.path, to: restored.path, masterKey: try Self.key(scene))
    }
    scene.engine.close()
  }

  @Test func `restored to an event, a ledger is as it was when that was the newest`() throws {
    let scene = try Scene()
    var noted: [(head: EventNumber, root: Digest32, state: [UInt8])] = []
    for index in 0..<12 {
      _ = try scene.engine.submitAndWait(
        try (0..<(index * 7 % 5 + 1)).map { number in
          try scene.pay(1, key: "\(index)-\(number)", text: number % 2 == 0 ? ["t"] : [])
        })
      let head = try scene.engine.treeHead()
      noted.append((head.last, head.root, try scene.engine.read { $0.bytes }))
    }
    let backup = TemporaryDirectory()
    let whole = try scene.engine.backup(to: backup.path)
    scene.engine.close()
    for (head, root, state) in noted {
      let restored = TemporaryDirectory()
      let made = try Backup.restore(
        backup.path, to: restored.path, masterKey: try Self.key(scene), upTo: head)
      #expect(made.head == head && made.root == root)
      let engine = try Engine.open(restored.path, .test)
      #expect(try engine.read { $0.bytes } == state)
      #expect(try engine.text(of: noted[0].head) == ["t"])
      engine.close()
    }
    for outside in [0, whole.head.rawValue + 1] {
      let restored = TemporaryDirectory()
      #expect(throws: StorageError.self) {
        _ = try Backup.restore(
          backup.path, to: restored.path, masterKey: try Self.key(scene),
          upTo: EventNumber(outside))
      }
      #expect(!Self.exists(restored.path) && !Self.exists(restored.path + ".partial"))
    }
  }

  @Test func `a backup that is not whole, or a key that is not its, restores nothing`() throws {
    let scene = try Scene()
    _ = try scene.engine.submitAndWait((0..<200).map { _ in try scene.pay(1) })
    let backup = TemporaryDirectory()
    _ = try scene.engine.backup(to: backup.path)
    scene.engine.close()
    let key = try Self.key(scene)
    func expectRefused(_ key: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
      let restored = TemporaryDirectory()
      #expect(throws: StorageError.self, sourceLocation: sourceLocation) {
        _ = try Backup.restore(backup.path, to: restored.path, masterKey: key)
      }
      #expect(!Self.exists(restored.path), sourceLocation: sourceLocation)
      #expect(!Self.exists(restored.path + ".partial"), sourceLocation: sourceLocation)
    }
    expectRefused([UInt8](repeating: 3, count: 32))
    let file = URL(filePath: backup.path + "/log/data.mdb")
    let data = try Data(contentsOf: file)
    try data.prefix(data.count / 2).write(to: file)
    expectRefused(key)
    var flipped = data
    let magic = try #require(data.range(of: Data("LBLK".utf8), options: .backwards))
    flipped[magic.lowerBound + 80] ^= 1
    try flipped.write(to: file)
    expectRefused(key)
    try data.write(to: file)
    try FileManager.default.removeItem(atPath: backup.path + "/head.log")
    expectRefused(key)
  }

  private static func mendChecksum(ofBlockAround place: Int, in data: inout Data) {
    let bytes = Array(data)
    guard let start = (0...place).last(where: { bytes[$0...].starts(with: Array("LBLK".utf8)) })
    else { return }
    let number = { (at: Int) in
      (0..<4).reduce(0) { $0 | Int(bytes[start + at + $1]) << ($1 * 8) }
    }
    let end = start + Block.headerByteCount + number(20) + number(16) * 4
    let crc = unsafe Hashing.crc(ofBlock: bytes[start..<end].span.bytes)
    for index in 0..<4 {
      data[start + Block.crcOffset + index] = UInt8(truncatingIfNeeded: crc >> UInt32(index * 8))
    }
  }

  /// A log that is written anew has checksums of its own, which say nothing of what was read.
  @Test func `a damaged block is not restored to an event within it or behind it`() throws {
    let scene = try Scene()
    let before = scene.engine.head
    _ = try scene.engine.submitAndWait((0..<40).map { _ in try scene.pay(0x1234_5678) })
    let backup = TemporaryDirectory()
    let made = try scene.engine.backup(to: backup.path)
    scene.engine.close()
    let key = try Self.key(scene)
    func restore(upTo last: EventNumber?) throws -> TemporaryDirectory {
      let restored = TemporaryDirectory()
      _ = try Backup.restore(backup.path, to: restored.path, masterKey: key, upTo: last)
      return restored
    }
    let file = URL(filePath: backup.path + "/log/data.mdb")
    var data = try Data(contentsOf: file)
    let amount = try #require(data.range(of: Data([0x78, 0x56, 0x34, 0x12])))
    data[amount.lowerBound] ^= 1
    try data.write(to: file)
    for isMended in [false, true] {
      // Whoever forges a frame mends the block's checksum, too; the root still tells.
      if isMended { Self.mendChecksum(ofBlockAround: amount.lowerBound, in: &data) }
      try data.write(to: file)
      for last in [nil, made.head, EventNumber(before.rawValue + 20)] {
        #expect(throws: StorageError.self, "mended \(isMended), to \(String(describing: last))") {
          _ = try restore(upTo: last)
        }
      }
    }
    // What lies before the damage can still be had.
    let restored = try restore(upTo: before)
    let engine = try Engine.open(restored.path, .test)
    #expect(engine.head == before)
    engine.close()
  }

  /// A folder of somebody's that happens to have the name is left alone.
  @Test func `nothing is removed through a link where the partial one goes`() throws {
    let scene = try Scene()
    let files = FileManager.default
    let target = TemporaryDirectory()
    let partial = target.path + ".partial"
    defer { try? files.removeItem(atPath: partial) }
    for part in ["/index", "/snapshots", "/log", "/keys", ""] {
      let other = TemporaryDirectory()
      try files.createDirectory(atPath: other.path, withIntermediateDirectories: true)
      for name in ["data.mdb", "master.key", "head.log"] {
        try Data([1]).write(to: URL(filePath: other.path + "/" + name))
      }
      try? files.removeItem(atPath: partial)
      if !part.isEmpty {
        try files.createDirectory(
          atPath: partial, withIntermediateDirectories: true,
          attributes: [.posixPermissions: 0o700])
      }
      try files.createSymbolicLink(atPath: partial + part, withDestinationPath: other.path)
      #expect(throws: LedgerFailure.self) { try scene.engine.backup(to: target.path) }
      #expect(try files.contentsOfDirectory(atPath: other.path).count == 3, "\(part)")
    }
  }

  @Test func `what lies where the partial one goes is not removed`() throws {
    let scene = try Scene()
    let backup = TemporaryDirectory()
    let partial = backup.path + ".partial"
    defer { try? FileManager.default.removeItem(atPath: partial) }
    try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: URL(filePath: partial + "/diary"))
    #expect(throws: LedgerFailure.self) { _ = try scene.engine.backup(to: backup.path) }
    #expect(try String(contentsOfFile: partial + "/diary", encoding: .utf8) == "mine")
    scene.engine.close()
  }

  @Test(arguments: ["exit", "torn", "eio", "enospc"])
  func `a backup that is cut short never has its name`(_ fault: String) throws {
    let scene = try Scene()
    _ = try scene.engine.submitAndWait((0..<300).map { _ in try scene.pay(1) })
    let head = scene.engine.head
    let key = try Self.key(scene)
    scene.engine.close()
    var (call, made) = (0, 0)
    while made == 0 {
      call += 1
      let (backup, restored) = (TemporaryDirectory(), TemporaryDirectory())
      defer { try? FileManager.default.removeItem(atPath: backup.path + ".partial") }
      let child = try Child(["backup", scene.directory.path, backup.path, fault, String(call)])
      let end = child.wait()
      if end == .exit(0) { made += 1 }
      #expect([.exit(0), .exit(74), .exit(137)].contains(end), "call \(call)")
      // Only the sync of the name itself may fail behind it.
      if end != .exit(0), !Self.exists(backup.path) { continue }
      let again = try Backup.restore(backup.path, to: restored.path, masterKey: key)
      #expect(again.head == head, "call \(call)")
    }
    print("\(fault): \(call - 1) calls of a backup")
    #expect(call > 10)
  }
}
