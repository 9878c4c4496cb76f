import CKernel
import SystemPackage

/// The race schedule, the recipe of 2008: three threads run free, and only their start is steered.
/// ```
///  I/O thread              hazard                       store thread
///  |  (drawn offset)       |  (drawn offset)            store to the last word
///  read(buf) --+           |                            store to the last word
///              |           act on the last page         store ...
///              |           |                            store ...
///  <-----------+           |                            store ...
///  (stop, verify, settle, verify again)
/// ```
/// The offset between I/O and hazard is drawn so that every overlap of the two comes up. A trial
/// counts as an exposure only when the hazard began and ended within the I/O's call.
struct RaceTrial {
  let bench: Bench
  let hazard: any Hazard
  let storer: StoreThread
  let seed: UInt64

  /// How long I/O and hazard took lately; the window that offsets are drawn from.
  private(set) var ioLength: Nanoseconds
  private(set) var hazardLength: Nanoseconds

  private static let storeValues = 16
  /// Time for both threads to reach their starting points.
  private static let lead: Nanoseconds = 40_000

  init(bench: Bench, hazard: any Hazard, storer: StoreThread, seed: UInt64, window: RaceWindow) {
    self.bench = bench
    self.hazard = hazard
    self.storer = storer
    self.seed = seed
    ioLength = window.io
    hazardLength = window.hazard
  }

  /// Runs trial `number`.
  /// - Throws: KernelError or TrialError; then nothing is known of the kernel.
  mutating func run(_ number: Int) throws -> TrialRecord {
    let setup = try bench.setUp(number)
    try hazard.prepare(setup.page)
    var isSettled = false
    defer { if !isSettled { _ = try? hazard.settle(setup.page) } }
    let frameBefore = bench.frame(setup)
    let stamps = (0..<Self.storeValues).map { Stamp(.store, generation: number + 1, block: $0) }
    let values = stamps.map { bench.pattern.word($0, at: bench.layout.store.lowerBound) }

    let window = RaceWindow(io: ioLength, hazard: hazardLength)
    let shift = window.shift(seed: seed, cell: bench.cell, trial: number)
    let start = Clock.now + Self.lead
    bench.io.start(setup.transfer, bench.timeline, notBefore: start + max(0, -shift))
    Clock.spin(until: start + max(0, shift))
    // Not earlier: with two CPUs, one that stores all the time keeps the I/O from being issued.
    let word = bench.arena.base + bench.layout.store.lowerBound
    if hazard.toleratesStores { storer.start(word, values) }
    let hazardStart = Clock.now
    let acted: Result<HazardOutcome, KernelError>
    do throws(KernelError) { acted = .success(try hazard.act(setup.page)) } catch { acted = .failure(error) }
    let hazardEnd = Clock.now
    if !hazard.toleratesStores { storer.start(word, values) }

    // Both threads stop before anything is thrown: they use the buffer.
    let completion = bench.io.finish(timeout: bench.patience)
    let stores = storer.finish()
    let outcome = try acted.get()
    guard let completion else { throw TrialError.hung }
    try completion.requireAll(of: setup.transfer)
    mark(outcome, hazardStart, hazardEnd, stores: stores)
    steer(io: completion.ended - completion.started, hazard: hazardEnd - hazardStart)

    let last = stamps[Int((stores - 1) % UInt64(Self.storeValues))]
    let frameAfter = bench.frame(setup)
    var damage = bench.look(setup, .first, store: last)
    damage += try bench.lookOnTarget(setup, stores: stamps)
    // A child born before the data arrived may see it arrive: what it saw is no damage here.
    isSettled = true
    _ = try hazard.settle(setup.page)
    if damage.isEmpty { damage = hazard.naming(bench.look(setup, .second, store: last)) }

    let nested = completion.started <= hazardStart && hazardEnd <= completion.ended
    let again = outcome.isApplied || !nested ? nil : try hazard.actWithoutIO(setup.page)
    return TrialRecord(
      cell: bench.cell, trial: number,
      isExposure: nested && (outcome.isApplied || again?.isApplied == true) || !damage.isEmpty,
      hazard: outcome, withoutIO: again, damage: damage, frameBefore: frameBefore, frameAfter: frameAfter,
      offset: setup.transfer.offset, length: setup.transfer.length,
      timeline: damage.isEmpty ? [] : bench.timeline.marks)
  }

  private func mark(_ outcome: HazardOutcome, _ start: Nanoseconds, _ end: Nanoseconds, stores: UInt64) {
    bench.timeline.mark(.hazard, "begins", at: start)
    bench.timeline.mark(.hazard, outcome.text, at: end)
    bench.timeline.mark(.store, "\(stores) stores to byte \(bench.layout.store.lowerBound) until here")
  }

  /// Moving averages over about 16 trials.
  private mutating func steer(io: Nanoseconds, hazard: Nanoseconds) {
    ioLength += (io - ioLength) / 16
    hazardLength += (hazard - hazardLength) / 16
  }
}

/// Lengths of an I/O and of a hazard that do not overlap, in nanoseconds.
struct RaceWindow {
  var io: Nanoseconds
  var hazard: Nanoseconds

  /// How much later than the I/O the hazard starts in one trial; negative when it starts first. From
  /// "ends as the I/O starts" to "starts as the I/O ends": every overlap comes up.
  func shift(seed: UInt64, cell: String, trial: Int) -> Nanoseconds {
    var generator = SplitMix64(seed: seed, cell: cell, trial: trial)
    return .random(in: -hazard...max(io, 1), using: &generator)
  }
}
