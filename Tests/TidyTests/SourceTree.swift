import Foundation

/// Something a house rule objects to, and what to do instead.
struct Violation: Hashable, Sendable, CustomStringConvertible {
  let path: String
  let line: Int
  let advice: String

  var description: String { "\(path):\(line): \(advice)" }
}

/// A word or a single punctuation character of code, and the line it stands on.
///
/// Comments and the contents of strings yield no tokens, so a rule never trips over prose.
struct Token: Hashable, Sendable {
  let text: String
  let line: Int
  /// Nothing stands between it and the token before it, as in `try!`.
  let isAttached: Bool
}

/// One file of the package: its lines as written, and what of them is code and what is comment.
struct SourceFile: Sendable {
  enum Language: Sendable { case swift, c, markdown, other }

  /// The path from the package root, `/` between its parts.
  let path: String
  let language: Language
  let lines: [String]
  /// As `lines`, with everything that is not a comment blanked.
  let comments: [String]
  let tokens: [Token]

  init(path: String, text: String) {
    self.path = path
    self.language = Self.language(of: path)
    self.lines = Self.split(text)
    switch language {
    case .swift, .c:
      var lexer = Lexer(text, quotesCharacters: language == .c)
      lexer.run()
      self.comments = Self.split(String(decoding: lexer.comments, as: UTF8.self))
      self.tokens = Self.tokenize(lexer.code)
    case .markdown, .other:
      self.comments = []
      self.tokens = []
    }
  }

  /// Is the file in this folder, at any depth?
  func isUnder(_ folders: String...) -> Bool {
    folders.contains { path.hasPrefix($0 + "/") }
  }

  func violation(_ line: Int, _ advice: String) -> Violation {
    Violation(path: path, line: line, advice: advice)
  }

  private static func language(of path: String) -> Language {
    switch path.split(separator: ".").last {
    case "swift": .swift
    case "c", "h": .c
    case "md": .markdown
    default: .other
    }
  }

  /// The lines of a text; a final line break does not begin another line.
  private static func split(_ text: String) -> [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    return lines
  }

  private static func tokenize(_ code: [UInt8]) -> [Token] {
    var tokens: [Token] = []
    var line = 1
    var index = 0
    var end = -1
    while index < code.count {
      let start = index
      while index < code.count, code[index].isPartOfWord { index += 1 }
      if index == start { index += 1 }
      if code[start] == UInt8(ascii: "\n") { line += 1 }
      if code[start].isBlank { continue }
      let text = String(decoding: code[start..<index], as: UTF8.self)
      tokens.append(Token(text: text, line: line, isAttached: start == end))
      end = index
    }
    return tokens
  }
}

// MARK: - Reading the tokens

extension SourceFile {
  /// The text of a token, or nothing beyond either end.
  func text(_ index: Int) -> String {
    tokens.indices.contains(index) ? tokens[index].text : ""
  }

  /// The places of a word in code.
  func places(of word: String) -> [Int] {
    tokens.indices.filter { tokens[$0].text == word }
  }

  /// The places where a free function of this name is called (or a type of this name made).
  func calls(of name: String) -> [Int] {
    places(of: name).filter { text($0 + 1) == "(" && ![".", "func"].contains(text($0 - 1)) }
  }

  /// The modules a file imports, with their lines; of `import struct A.B` the module is `A`.
  var imports: [(module: String, line: Int)] {
    let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
    return places(of: "import").filter { place in
      let isName = [".", "(", ",", "case", "func"].contains(text(place - 1))
      return !isName && text(place + 1).first?.isLetter == true
    }.map { place in
      (text(kinds.contains(text(place + 1)) ? place + 2 : place + 1), tokens[place].line)
    }
  }

