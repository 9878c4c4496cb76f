@testable import Repro

/// A page as a correct trial leaves it, for tests to plant damage in.
final class PlantedBuffer {
  let pattern: Pattern
  let layout: Layout
  /// What the read delivers.
  let content = Stamp(.file, generation: 0, block: 40)
  /// What stood there before, of trial 6.
  let fill = Stamp(.fill, generation: 7, block: 0)
  let store = Stamp(.store, generation: 7, block: 0)
  let memory: UnsafeMutableRawPointer

  init(seed: UInt64 = 0x5eed, _ direction: Direction = .read) {
    pattern = Pattern(seed: seed)
    layout = Layout(direction, length: 4096, pageSize: 4096, alignment: 512, touchLength: 64)
    memory = .allocate(byteCount: layout.length, alignment: 4096)
    pattern.fill(memory, 0..<layout.length, with: fill)
    if direction == .read { pattern.fill(memory, layout.io, with: content) }
    pattern.fill(memory, layout.touch, with: store)
  }

  deinit { memory.deallocate() }

  /// What memory must hold after a read.
  var expectations: [Expectation] {
    [
      Expectation(.io, layout.settled, expected: content, previous: fill),
      Expectation(.untouched, layout.untouched, expected: fill, previous: fill),
      Expectation(.store, layout.touch, expected: store, previous: fill),
    ]
  }

  func range(_ region: Damage.Region) -> Range<Int> {
    switch region {
    case .store: layout.touch
    case .untouched: layout.untouched
    case .io, .second, .child, .twin, .disk, .cache, .reader: layout.settled
    }
  }

  /// What stands in `region` of an undamaged page.
  func stamp(_ region: Damage.Region) -> Stamp {
    switch region {
    case .store: store
    case .untouched: fill
    case .io, .second, .child, .twin, .disk, .cache, .reader: content
    }
  }

  func damage(_ expectations: [Expectation]? = nil) -> [Damage] {
    Verifier(pattern).damage(in: memory, expectations ?? self.expectations)
  }

  func bytes(_ range: Range<Int>) -> [UInt8] { Array(UnsafeRawBufferPointer(rebasing: raw[range])) }

  func write(_ stamp: Stamp, _ range: Range<Int>) { pattern.fill(memory, range, with: stamp) }

  func change(_ range: Range<Int>, _ change: (UInt8) -> UInt8) {
    for offset in range {
      let byte = memory.load(fromByteOffset: offset, as: UInt8.self)
      memory.storeBytes(of: change(byte), toByteOffset: offset, as: UInt8.self)
    }
  }

  /// The bytes of `range` when `stamp` fills it, by the pattern's definition and a byte at a time.
  func bytes(of stamp: Stamp, _ range: Range<Int>) -> [UInt8] {
    range.map { offset in
      withUnsafeBytes(of: pattern.word(stamp, at: offset / 8 * 8).littleEndian) { $0[offset % 8] }
    }
  }

  private var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: layout.length) }
}
