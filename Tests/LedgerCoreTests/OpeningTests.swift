import Foundation
import Synchronization
import Testing

@testable import LedgerCore

/// Goal: what is whole but not ours to open as it stands is refused, with what to do about it.
/// Method: a small ledger, closed; opened with other rights, keys, modes and clocks.
@Suite struct OpeningTests {
  private static func refusal(
    _ path: String, _ options: Engine.Options, sourceLocation: SourceLocation = #_sourceLocation
  ) -> String? {
    do throws(StorageError) {
      let engine = try Engine.open(path, options)
      engine.close()
      Issue.record("it opened", sourceLocation: sourceLocation)
      return nil
    } catch {
      guard case .refused(let message) = error else {
        Issue.record("\(error)", sourceLocation: sourceLocation)
        return nil
      }
      #expect(error.exitCode == 78, sourceLocation: sourceLocation)
      return message
    }
  }

  private static func closed(_ options: Engine.Options) throws -> TemporaryDirectory {
    let directory = TemporaryDirectory()
    try Engine.open(directory.path, options).close()
    return directory
  }

  // MARK: - The directory

  @Test(arguments: [0o755, 0o750, 0o701, 0o777])
  func `a directory that others may enter is refused with the remedy`(mode: Int) throws {
    let directory = try Self.closed(.test)
    let files = FileManager.default
    try files.setAttributes([.posixPermissions: mode], ofItemAtPath: directory.path)
    #expect(
      Self.refusal(directory.path, .test)?.hasSuffix("run: chmod 0700 \(directory.path)") == true)
    try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: directory.path)
    try Engine.open(directory.path, .test).close()
  }

  @Test func `what is made is for the owner alone`() throws {
    let directory = try Self.closed(.test)
    let files = FileManager.default
    let paths = try files.subpathsOfDirectory(atPath: directory.path)
    #expect(
      Set(paths).isSuperset(of: [
        "log/data.mdb", "head.log", "daemon.lock", "keys/master.key",
      ]))
    for path in paths {
      let whole = directory.path + "/" + path
      let mode = try files.attributesOfItem(atPath: whole)[.posixPermissions] as? Int ?? 0
      #expect(mode & 0o077 == 0, "\(path) has mode \(String(mode, radix: 8))")
    }
  }

  @Test func `a file where the directory should be is refused`() throws {
    let directory = TemporaryDirectory()
    try Data("notes".utf8).write(to: URL(filePath: directory.path))
    #expect(Self.refusal(directory.path, .test) == "\(directory.path) is not a directory")
  }

  @Test func `nothing is made where nothing may be made`() throws {
    let directory = TemporaryDirectory()
    var options = Engine.Options.test
    options.mayCreate = false
    #expect(Self.refusal(directory.path, options) == "there is no ledger in \(directory.path)")
    #expect(!FileManager.default.fileExists(atPath: directory.path))
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: false,
      attributes: [.posixPermissions: 0o700])
    #expect(Self.refusal(directory.path, options) == "there is no ledger in \(directory.path)")
  }

  /// Method: what a kill leaves at each step of making a ledger, before its first commit.
  @Test func `a ledger that was half made is told to whoever only looks, and made anew by others`()
    throws
  {
    for step in ["unwritten", "no databases", "no head"] {
      let directory = TemporaryDirectory()
      let path = directory.path
      for part in ["", "/log", "/keys"] { try File.makeDirectory(path + part) }
      try File.create(path + "/keys/master.key", [UInt8](repeating: 7, count: 32))
      try HeadLog.create(path + "/head.log")
      if step == "unwritten" {
        try File.create(path + "/log/data.mdb", [UInt8](repeating: 0, count: 8_192))
      } else {
        _ = try Environment(
          directory: path + "/log", databases: step == "no head" ? EventLog.names : [],
          mapByteCount: 1 << 20, durability: .synced, mayCreate: true)
      }
      var options = Engine.Options.test
      options.mayCreate = false
      let said = try #require(Self.refusal(path, options))
      #expect(said.contains("cut off before anything was in it"), "\(step): \(said)")
      #expect(said.contains("start ledgerd"), "\(step): \(said)")
      let engine = try Engine.open(path, .test)
      #expect(engine.head == EventNumber(1))
      engine.close()
    }
  }

  @Test func `a directory below one that is missing is an error of the system`() {
    let path = TemporaryDirectory().path + "/deeper"
    #expect(throws: StorageError.self) { _ = try Engine.open(path, .test) }
  }

  // MARK: - The master key

  @Test func `another, a short or a missing master key opens nothing`() throws {
    let directory = try Self.closed(.test)
    var options = Engine.Options.test
    options.masterKey = [UInt8](repeating: 9, count: 32)
    #expect(
      Self.refusal(directory.path, options)
        == "the master key is not the one this ledger was made with")
    options.masterKey = [UInt8](repeating: 9, count: 31)
    #expect(Self.refusal(directory.path, options) == "the master key is 31 bytes, not 32")

    let path = directory.path + "/keys/master.key"
    let key = try Data(contentsOf: URL(filePath: path))
    try key.dropLast().write(to: URL(filePath: path))
    #expect(Self.refusal(directory.path, .test)?.hasSuffix("is 31 bytes long, not 32") == true)
    try FileManager.default.removeItem(atPath: path)
    #expect(
      Self.refusal(directory.path, .test)?.hasSuffix("master key was named") == true)
    #expect(!FileManager.default.fileExists(atPath: path))
    try key.write(to: URL(filePath: path))
    try Engine.open(directory.path, .test).close()
  }

  @Test func `a ledger with a master key of its caller keeps none`() throws {
    var options = Engine.Options.test
    options.masterKey = [UInt8](repeating: 9, count: 32)
    let directory = try Self.closed(options)
    #expect(!FileManager.default.fileExists(atPath: directory.path + "/keys/master.key"))
    try Engine.open(directory.path, options).close()
  }

  // MARK: - The mode

  @Test(arguments: [false, true])
  func `a ledger opens as the kind it was made`(livemode: Bool) throws {
    var options = Engine.Options.test
    options.livemode = livemode
    let directory = try Self.closed(options)
    options.livemode = !livemode
    let kind = livemode ? "live" : "test"
    #expect(
      Self.refusal(directory.path, options)
        == "this is a \(kind) ledger, opened as the other kind")
    options.mayBeEitherMode = true
    let engine = try Engine.open(directory.path, options)
    #expect(try engine.read { $0.genesis.livemode } == livemode)
    engine.close()
  }

  @Test func `a ledger of another format is refused`() throws {
    let directory = try Self.closed(.test)
    do {
      let environment = try Environment(
        directory: directory.path + "/log", databases: EventLog.names, mapByteCount: 1 << 30,
        durability: .synced, mayCreate: false)
      try environment.write { transaction throws(StorageError) in
        try EventLog.put(transaction, "format", EventLog.number(2))
      }
    }
    #expect(
      Self.refusal(directory.path, .test) == "the ledger has format 2; this program reads 1")
  }

  // MARK: - The clock

  @Test func `a clock far from the last event is refused, unless it is accepted`() throws {
    let clock = TestClock()
    let directory = try Self.closed(clock.options)
    let (second, day) = (TestClock.second, TestClock.day)
    for (time, word) in [
      (TestClock.start - second - 1, "behind"), (TestClock.start - 300 * day, "behind"),
      (1, "behind"), (TestClock.start + 366 * day + 1, "ahead"),
      (TestClock.start + 366 * 64 * day, "ahead"), (UInt64.max - 1_000 * second, "ahead"),
      (UInt64.max, "ahead"),
    ] {
      clock.set(time)
      #expect(Self.refusal(directory.path, clock.options)?.contains(word) == true, "\(time)")
    }
    for time in [
      TestClock.start - second, TestClock.start, TestClock.start + 366 * day,
    ] {
      clock.set(time)
      try Engine.open(directory.path, clock.options).close()
    }
    clock.set(TestClock.start + 400 * day)
    var options = clock.options
    options.acceptsClock = true
    try Engine.open(directory.path, options).close()
  }

  @Test func `a directory on a network, FUSE or overlay file system is refused`() throws {
    for type: UInt64 in [0xEF53, 0x5846_5342, 0x9123_683E, 0x2FC1_2FC1, 0x0102_1994] {
      try DataDirectory.checkFileSystem(type, of: "data")
      // Where the system's type is signed, the upper half says nothing.
      try DataDirectory.checkFileSystem(type | 0xFFFF_FFFF_0000_0000, of: "data")
    }
    for type: UInt64 in [0x6969, 0xFF53_4D42, 0x6573_5546, 0x0102_1997, 0x794C_7630] {
      #expect {
        try DataDirectory.checkFileSystem(type, of: "data")
      } throws: { error in
        guard case .refused(let why)? = error as? StorageError else { return false }
        return why.contains("data is on a file system of type 0x\(String(type, radix: 16))")
      }
    }
  }

  // MARK: - One at a time

  @Test func `a ledger that another process has open is refused with its pid`() throws {
    let directory = TemporaryDirectory()
    let child = try Child(["run", directory.path])
    defer { child.kill() }
    // Its first answer, or the end of a child that could not even begin. What a child says is
    // collected by another thread, so here and below it is looked for until it is there.
    let deadline = Date(timeIntervalSinceNow: 60)
    while !child.lines.contains(where: { $0.hasPrefix("done") }), Date() < deadline {
      Thread.sleep(forTimeInterval: 0.05)
    }
    #expect(throws: StorageError.locked(holder: child.pid)) {
      _ = try Engine.open(directory.path, .test)
    }
    #expect(StorageError.locked(holder: child.pid).exitCode == 75)
    child.kill()
    _ = child.wait()
    try Engine.open(directory.path, .test).close()
  }

  /// `OPENERS=all` tries every count from two to twenty.
  private static let openerCounts =
    ProcessInfo.processInfo.environment["OPENERS"] == "all" ? Array(2...20) : [2, 20]

  private static let opened = Mutex<[(openers: Int, writers: Int)]>([])

  @Test(arguments: openerCounts)
  func `of many that open it at once, one writes`(_ count: Int) throws {
    let directory = TemporaryDirectory()
    try Engine.open(directory.path, .test).close()
    let children = try (0..<count).map { _ in try Child(["run", directory.path]) }
    defer { for child in children { child.kill() } }
    let deadline = Date(timeIntervalSinceNow: 60)
    let isOver = { (child: Child) in
      child.lines.contains { $0.hasPrefix("done") || $0.hasPrefix("the ledger is in use") }
    }
    while !children.allSatisfy(isOver), Date() < deadline { Thread.sleep(forTimeInterval: 0.05) }
    let writers = children.filter { child in child.lines.contains { $0.hasPrefix("done") } }
    let writer = try #require(writers.first)
    #expect(writers.count == 1)
    for child in children where child.pid != writer.pid {
      #expect(child.wait() == .exit(75))
      #expect(child.lines.last == "the ledger is in use by process \(writer.pid)")
    }
    writer.kill()
    _ = writer.wait()
    let engine = try Engine.open(directory.path, .test)
    #expect(try engine.verify().findings == [])
    engine.close()
    let all = Self.opened.withLock { all in
      all.append((count, writers.count))
      return all
    }
    guard all.count == Self.openerCounts.count else { return }
    let (openers, writing) = (all.map(\.openers), all.map(\.writers).reduce(0, +))
    print(
      "prove: \(openers.count) races of \(openers.min() ?? 0) to \(openers.max() ?? 0) openers;",
      "seed none; \(writing) wrote, \(openers.reduce(0, +) - writing) refused")
  }

  @Test func `a holder that is stopped still holds, and goes on unharmed`() throws {
    let directory = TemporaryDirectory()
    let child = try Child(["run", directory.path])
    defer { child.kill() }
    let deadline = Date(timeIntervalSinceNow: 60)
    // Collected by another thread, as above.
    func wait(forMoreThan count: Int) {
      while child.lines.count <= count, Date() < deadline { Thread.sleep(forTimeInterval: 0.02) }
    }
    wait(forMoreThan: 10)
    kill(child.pid, SIGSTOP)
    #expect(throws: StorageError.locked(holder: child.pid)) {
      _ = try Engine.open(directory.path, .test)
    }
    let count = child.lines.count
    kill(child.pid, SIGCONT)
    wait(forMoreThan: count + 10)
    #expect(child.lines.count > count + 10)
    child.kill()
    #expect(child.wait() == .signal(SIGKILL))
    let engine = try Engine.open(directory.path, .test)
    #expect(try engine.verify().findings == [])
    engine.close()
    print("prove: 1 stopped holder; seed none; refused others, went on")
  }

  /// The lock is the first net, the epoch in the log the second: somebody removed the lock's file.
  @Test func `a writer whose epoch is over ends itself at its next commit`() throws {
    let scene = try Scene()
    let log = try #require(scene.engine.following.log)
    try log.environment.write { transaction throws(StorageError) in
      try EventLog.put(transaction, "epoch", EventLog.number(99))
    }
    let pay = try scene.pay(1, key: "k")
    #expect(throws: LedgerFailure.outcomeUnknown) { try scene.engine.submitAndWait(pay) }
    #expect {
      try scene.engine.submitAndWait(pay)
    } throws: { error in
      if case .ledgerFailed(.damaged(let what))? = error as? LedgerFailure {
        what.contains("another writer")
      } else {
        false
      }
    }
  }
}
