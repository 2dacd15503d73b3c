/// The house rules, each as a search for what breaks it.
///
/// A rule sees one file and knows by the path whether it applies. The advice says what to do
/// instead, because whoever reads it has just been interrupted.
enum Rule: String, CaseIterable, Sendable {
  // Size
  case lineLength, fileLength, functionLength
  // Direction
  case cLibraries, domainImports, kernelImports, projectionsImports, hummingbird, rulesInLog
  // Safety
  case unsafeWord, unsafeFlags, safeNotes, forcedTry, vanishingAssertions
  // Domain
  case switchDefaults, stateStorage, floatingPoint
  // Finish
  case markers, unimplemented, printing, publicDocumentation
  // Documents
  case titles, readmeLength, machinePaths

  static let columnCountMax = 100
  static let fileLineCountMax = 500
  static let functionLineCountMax = 70
  static let readmeLineCountMax = 120

  func violations(in file: SourceFile) -> [Violation] {
    switch self {
    case .lineLength: Self.longLines(file)
    case .fileLength: Self.longFiles(file)
    case .functionLength: Self.longFunctions(file)
    case .cLibraries: Self.strayCLibraries(file)
    case .domainImports: Self.domainImports(file)
    case .kernelImports: Self.kernelImports(file)
    case .projectionsImports: Self.projectionsImports(file)
    case .hummingbird: Self.strayHummingbird(file)
    case .rulesInLog: Self.rulesInLog(file)
    case .unsafeWord: Self.strayUnsafe(file)
    case .unsafeFlags: Self.unsafeFlags(file)
    case .safeNotes: Self.missingSafeNotes(file)
    case .forcedTry: Self.forcedTries(file)
    case .vanishingAssertions: Self.vanishingAssertions(file)
    case .switchDefaults: Self.switchDefaults(file)
    case .stateStorage: Self.stateStorage(file)
    case .floatingPoint: Self.floatingPoint(file)
    case .markers: Self.markers(file)
    case .unimplemented: Self.unimplemented(file)
    case .printing: Self.printing(file)
    case .publicDocumentation: Self.undocumented(file)
    case .titles: Self.titles(file)
    case .readmeLength: Self.longReadme(file)
    case .machinePaths: Self.machinePaths(file)
    }
  }
}

// MARK: - Size

extension Rule {
  private static func longLines(_ file: SourceFile) -> [Violation] {
    guard [.swift, .c].contains(file.language) else { return [] }
    return file.lines.enumerated().filter { $1.count > columnCountMax }.map { index, line in
      file.violation(
        index + 1, "\(line.count) columns; break the line before column \(columnCountMax + 1)")
    }
  }

  private static func longFiles(_ file: SourceFile) -> [Violation] {
    guard file.isUnder("Sources"), [.swift, .c].contains(file.language),
      file.lines.count > fileLineCountMax
    else { return [] }
    return [
      file.violation(
        fileLineCountMax + 1,
        "\(file.lines.count) lines, over \(fileLineCountMax); make it a folder of its own name")
    ]
  }

  private static func longFunctions(_ file: SourceFile) -> [Violation] {
    guard file.language == .swift else { return [] }
    return file.functions.filter { $0.lines.count > functionLineCountMax }.map { name, lines in
      file.violation(
        lines.lowerBound,
        """
        \(name) takes \(lines.count) lines, over \(functionLineCountMax); give one of its steps \
        a name and a function
        """)
    }
  }
}

// MARK: - Direction

extension Rule {
  private static let domain = "Sources/LedgerCore/Domain"
  private static let kernel = "Sources/LedgerCore/Kernel"
  private static let log = "Sources/LedgerCore/Log"

  private static func strayCLibraries(_ file: SourceFile) -> [Violation] {
    let homes = ["CLMDB": "\(log)/Environment.swift", "CZstd": "\(log)/Compression.swift"]
    return file.imports.compactMap { module, line in
      guard let home = homes[module], file.path != home else { return nil }
      return file.violation(
        line, "\(module) is imported in \(home) only; use what that file offers")
    }
  }

  private static func domainImports(_ file: SourceFile) -> [Violation] {
    guard file.isUnder(domain) else { return [] }
    return file.imports.map { module, line in
      file.violation(
        line,
        """
        Domain/ imports nothing, so that replay is exact; take what \(module) would give as a \
        value of the command, or put the word into Kernel/
        """)
    }
  }

