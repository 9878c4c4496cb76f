import Foundation
import TestHost
import Testing

@testable import Repro
@testable import ReproLab

@Suite("File of a soak")
struct SoakFileTests {
  private let reports: ShardReports
  private let path: String

  init() throws {
    reports = try ShardReports()
    path = reports.folder("soak.jsonl")
  }

  /// The lines of a round, as a soak writes them.
  private static func round(_ seed: UInt64) -> String {
    let report = RoundReport()
    return ShardReports.events(nil, seed: seed).flatMap { report.lines(for: $0) }.map { $0 + "\n" }.joined()
  }

  private func exposures(_ merge: ReportMerge) -> Int { merge.results.reduce(0) { $0 + $1.count.exposures } }

  @Test("holds no trial that lost nothing, and its sums are exact")
  func sums() throws {
    try (0..<5).map(Self.round).joined().write(toFile: path, atomically: false, encoding: .utf8)
    var merge = ReportMerge()
    try merge.add(path)
    #expect(merge.faults.isEmpty && merge.runs == 5)
    let one = RunSummary(ShardReports.events(nil))
    for result in merge.results {
      let single = try #require(one.results.first { $0.case == result.case })
      #expect(
        result.count.trials == 5 * single.count.trials
          && result.count.guards == single.count.guards.mapValues { 5 * $0 })
    }
    #expect(!(try reports.folder.read("soak.jsonl")).contains("\"lost\":[]"))
  }

  /// A kill at any byte: what was whole before is in the sums, nothing twice, and a loss that was written stays.
  @Test("goes on after a kill at any byte", arguments: [0, 1, 2])
  func mended(rounds: Int) throws {
    let before = (0..<UInt64(rounds)).map(Self.round).joined()
    let last = Array(Self.round(99).utf8)
    for length in stride(from: 0, to: last.count, by: 97) {
      try (Data(before.utf8) + Data(last[..<length])).write(to: URL(filePath: path))
      if rounds == 0, !last[..<length].contains(0x0a) { continue }  // refused; see below
      let written = String(decoding: last[..<length], as: UTF8.self)
      let whole = written.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      let results = whole.filter { $0.hasPrefix(#"{"event":"result""#) }.count
      let losses = whole.filter { $0.hasPrefix(#"{"event":"trial""#) }.count
      do {
        let file = try SoakFile(path, resumes: true)
        #expect(try file.mend() == (length > 0))
        // Unlocked: a worker that another suite forked meanwhile has the descriptor, too.
        flock(file.descriptor, LOCK_UN)
        close(file.descriptor)
      }
      try (Data(contentsOf: URL(filePath: path)) + Data(Self.round(100).utf8)).write(to: URL(filePath: path))
      var merge = ReportMerge()
      try merge.add(path)
      #expect(merge.faults.isEmpty, "cut after \(length): \(merge.faults)")
      let fork = try #require(merge.results.first { $0.count.losses > 0 })
      #expect(fork.count.lostTrials == rounds + 1 + losses, "cut after \(length)")
      let others = merge.results.filter { $0.count.losses == 0 }
      let told = ShardReports.cases.prefix(results)
      for result in others {
        let single = ShardReports.result(result.case)
        let times = rounds + 1 + (told.contains(result.case) ? 1 : 0)
        #expect(result.count.exposures == times * single.count.exposures, "cut after \(length)")
      }
    }
  }

  @Test("is made once, and used by one soak at a time")
  func exclusive() throws {
    let file = try SoakFile(path, resumes: false)
    defer { close(file.descriptor) }
    #expect { try SoakFile(path, resumes: false) } throws: { "\($0)".contains("--resume goes on with it") }
    #expect { try SoakFile(path, resumes: true) } throws: { "\($0)".contains("another soak is writing it") }
    #expect { try SoakFile(reports.folder("none"), resumes: true) } throws: {
      "\($0)".contains("without --resume")
    }
  }

  @Test("of something else is refused and left alone")
  func precious() throws {
    try reports.folder.write("kept", to: "precious")
    let file = try SoakFile(reports.folder("precious"), resumes: true)
    defer { close(file.descriptor) }
    #expect(throws: PlanError.self) { try file.mend() }
    #expect(try reports.folder.read("precious") == "kept")
  }
}
