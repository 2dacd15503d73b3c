import Foundation
import TestSupport
import Testing

@testable import LedgerCore

/// Goal: one flipped bit anywhere in the data file, `head.log`, a snapshot or a backup is refused,
/// harmless, or at worst a crash of the process that opens it; never a ledger with other balances,
/// now or after the next commits.
/// Method: a child flips one bit after the other, each in a fresh copy, many of them where they
/// count most, opens the ledger, pays, and opens it once more. It is started again after a flip at
/// which it crashed. 240 random ones in the data file, a quarter as many in each of the others.
/// `SWEEP_STEP=1` for one in every byte, every bit of both meta pages, and every bit of the records
/// in `head.log`; 2 for every other one. What an engine learns from `head.log` is its newest
/// record, so that for the million bytes of the ring it is enough to read it.
@Suite(.serialized) struct SweepTests {
  private static let step =
    ProcessInfo.processInfo.environment["SWEEP_STEP"].flatMap { Int($0) } ?? 0

  private enum Target: String, CaseIterable {
    case data, headLog, snapshot, backup, backupHeadLog
  }

  @Test(arguments: Target.allCases)
  private func `no flipped bit ever gives a wrong balance`(_ target: Target) throws {
    let scene = try Scene()
    for index in 0..<12 {
      _ = try scene.engine.submitAndWait(
        (0..<(index % 4 * 9 + 1)).map { number in
          try scene.pay(1_000, key: "k\(index)-\(number)", text: number % 5 == 0 ? ["text"] : [])
        })
    }
    let snapshot = try scene.engine.makeSnapshot()
    _ = try scene.engine.submitAndWait(scene.pay(1_000))
    let backup = TemporaryDirectory()
    _ = try scene.engine.backup(to: backup.path)
    scene.engine.close()
    let number = String(snapshot.last.rawValue)
    let name = String(repeating: "0", count: 20 - number.count) + number
    let file =
      switch target {
      case .data, .backup: "log/data.mdb"
      case .headLog, .backupHeadLog: "head.log"
      case .snapshot: "snapshots/\(name).zst"
      }
    let isBackup = target == .backup || target == .backupHeadLog
    let data = try Data(
      contentsOf: URL(filePath: (isBackup ? backup : scene.directory).path + "/" + file))
    let byteCount = data.count
    let placeCount =
      switch file {
      // The meta pages are of the data file, of a backup's too.
      case "log/data.mdb": byteCount + 2 * 4096 * 8
      case "head.log": Self.recordCount(data) * HeadLog.recordByteCount * 8
      default: byteCount
      }
    let flips =
      Self.step > 0 ? (placeCount + Self.step - 1) / Self.step : target == .data ? 240 : 60
    let key = isBackup ? [scene.directory.path + "/keys/master.key"] : []
    var random = SplitMix64(seeded: "sweep of \(target)")
    let seed = String(random.next() >> 1) + (Self.step > 0 ? "/\(Self.step)" : "")
    let copy = TemporaryDirectory()
    let counts = try Self.judge(flips, seed: seed) { next in
      try Child(
        [
          "sweep", isBackup ? backup.path : scene.directory.path, copy.path, file, seed,
          String(next), String(flips),
        ] + key)
    }
    try? FileManager.default.removeItem(atPath: copy.path + "-backup")
    let others = counts.filter { $0.key != "WRONG" }.sorted { $0.key < $1.key }
    let verdicts = others.map { "\($0.value) \($0.key)" } + ["\(counts["WRONG", default: 0]) wrong"]
    print(
      "prove: \(counts.values.reduce(0, +)) flips of \(target), of \(byteCount) bytes;",
      "seed \(random.seed); \(verdicts.joined(separator: ", "))")
    // A snapshot that is passed over changes nothing, nor does a record of `head.log` before the
    // newest whole one. In a backup's there is one record only, which large steps may miss.
    var mayMiss: [Target] = [.snapshot, .headLog]
    if Self.step > 1 { mayMiss.append(.backupHeadLog) }
    #expect(counts["refused", default: 0] > 0 || mayMiss.contains(target))
    #expect(counts["same", default: 0] > 0)
  }

  private static func recordCount(_ ring: Data) -> Int {
    stride(from: 0, to: ring.count, by: HeadLog.recordByteCount)
      .count { ring[$0..<$0 + HeadLog.recordByteCount].contains { $0 != 0 } }
  }

