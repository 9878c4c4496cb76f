extension ReportFormat {
  /// Kernel Test Anything Protocol, version 1.
  public static let ktap = ReportFormat("ktap", "kselftest") { _ in KTAPReport() }
}

/// KTAP version 1 (Documentation/dev-tools/ktap.rst): a test a scenario, a subtest an engine and schedule.
public struct KTAPReport: Report {
  private struct Group {
    var scenario: String
    var size: Int
  }

  private var groups: [Group] = []
  private var group = 0
  private var isOpen = false
  private var done = 0
  private var groupResults: [CaseResult] = []
  private var totals: [Verdict: Int] = [:]

  /// A report.
  public init() {}

  /// Plan, results and diagnostics of `event`.
  public mutating func lines(for event: Event) -> [String] {
    switch event {
    case .run(let start):
      for scenario in start.cases.map(\.scenario) {
        if groups.last?.scenario == scenario {
          groups[groups.count - 1].size += 1
        } else {
          groups.append(Group(scenario: scenario, size: 1))
        }
      }
      return [
        "KTAP version 1", "# repro \(start.version) on Linux \(start.release), seed \(start.plan.seed)",
        "1..\(groups.count)",
      ]
    case .note(let note): return ["# \(Self.escape(note.text))"]
    case .control(let control):
      return [
        "# control \(control.lane): fired in \(control.fired) of \(control.trials) trials, lost data without hazard "
          + "in \(control.quietLosses) of \(control.quietTrials)"
          + (control.reason.map { "; \(Self.escape($0))" } ?? "")
      ]
    case .trial(let trial):
      return trial.isLoss ? header() + LossReport(trial: trial).lines.map { "  # " + Self.escape($0) } : []
    case .result(let result): return lines(for: result)
    case .end(let end):
      var lines = end.verdict == .error ? ["Bail out! \(Self.escape(end.reason ?? "harness error"))"] : []
      func total(_ verdict: Verdict) -> Int { totals[verdict] ?? 0 }
      lines.append(
        "# Totals: pass:\(total(.clean)) fail:\(total(.corrupt)) xfail:0 xpass:0 "
          + "skip:\(total(.skipped) + total(.inconclusive)) error:\(total(.error))")
      return lines
    }
  }

  /// Opens the scenario's subtests, unless they are open: notes and controls come before them.
  private mutating func header() -> [String] {
    guard !isOpen, group < groups.count else { return [] }
    isOpen = true
    return ["  KTAP version 1", "  1..\(groups[group].size)"]
  }

  private mutating func lines(for result: CaseResult) -> [String] {
    var lines = header()
    done += 1
    groupResults.append(result)
    totals[result.verdict, default: 0] += 1
    let name = result.case.lane
    let count = result.count
    lines.append(
      "  # \(name): \(count.losses) losses, \(count.exposures) exposures, \(count.trials) trials"
        + (result.upperBound.map { ", rate below \(($0 * 100).fixed(2)) %" } ?? ""))
    for (guardName, pages) in count.guards.sorted(by: { $0.key < $1.key }) {
      lines.append("  # guard \(guardName) held on \(pages) pages")
    }
    for bug in result.bugs { lines.append("  # known bug \(bug)") }
    if result.verdict == .error { lines.append("  # error: \(Self.escape(result.reason ?? ""))") }
    lines.append("  " + Self.line(done, name, result.verdict, result.reason))
    if done == groups[group].size {
      // A loss fails the scenario; else the worst that happened, with skips only when nothing ran.
      let overall = ExitCodes.kselftest.overall(groupResults.map(\.verdict))
      let reason = groupResults.first { $0.verdict == overall }?.reason
      lines.append(Self.line(group + 1, groups[group].scenario, overall, reason))
      group += 1
      done = 0
      groupResults = []
      isOpen = false
    }
    return lines
  }

  private static func line(_ number: Int, _ name: String, _ verdict: Verdict, _ reason: String?) -> String {
    switch verdict {
    case .clean: "ok \(number) \(name)"
    case .corrupt, .error: "not ok \(number) \(name)"
    case .skipped: "ok \(number) \(name) # SKIP \(escape(reason ?? ""))"
    // Inconclusive is never a pass, and KTAP has no word for it.
    case .inconclusive: "ok \(number) \(name) # SKIP inconclusive: \(escape(reason ?? ""))"
    }
  }

  /// What bails out of a test.
  public func broken(_ reason: String) -> [String] { ["Bail out! \(Self.escape(reason))"] }

  /// `#` begins a directive.
  private static func escape(_ text: String) -> String {
    String(text.map { $0 == "#" ? "_" : $0.isNewline ? " " : $0 })
  }
}
