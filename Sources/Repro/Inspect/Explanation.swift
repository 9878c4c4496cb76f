/// What scenarios do, why they lose data on a kernel that is wrong, and which bugs they find.
public struct Explanation {
  private let scenarios: [Scenario]
  private let bugs: [Bug]

  /// An explanation of what `names` are: scenarios or globs of them, or bugs and guards of the catalogue.
  /// - Throws: SelectionError for a name of neither.
  public init(_ names: [String]) throws(SelectionError) {
    let known = Catalogue.measured.bugs
    bugs = known.filter { names.contains($0.id) }
    let rest = names.filter { name in !known.contains { $0.id == name } || Scenario.named(name) != nil }
    scenarios = rest.isEmpty ? [] : try Selection(scenarios: rest).chosenScenarios()
  }

  /// Text for a terminal; each bug is described once, where it is met first.
  public var lines: [String] {
    var lines: [String] = []
    var told: Set<String> = []
    for scenario in scenarios {
      lines += describe(scenario)
      for bug in Catalogue.measured.bugs where bug.scenarios.contains(where: { $0.matches(scenario.name) }) {
        let isNew = told.insert(bug.id).inserted
        lines += [""] + (isNew ? describe(bug) : ["\(bug.isGuard ? "guard" : "bug") \(bug.id): see above"])
      }
      lines.append("")
    }
    for bug in bugs where told.insert(bug.id).inserted {
      lines += describe(bug)
      lines.append("")
    }
    return lines
  }

  private func describe(_ scenario: Scenario) -> [String] {
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
    return lines
  }

  private func describe(_ bug: Bug) -> [String] {
    var lines = [
      "\(bug.isGuard ? "guard" : "bug") \(bug.id) (\(bug.paths.joined(separator: ", ")); "
        + "\(bug.memories.joined(separator: ", "))): \(bug.summary)"
    ]
    lines.append(
      bug.isGuard
        ? "  no released kernel is known to lack it"
        : "  bad from \(bug.bad), \(bug.fixed == .never ? "not fixed yet" : "fixed in \(bug.fixed)")")
    lines.append("  what must happen: \(bug.hazard)")
    for commit in bug.introduced { lines.append("  introduced by \(commit.hash) \(commit.title)") }
    for commit in bug.fix { lines.append("  fixed by \(commit.hash) \(commit.title)") }
    if !bug.cve.isEmpty { lines.append("  " + bug.cve.joined(separator: ", ")) }
    if !bug.measured.isEmpty {
      lines.append("  measured: " + bug.measured.map(\.description).joined(separator: ", "))
    }
    lines.append("  source: \(bug.source) (\(bug.confidence.map(\.rawValue).joined(separator: ", ")))")
    if let note = bug.note { lines += note.wrapped(to: 96).map { "  \($0)" } }
    let scenarios = Scenario.all.filter { one in bug.scenarios.contains { $0.matches(one.name) } }
    lines.append(
      "  asked by: "
        + (scenarios.isEmpty ? "no scenario yet" : scenarios.map(\.name).joined(separator: ", ")))
    return lines
  }
}
