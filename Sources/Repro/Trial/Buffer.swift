import CKernel
import Glibc
import Synchronization

/// The memory of a case's I/O: pieces of one kind of memory, each with a page under I/O, its last one.
final class Buffer: Sendable {
  let memory: any Memory
  let layout: Layout
  let pattern: Pattern
  let direction: Direction
  /// How many pages are under I/O.
  let depth: Int
  private let pageMap: PageMap
  private let toucher: Toucher
  /// Whether the I/O goes through the target's page cache.
  let isBuffered: Bool
  private let shape: Shape
  private let alignment: Int
  /// Whether the recipe of 2008 is followed to the letter: 0xff is read over zeros.
  private let isLiteral: Bool

  /// - Parameters:
  ///   - pieceLength: bytes of a piece, whole pages: those before the last one make the I/O longer.
  ///   - alignment: what the target wants of lengths and addresses.
  ///   - touchLength: bytes that the CPU stores to at the end of each piece.
  convenience init(
    _ kind: MemoryKind, _ scenario: Scenario, depth: Int, pieceLength: Int, alignment: Int, touchLength: Int,
    shape: Shape = Shape(), pattern: Pattern
  ) throws(KernelError) {
    try self.init(
      try kind.make(depth, pieceLength), scenario, depth: depth, pieceLength: pieceLength,
      alignment: alignment, touchLength: touchLength, shape: shape, pattern: pattern)
  }

  /// The same in memory that is there already.
  init(
    _ memory: any Memory, _ scenario: Scenario, depth: Int, pieceLength: Int, alignment: Int,
    touchLength: Int, shape: Shape = Shape(), pattern: Pattern
  ) throws(KernelError) {
    self.shape = shape
    self.alignment = alignment
    isLiteral = scenario.isLiteral
    self.depth = depth
    self.pattern = pattern
    direction = scenario.direction
    toucher = scenario.steps.toucher
    isBuffered = scenario.caching == .only
    layout = Layout(
      direction, length: pieceLength, pageSize: kernelPageSize, alignment: alignment,
      touchLength: toucher == .secondRead ? nil : touchLength,
      ioLength: scenario.isLiteral ? Pattern.blockSize : shape.bytes)
    self.memory = memory
    pageMap = try PageMap()
  }

  /// Buffers of I/O that hung for good.
  private static let leaked = Mutex<[Buffer]>([])

  /// Never gives the memory back: an I/O that is still under way would write to whatever is mapped there
  /// next, or crash this process.
  func leak() { Self.leaked.withLock { $0.append(self) } }

  /// One trial's stamps and place.
  struct Setup: Sendable {
    let number: Int
    let transfer: Transfer
    /// The second read, by who touches.
    let second: Transfer
    let content: Stamp
    let fill: Stamp
    let pages: PagesUnderIO
    /// What stood behind the pages when they were proved to be in their state.
    var proved: [PageMapEntry] = []
  }

  /// Values that a page's word is stored to in turn, for stamps that tell them apart.
  static let rounds = 16

  /// The stamp of store number `round` to page number `page` in a trial.
  func store(_ setup: Setup, page: Int, round: Int = 0) -> Stamp {
    Stamp(.store, generation: setup.number + 1, block: page * Self.rounds + round)
  }

  /// All of it, for engines that make memory known to the kernel.
  var region: Segment { Segment(memory: memory.base, length: memory.length) }

  func piece(_ index: Int) -> UnsafeMutableRawPointer { memory.base + index * memory.stride }

  /// What stands in the target where piece number `index` is read from or written to.
  func content(_ setup: Setup, _ index: Int) -> Stamp {
    var content = setup.content
    content.block += (index * layout.io.count - layout.io.lowerBound) / Pattern.blockSize
    return content
  }

  /// The fill of piece number `index`.
  func fill(_ setup: Setup, _ index: Int) -> Stamp {
    var fill = setup.fill
    fill.block += index * (layout.length / Pattern.blockSize)
    return fill
  }

  /// Gives the trial fresh memory that says "not yet read", or holds what is to be written.
  /// - Throws: KernelError, or TrialError.stateMissed.
  func setUp(
    _ number: Int, target: any Target, schedule: Schedule, timeline: Timeline, patience: Nanoseconds
  ) throws -> Setup {
    if toucher == .secondRead, layout.touch.isEmpty {
      throw TrialError.stateMissed(
        "the target's blocks are as large as a page, so no part is left to a second read")
    }
    try memory.renew()
    return again(number, pages(schedule, timeline, patience), target: target)
  }

  /// The pages under I/O.
  func pages(_ schedule: Schedule, _ timeline: Timeline, _ patience: Nanoseconds) -> PagesUnderIO {
    let pageStart = layout.length - kernelPageSize
    return PagesUnderIO(
      memory: memory, addresses: (0..<depth).map { piece($0) + pageStart }, stride: memory.stride,
      size: kernelPageSize, schedule: schedule, timeline: timeline, pageMap: pageMap, patience: patience,
      transfer: .none)
  }

  /// Fills the pages for a trial, with nothing made anew.
  func again(_ number: Int, _ pages: PagesUnderIO, target: any Target) -> Setup {
    let ioLength = layout.io.count
    let secondLength = toucher == .secondRead ? layout.touch.count : 0
    var (offset, content) = target.place(
      trial: number, length: ioLength * depth + secondLength * depth, direction)
    if isLiteral, let ones = target.onesOffset { (offset, content) = (ones, .ones) }
    // Trial 0 is generation 1: generation 0 is the file's.
    let fill = memory.isZero || isLiteral ? Stamp.zeros : Stamp(.fill, generation: number + 1, block: 0)
    let transfer = Transfer(
      direction: direction,
      descriptor: isBuffered ? target.buffered ?? target.descriptor : target.descriptor(for: direction),
      segments: (0..<depth).flatMap {
        shape.cut(
          Segment(memory: piece($0) + layout.io.lowerBound, length: ioLength),
          unit: max(alignment, Pattern.blockSize))
      }, offset: offset)
    let second = Transfer(
      direction: .read, descriptor: target.descriptor,
      segments: (0..<depth).map {
        Segment(memory: piece($0) + layout.touch.lowerBound, length: secondLength)
      }, offset: offset + Int64(ioLength * depth))
    var pages = pages
    pages.transfer = transfer
    let setup = Setup(
      number: number, transfer: transfer, second: second, content: content, fill: fill, pages: pages)
    if memory.isFilled {
      for index in 0..<depth { pattern.fill(piece(index), 0..<layout.length, with: self.fill(setup, index)) }
    }
    return setup
  }

  /// Brings the pages into the state of their kind, which whatever is done to them before the I/O may end,
  /// and proves it.
  /// - Returns: what pagemap has of them.
  /// - Throws: KernelError, or TrialError.stateMissed.
  func reachState(_ setup: Setup) throws -> [PageMapEntry] {
    try memory.enter(setup.pages)
    let entries = try setup.pages.entries()
    // The flags of one page: all were made in the same way.
    if case .missed(let what) = try memory.prove(entries, entries[0].frame.flatMap(PageFlags.of)) {
      throw TrialError.stateMissed(what)
    }
    return entries
  }
}
