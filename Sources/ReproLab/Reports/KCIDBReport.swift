import Foundation
public import Repro

extension ReportFormat {
  /// KernelCI's database, schema version 5.
  public static let kcidb = ReportFormat(
    "kcidb", "KernelCI's database, JSON of schema 5", document: { KCIDBDocument($0).lines }
  ) { _ in
    DocumentReport { KCIDBDocument($0).lines }
  }
}

/// What KernelCI's database takes (kcidb-io, schema 5): a checkout and a build a kernel, a test a case, an
/// issue a known bug, an incident where a test met one.
struct KCIDBDocument: Encodable {
  private struct Version: Encodable { var (major, minor) = (5, 0) }

  private enum Key: String, CodingKey { case version, checkouts, builds, tests, issues, incidents }

  /// Who says all this; every id begins with it.
  private static let origin = "repro"
  private static func id(_ text: String) -> String { "\(origin):\(clean(text))" }
  /// The schema forbids this character everywhere.
  private static func clean(_ text: String) -> String { text.replacing("\0", with: "") }

  private var checkouts: [Checkout] = []
  private var builds: [Build] = []
  private var tests: [Test] = []
  private var issues: [Issue] = []
  private var incidents: [Incident] = []

  init(_ runs: [[Event]]) {
    for (index, run) in runs.enumerated() { add(RunSummary(run), number: index) }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(Version(), forKey: .version)
    try container.encode(checkouts, forKey: .checkouts)
    try container.encode(builds, forKey: .builds)
    try container.encode(tests, forKey: .tests)
    try container.encode(issues, forKey: .issues)
    try container.encode(incidents, forKey: .incidents)
  }

