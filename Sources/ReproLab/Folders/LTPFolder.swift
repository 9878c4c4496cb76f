import Foundation
public import Repro

extension RunnerFolder {
  /// The runtest file's name, by which LTP's runners call the suite.
  public static let ltpSuite = "repro"

  /// An LTPROOT: a runtest file with a test a case, the executable, and metadata with what each test needs and
  /// finds.
  /// - Parameter keepsSeed: whether the plan's seed goes into it; else each run draws one.
  /// - Throws: SelectionError for a scenario that nobody knows.
  public static func ltp(_ plan: Plan, keepsSeed: Bool) throws -> RunnerFolder {
    let cases = try plan.expand().cases
    let lines = cases.map { one in
      ([("\(one.name)"), program, "exit-codes=ltp"] + words(one, of: plan, keepsSeed: keepsSeed))
        .joined(separator: " ")
    }
    let tests = Dictionary(uniqueKeysWithValues: cases.map { ("\($0.name)", Metadata($0)) })
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let metadata = String(decoding: try encoder.encode(["tests": tests]), as: UTF8.self)
    return RunnerFolder(
      files: [
        File(
          path: "runtest/\(ltpSuite)",
          text: "# Direct I/O under page replacement: see 'repro explain SCENARIO'.\n"
            + lines.map { $0 + "\n" }.joined()),
        File(path: "metadata/ltp.json", text: metadata + "\n"),
        File(path: "Version", text: "repro \(Campaign.version)\n"),
      ],
      executable: "testcases/bin/\(program)")
  }

  private static let program = "repro-oneshot"

  /// A test as LTP's metadata describes one. Trials change the whole host, so that none runs beside another.
  private struct Metadata: Encodable {
    var fname: String
    var needs_root = "1"
    var save_restore: [[String]]
    var tags: [[String]]
    var doc: [String]

    init(_ one: Case) {
      fname = "repro"
      doc = [one.scenario.summary]
      save_restore = one.parts.flatMap(\.settings).map { ["\($0)"] }
      let bugs = RunnerFolder.bugs(one)
      tags =
        bugs.flatMap(\.fix).map(\.hash).unique.map { ["linux-git", $0] }
        + bugs.flatMap(\.cve).unique.map { ["CVE", String($0.dropFirst("CVE-".count))] }
    }
  }
}
