/// One trial that lost data, in full: what is wrong, the physical proof, and who did what when.
struct LossReport {
  let trial: TrialRecord

  private static let columnWidth = 30
  private static let timeWidth = 10

  var lines: [String] {
    var lines = [
      "LOSS  \(trial.cell)  trial \(trial.trial)  (\(trial.length) bytes at offset \(trial.offset))"
    ]
    for damage in trial.damage {
      lines.append(
        "  \(damage.kind.rawValue): \(damage.length) bytes from byte \(damage.offset) of the buffer, "
          + "region \(damage.region.rawValue), \(damage.look.rawValue) look")
      lines.append("    expected  \(damage.expected)")
      lines.append("    found     \(damage.found)   \(damage.provenance)")
    }
    lines.append("  hazard: \(trial.hazard.text)" + (trial.isExposure ? "" : " (not proved to be in flight)"))
    if let again = trial.withoutIO { lines.append("  the same without I/O: \(again.text)") }
    lines.append("  \(frames)")
    return lines + drawing
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
