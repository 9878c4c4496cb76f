/// What the running machine can do: each part with what keeps it from being used.
public struct Probe {
  private let named: TargetSpec?

  /// Looks at this machine, and at `target` if one is named.
  public init(target: TargetSpec? = nil) { named = target }

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
    return table.lines + (reasons.isEmpty ? [] : [""] + reasons) + [""] + pins
  }

  /// How each target's path takes the pages of direct I/O, or that of the one that was named.
  private var pins: [String] {
    let specs = named.map { [$0] } ?? TargetKind.all.map { TargetSpec($0, isOptional: true) }
    return specs.compactMap { spec in
      guard spec.kind.obstacle == nil else { return nil }
      do throws(TargetError) {
        let target = try spec.kind.make(spec, Pattern(seed: 0))
        defer { target.close() }
        return "\(target.name) (path \(target.path.rawValue)): pages are \(PinProbe.probe(target).text)"
      } catch {
        return "\(spec): \(error)"
      }
    }
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
