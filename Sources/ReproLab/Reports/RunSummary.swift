import Repro

/// The events of one run, sorted: what documents are made from.
struct RunSummary {
  var start: RunStart?
  var notes: [String] = []
  var controls: [ControlResult] = []
  /// One a case; of several the last.
  var results: [CaseResult] = []
  /// The first losing trials of each case.
  var losses: [CaseName: [TrialRecord]] = [:]
  var end = RunEnd(verdict: .error, reason: "the report has no end", seconds: 0)

  init(_ events: [Event]) {
    for event in events {
      switch event {
      case .run(let start): self.start = start
      case .note(let note): notes.append(note.text)
      case .control(let control): controls.append(control)
      case .trial(let trial):
        guard trial.isLoss, losses[trial.case, default: []].count < DocumentReport.lossesKept else { break }
        losses[trial.case, default: []].append(trial)
      case .result(let result): results.append(result)
      case .end(let end): self.end = end
      }
    }
  }

  /// The kernel's version, by its release and its distribution's package.
  var version: KernelVersion? {
    start.flatMap {
      KernelVersion(release: $0.release, procVersion: "Linux version \($0.release) \($0.build)")
    }
  }

  /// Cases that were to run and have no result: silence is not a pass.
  var missing: [CaseName] {
    let told = Set(results.map(\.case))
    return (start?.cases ?? []).filter { !told.contains($0) }
  }
}
