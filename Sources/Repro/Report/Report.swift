/// A report format: reads events, gives lines.
public protocol Report {
  /// The lines that `event` adds to the report, without line ends.
  mutating func lines(for event: Event) -> [String]
  /// What the report says when the run itself broke, before or after its events, in one sentence.
  func broken(_ reason: String) -> [String]
}

extension Report {
  /// Nothing: the reason is on standard error.
  public func broken(_ reason: String) -> [String] { [] }
}

/// A report format by name.
public struct ReportFormat: Sendable {
  /// The name: `ktap`.
  public let name: String
  /// For whom, in a few words.
  public let summary: String
  /// Makes one document of several runs, each its events; nil for formats that tell of runs one by one.
  public let document: (@Sendable (_ runs: [[Event]]) -> [String])?
  /// Whether the reports of several runs, one after the other, are a report of this format, too.
  public let isSequence: Bool
  /// Whether trials that lost nothing are in it, each.
  public let hasEveryTrial: Bool
  private let makeReport: @Sendable (ExitCodes) -> any Report

  /// A format by the name of `name`, made by `make` for the dialect in use.
  public init(
    _ name: String, _ summary: String, isSequence: Bool = false, hasEveryTrial: Bool = false,
    document: (@Sendable (_ runs: [[Event]]) -> [String])? = nil,
    make: @escaping @Sendable (ExitCodes) -> any Report
  ) {
    self.name = name
    self.summary = summary
    self.isSequence = isSequence
    self.hasEveryTrial = hasEveryTrial
    self.document = document
    makeReport = make
  }

  /// A report of this format.
  /// - Parameter exitCodes: the dialect in use; LTP's runners look for a summary block.
  public func make(_ exitCodes: ExitCodes) -> any Report { makeReport(exitCodes) }
}

extension ReportFormat {
  /// What the small static executable has, for guests and the folders of other test runners.
  public static let small: [ReportFormat] = [.human, .ktap, .jsonl]

  /// For people: losses in full, then a table.
  public static let human = ReportFormat("human", "for people", isSequence: true) { HumanReport($0) }
  /// One JSON object an event.
  public static let jsonl = ReportFormat(
    "jsonl", "one event a line, with all that is known", isSequence: true, hasEveryTrial: true
  ) { _ in JSONLinesReport() }
}

/// One JSON object a line, in the order of events.
public struct JSONLinesReport: Report {
  /// A report.
  public init() {}

  /// One line.
  public func lines(for event: Event) -> [String] { [JSONText.line(event)] }

  /// An end that is an error.
  public func broken(_ reason: String) -> [String] {
    [JSONText.line(Event.end(RunEnd(verdict: .error, reason: reason, seconds: 0)))]
  }
}
