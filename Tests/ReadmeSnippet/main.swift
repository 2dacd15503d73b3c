import LedgerCore

let ledger = try Engine.open("data")
let ann = try await ledger.register(agent: "ann")
let bob = try await ledger.register(agent: "bob")
let fund = Wallets.Command.fund(ann.wallet, amount: try Amount(text: "100", scale: 9))
_ = try await ledger.submit(.wallet(fund), by: .agent(ann.number)).done()
let five = try Amount(text: "5", scale: 9)
let pay = Payments.Command.pay(from: ann.wallet, to: .wallet(bob.wallet), amount: five)
_ = try await ledger.submit(.payment(pay), by: .agent(ann.number), key: "order-17").done()
print(try await ledger.balance(of: ann.wallet)?.text(scale: 9) ?? "none")  // 94.98
ledger.close()
