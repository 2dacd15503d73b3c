import LedgerCore

/// The one way from an `Authorization` header to who is asking (`design.md` 4.16).
enum Principals {
  /// Whom the headers stand for, or nil where there is no `Authorization`.
  static func resolve(
    authorization values: [String], _ backend: Backend
  ) async throws(Problem) -> Principal? {
    guard values.count <= 1 else {
      throw Problem(
        .invalidHeader, field: "Authorization", "Send one Authorization header, not several.")
    }
    guard let value = values.first else { return nil }
    guard let token = token(of: value),
      let credential = Credential(token, livemode: backend.isLive)
    else { throw unknown }
    let hash = backend.engine.preparation.hash(credential: credential.text)
    let found: Principal?
    do throws(LedgerFailure) {
      found = try await backend.engine.principal(of: hash)
    } catch {
      throw Problem(reading: error)
    }
    // A key is only good under its own prefix: the hash covers that, so the kinds agree.
    guard let found, found.kind == credential.kind else { throw unknown }
    return found
  }

  /// Who asks, as far as `who` wants to know.
  static func resolve(
    _ who: Route.Who, authorization values: [String], _ backend: Backend
  ) async throws(Problem) -> Principal? {
    switch who {
    case .everyone, .administrator:
      return nil
    case .everyoneOr(let kinds):
      let principal = try await resolve(authorization: values, backend)
      return principal.flatMap { kinds.contains($0.kind) ? $0 : nil }
    case .holders(let kinds):
      guard let principal = try await resolve(authorization: values, backend) else {
        throw Problem(
          .credentialMissing, field: "Authorization",
          "Send your API key as \"Authorization: Bearer \(backend.prefix(of: kinds[0]))...\".")
      }
      guard kinds.contains(principal.kind) else {
        let allowed = kinds.map { backend.prefix(of: $0) + "..." }.joined(separator: " or ")
        throw Problem(
          .notPermitted, field: "Authorization", "Use a credential of another kind: \(allowed).")
      }
      return principal
    }
  }

  /// What follows `Bearer` and one space: RFC 6750, and nothing around it.
  private static func token(of header: String) -> String? {
    let scheme = "bearer "
    guard header.utf8.count > scheme.utf8.count,
      header.prefix(scheme.count).lowercased() == scheme
    else { return nil }
    let token = header.dropFirst(scheme.count)
    let isPlain = token.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ",") }
    return isPlain ? String(token) : nil
  }

  /// The same for a credential that is malformed, was never issued, or was revoked.
  private static var unknown: Problem {
    Problem(
      .credentialUnknown, field: "Authorization",
      "Send \"Authorization: Bearer\" and a live key of this ledger; this is none.")
  }
}
