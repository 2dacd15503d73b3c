import LedgerCore
import Projections

/// Many payments: a line of JSON each, answered as if each had come alone, in their order.
extension PaymentRoutes {
  static let batch = Route(
    method: .post, path: "/v1/payments/batch", name: "payBatch",
    summary: "Makes many payments: a line of JSON each, answered line by line, in their order.",
    who: .holders([.apiKey]), query: [Lines.isAtomic],
    body: order,
    answer: PaymentView.properties, errors: pay.errors + [.linkedCommandRefused, .unitTooLarge],
    handleLines: { chunk, lines in await begin(chunk, of: lines) })

  /// What a line came to, as far as that is known before the engine says its part.
  private enum Line: Sendable {
    case plain(PlainPayment)
    case order(Order)
    case refused(Problem)
  }

  private static func begin(_ chunk: Lines.Chunk, of lines: Lines) async -> Lines.Answers {
    let (engine, isAtomic) = (lines.call.backend.engine, lines.call[Lines.isAtomic] ?? false)
    var begun: [Line] = []
    var requests: [Request] = []
    begun.reserveCapacity(chunk.lines.count)
    requests.reserveCapacity(chunk.lines.count)
    var plain = PlainPayments(lines.call)
    for line in chunk.lines {
      if let (payment, request) = plain.read(chunk.bytes.span, line) {
        begun.append(.plain(payment))
        requests.append(request)
        continue
      }
      do throws(Problem) {
        let order = try await order(try lines.read(line, of: chunk))
        begun.append(.order(order))
        requests.append(order.request)
      } catch {
        begun.append(.refused(error))
      }
    }
    if isAtomic, requests.count < begun.count {
      let others = Problem(Refusal(.linkedCommandRefused), event: .none, isReplay: false, in: nil)
      for index in begun.indices {
        if case .refused = begun[index] { continue }
        begun[index] = .refused(others)
      }
      requests = []
    }
    // Begun here and now, so that chunks reach the engine in their order.
    let (outcomes, outcome) = AsyncStream<Result<[Outcome], LedgerFailure>>.makeStream()
    let give = { @Sendable (result: Result<[Outcome], LedgerFailure>) in
      outcome.yield(result)
      outcome.finish()
    }
    if requests.isEmpty {
      give(.success([]))
    } else if isAtomic {
      engine.submit(linked: requests, completion: give)
    } else {
      engine.submit(requests, completion: give)
    }
    return { [begun, backend = lines.call.backend] () async throws(CancellationError) in
      var results = outcomes.makeAsyncIterator()
      guard let result = await results.next(isolation: nil) else { throw CancellationError() }
      return await answers(begun, result, chunk, backend)
    }
  }

  private static func answers(
    _ lines: [Line], _ result: Result<[Outcome], LedgerFailure>, _ chunk: Lines.Chunk,
    _ backend: Backend
  ) async -> [UInt8] {
    let ids = backend.ids
    var bytes: [UInt8] = []
    bytes.reserveCapacity(lines.count * 640)
    let unanswered: Problem?
    let outcomes: [Outcome]
    switch result {
    case .success(let all): (outcomes, unanswered) = (all, nil)
    case .failure(let failure): (outcomes, unanswered) = ([], Problem(submitting: failure))
    }
    var plain = PlainAnswers(chunk.bytes, ids)
    var next = 0
    for line in lines {
      if case .refused(let problem) = line {
        bytes.append(line: problem.json)
        continue
      }
      if let unanswered {
        bytes.append(line: unanswered.json)
        continue
      }
      defer { next += 1 }
      do throws(Problem) {
        switch line {
        case .plain(let payment):
          let (event, isReplay) = try backend.event(
            of: outcomes[next], asset: payment.asset, hasKey: payment.hasKey)
          if event.event.payment == nil {
            let view = try await payment.view(event, backend)
            bytes.append(view, isReplay: isReplay, ids)
          } else {
            plain.write(payment, event, isReplay: isReplay, to: &bytes)
          }
        case .order(let order):
          let (event, isReplay) = try await order.event(of: outcomes[next], backend)
          let view = try await order.view(event, backend)
          bytes.append(view, isReplay: isReplay, ids)
        case .refused: preconditionFailure("it had no request")
        }
      } catch {
        bytes.append(line: error.json)
      }
    }
    return bytes
  }
}

