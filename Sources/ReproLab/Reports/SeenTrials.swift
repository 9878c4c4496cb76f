import Repro

/// What the trials of a run's cases came to, for cases whose verdict may never come.
struct SeenTrials {
  /// Of each case that has had a trial, pages under one hazard and the counts, in the order of their first trials.
  private var cases: [(name: CaseName, depth: Int, count: CaseCount)] = []
  /// Cases that have a verdict.
  private(set) var told: Set<CaseName> = []

  /// Whether no trial was seen.
  var isEmpty: Bool { cases.isEmpty }

  mutating func take(_ event: Event) {
    switch event {
    case .result(let result): told.insert(result.case)
    case .trial(let trial):
      let place = cases.firstIndex { $0.name == trial.case } ?? cases.count
      if place == cases.count { cases.append((trial.case, trial.depth, CaseCount())) }
      cases[place].count.add(trial)
    case .run, .note, .control, .end: break
    }
  }

  /// The counts of a case's trials; nil if none was seen.
  func count(_ name: CaseName) -> CaseCount? { cases.first { $0.name == name }?.count }

  /// Cases that lost data and have no verdict, as corrupt for that reason.
  func lost(_ reason: String) -> [CaseResult] {
    cases.filter { $0.count.losses > 0 && !told.contains($0.name) }.map {
      CaseResult($0.name, depth: $0.depth, verdict: .corrupt, reason: reason, count: $0.count)
    }
  }
}
