import Repro

/// A report that is written as one document once its run is over: keeps the events until then, but of each
/// case only the first losses, so that a run of any length fits.
struct DocumentReport: Report {
  /// Losing trials of one case that are kept: all of a staged case's. The JSON report has a race's too.
  static let lossesKept = 20

  private var events: [Event] = []
  private var losses: [CaseName: Int] = [:]
  private let document: @Sendable ([[Event]]) -> [String]

  init(_ document: @escaping @Sendable ([[Event]]) -> [String]) { self.document = document }

  mutating func lines(for event: Event) -> [String] {
    if case .trial(let trial) = event {
      guard trial.isLoss, losses[trial.case, default: 0] < Self.lossesKept else { return [] }
      losses[trial.case, default: 0] += 1
    }
    events.append(event)
    guard case .end = event else { return [] }
    return document([events])
  }

  /// A document of a run that has nothing but its error.
  func broken(_ reason: String) -> [String] {
    document([[.end(RunEnd(verdict: .error, reason: reason, seconds: 0))]])
  }
}
