import Testing

@testable import Repro
@testable import ReproLab

@Suite("Bisection")
struct BisectionTests {
  private func step(fixed: Bool = false, rates: LossRates = LossRates()) -> Bisection {
    Bisection(looksForFix: fixed, confidence: 0.999, rates: rates)
  }

  private func staged(_ verdict: Verdict, ending: GuestEnding = .finished(status: 0)) -> GuestSession.Outcome
  {
    FakeOutcome.outcome("6.1.176", [FakeOutcome.result("fork", verdict)], ending: ending)
  }

  private func race(
    _ exposures: Int, accelerator: Accelerator = .tcg, processors: Int = 2
  ) -> GuestSession.Outcome {
    FakeOutcome.outcome(
      "6.12.117", [FakeOutcome.result("fork", .clean, .race, exposures: exposures)],
      accelerator: accelerator, processors: processors)
  }

  private func rates() throws -> (rates: LossRates, needed: Int) {
    var rates = LossRates()
    let rate = try rates.keep(LossRatesTests.measured())
    return (rates, try #require(rate.exposuresNeeded(confidence: 0.999)))
  }

  @Test(
    "git is told old and new by what it looks for",
    arguments: [
      (Bisection.Answer.clean, false, 0), (.corrupt, false, 1), (.clean, true, 1), (.corrupt, true, 0),
      (.unknown, false, 125), (.unknown, true, 125),
    ] as [(Bisection.Answer, Bool, Int32)])
  func exitCodes(answer: Bisection.Answer, fixed: Bool, code: Int32) {
    #expect(step(fixed: fixed).exitCode(answer) == code)
  }

  @Test(
    "a staged verdict is the answer, and anything less is none",
    arguments: [
      (Verdict.clean, Bisection.Answer.clean), (.corrupt, .corrupt), (.inconclusive, .unknown),
      (.skipped, .unknown), (.error, .unknown),
    ])
  func verdicts(verdict: Verdict, answer: Bisection.Answer) {
    #expect(step().answer(staged(verdict)).answer == answer)
  }

  @Test("a good needs a guest that finished; a loss before its death stands")
  func unfinished() {
    for ending in [
      GuestEnding.panic(lines: ["Kernel panic"]), .unreported(tail: []), .killed(signal: 9),
      .hung(silent: true, tail: []),
    ] {
      #expect(step().answer(staged(.clean, ending: ending)).answer == .unknown)
      #expect(step().answer(staged(.corrupt, ending: ending)).answer == .corrupt)
    }
    #expect(step().answer(FakeOutcome.outcome("6.1.176", [])).answer == .unknown)
  }

  @Test("damage of another kind is not what is followed")
  func unexplained() {
    var outcome = staged(.corrupt)
    outcome.results[0].count.unexplained = 1
    #expect(step().answer(outcome).answer == .unknown)
  }

  @Test("a race is good from the exposures that a measured rate asks for, and not one earlier")
  func races() throws {
    let (rates, needed) = try rates()
    #expect(needed > 1)
    #expect(step(rates: rates).answer(race(needed)).answer == .clean)
    for exposures in [1, needed - 1] {
      #expect(step(rates: rates).answer(race(exposures)).answer == .unknown)
    }
    #expect(step(rates: rates).answer(race(needed)).why.contains("both risks included"))
  }

  @Test("without a rate of the same place a race has no good, and the reason says so")
  func otherPlaces() throws {
    let (rates, needed) = try rates()
    let none = step().answer(race(1_000_000))
    #expect(none.answer == .unknown && none.why.contains("repro calibrate"))
    for outcome in [race(100 * needed, accelerator: .kvm), race(100 * needed, processors: 4)] {
      let (answer, why) = step(rates: rates).answer(outcome)
      #expect(answer == .unknown)
      #expect(why.contains("only with tcg, 2 CPUs") && why.contains("no basis"), "\(why)")
    }
  }

  @Test("a race runs for the exposures that its accelerator's rates ask for")
  func plans() throws {
    let (rates, needed) = try rates()
    var selection = Selection(scenarios: ["fork"])
    (selection.engines, selection.memories, selection.schedules) = ([.pread], [.anon], [.race])
    let plan = try step(rates: rates).plan(selection, seed: Seed(1))
    #expect(plan.minimumExposures == needed && plan.stopAfterLosses == 1)
    let other = Bisection(looksForFix: false, confidence: 0.999, rates: rates, accelerator: .kvm)
    #expect(try other.plan(selection, seed: Seed(1)).minimumExposures == nil)
    selection.schedules = [.staged]
    let staged = try step().plan(selection, seed: Seed(1))
    #expect(staged.stopAfterLosses == 1 && staged.minimumExposures == 5 && staged.trials == 10)
    selection.engines = [.pread, .libaio]
    #expect(throws: PlanError.self) { try step().plan(selection, seed: Seed(1)) }
  }
}
