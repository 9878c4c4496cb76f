import CKernel

/// What all trials of a cell share: buffer, target, the thread that does the I/O, and the verifier.
final class Bench: @unchecked Sendable {  // the trial's thread owns it; other threads get its parts
  let cell: String
  let schedule: Schedule
  let direction: Direction
  let pattern: Pattern
  let target: any Target
  let layout: Layout
  let arena: Arena
  let io: IOThread
  let timeline = Timeline()
  let patience: Nanoseconds

  private let verifier: Verifier
  private let pageMap: PageMap
  private let readBackBuffer: Arena

  /// - Parameters:
  ///   - length: of the buffer, in bytes; whole pages.
  ///   - storeLength: bytes at the buffer's end that the CPU stores to.
  ///   - patience: nanoseconds that any wait for the kernel may take.
  init(
    cell: Cell, pattern: Pattern, target: any Target, engine: any Engine, length: Int, storeLength: Int,
    patience: Nanoseconds
  ) throws(KernelError) {
    self.cell = cell.name
    schedule = cell.schedule
    direction = cell.scenario.direction
    self.pattern = pattern
    self.target = target
    self.patience = patience
    let pageSize = kernelPageSize
    layout = Layout(
      direction, length: length, pageSize: pageSize, alignment: target.alignment, storeLength: storeLength)
    arena = try Arena(pages: length / pageSize + 1, pageSize: pageSize)
    readBackBuffer = try Arena(pages: length / pageSize, pageSize: pageSize)
    verifier = Verifier(pattern)
    pageMap = try PageMap(pageSize: pageSize)
    let holding = target as? any HoldingTarget
    io = try IOThread(engine: engine) { () throws(KernelError) in try holding?.openOnIOThread() }
  }

  func close() { io.stop() }

  /// One trial's stamps and place.
  struct Setup {
    let number: Int
    let transfer: Transfer
    let content: Stamp
    let fill: Stamp
    let store: Stamp
    let page: PageUnderIO
  }

  /// Gives the trial a fresh buffer that says "not yet read", or holds what is to be written.
  func setUp(_ number: Int) throws(KernelError) -> Setup {
    try arena.renew()
    let (offset, content) = target.place(trial: number, length: layout.io.count, direction)
    // Trial 0 is generation 1: generation 0 is the file's.
    let fill = Stamp(.fill, generation: number + 1, block: 0)
    pattern.fill(arena.base, 0..<layout.length, with: fill)
    let transfer = Transfer(
      direction: direction, descriptor: target.descriptor, memory: arena.base, length: layout.io.count,
      offset: offset)
    let pageStart = layout.length - arena.pageSize
    let page = PageUnderIO(
      arena: arena, address: arena.base + pageStart, twin: arena.base + layout.length,
      size: arena.pageSize, schedule: schedule, timeline: timeline,
      leak: { [self] copy in leak(in: copy, content: content, fill: fill) }, patience: patience)
    timeline.restart()
    return Setup(
      number: number, transfer: transfer, content: content, fill: fill,
      store: Stamp(.store, generation: number + 1, block: 0), page: page)
  }

  func frame(_ setup: Setup) -> UInt64? { pageMap.frame(of: setup.page.address) }

  /// Compares memory with what it must hold now: the whole buffer at the first look, at the second
  /// its last page, the only one that a hazard touches.
  func look(_ setup: Setup, _ look: Damage.Look, store: Stamp) -> [Damage] {
    let from = look == .first ? 0 : layout.length - arena.pageSize
    func clamp(_ range: Range<Int>) -> Range<Int> {
      max(range.lowerBound, from)..<max(range.upperBound, from)
    }
    // A store inside of a read may lose against the data: either is right there.
    let mayBeOverwritten = direction == .read && layout.io.upperBound > layout.store.lowerBound
    let io = direction == .read ? setup.content : setup.fill
    let expectations = [
      Expectation(.io, clamp(layout.settled), expected: io, previous: setup.fill),
      Expectation(.untouched, clamp(layout.untouched), expected: setup.fill, previous: setup.fill),
      Expectation(
        .store, layout.store, expected: store, previous: setup.fill,
        or: mayBeOverwritten ? [setup.content] : []),
    ]
    return verifier.damage(in: arena.base, expectations, look: look)
  }

  /// Compares what a direct write left on the target: before or after the store, never anything else.
  func lookOnTarget(_ setup: Setup, stores: [Stamp]) throws(KernelError) -> [Damage] {
    guard direction == .write else { return [] }
    try target.readBack(offset: setup.transfer.offset, into: readBackBuffer.base, length: layout.io.count)
    return verifier.damage(
      in: readBackBuffer.base,
      [
        Expectation(.disk, layout.settled, expected: setup.fill, previous: setup.content),
        Expectation(.disk, layout.store, expected: setup.fill, previous: setup.content, or: stores),
      ])
  }

  private func leak(in copy: UnsafeRawPointer, content: Stamp, fill: Stamp) -> [Damage] {
    let start = layout.length - arena.pageSize
    let range = max(layout.settled.lowerBound, start) - start..<layout.settled.upperBound - start
    guard direction == .read, !range.isEmpty else { return [] }
    let blocks = start / Pattern.blockSize
    let mustBe = Stamp(.fill, generation: fill.generation, block: fill.block + blocks)
    let mustNotBe = Stamp(.file, generation: content.generation, block: content.block + blocks)
    return verifier.damage(in: copy, [Expectation(.child, range, expected: mustBe, previous: mustNotBe)])
  }
}
