import Hummingbird
import Logging

/// What a payment over HTTP is compared with: the same server, reading the same JSON and writing as
/// much, and nothing done in between.
@main
struct Echo {
  /// The fields of a payment, read and written by the server's own means.
  struct Payment: ResponseCodable {
    var fromWalletId: String
    var toWalletId: String
    var amount: Double
    var idempotencyKey: String

    enum CodingKeys: String, CodingKey {
      case amount
      case fromWalletId = "from_wallet_id"
      case toWalletId = "to_wallet_id"
      case idempotencyKey = "idempotency_key"
    }
  }

  static func main() async throws {
    let router = Router()
    router.post("/v1/payments") { request, context in
      try await request.decode(as: Payment.self, context: context)
    }
    router.get("/healthz") { _, _ in "ok" }
    var logger = Logger(label: "echo")
    logger.logLevel = .error
    let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 3198
    let application = Application(
      router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
      logger: logger)
    try await application.runService()
  }
}
