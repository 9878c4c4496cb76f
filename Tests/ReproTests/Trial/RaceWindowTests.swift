import Testing

@testable import Repro

@Suite("Steering of the race")
struct RaceWindowTests {
  private static let name = "fork.pread.race"
  private let window = RaceWindow(io: 300_000, hazard: 100_000)

  @Test("the same seed, case and trial start at the same offset")
  func reproducible() {
    for trial in 0..<100 {
      #expect(
        window.shift(seed: 7, case: Self.name, trial: trial)
          == window.shift(seed: 7, case: Self.name, trial: trial))
    }
  }

  @Test("others start at others")
  func different() {
    let base = (0..<100).map { window.shift(seed: 7, case: Self.name, trial: $0) }
    #expect(Set(base).count > 95)
    #expect(base != (0..<100).map { window.shift(seed: 8, case: Self.name, trial: $0) })
    #expect(base != (0..<100).map { window.shift(seed: 7, case: "fork.libaio.race", trial: $0) })
  }

  @Test("offsets cover the window evenly", arguments: [UInt64(0), 1, 0xdead_beef])
  func coverage(seed: UInt64) {
    let trials = 4000
    let parts = 20
    let width = (window.io + window.hazard) / Int64(parts)
    var counts = [Int](repeating: 0, count: parts)
    for trial in 0..<trials {
      let shift = window.shift(seed: seed, case: Self.name, trial: trial)
      #expect((-window.hazard...window.io).contains(shift))
      counts[min(parts - 1, Int((shift + window.hazard) / width))] += 1
    }
    // 200 each, give or take; a standard deviation is 14.
    #expect(counts.allSatisfy { (120...280).contains($0) }, "\(counts)")
  }

  @Test("an empty window still has an offset", arguments: [0, 1] as [Nanoseconds])
  func empty(hazard: Nanoseconds) {
    let shift = RaceWindow(io: 0, hazard: hazard).shift(seed: 1, case: Self.name, trial: 1)
    #expect((-hazard...1).contains(shift))
  }
}
