import Testing

@testable import Repro

/// Single flipped bits at the edges of each region, and runs that begin and end inside of a word.
@Suite("Verifier: boundaries")
struct VerifierBoundaryTests {
  private static let regions: [Damage.Region] = [.io, .untouched, .store]

  /// First and last bit of the first and of the last byte.
  private static let edges = regions.flatMap { region in
    [(region, true, 0), (region, true, 7), (region, false, 0), (region, false, 7)]
  }

  @Test("a flipped bit is found where it is", arguments: edges)
  func flippedBit(region: Damage.Region, atStart: Bool, bit: Int) throws {
    let page = PlantedBuffer()
    let range = page.range(region)
    let at = atStart ? range.lowerBound : range.upperBound - 1
    let right = page.bytes(at..<at + 1)[0]
    page.change(at..<at + 1) { $0 ^ (1 << UInt8(bit)) }
    let damages = page.damage()
    let damage = try #require(damages.first)
    #expect(damages.count == 1)
    #expect(damage.region == region)
    #expect(damage.offset == at && damage.length == 1)
    #expect(damage.expected == Hex.bytes([right]))
    #expect(damage.found == Hex.bytes([right ^ (1 << UInt8(bit))]))
    #expect(damage.kind == .foreign)
    #expect(damage.provenance == "differs in 1 bit")
  }

  @Test("no byte of the page is out of sight")
  func everyByte() {
    let page = PlantedBuffer()
    for at in 0..<page.layout.length {
      let flip = UInt8(1) << UInt8(at % 8)
      // Only the word is looked at, or the test would take seconds.
      let word = at / 8 * 8
      let region = Self.regions.first { page.range($0).contains(at) } ?? .disk
      let want = Expectation(
        region, word..<word + 8, expected: page.stamp(region), previous: page.fill)
      page.change(at..<at + 1) { $0 ^ flip }
      let damages = page.damage([want])
      #expect(damages.count == 1 && damages.first?.offset == at && damages.first?.length == 1)
      page.change(at..<at + 1) { $0 ^ flip }
      #expect(page.damage([want]) == [])
    }
  }

  @Test(
    "runs are measured in bytes", arguments: [(100, 300), (7, 9), (8, 16), (0, 3584), (3583, 3584), (5, 6)])
  func unaligned(from start: Int, to end: Int) throws {
    let page = PlantedBuffer()
    let before = page.bytes(start..<end)
    page.change(start..<end) { $0 ^ 0xff }
    let damages = page.damage()
    #expect(damages.map(\.offset).min() == start)
    let last = try #require(damages.last)
    #expect(last.offset + last.length == end)
    let first = try #require(damages.first)
    let shown = before.prefix(min(16, first.length))
    #expect(first.expected == Hex.bytes(Array(shown)))
    #expect(first.found == Hex.bytes(shown.map { $0 ^ 0xff }))
  }

  @Test("the text shows at most 16 bytes")
  func shown() {
    let page = PlantedBuffer()
    page.change(0..<15) { $0 ^ 0xff }
    #expect(page.damage()[0].found.split(separator: " ").count == 15)
    page.change(15..<400) { $0 ^ 0xff }
    #expect(page.damage()[0].found.split(separator: " ").count == 16)
  }

  @Test("a few flipped bits are counted")
  func bits() {
    let page = PlantedBuffer()
    page.change(640..<641) { $0 ^ 0b101 }
    #expect(page.damage()[0].provenance == "differs in 2 bits")
  }

  @Test("the second look is named as such")
  func look() {
    let page = PlantedBuffer()
    page.change(0..<1) { $0 ^ 1 }
    let damage = Verifier(page.pattern).damage(in: page.memory, page.expectations, look: .second)
    #expect(damage.map(\.look) == [.second])
  }
}
