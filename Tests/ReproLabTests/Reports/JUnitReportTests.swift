import Foundation
import FoundationXML
import TestHost
import Testing

@testable import Repro
@testable import ReproLab

@Suite("JUnit")
struct JUnitReportTests {
  private static func text(_ events: [Event]) -> String {
    var report = JUnitReport()
    return events.flatMap { report.lines(for: $0) }.joined(separator: "\n") + "\n"
  }

  /// The root of a document that is well-formed. XMLDocument mends what is not, and XMLParser's parse() may
  /// say true of it.
  private static func root(_ text: String) throws -> XMLElement {
    let parser = XMLParser(data: Data(text.utf8))
    guard parser.parse(), parser.parserError == nil else { throw Refused(reason: "not well-formed") }
    return try #require(try XMLDocument(xmlString: text).rootElement())
  }

  private static func root(_ events: [Event]) throws -> XMLElement { try root(text(events)) }

  /// The sample's run with the last `count` results missing.
  private static func cut(by count: Int, _ end: RunEnd) -> [Event] {
    let gone = Set(SampleRun.results.suffix(count).map(\.case))
    return SampleRun.events.dropLast().filter {
      if case .result(let result) = $0 { !gone.contains(result.case) } else { true }
    } + [.end(end)]
  }

  /// Tests, failures, errors and skipped, as they must be said of `results`.
  private static func counts(_ results: [CaseResult]) -> [Int] {
    func count(_ verdict: Verdict) -> Int { results.count { $0.verdict == verdict } }
    return [results.count, count(.corrupt), count(.error), count(.skipped) + count(.inconclusive)]
  }

  private static let suiteCounts: [[Int]] =
    [[0, 0, 0, 0]]
    + SampleRun.scenarios.map { scenario in
      counts(SampleRun.results.filter { $0.case.scenario == scenario })
    }

  /// What a reader says of a document that it refuses.
  private struct Refused: Error { var reason: String }

  // MARK: Structure

  @Test("a suite of the run, then one a scenario, a test a case")
  func structure() throws {
    let root = try Self.root(SampleRun.events)
    #expect(root.name == "testsuites" && root["time"] == "12.340")
    #expect(root.all("testsuite").map { $0["name"] } == ["repro"] + SampleRun.scenarios)
    for (suite, scenario) in zip(root.all("testsuite").dropFirst(), SampleRun.scenarios) {
      #expect(suite.all("testcase").map { $0["classname"] } == [scenario, scenario])
      #expect(suite.all("testcase").map { $0["name"] } == ["pread.staged", "libaio.staged"])
    }
    #expect(root.descendants("testcase")[2]["time"] == "0.250")
  }

  @Test("the counts are those of the sample")
  func counts() throws {
    let root = try Self.root(SampleRun.events)
    let names = ["tests", "failures", "errors"]
    #expect(names.map { root[$0] } == Self.counts(SampleRun.results).prefix(3).map(String.init))
    for (suite, counts) in zip(root.all("testsuite"), Self.suiteCounts) {
      #expect((names + ["skipped"]).map { suite[$0] } == counts.map(String.init))
    }
  }

