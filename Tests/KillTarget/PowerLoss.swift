import Foundation
import LedgerCore

/// States in which a power loss may leave a ledger's files, one after the other, each opened.
///
/// Reads the trace of a script's calls. A state is: the calls before some moment; of what was not
/// synced by then any sectors of 512 bytes, each write as it was or not at all, in any order; each
/// new name that its directory was not synced for, there or not. Where `lies`, no sync reached the
/// disk after the first answer.
///
/// Prints `begin N` before each state and then `good N`, `refused N …` where it was not opened, or
/// `WRONG N …` where something that was answered is not there.
struct PowerLoss {
  private let entries: [Entry]
  private let root: String
  private let copy: String
  private let seed: UInt64
  private let range: Range<Int>
  private let lies: Bool

  private struct Entry {
    var kind: UInt8
    var path: String
    var offset: Int
    var bytes: [UInt8]
  }

  /// `TRACE ROOT COPY SEED FROM TO honest|lying`: `root` is where the script ran.
  init(_ arguments: [String]) throws {
    guard let seed = UInt64(arguments[4]), let from = Int(arguments[5]),
      let to = Int(arguments[6]), from <= to
    else { throw Workload.Unexpected() }
    entries = Self.parse(Array(try Data(contentsOf: URL(filePath: arguments[1]))))
    (root, copy, self.seed, range) = (arguments[2], arguments[3], seed, from..<to)
    lies = arguments[7] == "lying"
  }

  private static func parse(_ bytes: [UInt8]) -> [Entry] {
    func number(_ at: Int, _ count: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << ($1 * 8) }
    }
    var entries: [Entry] = []
    var at = 0
    while at + 24 <= bytes.count {
      let (pathCount, count) = (number(at + 4, 4), number(at + 16, 8))
      let path = String(decoding: bytes[at + 24..<at + 24 + pathCount], as: UTF8.self)
      let start = at + 24 + pathCount
      entries.append(
        Entry(
          kind: bytes[at], path: path, offset: number(at + 8, 8),
          bytes: Array(bytes[start..<start + count])))
      at = start + count
    }
    return entries
  }

  func run() {
    for state in range {
      Victim.say("begin \(state)")
      Victim.say(verdict(state))
    }
  }

  private func verdict(_ state: Int) -> String {
    var random = Chance(state: seed &+ UInt64(state) &* 0x9E37_79B9_7F4A_7C15)
    // Most moments are of commits; the first calls make the ledger, and are as many again.
    let moment = 1 + random.below(random.below(3) == 0 ? min(40, entries.count) : entries.count)
    var disk = Disk()
    var answered: [Int] = []
    for entry in entries[..<moment] {
      if entry.kind == UInt8(ascii: "a") {
        answered.append(entry.offset)
        disk.lies = lies
      } else {
        disk.apply(entry.kind, entry.path, entry.offset, entry.bytes)
      }
    }
    do {
      try disk.lose(&random, root: root, copy: copy)
    } catch {
      return "WRONG the state cannot be made: \(error) \(state)"
    }
    return judge(answered, state, "after call \(moment)")
  }

  private func judge(_ answered: [Int], _ state: Int, _ place: String) -> String {
    do {
      var options = Engine.Options()
      options.mapByteCount = 1 << 30
      options.acceptsClock = true
      let engine = try Engine.open(copy, options)
      defer { engine.close() }
      // An honest disk has every answered event; a lying one a prefix of the log.
      if let last = answered.last, engine.head.rawValue < UInt64(last), !lies {
        return "WRONG the log ends at \(engine.head), \(last) was answered, \(place) \(state)"
      }
      let workload = try Workload(engine)
      var numbers: [Int] = []
      for key in Script.keys {
        let outcome = try engine.submitAndWait(workload.request(key))
        guard let recorded = outcome.recorded else {
          return "WRONG \(key) is \(outcome), \(place) \(state)"
        }
        numbers.append(Int(recorded.number.rawValue))
      }
      if !lies, Array(numbers.prefix(answered.count)) != answered {
        return "WRONG answered \(answered), now \(numbers), \(place) \(state)"
      }
      guard Set(numbers).count == Script.keys.count, try engine.verify().findings.isEmpty else {
        return "WRONG \(try engine.verify().findings) \(numbers), \(place) \(state)"
      }
      return "good \(state)"
    } catch {
      return "refused \(state) \(error), \(answered.count) answered, \(place)"
    }
  }
}

/// What lies on a disk, and what is on its way there.
private struct Disk {
  private struct File {
    var durable: [UInt8] = []
    /// Writes and truncations since the last sync, in order; a truncation has no bytes.
    var pending: [(offset: Int, bytes: [UInt8]?)] = []
  }

  var lies = false
  private var files: [Int: File] = [:]
  /// Names as the system sees them.
  private var names: [String: Int] = [:]
  /// Names that survive for sure, and those that may or may not have changed.
  private var durableNames: [String: Int] = [:]
  private var directories: Set<String> = []
  private var durableDirectories: Set<String> = []

