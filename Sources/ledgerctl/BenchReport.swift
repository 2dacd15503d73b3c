import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Plain files on the same disk: what the bytes alone cost.
final class RawFiles {
  private let growing: FileHandle
  private let preallocated: FileHandle
  private let piece: Data
  private let preallocatedByteCount: Int
  private var offset = 0

  init(directory: String, pieceByteCount: Int) throws {
    growing = try Self.create(directory + "/raw-growing")
    preallocated = try Self.create(directory + "/raw-preallocated")
    var generator = SplitMix64(seed: 1)
    piece = Data((0..<pieceByteCount).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
    // Written full, not only allocated: an unwritten extent would cost a journal entry a write.
    preallocatedByteCount = max(64 << 20, pieceByteCount * 4)
    let block = Data(count: 1 << 20)
    for _ in 0...(preallocatedByteCount >> 20) { try preallocated.write(contentsOf: block) }
    try Self.sync(preallocated)
    try preallocated.seek(toOffset: 0)
  }

  func grow(_ count: Int, into durations: inout [Duration]) throws {
    for _ in 0..<count {
      let start = ContinuousClock.now
      try growing.write(contentsOf: piece)
      try Self.sync(growing)
      durations.append(ContinuousClock.now - start)
    }
  }

  func overwrite(_ count: Int, into durations: inout [Duration]) throws {
    for _ in 0..<count {
      if offset + piece.count > preallocatedByteCount {
        try preallocated.seek(toOffset: 0)
        offset = 0
      }
      offset += piece.count
      let start = ContinuousClock.now
      try preallocated.write(contentsOf: piece)
      try Self.sync(preallocated)
      durations.append(ContinuousClock.now - start)
    }
  }

  private static func create(_ path: String) throws -> FileHandle {
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let handle = FileHandle(forWritingAtPath: path)
    else {
      throw CocoaError(.fileWriteUnknown)
    }
    return handle
  }

  private static func sync(_ handle: FileHandle) throws {
    guard fdatasync(handle.fileDescriptor) == 0 else { throw CocoaError(.fileWriteUnknown) }
  }
}

/// How much memory the process has.
enum Memory {
  /// Bytes in real memory now.
  static var residentByteCount: Int {
    let statm = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let fields = statm.split(separator: " ")
    // The log's map counts as shared; only anonymous memory is the ledger's own.
    guard fields.count > 2, let resident = Int(fields[1]), let shared = Int(fields[2]) else {
      return 0
    }
    return (resident - shared) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}

extension Bench {
  /// What was measured, in the units of the option `--json`.
  struct Report: Encodable {
    var paymentsPerSecond: Double
    var rawPaymentsPerSecond: Double
    var rawPreallocatedPaymentsPerSecond: Double
    var ratio: Double
    var ratioPreallocated: Double
    var batch: Int
    var inFlight: Int
    var payments: Int
    var wallets: Int
    var hot: Double
    var p50Us: Double
    var p99Us: Double
    var maxUs: Double
    var rawP50Us: Double
    var rawP99Us: Double
    var events: Int
    var bytes: Int
    var bytesPerPayment: Double
    var refused: Int
    var cpuUsPerPayment: Double
    var memoryBytesPerWallet: Double
    var foldEventsPerSecond: Double
    /// Opening it again as it was left, with the snapshots and runs of keys that were made.
    var openSeconds: Double
    var snapshots: Int
    var growth: [Growth]?
    var entrances: [EntranceReport]?
    var following: FollowingReport?

    func table() -> String {
      let rows = [
        ["", "payments/s", "p50 us", "p99 us"],
        ["ledger, durable", Self.whole(paymentsPerSecond), Self.whole(p50Us), Self.whole(p99Us)],
        [
          "plain file, growing", Self.whole(rawPaymentsPerSecond), Self.whole(rawP50Us),
          Self.whole(rawP99Us),
        ],
        ["plain file, preallocated", Self.whole(rawPreallocatedPaymentsPerSecond), "", ""],
      ]
      let text = [
        Table.render(rows),
        "ratio \(Self.two(ratio)) of the growing file, "
          + "\(Self.two(ratioPreallocated)) of the preallocated",
        "\(payments) payments in batches of \(batch), \(inFlight) in flight, "
          + "between \(wallets) wallets, hot \(hot), "
          + "\(refused) refused",
        "\(Self.whole(bytesPerPayment)) bytes of disk and \(Self.two(cpuUsPerPayment)) us of CPU "
          + "a payment, \(Self.whole(memoryBytesPerWallet)) bytes of memory a wallet",
        "opened again in \(Self.two(openSeconds)) s with \(snapshots) snapshots; without any by "
          + "folding \(Self.whole(foldEventsPerSecond)) events/s",
      ]
      let more = [growth?.table(), entrances.map(EntranceReport.table), following?.table()]
      return (text + more.compactMap { $0 }).joined(separator: "\n")
    }

    static func whole(_ value: Double) -> String { String(Int(value.rounded())) }
    static func two(_ value: Double) -> String { String((value * 100).rounded() / 100) }
  }
}

extension Bench.Report {
  init(
    _ measured: Bench.Measured, batch: Int, inFlight: Int, wallets: Int, hot: Double, events: Int,
    bytes: Int,
    memoryPerWallet: Double, fold: Double
  ) {
    let payments = measured.engine.count * batch
    paymentsPerSecond = Double(payments) / measured.engineTime.seconds
    rawPaymentsPerSecond = Self.rate(measured.growing, batch)
    rawPreallocatedPaymentsPerSecond = Self.rate(measured.preallocated, batch)
    ratio = paymentsPerSecond / rawPaymentsPerSecond
    ratioPreallocated = paymentsPerSecond / rawPreallocatedPaymentsPerSecond
    self.batch = batch
    self.inFlight = inFlight
    self.payments = payments
    self.wallets = wallets
    self.hot = hot
    p50Us = Self.quantile(measured.engine, 0.5)
    p99Us = Self.quantile(measured.engine, 0.99)
    maxUs = Self.quantile(measured.engine, 1)
    rawP50Us = Self.quantile(measured.growing, 0.5)
    rawP99Us = Self.quantile(measured.growing, 0.99)
    self.events = events
    self.bytes = bytes
    bytesPerPayment = Double(bytes) / Double(payments)
    refused = measured.refused
    cpuUsPerPayment = measured.cpuMicroseconds / Double(payments)
    memoryBytesPerWallet = memoryPerWallet
    foldEventsPerSecond = fold
    openSeconds = measured.openSeconds
    snapshots = measured.snapshotCount
  }

  private static func rate(_ durations: [Duration], _ batch: Int) -> Double {
    let seconds = durations.reduce(0) { $0 + $1.seconds }
    return Double(durations.count * batch) / seconds
  }

  private static func quantile(_ durations: [Duration], _ q: Double) -> Double {
    let sorted = durations.map { $0.seconds * 1e6 }.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * q))]
  }
}
