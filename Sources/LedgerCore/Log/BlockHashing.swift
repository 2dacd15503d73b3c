extension MerkleTree {
  /// Adds the frames of a stored block as leaves, as ``Batch/seal(_:)`` did when it was written.
  mutating func append(
    _ header: Block.Header, of block: RawSpan, complete: (Node) -> Void
  ) throws(StorageError) {
    var offsets: [UInt32] = []
    offsets.reserveCapacity(header.count + 1)
    let table = Block.headerByteCount + header.framesByteCount
    for index in 0..<header.count {
      // Checks that offsets rise and stay inside before anything follows them.
      _ = try Block.frame(index, of: header, in: block)
      offsets.append(block.load(at: table + index * 4))
    }
    offsets.append(UInt32(header.framesByteCount))
    unsafe block.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      unsafe offsets.withUnsafeBufferPointer { offsets in
        guard let table = offsets.baseAddress else { return }
        let frames = unsafe (base + Block.headerByteCount).assumingMemoryBound(to: UInt8.self)
        unsafe append(frames: frames, offsets: table, count: header.count, complete: complete)
      }
    }
  }
}