/// A line that says nothing but payer, payee, amount and key, as most lines of a bulk load do.
///
/// A second way to read a line, for speed alone: a tree and declared fields cost ten times the
/// engine's own work. It takes only what it understands whole, and leaves every other line, and all
/// that is wrong with one, to the first way; a test holds the two against each other.
struct PlainPayment: Sendable {
  /// Where in the chunk the texts of the two wallets are.
  let from: Range<Int>
  let to: Range<Int>
  let asset: Asset
  let hasKey: Bool
}

extension PlainPayment {
  /// One that waits for approval.
  fileprivate func view(_ event: Recorded, _ backend: Backend) async throws(Problem) -> PaymentView
  {
    guard case .reservation(.reserved(let hold)) = event.event else {
      preconditionFailure("paying ends in another event")
    }
    return PaymentView(
      event, try await backend.payment(answeredAs: hold), asset: asset, label: nil,
      description: nil, wait: .pending(until: hold.deadline))
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ view: PaymentView, isReplay: Bool, _ ids: TextIds) {
    var members = Members()
    view.write(to: &members, ids)
    if isReplay { members.bool(Lines.replayedMember, true) }
    append(line: members.json)
  }
}

/// Writes the answers to plain payments: the bytes of ``PaymentView``, from pieces made once.
private struct PlainAnswers {
  /// The lines, for the texts of the wallets in them.
  private let lines: [UInt8]
  private let ids: TextIds
  private var amount: [UInt8] = []
  /// What the answer before had, and mostly this one has too.
  private var asset: (number: AssetNumber, piece: [UInt8])?
  private var second: (number: UInt64, text: [UInt8]) = (0, [])

  init(_ lines: [UInt8], _ ids: TextIds) {
    self.lines = lines
    self.ids = ids
  }

  mutating func write(
    _ said: PlainPayment, _ event: Recorded, isReplay: Bool, to bytes: inout [UInt8]
  ) {
    guard let payment = event.event.payment else {
      preconditionFailure("paying ends in another event")
    }
    let scale = said.asset.scale
    bytes.append(contentsOf: Self.id)
    ids.append(.payment, event.number.rawValue, to: &bytes)
    write(payment.amount, scale, Self.amount, Self.amountText, to: &bytes)
    write(payment.fee, scale, Self.fee, Self.feeText, to: &bytes)
    write(payment.debited, scale, Self.total, Self.totalText, to: &bytes)
    if payment.side == .payee {
      write(payment.credited, scale, Self.credited, Self.creditedText, to: &bytes)
    }
    bytes.append(contentsOf: piece(of: said.asset))
    bytes.append(contentsOf: lines[said.from])
    bytes.append(contentsOf: Self.to)
    bytes.append(contentsOf: lines[said.to])
    bytes.append(contentsOf: Self.createdAt)
    write(event.header.time, to: &bytes)
    bytes.append(contentsOf: isReplay ? Self.endOfReplay : Self.end)
  }

  private mutating func write(
    _ amount: Amount, _ scale: Int, _ name: [UInt8], _ textName: [UInt8], to bytes: inout [UInt8]
  ) {
    self.amount.removeAll(keepingCapacity: true)
    amount.append(to: &self.amount, scale: scale)
    bytes.append(contentsOf: name)
    bytes.append(contentsOf: self.amount)
    bytes.append(contentsOf: textName)
    bytes.append(contentsOf: self.amount)
  }

  private mutating func piece(of asset: Asset) -> [UInt8] {
    if let known = self.asset, known.number == asset.number { return known.piece }
    let rail = PaymentView.internalRail
    let text = "\",\"currency\":\"\(asset.code)\",\"rail\":\"\(rail)\",\"from_wallet_id\":\""
    self.asset = (asset.number, Array(text.utf8))
    return Array(text.utf8)
  }

