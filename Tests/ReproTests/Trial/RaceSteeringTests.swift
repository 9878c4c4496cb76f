import Testing

@testable import Repro

/// Steering on synthetic races, whose window is where the test puts it, as LTP's tst_fuzzy_sync01 has them:
/// no thread and no kernel.
@Suite("Steering of the race")
struct RaceSteeringTests {
  private static let name = "fork.pread.race"

  /// An agent pair of known lengths, and the offsets at which a trial counts as hit.
  private struct Synthetic {
    var io: Nanoseconds = 300_000
    var hazard: Nanoseconds = 100_000
    /// How late the hazard really starts.
    var lateness: Nanoseconds = 0
    /// Actual offsets of hits.
    var window: Range<Nanoseconds>
    /// How far the actual offset is from the aim, at random.
    var jitter: Nanoseconds = 0

    /// Times at an origin of 1 s.
    func times(_ aim: RaceSteering.Aim, _ generator: inout SplitMix64) -> RaceTimes {
      let start: Nanoseconds = 1_000_000_000
      let off = jitter == 0 ? 0 : Nanoseconds.random(in: -jitter...jitter, using: &generator)
      let hazardStart = start + aim.shift + lateness + off
      return RaceTimes(
        started: start, ended: start + io, hazardStart: hazardStart,
        hazardEnd: hazardStart + hazard, touchEnd: hazardStart + hazard)
    }

    func isHit(_ times: RaceTimes) -> Bool { window.contains(times.hazardStart - times.started) }
  }

  /// Runs `trials`, and counts the hits among the last half, and all overlaps.
  private func run(
    _ synthetic: Synthetic, trials: Int, seed: UInt64 = 7
  ) -> (hits: Int, overlaps: [Overlap: Int]) {
    var steering = RaceSteering()
    var generator = SplitMix64(seed: seed)
    var (hits, overlaps) = (0, [Overlap: Int]())
    for trial in 0..<trials {
      let aim = steering.aim(seed: seed, case: Self.name, trial: trial)
      let times = synthetic.times(aim, &generator)
      let isHit = synthetic.isHit(times)
      steering.learn(aim, times, hits: isHit ? 1 : 0)
      if trial >= trials / 2 { hits += isHit ? 1 : 0 }
      overlaps[times.overlap, default: 0] += 1
    }
    return (hits, overlaps)
  }

  /// Evenly drawn offsets would hit width / span.
  @Test(
    "a window is found wherever it is, and most trials are aimed at it",
    arguments: [-90_000, 0, 150_000, 280_000] as [Nanoseconds], [1, 2, 3] as [UInt64])
  func finds(start: Nanoseconds, seed: UInt64) {
    let synthetic = Synthetic(window: start..<start + 20_000)  // a twentieth of the span
    let (hits, _) = run(synthetic, trials: 4000, seed: seed)
    #expect(hits > 2000 * 2 / 5, "\(hits) of 2000; even draws hit 100")
  }

  @Test("a narrow window is hit ten times as often as by even draws", arguments: [1, 2, 3, 4] as [UInt64])
  func narrow(seed: UInt64) {
    let synthetic = Synthetic(window: 123_000..<127_000)  // a hundredth
    let (hits, _) = run(synthetic, trials: 8000, seed: seed)
    #expect(hits > 400, "\(hits) of 4000; even draws hit 40")
  }

  @Test("jitter as wide as the window does not hide it", arguments: [1, 2, 3] as [UInt64])
  func jittery(seed: UInt64) {
    let synthetic = Synthetic(window: 200_000..<220_000, jitter: 20_000)
    let (hits, _) = run(synthetic, trials: 4000, seed: seed)
    #expect(hits > 300, "\(hits) of 2000; even draws hit 100")
  }

  @Test("a thread that always starts late is aimed earlier", arguments: [-250_000, 800_000] as [Nanoseconds])
  func late(lateness: Nanoseconds) {
    let synthetic = Synthetic(lateness: lateness, window: 0..<200_000)
    let (hits, _) = run(synthetic, trials: 2000)
    #expect(hits > 600, "\(hits) of 1000")
  }

  @Test("what moves is followed")
  func moving() {
    var steering = RaceSteering()
    var generator = SplitMix64(seed: 3)
    var hits = 0
    for trial in 0..<6000 {
      let window: Range<Nanoseconds> = trial < 3000 ? 0..<40_000 : 240_000..<280_000
      let synthetic = Synthetic(window: window)
      let aim = steering.aim(seed: 3, case: Self.name, trial: trial)
      let times = synthetic.times(aim, &generator)
      steering.learn(aim, times, hits: synthetic.isHit(times) ? 1 : 0)
      if trial >= 5000, synthetic.isHit(times) { hits += 1 }
    }
    #expect(hits > 500, "\(hits) of 1000; even draws hit 100")
  }

  @Test("good aim leaves no place out: every overlap comes up", arguments: [1, 2, 3] as [UInt64])
  func everywhere(seed: UInt64) {
    let synthetic = Synthetic(window: 50_000..<150_000, jitter: 5_000)
    let (_, overlaps) = run(synthetic, trials: 2000, seed: seed)
    for overlap in [Overlap.acrossStart, .inside, .acrossEnd] {
      #expect(overlaps[overlap, default: 0] > 40, "\(overlap): \(overlaps)")
    }
    #expect(overlaps[.inside, default: 0] > 1000)
  }

  @Test("the same seed, case, trial and lessons give the same offset, others others")
  func reproducible() {
    let steering = RaceSteering(io: 300_000, hazard: 100_000)
    func shifts(_ seed: UInt64, _ name: String) -> [Nanoseconds] {
      (0..<100).map { steering.aim(seed: seed, case: name, trial: $0).shift }
    }
    let base = shifts(7, Self.name)
    #expect(base == shifts(7, Self.name) && Set(base).count > 95)
    #expect(base != shifts(8, Self.name) && base != shifts(7, "fork.libaio.race"))
  }

  @Test("before anything is known the span is drawn evenly", arguments: [UInt64(0), 1, 0xdead_beef])
  func coverage(seed: UInt64) {
    let steering = RaceSteering(io: 300_000, hazard: 100_000)
    var counts = [Int](repeating: 0, count: 20)
    for trial in 0..<4000 {
      let shift = steering.aim(seed: seed, case: Self.name, trial: trial).shift
      #expect((-100_000...300_000).contains(shift))
      counts[min(19, Int((shift + 100_000) / 20_000))] += 1
    }
    // 200 each, give or take; a standard deviation is 14.
    #expect(counts.allSatisfy { (120...280).contains($0) }, "\(counts)")
  }

  @Test("an empty window still has an offset", arguments: [0, 1] as [Nanoseconds])
  func empty(hazard: Nanoseconds) {
    let shift = RaceSteering(hazard: hazard).aim(seed: 1, case: Self.name, trial: 1)
      .shift
    #expect((-hazard...1).contains(shift))
  }
}
