/// What to do to this machine so that nothing is skipped.
public struct Doctor {
  /// One thing to do, and what then can run.
  public struct Advice: Equatable, Sendable {
    /// What is missing, and the remedy.
    public var text: String
    /// The parts of cases that wait for it.
    public var parts: [String]
  }

  /// The fewest things that serve all parts that can't be used here, the most useful first.
  public let advice: [Advice]

  /// Looks at this machine.
  public init() { self.init(Probe().findings.compactMap { one in one.obstacle.map { (one.part.name, $0) } }) }

  /// Advice for parts that have obstacles.
  init(_ obstacles: [(part: String, obstacle: String)]) {
    var advice: [Advice] = []
    for (part, obstacle) in obstacles {
      if let index = advice.firstIndex(where: { $0.text == obstacle }) {
        advice[index].parts.append(part)
      } else {
        advice.append(Advice(text: obstacle, parts: [part]))
      }
    }
    self.advice = advice.enumerated().sorted {
      ($1.element.parts.count, $0.offset) < ($0.element.parts.count, $1.offset)
    }.map(\.element)
  }

  /// Text for a terminal.
  public var lines: [String] {
    if advice.isEmpty { return ["nothing to do: every part of every case can run here"] }
    return ["to do so that nothing is skipped:"]
      + advice.enumerated().flatMap { number, one in
        one.text.wrapped(to: 96).enumerated().map { ($0 == 0 ? "  \(number + 1). " : "     ") + $1 }
          + ["     for \(one.parts.joined(separator: ", "))"]
      }
  }
}
