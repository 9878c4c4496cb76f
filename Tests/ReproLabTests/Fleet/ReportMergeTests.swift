import Foundation
import TestHost
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Merge of reports")
struct ReportMergeTests {
  private let reports: ShardReports

  init() throws { reports = try ShardReports() }

  private let whole = RunSummary(ShardReports.events(nil))

  @Test("of all shards is the run that was not shared", arguments: 1...12)
  func equal(count: Int) throws {
    let merged = try ShardReports.merge(try reports.write(shards: count).reversed())
    #expect(merged.results == whole.results)
    #expect(merged.start?.cases == whole.start?.cases)
    #expect(merged.start?.plan == whole.start?.plan)
    #expect(merged.end.verdict == .corrupt && merged.end.reason == nil)
    #expect(merged.losses == whole.losses)
    #expect(merged.controls.allSatisfy { $0.isSound && $0.fired == $0.trials })
  }

  @Test("writes every trial as it stands")
  func written() throws {
    let paths = try reports.write(shards: 3)
    var merge = ReportMerge()
    for path in paths { try merge.add(path) }
    let output = open(reports.folder("merged.jsonl"), O_WRONLY | O_CREAT | O_EXCL, 0o600)
    try merge.write(.default, to: output)
    close(output)
    let run = try #require(try StoredReport(reports.folder("merged.jsonl")).runs.first)
    func trials(_ events: [Event]) -> Set<String> {
      Set(events.compactMap { if case .trial = $0 { JSONText.line($0) } else { nil } })
    }
    #expect(trials(run) == trials(ShardReports.events(nil)))
    #expect(RunSummary(run).results == whole.results)
    // A merged report is a report: it can be merged.
    #expect(try ShardReports.merge([reports.folder("merged.jsonl")]).results == whole.results)
  }

  @Test("without a shard is an error that names it", arguments: 1...8)
  func missing(index: Int) throws {
    var paths = try reports.write(shards: 8)
    paths.remove(at: index - 1)
    let merged = try ShardReports.merge(paths)
    #expect(merged.end.verdict == .error)
    #expect(merged.end.reason?.contains("shard \(index)/8 of seed 0x5 is missing") == true)
    // So is one whose file is not there.
    let gone = try ShardReports.merge(paths + [reports.folder("gone.jsonl")])
    #expect(gone.end.verdict == .error && gone.end.reason?.contains("gone.jsonl: no report there") == true)
  }

  @Test("of the clean shards alone is an error all the same")
  func cleanButMissing() throws {
    let paths = try reports.write(shards: 8).enumerated().filter { $0.offset != 3 }.map(\.element)
    let merged = try ShardReports.merge(paths)
    #expect(merged.results.allSatisfy { $0.verdict == .clean })
    #expect(merged.end.verdict == .error)
  }

  @Test("of a shard cut off anywhere is an error, never clean nor corrupt")
  func torn() throws {
    let paths = try reports.write(shards: 4)
    let bytes = Array(try reports.folder.read("1-4.jsonl").utf8)
    for length in stride(from: 0, to: bytes.count - 1, by: 61) {
      try Data(bytes[..<length]).write(to: URL(filePath: paths[0]))
      #expect(try ShardReports.merge(paths).end.verdict == .error, "cut after \(length) bytes")
    }
  }

