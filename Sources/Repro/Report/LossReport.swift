/// One trial that lost data, in full: what is wrong, the physical proof, and who did what when.
package struct LossReport {
  private let trial: TrialRecord

  package init(trial: TrialRecord) { self.trial = trial }

  private static let columnWidth = 30
  private static let timeWidth = 10

  /// The lines, without line ends.
  package var lines: [String] {
    var lines = [
      "LOSS  \(trial.case)  trial \(trial.trial)  (\(trial.length) bytes at offset \(trial.offset))"
    ]
    if trial.depth > 1 {
      lines.append("  \(trial.lost.count) of \(trial.depth) pages lost data; the first of them in full:")
    }
    for damage in trial.damage where damage.page == trial.lost.first {
      lines.append(
        "  \(damage.kind.rawValue): \(damage.length) bytes from byte \(damage.offset) of \(place(damage)), "
          + "region \(damage.region.rawValue), \(damage.look.rawValue) look")
      lines.append("    expected  \(damage.expected)")
      lines.append("    found     \(damage.found)   \(damage.provenance)")
    }
    if !trial.isExplained { lines.append("  unexplained: the scenario names no damage of this kind") }
    for hazard in trial.hazards { lines.append("  hazard: \(hazard.text)") }
    if let again = trial.withoutIO { lines.append("  the same without I/O: \(again.text)") }
    lines.append("  \(frames)")
    return lines + drawing
  }

  private func place(_ damage: Damage) -> String {
    trial.depth > 1 ? "page \(damage.page)" : "the buffer"
  }

  private var frames: String {
    guard let before = trial.frameBefore, let after = trial.frameAfter else {
      return "page frames: hidden (needs CAP_SYS_ADMIN)"
    }
    let moved = before == after ? "the same page" : "the page behind the address was replaced"
    return "page frame before \(Hex.number(before)), after \(Hex.number(after)): \(moved)"
  }

  /// Time runs down, one column an agent.
  private var drawing: [String] {
    var agents: [String] = []
    for mark in trial.timeline where !agents.contains(mark.agent) { agents.append(mark.agent) }
    func line(_ time: String, _ cells: [String]) -> String {
      var text = "  " + time.padded(to: Self.timeWidth, right: true)
      for cell in cells { text += "  " + cell.padded(to: Self.columnWidth) }
      while text.last == " " { text.removeLast() }
      return text
    }
    var lines = agents.isEmpty ? [] : [line("µs", agents)]
    for mark in trial.timeline {
      for (index, part) in mark.what.wrapped(to: Self.columnWidth).enumerated() {
        let time = index == 0 ? (Double(mark.at) / 1000).fixed(1) : ""
        lines.append(line(time, agents.map { $0 == mark.agent ? part : "" }))
      }
    }
    return lines
  }
}
