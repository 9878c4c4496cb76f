import Testing

@testable import Repro
@testable import ReproLab

@Suite("Measured column from reports")
struct MeasuredRunsTests {
  /// A run with one case on a kernel of an architecture.
  private func measured(
    _ scenario: String, _ verdict: Verdict, _ release: String, on name: String = "x86-64",
    unexplained: Int = 0,
    end: Verdict? = nil
  ) throws -> MeasuredRuns {
    let machine = try #require(Architecture.named(name))
    var result = FakeOutcome.result(scenario, verdict)
    result.path = .fuse
    result.count.unexplained = unexplained
    var start = FakeOutcome.start(release, [result.case])
    (start.machine, start.pageSize, start.byteOrder) = (machine.machine, machine.pageSize, machine.byteOrder)
    var runs = MeasuredRuns()
    runs.add([.run(start), .result(result), .end(RunEnd(verdict: end ?? verdict, seconds: 1))])
    return runs
  }

  @Test("a catalogued loss and its absence become lines, with architecture and page size")
  func lines() throws {
    let lost = try measured("fork", .corrupt, "6.1.176", on: "ppc64le")
    #expect(
      lost.measurements.map(\.description) == ["fork-fuse fork.pread.staged 6.1.176 ppc64le 65536 10/10"])
    let clean = try measured("fork", .clean, "7.2.12", on: "s390x")
    #expect(clean.measurements.map(\.description) == ["fork-fuse fork.pread.staged 7.2.12 s390x 4096 0/10"])
    #expect(lost.refused.isEmpty && clean.refused.isEmpty)
    let controls = try measured("control-remap", .corrupt, "7.2.12")
    #expect(controls.measurements.isEmpty && controls.refused.isEmpty)
  }

  @Test("a loss that the catalogue does not have stays out, and a loss that did not come")
  func refused() throws {
    for runs in [
      try measured("fork", .corrupt, "7.2.12"), try measured("fork", .corrupt, "6.1.176", unexplained: 1),
      try measured("fork", .clean, "6.1.176"), try measured("fork", .clean, "7.2.12", end: .error),
    ] {
      #expect(runs.measurements.isEmpty && runs.refused.count == 1)
    }
    #expect(
      try measured("fork", .corrupt, "7.2.12").refused
        == ["fork.pread.staged on x86-64 7.2.12: a loss that the catalogue does not have"])
  }

  @Test("what is too little, skipped, or a pair's says nothing")
  func nothing() throws {
    for (scenario, verdict) in [
      ("fork", Verdict.inconclusive), ("fork", .skipped), ("ksm-then-fork", .clean),
    ] {
      let runs = try measured(scenario, verdict, "7.2.12")
      #expect(runs.measurements.isEmpty && runs.refused.isEmpty, "\(scenario) \(verdict)")
    }
  }

  @Test("a machine with pages of a size that no record has is named")
  func place() throws {
    var start = FakeOutcome.start("7.2.12", [])
    start.pageSize = 8192
    var runs = MeasuredRuns()
    runs.add([.run(start)])
    runs.add([])
    #expect(runs.refused.count == 2 && runs.refused[0].hasSuffix("is for it with 8192-byte pages"))
  }
}
