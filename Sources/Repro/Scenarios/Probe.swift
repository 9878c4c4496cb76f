import CKernel

/// What the running machine can do: each scenario with what keeps it from running.
public struct Probe {
  /// Looks.
  public init() {}

  /// The findings, one a line.
  public var lines: [String] {
    var table = TextTable()
    table.row(["SCENARIO", "STAGED", "RACE"])
    let held = Self.obstacle(.file)
    for scenario in Scenario.all {
      let missing = scenario.needs.lazy.compactMap { $0.missing() }.first
      let staged = missing ?? held
      let race = scenario.raceObstacle ?? missing ?? Self.raceObstacle
      table.row([scenario.name, staged == nil ? "can run" : "skip", race == nil ? "can run" : "skip"])
    }
    return table.lines + [""] + reasons(held)
  }

  private func reasons(_ held: String?) -> [String] {
    var lines: [String] = []
    for need in Need.allCases {
      lines.append("\(need.rawValue): \(need.missing() ?? "yes")")
    }
    lines.append("held file: \(held ?? "yes")")
    lines.append("held block device: \(Self.obstacle(.block) ?? "yes")")
    lines.append("race target \(Plan.standardTarget): \(Self.raceObstacle ?? "yes")")
    return lines
  }

  private static func obstacle(_ kind: HeldKind) -> String? {
    do throws(KernelError) {
      try kind.make(Pattern(seed: 0)).close()
      return nil
    } catch {
      return kind.remedy(error)
    }
  }

  private static let raceObstacle: String? = {
    do throws(TargetError) {
      try ScratchFile(
        path: Plan.standardTarget, overwrite: false, length: kernelPageSize, pattern: Pattern(seed: 0)
      ).close()
      return nil
    } catch {
      return "\(error)"
    }
  }()
}
