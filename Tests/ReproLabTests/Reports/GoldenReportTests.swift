import Foundation
import Testing

@testable import Repro
@testable import ReproLab

/// The reports of ``SampleRun`` against `fixtures/golden`. After an intended change, run with
/// REPRO_UPDATE_GOLDEN=1, which writes the files and fails, and read the difference.
@Suite("Golden reports")
struct GoldenReportTests {
  /// A golden file and what must be in it.
  struct Golden: Sendable, CustomTestStringConvertible {
    var file: String
    var format: ReportFormat
    var exitCodes = ExitCodes.default
    var events = SampleRun.events

    var testDescription: String { file }
  }

  private static let goldens = [
    Golden(file: "run.txt", format: .human), Golden(file: "run-ltp.txt", format: .human, exitCodes: .ltp),
    Golden(file: "run.ktap", format: .ktap), Golden(file: "run.jsonl", format: .jsonl),
    Golden(file: "broken.txt", format: .human, events: SampleRun.brokenEvents),
    Golden(file: "broken.ktap", format: .ktap, events: SampleRun.brokenEvents),
    Golden(file: "run.junit.xml", format: .junit),
    Golden(file: "broken.junit.xml", format: .junit, events: SampleRun.brokenEvents),
  ]

  @Test("are what they were", arguments: goldens)
  func unchanged(_ golden: Golden) throws {
    var report = golden.format.make(golden.exitCodes)
    let text = golden.events.flatMap { report.lines(for: $0) }.joined(separator: "\n") + "\n"
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "fixtures/golden")
    let file = folder.appending(path: golden.file)
    if ProcessInfo.processInfo.environment["REPRO_UPDATE_GOLDEN"] == "1" {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
      Issue.record("\(golden.file) written; read the difference and run without REPRO_UPDATE_GOLDEN")
      return
    }
    let expected = try String(contentsOf: file, encoding: .utf8)
    let (lines, goldenLines) = (text.split(separator: "\n"), expected.split(separator: "\n"))
    for (number, pair) in zip(lines, goldenLines).enumerated() where pair.0 != pair.1 {
      Issue.record("\(golden.file):\(number + 1): '\(pair.0)', not '\(pair.1)'")
      break
    }
    #expect(lines.count == goldenLines.count)
    #expect(text == expected)
  }

  @Test("losses beyond the first ten of a cell are only counted")
  func manyLosses() {
    var report = HumanReport(.default)
    _ = report.lines(for: .run(SampleRun.start))
    let texts = (0..<13).map { _ in report.lines(for: .trial(SampleRun.loss)) }
    #expect(texts[9].count > 5)
    #expect(texts[10].count <= 2 && texts[10].contains { $0.contains("further losses of fork.pread.staged") })
    #expect(texts[11].isEmpty && texts[12].isEmpty)
    #expect(report.lines(for: .trial(SampleRun.hiddenLoss)).count > 3, "another cell's are its own")
  }
}