  private static func kernelImports(_ file: SourceFile) -> [Violation] {
    guard file.isUnder(kernel) else { return [] }
    return file.imports.filter { $0.module != "CLedger" }.map { module, line in
      file.violation(
        line, "Kernel/ imports CLedger only; what needs \(module) belongs to Log/ or Engine/")
    }
  }

  private static func projectionsImports(_ file: SourceFile) -> [Violation] {
    guard file.isUnder("Sources/Projections") else { return [] }
    return file.imports.filter { $0.module != "LedgerCore" }.map { module, line in
      file.violation(
        line,
        "Projections imports LedgerCore only; have LedgerCore offer it, not \(module)")
    }
  }

  private static func strayHummingbird(_ file: SourceFile) -> [Violation] {
    guard file.isUnder("Sources"), !file.isUnder("Sources/ledgerd", "Sources/HummingbirdPayments")
    else { return [] }
    return file.imports.filter { $0.module.hasPrefix("Hummingbird") }.map { module, line in
      file.violation(line, "\(module) is for ledgerd only; return a value and let a route say it")
    }
  }

  private static func rulesInLog(_ file: SourceFile) -> [Violation] {
    guard file.isUnder(log) else { return [] }
    return file.places(of: "decide").filter { file.text($0 + 1) == "(" }.map { place in
      file.violation(
        file.tokens[place].line, "Log/ knows bytes, not rules; decide in Engine/ and append here")
    }
  }
}

// MARK: - Safety

extension Rule {
  private static let unsafeContainers = [
    "Memory", "Table", "Slots", "Bitset", "Timers", "Undo", "KeyFilter",
  ].map { "\(kernel)/\($0).swift" }

  private static func strayUnsafe(_ file: SourceFile) -> [Violation] {
    guard file.isUnder("Sources"), file.language == .swift, !file.isUnder(log),
      !unsafeContainers.contains(file.path)
    else { return [] }
    return file.places(of: "unsafe").map { place in
      file.violation(
        file.tokens[place].line,
        "`unsafe` stands in Log/ and the Kernel's containers only; have one of those do it")
    }
  }

  private static func unsafeFlags(_ file: SourceFile) -> [Violation] {
    guard file.path.split(separator: "/").last == "Package.swift" else { return [] }
    return file.places(of: "unsafeFlags").map { place in
      file.violation(
        file.tokens[place].line,
        "unsafeFlags makes the package unusable as a dependency; use an attribute in the code")
    }
  }

  private static func missingSafeNotes(_ file: SourceFile) -> [Violation] {
    let claims =
      file.places(of: "unchecked").filter {
        file.text($0 - 1) == "@" && file.text($0 + 1) == "Sendable"
      }
      + file.places(of: "nonisolated").filter {
        file.text($0 + 1) == "(" && file.text($0 + 2) == "unsafe"
      }
    return claims.map { file.tokens[$0].line }.filter { !hasSafeNote(file, line: $0) }.map { line in
      file.violation(
        line, "say on the line above why no two threads can meet here: `// Safe: …`")
    }
  }

  /// The note stands on the line itself or in the comment that ends directly above it.
  private static func hasSafeNote(_ file: SourceFile, line: Int) -> Bool {
    var index = line - 1
    repeat {
      if file.comments[index].contains("// Safe: ") { return true }
      index -= 1
    } while index >= 0 && file.lines[index].trimmed.hasPrefix("//")
    return false
  }

  private static func forcedTries(_ file: SourceFile) -> [Violation] {
    file.places(of: "!").filter { file.text($0 - 1) == "try" && file.tokens[$0].isAttached }
      .map { place in
        file.violation(
          file.tokens[place].line,
          "let the error travel with `try`, or catch it and `preconditionFailure` with the reason")
      }
  }

  private static func vanishingAssertions(_ file: SourceFile) -> [Violation] {
    guard file.isUnder("Sources"), file.language == .swift else { return [] }
    return ["assert", "assertionFailure"].flatMap { name in
      file.calls(of: name).map { place in
        file.violation(
          file.tokens[place].line,
          "\(name) vanishes in release, where the money is; use precondition")
      }
    }
  }
}

