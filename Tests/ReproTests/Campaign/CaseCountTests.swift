import Testing

@testable import Repro

@Suite("Verdict of a case")
struct CaseCountTests {
  private func count(
    trials: Int = 100, exposed: Int = 0, lost: Int = 0, notAsked: Int = 0, missed: Int = 0,
    unexplained: Int = 0, seconds: Double = 0
  ) -> CaseCount {
    var count = CaseCount()
    (count.trials, count.exposedTrials, count.lostTrials) = (trials, exposed, lost)
    (count.notAsked, count.missed, count.unexplained) = (notAsked, missed, unexplained)
    count.seconds = seconds
    return count
  }

  @Test("nothing exposed is never clean", arguments: [-1, 0, 1, 3])
  func noExposures(atLeast: Int) {
    #expect(count().verdict(atLeast: atLeast).0 == .inconclusive)
  }

  @Test("a loss outranks all")
  func loss() {
    #expect(count(lost: 1).verdict(atLeast: 50) == (.corrupt, nil))
    #expect(count(exposed: 1000, lost: 1).verdict(atLeast: 50) == (.corrupt, nil))
    #expect(count(lost: 1, notAsked: 100, missed: 100).verdict(atLeast: 50).0 == .corrupt)
    #expect(count(lost: 1, unexplained: 1).verdict(atLeast: 50).1?.hasPrefix("unexplained") == true)
  }

  @Test("silence is clean from the least number of exposed trials on")
  func threshold() {
    #expect(count(exposed: 49).verdict(atLeast: 50) == (.inconclusive, "fewer than 50 exposures"))
    #expect(count(exposed: 50).verdict(atLeast: 50) == (.clean, nil))
    #expect(count().verdict(atLeast: 0).1 == "fewer than 1 exposures")
  }

  @Test("what a clean verdict needs if nobody says otherwise: a race many overlaps, a staged case few")
  func needed() {
    var plan = Plan(Selection(), seed: Seed(1))
    #expect(plan.minimumExposures(.race) == 50 && plan.minimumExposures(.staged) == 3)
    #expect(plan.limits(.race).exposures == 50)
    plan.minimumExposures = 7
    #expect(plan.minimumExposures(.race) == 7 && plan.minimumExposures(.staged) == 7)
  }

  @Test("what was never asked, or never in its state, is skipped, if that is all that happened")
  func skipped() {
    #expect(count(notAsked: 100).verdict(atLeast: 3).0 == .skipped)
    #expect(count(notAsked: 99).verdict(atLeast: 3).0 == .inconclusive)
    #expect(count(missed: 100).verdict(atLeast: 3).0 == .skipped)
    #expect(count(missed: 99).verdict(atLeast: 3).0 == .inconclusive)
    #expect(count(trials: 0).verdict(atLeast: 3).0 == .inconclusive)
  }

  @Test("counts of several runs are added, and where hazards lay with them")
  func added() {
    var sum = count(trials: 10)
    sum.add(count(trials: 5))
    #expect(sum.trials == 15 && sum.overlaps == nil)
    var race = count(trials: 3)
    race.overlaps = ["inside": 2, "after": 1]
    sum.add(race)
    sum.add(race)
    #expect(sum.overlaps == ["inside": 4, "after": 2])
  }

  @Test("each trial of a race is counted where its hazard lay, those of other schedules nowhere")
  func overlaps() throws {
    func record(_ name: String, _ overlap: Overlap?) throws -> TrialRecord {
      var record = TrialRecord(
        case: try #require(CaseName(name)), trial: 0, inFlight: 0, hazards: [], damage: [], offset: 0,
        length: 0, timeline: [])
      record.overlap = overlap
      return record
    }
    var count = CaseCount()
    for overlap in [Overlap.inside, .before, .inside, .acrossEnd] {
      count.add(try record("fork.pread.race", overlap))
    }
    #expect(count.overlaps == ["inside": 2, "before": 1, "across the end": 1])
    var staged = CaseCount()
    staged.add(try record("fork.pread.staged", nil))
    #expect(staged.overlaps == nil)
  }

  @Test("a race that lost something, or has its exposures, ends at once, however patient it is")
  func decidedEndsAtOnce() {
    let limits = Plan(Selection(), seed: Seed(1)).limits(.race)
    #expect(limits.patientSeconds == 30 && limits.seconds == 0.5)
    #expect(limits.allowsMore(count(exposed: 49, seconds: 29.9)))
    #expect(!limits.allowsMore(count(exposed: 49, seconds: 30)))
    #expect(!limits.allowsMore(count(exposed: 50, seconds: 0.5)))
    #expect(!limits.allowsMore(count(exposed: 1, lost: 1, seconds: 0.5)))
  }

  @Test("limits end a case by trials, losses and time, and patience waits for exposures only")
  func limits() {
    var limits = CaseLimits(trials: 10, seconds: 1, patientSeconds: 5, exposures: 3, losses: 2)
    #expect(limits.allowsMore(count(trials: 9)))
    #expect(!limits.allowsMore(count(trials: 10)))
    #expect(!limits.allowsMore(count(trials: 5, lost: 2)))
    #expect(limits.allowsMore(count(trials: 5, seconds: 4)))
    #expect(!limits.allowsMore(count(trials: 5, exposed: 3, seconds: 4)))
    #expect(!limits.allowsMore(count(trials: 5, lost: 1, seconds: 4)))
    #expect(!limits.allowsMore(count(trials: 5, seconds: 5)))
    #expect(!limits.allowsMore(count(trials: 10, exposed: 1)))
    limits.areTrialsUsual = true
    #expect(limits.allowsMore(count(trials: 10, exposed: 1, seconds: 4.9)))
    #expect(!limits.allowsMore(count(trials: 10, exposed: 1, seconds: 5)))
    #expect(
      !limits.allowsMore(count(trials: 10, exposed: 0)) && !limits.allowsMore(count(trials: 10, exposed: 3)))
    limits.patientSeconds = nil
    #expect(!limits.allowsMore(count(trials: 5, seconds: 1)))
    #expect(limits.longest == 1)
  }
}