  var lines: [String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // Strings, whole numbers and finite fractions: nothing that the encoder refuses.
    guard let data = try? encoder.encode(self) else { return [] }
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  // MARK: Objects

  private struct Checkout: Encodable {
    var (id, origin): (String, String)
    var valid = true
    var comment: String
  }

  private struct Build: Encodable {
    var (checkout_id, id, origin): (String, String, String)
    var architecture: String?
    var comment: String
    var status = "PASS"
  }

  private struct Environment: Encodable {
    struct Machine: Encodable {
      var (release, build, machine): (String, String, String)
      var processors: Int
      var page_size: Int
    }
    var comment: String
    var misc: Machine
  }

  private struct Test: Encodable {
    struct Numbers: Encodable {
      var verdict: Verdict
      var judgement: Judgement?
      var reason: String?
      var role: Scenario.Role?
      var (trials, exposures, losses, lost_trials, entering): (Int, Int, Int, Int, Int)
      /// The rate of trials with a loss is below this, with `confidence`.
      var loss_rate_below: Double?
      var confidence: Double?
      var depth: Int
      var target: String?
      var path: IOPath?
      var guards: [String: Int]
      var seed: String?
      var repro: String?
    }
    var (build_id, id, origin): (String, String, String)
    var environment: Environment?
    var path: String
    var comment: String?
    var log_excerpt: String?
    var status: String
    var duration: Double?
    var misc: Numbers
  }

  private struct Issue: Encodable {
    struct Culprit: Encodable { var code = true }
    struct Fix: Encodable { var (commit, title, url): (String, String, String) }
    struct Facts: Encodable {
      var (hazard, bad, fixed): (String, String, String)
      var fix: [Fix]
      var cve: [String]
      var source: String
    }
    var id: String
    var version = 1
    var origin: String
    var report_subject: String
    var comment: String?
    var culprit = Culprit()
    var misc: Facts
  }

  private struct Incident: Encodable {
    var (id, origin, issue_id): (String, String, String)
    var issue_version = 1
    var test_id: String
    var present = true
  }

  // MARK: Contents

  private static let longestExcerpt = 16_384

  private mutating func add(_ run: RunSummary, number: Int) {
    let start = run.start
    let kernel = start.map { "\($0.release) \($0.build)" } ?? "unknown kernel"
    let build = Self.id("\(kernel) \(start?.machine ?? "")")
    if !builds.contains(where: { $0.id == build }) {
      let checkout = Self.id(kernel)
      checkouts.append(
        Checkout(id: checkout, origin: Self.origin, comment: Self.clean("Linux \(kernel), as it was booted")))
      builds.append(
        Build(
          checkout_id: checkout, id: build, origin: Self.origin, architecture: start?.machine,
          comment: Self.clean(kernel)))
    }
    // The same run gives the same ids whenever it is sent; two runs of one seed differ in how long they took.
    let name = "\(kernel) \(start.map { "\($0.plan.seed)" } ?? "\(number)") \(run.end.seconds)"
    let environment = start.map { start in
      Environment(
        comment: "\(start.machine), \(start.processors) CPUs, \(start.pageSize)-byte pages",
        misc: .init(
          release: start.release, build: start.build, machine: start.machine, processors: start.processors,
          page_size: start.pageSize))
    }
    func test(_ path: String, _ verdict: Verdict, _ status: String, _ reason: String?) -> Test {
      Test(
        build_id: build, id: Self.id("\(name) \(path)"), origin: Self.origin, environment: environment,
        path: path, comment: reason.map(Self.clean), status: status,
        misc: .init(
          verdict: verdict, reason: reason, trials: 0, exposures: 0, losses: 0, lost_trials: 0, entering: 0,
          depth: 1, guards: [:], seed: start.map { "\($0.plan.seed)" }, repro: start?.version))
    }
    for result in run.results {
      var one = test("repro.\(result.case)", result.verdict, Self.status(result.verdict), result.reason)
      let count = result.count
      one.duration = count.seconds
      one.misc.judgement = Judgement(result, on: run.version)
      one.misc.role = result.role
      (one.misc.trials, one.misc.exposures, one.misc.losses) = (count.trials, count.exposures, count.losses)
      (one.misc.lost_trials, one.misc.entering) = (count.lostTrials, count.entering)
      one.misc.loss_rate_below = result.upperBound
      one.misc.confidence = result.upperBound == nil ? nil : start?.plan.confidence
      (one.misc.depth, one.misc.target, one.misc.path) = (result.depth, result.opened, result.path)
      one.misc.guards = count.guards
      if let loss = run.losses[result.case]?.first {
        let text = Self.clean(LossReport(trial: loss).lines.joined(separator: "\n"))
        one.log_excerpt = String(decoding: text.utf8.prefix(Self.longestExcerpt), as: UTF8.self)
      }
      tests.append(one)
      for bug in result.bugs { addIncident(of: bug, in: one.id) }
    }
    for name in run.missing {
      tests.append(
        test("repro.\(name)", .error, "MISS", "no result" + (run.end.reason.map { ": \($0)" } ?? "")))
    }
    // What no case says must not look like a run without failures.
    if !run.results.contains(where: { $0.verdict == run.end.verdict }) {
      let status = run.end.verdict == .error ? "MISS" : Self.status(run.end.verdict)
      tests.append(test("repro", run.end.verdict, status, run.end.reason))
    }
  }

  private static func status(_ verdict: Verdict) -> String {
    switch verdict {
    case .clean: "PASS"
    case .corrupt: "FAIL"
    case .error: "ERROR"
    // "Completed and had not reported the status of the tested code": never a pass.
    case .inconclusive: "DONE"
    case .skipped: "SKIP"
    }
  }

  private mutating func addIncident(of name: String, in test: String) {
    guard let bug = Catalogue.standard.bugs.first(where: { $0.id == name }) else { return }
    let issue = Self.id("bug \(name)")
    if !issues.contains(where: { $0.id == issue }) {
      issues.append(
        Issue(
          id: issue, origin: Self.origin, report_subject: "\(name): \(bug.summary)", comment: bug.note,
          misc: .init(
            hazard: bug.hazard, bad: bug.bad.description, fixed: bug.fixed.description,
            fix: bug.fix.map { .init(commit: $0.hash, title: $0.title, url: $0.url) },
            cve: bug.cve, source: bug.source)))
    }
    incidents.append(
      Incident(id: "\(test) \(name)", origin: Self.origin, issue_id: issue, test_id: test))
  }
}

extension Bug.Commit {
  /// Where the commit can be read.
  var url: String { "https://git.kernel.org/linus/\(hash)" }
}
