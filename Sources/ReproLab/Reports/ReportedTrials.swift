import Repro

/// Trials of a JSONL report, chosen as `REPORT`, `REPORT#TRIAL` or `REPORT#CASE:TRIAL`. Of several runs (rounds of a
/// soak have a seed each) the first that has them counts, and before it one in which they lost data.
public struct ReportedTrials: Sendable {
  /// How they were made.
  public let plan: Plan
  /// The trials that were chosen.
  public let trials: [TrialRecord]

  /// Reads the report.
  /// - Throws: PlanError that names the report and what is wrong with it.
  public init(_ reference: String) throws {
    let parts = reference.split(separator: "#", maxSplits: 1).map(String.init)
    let path = parts.first ?? ""
    var found: (plan: Plan, trials: [TrialRecord])?
    var refusal = PlanError("\(path): the report does not say how it was made")
    for run in try StoredReport(path).runs {
      guard case .run(let start)? = run.first else { continue }
      let trials = run.compactMap { if case .trial(let trial) = $0 { trial } else { nil } }
      do throws(PlanError) {
        let chosen = try Self.choose(trials, parts.count > 1 ? parts[1] : nil, path)
        let loses = chosen.contains(where: \.isLoss)
        if found == nil || loses { found = (start.plan, chosen) }
        if loses { break }
      } catch {
        refusal = error
      }
    }
    guard let found else { throw refusal }
    (plan, trials) = (found.plan, found.trials)
  }

  private static func choose(
    _ trials: [TrialRecord], _ choice: String?, _ path: String
  ) throws(PlanError) -> [TrialRecord] {
    guard let choice else {
      if trials.isEmpty { throw PlanError("\(path): holds no trials") }
      let losses = trials.filter(\.isLoss)
      return losses.isEmpty ? trials : losses
    }
    let parts = choice.split(separator: ":").map(String.init)
    guard let number = parts.last.flatMap(Int.init), parts.count <= 2 else {
      throw PlanError("'#\(choice)' is no trial; write #TRIAL or #CASE:TRIAL, as in #fork.pread.staged:3")
    }
    let found = trials.filter { $0.trial == number && (parts.count == 1 || "\($0.case)" == parts[0]) }
    if found.isEmpty { throw PlanError("\(path): has no trial '\(choice)'") }
    if found.count > 1 {
      let names = found.map { "#\($0.case):\($0.trial)" }.joined(separator: ", ")
      throw PlanError("'#\(choice)' is one of \(names); name one")
    }
    return found
  }

  /// The trials case by case: each case needs a run of its own.
  public var cases: [[TrialRecord]] {
    var cases: [[TrialRecord]] = []
    for trial in trials {
      if let index = cases.firstIndex(where: { $0[0].case == trial.case }) {
        cases[index].append(trial)
      } else {
        cases.append([trial])
      }
    }
    return cases
  }
}