  /// Up to the second mostly as before.
  private mutating func write(_ time: Timestamp, to bytes: inout [UInt8]) {
    let (number, fraction) = time.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    if second.number != number {
      second = (number, [])
      time.append(to: &second.text)
      second.text.removeLast("000000000Z".utf8.count)
    }
    bytes.append(contentsOf: second.text)
    bytes.append(addingCapacity: 9) { digits in
      var power: UInt64 = 100_000_000
      while power > 0 {
        digits.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: fraction / power % 10))
        power /= 10
      }
    }
  }

  private static let id = Array("{\"id\":\"".utf8)
  private static let amount = Array("\",\"status\":\"completed\",\"amount\":".utf8)
  private static let amountText = Array(",\"amount_text\":\"".utf8)
  private static let fee = Array("\",\"fee\":".utf8)
  private static let feeText = Array(",\"fee_text\":\"".utf8)
  private static let total = Array("\",\"total_debited\":".utf8)
  private static let totalText = Array(",\"total_debited_text\":\"".utf8)
  private static let credited = Array("\",\"total_credited\":".utf8)
  private static let creditedText = Array(",\"total_credited_text\":\"".utf8)
  private static let to = Array("\",\"to_wallet_id\":\"".utf8)
  private static let createdAt = Array("\",\"created_at\":\"".utf8)
  private static let end = Array("Z\"}\n".utf8)
  private static let endOfReplay = Array("Z\",\"\(Lines.replayedMember)\":true}\n".utf8)
}

/// Reads plain payments of one caller.
struct PlainPayments {
  private let backend: Backend
  private let principal: Principal
  /// The payer's wallet and the text of the line before: mostly the same.
  private var payer: (text: Range<Int>, wallet: WalletFacts, code: [UInt8])?

  init(_ call: Call) {
    backend = call.backend
    principal = call.holder
  }

  /// The payment that a line asks for; nil where the line is not plain.
  mutating func read(
    _ bytes: Span<UInt8>, _ line: Range<Int>
  ) -> (PlainPayment, LedgerCore.Request)? {
    guard let fields = PlainFields(bytes, line), fields.rail.map({ isInternal(bytes, $0) }) ?? true,
      let from = fields.from, let to = fields.to, let amount = fields.amount,
      let wallet = payer(bytes, from),
      let payee = backend.ids.number(.wallet, bytes.extracting(to)),
      let amount = try? Amount(text: bytes.extracting(amount), scale: wallet.asset.scale),
      amount > .zero
    else { return nil }
    var asset = AssetNumber.none
    if let currency = fields.currency {
      guard isCode(bytes, currency) else { return nil }
      asset = wallet.asset.number
    }
    let command = Command.payment(
      .pay(
        from: wallet.number, to: .wallet(WalletNumber(payee)), amount: amount, asset: asset,
        rail: .internal))
    let payment = PlainPayment(
      from: from, to: to, asset: wallet.asset, hasKey: fields.key != nil)
    guard let key = fields.key else {
      return (payment, Request(command, by: principal.actor))
    }
    guard
      let request = try? backend.engine.preparation.request(
        command, by: principal.actor, key: bytes.extracting(key))
    else { return nil }
    return (payment, request)
  }

  private mutating func payer(_ bytes: Span<UInt8>, _ text: Range<Int>) -> WalletFacts? {
    if let payer, bytes.has(payer.text, at: text) { return payer.wallet }
    guard let number = backend.ids.number(.wallet, bytes.extracting(text)),
      let wallet = backend.knownFacts(of: WalletNumber(number)), principal.maySee(wallet)
    else { return nil }
    payer = (text, wallet, Array(wallet.asset.code.description.utf8))
    return wallet
  }

  /// Whether it is the code of the payer's asset.
  private func isCode(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    guard let payer else { return false }
    return bytes.extracting(text).isEqual(to: payer.code.span)
  }

  private func isInternal(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
    bytes.extracting(text).isEqual(to: PaymentView.internalRail.utf8.span)
  }
}

