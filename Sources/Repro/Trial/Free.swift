import CKernel
import Glibc
import Synchronization

/// The free schedule: several direct readers, each hazard on a thread of its own, a thread that stores, and a
/// verifier that never stops, all at once in one process. Nobody waits for anybody; what a read was exposed
/// to is found afterwards, in the log of its page.
/// ```
///  reader 1   reader 2   hazard A       hazard B       store thread     verifier
///  fill p     fill q     act on p       act on q       store to p, r    look at s
///  read p     |          store to p     act on p       store to q, s    look at r
///  |          read q     log of p       store to p     store to p, r    look at s
///  |          |          act on r       log of q, p    ...              look at r
///  p settled  |          ...            ...                             look at p, s, r
/// ```
/// A loss names what each hazard did last to its page. A clean verdict counts reads within which a hazard
/// and its store were done, by ``PageLog``.
final class Free {
  private let pages: [FreePage]
  private let readers: [FreeReader]
  private let memory: any Memory
  private let stops = Gate()
  private var threads: [SystemThread] = []
  private let results = Results()
  private let patience: Nanoseconds
  /// What was nobody's before; nil where others run too.
  private let ledger: PageLedger?

  /// Pages that wait in lists of their CPUs, or that the kernel took meanwhile.
  private static let strayPages = 128
  private static let readerCount = Schedule.freeReaders
  private static let pagesEach = Schedule.pagesOfReader
  private static let pageCount = Schedule.freePages
  /// Nanoseconds of an I/O that has room for hazards, also when it need not wait for those of other readers.
  private static let longEnough: Nanoseconds = 50_000_000
  /// Bytes of an I/O, those to try; short ones are over too soon where the target is quick.
  private static let lengths = [256 << 10, 128 << 10, 64 << 10, 16 << 10]
  private static let probes = 4
  private static let idle: UInt32 = 50

  /// - Parameter patience: nanoseconds that an I/O may take.
  /// - Throws: KernelError or TrialError.
  init(
    _ one: Case, _ target: any Target, pattern: Pattern, seed: UInt64, patience: Nanoseconds,
    makeEngine: @escaping @Sendable (Int) throws(KernelError) -> any Engine
  ) throws {
    self.patience = patience
    ledger = PageLedger.isAlone ? try PageLedger.now() : nil
    var ios: [IOThread] = []
    for _ in 0..<Self.readerCount {
      ios.append(
        try IOThread(one.engine, depth: 1, makeEngine: makeEngine) { () throws(KernelError) in
          try target.openOnIOThread()
        })
    }
    let length = try Self.length(of: target, ios[0], patience)
    let memory = try one.memory.make(Self.pageCount, length)
    self.memory = memory
    try memory.renew()
    func buffer(_ memory: any Memory, _ count: Int) throws(KernelError) -> Buffer {
      try Buffer(
        memory, one.scenario, depth: count, pieceLength: length, alignment: target.alignment,
        touchLength: FreePage.touchLength, pattern: pattern)
    }
    var pages: [FreePage] = []
    for index in 0..<Self.pageCount {
      let own = try buffer(MemorySlice(memory, index), 1)
      let stores: [FreePage.Stores] =
        one.scenario.steps.toucher == .none ? [.never] : [.always, .byAgents, .never, .never]
      pages.append(
        FreePage(
          own, try Judge(own, target, one.scenario, [], one.name),
          own.pages(.free, Timeline(), patience), stores: stores[index % stores.count]))
    }
    self.pages = pages
    let whole = try buffer(memory, Self.pageCount)
    pattern.fill(memory.base, 0..<memory.length, with: Stamp(.fill, generation: 0, block: 0))
    let all = whole.pages(.free, Timeline(), patience)
    var agents: [FreeAgent] = []
    for (word, agent) in one.scenario.agents.filter({ $0.missing == nil }).enumerated() {
      agents.append(
        try FreeAgent(agent, pages: pages, all: all, word: word, seed: seed, stops: stops))
    }
    let (results, stops) = (results, stops)
    readers = (0..<Self.readerCount).map { reader in
      FreeReader(
        (0..<Self.pagesEach).map { (reader * Self.pagesEach + $0, pages[reader * Self.pagesEach + $0]) },
        agents: agents, target: target, io: ios[reader], first: reader, step: Self.readerCount,
        patience: patience, stops: stops
      ) { results.add($0) }
    }
    do throws(KernelError) {
      try start(agents)
    } catch {
      close()
      throw error
    }
  }

