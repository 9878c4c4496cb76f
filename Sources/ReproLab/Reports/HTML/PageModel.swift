import Repro

/// What the template shows. Its names are the template's; a name that is nil here is looked for further out,
/// so that no two mean different things.
struct PageModel {
  var style = HTMLPage.style
  var script = HTMLPage.script
  var heading: String
  var summary: String
  var runs: [RunView]
  var facets: [Facet]
  var rows: [Row]
  var details: [CellDetail]
  var bugs: [BugView]
  var hasBugs: Bool

  struct RunView {
    var number: Int
    var label: String
    var release: String
    var build: String
    var machine: String
    var seed: String
    var runVerdict: VerdictView
    var runReason: String?
    var counts: String
    var seconds: String
    var controls: [String]
    var notes: [String]
    var guards: [Bar]
    var hasGuards: Bool
  }

  /// A bar of a histogram.
  struct Bar {
    var name: String
    var pages: Int
    /// Of the longest bar, percent.
    var share: Int
  }

  /// A choice of the filter.
  struct Facet {
    var axis: String
    var values: [String]
  }

  /// A line of the matrix: a case.
  struct Row {
    var name: String
    var scenario: String
    var memory: String
    var engine: String
    var target: String
    var schedule: String
    var verdicts: String
    var differs: Bool
    var cells: [Cell]
  }

  struct Cell {
    var verdict: VerdictView?
    var link: String
    var number: String
    var spoken: String
    var isUnexpected: Bool
  }

  init(_ summaries: [RunSummary]) {
    let labels = Self.labels(summaries)
    var names: [CaseName] = []
    var known: Set<CaseName> = []
    for name in summaries.flatMap({ $0.results.map(\.case) + $0.missing }) where known.insert(name).inserted {
      names.append(name)
    }
    let results = summaries.map { run in
      Dictionary(run.results.map { ($0.case, $0) }) { _, last in last }
    }
    let missing = summaries.map { Set($0.missing) }
    heading = summaries.count == 1 ? "repro on \(labels[0])" : "repro on \(summaries.count) kernels"
    var totals: [Verdict: Int] = [:]
    for run in summaries {
      for result in run.results { totals[result.verdict, default: 0] += 1 }
      if !run.missing.isEmpty { totals[.error, default: 0] += run.missing.count }
    }
    summary = Verdict.allCases.compactMap { verdict in totals[verdict].map { "\($0) \(verdict.rawValue)" } }
      .joined(separator: ", ")
    runs = zip(summaries, labels).enumerated().map { RunView($0 + 1, $1.0, label: $1.1) }
    facets = Self.facets(names)
    var details: [CellDetail] = []
    rows = names.enumerated().map { index, name in
      let cells = summaries.indices.map { run -> Cell in
        let id = "cell-\(run + 1)-\(index + 1)"
        guard let result = results[run][name] else {
          return Cell(name, labels[run], id, isMissing: missing[run].contains(name))
        }
        let losses = summaries[run].losses[name] ?? []
        details.append(
          CellDetail(result, losses, on: summaries[run], label: labels[run], id: id, row: index + 1))
        return Cell(result, on: summaries[run], label: labels[run], id: id)
      }
      let verdicts = cells.compactMap { $0.verdict?.word }
      return Row(
        name: "\(name)", scenario: name.scenario, memory: name.memory, engine: name.engine,
        target: name.target, schedule: name.schedule.rawValue,
        verdicts: Set(verdicts).sorted().joined(separator: " "), differs: Set(verdicts).count > 1,
        cells: cells)
    }
    // What lost data comes first, and the first of it is open.
    details = details.filter(\.isLoss) + details.filter { !$0.isLoss }
    if details.first?.isLoss == true { details[0].isOpen = true }
    self.details = details
    let met = Set(summaries.flatMap { $0.results.flatMap(\.bugs) })
    bugs = Catalogue.standard.bugs.filter { met.contains($0.id) }.map(BugView.init)
    hasBugs = !bugs.isEmpty
  }