  /// The place of the bracket that closes the one at `opening`; the last token if none does.
  func closing(of opening: Int) -> Int {
    var depth = 0
    for index in opening..<tokens.count {
      switch tokens[index].text {
      case "(", "[", "{": depth += 1
      case ")", "]", "}": depth -= 1
      default: break
      }
      if depth == 0 { return index }
    }
    return tokens.count - 1
  }

  /// The functions and initialisers that have a body, with their first and last line.
  var functions: [(name: String, lines: ClosedRange<Int>)] {
    tokens.indices.compactMap { index in
      guard beginsFunction(index), let body = body(from: index) else { return nil }
      let name = text(index) == "func" ? text(index + 1) : text(index)
      return (name, tokens[index].line...tokens[closing(of: body)].line)
    }
  }

  private func beginsFunction(_ index: Int) -> Bool {
    guard text(index - 1) != "." else { return false }
    return switch text(index) {
    case "func": true
    case "init": ["(", "<", "?", "!"].contains(text(index + 1))
    case "deinit": text(index + 1) == "{"
    case "subscript": ["(", "<"].contains(text(index + 1))
    default: false
    }
  }

  /// The brace that opens a function's body, or nothing for a protocol's requirement.
  private func body(from start: Int) -> Int? {
    let beginnings = ["func", "init", "subscript", "var", "let", "static", "associatedtype", "}"]
    var index = start + 1
    if ["init", "subscript"].contains(text(index)) { index += 1 }  // a method of that name
    while index < tokens.count {
      switch text(index) {
      case "{": return index
      case "(", "[": index = closing(of: index)
      case let word where beginnings.contains(word): return nil
      default: break
      }
      index += 1
    }
    return nil
  }
}

// MARK: - Telling code from comments and strings

extension UInt8 {
  fileprivate var isBlank: Bool {
    self == UInt8(ascii: " ") || self == UInt8(ascii: "\n") || self == UInt8(ascii: "\t")
      || self == UInt8(ascii: "\r")
  }

  /// A letter, a digit, an underscore, or a byte of a character outside ASCII.
  fileprivate var isPartOfWord: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
      true
    default:
      false
    }
  }
}

/// Splits a text into code and comments, byte by byte, blanking what belongs to neither.
///
/// What stands in a string is blank, except interpolated code. A name between backticks becomes
/// underscores. Literals of regular expressions are not recognised.
private struct Lexer {
  private let bytes: [UInt8]
  private let quotesCharacters: Bool
  private var position = 0
  private(set) var code: [UInt8]
  private(set) var comments: [UInt8]

  /// - `quotesCharacters`: apostrophes quote, as they do in C.
  init(_ text: String, quotesCharacters: Bool) {
    self.bytes = Array(text.utf8)
    self.quotesCharacters = quotesCharacters
    self.code = bytes.map { $0 == UInt8(ascii: "\n") ? $0 : UInt8(ascii: " ") }
    self.comments = code
  }

  mutating func run() {
    while position < bytes.count {
      scanCode()
      position += 1  // a parenthesis that nothing opened
    }
  }

  /// Reads code up to the parenthesis that closes the one before it, or to the end.
  private mutating func scanCode() {
    var depth = 0
    while position < bytes.count {
      if bytes[position].isPartOfWord || at(" ") {
        keep()
      } else if at("/"), at("/", 1) {
        scanLineComment()
      } else if at("/"), at("*", 1) {
        scanBlockComment()
      } else if let hashes = openingHashes() {
        scanString(hashes: hashes)
      } else if at("`") {
        scanName()
      } else if quotesCharacters, at("'") {
        scanCharacter()
      } else {
        if at("(") { depth += 1 }
        if at(")") {
          if depth == 0 { return }
          depth -= 1
        }
        keep()
      }
    }
  }

  private mutating func scanLineComment() {
    while position < bytes.count, !at("\n") { keepComment() }
  }

  private mutating func scanBlockComment() {
    var depth = 0
    repeat {
      let opens = at("/") && at("*", 1)
      let closes = at("*") && at("/", 1)
      depth += opens ? 1 : closes ? -1 : 0
      keepComment()
      if opens || closes { keepComment() }
    } while depth > 0 && position < bytes.count
  }

