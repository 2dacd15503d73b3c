/// Rows of 64-bit words: how a read model keeps its numbers, without knowing about bytes.
///
/// On disk a word is eight bytes, little-endian; a row's key is one integer.
extension Environment.Transaction {
  /// Copies the row at `key` into `words` from `start` on; false, and nothing copied, where there
  /// is none. A row of another length than `count` words is damage.
  package func row(
    _ database: Environment.Database, _ key: UInt64, into words: inout [UInt64], at start: Int,
    count: Int
  ) throws(StorageError) -> Bool {
    precondition(start >= 0 && count >= 0 && start + count <= words.count)
    let found: Void? = try get(database, Environment.Key(key)) { bytes throws(StorageError) in
      guard bytes.byteCount == count * 8 else {
        throw .damaged("row \(key) has \(bytes.byteCount) bytes, not \(count * 8)")
      }
      for index in 0..<count { words[start + index] = bytes.load(at: index * 8) }
    }
    return found != nil
  }

  /// Stores the words in `range` as the row at `key`. Where `isNewest`, the key is greater than
  /// every other in the database, and pages are filled to the brim.
  package func put(
    _ database: Environment.Database, _ key: UInt64, _ words: [UInt64], _ range: Range<Int>,
    isNewest: Bool = false
  ) throws(StorageError) {
    #if _endian(big)
      let words = words.map(\.littleEndian)
    #endif
    let bytes = unsafe words.span.extracting(range).bytes
    if isNewest {
      try append(database, Environment.Key(key), bytes)
    } else {
      try put(database, Environment.Key(key), bytes)
    }
  }

  /// Hands the rows from key `first` on to `body`, in order, until it answers false.
  package func rows(
    _ database: Environment.Database, from first: UInt64 = 0,
    _ body: (UInt64, [UInt64]) throws(StorageError) -> Bool
  ) throws(StorageError) {
    try walk(database, from: .atOrAfter(Environment.Key(first))) {
      key, bytes throws(StorageError) in
      guard key.byteCount == 8, bytes.byteCount % 8 == 0 else {
        throw .damaged("a row whose key is not a number, or which is not of words")
      }
      return try body(key.first, (0..<bytes.byteCount / 8).map { bytes.load(at: $0 * 8) })
    }
  }
}
