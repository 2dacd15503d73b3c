import LedgerCore

extension Bench {
  /// The rate between two sizes of the log.
  struct Growth: Encodable {
    /// Where the log stood afterwards.
    var events: UInt64
    var paymentsPerSecond: Double
  }

  /// Pays until the log has `--growth-events`, and says the rate on the way: of each stretch up to
  /// 1, 2 and 5 million events, 10, 20 and 50 million, and so on.
  func measureGrowth(
    _ load: inout Load, _ engine: Engine, _ progress: Progress
  ) throws -> [Growth] {
    var growth: [Growth] = []
    for goal in Self.sizes(upTo: growthEvents) where goal > Int(engine.head.rawValue) {
      let spanCount = (goal - Int(engine.head.rawValue) + batch - 1) / batch
      var measured = Measured(batch: batch)
      try pay(spanCount, engine, &measured) { load.payment() }
      progress.advance(spanCount * batch)
      let rate = Double(spanCount * batch - measured.refused) / measured.engineTime.seconds
      growth.append(Growth(events: engine.head.rawValue, paymentsPerSecond: rate))
    }
    return growth
  }

  private static func sizes(upTo last: Int) -> [Int] {
    var sizes: [Int] = []
    var power = 1_000_000
    while power < last {
      sizes += [power, 2 * power, 5 * power].filter { $0 < last }
      power *= 10
    }
    return sizes + [last]
  }
}

extension [Bench.Growth] {
  func table() -> String {
    let rows = map { [String($0.events), Bench.Report.whole($0.paymentsPerSecond)] }
    return "\n" + Table.render([["events in the log", "payments/s up to there"]] + rows)
  }
}