  private mutating func scanName() {
    keep()
    while position < bytes.count, !at("`"), !at("\n") {
      code[position] = UInt8(ascii: "_")
      position += 1
    }
    if at("`") { keep() }
  }

  private mutating func scanCharacter() {
    position += 1
    while position < bytes.count, !at("'"), !at("\n") { position += at("\\") ? 2 : 1 }
    if at("'") { position += 1 }
  }

  /// The number of `#` before the quote, if a string begins here.
  private func openingHashes() -> Int? {
    var count = 0
    while at("#", count) { count += 1 }
    return at("\"", count) ? count : nil
  }

  private mutating func scanString(hashes: Int) {
    position += hashes
    let quotes = at("\"", 1) && at("\"", 2) ? 3 : 1
    keep(count: quotes)
    while position < bytes.count {
      if at("\"", count: quotes), at("#", count: hashes, from: quotes) {
        keep(count: quotes)
        position += hashes
        return
      } else if at("\\"), at("#", count: hashes, from: 1) {
        position += 1 + hashes
        if at("(") { scanInterpolation() } else { position += 1 }
      } else if at("\n"), quotes == 1 {
        return  // never closed: the compiler will say so
      } else {
        position += 1
      }
    }
  }

  private mutating func scanInterpolation() {
    keep()
    scanCode()
    if at(")") { keep() }
  }

  private func at(_ character: Unicode.Scalar, _ offset: Int = 0) -> Bool {
    position + offset < bytes.count && bytes[position + offset] == UInt8(ascii: character)
  }

  private func at(_ character: Unicode.Scalar, count: Int, from offset: Int = 0) -> Bool {
    (offset..<offset + count).allSatisfy { at(character, $0) }
  }

  private mutating func keep(count: Int = 1) {
    for _ in 0..<count {
      code[position] = bytes[position]
      position += 1
    }
  }

  private mutating func keepComment() {
    comments[position] = bytes[position]
    position += 1
  }
}

// MARK: - The package on disk

/// Every file a person wrote, read once for all rules.
struct SourceTree: Sendable {
  let files: [SourceFile]

  /// The tree this very file belongs to.
  static let ours = Result { try SourceTree(root: root) }

  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Reads Swift, C and Markdown below a folder, leaving out hidden folders and the ledger's data.
  init(root: URL) throws {
    let walk = FileManager.default.enumerator(atPath: root.path(percentEncoded: false))
    var files: [SourceFile] = []
    while let path = walk?.nextObject() as? String {
      if path == "data" || path.split(separator: "/").last?.first == "." {
        walk?.skipDescendants()
      } else if ["swift", "c", "h", "md"].contains(path.split(separator: ".").last) {
        let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
        files.append(SourceFile(path: path, text: text))
      }
    }
    self.files = files.sorted { $0.path < $1.path }
  }

  /// The text files git tracks or would add, of any kind; nothing where there is no git.
  static func tracked() throws -> [SourceFile]? {
    let git = Process()
    git.executableURL = URL(filePath: "/usr/bin/env")
    git.currentDirectoryURL = root
    git.arguments = [
      "git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
      "--exclude-standard",
    ]
    let output = Pipe()
    git.standardInput = FileHandle.nullDevice
    git.standardOutput = output
    git.standardError = FileHandle.nullDevice
    try git.run()
    let list = output.fileHandleForReading.readDataToEndOfFile()
    git.waitUntilExit()
    guard git.terminationStatus == 0 else { return nil }
    return list.split(separator: 0).compactMap { bytes in
      let path = String(decoding: bytes, as: UTF8.self)
      // Not readable as text: an image, a golden log, a file just deleted.
      guard let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8)
      else { return nil }
      return SourceFile(path: path, text: text)
    }
  }
}
