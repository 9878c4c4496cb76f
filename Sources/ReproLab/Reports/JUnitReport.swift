public import Repro

extension ReportFormat {
  /// JUnit's XML, one document a run.
  public static let junit = ReportFormat("junit", "CI servers, in XML once the run is over") { _ in
    JUnitReport()
  }
}

/// JUnit's XML: a suite a scenario, a test a case, and before them a suite `repro` of the run itself.
///
/// A suite begins with its counts, so that nothing is written before the run's end. Of each case the first
/// losses are kept until then; a run that breaks before its end is one error, and what it found is lost.
public struct JUnitReport: Report {
  private var start: RunStart?
  private var notes: [String] = []
  private var controls: [ControlResult] = []
  private var losses: [CaseName: [[String]]] = [:]
  private var results: [CaseResult] = []

  /// Losses of one case that are kept and written in full; the JSON report has all.
  public static let lossesShown = 3

  /// A report.
  public init() {}

  /// Nothing until the end, then the document.
  public mutating func lines(for event: Event) -> [String] {
    switch event {
    case .run(let start): self.start = start
    case .note(let note): notes.append(note.text)
    case .control(let control): controls.append(control)
    case .trial(let trial):
      guard trial.isLoss, losses[trial.case, default: []].count < Self.lossesShown else { break }
      losses[trial.case, default: []].append(LossReport(trial: trial).lines)
    case .result(let result): results.append(result)
    case .end(let end): return document(end)
    }
    return []
  }

  /// A document of one suite with one error.
  public func broken(_ reason: String) -> [String] {
    var suite = Suite(name: Self.runName)
    suite.tests.append(Self.test(ofRun: .error, reason))
    return document([suite], seconds: 0)
  }

  // MARK: Suites

  private struct Suite {
    var name: String
    var tests: [Test] = []
    var output: [String] = []
  }

  private struct Test {
    var suite: String
    var name: String
    var verdict: Verdict
    /// Why the verdict is what it is.
    var message: String
    /// The losses, in full.
    var proof: [String] = []
    /// The numbers.
    var output: [String] = []
    var seconds = 0.0
  }

  private static let runName = "repro"

  private static func test(ofRun verdict: Verdict, _ reason: String?) -> Test {
    Test(suite: runName, name: "run", verdict: verdict, message: reason ?? "no reason was given")
  }

  private func document(_ end: RunEnd) -> [String] {
    let tests = results.map(test) + missing(end)
    var suites: [Suite] = []
    for test in tests {
      if let index = suites.firstIndex(where: { $0.name == test.suite }) {
        suites[index].tests.append(test)
      } else {
        suites.append(Suite(name: test.suite, tests: [test]))
      }
    }
    var run = Suite(name: Self.runName, output: notes)
    // Readers take suites apart, and some drop those without tests: a control stands where its lane is used.
    for control in controls {
      let users = suites.indices.filter { index in
        suites[index].tests.contains { $0.name == control.lane }
      }
      if users.isEmpty { run.output.append(Self.line(control)) }
      for index in users { suites[index].output.append(Self.line(control)) }
    }
    // What no test says, such as a guest that never booted, must not look like a run without failures.
    if !tests.contains(where: { $0.verdict == end.verdict }) {
      run.tests.append(Self.test(ofRun: end.verdict, end.reason))
    }
    run.output.append(
      "verdict \(end.verdict.rawValue)" + (end.reason.map { ": \($0)" } ?? "")
        + (end.interruptedBy.map { "; stopped by signal \($0)" } ?? ""))
    return document([run] + suites, seconds: end.seconds)
  }

  private static func line(_ control: ControlResult) -> String {
    "control \(control.lane): fired in \(control.fired) of \(control.trials) trials, lost data without hazard "
      + "in \(control.quietLosses) of \(control.quietTrials)" + (control.reason.map { "; \($0)" } ?? "")
  }

  // MARK: Tests

  private func test(_ result: CaseResult) -> Test {
    let count = result.count
    var message = result.reason ?? ""
    var proof: [String] = []
    if result.verdict == .corrupt {
      let bugs = result.bugs.map { "known bug \($0)" }
      let facts = ["lost data in \(count.lostTrials) of \(count.trials) trials"] + bugs
      message = (facts + (result.reason.map { [$0] } ?? [])).joined(separator: "; ")
      let kept = losses[result.case] ?? []
      proof = kept.flatMap { $0 + [""] }
      let rest = count.lostTrials - kept.count
      if rest > 0 { proof.append("(\(rest) more such trials; --format jsonl has each)") }
      if proof.last == "" { proof.removeLast() }
    }
    return Test(
      suite: result.case.scenario, name: result.case.lane, verdict: result.verdict, message: message,
      proof: proof, output: count.trials > 0 ? numbers(result) : [], seconds: count.seconds)
  }

  private func numbers(_ result: CaseResult) -> [String] {
    let count = result.count
    func below(_ bound: Double?) -> String {
      bound.map { ", rate of loss below \(($0 * 100).fixed(2)) %" } ?? ""
    }
    var lines = [
      "\(count.trials) trials, \(count.exposures) exposures, \(count.losses) losses"
        + below(result.upperBound)
    ]
    if count.entering > 0 {
      lines.append("\(count.entering) entered under the hazard" + below(result.enteringBound))
    }
    for (name, pages) in count.guards.sorted(by: { $0.key < $1.key }) where result.role == .hazard {
      lines.append("guard \(name) held on \(pages) pages")
    }
    if let opened = result.opened {
      lines.append("target \(opened)" + (result.path.map { ", path \($0.rawValue)" } ?? ""))
    }
    if result.depth > 1 { lines.append("depth \(result.depth)") }
    if let evidence = count.evidence { lines.append("last hazard: \(evidence)") }
    return lines
  }