/// Where in a line the values of a plain payment are.
private struct PlainFields {
  var from, to, amount, currency, rail, key: Range<Int>?

  /// Nil unless the line is one object whose members are these, each once, with strings of
  /// printable ASCII and without escapes; the amount may be a number.
  init?(_ bytes: Span<UInt8>, _ line: Range<Int>) {
    var scan = Scan(at: line.lowerBound, end: line.upperBound)
    guard scan.skip(UInt8(ascii: "{"), bytes) else { return nil }
    repeat {
      guard let name = scan.string(bytes), scan.skip(UInt8(ascii: ":"), bytes) else { return nil }
      scan.skipSpace(bytes)
      let isString = scan.at < scan.end && bytes[scan.at] == UInt8(ascii: "\"")
      guard let value = isString ? scan.string(bytes) : scan.number(bytes),
        put(value, isString: isString, named: bytes.extracting(name))
      else { return nil }
    } while scan.skip(UInt8(ascii: ","), bytes)
    guard scan.skip(UInt8(ascii: "}"), bytes) else { return nil }
    scan.skipSpace(bytes)
    guard scan.at == scan.end else { return nil }
  }

  private mutating func put(
    _ value: Range<Int>, isString: Bool, named name: Span<UInt8>
  ) -> Bool {
    switch name.count {
    case 14 where name.isEqual(to: Self.from.span): Self.put(value, isString, in: &from)
    case 12 where name.isEqual(to: Self.to.span): Self.put(value, isString, in: &to)
    case 6 where name.isEqual(to: Self.amount.span): Self.put(value, true, in: &amount)
    case 8 where name.isEqual(to: Self.currency.span): Self.put(value, isString, in: &currency)
    case 4 where name.isEqual(to: Self.rail.span): Self.put(value, isString, in: &rail)
    case 15 where name.isEqual(to: Self.key.span): Self.put(value, isString, in: &key)
    default: false
    }
  }

  private static func put(_ value: Range<Int>, _ isRight: Bool, in slot: inout Range<Int>?) -> Bool
  {
    guard isRight, slot == nil else { return false }
    slot = value
    return true
  }

  private static let from = Array(PaymentRoutes.from.property.name.utf8)
  private static let to = Array(PaymentRoutes.toWallet.property.name.utf8)
  private static let amount = Array(PaymentRoutes.amount.property.name.utf8)
  private static let currency = Array(PaymentRoutes.currency.property.name.utf8)
  private static let rail = Array(PaymentRoutes.rail.property.name.utf8)
  private static let key = Array(Route.key.property.name.utf8)
}

/// A place in a line.
private struct Scan {
  var at: Int
  let end: Int

  mutating func skipSpace(_ bytes: Span<UInt8>) {
    while at < end, bytes[at] == 0x20 || bytes[at] == 0x09 || bytes[at] == 0x0D { at += 1 }
  }

  /// Whether `byte` is next, behind any space; then it is stepped over.
  mutating func skip(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
    skipSpace(bytes)
    guard at < end, bytes[at] == byte else { return false }
    at += 1
    return true
  }

  /// What is between the next two quotes.
  mutating func string(_ bytes: Span<UInt8>) -> Range<Int>? {
    guard skip(UInt8(ascii: "\""), bytes) else { return nil }
    let start = at
    while at < end {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") {
        at += 1
        return start..<at - 1
      }
      guard byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "\\") else { return nil }
      at += 1
    }
    return nil
  }

  /// Digits and points; whether they are an amount is seen when it is read.
  mutating func number(_ bytes: Span<UInt8>) -> Range<Int>? {
    let start = at
    while at < end, bytes[at] == UInt8(ascii: ".") || (0x30...0x39).contains(bytes[at]) { at += 1 }
    return start < at ? start..<at : nil
  }
}

extension Span<UInt8> {
  fileprivate func isEqual(to other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }

  /// Whether the same bytes are in both places.
  fileprivate func has(_ bytes: Range<Int>, at other: Range<Int>) -> Bool {
    extracting(bytes).isEqual(to: extracting(other))
  }
}
