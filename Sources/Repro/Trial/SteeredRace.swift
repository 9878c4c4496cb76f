import CKernel

/// The trials of a racing case. Each is aimed by what those before came to (``RaceSteering``), and the I/O
/// gets the length that brings most exposures a second (``LengthClimb``).
final class SteeredRace {
  private let one: Case
  private let seed: UInt64
  private let makeBench: (_ length: Int) throws -> Bench
  private var climb: LengthClimb
  private var race: Race
  /// What was learned of other lengths.
  private var learned: [Int: RaceSteering] = [:]
  private var trials = 0
  /// Of a length that was left.
  private var leak: TrialRecord?

  /// - Parameters:
  ///   - lengths: bytes of a piece of I/O, the shortest and the longest.
  ///   - makeBench: makes one for pieces of a length.
  /// - Throws: KernelError or TrialError.
  init(
    _ one: Case, seed: UInt64, _ lengths: ClosedRange<Int>,
    _ makeBench: @escaping (_ length: Int) throws -> Bench
  ) throws {
    self.one = one
    self.seed = seed
    self.makeBench = makeBench
    climb = LengthClimb(from: lengths.lowerBound, to: lengths.upperBound)
    race = try Self.race(one, seed, climb.length, RaceSteering(), makeBench)
  }

  func close() {
    race.storer.stop()
    _ = ck_leave_cpu()
    race.bench.close()
  }

  /// Runs trial `number`.
  /// - Parameter isBrief: the trial is told in brief; see ``TrialRecord/inBrief``.
  /// - Throws: KernelError or TrialError; then nothing is known of the kernel.
  func run(_ number: Int, isBrief: Bool) throws -> TrialRecord {
    trials += 1
    let begin = Clock.now
    let record = try race.run(number, isBrief: isBrief)
    climb.learn(exposures: record.inFlight, seconds: Double(Clock.now - begin) / 1e9)
    if climb.length != race.length { try change(to: climb.length) }
    return record
  }

  /// See ``Bench/end(after:)``.
  func end(after trials: Int) throws -> TrialRecord? { try leak ?? race.bench.end(after: trials) }

  private func change(to length: Int) throws {
    learned[race.length] = race.steering
    leak = try leak ?? race.bench.end(after: trials)
    let steering = learned[length] ?? race.steering.forgettingLengths()
    close()
    race = try Self.race(one, seed, length, steering, makeBench)
  }

  /// The trial's thread stays on a CPU of its own. Its pages wait in its own CPU's list of pages to be put on the LRU,
  /// which madvise drains; in another CPU's list they would be refused for that, and not for the I/O. And threads
  /// that wait awake or store all the time would keep it from acting when it is to.
  private static func race(
    _ one: Case, _ seed: UInt64, _ length: Int, _ steering: RaceSteering,
    _ makeBench: (_ length: Int) throws -> Bench
  ) throws -> Race {
    try check(ck_spare_cpu(), "sched_setaffinity")
    do {
      let bench = try makeBench(length)
      do {
        let storer = try Storer()
        try check(ck_stay_on_spared_cpu(), "sched_setaffinity")
        return Race(one, bench: bench, storer: storer, seed: seed, steering)
      } catch {
        bench.close()
        throw error
      }
    } catch {
      _ = ck_leave_cpu()
      throw error
    }
  }
}