  /// What a shard may report besides what it should.
  private static let planted: [(String, @Sendable (inout [Event]) -> Void, String)] = [
    (
      "it was stopped", { $0[$0.count - 1] = .end(RunEnd(verdict: .clean, interruptedBy: 15, seconds: 1)) },
      "stopped by signal 15"
    ),
    (
      "it broke", { $0[$0.count - 1] = .end(RunEnd(verdict: .error, reason: "trap", seconds: 1)) },
      "failed: trap"
    ),
    ("a trial is gone", { $0.remove(at: 3) }, "and its result says"),
    (
      "a loss is denied", { $0.removeAll { if case .trial(let trial) = $0 { trial.isLoss } else { false } } },
      "trials with a loss"
    ),
    ("a result is gone", { $0.remove(at: $0.count - 2) }, "has no result of"),
    ("a result is there twice", { $0.insert($0[$0.count - 2], at: $0.count - 1) }, "two results of one case"),
    (
      "its count is forged",
      { events in
        for case (let place, .result(var result)) in events.enumerated() {
          result.count.exposures += 1
          events[place] = .result(result)
        }
      }, "exposures of"
    ),
    ("it is of another kernel", { ShardReports.change(&$0) { $0.release = "6.1.0" } }, "another kernel"),
    ("it is of another build", { ShardReports.change(&$0) { $0.build = "#2" } }, "another kernel"),
    ("it is of another plan", { ShardReports.change(&$0) { $0.plan.trials = 9 } }, "another plan"),
    (
      "it is of another number",
      { ShardReports.change(&$0) { $0.plan.selection.shard = Shard(2, of: 3) } }, "others are of"
    ),
    (
      "it has fields of another version", { ShardReports.change(&$0) { $0.schema = 1 } },
      "fields of version 1"
    ),
    (
      "it is of another version of repro", { ShardReports.change(&$0) { $0.version = "9" } },
      "another version of repro"
    ),
  ]

  @Test("of a shard of which something is wrong is an error that says it", arguments: planted.indices)
  func wrong(index: Int) throws {
    let (what, change, words) = Self.planted[index]
    let paths = try reports.write(shards: 2)
    // fork.libaio is in the second.
    var events = ShardReports.events(Shard(2, of: 2))
    change(&events)
    try reports.write(events, "2-2.jsonl")
    let merged = try ShardReports.merge(paths)
    #expect(merged.end.verdict == .error, "\(what)")
    #expect(merged.notes.contains { $0.contains(words) }, "\(what): \(merged.notes)")
  }

  @Test("of a shard that is there twice is refused")
  func twice() throws {
    let paths = try reports.write(shards: 2)
    #expect { try ShardReports.merge(paths + [paths[1]]) } throws: {
      "\($0)".contains("shard 2/2 with seed 0x5 is there already")
    }
    let run = try reports.write(ShardReports.events(nil), "whole.jsonl")
    #expect(throws: PlanError.self) { try ShardReports.merge([run, run]) }
  }

  @Test("of runs with other seeds sums exactly, and bounds follow from the sums")
  func sums() throws {
    let paths = try (0..<20).map { try reports.write(ShardReports.events(nil, seed: $0), "\($0).jsonl") }
    let merged = try ShardReports.merge(paths)
    for (sum, one) in zip(merged.results, whole.results) {
      #expect(sum.count.exposures == 20 * one.count.exposures && sum.count.trials == 20 * one.count.trials)
      #expect(sum.count.lostTrials == 20 * one.count.lostTrials && sum.verdict == one.verdict)
      let bound = Statistics.upperBound(exposures: 20 * one.count.exposedTrials)
      #expect(sum.upperBound == (one.verdict == .clean ? bound : nil))
    }
    #expect(merged.losses.values.allSatisfy { $0.count <= DocumentReport.lossesKept })
  }

  @Test("makes enough of what is too little in each")
  func enough() throws {
    func least(_ start: inout RunStart) { start.plan.minimumExposures = 7 }
    let clean = Array(ShardReports.cases.prefix(1))  // three exposed trials
    let paths = try (0..<3).map {
      try reports.write(ShardReports.events(nil, seed: $0, cases: clean, change: least), "\($0).jsonl")
    }
    #expect(try ShardReports.merge(Array(paths.prefix(2))).end.verdict == .inconclusive)
    let merged = try ShardReports.merge(paths)
    #expect(merged.end.verdict == .clean && merged.results[0].count.exposedTrials == 9)
  }

  @Test("of what is no report at all is refused, or an error beside others")
  func noReport() throws {
    try reports.folder.write("kept", to: "precious")
    #expect(throws: PlanError.self) { try ShardReports.merge([reports.folder("precious")]) }
    let merged = try ShardReports.merge(try reports.write(shards: 1) + [reports.folder("precious")])
    #expect(merged.end.verdict == .error)
  }
}
