import Dispatch
import Synchronization
import Testing

@testable import LedgerCore

/// Goal: whether a unit has room follows from the unit, not from what the batch holds already.
/// Method: payments fill some of a batch, and a unit of splits that does not fit in the rest comes
/// behind them before they are written.
@Suite struct UnitRoomTests {
  @Test func `a unit with long bodies is done whatever the batch holds before it`() throws {
    let scene = try Scene()
    let labels = (1...Splits.countMax).map { UInt128($0) }
    for start in stride(from: 0, to: labels.count, by: Splits.newLabelCountMax) {
      let few = Array(labels[start...].prefix(Splits.newLabelCountMax))
      let outcome = try scene.engine.submitAndWait(split(among: few, in: scene))
      #expect(outcome.recorded != nil)
    }
    // Held back by a first answer, so that both of these wait and are taken together.
    let (isHeld, hold) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    scene.engine.submit([try scene.pay(1)]) { _ in
      isHeld.signal()
      hold.wait()
    }
    isHeld.wait()
    // 413,600 bytes of payments before a unit of 649,600: more than the 1,048,576 of a batch.
    let wide = split(among: labels, in: scene)
    let pays = [Request](repeating: try scene.pay(1), count: 4_700)
    let reasons = Mutex<[Rejection]>([])
    let isDone = DispatchSemaphore(value: 0)
    scene.engine.submit(pays) { _ in }
    scene.engine.submit(linked: [Request](repeating: wide, count: 400)) { result in
      let outcomes = (try? result.get()) ?? []
      reasons.withLock { $0 = outcomes.compactMap(\.refusal?.reason) }
      isDone.signal()
    }
    hold.signal()
    isDone.wait()
    #expect(reasons.withLock { $0 } == [])
    try scene.expectReplayAgrees()
  }

  private func split(among labels: [UInt128], in scene: Scene) -> Request {
    let shares = labels.map { Splits.Share(.external(label: $0), weight: 1) }
    return Request(
      .payment(.pay(from: scene.from, to: .split, amount: Amount(units: 1_000))),
      by: .agent(scene.ann), body: Splits.Share.body(shares))
  }
}
