import Testing

@testable import Repro
@testable import ReproLab

@Suite("Coverage")
struct CoverageTests {
  private func run(_ scenario: String, _ memory: String, exposures: Int, losses: Int = 0) -> [Event] {
    var count = CaseCount()
    (count.exposures, count.losses) = (exposures, losses)
    return [
      .run(SampleRun.start),
      .result(
        CaseResult(
          case: SampleRun.name(scenario, "pread", memory: memory), role: .hazard,
          verdict: exposures > 0 ? .clean : .inconclusive, reason: "nothing moved", count: count)),
    ]
  }

  @Test("a pair that one kernel exposed, or lost on, is covered")
  func covered() {
    let runs = [
      run("fork", "anon", exposures: 0), run("fork", "anon", exposures: 3),
      run("ksm", "anon", exposures: 0, losses: 1),
    ]
    let coverage = Coverage(runs)
    #expect(coverage.isComplete)
    #expect(coverage.lines == ["2 pairs of scenario and memory: 2 exposed, 0 out of reach, 0 wrong"])
  }

  @Test("one that nobody exposed, for no reason that is known, is wrong")
  func silent() {
    let coverage = Coverage([run("fork", "anon", exposures: 0)])
    #expect(!coverage.isComplete)
    #expect(coverage.wrong == ["never exposed: fork on anon: nothing moved"])
  }

  @Test("one that is said to be out of reach must be")
  func contradicted() throws {
    let known = try #require(Unreached.all.first)
    let (scenario, memory) = known.example
    #expect(Coverage([run(scenario, memory, exposures: 0)]).isComplete)
    #expect(!Coverage([run(scenario, memory, exposures: 1)]).isComplete)
  }

  @Test("no reports cover nothing")
  func nothing() { #expect(!Coverage([]).isComplete) }

  @Test("what is out of reach is of parts that there are")
  func parts() {
    for one in Unreached.all {
      let (scenario, memory) = one.example
      #expect(Scenario.named(scenario) != nil && MemoryKind.named(memory) != nil, "\(one.text)")
    }
  }
}
