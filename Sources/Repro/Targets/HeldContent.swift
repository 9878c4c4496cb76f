/// What stands in a held file: the pattern, made as it is asked for.
struct HeldContent: Sendable {
  /// Bytes of the file.
  static let size: Int64 = 1 << 30
  /// What offsets and lengths are multiples of.
  static let blockSize = 512

  let pattern: Pattern

  /// A place for a trial's I/O: each another one, all below `limit`.
  func place(trial: Int, length: Int, below limit: Int64 = size) -> (offset: Int64, content: Stamp) {
    let offset = Int64(trial) * Int64(length) % (limit - Int64(length))
    let aligned = offset / Int64(Self.blockSize) * Int64(Self.blockSize)
    return (aligned, Stamp(.file, generation: 0, block: Int(aligned) / Pattern.blockSize))
  }

  /// Calls `body` with the `length` bytes at `offset`, a multiple of the block size.
  func withBytes(offset: Int64, length: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
    withUnsafeTemporaryAllocation(byteCount: (length + 7) / 8 * 8, alignment: 8) { bytes in
      let stamp = Stamp(.file, generation: 0, block: Int(offset) / Pattern.blockSize)
      pattern.fill(bytes.baseAddress!, 0..<bytes.count, with: stamp)
      body(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
    }
  }
}
