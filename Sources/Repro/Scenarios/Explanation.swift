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
      lines.append("needs: " + scenario.needs.map(\.rawValue).joined(separator: ", "))
    }
    if let obstacle = scenario.raceObstacle { lines.append("staged only: \(obstacle)") }
    for setting in scenario.settings {
      switch setting {
      case .file(let path, let value, _): lines.append("sets while it runs: \(path) = \(value)")
      case .swap: lines.append("makes swap if none is on (zram, or a scratch file), and takes it off again")
      }
    }
    for path in IOPath.allCases {
      for bug in Catalogue.standard.bugs(scenario: scenario.name, path: path.rawValue) {
        lines += [""] + describe(bug)
      }
    }
    return lines
  }

  private func describe(_ bug: Bug) -> [String] {
    var lines = [
      "\(bug.isGuard ? "guard" : "bug") \(bug.id) (\(bug.paths.joined(separator: ", "))): \(bug.summary)"
    ]
    lines.append("  bad from \(bug.bad), fixed in \(bug.fixed)")
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
