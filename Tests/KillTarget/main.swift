import Foundation
import LedgerCore

/// A process for the tests to kill, and one in which damaged files may crash:
///
///     KillTarget run DIR                                pays for ever; see `Victim`
///     KillTarget open DIR                               opens, prints the balances, closes
///     KillTarget script DIR FAULT N                     pays with a fault; see `Script`
///     KillTarget burst DIR FAULT N                      the same, all of it at once
///     KillTarget backup DIR TO FAULT N                  backs up with a fault; see `Script`
///     KillTarget slow DIR                               pays while syncs are slow; see `Script`
///     KillTarget trace DIR FILE                         pays, and writes down every call
///     KillTarget powerloss FILE DIR COPY SEED FROM TO honest|lying    see `PowerLoss`
///     KillTarget sweep DIR COPY FILE SEED[/STEP] FROM TO [KEY]        flips bits; see `Sweep`
let arguments = Array(CommandLine.arguments.dropFirst())
do {
  switch arguments.first {
  case "run" where arguments.count == 2:
    try Victim(arguments[1]).run()
  case "open" where arguments.count == 2:
    print(try Sight(arguments[1]).text)
  case "script" where arguments.count == 4:
    try Script(arguments[1], fault: arguments[2], at: Int(arguments[3]) ?? 0).run()
  case "burst" where arguments.count == 4:
    try Script(arguments[1], fault: arguments[2], at: Int(arguments[3]) ?? 0, isBurst: true).run()
  case "backup" where arguments.count == 5:
    try Script.backUp(
      arguments[1], to: arguments[2], arguments[3], at: Int(arguments[4]) ?? 0)
  case "slow" where arguments.count == 2:
    try Script.paySlowly(arguments[1])
  case "trace" where arguments.count == 3:
    try Script(arguments[1], trace: arguments[2]).run()
  case "powerloss" where arguments.count == 8:
    try PowerLoss(arguments).run()
  case "sweep" where arguments.count == 7 || arguments.count == 8:
    var sweep = try Sweep(arguments)
    try sweep.run()
  default:  // not ours: a person's words
    FileHandle.standardError.write(
      Data("KillTarget run|open|script|burst|backup|slow|trace|powerloss|sweep …\n".utf8))
    exit(64)
  }
} catch let error as StorageError {
  FileHandle.standardError.write(Data("\(error)\n".utf8))
  exit(error.exitCode)
} catch let error as LedgerFailure {
  FileHandle.standardError.write(Data("\(error)\n".utf8))
  exit(74)
}
