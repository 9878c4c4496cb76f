import Foundation
import TestHost
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Stored reports")
struct StoredReportTests {
  static func jsonl(_ events: [Event]) -> String {
    events.map { JSONText.line($0) + "\n" }.joined()
  }

  private static func read(_ text: String, _ trials: StoredReport.Trials = .all) throws -> StoredReport {
    try StoredReport(Data(text.utf8), "x.jsonl", trials)
  }

  @Test("any format is what the run itself would have written", arguments: ReportFormat.all.map(\.name))
  func rendered(name: String) throws {
    let format = try #require(ReportFormat.named(name))
    let folder = try TemporaryFolder()
    try folder.write(Self.jsonl(SampleRun.events), to: "x.jsonl")
    var live = format.make(.default)
    let written = SampleRun.events.flatMap { live.lines(for: $0) }
    let read = try StoredRuns.read(folder("x.jsonl"), format)
    #expect(try format.lines(of: read, .default) == written)
    #expect(written.count > 10)
  }

  @Test("what one run only has place for is not made of two")
  func several() throws {
    let two = [SampleRun.events, SampleRun.brokenEvents]
    for format in ReportFormat.all {
      if format.document == nil && !format.isSequence {
        #expect(throws: PlanError.self) { try format.lines(of: two, .default) }
      } else {
        #expect(try !format.lines(of: two, .default).isEmpty)
      }
    }
    let both = try Self.read(Self.jsonl(two.flatMap { $0 }))
    #expect(both.runs == two)
    #expect(ReportFormat.all.count { $0.document == nil && !$0.isSequence } == 2)
  }

  @Test("without the trials that lost nothing, all else is there")
  func losses() throws {
    let events = try Self.read(Self.jsonl(SampleRun.events), .losses).runs[0]
    let quiet = SampleRun.events.filter { if case .trial(let trial) = $0 { !trial.isLoss } else { false } }
    #expect(quiet.count == 1)
    #expect(events == SampleRun.events.filter { !quiet.contains($0) })
  }

  @Test("of a long report the lines stay in order, and their numbers right")
  func long() throws {
    let trials = (0..<5000).map { number in
      var loss = SampleRun.loss
      loss.trial = number
      return Event.trial(loss)
    }
    let events = [Event.run(SampleRun.start)] + trials + [SampleRun.events[SampleRun.events.count - 1]]
    let text = Self.jsonl(events)
    #expect(try Self.read(text).runs == [events])
    let lines = text.split(separator: "\n")
    let torn = (lines.prefix(4321) + ["{"] + lines.dropFirst(4322)).joined(separator: "\n")
    let error = #expect(throws: PlanError.self) { try Self.read(torn) }
    #expect(error?.description.contains("line 4322 is no event") == true)
  }

  @Test("a line that is cut is refused with its number, a trial that lost nothing as well")
  func cutLine() throws {
    let lines = Self.jsonl(SampleRun.events).split(separator: "\n").map(String.init)
    for (index, line) in lines.enumerated() {
      var torn = lines
      torn[index] = String(line.dropLast(2))
      let text = torn.joined(separator: "\n") + "\n"
      for trials in [StoredReport.Trials.all, .losses] {
        let error = #expect(throws: PlanError.self) { try Self.read(text, trials) }
        #expect(error?.description.contains("line \(index + 1) is no event") == true)
      }
    }
  }

  @Test("a report that ends early is an error in every format, never clean")
  func cutReport() throws {
    let report = try Self.read(Self.jsonl(SampleRun.events.dropLast(4)))
    #expect(report.torn?.contains("ends at line \(SampleRun.events.count - 4), before its run did") == true)
    guard case .end(let end) = try #require(report.completed[0].last) else {
      Issue.record("no end")
      return
    }
    #expect(end.verdict == .error && end.reason == report.torn)
    let whole = try Self.read(Self.jsonl(SampleRun.events))
    #expect(whole.torn == nil && whole.completed == [SampleRun.events])
  }

  @Test("what is no report, or one of another version, is refused")
  func foreign() throws {
    let first = JSONText.line(Event.run(SampleRun.start))
    for text in ["", "\n", "{}\n", JSONText.line(Event.note(Note("x"))) + "\n"] {
      #expect(throws: PlanError.self) { try Self.read(text) }
    }
    let other = first.replacing(#""schema":2"#, with: #""schema":3"#)
    try #require(other != first)
    let error = #expect(throws: PlanError.self) { try Self.read(other + "\n") }
    #expect(error?.description.contains("line 1 has fields of version 3") == true)
  }
}
