import Benchmark
import Scene

@testable import LedgerCore

/// The rules alone: no key, no bytes, no disk.
func benchmarkDeciding() {
  for (name, count) in [("1 k", 1_000), ("1 M", 1_000_000)] {
    let hall = Hall(walletCount: count)
    Benchmark("decide a payment, \(name) wallets") { benchmark in
      let stage = hall.stage
      benchmark.startMeasurement()
      blackHole(try decide(stage.traffic, &stage.scene.ledger, evolving: false))
    }
    Benchmark("decide and evolve a payment, \(name) wallets") { benchmark in
      let stage = hall.stage
      benchmark.startMeasurement()
      blackHole(try decide(stage.traffic, &stage.scene.ledger, evolving: true))
    }
    Benchmark("evolve a payment, \(name) wallets") { benchmark in
      let stage = hall.stage
      let payments = stage.payments
      benchmark.startMeasurement()
      evolve(payments, &stage.scene.ledger)
    }
  }
}

/// Wallets and payments between them.
final class Stage {
  var scene: Scene
  let traffic: Traffic

  init(walletCount: Int, paymentCount: Int = million) {
    scene = Scene(walletCount: walletCount)
    traffic = Traffic(count: paymentCount, walletCount: walletCount)
  }

  /// The payments' events, as deciding would emit them.
  lazy var payments: [Payments.Event] = (0..<traffic.count).map { index in
    guard case .payment(.pay(let from, let to, let amount, _, let rail)) = traffic.command(index),
      case .wallet(let number) = to
    else { preconditionFailure("traffic is payments between wallets") }
    return .completed(
      Payments.Payment(
        amount: amount, fee: Amount(units: 4), payer: from, payee: .wallet(number),
        schedule: ScheduleNumber(1), asset: AssetNumber(1), rail: rail))
  }
}

/// A stage that is set when first asked for: a process that runs other benchmarks does not wait for
/// a million wallets.
final class Hall {
  private let walletCount: Int
  private(set) lazy var stage = Stage(walletCount: walletCount)

  init(walletCount: Int) { self.walletCount = walletCount }
}

private func decide(
  _ traffic: Traffic, _ ledger: inout Ledger, evolving: Bool
) throws(Refusal) -> Int {
  var decision = Decision()
  var events = 0
  for index in 0..<traffic.count {
    if index + ahead < traffic.count { ledger.prefetch(traffic.command(index + ahead)) }
    decision.removeAll()
    let header = Scene.header(UInt64(index + 1))
    try ledger.decide(
      traffic.command(index), by: Scene.agent, at: header.time, into: &decision)
    if evolving {
      for event in 0..<decision.count {
        ledger.evolve(decision[event], header, body: Span())
      }
    }
    events += decision.count
  }
  return events
}

private func evolve(_ payments: [Payments.Event], _ ledger: inout Ledger) {
  for index in payments.indices {
    if index + ahead < payments.count,
      case .completed(let payment) = payments[index + ahead],
      case .wallet(let payee) = payment.payee
    {
      ledger.wallets.wallets.prefetch(payment.payer)
      ledger.wallets.wallets.prefetch(payee)
    }
    ledger.evolve(
      .payment(payments[index]), Scene.header(UInt64(index + 1)), body: Span())
  }
}
