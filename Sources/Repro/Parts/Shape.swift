/// How much of each piece of memory one I/O covers, and in how many segments: an I/O vector at odd offsets, or, of
/// asynchronous engines, several requests in flight on the same page.
public struct Shape: Sendable, Equatable {
  /// Bytes of a read, multiples of 512; nil for all of a piece but its tail.
  public var bytes: Int?
  /// Segments that it is cut into.
  public var parts = 1

  /// All of a piece, in one segment.
  public init(bytes: Int? = nil, parts: Int = 1) {
    self.bytes = bytes
    self.parts = parts
  }

  /// The longest read, in bytes.
  public static let longest = 2 << 20

  /// Bytes of a piece with room for the read and its tail, whole pages.
  func pieceLength(alignment: Int) -> Int {
    guard let bytes else { return kernelPageSize }
    let unit = max(alignment, Pattern.blockSize)
    let read = (bytes + unit - 1) / unit * unit
    let length = read + Layout.tail(alignment: alignment, pageSize: kernelPageSize)
    return (length + kernelPageSize - 1) / kernelPageSize * kernelPageSize
  }

  /// The segment, cut at multiples of `unit`; all parts are as long as the first, but for the last.
  func cut(_ segment: Segment, unit: Int) -> [Segment] {
    let part = segment.length / unit / parts * unit
    guard parts > 1, part > 0 else { return [segment] }
    return (0..<parts).map { index in
      Segment(
        memory: segment.memory + index * part,
        length: index == parts - 1 ? segment.length - index * part : part)
    }
  }
}
