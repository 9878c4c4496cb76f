import Repro

/// `docs/hazards.md`: every hazard with its interleaving, the guards that it may see at work, and what the
/// catalogue knows of kernels that lack them. Generated, and checked to be current.
public struct HazardsPage {
  /// A page of all hazards that are written down.
  public init() {}

  /// Markdown.
  public var text: String {
    let hazards = Scenario.all.filter { $0.role == .hazard }
    let pairs = Scenario.pairs.count
    return
      ([Self.head]
      + hazards.map(section)
      + [
        """
        ## Pairs

        Of the hazards that work on any memory each is also staged after each other one: \(pairs) ordered pairs,
        named as in `ksm-then-fork`, under `--all` or by name (`repro run 'ksm-then-*'`). A pair has the records
        of both.
        """,
        Self.absent, Self.unreached,
      ]).joined(separator: "\n\n") + "\n"
  }

  private static let head = """
    # Hazards

    What may happen to a page while direct I/O has it, and what keeps it behind its address. Written by
    `repro list --hazards-page > docs/hazards.md` from the code and from `fixtures/bugs.txt`; a test says when it
    is not current. Where a record has commits, the first ones brought the bug in and the others mended it.
    """

  /// What is known of the class and not staged here, and why.
  private static let absent = """
    ## Not staged

    - **uprobe registration**: no scenario yet.
    - **migration of the page cache's pages under buffered reads**: no direct I/O takes part.
    """

  /// Which scenarios ask nothing on which memory, and why.
  private static let unreached =
    """
    ## Out of reach

    Scenarios that mean something on a memory, run there, and ask no guard, on any kernel. `repro coverage REPORT...`
    compares this list with what reports of several kernels saw.


    """ + Unreached.all.map { "- \($0.text)" }.joined(separator: "\n")

  private func section(_ scenario: Scenario) -> String {
    var parts = ["## \(scenario.name)", sentence(scenario.summary)]
    if !scenario.drawing.isEmpty { parts.append("```\n\(scenario.drawing)\n```") }
    let guards = scenario.guards.map { "- guard `\($0.name)`: \($0.observation)" }
    let memories = MemoryKind.all.filter { scenario.memory.isSubset(of: $0.traits) }.map { "`\($0.name)`" }
    var facts = guards
    facts.append("- memory: \(memories.joined(separator: ", "))")
    if !scenario.needs.isEmpty {
      facts.append("- needs: \(scenario.needs.map(\.name).joined(separator: ", "))")
    }
    if let obstacle = scenario.raceObstacle { facts.append("- staged only: \(obstacle)") }
    parts.append(facts.joined(separator: "\n"))
    let bugs = Catalogue.measured.bugs.filter { $0.scenarios.contains { $0.matches(scenario.name) } }
    if bugs.isEmpty {
      parts.append("No record.")
    } else {
      let rows = bugs.map(row)
      parts.append(
        ([
          "| record | path | memory | bad from | fixed in | measured | commits |",
          "|---|---|---|---|---|---|---|",
        ] + rows)
        .joined(separator: "\n"))
    }
    return parts.joined(separator: "\n\n")
  }

  private func sentence(_ text: String) -> String {
    (text.first.map { $0.uppercased() } ?? "") + text.dropFirst() + "."
  }

  private func row(_ bug: Bug) -> String {
    let measured = [true, false].compactMap { corrupt -> String? in
      let versions = bug.kernels(corrupt: corrupt)
      return versions.isEmpty ? nil : "\(corrupt ? "corrupt" : "clean") \(versions.joined(separator: ", "))"
    }
    let commits = (bug.introduced + bug.fix).map { "\($0.hash) \($0.title)" }
    let cells = [
      "`\(bug.id)`", bug.paths.joined(separator: ", "), bug.memories.joined(separator: ", "),
      bug.isGuard ? "never" : "\(bug.bad)", bug.isGuard ? "" : "\(bug.fixed)",
      measured.isEmpty ? "not measured" : measured.joined(separator: "; "), commits.joined(separator: "; "),
    ]
    return "| " + cells.joined(separator: " | ") + " |"
  }
}