  /// Cases that were to run and have no result: silence is not a pass.
  private func missing(_ end: RunEnd) -> [Test] {
    let told = Set(results.map(\.case))
    return (start?.cases ?? []).filter { !told.contains($0) }.map { name in
      Test(
        suite: name.scenario, name: name.lane, verdict: .error,
        message: "no result" + (end.reason.map { ": \($0)" } ?? ""),
        proof: (losses[name] ?? []).flatMap { $0 })
    }
  }

  // MARK: Elements

  private func document(_ suites: [Suite], seconds: Double) -> [String] {
    var root = XMLElement("testsuites", [("name", Self.runName)])
    // Jenkins' schema, which its xUnit plugin insists on, has no skipped here, and three decimals at most.
    root.attributes += Self.counts(suites.flatMap(\.tests)).filter { $0.0 != "skipped" }
    root.attributes.append(("time", seconds.fixed(3)))
    root.children = suites.map(element)
    return [#"<?xml version="1.0" encoding="UTF-8"?>"#] + root.lines()
  }

  private func element(_ suite: Suite) -> XMLElement {
    var element = XMLElement("testsuite", [("name", suite.name)])
    let seconds = suite.tests.reduce(0) { $0 + $1.seconds }
    element.attributes += Self.counts(suite.tests) + [("time", seconds.fixed(3))]
    if let start {
      var properties = XMLElement("properties")
      properties.children = Self.properties(start).map {
        XMLElement("property", [("name", $0.0), ("value", $0.1)])
      }
      element.children.append(properties)
    }
    element.children += suite.tests.map(Self.element)
    if !suite.output.isEmpty { element.children.append(XMLElement("system-out", text: suite.output)) }
    return element
  }

  private static func properties(_ start: RunStart) -> [(String, String)] {
    [
      ("version", start.version), ("kernel", start.release), ("build", start.build),
      ("machine", start.machine), ("processors", "\(start.processors)"), ("page-size", "\(start.pageSize)"),
      ("seed", "\(start.plan.seed)"),
    ]
  }

  private static func counts(_ tests: [Test]) -> [(String, String)] {
    func count(_ verdicts: Verdict...) -> String { "\(tests.count { verdicts.contains($0.verdict) })" }
    return [
      ("tests", "\(tests.count)"), ("failures", count(.corrupt)), ("errors", count(.error)),
      ("skipped", count(.skipped, .inconclusive)),
    ]
  }

  private static func element(_ test: Test) -> XMLElement {
    var element = XMLElement(
      "testcase", [("classname", test.suite), ("name", test.name), ("time", test.seconds.fixed(3))])
    func child(_ name: String, _ attributes: [(String, String)] = [], _ text: [String] = []) {
      element.children.append(XMLElement(name, attributes, text: text))
    }
    switch test.verdict {
    case .clean: break
    case .corrupt: child("failure", [("type", "corrupt"), ("message", test.message)], test.proof)
    // Some readers show the text and not the message.
    case .error: child("error", [("type", "error"), ("message", test.message)], [test.message] + test.proof)
    case .skipped: child("skipped", [("message", test.message)])
    // Inconclusive is never a pass, and JUnit has no word for it.
    case .inconclusive: child("skipped", [("message", "inconclusive: \(test.message)")])
    }
    if !test.output.isEmpty { child("system-out", [], test.output) }
    return element
  }
}

/// An element of either text or other elements; the guest's binary has no Foundation to write it.
private struct XMLElement {
  var name: String
  var attributes: [(String, String)]
  var text: [String]
  var children: [XMLElement] = []

  init(_ name: String, _ attributes: [(String, String)] = [], text: [String] = []) {
    self.name = name
    self.attributes = attributes
    self.text = text
  }

  func lines(_ indent: String = "") -> [String] {
    let words = attributes.map { " \($0.0)=\"\(Self.escape($0.1, inAttribute: true))\"" }
    let tag = "\(indent)<\(name)\(words.joined())"
    if !text.isEmpty {
      // No blanks around the text, which readers show as it is.
      let text = Self.escape(text.joined(separator: "\n"), inAttribute: false)
      return "\(tag)>\(text)</\(name)>".split(separator: "\n", omittingEmptySubsequences: false).map(
        String.init)
    }
    if children.isEmpty { return ["\(tag)/>"] }
    return ["\(tag)>"] + children.flatMap { $0.lines(indent + "  ") } + ["\(indent)</\(name)>"]
  }

  /// The text as XML 1.0 may have it. What it forbids even as a reference is left out.
  private static func escape(_ text: String, inAttribute: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&apos;"
      // Readers make line ends of these, and in attributes blanks of all three.
      case "\r": escaped += "&#13;"
      case "\n" where inAttribute: escaped += "&#10;"
      case "\t" where inAttribute: escaped += "&#9;"
      case "\n", "\t": escaped.unicodeScalars.append(scalar)
      case "\0"..<" ", "\u{fffe}", "\u{ffff}": break
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