  /// Its xUnit plugin refuses documents that its schema does not know.
  @Test("attributes and times are those of Jenkins' schema")
  func schema() throws {
    let root = try Self.root(SampleRun.events)
    let counts = ["name", "tests", "failures", "errors"]
    #expect(root.attributeNames == counts + ["time"])
    for suite in root.all("testsuite") { #expect(suite.attributeNames == counts + ["skipped", "time"]) }
    for timed in [root] + root.descendants("testsuite") + root.descendants("testcase") {
      #expect(timed["time"]?.wholeMatch(of: /[0-9]+\.[0-9]{3}/) != nil)
    }
  }

  @Test("each verdict is what collectors take it for")
  func verdicts() throws {
    for (test, result) in zip(try Self.root(SampleRun.events).descendants("testcase"), SampleRun.results) {
      let outcomes = test.children?.compactMap(\.name).filter { $0 != "system-out" } ?? []
      let message = outcomes.first.flatMap { test.all($0).first?["message"] }
      switch result.verdict {
      case .clean: #expect(outcomes.isEmpty)
      case .corrupt: #expect(outcomes == ["failure"] && message?.hasPrefix("lost data in 1 of 3") == true)
      case .error: #expect(outcomes == ["error"] && message == result.reason)
      case .skipped: #expect(outcomes == ["skipped"] && message == result.reason)
      case .inconclusive: #expect(outcomes == ["skipped"] && message?.hasPrefix("inconclusive: ") == true)
      }
    }
  }

  @Test("a loss is there in full, a clean case with its numbers")
  func proof() throws {
    let tests = try Self.root(SampleRun.events).descendants("testcase")
    let failure = try #require(tests[2].all("failure").first)
    #expect(failure["type"] == "corrupt" && failure["message"]?.contains("known bug fork-block") == true)
    #expect(failure.stringValue == LossReport(trial: SampleRun.loss).lines.joined(separator: "\n"))
    let output = try #require(tests[10].all("system-out").first?.stringValue)
    #expect(output.contains("3 exposures, 0 losses, rate of loss below 63.16 %"))
    #expect(output.contains("guard ksm-counts-references held on 3 pages"))
  }

  @Test("of many losses the first three are kept, and the others counted")
  func manyLosses() throws {
    var result = SampleRun.results[2]
    (result.count.trials, result.count.lostTrials) = (90, 80)
    let losses = (0..<80).map { number in
      var loss = SampleRun.loss
      loss.trial = number
      return Event.trial(loss)
    }
    let end = Event.end(RunEnd(verdict: .corrupt, seconds: 1))
    let root = try Self.root([.run(SampleRun.start)] + losses + [.result(result), end])
    let text = try #require(root.descendants("failure").first?.stringValue)
    #expect(text.split(separator: "\n").filter { $0.hasPrefix("LOSS  ") }.count == JUnitReport.lossesShown)
    #expect(text.hasSuffix("(77 more such trials; --format jsonl has each)"))
  }

  @Test("properties, controls and notes are kept")
  func surroundings() throws {
    let suites = try Self.root(SampleRun.events).all("testsuite")
    for suite in suites {
      let properties = suite.descendants("property").map { "\($0["name"] ?? "")=\($0["value"] ?? "")" }
      #expect(properties.contains("kernel=\(SampleRun.start.release)"))
      #expect(properties.contains("seed=0xffffffffffffffff"))
      #expect(suite.children?.first?.name == "properties")
    }
    #expect(suites[0].all("system-out").first?.stringValue?.contains("put back what a killed") == true)
    for suite in suites.dropFirst() {
      let output = suite.all("system-out").first?.stringValue ?? ""
      #expect(output.contains("control pread.staged: fired in 3 of 3"))
      #expect(output.contains("control libaio.staged: fired in 1 of 3"))
    }
  }

  // MARK: Runs that break

  @Test("a run that breaks is a whole document with one error")
  func broken() throws {
    let root = try Self.root(JUnitReport().broken("no <FUSE>").joined(separator: "\n"))
    #expect(root["errors"] == "1" && root["tests"] == "1" && root.all("testsuite").count == 1)
    #expect(root.descendants("error").map { $0["message"] } == ["no <FUSE>"])
  }

  @Test("cases without a result are errors, also beside a loss", arguments: [Verdict.error, .corrupt])
  func silence(verdict: Verdict) throws {
    let end = RunEnd(verdict: verdict, reason: "6.1: the guest hung", seconds: 3)
    let root = try Self.root(Self.cut(by: 3, end))
    #expect(root["tests"] == "12" && root["errors"] == "3")
    #expect(
      root.descendants("error").map { $0["message"] }
        == Array(repeating: "no result: 6.1: the guest hung", count: 3))
  }

  @Test("what no case says is a test of the run", arguments: [Verdict.error, .inconclusive, .skipped])
  func withoutCases(verdict: Verdict) throws {
    let root = try Self.root([.end(RunEnd(verdict: verdict, reason: "it never booted", seconds: 1))])
    let test = try #require(root.descendants("testcase").first)
    #expect(root["tests"] == "1" && test["name"] == "run")
    #expect(test.children?.map(\.name) == [verdict == .error ? "error" : "skipped"])
  }

  // MARK: Text

  /// A document with `text` where formats have text and where they have attributes.
  private static func document(with text: String) -> String {
    let end = RunEnd(verdict: .error, seconds: 0)
    return Self.text([
      .run(SampleRun.start), .note(Note(text)), .result(SampleRun.result("ksm", "pread", .skipped, text)),
      .end(end),
    ])
  }

