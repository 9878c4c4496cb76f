import Foundation
import Repro

extension MutantScore {
  /// For a terminal: a row a mutation, and what is to be said besides.
  public var table: String {
    var table = TextTable()
    table.row(["MUTATION", "RECORD", "RESULT", "FOUND BY, AFTER", "NOT BY"])
    for mutation in mutations {
      table.row([
        mutation.id, mutation.kind == .fix ? "fix" : mutation.state.rawValue,
        fate(mutation).word + (isExpected(mutation) ? "" : " !!"),
        finders(mutation).map { "\($0.case) \($0.finding)" }.joined(separator: ", "),
        others(mutation).joined(separator: ", "),
      ])
    }
    return (table.lines + [""] + remarks).joined(separator: "\n")
  }

  /// For a document: mutations by scenarios. A cell has the trials (staged) or exposures (race) after which data was
  /// lost; `-` where nothing was; it is empty where the scenario was not run.
  public var markdown: String {
    let ran = Set(mutations.flatMap { outcome($0)?.results.map(\.case.scenario) ?? [] })
    let columns = Scenario.standard.map(\.name).filter(ran.contains)
    var rows = [["mutation", "guard", "record", "result"] + columns.map { "`\($0)`" }]
    for mutation in mutations {
      rows.append(
        [
          "`\(mutation.id)`", mutation.guardName.map { "`\($0)`" } ?? mutation.check ?? "",
          mutation.kind == .fix ? "fix" : mutation.state.rawValue, fate(mutation).word,
        ] + columns.map { cell(mutation, $0) })
    }
    var lines = rows.map { "| " + $0.joined(separator: " | ") + " |" }
    lines.insert("|" + String(repeating: "---|", count: rows[0].count), at: 1)
    return (lines + [""] + remarks.map { "- \($0)" }).joined(separator: "\n")
  }

  private func cell(_ mutation: Mutation, _ scenario: String) -> String {
    let results = outcome(mutation)?.results.filter { $0.case.scenario == scenario } ?? []
    let found = Set(finders(mutation).map(\.case))
    return results.map { result in
      let lane = result.case.lane
      let suffix = lane == "pread.staged" ? "" : " (\(lane))"
      let isLost = mutation.kind == .mutant ? found.contains(result.case) : result.verdict == .corrupt
      return (isLost ? "**\(result.finding)**" : result.verdict == .clean ? "-" : result.verdict.rawValue)
        + suffix
    }.joined(separator: ", ")
  }

  private func others(_ mutation: Mutation) -> [String] {
    let found = Set(finders(mutation).map(\.case))
    return (outcome(mutation)?.results ?? []).filter { !found.contains($0.case) }.map { result in
      "\(result.case) \(result.verdict == .clean ? "\(result.effort)" : result.verdict.rawValue)"
    }
  }

  /// Score, surprises, what is unproven and untested, and why some were not found.
  public var remarks: [String] {
    var lines: [String] = []
    let release = base?.release ?? "?"
    let clean = base?.results.filter { $0.verdict == .clean }.count ?? 0
    let known = base?.results.filter { $0.verdict == .corrupt }.count ?? 0
    lines.append(
      "score: \(found.count) of \(found.of) reachable mutations found"
        + (hasAssertions ? ", \(asserted) stopped by the kernel's own assertion before" : "")
        + "; base \(release): \(clean) cases clean, "
        + "\(known) corrupt as the catalogue has it")
    lines += baseSurprises.map { "unexpected: \($0)" }
    for mutation in mutations where !isExpected(mutation) {
      let fate = fate(mutation)
      lines.append("unexpected: \(mutation.id): \(fate.word)" + (fate.detail.map { ": \($0)" } ?? ""))
    }
    for mutation in mutations where mutation.kind == .mutant && mutation.state != .reachable {
      let bounds = (outcome(mutation)?.results ?? []).compactMap { result in
        // Where nothing was exposed, what entered while the hazard acted still bounds.
        (result.upperBound ?? result.enteringBound).map { "\(result.case) < \(($0 * 100).fixed(1)) %" }
      }
      lines.append(
        "\(mutation.state.rawValue): \(mutation.id): \(mutation.why ?? "")"
          + (mutation.state == .notReached && !bounds.isEmpty ? " (\(bounds.joined(separator: ", ")))" : ""))
    }
    let complaints = mutations.compactMap { mutation in
      outcome(mutation)?.complaint.map { "\(mutation.id): \($0)" }
    }
    lines += complaints.map { "the kernel's own assertion: \($0)" }
    if !unproven.isEmpty { lines.append("unproven scenarios: \(unproven.joined(separator: ", "))") }
    lines += claims.map { "claimed without proof: \($0.guard) by \($0.scenarios.joined(separator: ", "))" }
    if !untested.isEmpty { lines.append("untested guards: \(untested.joined(separator: ", "))") }
    if !unseen.isEmpty { lines.append("guards that no verdict named: \(unseen.joined(separator: ", "))") }
    return lines
  }
}
