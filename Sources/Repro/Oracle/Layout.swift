/// Whether the I/O fills memory or empties it.
public enum Direction: String, Sendable, Codable, CaseIterable {
  /// Direct read: data that lands in the wrong page is lost.
  case read
  /// Direct write: the negative control, since a replaced page still holds what was written.
  case write
}

/// Which bytes of a buffer the I/O covers, which the CPU stores to, and which nobody touches.
/// ```
///  read:   |<------------- io -------------->|<- untouched ->|<- store ->|
///  write:  |<------------------------- io ------------------------------>|
///                                                            |<- store ->|
/// ```
/// The store lies in the last page: it is the store that makes a write-protected page be copied.
public struct Layout: Sendable, Equatable {
  /// Length of the buffer, whole pages.
  public let length: Int
  /// What the I/O covers.
  public let io: Range<Int>
  /// What the CPU stores to while the I/O is in flight.
  public let store: Range<Int>
  /// What must stay as it was before the I/O.
  public let untouched: Range<Int>

  /// The part of the I/O that no store overlaps, so that one value alone is right.
  public var settled: Range<Int> { io.lowerBound..<min(io.upperBound, store.lowerBound) }

  /// A layout of `length` bytes for I/O of a target that wants multiples of `alignment` bytes.
  /// - Parameters:
  ///   - storeLength: bytes stored to at the end of the buffer, a multiple of 8.
  public init(_ direction: Direction, length: Int, pageSize: Int, alignment: Int, storeLength: Int) {
    self.length = length
    store = length - storeLength..<length
    // A block as large as a page leaves no byte of it uncovered: then the I/O covers the store too,
    // whose words may end either way and are not judged.
    let tail = alignment < pageSize ? max(alignment, Pattern.blockSize) : 0
    io = 0..<(direction == .read ? length - tail : length)
    untouched = min(io.upperBound, store.lowerBound)..<store.lowerBound
  }
}
