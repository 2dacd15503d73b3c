import Synchronization

/// Whom live credentials stand for, as far as somebody asked: saves every request at the edge one
/// of its two trips through the engine's queue, and so a wait for the commit at hand.
///
/// A revocation counts before it is answered, and whatever was remembered before then is forgotten.
/// So a credential whose revocation was answered is never honoured again.
final class KnownPrincipals: Sendable {
  private struct Known {
    /// The revocations that there were when the first of these was asked for.
    var revocations: UInt64 = 0
    var principals: [UInt128: Principal] = [:]
  }

  /// The most that are remembered; then all are forgotten.
  private static let countMax = 65_536

  private let known = Mutex(Known())
  private let revocations = Atomic<UInt64>(0)

  /// How many credentials were revoked since the ledger was opened.
  var revocationCount: UInt64 { revocations.load(ordering: .acquiring) }

  /// A credential was revoked. By the engine's thread, before anybody is answered.
  func forget() { revocations.add(1, ordering: .releasing) }

  /// Whom the credential with this keyed hash stands for, if that is remembered.
  func find(_ hash: UInt128) -> Principal? {
    let count = revocationCount
    return known.withLock { $0.revocations == count ? $0.principals[hash] : nil }
  }

  /// Remembers what the engine said, unless a credential was revoked since `revocations` were
  /// counted, which is before the engine was asked.
  func keep(_ principal: Principal, of hash: UInt128, since revocations: UInt64) {
    known.withLock { known in
      guard revocations == revocationCount else { return }
      if known.revocations != revocations || known.principals.count >= Self.countMax {
        known = Known(revocations: revocations)
      }
      known.principals[hash] = principal
    }
  }
}