  /// Given a ring with some records, when one bit of any byte is flipped, then the newest record is
  /// the same or, where its own bytes were flipped, the one before; never one that nobody wrote.
  /// And after the next commits theirs is the newest.
  @Test(arguments: [1, 20]) func `a flipped bit in head.log never makes a record`(
    _ count: Int
  ) throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: true)
    let path = directory.path + "/head.log"
    try HeadLog.create(path)
    var ring = try HeadLog(path)
    var records: [HeadLog.Record] = []
    for number in 1...count {
      try ring.append(number)
      let newest = ring.newest
      records.append(try #require(newest))
    }
    let pristine = [UInt8](try Data(contentsOf: URL(filePath: path)))
    let file = try FileHandle(forUpdating: URL(filePath: path))
    let newestStart = count * HeadLog.recordByteCount
    var random = SplitMix64(seeded: "ring of \(count)")
    let own = newestStart..<newestStart + HeadLog.recordByteCount
    let step = Self.step > 0 ? Self.step : 16_381
    let others = stride(from: 0, to: pristine.count, by: step).filter { !own.contains($0) }
    var (same, before) = (0, 0)
    for place in Array(own) + others {
      try file.write(pristine[place] ^ 1 << UInt8(random.next() % 8), at: place)
      defer { #expect(throws: Never.self) { try file.write(pristine[place], at: place) } }
      var flipped = try HeadLog(path)
      let isOwn = own.contains(place)
      let expected = isOwn ? records.dropLast().last : records.last
      let found = flipped.newest
      try #require(found == expected, "place \(place)")
      if isOwn { before += 1 } else { same += 1 }
      guard !isOwn else { continue }
      for number in 1...3 { try flipped.append(count + number) }
      let (written, read) = (flipped.newest, try HeadLog(path).newest)
      try #require(written?.sequence == UInt64(count) + 3 && read == written, "place \(place)")
      for number in 1...3 {
        let start = (count + number) * HeadLog.recordByteCount
        for index in start..<start + HeadLog.recordByteCount { try file.write(0, at: index) }
      }
    }
    print(
      "prove: \(same + before) flips of a ring with \(count) records, which is read, of",
      "\(pristine.count) bytes; seed \(random.seed); \(same) same, \(before) the one before,",
      "0 wrong")
    #expect(same == others.count && before == own.count)
  }

  /// How many of the flips were refused, harmless, or ended a child that `start` makes.
  private static func judge(
    _ flips: Int, seed: String, start: (_ next: Int) throws -> Child
  ) throws -> [String: Int] {
    var counts: [String: Int] = [:]
    var next = 0
    while next < flips {
      let child = try start(next)
      let end = child.wait()
      var flip = -1
      for line in child.lines {
        let words = line.split(separator: " ")
        switch words.first {
        case "begin": flip = Int(words[1]) ?? -1
        case "refused", "same", "WRONG":
          counts[String(words[0]), default: 0] += 1
          next = flip + 1
          if words[0] == "WRONG" { Issue.record("seed \(seed): \(line)") }
        default: break  // not ours: a last word of the process that crashes
        }
      }
      if end == .exit(0) { break }
      // It crashed at the flip that it began and did not judge.
      guard flip >= next else {
        Issue.record("the child ended by itself: \(end), \(child.lines.suffix(3))")
        break
      }
      counts["\(end)", default: 0] += 1
      next = flip + 1
    }
    return counts
  }

  /// What `KillTarget open` says of a whole ledger, so that the sweep compares with the truth.
  @Test func `the child sees the balances that there are`() throws {
    let scene = try Scene(funds: 100_000)
    _ = try scene.engine.submitAndWait(scene.pay(1_000))
    let head = scene.engine.head
    scene.engine.close()
    let child = try Child(["open", scene.directory.path])
    #expect(child.wait() == .exit(0))
    #expect(child.lines == ["head \(head), wallet 1 98996, wallet 2 1000"])
    try FileManager.default.removeItem(atPath: scene.directory.path + "/head.log")
    let refused = try Child(["open", scene.directory.path])
    #expect(refused.wait() == .exit(74))
    #expect(refused.lines.first?.contains("head.log is missing") == true)
  }
}

extension HeadLog {
  fileprivate mutating func append(_ number: Int) throws(StorageError) {
    try append(
      last: EventNumber(UInt64(number)), transaction: UInt64(number), root: .none, epoch: 1)
  }
}

extension FileHandle {
  fileprivate func write(_ byte: UInt8, at place: Int) throws {
    try seek(toOffset: UInt64(place))
    try write(contentsOf: Data([byte]))
  }
}