  /// The longest that does not keep a reader for too long where the target is slow, as in guests.
  private static func length(of target: any Target, _ io: IOThread, _ patience: Nanoseconds) throws -> Int {
    for length in lengths {
      let range = try AddressRange(length: length)
      try AddressRange.map(range.base, range.length, MAP_PRIVATE | MAP_ANONYMOUS)
      let transfer = Transfer(
        direction: .read, descriptor: target.descriptor,
        segments: [Segment(memory: range.base, length: length)],
        offset: target.place(trial: 0, length: length, .read).offset)
      // The first ones may be quicker than a throttled disk allows for long.
      var lasted: Nanoseconds = 0
      for _ in 0..<probes {
        io.start(transfer, Timeline())
        guard let completion = io.finish(timeout: patience) else { throw TrialError.hung }
        try completion.requireAll(of: transfer)
        lasted = completion.ended - completion.started
      }
      if lasted <= longEnough { return length }
    }
    return kernelPageSize
  }

  // MARK: Threads

  private func start(_ agents: [FreeAgent]) throws(KernelError) {
    for reader in readers { try thread { try reader.run() } }
    for agent in agents { try thread { try agent.run() } }
    let (pages, stops) = (pages, stops)
    try thread {
      while stops.value == 0 {
        for page in pages { page.storeFreely() }
        usleep(Self.idle)
      }
    }
    try thread {
      while stops.value == 0 {
        for page in pages { page.look() }
        usleep(Self.idle)
      }
    }
  }

  private func thread(_ run: @escaping @Sendable () throws -> Void) throws(KernelError) {
    let results = results
    threads.append(
      try SystemThread {
        do { try run() } catch { results.add(.failure(error)) }
      })
  }

  /// What the next read came to that is over and was looked at.
  /// - Throws: what broke an agent; then nothing is known of the kernel.
  func next() throws -> TrialRecord { try results.next(patience: 2 * patience) }

  /// Ends all threads. The memory stays for good where an I/O does.
  func close() {
    stops.advance()
    for thread in threads { thread.join() }
    threads = []
    for reader in readers { reader.stop() }
    memory.leave()
    if !readers.allSatisfy(\.isIdle) { for page in pages { page.buffer.leak() } }
  }

  /// Pages that are nobody's once all is over; nil where others run, whose pages would be counted.
  private func unownedPages() throws -> Int? {
    guard let before = ledger, readers.allSatisfy(\.isIdle) else { return nil }
    try memory.renew()
    return try PageLedger.now().unowned - before.unowned
  }

  /// Ends all threads, and gives the memory back: its pages, and what they had on swap, must be gone.
  /// - Parameter reads: how many there were.
  /// - Returns: the record of a leak, if there is one.
  func end(after reads: Int) throws -> TrialRecord? {
    close()
    guard let left = try unownedPages(), left > max(Self.strayPages, reads / 2) else { return nil }
    return pages[0].judge.leak(
      left, after: reads, "\(left) anonymous pages more than before are nobody's, after \(reads) reads",
      "all agents are gone, and the memory was given back")
  }

  /// What the reads came to, in the order of their ends.
  private final class Results: @unchecked Sendable {  // `taken` is the trial's thread's alone
    private let waiting = Mutex<[Result<TrialRecord, any Error>]>([])
    private let arrivals = Gate()
    private var taken: UInt32 = 0

    func add(_ result: Result<TrialRecord, any Error>) {
      waiting.withLock { $0.append(result) }
      arrivals.advance()
    }

    func next(patience: Nanoseconds) throws -> TrialRecord {
      taken &+= 1
      guard arrivals.wait(until: taken, timeout: patience) else { throw TrialError.hung }
      return try waiting.withLock { $0.removeFirst() }.get()
    }
  }
}
