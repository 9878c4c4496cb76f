import Testing

@testable import Repro

/// Damage of every kind, planted in every region where it can be. What only shows after the page
/// went to swap is in ``StagedTrialTests``.
@Suite("Verifier: kinds of damage")
struct VerifierKindTests {
  /// One way to spoil a page.
  struct Plant: Sendable, CustomTestStringConvertible {
    var kind: Damage.Kind
    var region: Damage.Region
    /// What is written over the middle of the region.
    var writer: Writer
    /// Begins the provenance, or is all of it.
    var provenance: String

    enum Writer: Sendable {
      case stamp(Stamp)
      case bytes(UInt8)
    }

    var testDescription: String { "\(kind.rawValue) in \(region.rawValue): \(provenance)" }

    init(_ kind: Damage.Kind, _ region: Damage.Region, _ writer: Writer, _ provenance: String) {
      self.kind = kind
      self.region = region
      self.writer = writer
      self.provenance = provenance
    }
  }

  private static let fill = Stamp(.fill, generation: 7, block: 0)
  private static let content = Stamp(.file, generation: 0, block: 40)

  static let plants: [Plant] = [
    Plant(.lostRead, .io, .stamp(fill), "fill of generation 7, block 3, byte 0"),
    Plant(.stale, .io, .stamp(Stamp(.file, generation: 2, block: 40)), "file of generation 2, block 43"),
    Plant(.stale, .io, .stamp(Stamp(.fill, generation: 6, block: 0)), "fill of generation 6, block 3"),
    Plant(.foreign, .io, .stamp(Stamp(.file, generation: 0, block: 9)), "file of generation 0, block 12"),
    Plant(.foreign, .io, .stamp(Stamp(.store, generation: 7, block: 0)), "store of generation 7, store 3"),
    Plant(.foreign, .io, .bytes(0x5a), "nobody's in this run"),
    Plant(.zeroed, .io, .bytes(0), "zeros"),
    Plant(.stale, .untouched, .stamp(Stamp(.fill, generation: 6, block: 0)), "fill of generation 6, block 7"),
    Plant(.foreign, .untouched, .stamp(content), "file of generation 0, block 47, byte"),
    Plant(.foreign, .untouched, .bytes(0x5a), "nobody's in this run"),
    Plant(.zeroed, .untouched, .bytes(0), "zeros"),
    Plant(.lostStore, .store, .stamp(fill), "fill of generation 7, block 7, byte"),
    Plant(
      .lostStore, .store, .stamp(Stamp(.store, generation: 7, block: 5)), "store of generation 7, store 12"),
    Plant(.stale, .store, .stamp(Stamp(.store, generation: 6, block: 0)), "store of generation 6, store 7"),
    Plant(.foreign, .store, .stamp(content), "file of generation 0, block 47"),
    Plant(.zeroed, .store, .bytes(0), "zeros"),
  ]

