import Repro

/// Which scenarios asked a guard on which memory, on any of the kernels that reports are of. A pair of the two
/// that was never exposed must be one that the suite knows the reason of (``Unreached``).
public struct Coverage {
  /// A scenario on a memory.
  struct Pair: Hashable {
    var scenario: String
    var memory: String
  }

  /// What the reports say of a pair.
  struct Finding {
    /// Exposures by kernel.
    var exposed: [(kernel: String, count: Int)] = []
    /// What the last case without any said.
    var said: String?
  }

  private var pairs: [Pair] = []
  private var findings: [Pair: Finding] = [:]

  /// Of the staged reads in `runs`.
  public init(_ runs: [[Event]]) {
    for events in runs {
      let summary = RunSummary(events)
      let kernel = summary.version?.description ?? summary.start?.release ?? "unknown"
      for result in summary.results where result.case.schedule == .staged && result.role == .hazard {
        add(result, kernel)
      }
    }
  }

  private mutating func add(_ result: CaseResult, _ kernel: String) {
    let pair = Pair(scenario: result.case.scenario, memory: result.case.memory)
    if findings[pair] == nil { pairs.append(pair) }
    let count = max(result.count.exposures, result.count.losses)
    if count > 0 {
      findings[pair, default: Finding()].exposed.append((kernel, count))
    } else {
      findings[pair, default: Finding()].said = result.reason ?? result.verdict.rawValue
    }
  }

  /// Pairs that no kernel exposed and nobody knows why, and those that are said to be out of reach and are not.
  var wrong: [String] {
    pairs.compactMap { pair in
      guard let finding = findings[pair] else { return nil }
      let name = "\(pair.scenario) on \(pair.memory)"
      let known = Unreached.reason(pair.scenario, on: pair.memory)
      switch (finding.exposed.first, known) {
      case (nil, nil): return "never exposed: \(name): \(finding.said ?? "")"
      case (let exposed?, let reason?):
        return "exposed on \(exposed.kernel), and said to be out of reach: \(name): \(reason)"
      default: return nil
      }
    }
  }

  /// Whether each pair was exposed, or can't be for a reason that is known.
  public var isComplete: Bool { wrong.isEmpty && !pairs.isEmpty }

  /// For people.
  public var lines: [String] {
    let exposed = pairs.filter { findings[$0]?.exposed.isEmpty == false }
    let known = pairs.filter {
      findings[$0]?.exposed.isEmpty == true && Unreached.reason($0.scenario, on: $0.memory) != nil
    }
    return wrong
      + known.map {
        "out of reach: \($0.scenario) on \($0.memory): \(Unreached.reason($0.scenario, on: $0.memory) ?? "")"
      }
      + [
        "\(pairs.count) pairs of scenario and memory: \(exposed.count) exposed, \(known.count) out of reach, "
          + "\(wrong.count) wrong"
      ]
  }
}
