@testable import Repro

/// Keeps a campaign's events.
final class RecordingObserver: Observer {
  private(set) var events: [Event] = []
  private(set) var fractions: [Double] = []

  func receive(_ event: Event) { events.append(event) }
  func progress(fraction: Double, case name: CaseName) { fractions.append(fraction) }

  var results: [CaseResult] {
    events.compactMap { if case .result(let result) = $0 { result } else { nil } }
  }
  var controls: [ControlResult] {
    events.compactMap { if case .control(let control) = $0 { control } else { nil } }
  }
  var trials: [TrialRecord] {
    events.compactMap { if case .trial(let trial) = $0 { trial } else { nil } }
  }
  var end: RunEnd? { if case .end(let end) = events.last { end } else { nil } }
}
