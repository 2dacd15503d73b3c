import Foundation
import LedgerCore

/// Secrets that lie in files: the master key, the first operator's key.
enum KeyFiles {
  /// The name of the first operator key's file in local hosting, in the data directory.
  static let operatorKey = "admin.token"

  /// A file of at most 64 KiB, or nil where there is none.
  static func contents(_ path: String) throws(SettingsError) -> [UInt8]? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    guard let file = FileHandle(forReadingAtPath: path),
      let data = try? file.read(upToCount: JSONValue.byteCountMax + 1) ?? Data()
    else { throw SettingsError("\(path) cannot be read") }
    guard data.count <= JSONValue.byteCountMax else {
      throw SettingsError("\(path) is longer than \(JSONValue.byteCountMax) bytes")
    }
    return Array(data)
  }

  /// The 32 bytes of a master key: raw, or as 64 hex digits.
  static func masterKey(_ path: String) throws(SettingsError) -> [UInt8] {
    guard let bytes = try contents(path) else { throw SettingsError("\(path) is not there") }
    guard let key = MasterKey.key(of: bytes) else {
      throw SettingsError("\(path) must be 32 random bytes, or 64 hex digits")
    }
    return key
  }

  /// The operator key in a file, or nil where there is no file.
  static func operatorKey(
    _ path: String, isLive: Bool
  ) throws(SettingsError) -> Credential? {
    guard let bytes = try contents(path) else { return nil }
    let text = String(decoding: trimmed(bytes), as: UTF8.self)
    guard let credential = Credential(text, livemode: isLive), credential.kind == .operatorKey
    else {
      let prefix = Credential.prefix(.operatorKey, livemode: isLive)
      throw SettingsError("\(path) does not hold an operator key: \(prefix) and 52 characters")
    }
    return credential
  }

  /// Writes a secret so that the file exists whole or not at all, for its owner only.
  static func create(_ path: String, _ text: String) throws(SettingsError) {
    let partial = path + ".partial"
    let manager = FileManager.default
    do {
      if manager.fileExists(atPath: partial) { try manager.removeItem(atPath: partial) }
      let isMade = manager.createFile(
        atPath: partial, contents: nil, attributes: [.posixPermissions: 0o600])
      guard isMade, let file = FileHandle(forWritingAtPath: partial) else {
        throw SettingsError("\(partial) cannot be made")
      }
      try file.write(contentsOf: Data(text.utf8))
      try file.synchronize()
      try file.close()
      try manager.moveItem(atPath: partial, toPath: path)
    } catch {
      throw SettingsError("\(path) cannot be written")
    }
  }

  private static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
    let isSpace = { (byte: UInt8) in byte <= 0x20 }
    return bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed()[...]
  }
}
