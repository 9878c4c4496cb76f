import CKernel
import SystemPackage

/// The race schedule, the recipe of 2008: three threads run free, and only their start is steered.
/// ```
///  I/O thread              hazard                       store thread
///  (at the line)           |
///  |  (drawn offset)       |  (drawn offset)            store to the page's last word
///  read(buf) --+           |                            store to the page's last word
///              |           act on the last page         store ...
///              |           store to the word before     store ...
///  <-----------+           |                            store ...
///  (stop, verify, settle, verify again)
/// ```
/// The offset between I/O and hazard is drawn by ``RaceSteering``. What counts is said by ``RaceTimes``.
struct Race {
  let bench: Bench
  let storer: Storer
  let name: String
  let seed: UInt64

  /// Where to aim.
  private(set) var steering: RaceSteering

  /// Bytes at the end of a page that are stored to: one word by who acts, one by the store thread.
  static let touchLength = 16

  /// From when the I/O's thread is told its time until then, at the least.
  private static let lead: Nanoseconds = 5_000

  init(_ one: Case, bench: Bench, storer: Storer, seed: UInt64, _ steering: RaceSteering) {
    self.bench = bench
    self.storer = storer
    self.seed = seed
    self.steering = steering
    name = "\(one.name)"
  }

  /// Bytes of a piece of I/O.
  var length: Int { buffer.layout.length }
  private var buffer: Buffer { bench.buffer }
  private var scenario: Scenario { bench.scenario }
  private var stores: Bool { scenario.steps.toucher == .store }
  /// Words of the touch, from the start of the piece: the hazard's thread stores to the first.
  private var ownWord: Int { buffer.layout.touch.lowerBound }
  private var freeWord: Int { buffer.layout.touch.lowerBound + 8 }

  /// Runs trial `number`.
  /// - Parameter isBrief: the trial is told in brief; see ``TrialRecord/inBrief``.
  /// - Throws: KernelError or TrialError; then nothing is known of the kernel.
  mutating func run(_ number: Int, isBrief: Bool) throws -> TrialRecord {
    bench.timeline.isKept = !isBrief
    let setup = try setUpAtLine(number)
    let pages = setup.pages
    var isSettled = false
    defer { if !isSettled { for hazard in bench.hazards { _ = try? hazard.settle(pages) } } }
    var facts = Judge.Facts()
    facts.observations = setup.proved.map { Observation(arrival: $0) }

    let aim = steering.aim(seed: seed, case: name, trial: number)
    let values = stores ? freeValues(setup) : []
    start(setup.transfer, aim)
    let tolerates = bench.hazards.allSatisfy(\.toleratesStores)
    // Not earlier: with two CPUs, one that stores all the time keeps the I/O from being issued.
    if stores && tolerates { startStorer(values) }
    let hazardStart = Clock.now
    let acted = act(pages)
    let hazardEnd = Clock.now
    if stores { touch(setup, &facts) }
    let touchEnd = Clock.now
    if stores && !tolerates { startStorer(values) }

    // Both threads stop before anything is thrown: they use the buffer.
    let completion = bench.io.finish(timeout: bench.patience)
    let count = stores ? storer.finish() : 0
    facts.outcomes = try acted.get()
    guard let completion else { throw TrialError.hung }
    bench.detach()
    try completion.requireAll(of: setup.transfer)
    let times = RaceTimes(
      started: completion.started, submitted: completion.submitted, ended: completion.ended,
      hazardStart: hazardStart, hazardEnd: hazardEnd, touchEnd: touchEnd)
    let mayOutlast = bench.hazards.allSatisfy(\.mayOutlastIO)
    let mayPrecede = bench.hazards.allSatisfy(\.mayPrecedeIO)
    facts.isInFlight =
      mayPrecede ? times.meets : mayOutlast ? times.hasBegunInFlight : times.isInFlight
    facts.isEntering = times.isEntering && !mayPrecede
    mark(facts, times, stores: count)
    var exposed = 0.0
    defer { steering.learn(aim, times, hits: exposed) }
    for (page, entry) in try pages.entries().enumerated() { facts.observations[page].end = entry }
    isSettled = true
    let findings = try lookTwice(setup, touched(setup, count), isBrief)
    if findings.pages.isEmpty { try bench.judge.requireWay(setup) }
    if facts.isInFlight || facts.isEntering { try facts.retry(bench.hazards, pages) }
    var record = try bench.judge.record(setup, bench.hazards, facts, findings)
    record.overlap = times.overlap
    exposed = Double(record.inFlight) / Double(record.depth)
    return isBrief ? record.inBrief : record
  }