  /// A name for each run, told apart by a number where two are of one kernel.
  private static func labels(_ runs: [RunSummary]) -> [String] {
    let names = runs.map { run -> String in
      guard let start = run.start else { return "a run that never began" }
      return run.version.flatMap { $0.patch == nil ? nil : "\($0)" } ?? start.release
    }
    return names.enumerated().map { index, name in
      let same = names.indices.filter { names[$0] == name }
      return same.count == 1 ? name : "\(name) #\((same.firstIndex(of: index) ?? 0) + 1)"
    }
  }

  private static func facets(_ names: [CaseName]) -> [Facet] {
    func facet(_ axis: String, _ value: (CaseName) -> String) -> Facet {
      var values: [String] = []
      for name in names where !values.contains(value(name)) { values.append(value(name)) }
      return Facet(axis: axis, values: values)
    }
    return [
      facet("scenario", \.scenario), facet("memory", \.memory), facet("engine", \.engine),
      facet("target", \.target), facet("schedule", \.schedule.rawValue),
    ]
  }
}

/// A verdict as a word, a mark and a colour's name: never by colour alone.
struct VerdictView {
  var word: String
  var mark: String

  init(_ verdict: Verdict) {
    word = verdict.rawValue
    mark =
      switch verdict {
      case .corrupt: "✗"
      case .clean: "✓"
      case .inconclusive: "?"
      case .skipped: "–"
      case .error: "!"
      }
  }
}

extension PageModel.RunView {
  init(_ number: Int, _ run: RunSummary, label: String) {
    let start = run.start
    self.number = number
    self.label = label
    release = start?.release ?? "-"
    build = start?.build ?? "-"
    machine =
      start.map { "\($0.machine), \($0.processors) CPUs, \($0.pageSize)-byte pages" } ?? "-"
    seed = start.map { "\($0.plan.seed)" } ?? "-"
    runVerdict = VerdictView(run.end.verdict)
    runReason = run.end.reason
    counts = Verdict.allCases.compactMap { verdict in
      let count = run.results.count { $0.verdict == verdict } + (verdict == .error ? run.missing.count : 0)
      return count > 0 ? "\(count) \(verdict.rawValue)" : nil
    }.joined(separator: ", ")
    seconds = run.end.seconds.fixed(1)
    controls = run.controls.map { control in
      "\(control.lane): fired in \(control.fired) of \(control.trials), silent in "
        + "\(control.quietTrials - control.quietLosses) of \(control.quietTrials)"
        + (control.reason.map { "; \($0)" } ?? "")
    }
    notes = run.notes
    var held: [String: Int] = [:]
    for result in run.results where result.role == .hazard && result.verdict == .clean {
      held.merge(result.count.guards) { $0 + $1 }
    }
    guards = PageModel.Bar.bars(held)
    hasGuards = !guards.isEmpty
  }
}

extension PageModel.Bar {
  static func bars(_ counts: [String: Int]) -> [Self] {
    let most = max(1, counts.values.max() ?? 1)
    return counts.sorted { $0.key < $1.key }.map {
      Self(name: $0.key, pages: $0.value, share: max(1, 100 * $0.value / most))
    }
  }
}

extension PageModel.Cell {
  /// A case that has no result in a run.
  init(_ name: CaseName, _ label: String, _ id: String, isMissing: Bool) {
    verdict = isMissing ? VerdictView(.error) : nil
    link = "run-\(id.split(separator: "-")[1])"
    number = isMissing ? "no result" : ""
    spoken = "\(name) on \(label): " + (isMissing ? "no result, which is an error" : "not run")
    isUnexpected = isMissing
  }

  init(_ result: CaseResult, on run: RunSummary, label: String, id: String) {
    let count = result.count
    verdict = VerdictView(result.verdict)
    link = id
    number =
      switch result.verdict {
      case .corrupt: "\(count.losses)/\(count.exposures)"
      case .clean, .inconclusive: "\(count.exposures)"
      case .skipped, .error: ""
      }
    isUnexpected = Judgement(result, on: run.version) == .unexpected
    spoken =
      "\(result.case) on \(label): \(result.verdict.rawValue), \(count.losses) losses in \(count.exposures) "
      + "exposures" + (isUnexpected ? ", not as the catalogue has it" : "")
      + (result.reason.map { "; \($0)" } ?? "")
  }
}
