/// Who wrote a word.
public enum Origin: UInt64, Sendable, CaseIterable {
  /// The target: file, device or server.
  case file = 1
  /// The trial, before its I/O: memory that says "not yet read", or the data of a direct write.
  case fill = 2
  /// A CPU store next to the I/O.
  case store = 3
}

/// Where a run of words comes from: a writer, its generation (the trial), and the number of the
/// 512-byte block that stands at offset 0 of the buffer. For stores the block counts stores.
public struct Stamp: Sendable, Hashable {
  /// Who wrote.
  public var origin: Origin
  /// Modulo 2^24.
  public var generation: Int
  /// Modulo 2^21.
  public var block: Int

  /// A stamp; numbers are taken modulo their field's size.
  public init(_ origin: Origin, generation: Int, block: Int) {
    self.origin = origin
    self.generation = generation & Pattern.generationMask
    self.block = block & Pattern.blockMask
  }
}

/// Data that names itself: each 8-byte word is a bijection of (origin, generation, block, word
/// in block, check), keyed by the seed, so that a word found in the wrong place tells where it
/// is from, and a single flipped bit leaves no valid word (2^-10 do by chance).
public struct Pattern: Sendable {
  static let blockSize = 512
  static let wordsPerBlock = blockSize / 8
  static let generationMask = 1 << 24 - 1
  static let blockMask = 1 << 21 - 1
  private static let checkBits: UInt64 = 10
  private static let multiplier: UInt64 = 0xff51_afd7_ed55_8ccd
  private static let inverse = modularInverse(multiplier)

  private let key: UInt64

  /// The pattern of a run; another seed gives other bytes everywhere.
  public init(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    key = generator.next()
  }

  /// The word at byte `offset` (a multiple of 8) of a buffer that starts with `stamp`'s block.
  @inline(__always)
  public func word(_ stamp: Stamp, at offset: Int) -> UInt64 {
    let block = (stamp.block + offset / Self.blockSize) & Self.blockMask
    let index = offset % Self.blockSize / 8
    let name =
      stamp.origin.rawValue << 51 | UInt64(stamp.generation) << 27 | UInt64(block) << 6 | UInt64(index)
    var x = (name << Self.checkBits | Self.check(name)) ^ key
    x = (x ^ (x >> 32)) &* Self.multiplier
    return x ^ (x >> 32)
  }

  /// The stamp (with the word's own block) and the word's byte offset in its block that `word`
  /// names, or nil for a word that nobody of this run wrote.
  public func decode(_ word: UInt64) -> (stamp: Stamp, offset: Int)? {
    var x = (word ^ (word >> 32)) &* Self.inverse
    x = (x ^ (x >> 32)) ^ key
    let name = x >> Self.checkBits
    guard x & (1 << Self.checkBits - 1) == Self.check(name), let origin = Origin(rawValue: name >> 51) else {
      return nil
    }
    let generation = Int(name >> 27) & Self.generationMask
    let block = Int(name >> 6) & Self.blockMask
    return (Stamp(origin, generation: generation, block: block), Int(name & 63) * 8)
  }

  /// Writes the words of `stamp` to `range` (multiples of 8) of `buffer`.
  public func fill(_ buffer: UnsafeMutableRawPointer, _ range: Range<Int>, with stamp: Stamp) {
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
      buffer.storeBytes(of: word(stamp, at: offset), toByteOffset: offset, as: UInt64.self)
    }
  }

  @inline(__always)
  private static func check(_ name: UInt64) -> UInt64 {
    (name &* 0x9e37_79b9_7f4a_7c15) >> (64 - checkBits)
  }

  /// Newton's iteration: each step doubles the number of right bits.
  private static func modularInverse(_ odd: UInt64) -> UInt64 {
    var inverse = odd
    for _ in 0..<5 { inverse = inverse &* (2 &- odd &* inverse) }
    return inverse
  }
}
