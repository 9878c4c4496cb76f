import Foundation
import Repro
import TestHost
import Testing

private let readers = ProcessInfo.processInfo.environment["REPRO_PYTHON"]

/// Other test runners run the suite as they would their own, and count as it does.
@Suite(
  "repro runtest", .serialized, .exclusive, .enabled(if: Machine.canHold, "needs root and /dev/fuse"),
  .enabled(if: readers != nil, "REPRO_PYTHON is set by ./run.sh test"))
struct RunnerRunTests {
  /// What kirk reports.
  private struct Report: Decodable {
    struct Result: Decodable { var test_fqn: String, status: String }
    struct Stats: Decodable, Equatable { var passed, failed, broken, skipped, warnings: Int }
    var results: [Result]
    var stats: Stats
  }

  private func folder(_ kind: String, _ scenarios: String...) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let end = try StartedProgram.run(
      ["runtest", "--for", kind, "--output", folder("root"), "--one-shot", StartedProgram.built("oneshot")]
        + scenarios + [
          "--schedule", "staged", "--engine", "pread", "--memory", "anon", "--target", "held",
          "--trials", "3",
        ])
    try #require(end.code == 0, "\(end.errors)")
    return folder
  }

  private func kirk(_ folder: TemporaryFolder) throws -> Report {
    let python = try #require(readers)
    let kirk = URL(filePath: python).deletingLastPathComponent().appending(path: "kirk").path
    let end = try StartedProgram(
      [
        kirk, "--no-colors", "--tmp-dir", folder.path, "--run-suite", "repro", "--json-report",
        folder("report"),
      ],
      additions: ["LTPROOT": folder("root")]
    ).finish()
    try #require(end.code == 0, "\(end.output)\(end.errors)")
    return try JSONDecoder().decode(Report.self, from: Data(try folder.read("report").utf8))
  }

  /// Adds what no scenario gives on every machine: a case that lacks something, one with too few exposures,
  /// and one that can't begin.
  private func addOthers(_ folder: TemporaryFolder) throws {
    let path = "root/runtest/repro"
    let lines = try folder.read(path).split(separator: "\n").map(String.init)
    let clean = try #require(lines.first { $0.hasPrefix("control-none.") })
    func other(_ name: String, _ words: String) -> String {
      "\(name) \(clean.split(separator: " ").dropFirst().joined(separator: " ")) \(words)"
    }
    let all =
      lines + [
        other("few", "min-exposures=4"),
        "broken repro-oneshot exit-codes=ltp scenarios=control-none target=/dev/null",
      ]
    try folder.write(all.joined(separator: "\n") + "\n", to: path)
  }

  @Test("kirk counts what the cases are")
  func counts() throws {
    let folder = try folder("ltp", "control-remap", "control-none")
    try addOthers(folder)
    let report = try kirk(folder)
    let statuses = Dictionary(uniqueKeysWithValues: report.results.map { ($0.test_fqn, $0.status) })
    #expect(
      statuses == [
        "control-remap.pread.staged": "fail", "control-none.pread.staged": "pass", "few": "warn",
        "broken": "brok",
      ])
    #expect(report.stats == Report.Stats(passed: 1, failed: 1, broken: 1, skipped: 0, warnings: 1))
  }

  @Test("a case that lacks something is skipped for kirk")
  func skipped() throws {
    let probe = try StartedProgram.run(
      "run", "move_pages", "--schedule", "staged", "--engine", "pread", "--trials", "3")
    guard probe.code == 4 else { return }  // two nodes
    let report = try kirk(try folder("ltp", "move_pages"))
    #expect(report.results.map(\.status) == ["conf"] && report.stats.skipped == 1)
  }

  /// What our own run of each line of the runtest file comes to, as kirk has it.
  private func own(_ folder: TemporaryFolder) throws -> [String: String] {
    var statuses: [String: String] = [:]
    for line in try folder.read("root/runtest/repro").split(separator: "\n") where !line.hasPrefix("#") {
      let words = line.split(separator: " ").map(String.init)
      let plan = words.dropFirst(2).filter { !$0.hasPrefix("exit-codes=") }
      let end = try StartedProgram([StartedProgram.built("oneshot")] + plan + ["format=jsonl"]).finish()
      let verdicts = try end.output.split(separator: "\n").compactMap { line -> Verdict? in
        guard case .result(let result) = try JSONDecoder().decode(Event.self, from: Data(line.utf8)) else {
          return nil
        }
        return result.verdict
      }
      statuses[words[0]] =
        switch verdicts.first {
        case .clean: "pass"
        case .corrupt: "fail"
        case .skipped: "conf"
        case .inconclusive: "warn"
        case .error, nil: "brok"
        }
    }
    return statuses
  }

  /// Where kirk's report, its results or its sums, is not what our own runs say.
  private func differences(_ report: Report, _ own: [String: String]) -> [String] {
    let kirk = Dictionary(uniqueKeysWithValues: report.results.map { ($0.test_fqn, $0.status) })
    let cases = Set(kirk.keys).union(own.keys).filter { kirk[$0] != own[$0] }.map {
      "\($0): kirk says \(kirk[$0] ?? "nothing"), we \(own[$0] ?? "nothing")"
    }
    func count(_ status: String) -> Int { own.values.count { $0 == status } }
    let sums = Report.Stats(
      passed: count("pass"), failed: count("fail"), broken: count("brok"), skipped: count("conf"),
      warnings: count("warn"))
    return cases.sorted() + (report.stats == sums ? [] : ["sums: kirk says \(report.stats), we \(sums)"])
  }

  @Test("kirk's report is what our own runs say, case by case and in its sums")
  func agrees() throws {
    let folder = try folder("ltp", "control-remap", "control-none", "fork", "mprotect", "move_pages")
    try addOthers(folder)
    let own = try own(folder)
    #expect(Set(own.values).isSuperset(of: ["pass", "fail", "warn", "brok"]))
    let differences = differences(try kirk(folder), own)
    #expect(differences.isEmpty, "\(differences)")
  }

  /// kirk's count is of what a program printed.
  @Test("a planted mismatch is seen: a summary that says otherwise")
  func planted() throws {
    let folder = try folder("ltp", "control-remap", "control-none")
    let own = try own(folder)
    let path = "root/runtest/repro"
    let liar = "#!/bin/sh\nprintf 'Summary:\\npassed 1\\nfailed 0\\nbroken 0\\nskipped 0\\nwarnings 0\\n'\n"
    try ProgramFile.write(liar, to: folder("root/testcases/bin/liar"))
    try folder.write(try folder.read(path).replacing("repro-oneshot", with: "liar"), to: path)
    let differences = differences(try kirk(folder), own)
    #expect(differences.count == 2, "\(differences)")
    #expect(differences.first == "control-remap.pread.staged: kirk says pass, we fail")
  }

  @Test(
    "a kselftest program prints KTAP and exits as kselftest has it",
    arguments: [("control-remap", 1), ("control-none", 0)])
  func kselftest(scenario: String, code: Int32) throws {
    let folder = try folder("kselftest", scenario)
    let end = try StartedProgram([folder("root/\(scenario).pread.staged.sh")]).finish()
    #expect(end.code == code)
    #expect(end.output.hasPrefix("KTAP version 1\n"))
    #expect(end.output.contains("\n\(code == 0 ? "ok" : "not ok") 1 \(scenario)\n"))
  }
}