// MARK: - Domain

extension Rule {
  private static func switchDefaults(_ file: SourceFile) -> [Violation] {
    guard file.isUnder(domain) || file.path == "Sources/LedgerCore/Ledger.swift" else { return [] }
    return file.places(of: "default").filter { place in
      file.text(place + 1) == ":" && !["(", ",", "["].contains(file.text(place - 1))
    }.map { file.tokens[$0].line }.filter { !hasReason(file.comments[$0 - 1]) }.map { line in
      file.violation(
        line,
        """
        list the cases, so that a new one must choose; if the enum is not ours, say so at the end \
        of the line: `// not ours: …`
        """)
    }
  }

  private static func hasReason(_ comment: String) -> Bool {
    let prefix = "// not ours: "
    let text = comment.trimmed
    return text.hasPrefix(prefix) && text.count > prefix.count
  }

  private static let storageTypes = [
    "Table", "Slab", "Index", "Bitset", "Timers",
    "Int", "Int8", "Int16", "Int32", "Int64", "Int128",
    "UInt", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128",
  ]

  private static func stateStorage(_ file: SourceFile) -> [Violation] {
    guard file.isUnder(domain) else { return [] }
    return file.places(of: "struct").filter { file.text($0 + 1) == "State" }.flatMap { place in
      properties(file, ofStructAt: place).filter { !isUndoable(file, property: $0) }.map {
        property in
        file.violation(
          file.tokens[property].line,
          """
          \(file.text(property + 1)) could not be undone with its unit; state is made of Table, \
          Slab, Index, Bitset, Timers and plain numbers, each with its type written
          """)
      }
    }
  }

  /// The places of `var` and `let` directly in a struct, static ones left out.
  private static func properties(_ file: SourceFile, ofStructAt place: Int) -> [Int] {
    guard let opening = file.tokens.indices[place...].first(where: { file.text($0) == "{" })
    else { return [] }
    let end = file.closing(of: opening)
    var properties: [Int] = []
    var index = opening + 1
    while index < end {
      switch file.text(index) {
      case "(", "[", "{": index = file.closing(of: index)
      case "var", "let": if file.text(index - 1) != "static" { properties.append(index) }
      default: break
      }
      index += 1
    }
    return properties
  }

  /// Is it computed, or stored in what the undo stack covers?
  private static func isUndoable(_ file: SourceFile, property: Int) -> Bool {
    let start = property + 3
    if file.text(start - 1) == "=" {
      return storageTypes.contains(file.text(start)) || file.text(start).first?.isNumber == true
    }
    var type: [String] = []
    var index = start
    var depth = 0
    while index < file.tokens.count {
      let token = file.tokens[index]
      let startsLine = index > start && token.line > file.tokens[index - 1].line
      if depth == 0, startsLine || ["=", "{", "}"].contains(token.text) { break }
      if token.text == "<" { depth += 1 }
      if token.text == ">" { depth -= 1 }
      type.append(token.text)
      index += 1
    }
    let isComputed =
      file.text(index) == "{" && !["didSet", "willSet"].contains(file.text(index + 1))
    let holdsCollection = !Set(type).isDisjoint(with: ["[", "Array", "Dictionary", "Set", "String"])
    return isComputed || (storageTypes.contains(type.first ?? "") && !holdsCollection)
  }

  private static func floatingPoint(_ file: SourceFile) -> [Violation] {
    guard file.isUnder(domain, kernel) else { return [] }
    return ["Double", "Float", "Float16", "Float32", "Float64", "Float80"].flatMap { name in
      file.places(of: name).map { place in
        file.violation(
          file.tokens[place].line, "\(name) rounds; use Amount, or a rate as a pair of integers")
      }
    }
  }
}

// MARK: - Finish

extension Rule {
  private static func markers(_ file: SourceFile) -> [Violation] {
    file.comments.enumerated().flatMap { index, comment in
      comment.split { !$0.isLetter }.filter { ["FIXME", "TODO", "XXX"].contains($0) }.map { word in
        file.violation(
          index + 1, "do it now, or write down where the reader will look for it, without \(word)")
      }
    }
  }