  @Test("is named, placed and traced", arguments: plants)
  func planted(_ plant: Plant) throws {
    let page = PlantedBuffer()
    let region = page.range(plant.region)
    // The middle, from a block's start where the region has one.
    let range =
      plant.region == .io ? 1536..<1536 + 256 : region.lowerBound + 16..<region.lowerBound + 48
    let before = page.bytes(range)
    switch plant.writer {
    case .stamp(let stamp): page.write(stamp, range)
    case .bytes(let byte): page.change(range) { _ in byte }
    }
    let damages = page.damage()
    let damage = try #require(damages.first)
    #expect(damages.count == 1)
    #expect(damage.kind == plant.kind)
    #expect(damage.region == plant.region)
    #expect(damage.look == .first)
    #expect(damage.provenance.hasPrefix(plant.provenance), "\(damage.provenance)")

    // Offset, length and bytes, found the slow way.
    let after = page.bytes(range)
    let bad = range.filter { before[$0 - range.lowerBound] != after[$0 - range.lowerBound] }
    let (first, last) = (try #require(bad.first), try #require(bad.last))
    #expect(damage.offset == first)
    #expect(damage.length == last + 1 - first)
    let shown = first - range.lowerBound..<min(first + 16, last + 1) - range.lowerBound
    #expect(damage.expected == before[shown].map(hex).joined(separator: " "))
    #expect(damage.found == after[shown].map(hex).joined(separator: " "))
  }

  private func hex(_ byte: UInt8) -> String {
    let digits = Array("0123456789abcdef")
    return "\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
  }

  @Test("an undamaged page has none", arguments: [UInt64(0), 1, 0x5eed, .max])
  func clean(seed: UInt64) {
    #expect(PlantedBuffer(seed: seed).damage() == [])
  }

  @Test("a word that is partly new is torn, and what follows it is lost")
  func torn() {
    let page = PlantedBuffer()
    let old = page.bytes(of: page.fill, 1024..<2048)
    var next = 4  // the copy stopped in the middle of a word
    page.change(1028..<2048) { _ in
      defer { next += 1 }
      return old[next]
    }
    let damages = page.damage()
    #expect(damages.map(\.kind) == [.torn, .lostRead])
    #expect(damages.map(\.region) == [.io, .io])
    #expect(damages[0].offset >= 1028 && damages[0].offset + damages[0].length <= 1032)
    #expect(damages[1].offset >= 1032 && damages[1].offset + damages[1].length <= 2048)
    #expect(damages[1].provenance == "fill of generation 7, block 2, byte 8")
  }

  @Test("a torn store")
  func tornStore() {
    let page = PlantedBuffer()
    let start = page.layout.touch.lowerBound
    let old = page.bytes(of: page.fill, start..<start + 8)
    var next = 0
    page.change(start..<start + 3) { _ in
      defer { next += 1 }
      return old[next]
    }
    #expect(page.damage().map(\.kind) == [.torn])
    #expect(page.damage().map(\.region) == [.store])
  }

  @Test("a word that was stored to while it was written has bytes of several stores, and of nothing else")
  func stirred() {
    let page = PlantedBuffer(.write)
    let other = Stamp(.store, generation: 7, block: 1)
    let touch = page.layout.touch
    let disk = [Expectation(.disk, touch, expected: page.store, previous: page.content, or: [other])]
    for (stamp, kinds) in [(other, []), (page.content, [Damage.Kind.torn])] {
      page.write(page.store, touch)
      let bytes = page.bytes(of: stamp, touch.lowerBound..<touch.lowerBound + 8)
      var next = 0
      page.change(touch.lowerBound..<touch.lowerBound + 3) { _ in
        defer { next += 1 }
        return bytes[next]
      }
      #expect(page.damage(disk).map(\.kind) == kinds)
    }
  }

  @Test("data that a child sees arrive has leaked")
  func leaked() {
    let page = PlantedBuffer()
    let child = [Expectation(.child, page.layout.settled, expected: page.fill, previous: page.content)]
    let damages = page.damage(child)
    #expect(damages.map(\.kind) == [.leakedToChild])
    #expect(damages.map(\.provenance) == ["file of generation 0, block 40, byte 0"])
    page.write(page.fill, page.layout.settled)
    #expect(page.damage(child) == [])
  }

  @Test("a direct write that left the target as it was is lost on disk")
  func lostOnDisk() {
    let page = PlantedBuffer(.write)
    let disk = [Expectation(.disk, page.layout.settled, expected: page.fill, previous: page.content)]
    #expect(page.damage(disk) == [])
    page.write(page.content, 512..<1024)
    #expect(page.damage(disk).map(\.kind) == [.lostOnDisk])
    #expect(page.damage(disk).map(\.provenance) == ["file of generation 0, block 41, byte 0"])
  }

  @Test("the words of a direct write that a store raced with may end either way, and no other")
  func alternatives() {
    let page = PlantedBuffer(.write)
    let stores = (0..<4).map { Stamp(.store, generation: 7, block: $0) }
    let disk = [
      Expectation(.disk, page.layout.touch, expected: page.fill, previous: page.content, or: stores)
    ]
    let start = page.layout.touch.lowerBound
    #expect(page.damage(disk) == [], "the store")
    page.write(page.fill, start..<start + 8)
    page.write(stores[3], start + 8..<start + 16)
    page.write(stores[1], start + 24..<start + 32)
    #expect(page.damage(disk) == [], "word by word")
    page.write(page.content, start + 32..<start + 40)
    #expect(page.damage(disk).map(\.kind) == [.lostOnDisk])
    page.write(Stamp(.store, generation: 6, block: 0), start + 32..<start + 40)
    #expect(page.damage(disk).map(\.kind) == [.foreign], "a store of another trial")
  }

  @Test("each run of one kind is one entry, in the order of offsets")
  func runs() {
    let page = PlantedBuffer()
    page.write(page.fill, 0..<512)
    page.change(512..<520) { _ in 0 }
    page.write(page.fill, 1024..<1032)
    page.change(page.layout.touch.lowerBound..<page.layout.touch.upperBound) { _ in 0 }
    #expect(page.damage().map(\.kind) == [.lostRead, .zeroed, .lostRead, .zeroed])
    #expect(page.damage().map(\.offset) == page.damage().map(\.offset).sorted())
  }

  @Test("every kind is planted somewhere")
  func coverage() {
    let elsewhere: Set<Damage.Kind> = [
      .torn, .leakedToChild, .leakedElsewhere, .lostOnDisk, .lostAfterSwap, .lostAfterReclaim,
      .unreadable, .copiesDiffer, .pagesLeaked, .lostAfterMerge, .lostAfterFork,
    ]
    #expect(Set(Self.plants.map(\.kind)).union(elsewhere) == Set(Damage.Kind.allCases))
  }
}