  /// Sets the trial up while the I/O's thread comes to its line: waking it takes as long. An engine that has to know
  /// the buffer is told of it by that thread, before.
  private func setUpAtLine(_ number: Int) throws -> Buffer.Setup {
    if bench.registers {
      let setup = try bench.setUp(number)
      try bench.attach()
      bench.io.callToLine()
      return setup
    }
    bench.io.callToLine()
    do {
      return try bench.setUp(number)
    } catch {
      bench.io.leaveLine(timeout: bench.patience)
      throw error
    }
  }

  /// Starts the I/O, and returns when the hazard is to start.
  private func start(_ transfer: Transfer, _ aim: RaceSteering.Aim) {
    bench.io.awaitAtLine(timeout: bench.patience)
    let start = Clock.now + Self.lead
    bench.io.go(transfer, bench.timeline, at: start + max(0, -aim.shift))
    Clock.spin(until: start + max(0, aim.shift))
  }

  private func act(_ pages: PagesUnderIO) -> Result<[[HazardOutcome]], KernelError> {
    var outcomes: [[HazardOutcome]] = []
    do throws(KernelError) {
      for hazard in bench.hazards { outcomes.append(try hazard.act(pages)) }
      return .success(outcomes)
    } catch {
      return .failure(error)
    }
  }

  // MARK: Stores

  private func touch(_ setup: Buffer.Setup, _ facts: inout Judge.Facts) {
    let before = ck_thread_faults()
    for page in 0..<buffer.depth {
      let word = buffer.pattern.word(buffer.store(setup, page: page), at: ownWord)
      ck_store64(buffer.piece(page) + ownWord, word)
    }
    // Shared among the pages: a system call after each store would leave the hazard's window.
    let faults = ck_thread_faults() - before
    for page in 0..<buffer.depth where page < faults { facts.observations[page].faults = 1 }
  }

  private func freeValues(_ setup: Buffer.Setup) -> [UInt64] {
    (0..<buffer.depth).flatMap { page in
      (0..<Buffer.rounds).map {
        buffer.pattern.word(buffer.store(setup, page: page, round: $0), at: freeWord)
      }
    }
  }

  private func startStorer(_ values: [UInt64]) {
    storer.start(
      buffer.memory.base + freeWord, stride: buffer.memory.stride, places: buffer.depth, values,
      rounds: Buffer.rounds)
  }

  /// What the words of the touch must hold, after `count` free stores.
  private func touched(_ setup: Buffer.Setup, _ count: UInt64) -> Judge.Touched {
    let depth = UInt64(buffer.depth)
    let own = (0..<buffer.depth).map { stores ? buffer.store(setup, page: $0) : nil }
    let free = (0..<buffer.depth).map { page -> Stamp? in
      // Store k went to place k % depth.
      let made = count > UInt64(page) ? (count - UInt64(page) + depth - 1) / depth : 0
      return made == 0
        ? nil : buffer.store(setup, page: page, round: Int((made - 1) % UInt64(Buffer.rounds)))
    }
    return Judge.Touched(words: [(ownWord..<ownWord + 8, own), (freeWord..<freeWord + 8, free)])
  }

  /// Looks, undoes the hazards, and looks again if all was well.
  private func lookTwice(
    _ setup: Buffer.Setup, _ touched: Judge.Touched, _ isBrief: Bool
  ) throws -> Judge.Findings {
    var findings = bench.judge.look(setup, .first, touched, isBrief: isBrief)
    findings.add(
      try bench.judge.lookOnTarget(setup) { page in
        (0..<Buffer.rounds).map { buffer.store(setup, page: page, round: $0) }
      })
    // A child born before the data arrived may see it arrive: what it saw is no damage here.
    for hazard in bench.hazards.reversed() {
      let views = try hazard.settle(setup.pages)
      if hazard.viewsHoldInRaces { findings.add(bench.judge.damage(setup, in: views)) }
    }
    if findings.pages.isEmpty {
      let second = bench.judge.look(setup, .second, touched)
      findings.add(bench.judge.new(second, after: findings, bench.hazards))
    }
    return findings
  }

  private func mark(_ facts: Judge.Facts, _ times: RaceTimes, stores: UInt64) {
    bench.timeline.mark(.hazard, "begins", at: times.hazardStart)
    for outcomes in facts.outcomes {
      bench.timeline.mark(.hazard, outcomes.first?.text ?? "", at: times.hazardEnd)
    }
    if self.stores {
      bench.timeline.mark(.hazard, "stored to byte \(ownWord)", at: times.touchEnd)
      bench.timeline.mark(.store, "\(stores) stores from byte \(freeWord) on until here")
    }
  }
}
