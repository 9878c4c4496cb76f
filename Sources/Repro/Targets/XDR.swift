/// Reads XDR (RFC 4506): values in multiples of four bytes, numbers with the highest byte first.
struct XDRReader {
  /// The bytes end before the value does, or the value is not what it may be.
  struct Malformed: Error {}

  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  private mutating func take(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
    if rest.count < count { throw Malformed() }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func word() throws(Malformed) -> UInt32 { try take(4).reduce(0) { $0 << 8 | UInt32($1) } }

  mutating func long() throws(Malformed) -> UInt64 { try take(8).reduce(0) { $0 << 8 | UInt64($1) } }

  /// Bytes with their number before them and zeros behind, up to a multiple of four.
  mutating func opaque(atMost limit: Int) throws(Malformed) -> [UInt8] {
    let count = Int(try word())
    if count > limit { throw Malformed() }
    let bytes = try take(count)
    _ = try take(-count & 3)
    return Array(bytes)
  }
}

/// Writes XDR.
struct XDRWriter {
  private(set) var bytes: [UInt8] = []

  mutating func word(_ value: UInt32) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }

  mutating func long(_ value: UInt64) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }

  mutating func flag(_ value: Bool) { word(value ? 1 : 0) }

  /// See ``XDRReader/opaque(atMost:)``.
  mutating func opaque(_ data: UnsafeRawBufferPointer) {
    word(UInt32(data.count))
    bytes += data
    bytes += [UInt8](repeating: 0, count: -data.count & 3)
  }

  mutating func opaque(_ data: [UInt8]) { data.withUnsafeBytes { opaque($0) } }
}
