import CKernel
import Glibc
import Synchronization

/// One of the direct readers of the free schedule: reads its own pages in turn, each again once it was looked at.
final class FreeReader: Sendable {
  private let pages: [(number: Int, page: FreePage)]
  private let agents: [FreeAgent]
  private let target: any Target
  private let io: IOThread
  private let counter: Mutex<Int>
  private let step: Int
  private let patience: Nanoseconds
  private let stops: Gate
  private let deliver: @Sendable (Result<TrialRecord, any Error>) -> Void
  private let timeline = Timeline()

  /// How long a page waits at most for what was refused to be tried again, in nanoseconds.
  private static let retryPatience: Nanoseconds = 400_000_000
  private static let idle: UInt32 = 200

  /// - Parameters:
  ///   - pages: those that it reads, by their number among all.
  ///   - first: number of its first read; the next are `step` later each, so that no two reads have one.
  ///   - deliver: gets what each read came to.
  init(
    _ pages: [(number: Int, page: FreePage)], agents: [FreeAgent], target: any Target, io: IOThread,
    first: Int, step: Int, patience: Nanoseconds, stops: Gate,
    deliver: @escaping @Sendable (Result<TrialRecord, any Error>) -> Void
  ) {
    self.pages = pages
    self.agents = agents
    self.target = target
    self.io = io
    self.step = step
    self.patience = patience
    self.stops = stops
    self.deliver = deliver
    counter = Mutex(first)
  }

  /// Whether no read is under way.
  var isIdle: Bool { io.isIdle }

  /// Ends its I/O thread, once ``run()`` has ended.
  func stop() { io.stop() }

  /// Reads until it is told to stop.
  /// - Throws: what breaks the harness; nothing is known of the kernel then.
  func run() throws {
    while stops.value == 0 {
      var hasRead = false
      for (index, page) in pages where stops.value == 0 && page.isDone(patience: Self.retryPatience) {
        let (isTaken, record) = page.take()
        guard isTaken else { continue }
        if let record { deliver(verdict(record)) }
        try read(index, page)
        hasRead = true
      }
      if !hasRead { usleep(Self.idle) }
    }
  }

  /// What the page cache has of its range was not read directly.
  private func verdict(_ record: TrialRecord) -> Result<TrialRecord, any Error> {
    if !record.isLoss, target.isCached(offset: record.offset, length: record.length) {
      return .failure(TrialError.notDirect)
    }
    return .success(record)
  }

  private func read(_ index: Int, _ page: FreePage) throws {
    let number = counter.withLock { number in
      defer { number += step }
      return number
    }
    let setup = page.buffer.again(number, page.pages, target: target)
    let filled = Clock.now
    for agent in agents { try agent.prepare(index) }
    timeline.restart()
    page.pages.timeline.restart()
    page.publish(setup, at: filled)
    io.start(setup.transfer, timeline)
    guard let completion = io.finish(timeout: patience) else { throw TrialError.hung }
    // It may be on swap; the verifier brings it back anyway.
    _ = ck_load8(page.pages.addresses[0])
    let frame = try page.pages.entries()[0].frame
    page.settle(
      PageLog.Window(started: completion.started, submitted: completion.submitted, ended: completion.ended),
      frame: frame)
    try completion.requireAll(of: setup.transfer)
  }
}
