/// What the running machine can do: each part with what keeps it from being used.
public struct Probe {
  /// Looks.
  public init() {}

  /// The findings, one a line.
  public var lines: [String] {
    let scenarios = Scenario.all.filter { $0.direction == .read }
    let targets = TargetKind.all.map { kind in (kind as any Part, Self.obstacle(kind)) }
    let parts: [(String, [(part: any Part, obstacle: String?)])] = [
      ("scenario", scenarios.map { ($0, $0.obstacle) }),
      ("memory", MemoryKind.all.map { ($0, $0.obstacle) }),
      ("engine", EngineKind.all.map { ($0, $0.obstacle) }),
      ("target", targets),
    ]
    var table = TextTable()
    table.row(["AXIS", "PART", "HERE"])
    var reasons: [String] = []
    for (axis, found) in parts {
      for (part, obstacle) in found {
        table.row([axis, part.name, obstacle == nil ? "can run" : "skip"])
        if let obstacle { reasons.append("\(part.name): \(obstacle)") }
      }
    }
    return table.lines + (reasons.isEmpty ? [] : [""] + reasons)
  }

  /// What keeps a target from being used: it is opened to see.
  private static func obstacle(_ kind: TargetKind) -> String? {
    if let obstacle = kind.obstacle { return obstacle }
    do throws(TargetError) {
      try kind.make(TargetSpec(kind, isOptional: true), Pattern(seed: 0)).close()
      return nil
    } catch {
      return error.description
    }
  }
}
