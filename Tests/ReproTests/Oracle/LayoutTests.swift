import Testing

@testable import Repro

@Suite("Layout")
struct LayoutTests {
  @Test("a read of sectors leaves the last one to nobody and the store")
  func readOfSectors() {
    let layout = Layout(.read, length: 4096, pageSize: 4096, alignment: 512, touchLength: 64)
    #expect(layout.io == 0..<3584)
    #expect(layout.untouched == 3584..<4032)
    #expect(layout.touch == 4032..<4096)
    #expect(layout.settled == 0..<3584)
  }

  @Test("a read in blocks of a page covers the store, which is not settled then")
  func readOfPages() {
    let layout = Layout(.read, length: 8192, pageSize: 4096, alignment: 4096, touchLength: 8)
    #expect(layout.io == 0..<8192)
    #expect(layout.untouched.isEmpty)
    #expect(layout.touch == 8184..<8192)
    #expect(layout.settled == 0..<8184)
  }

  @Test("blocks of 4 KiB leave room in larger pages")
  func largePages() {
    let layout = Layout(.read, length: 65536, pageSize: 65536, alignment: 4096, touchLength: 64)
    #expect(layout.io == 0..<61440)
    #expect(layout.untouched == 61440..<65472)
  }

  @Test("a write covers everything", arguments: [512, 4096])
  func write(alignment: Int) {
    let layout = Layout(.write, length: 4096, pageSize: 4096, alignment: alignment, touchLength: 64)
    #expect(layout.io == 0..<4096)
    #expect(layout.untouched.isEmpty)
    #expect(layout.settled == 0..<4032)
  }

  /// Every layout of a target: direction, pages, alignment, store.
  private static let cases = Direction.allCases.flatMap { direction in
    [1, 3, 256].flatMap { pages in
      [1, 4, 512, 1024, 2048, 4096].flatMap { alignment in
        [8, 64].map { (direction, pages, alignment, $0) }
      }
    }
  }

  @Test("settled, untouched and store make up the buffer", arguments: cases)
  func partition(_ direction: Direction, _ pages: Int, _ alignment: Int, _ touchLength: Int) {
    let layout = Layout(
      direction, length: pages * 4096, pageSize: 4096, alignment: alignment, touchLength: touchLength)
    #expect(layout.settled.lowerBound == 0)
    #expect(layout.settled.upperBound == layout.untouched.lowerBound)
    #expect(layout.untouched.upperBound == layout.touch.lowerBound)
    #expect(layout.touch.upperBound == layout.length)
    #expect(layout.io.count % max(alignment, 512) == 0, "direct I/O takes whole blocks")
    #expect(layout.touch.lowerBound % 8 == 0 && layout.settled.upperBound % 8 == 0)
    #expect(layout.touch.lowerBound / 4096 == pages - 1, "the store is in the last page")
  }
}
