import Testing

@testable import Repro

@Suite("CSV report")
struct CSVReportTests {
  @Test("is a heading and a line a case, in the order of results")
  func lines() throws {
    let format = try #require(ReportFormat.named("csv"))
    var report = format.make(.default)
    let lines = SampleRun.events.flatMap { report.lines(for: $0) }
    #expect(lines.first == "name,verdict,trials,exposures,losses")
    let results = SampleRun.events.compactMap { event -> CaseResult? in
      if case .result(let result) = event { result } else { nil }
    }
    #expect(
      lines.dropFirst().map { $0.split(separator: ",").first.map(String.init) }
        == results.map(\.case.description))
    #expect(lines.allSatisfy { $0.split(separator: ",", omittingEmptySubsequences: false).count == 5 })
    #expect(lines.contains { $0.hasPrefix("fork.pread.staged,corrupt,") })
  }
}
