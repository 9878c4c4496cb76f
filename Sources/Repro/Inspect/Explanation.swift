/// What a scenario does, why it loses data on a kernel that is wrong, and which bugs it finds.
public struct Explanation {
  private let scenario: Scenario

  /// An explanation of `scenario`.
  public init(_ scenario: Scenario) { self.scenario = scenario }

  /// Text for a terminal.
  public var lines: [String] {
    var lines = ["\(scenario.name): \(scenario.summary)", ""]
    if !scenario.drawing.isEmpty {
      lines += scenario.drawing.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
      lines.append("")
    }
    if !scenario.needs.isEmpty {
      lines.append("needs: " + scenario.needs.map(\.name).joined(separator: ", "))
    }
    if let obstacle = scenario.raceObstacle { lines.append("staged only: \(obstacle)") }
    for setting in scenario.settings { lines.append("sets while it runs: \(setting)") }
    for bug in Catalogue.standard.bugs where bug.scenarios.contains(where: { $0.matches(scenario.name) }) {
      lines += [""] + describe(bug)
    }
    return lines
  }

  private func describe(_ bug: Bug) -> [String] {
    var lines = [
      "\(bug.isGuard ? "guard" : "bug") \(bug.id) (\(bug.paths.joined(separator: ", ")); "
        + "\(bug.memories.joined(separator: ", "))): \(bug.summary)"
    ]
    lines.append(
      bug.isGuard
        ? "  no released kernel is known to lack it" : "  bad from \(bug.bad), fixed in \(bug.fixed)")
    for commit in bug.introduced { lines.append("  introduced by \(commit.hash) \(commit.title)") }
    for commit in bug.fix { lines.append("  fixed by \(commit.hash) \(commit.title)") }
    if !bug.cve.isEmpty { lines.append("  " + bug.cve.joined(separator: ", ")) }
    if !bug.measured.isEmpty {
      lines.append("  measured: " + bug.measured.map(\.description).joined(separator: ", "))
    }
    lines.append("  source: \(bug.source) (\(bug.confidence.map(\.rawValue).joined(separator: ", ")))")
    if let note = bug.note { lines += note.wrapped(to: 96).map { "  \($0)" } }
    return lines
  }
}
