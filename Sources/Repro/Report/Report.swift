/// A report format: reads events, gives lines.
public protocol Report {
  /// The lines that `event` adds to the report, without line ends.
  mutating func lines(for event: Event) -> [String]
}

/// The report formats by name.
public enum ReportFormat: String, Sendable, CaseIterable {
  /// For people: losses in full, then a table.
  case human
  /// Kernel Test Anything Protocol, version 1.
  case ktap
  /// One JSON object an event.
  case jsonl

  /// A report of this format.
  /// - Parameter exitCodes: the dialect in use; LTP's runners look for a summary block.
  public func make(_ exitCodes: ExitCodes) -> any Report {
    switch self {
    case .human: HumanReport(exitCodes)
    case .ktap: KTAPReport()
    case .jsonl: JSONLinesReport()
    }
  }
}

/// One JSON object a line, in the order of events.
public struct JSONLinesReport: Report {
  /// A report.
  public init() {}

  /// One line.
  public func lines(for event: Event) -> [String] { [JSONText.line(event)] }
}
