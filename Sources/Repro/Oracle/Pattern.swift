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

/// Data that names itself: each 8-byte word is a bijection of (origin, generation, block, word in block,
/// check), keyed by the seed, so that a word found in the wrong place tells where it is from, and a single
/// flipped bit leaves no valid word (2^-10 do by chance).
///
/// ```
///  name   = origin, generation, block                     48 bits
///  mixed  = mix(name, check of name; key)                 58 bits, the same in all words of a block
///  word w = spread(mixed, 000000) ^ spread(noise w, w)    the second term is the same in all blocks
/// ```
/// So what costs multiplications is worked out once a block, and a whole block is written or compared at
/// the speed of memory. `spread` lets all bytes of a word depend on its block.
public struct Pattern: Sendable {
  static let blockSize = 512
  static let wordsPerBlock = blockSize / 8
  static let generationMask = 1 << 24 - 1
  static let blockMask = 1 << 21 - 1
  private static let checkBits: UInt64 = 10
  private static let placeBits: UInt64 = 6
  private static let mixedMask: UInt64 = 1 << 58 - 1
  private static let multiplier: UInt64 = 0xff51_afd7_ed55_8ccd
  private static let inverse = modularInverse(multiplier)
  private static let nowhere = [UInt64](repeating: 0, count: wordsPerBlock)

  private let key: UInt64
  /// What a word owes to its place in the block.
  private let places: [UInt64]

  /// The pattern of a run; another seed gives other bytes everywhere.
  public init(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    key = generator.next() & Self.mixedMask
    let places = UInt64(Self.wordsPerBlock)
    self.places = (0..<places).map { Self.spread(generator.next() << Self.placeBits | $0) }
  }

  /// The word at byte `offset` (a multiple of 8) of a buffer that starts with `stamp`'s block.
  public func word(_ stamp: Stamp, at offset: Int) -> UInt64 { words(stamp)[offset] }

  /// The words of a buffer that starts with `stamp`'s block.
  func words(_ stamp: Stamp) -> Words {
    func same(_ word: UInt64) -> Words {
      let places = word == 0 ? Self.nowhere : [UInt64](repeating: word, count: Self.wordsPerBlock)
      return Words(first: 0, block: 0, key: 0, places: places, mask: 0)
    }
    return switch stamp.origin {
    case .zeros: same(0)
    case .ones: same(.max)
    case .byte: same(UInt64(stamp.block) << 56)
    case .file, .fill, .store:
      // A buffer whose middle is the target's first block starts with one below 0.
      Words(
        first: stamp.origin.rawValue << 45 | UInt64(stamp.generation) << 21,
        block: UInt64(truncatingIfNeeded: stamp.block),
        key: key, places: places, mask: .max)
    }
  }

  /// Writes the words of `stamp` to `range` (multiples of 8) of `buffer`.
  public func fill(_ buffer: UnsafeMutableRawPointer, _ range: Range<Int>, with stamp: Stamp) {
    words(stamp).write(to: buffer, range)
  }

  /// The stamp (with the word's own block) and the word's byte offset in its block that `word`
  /// names, or nil for a word that nobody of this run wrote.
  public func decode(_ word: UInt64) -> (stamp: Stamp, offset: Int)? {
    let place = Int(Self.spread(word) & (1 << Self.placeBits - 1))
    var x = Self.spread(word ^ places[place]) >> Self.placeBits
    x = (x ^ x >> 29) &* Self.inverse & Self.mixedMask
    x = (x ^ x >> 29) ^ key
    let name = x >> Self.checkBits
    guard x & (1 << Self.checkBits - 1) == Self.check(name), let origin = Origin(rawValue: name >> 45),
      Origin.allCases.contains(origin)
    else { return nil }
    let generation = Int(name >> 21) & Self.generationMask
    return (Stamp(origin, generation: generation, block: Int(name) & Self.blockMask), place * 8)
  }

  @inline(__always)
  private static func check(_ name: UInt64) -> UInt64 {
    (name &* 0x9e37_79b9_7f4a_7c15) >> (64 - checkBits)
  }

  /// Its own inverse, and linear: spread(a ^ b) is spread(a) ^ spread(b).
  @inline(__always)
  private static func spread(_ word: UInt64) -> UInt64 { word ^ word >> 32 }

