import Testing

@testable import Repro

@Suite("Judgement of a cell")
struct JudgementTests {
  @Test("nothing exposed is never clean", arguments: [-1, 0, 1, 3])
  func noExposures(atLeast: Int) {
    #expect(CellResult.judge(losses: 0, exposures: 0, atLeast: atLeast).0 == .inconclusive)
  }

  @Test("a loss outranks all")
  func loss() {
    #expect(CellResult.judge(losses: 1, exposures: 0, atLeast: 50) == (.corrupt, nil))
    #expect(CellResult.judge(losses: 1, exposures: 1000, atLeast: 50) == (.corrupt, nil))
  }

  @Test("silence is clean from the least number of exposures on")
  func threshold() {
    #expect(
      CellResult.judge(losses: 0, exposures: 49, atLeast: 50) == (.inconclusive, "fewer than 50 exposures"))
    #expect(CellResult.judge(losses: 0, exposures: 50, atLeast: 50) == (.clean, nil))
    #expect(CellResult.judge(losses: 0, exposures: 0, atLeast: 0).1 == "fewer than 1 exposures")
  }

  @Test("limits end a cell by trials, losses and time, and patience waits for exposures only")
  func limits() {
    var limits = CellLimits(trials: 10, seconds: 1, patientSeconds: 5, exposures: 3, losses: 2)
    #expect(limits.allowsMore(CellCount(trials: 9)))
    #expect(!limits.allowsMore(CellCount(trials: 10)))
    #expect(!limits.allowsMore(CellCount(trials: 5, losses: 2)))
    #expect(limits.allowsMore(CellCount(trials: 5, seconds: 4)))
    #expect(!limits.allowsMore(CellCount(trials: 5, exposures: 3, seconds: 4)))
    #expect(!limits.allowsMore(CellCount(trials: 5, losses: 1, seconds: 4)))
    #expect(!limits.allowsMore(CellCount(trials: 5, seconds: 5)))
    limits.patientSeconds = nil
    #expect(!limits.allowsMore(CellCount(trials: 5, seconds: 1)))
    #expect(limits.longest == 1)
  }
}
