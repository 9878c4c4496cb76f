/// For people: what runs where, each loss in full, a table of verdicts, and what it comes to.
public struct HumanReport: Report {
  private let exitCodes: ExitCodes
  private var start: RunStart?
  private var results: [CellResult] = []
  private var shown: [String: Int] = [:]

  /// Losses of one cell that are printed in full; they differ little, and the JSON report has all.
  public static let lossesShown = 10

  /// A report for the dialect `exitCodes`.
  public init(_ exitCodes: ExitCodes) { self.exitCodes = exitCodes }

  /// Losses as they come, the table at the end.
  public mutating func lines(for event: Event) -> [String] {
    switch event {
    case .run(let start):
      self.start = start
      return [
        "repro \(start.version) on Linux \(start.release) \(start.machine), \(start.processors) CPUs, "
          + "\(start.pageSize)-byte pages",
        "\(start.build)",
        "seed \(start.plan.seed), \(start.cells.count) cells",
        "",
      ]
    case .note(let note): return [note.text]
    case .control(let control): return [line(control)]
    case .trial(let trial): return trial.isLoss ? loss(trial) : []
    case .result(let result):
      results.append(result)
      return []
    case .end(let end): return table() + reasons() + bugs() + summary(end)
    }
  }

  private func line(_ control: ControlResult) -> String {
    let lane = "control  \(control.engine.rawValue.padded(to: 8)) \(control.schedule.rawValue.padded(to: 7))"
    let count = "\(control.fired) of \(control.trials) trials"
    if control.hasFired { return "\(lane) fired in \(count)" }
    return "\(lane) \(control.trials == 0 ? "did not run" : "failed"): \(control.reason ?? count)"
  }

  private mutating func loss(_ trial: TrialRecord) -> [String] {
    shown[trial.cell, default: 0] += 1
    let count = shown[trial.cell] ?? 0
    if count == Self.lossesShown + 1 {
      return ["", "(further losses of \(trial.cell) are counted below; --format jsonl has each)"]
    }
    return count > Self.lossesShown ? [] : [""] + LossReport(trial: trial).lines
  }

  // MARK: Table

  private func table() -> [String] {
    let engines = EngineKind.allCases.filter { engine in results.contains { $0.engine == engine } }
    var table = TextTable()
    table.row(["SCENARIO", "SCHEDULE"] + engines.map(\.rawValue) + ["LOSS RATE", "TRIALS/S"])
    for row in rows() {
      let cells = engines.map { engine in row.first { $0.engine == engine }.map(verdict) ?? "" }
      table.row([row[0].scenario, row[0].schedule.rawValue] + cells + [rate(row), speed(row)])
    }
    return [""] + table.lines + [""]
  }

  /// Results of one scenario and schedule, one entry an engine.
  private func rows() -> [[CellResult]] {
    var rows: [[CellResult]] = []
    for result in results {
      if let last = rows.last?.first, last.scenario == result.scenario, last.schedule == result.schedule {
        rows[rows.count - 1].append(result)
      } else {
        rows.append([result])
      }
    }
    return rows
  }

  private func verdict(_ result: CellResult) -> String {
    switch result.verdict {
    case .corrupt: "CORRUPT \(result.losses)/\(result.exposures)"
    case .clean: "clean (\(result.exposures))"
    case .inconclusive: "inconclusive (\(result.exposures))"
    case .skipped: "skipped"
    case .error: "ERROR"
    }
  }

  private func rate(_ row: [CellResult]) -> String {
    if row.contains(where: { $0.verdict == .corrupt }) {
      let (losses, exposures) = (row.reduce(0) { $0 + $1.losses }, row.reduce(0) { $0 + $1.exposures })
      return (100 * Double(losses) / Double(max(1, exposures))).fixed(1) + " %"
    }
    guard let worst = row.compactMap(\.upperBound).max() else { return "" }
    return "< " + (100 * worst).fixed(1) + " %"
  }

  private func speed(_ row: [CellResult]) -> String {
    let (trials, seconds) = (row.reduce(0) { $0 + $1.trials }, row.reduce(0) { $0 + $1.seconds })
    return seconds > 0 ? (Double(trials) / seconds).fixed(0) : ""
  }

  private func reasons() -> [String] {
    var lines: [String] = []
    var cells: [String: [String]] = [:]
    var order: [String] = []
    for result in results {
      guard let reason = result.reason else { continue }
      let key = "\(result.verdict.rawValue)\u{0}\(reason)"
      if cells[key] == nil { order.append(key) }
      let name = "\(result.scenario)/\(result.schedule.rawValue)"
      if cells[key]?.contains(name) != true { cells[key, default: []].append(name) }
    }
    for key in order {
      let parts = key.split(separator: "\u{0}", maxSplits: 1)
      lines.append("\(parts[0]): \((cells[key] ?? []).joined(separator: ", "))")
      lines.append("  \(parts[1])")
    }
    return lines.isEmpty ? [] : lines + [""]
  }

  private func bugs() -> [String] {
    var lines: [String] = []
    for id in results.flatMap(\.bugs).reduce(into: [String](), { if !$0.contains($1) { $0.append($1) } }) {
      guard let bug = Catalogue.standard.bugs.first(where: { $0.id == id }) else { continue }
      lines.append("known bug \(id): \(bug.summary) (repro explain says more)")
    }
    return lines.isEmpty ? [] : lines + [""]
  }

  private func summary(_ end: RunEnd) -> [String] {
    var lines: [String] = []
    if exitCodes == .ltp { lines += ltpSummary() }
    let counts = Verdict.allCases.compactMap { verdict -> String? in
      let count = results.count { $0.verdict == verdict }
      return count > 0 ? "\(count) \(verdict.rawValue)" : nil
    }
    let exposures = results.reduce(0) { $0 + $1.exposures }
    lines.append(
      "\(end.verdict.rawValue.uppercased()): \(counts.joined(separator: ", ")); \(exposures) exposures in "
        + "\(end.seconds.fixed(1)) s" + (end.interruptedBy.map { "; stopped by signal \($0)" } ?? ""))
    return lines
  }

  /// What LTP's runner kirk reads.
  private func ltpSummary() -> [String] {
    func count(_ verdict: Verdict) -> Int { results.count { $0.verdict == verdict } }
    return [
      "Summary:", "passed   \(count(.clean))", "failed   \(count(.corrupt))", "broken   \(count(.error))",
      "skipped  \(count(.skipped))", "warnings \(count(.inconclusive))",
    ]
  }
}
