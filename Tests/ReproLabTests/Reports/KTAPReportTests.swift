import Testing

@testable import Repro
@testable import ReproLab

@Suite("KTAP")
struct KTAPReportTests {
  private func document(_ events: [Event]) throws -> KTAPDocument {
    var report = KTAPReport()
    return try KTAPDocument(events.flatMap { report.lines(for: $0) }.joined(separator: "\n") + "\n")
  }

  @Test("a test a scenario, a subtest a cell, with the plan's counts")
  func structure() throws {
    let document = try document(SampleRun.events)
    #expect(document.tests.map(\.name) == SampleRun.scenarios)
    for test in document.tests {
      #expect(test.subtests.map(\.name) == ["pread.staged", "libaio.staged"])
    }
  }

  @Test("each verdict is what collectors take it for")
  func verdicts() throws {
    let subtests = try document(SampleRun.events).tests.flatMap(\.subtests)
    for (test, result) in zip(subtests, SampleRun.results) {
      switch result.verdict {
      case .clean: #expect(test.isOK && test.skip == nil)
      case .corrupt, .error: #expect(!test.isOK && test.skip == nil)
      case .skipped: #expect(test.isOK && test.skip != nil)
      case .inconclusive: #expect(test.isOK && test.skip?.hasPrefix("inconclusive: ") == true)
      }
    }
  }

  @Test("a scenario is the worst of its cells, skipped when nothing ran")
  func scenarios() throws {
    let tests = try document(SampleRun.events).tests
    #expect(tests.map(\.isOK) == [true, false, true, true, true, false])
    #expect(tests.map { $0.skip != nil } == [false, false, true, true, true, false])
    #expect(tests[2].skip?.hasPrefix("inconclusive: fewer than 3") == true, "not the last cell's reason")
  }

  @Test("the totals count cells and add up to the plan")
  func totals() throws {
    let document = try document(SampleRun.events)
    #expect(document.totals == ["pass": 4, "fail": 2, "xfail": 0, "xpass": 0, "skip": 5, "error": 1])
    #expect(document.totals.values.reduce(0, +) == SampleRun.results.count)
    #expect(document.bailOut == nil)
  }

  @Test("an error bails out with its reason")
  func bailOut() throws {
    #expect(try document(SampleRun.brokenEvents).bailOut == "wait for child _9: timed out")
  }

  @Test("a run without cells is a plan of none")
  func empty() throws {
    var start = SampleRun.start
    start.cases = []
    let document = try document([.run(start), .end(RunEnd(verdict: .inconclusive, seconds: 0))])
    #expect(document.tests.isEmpty)
  }

  @Test("one name for one thing: text cannot begin a directive or a line")
  func escaping() {
    var report = KTAPReport()
    for event in SampleRun.events {
      for line in report.lines(for: event) {
        #expect(!line.unicodeScalars.contains { $0 == "\n" || $0 == "\r" }, "\(line)")
      }
    }
  }
}
