/// What the running machine can do: each part with what keeps it from being used.
public struct Probe {
  private let named: TargetSpec?

  /// Looks at this machine, and at `target` if one is named.
  public init(target: TargetSpec? = nil) { named = target }

  /// A part, and what keeps it from being used here.
  struct Finding {
    var axis: String
    var part: any Part
    var obstacle: String?
  }

  /// All parts of cases that ask the kernel something.
  var findings: [Finding] {
    Scenario.all.filter { !$0.isWriteControl }.map {
      Finding(axis: "scenario", part: $0, obstacle: $0.obstacle)
    }
      + MemoryKind.all.map { Finding(axis: "memory", part: $0, obstacle: $0.obstacle) }
      + EngineKind.all.map { Finding(axis: "engine", part: $0, obstacle: $0.obstacle) }
      + TargetKind.all.map { Finding(axis: "target", part: $0, obstacle: Self.obstacle($0)) }
  }

  /// The findings, one a line.
  public var lines: [String] {
    var table = TextTable()
    table.row(["AXIS", "PART", "HERE"])
    var reasons: [String] = []
    for finding in findings {
      table.row([finding.axis, finding.part.name, finding.obstacle == nil ? "can run" : "skip"])
      if let obstacle = finding.obstacle { reasons.append("\(finding.part.name): \(obstacle)") }
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
