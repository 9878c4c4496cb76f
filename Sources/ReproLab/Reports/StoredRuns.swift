public import Repro

/// Runs from wherever they are kept.
public enum StoredRuns {
  /// The runs in a JSONL report or a store, with what `format` needs of them.
  /// - Throws: PlanError for a file that is neither.
  public static func read(_ path: String, _ format: ReportFormat) throws -> [[Event]] {
    if ResultStore.isStore(path) { return try ResultStore(path).runs() }
    return try StoredReport(path, format.name == ReportFormat.jsonl.name ? .all : .losses).completed
  }
}

extension ReportFormat {
  /// The report of `runs`.
  /// - Throws: PlanError for several runs, if the format has place for one only.
  public func lines(of runs: [[Event]], _ exitCodes: ExitCodes) throws(PlanError) -> [String] {
    if let document { return document(runs) }
    if runs.count > 1, !isSequence {
      let others = Self.all.filter { $0.document != nil || $0.isSequence }.map(\.name)
      throw PlanError(
        "\(name) holds one run, and there are \(runs.count): render each by itself, or choose one of "
          + others.joined(separator: ", "))
    }
    return runs.flatMap { run in
      var report = make(exitCodes)
      return run.flatMap { report.lines(for: $0) }
    }
  }
}
