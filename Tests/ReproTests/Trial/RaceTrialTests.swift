import CKernel
import Glibc
import SystemPackage
import Testing

@testable import Repro

/// The race schedule on a target and an engine of memory, whose I/O and hazard wait for each other: which
/// came first is known, and the record must say what that makes of the trial.
@Suite("Race trial")
struct RaceTrialTests {
  private typealias Deliver = @Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int

  private static let pattern = Pattern(seed: 12)
  private static let patience = Clock.seconds(20)

  /// - Parameters:
  ///   - hazard: gets the target; the I/O is back only after it has released that.
  ///   - steering: where the offset between the two is drawn from.
  private func trial(
    _ number: Int = 0, isBuffered: Bool = false, isBrief: Bool = false,
    steering: RaceSteering = RaceSteering(),
    deliver: @escaping Deliver = MemoryEngine.right, views: [View] = [], viewsHold: Bool = false,
    _ hazard: @escaping @Sendable (MemoryTarget, PagesUnderIO) throws(KernelError) -> Void
  ) throws -> TrialRecord {
    let target = MemoryTarget(Self.pattern, isBuffered: isBuffered)
    let told = ToldHazard(
      toleratesStores: false, viewsHoldInRaces: viewsHold,
      act: { (pages) throws(KernelError) in
        try hazard(target, pages)
        return .applied("done")
      }, settle: { _ in views })
    let scenario = Scenario("told", "as told", losses: [.lostRead]) { _ throws(KernelError) in told }
    let one = Case(
      scenario: scenario, memory: .anon, engine: .pread, target: TargetSpec(.scratch), schedule: .race)
    let bench = try Bench(
      one, target, depth: 1, length: kernelPageSize, touchLength: Race.touchLength, pattern: Self.pattern,
      patience: Self.patience
    ) { _ throws(KernelError) in MemoryEngine(target, deliver: deliver) }
    defer { bench.close() }
    let storer = try Storer()
    defer { storer.stop() }
    var race = Race(one, bench: bench, storer: storer, seed: 1, steering)
    return try race.run(number, isBrief: isBrief)
  }

  /// Waits until the I/O has reached the target, and lets it go.
  private static let meets: @Sendable (MemoryTarget, PagesUnderIO) throws(KernelError) -> Void = {
    (target, pages) throws(KernelError) in
    if !target.arrivals.wait(until: 1, timeout: patience) { throw KernelError("wait for the I/O", .timedOut) }
    try target.release()
  }

  /// Lets the I/O go, and waits until it is back.
  private static let outlasts: @Sendable (MemoryTarget, PagesUnderIO) throws(KernelError) -> Void = {
    (target, pages) throws(KernelError) in
    try target.release()
    let deadline = Clock.now + patience
    while !pages.timeline.marks.contains(where: { $0.what.hasPrefix("returned") }) {
      if Clock.now > deadline { throw KernelError("wait for the I/O", .timedOut) }
      usleep(100)
    }
  }

  /// Brings the data once the free thread stores, which it does after the touch.
  private static let last: Deliver = { (transfer, target) throws(KernelError) in
    let word = transfer.segments[0].memory + kernelPageSize - 8
    let before = try read(word)
    let deadline = Clock.now + patience
    while try read(word) == before {
      if Clock.now > deadline { throw KernelError("wait for the stores", .timedOut) }
      usleep(100)
    }
    return try MemoryEngine.right(transfer, target)
  }

  /// Reads memory as the kernel does, unseen by the thread sanitizer: that the store races is the point.
  private static func read(_ address: UnsafeMutableRawPointer) throws(KernelError) -> UInt64 {
    let memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC)
    defer { close(memory) }
    var word: UInt64 = 0
    let count = pread(memory, &word, 8, off_t(Int(bitPattern: address)))
    if count != 8 { throw .last("read /proc/self/mem") }
    return word
  }

  @Test("a hazard that ends after the I/O exposes nothing, in neither class")
  func late() throws {
    for number in 0..<8 {
      let record = try trial(number, Self.outlasts)
      #expect(record.inFlight == 0 && record.entering == 0 && record.guards.isEmpty, "\(record.timeline)")
      #expect(record.overlap == .acrossEnd || record.overlap == .around)
      #expect(!record.isExposure && !record.isLoss && record.hazards == [.applied("done")])
    }
  }

  /// Which one it is depends on which thread was there first; both are drawn.
  @Test("hazard and store within the I/O are in flight, or entering if the I/O was issued under the hazard")
  func overlapping() throws {
    let windows = [
      RaceSteering(io: 5_000_000),
      RaceSteering(hazard: 5_000_000),
    ]
    for number in 0..<8 {
      let record = try trial(number, steering: windows[number % 2], deliver: Self.last, Self.meets)
      #expect(record.inFlight + record.entering == 1, "\(record.timeline)")
      #expect(record.overlap == (record.inFlight == 1 ? .inside : .acrossStart))
      #expect(!record.isLoss && record.guards == (record.inFlight == 1 ? ["told-holds": 1] : [:]))
      let times = record.timeline
      let io = times.first { $0.agent == "I/O thread" }?.at ?? 0
      let hazard = times.first { $0.what == "begins" }?.at ?? 0
      #expect((record.inFlight == 1) == (io <= hazard), "\(times)")
    }
  }

  @Test("what is lost is a loss wherever the hazard was")
  func lost() throws {
    let record = try trial(deliver: MemoryEngine.idle, Self.outlasts)
    #expect(record.isLoss && record.damage.map(\.kind) == [.lostRead] && record.entering == 0)
  }

  @Test("in brief a loss is counted and not described, unless the scenario does not explain it")
  func brief() throws {
    let brief = try trial(isBrief: true, deliver: MemoryEngine.idle, Self.meets)
    #expect(
      brief.lost == [0] && brief.isExplained && brief.damage.isEmpty && brief.timeline.isEmpty
        && brief.isBrief)
    #expect(brief.frameBefore != nil && brief.hazards == [.applied("done")])
    let spoilt: Deliver = { (transfer, target) throws(KernelError) in
      memset(transfer.segments[0].memory, 0, 64)
      return transfer.length
    }
    let unexplained = try trial(isBrief: true, deliver: spoilt, Self.meets)
    #expect(!unexplained.isExplained && unexplained.damage.map(\.kind) == [.zeroed, .lostRead])
  }

  @Test("views are damage only where they hold whenever the hazard came", arguments: [true, false])
  func views(hold: Bool) throws {
    let other = try AddressRange(length: kernelPageSize)
    try AddressRange.map(other.base, other.length, MAP_PRIVATE | MAP_ANONYMOUS)
    let view = View(page: 0, copy: other.base, region: .cache, content: .data)
    let record = try trial(views: [view], viewsHold: hold, Self.outlasts)
    #expect(record.damage.map(\.kind) == (hold ? [.zeroed] : []))
  }

  @Test("an I/O through the page cache exposes nothing; what it loses is lost all the same")
  func buffered() throws {
    #expect(throws: TrialError.notDirect) { try trial(isBuffered: true, Self.outlasts) }
    #expect(try trial(isBuffered: true, deliver: MemoryEngine.idle, Self.outlasts).isLoss)
    #expect(TrialError.notDirect.isMiss)
  }
}
