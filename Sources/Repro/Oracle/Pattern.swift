/// Who wrote a word.
public enum Origin: UInt64, Sendable {
  /// The target: file, device or server.
  case file = 1
  /// The trial, before its I/O: memory that says "not yet read", or the data of a direct write.
  case fill = 2
  /// A CPU store next to the I/O.
  case store = 3
  /// The kernel, which clears new memory: all words are 0, and name nothing.
  case zeros = 0
  /// The recipe of 2008, whose file is all 0xff.
  case ones = 4
  /// The same: a CPU store of one byte, the last one of a word of zeros.
  case byte = 5
}

extension Origin: CaseIterable {
  /// Those that a word can name.
  public static let allCases: [Origin] = [.file, .fill, .store]
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

  /// Memory that nobody wrote to.
  static let zeros = Stamp(.zeros, generation: 0, block: 0)
  /// Memory with all bits set.
  static let ones = Stamp(.ones, generation: 0, block: 0)
}

/// Data that names itself: each 8-byte word is a bijection of (origin, generation, block, word
/// in block, check), keyed by the seed, so that a word found in the wrong place tells where it
/// is from, and a single flipped bit leaves no valid word (2^-10 do by chance).
public struct Pattern: Sendable {
  static let blockSize = 512
  static let wordsPerBlock = blockSize / 8
  static let generationMask = 1 << 24 - 1
  static let blockMask = 1 << 21 - 1
  fileprivate static let checkBits: UInt64 = 10
  fileprivate static let multiplier: UInt64 = 0xff51_afd7_ed55_8ccd
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
    Words(stamp, key: key)[UInt64(truncatingIfNeeded: offset)]
  }

  /// The words of a stamp, with what they have in common worked out once: loops over whole pages take them
  /// from here.
  struct Words {
    private let first: UInt64
    private let block: UInt64
    private let key: UInt64
    /// All bits; none for words that name nothing, which are `constant`.
    private let mask: UInt64
    private let constant: UInt64

    @inline(__always)
    init(_ stamp: Stamp, key: UInt64) {
      switch stamp.origin {
      case .file, .fill, .store: (mask, constant) = (.max, 0)
      case .zeros: (mask, constant) = (0, 0)
      case .ones: (mask, constant) = (0, .max)
      case .byte: (mask, constant) = (0, UInt64(truncatingIfNeeded: stamp.block) << 56)
      }
      first = stamp.origin.rawValue << 51 | UInt64(truncatingIfNeeded: stamp.generation) << 27
      block = UInt64(truncatingIfNeeded: stamp.block)
      self.key = key
    }

    @inline(__always)
    subscript(offset: UInt64) -> UInt64 {
      let block = (block &+ offset / UInt64(Pattern.blockSize)) & UInt64(Pattern.blockMask)
      let name = first | block << 6 | offset % UInt64(Pattern.blockSize) / 8
      var x = (name << Pattern.checkBits | Pattern.check(name)) ^ key
      x = (x ^ (x >> 32)) &* Pattern.multiplier
      return (x ^ (x >> 32)) & mask | constant
    }
  }

  @inline(__always)
  func words(_ stamp: Stamp) -> Words { Words(stamp, key: key) }

  /// The stamp (with the word's own block) and the word's byte offset in its block that `word`
  /// names, or nil for a word that nobody of this run wrote.
  public func decode(_ word: UInt64) -> (stamp: Stamp, offset: Int)? {
    var x = (word ^ (word >> 32)) &* Self.inverse
    x = (x ^ (x >> 32)) ^ key
    let name = x >> Self.checkBits
    guard x & (1 << Self.checkBits - 1) == Self.check(name), let origin = Origin(rawValue: name >> 51),
      Origin.allCases.contains(origin)
    else { return nil }
    let generation = Int(name >> 27) & Self.generationMask
    let block = Int(name >> 6) & Self.blockMask
    return (Stamp(origin, generation: generation, block: block), Int(name & 63) * 8)
  }

  /// Writes the words of `stamp` to `range` (multiples of 8) of `buffer`.
  public func fill(_ buffer: UnsafeMutableRawPointer, _ range: Range<Int>, with stamp: Stamp) {
    let words = words(stamp)
    var offset = UInt64(truncatingIfNeeded: range.lowerBound)
    let end = UInt64(truncatingIfNeeded: range.upperBound)
    while offset < end {
      (buffer + Int(truncatingIfNeeded: offset)).storeBytes(of: words[offset], as: UInt64.self)
      offset &+= 8
    }
  }

  @inline(__always)
  fileprivate static func check(_ name: UInt64) -> UInt64 {
    (name &* 0x9e37_79b9_7f4a_7c15) >> (64 - checkBits)
  }

  /// Newton's iteration: each step doubles the number of right bits.
  private static func modularInverse(_ odd: UInt64) -> UInt64 {
    var inverse = odd
    for _ in 0..<5 { inverse = inverse &* (2 &- odd &* inverse) }
    return inverse
  }
}