  mutating func apply(_ kind: UInt8, _ path: String, _ offset: Int, _ bytes: [UInt8]) {
    switch UnicodeScalar(kind) {
    case "w": write(path, offset, bytes)
    case "d":
      write(path, offset, bytes)
      // Through to the disk: this range only.
      if !lies, let file = names[path] {
        let write = files[file]?.pending.removeLast()
        files[file]?.durable.overwrite(offset, write?.bytes ?? [])
      }
    case "t":
      let file = self.file(path)
      files[file]?.pending.append((offset, nil))
    case "s" where !lies: sync(path)
    case "m": directories.insert(path)
    case "r":
      let to = String(decoding: bytes, as: UTF8.self)
      names[to] = names.removeValue(forKey: path)
    default: break  // not ours: a sync that never arrives
    }
  }

  private mutating func write(_ path: String, _ offset: Int, _ bytes: [UInt8]) {
    let file = self.file(path)
    files[file]?.pending.append((offset, bytes))
  }

  private mutating func file(_ path: String) -> Int {
    if let file = names[path] { return file }
    let file = files.count
    files[file] = File()
    names[path] = file
    return file
  }

  private mutating func sync(_ path: String) {
    if let file = names[path] {
      for change in files[file]?.pending ?? [] { files[file]?.durable.change(change) }
      files[file]?.pending = []
      return
    }
    // A directory: the names in it.
    for (name, file) in names where name.parent == path { durableNames[name] = file }
    for name in Array(durableNames.keys) where name.parent == path && names[name] == nil {
      durableNames[name] = nil
    }
    for directory in directories where directory.parent == path {
      durableDirectories.insert(directory)
    }
  }

  /// Puts one of the possible remains of `root` at `copy`.
  func lose(_ random: inout Chance, root: String, copy: String) throws {
    let manager = FileManager.default
    try? manager.removeItem(atPath: copy)
    var there: Set<String> = []
    for directory in directories.sorted() {
      // Of the ledger's own directory the trace does not have the sync, which is of its parent.
      let isThere =
        directory == root || durableDirectories.contains(directory) || random.below(2) == 0
      guard isThere, directory == root || there.contains(directory.parent) else { continue }
      there.insert(directory)
      try manager.createDirectory(
        atPath: copy + directory.dropFirst(root.count), withIntermediateDirectories: false,
        attributes: [.posixPermissions: 0o700])
    }
    for (name, file) in chosenNames(&random) where there.contains(name.parent) {
      let content = chosenContent(files[file] ?? File(), &random)
      try Data(content).write(to: URL(filePath: copy + name.dropFirst(root.count)))
    }
  }

  /// Each name that changed since its directory was synced is as it was, or as it is.
  private func chosenNames(_ random: inout Chance) -> [(String, Int)] {
    let all = Set(names.keys).union(durableNames.keys).sorted()
    return all.compactMap { name in
      let (now, before) = (names[name], durableNames[name])
      let file = now == before || random.below(2) == 0 ? now : before
      return file.map { (name, $0) }
    }
  }

  private func chosenContent(_ file: File, _ random: inout Chance) -> [UInt8] {
    // Nothing, all, or any sectors: the first two are what real disks mostly leave.
    let mode = random.below(4)
    guard mode > 0 else { return file.durable }
    var content = file.durable
    for change in file.pending {
      guard let bytes = change.bytes else {
        if mode == 1 || random.below(2) == 0 { content.change(change) }
        continue
      }
      var at = change.offset
      let end = change.offset + bytes.count
      while at < end {
        let next = min(end, (at / 512 + 1) * 512)
        if mode == 1 || random.below(2) == 0 {
          content.overwrite(at, Array(bytes[at - change.offset..<next - change.offset]))
        }
        at = next
      }
      // The size may be on disk before the bytes are.
      if random.below(2) == 0, content.count < end {
        content += [UInt8](repeating: 0, count: end - content.count)
      }
    }
    return content
  }
}

/// SplitMix64, so that a seed names its states on every machine.
private struct Chance {
  var state: UInt64

  mutating func below(_ count: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ (mixed >> 31)) % UInt64(count))
  }
}

extension [UInt8] {
  fileprivate mutating func overwrite(_ offset: Int, _ bytes: [UInt8]) {
    if count < offset + bytes.count {
      self += [UInt8](repeating: 0, count: offset + bytes.count - count)
    }
    replaceSubrange(offset..<offset + bytes.count, with: bytes)
  }

  fileprivate mutating func change(_ change: (offset: Int, bytes: [UInt8]?)) {
    if let bytes = change.bytes {
      overwrite(change.offset, bytes)
    } else if count > change.offset {
      removeLast(count - change.offset)
    } else {
      self += [UInt8](repeating: 0, count: change.offset - count)
    }
  }
}

extension String {
  fileprivate var parent: String {
    lastIndex(of: "/").map { String(self[..<$0]) } ?? ""
  }
}