  /// Newton's iteration: each step doubles the number of right bits.
  private static func modularInverse(_ odd: UInt64) -> UInt64 {
    var inverse = odd
    for _ in 0..<5 { inverse = inverse &* (2 &- odd &* inverse) }
    return inverse
  }
}

extension Pattern {
  /// The words of a stamp, for loops over memory.
  struct Words {
    fileprivate let first: UInt64
    fileprivate let block: UInt64
    fileprivate let key: UInt64
    fileprivate let places: [UInt64]
    /// All bits; none for words that name nothing, which are the same everywhere.
    fileprivate let mask: UInt64

    /// Four words at a time: eight spill registers of a baseline x86-64.
    private typealias Vector = SIMD4<UInt64>

    /// The word at a byte offset, a multiple of 8.
    @inline(__always)
    subscript(offset: Int) -> UInt64 {
      common(offset) ^ places[offset % Pattern.blockSize / 8]
    }

    /// What all words of the block around `offset` have in common.
    @inline(__always)
    private func common(_ offset: Int) -> UInt64 {
      let number = block &+ UInt64(truncatingIfNeeded: offset / Pattern.blockSize)
      let name = first | number & UInt64(Pattern.blockMask)
      var x = (name << Pattern.checkBits | Pattern.check(name)) ^ key
      x = (x ^ x >> 29) &* Pattern.multiplier & Pattern.mixedMask
      return Pattern.spread((x ^ x >> 29) << Pattern.placeBits) & mask
    }

    /// Writes the words of `range` (multiples of 8).
    func write(to memory: UnsafeMutableRawPointer, _ range: Range<Int>) {
      places.withUnsafeBytes { places in
        _ = Self.eachBlock(of: range) { part in
          let common = common(part.lowerBound)
          let (to, place) = (
            memory + part.lowerBound, places.baseAddress! + part.lowerBound % Pattern.blockSize
          )
          var at = 0
          if part.count == Pattern.blockSize {
            let vector = Vector(repeating: common)
            while at < Pattern.blockSize {
              (to + at).storeBytes(
                of: (place + at).loadUnaligned(as: Vector.self) ^ vector, as: Vector.self)
              at &+= MemoryLayout<Vector>.size
            }
            return true
          }
          while at < part.count {
            (to + at).storeBytes(of: (place + at).load(as: UInt64.self) ^ common, as: UInt64.self)
            at &+= 8
          }
          return true
        }
      }
    }

    /// Whether `range` (multiples of 8) of `memory` holds the words; ends with the first block that does not.
    func areIn(_ memory: UnsafeRawPointer, _ range: Range<Int>) -> Bool {
      places.withUnsafeBytes { places in
        Self.eachBlock(of: range) { part in
          let common = common(part.lowerBound)
          let (from, place) = (
            memory + part.lowerBound, places.baseAddress! + part.lowerBound % Pattern.blockSize
          )
          var at = 0
          if part.count == Pattern.blockSize {
            let vector = Vector(repeating: common)
            var difference = Vector.zero
            while at < Pattern.blockSize {
              let found = (from + at).loadUnaligned(as: Vector.self)
              difference |= found ^ (place + at).loadUnaligned(as: Vector.self) ^ vector
              at &+= MemoryLayout<Vector>.size
            }
            return difference[0] | difference[1] | difference[2] | difference[3] == 0
          }
          var difference: UInt64 = 0
          while at < part.count {
            let found = (from + at).loadUnaligned(as: UInt64.self)
            difference |= found ^ (place + at).load(as: UInt64.self) ^ common
            at &+= 8
          }
          return difference == 0
        }
      }
    }

    /// Calls `body` with the part of each block that is in `range`, until it says no.
    @inline(__always)
    private static func eachBlock(of range: Range<Int>, _ body: (Range<Int>) -> Bool) -> Bool {
      var from = range.lowerBound
      while from < range.upperBound {
        let end = min(range.upperBound, (from / Pattern.blockSize + 1) * Pattern.blockSize)
        if !body(from..<end) { return false }
        from = end
      }
      return true
    }
  }
}
