/// Whether the I/O fills memory or empties it.
public enum Direction: String, Sendable, Codable, CaseIterable {
  /// Direct read: data that lands in the wrong page is lost.
  case read
  /// Direct write: the negative control, since a replaced page still holds what was written.
  case write
}

/// Which bytes of a piece the I/O covers, which the toucher writes, and which nobody does. A buffer is
/// one piece after another, each with a page of its own under I/O: its last one.
/// ```
///  read:   |<- lead ->|<-------- io -------->|<- untouched ->|<- touch ->|
///  write:  |<------------------------- io ------------------------------>|
///                                                            |<- touch ->|
/// ```
/// The touch lies in the last page: it makes a write-protected page be copied.
public struct Layout: Sendable, Equatable {
  /// Length of the piece, whole pages.
  public let length: Int
  /// What the I/O covers.
  public let io: Range<Int>
  /// What the CPU stores to, or a second read fills, while the I/O is in flight.
  public let touch: Range<Int>
  /// What must stay as it was before the I/O.
  public let untouched: Range<Int>
  /// The same, before a short I/O.
  public var lead: Range<Int> { 0..<io.lowerBound }

  /// The part of the I/O that no touch overlaps, so that one value alone is right.
  public var settled: Range<Int> { io.lowerBound..<min(io.upperBound, touch.lowerBound) }

  /// A layout of `length` bytes for I/O of a target that wants multiples of `alignment` bytes.
  /// - Parameters:
  ///   - touchLength: bytes touched at the end of the piece, a multiple of 8; nil for all that the I/O
  ///     leaves.
  ///   - ioLength: bytes of a read, in multiples of what the target wants; nil for all but the tail.
  public init(
    _ direction: Direction, length: Int, pageSize: Int, alignment: Int, touchLength: Int?,
    ioLength: Int? = nil
  ) {
    self.length = length
    // A block as large as a page leaves no byte of it uncovered: then the I/O covers the store too,
    // whose words may end either way and are not judged.
    let tail = Self.tail(alignment: alignment, pageSize: pageSize)
    let unit = max(alignment, Pattern.blockSize)
    let end = direction == .read ? length - tail : length
    let start = direction == .read ? ioLength.map { end - ($0 + unit - 1) / unit * unit } ?? 0 : 0
    io = max(0, start)..<end
    touch = length - (touchLength ?? tail)..<length
    untouched = min(io.upperBound, touch.lowerBound)..<touch.lowerBound
  }

  /// Bytes at the end of a piece that a read leaves.
  static func tail(alignment: Int, pageSize: Int) -> Int {
    alignment < pageSize ? max(alignment, Pattern.blockSize) : 0
  }
}