  @Test(
    "any text that XML can have comes back",
    arguments: [
      "]]> <!-- & --> <![CDATA[ &lt; &#0; <?x?>", #"" onload="x' "#, "tab\tline\nreturn\rboth\r\nend",
      "µs, 日本語, 👩‍👩‍👧, e\u{301}", "\u{7f}\u{85}\u{2028}\u{fffd}\u{10ffff}",
    ])
  func escaping(text: String) throws {
    let root = try Self.root(Self.document(with: text))
    let skipped = root.descendants("skipped").first?["message"] ?? ""
    #expect(Array(skipped.unicodeScalars) == Array(text.unicodeScalars))
    let output = root.all("testsuite")[0].all("system-out").first?.stringValue ?? ""
    #expect(Array(output.unicodeScalars).starts(with: Array(text.unicodeScalars)))
  }

  @Test("what XML forbids is left out")
  func forbidden() throws {
    let scalars = (Array(0..<0x20) + [0xfffe, 0xffff]).compactMap(Unicode.Scalar.init)
    let root = try Self.root(Self.document(with: "a" + String(String.UnicodeScalarView(scalars)) + "z"))
    #expect(root.descendants("skipped").first?["message"] == "a\t\n\rz")
  }

  @Test(
    "the reader of these tests is strict", arguments: ["<a>text", "<a b='<'/>", "<a>\u{1}</a>", "<a/><b/>"])
  func strict(text: String) {
    #expect(throws: Refused.self) { try Self.root(text) }
  }

  // MARK: Another reader

  /// What PyPI's junitparser counts in `text`, for each suite and for the whole.
  /// - Throws: Python.Refused when it can't read it, or counts anything but what the document says.
  private static func readBack(_ text: String) throws -> [[Int]] {
    try Python.read(text, with: reader).split(separator: "\n").map { line in
      line.split(separator: " ").compactMap { Int($0) }
    }
  }

  private static let reader = """
    import sys
    from junitparser import JUnitXml

    def counts(part):
        return [part.tests, part.failures, part.errors, part.skipped]

    report = JUnitXml.fromfile(sys.argv[1])
    # The whole comes last: it does not say skipped, and asking for that counts everything anew.
    parts = [*report, report]
    said = [counts(part) for part in parts]
    report.update_statistics()
    for part, claim in zip(parts, said):
        if counts(part) != claim:
            sys.exit(f"{part.name}: says {claim}, has {counts(part)}")
        print(*claim)
    """

  @Test("junitparser counts the same", .withPython)
  func readBack() throws {
    #expect(
      try Self.readBack(Self.text(SampleRun.events)) == Self.suiteCounts + [Self.counts(SampleRun.results)])
    let broken = JUnitReport().broken("no FUSE").joined(separator: "\n")
    #expect(try Self.readBack(broken) == [[1, 0, 1, 0], [1, 0, 1, 0]])
  }

  @Test(
    "junitparser does not count the same where it differs",
    .withPython,
    arguments: [
      (#"tests="12""#, #"tests="13""#), (#"failures="2""#, #"failures="1""#),
      (#"errors="1" skipped="0""#, #"errors="0" skipped="0""#), (#"skipped="2""#, #"skipped="0""#),
      (#"<skipped message="no swap"/>"#, ""), (#"<error type"#, #"<failure type"#),
    ])
  func planted(one: String, other: String) throws {
    let text = Self.text(SampleRun.events)
    let planted = text.replacing(one, with: other, maxReplacements: 1)
    try #require(planted != text)
    #expect(throws: Python.Refused.self) { try Self.readBack(planted) }
  }
}

extension XMLElement {
  fileprivate subscript(name: String) -> String? { attribute(forName: name)?.stringValue }

  fileprivate var attributeNames: [String] { attributes?.compactMap(\.name) ?? [] }

  fileprivate func all(_ name: String) -> [XMLElement] { elements(forName: name) }

  fileprivate func descendants(_ name: String) -> [XMLElement] {
    (children ?? []).compactMap { $0 as? XMLElement }.flatMap { child in
      (child.name == name ? [child] : []) + child.descendants(name)
    }
  }
}
