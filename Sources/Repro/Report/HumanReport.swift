/// For people: what runs where, each loss in full, a table of verdicts, and what it comes to.
public struct HumanReport: Report {
  private let exitCodes: ExitCodes
  private var start: RunStart?
  private var results: [CaseResult] = []
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
          + "\(start.pageSize)-byte pages" + (start.byteOrder.map { ", \($0) endian" } ?? ""),
        "\(start.build)",
        "seed \(start.plan.seed), \(start.cases.count) cases\(swap(start.plan))",
        "",
      ]
    case .note(let note): return [note.text]
    case .control(let control): return [line(control)]
    case .trial(let trial): return trial.isLoss ? loss(trial) : []
    case .result(let result):
      results.append(result)
      return []
    case .end(let end): return table() + reasons() + races() + guards() + bugs() + summary(end)
    }
  }

  /// Where swap is, if somebody chose that.
  private func swap(_ plan: Plan) -> String {
    guard let place = plan.swapPlace, !place.isOptional else { return "" }
    return ", swap on \(place.path ?? "\(place)")"
  }

  private func line(_ control: ControlResult) -> String {
    let lane = "control  \(control.lane.padded(to: 22))"
    if let reason = control.reason {
      return "\(lane) \(control.trials == 0 ? "did not run" : "failed"): \(reason)"
    }
    return
      "\(lane) fired in \(control.fired) of \(control.trials) trials, silent in "
      + "\(control.quietTrials - control.quietLosses) of \(control.quietTrials)"
  }

  private mutating func loss(_ trial: TrialRecord) -> [String] {
    let name = "\(trial.case)"
    shown[name, default: 0] += 1
    let count = shown[name] ?? 0
    if count == Self.lossesShown + 1 {
      return ["", "(further losses of \(name) are counted below; --format jsonl has each)"]
    }
    return count > Self.lossesShown ? [] : [""] + LossReport(trial: trial).lines
  }

  // MARK: Table

  private func table() -> [String] {
    let engines = EngineKind.all.map(\.name).filter { engine in
      results.contains { $0.case.engine == engine }
    }
    var table = TextTable()
    table.row(["SCENARIO", "ON", "SCHEDULE"] + engines + ["LOSS RATE", "TRIALS/S"])
    for row in rows() {
      let name = row[0].case
      let cells = engines.map { engine in row.first { $0.case.engine == engine }.map(verdict) ?? "" }
      table.row([name.scenario, place(name), name.schedule.rawValue] + cells + [rate(row), speed(row)])
    }
    return [""] + table.lines + [""]
  }

  /// What of memory and target is not as usual.
  private func place(_ name: CaseName) -> String {
    let words = name.lane.split(separator: ".").map(String.init)
    return words.filter { $0 != name.engine && $0 != name.schedule.rawValue }.joined(separator: " ")
  }

  /// Results of one scenario, memory, target and schedule, one entry an engine.
  private func rows() -> [[CaseResult]] {
    var rows: [[CaseResult]] = []
    func key(_ result: CaseResult) -> CaseName {
      var name = result.case
      name.engine = ""
      return name
    }
    for result in results {
      if let index = rows.lastIndex(where: { key($0[0]) == key(result) }) {
        rows[index].append(result)
      } else {
        rows.append([result])
      }
    }
    return rows
  }

  private func verdict(_ result: CaseResult) -> String {
    switch result.verdict {
    case .corrupt: "CORRUPT \(result.count.losses)/\(result.count.exposures)"
    case .clean: "clean (\(result.count.exposures))"
    case .inconclusive: "inconclusive (\(result.count.exposures))"
    case .skipped: "skipped"
    case .error: "ERROR"
    }
  }

  private func rate(_ row: [CaseResult]) -> String {
    if row.contains(where: { $0.verdict == .corrupt }) {
      let (losses, exposures) = (
        row.reduce(0) { $0 + $1.count.losses }, row.reduce(0) { $0 + $1.count.exposures }
      )
      return (100 * Double(losses) / Double(max(1, exposures))).fixed(1) + " %"
    }
    guard let worst = row.compactMap(\.upperBound).max() else { return "" }
    return "< " + Self.percent(worst)
  }

  /// A rate with enough decimals to say something: 13.9 %, 0.0030 %.
  package static func percent(_ rate: Double) -> String {
    let decimals = (1...9).first { (100 * rate).fixed($0).contains { "123456789".contains($0) } } ?? 1
    return (100 * rate).fixed(decimals == 1 ? 1 : decimals + 1) + " %"
  }

  private func speed(_ row: [CaseResult]) -> String {
    let (trials, seconds) = (row.reduce(0) { $0 + $1.count.trials }, row.reduce(0) { $0 + $1.count.seconds })
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
      let name = "\(result.case)"
      if cells[key]?.contains(name) != true { cells[key, default: []].append(name) }
    }
    for key in order {
      let parts = key.split(separator: "\u{0}", maxSplits: 1)
      lines.append("\(parts[0]): \((cells[key] ?? []).joined(separator: ", "))")
      lines.append("  \(parts[1])")
    }
    return lines.isEmpty ? [] : lines + [""]
  }

  /// What counted in races, and the class of exposures that is counted apart.
  private func races() -> [String] {
    let races = results.filter { $0.case.schedule != .staged && $0.count.trials > 0 }
    if races.isEmpty { return [] }
    let entering = races.reduce(0) { $0 + $1.count.entering }
    return [
      "race: an exposure had hazard and store done within the I/O (for pread and preadv2 within the call, an "
        + "upper",
      "  estimate); \(entering) more were issued while the hazard acted, and are not among those above",
    ] + overlaps(races) + [""]
  }

  /// Where the hazards lay: that aiming has left no place out.
  private func overlaps(_ races: [CaseResult]) -> [String] {
    let counts = Overlap.allCases.map { overlap in
      (overlap.rawValue, races.reduce(0) { $0 + ($1.count.overlaps?[overlap.rawValue] ?? 0) })
    }
    let most = counts.map(\.1).max() ?? 0
    if most == 0 { return [] }
    var table = TextTable()
    for (name, count) in counts {
      // At least one mark for what came up at all.
      let marks = (count * 40 + most - 1) / most
      table.row(["", name, "\(count)", String(repeating: "#", count: marks)])
    }
    return ["race: trials by where hazard and store lay against the I/O"] + table.lines
  }

  /// Which guards held, how often, over all cases: why clean is clean.
  private func guards() -> [String] {
    var counts: [String: Int] = [:]
    for result in results where result.role == .hazard {
      for (name, count) in result.count.guards { counts[name, default: 0] += count }
    }
    if counts.isEmpty { return [] }
    let lines = counts.sorted { $0.key < $1.key }.map { "  \($0.key): on \($0.value) pages" }
    return ["guards that were seen to hold"] + lines + [""]
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
    if results.isEmpty, let reason = end.reason { lines.append(reason) }
    if exitCodes == .ltp { lines += ltpSummary() }
    let counts = Verdict.allCases.compactMap { verdict -> String? in
      let count = results.count { $0.verdict == verdict }
      return count > 0 ? "\(count) \(verdict.rawValue)" : nil
    }
    let exposures = results.reduce(0) { $0 + $1.count.exposures }
    lines.append(
      "\(end.verdict.rawValue.uppercased()): \(counts.isEmpty ? "no case was run" : counts.joined(separator: ", ")); \(exposures) exposures in "
        + "\(end.seconds.fixed(1)) s" + (end.interruptedBy.map { "; stopped by signal \($0)" } ?? ""))
    return lines
  }

  /// For LTP's runner, which takes a test without a summary for a failed one, a summary; the reason is on
  /// standard error.
  public func broken(_ reason: String) -> [String] {
    exitCodes == .ltp ? Self.ltpSummary { $0 == .error ? 1 : 0 } : []
  }

  private func ltpSummary() -> [String] {
    Self.ltpSummary { verdict in results.count { $0.verdict == verdict } }
  }

  /// What LTP's runner kirk reads.
  private static func ltpSummary(_ count: (Verdict) -> Int) -> [String] {
    [
      "Summary:", "passed   \(count(.clean))", "failed   \(count(.corrupt))", "broken   \(count(.error))",
      "skipped  \(count(.skipped))", "warnings \(count(.inconclusive))",
    ]
  }
}