  private static func unimplemented(_ file: SourceFile) -> [Violation] {
    file.calls(of: "fatalError").map { file.tokens[$0].line }
      .filter { file.lines[$0 - 1].contains("fatalError(\"unimplemented") }
      .map { file.violation($0, "leave the declaration out until it works") }
  }

  private static func printing(_ file: SourceFile) -> [Violation] {
    guard file.isUnder("Sources"), !file.isUnder("Sources/ledgerd", "Sources/ledgerctl")
    else { return [] }
    return file.calls(of: "print").map { place in
      file.violation(
        file.tokens[place].line, "a library does not print; return it and let the executable speak")
    }
  }

  private static func undocumented(_ file: SourceFile) -> [Violation] {
    guard file.isUnder("Sources/LedgerCore") else { return [] }
    return file.places(of: "public").filter { place in
      needsDocumentation(file, publicAt: place)
        && !hasDocumentation(file, line: file.tokens[place].line)
    }.map { place in
      file.violation(
        file.tokens[place].line,
        "public is for strangers: say above it, after ///, what it is and what it costs")
    }
  }

  private static func needsDocumentation(_ file: SourceFile, publicAt place: Int) -> Bool {
    let keywords = [
      "func", "init", "var", "let", "struct", "enum", "class", "actor", "protocol", "typealias",
      "subscript", "macro", "operator", "extension", "import",
    ]
    guard
      let keyword = file.tokens.indices[place...].first(where: { keywords.contains(file.text($0)) })
    else { return false }
    return switch (file.text(keyword), file.text(keyword + 1), file.text(keyword + 2)) {
    case ("extension", _, _), ("import", _, _): false
    case ("func", "=", "="), ("func", "<", "("): false
    case ("func", "hash", "("): file.text(keyword + 3) != "into"
    case ("var", "description", _): false
    default: true
    }
  }

  private static func hasDocumentation(_ file: SourceFile, line: Int) -> Bool {
    file.lines[..<(line - 1)].last { !$0.trimmed.hasPrefix("@") }?.trimmed.hasPrefix("///") ?? false
  }
}

// MARK: - Documents

extension Rule {
  private static func titles(_ file: SourceFile) -> [Violation] {
    guard file.language == .markdown else { return [] }
    var isFenced = false
    let titles = file.lines.indices.filter { index in
      if file.lines[index].trimmed.hasPrefix("```") { isFenced.toggle() }
      return !isFenced && file.lines[index].hasPrefix("# ")
    }
    let first =
      titles.first == 0 ? [] : [file.violation(1, "a document begins with its title: `# Title`")]
    let more = titles.drop { $0 == 0 }.map { index in
      file.violation(index + 1, "a document has one `# Title`; make this a `##`, or a page")
    }
    return first + more
  }

  private static func longReadme(_ file: SourceFile) -> [Violation] {
    guard file.path == "README.md", file.lines.count > readmeLineCountMax else { return [] }
    return [
      file.violation(
        readmeLineCountMax + 1,
        "\(file.lines.count) lines, over \(readmeLineCountMax); the rest belongs in a DocC page")
    ]
  }

  private static func machinePaths(_ file: SourceFile) -> [Violation] {
    file.lines.enumerated().compactMap { index, line in
      guard let folder = machineFolder(in: line) else { return nil }
      return file.violation(
        index + 1, "\(folder)… is a path of one machine; start from the package or from ./data")
    }
  }

  /// The folder a path begins with, if it is one of a single machine.
  ///
  /// A path that only goes through a folder of that name is nobody's in particular.
  private static func machineFolder(in line: String) -> String? {
    let folders = ["work", "root", "home", "Users"].map { "/\($0)/" }
    let beforeRoot = Set(" \t\"'`(=:,;|<>[{/".utf8)
    var previous = UInt8(ascii: " ")
    for index in line.utf8.indices {
      let byte = line.utf8[index]
      if byte == UInt8(ascii: "/"), beforeRoot.contains(previous),
        let folder = folders.first(where: line[index...].hasPrefix)
      {
        return folder
      }
      previous = byte
    }
    return nil
  }
}

extension String {
  /// Without the spaces and tabs at either end.
  fileprivate var trimmed: Substring {
    let start = self[...].drop { $0.isWhitespace }
    guard let end = start.lastIndex(where: { !$0.isWhitespace }) else { return start }
    return start[...end]
  }
}
