import Testing

@testable import Repro

/// The search for a length, on synthetic rates of exposures.
@Suite("Length of a race's I/O")
struct LengthClimbTests {
  private static let lengths = (0..<9).map { 4096 << $0 }

  /// Runs trials of a millisecond a page and more, whose chance of an exposure is `chance(length)`.
  /// - Returns: how many trials each length got, and the exposures in all.
  private func run(
    trials: Int, seed: UInt64 = 5, cost: (Int) -> Double = { 0.001 + Double($0) / 8e6 },
    _ chance: (Int) -> Double
  ) -> (visits: [Int: Int], exposures: Int) {
    var climb = LengthClimb(Self.lengths)
    var generator = SplitMix64(seed: seed)
    var (visits, exposures) = ([Int: Int](), 0)
    for _ in 0..<trials {
      let length = climb.length
      visits[length, default: 0] += 1
      let isExposed = Double.random(in: 0..<1, using: &generator) < chance(length)
      exposures += isExposed ? 1 : 0
      climb.learn(exposures: isExposed ? 1 : 0, seconds: cost(length))
    }
    return (visits, exposures)
  }

  @Test(
    "goes to the length with most exposures a second, wherever it is", arguments: 0..<9, [5, 6] as [UInt64])
  func best(index: Int, seed: UInt64) {
    let best = Self.lengths[index]
    let (visits, _) = run(trials: 4000, seed: seed, cost: { _ in 0.01 }) { length in
      let steps = abs((length / 4096).trailingZeroBitCount - index)
      return 0.8 / Double(1 << min(steps, 6))
    }
    #expect(visits[best, default: 0] > 2000, "\(best): \(visits)")
  }

  @Test("time counts: the longest hits most often, and is too slow to be the best")
  func perSecond() {
    // 64 KiB: 0.4 in 9 ms; 128 KiB: 0.5 in 17 ms; 1 MiB: 0.98 in 132 ms.
    let chances = [1 << 16: 0.4, 1 << 17: 0.5, 1 << 18: 0.62, 1 << 19: 0.78, 1 << 20: 0.98]
    let (visits, _) = run(trials: 4000) { chances[$0] ?? 0.02 }
    #expect(visits[1 << 16, default: 0] > 2000, "\(visits)")
  }

  @Test("where nothing is hit, longer ones are tried, and the one that hits is found")
  func nothingAtFirst() {
    let (visits, exposures) = run(trials: 1000) { $0 == 1 << 19 ? 0.5 : 0 }
    #expect(exposures > 200, "\(visits)")
  }

  @Test("neighbours are tried again, ever more seldom, but for ever")
  func again() {
    var climb = LengthClimb(Self.lengths)
    var changes: [Int] = []
    for trial in 0..<40_000 {
      let length = climb.length
      climb.learn(exposures: length == 4096 ? 1 : 0, seconds: 0.001)
      if climb.length != length { changes.append(trial) }
    }
    #expect(changes.count > 20 && changes.count < 400, "\(changes.count)")
    #expect(changes.last ?? 0 > 35_000)
  }

  @Test("one length stays")
  func one() {
    var climb = LengthClimb(from: 4096, to: 4096)
    for _ in 0..<1000 { climb.learn(exposures: 0, seconds: 0.001) }
    #expect(climb.length == 4096)
    #expect(LengthClimb(from: 4096, to: 4096 * 3).length == 4096)
  }
}
