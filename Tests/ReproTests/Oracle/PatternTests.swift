import Testing

@testable import Repro

@Suite("Pattern")
struct PatternTests {
  @Test("a word decodes to the stamp and offset it was made of")
  func roundTrip() {
    var random = SplitMix64(seed: 1)
    for _ in 0..<20_000 {
      let pattern = Pattern(seed: random.next())
      let origin = Origin.allCases.randomElement(using: &random) ?? .file
      let stamp = Stamp(
        origin, generation: .random(in: 0...Pattern.generationMask, using: &random),
        block: .random(in: 0...Pattern.blockMask, using: &random))
      let offset = Int.random(in: 0..<1 << 17, using: &random) * 8
      let found = pattern.decode(pattern.word(stamp, at: offset))
      let block = (stamp.block + offset / 512) & Pattern.blockMask
      #expect(found?.stamp == Stamp(origin, generation: stamp.generation, block: block))
      #expect(found?.offset == offset % 512)
    }
  }

  @Test("numbers are taken modulo their field's size")
  func wrapping() {
    #expect(
      Stamp(.fill, generation: 1 << 24 + 5, block: 1 << 21 + 6) == Stamp(.fill, generation: 5, block: 6))
    let pattern = Pattern(seed: 9)
    let last = Stamp(.file, generation: 0, block: Pattern.blockMask)
    #expect(pattern.word(last, at: 512) == pattern.word(Stamp(.file, generation: 0, block: 0), at: 0))
  }

  @Test("a buffer may start before the target's first block")
  func beforeTheFirst() {
    let pattern = Pattern(seed: 3)
    let early = pattern.words(Stamp(.file, generation: 0, block: -2))
    let first = pattern.words(Stamp(.file, generation: 0, block: 0))
    for offset in stride(from: 0, to: Pattern.blockSize, by: 8) {
      #expect(early[2 * Pattern.blockSize + offset] == first[offset])
    }
  }

  @Test("no two words of a run are the same")
  func distinct() {
    let pattern = Pattern(seed: 2)
    var words: Set<UInt64> = []
    var count = 0
    for origin in Origin.allCases {
      for generation in 0..<4 {
        for offset in stride(from: 0, to: 8192, by: 8) {
          words.insert(pattern.word(Stamp(origin, generation: generation, block: 0), at: offset))
          count += 1
        }
      }
    }
    #expect(words.count == count)
  }

  @Test("another seed's words are nobody's, but for the chance of its check bits")
  func anotherSeed() {
    let (ours, theirs) = (Pattern(seed: 3), Pattern(seed: 4))
    let stamp = Stamp(.file, generation: 0, block: 0)
    let decoded = stride(from: 0, to: 1 << 17, by: 8).count {
      ours.decode(theirs.word(stamp, at: $0)) != nil
    }
    // 16384 words, 10 check bits, 3 of 8 origins: 6 by chance.
    #expect(decoded < 20)
  }

  @Test("a flipped bit leaves nobody's word, but for the chance of its check bits")
  func flippedBit() {
    let pattern = Pattern(seed: 5)
    var decoded = 0
    for offset in stride(from: 0, to: 2048, by: 8) {
      let word = pattern.word(Stamp(.file, generation: 0, block: 8), at: offset)
      decoded += (0..<64).count { pattern.decode(word ^ (1 << UInt64($0))) != nil }
    }
    #expect(decoded < 20)
  }

  @Test func noise() {
    let pattern = Pattern(seed: 6)
    #expect(pattern.decode(0) == nil)
    #expect(pattern.decode(.max) == nil)
  }

  @Test("every bit of a range counts, in whole blocks and in parts of them, and none outside of it")
  func everyBit() {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 8)
    defer { memory.deallocate() }
    let (pattern, stamp) = (Pattern(seed: 8), Stamp(.file, generation: 1, block: 5))
    let start = memory.baseAddress!
    for stamp in [stamp, .zeros] {
      for range in [512..<1536, 8..<1544, 504..<520, 1016..<1024] {
        pattern.fill(start, 0..<2048, with: stamp)
        #expect(pattern.words(stamp).areIn(start, range))
        for byte in 0..<2048 {
          memory[byte] ^= 1 << UInt8(byte % 8)
          #expect(pattern.words(stamp).areIn(start, range) == !range.contains(byte), "\(range), byte \(byte)")
          memory[byte] ^= 1 << UInt8(byte % 8)
        }
      }
    }
  }

  @Test("all bytes of a word tell of its block")
  func everyByte() {
    let pattern = Pattern(seed: 10)
    for shift in stride(from: 0, to: 64, by: 8) {
      let bytes = Set(
        (0..<512).map { pattern.word(Stamp(.file, generation: 0, block: $0), at: 0) >> UInt64(shift) & 0xff })
      #expect(bytes.count > 200)  // of 256; 512 draws leave out 35 of them on average
    }
  }

  @Test("fill writes its range and nothing else")
  func fill() {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 8)
    defer { buffer.deallocate() }
    buffer.initializeMemory(as: UInt8.self, repeating: 0xaa)
    let stamp = Stamp(.store, generation: 1, block: 2)
    let pattern = Pattern(seed: 7)
    pattern.fill(buffer.baseAddress!, 504..<520, with: stamp)
    #expect(buffer[..<504].allSatisfy { $0 == 0xaa } && buffer[520...].allSatisfy { $0 == 0xaa })
    #expect(buffer.load(fromByteOffset: 504, as: UInt64.self) == pattern.word(stamp, at: 504))
    #expect(buffer.load(fromByteOffset: 512, as: UInt64.self) == pattern.word(stamp, at: 512))
    #expect(pattern.decode(buffer.load(fromByteOffset: 512, as: UInt64.self))?.stamp.block == 3)
  }
}
