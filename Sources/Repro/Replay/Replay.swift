/// Trials of an earlier report, run again: compares each with what it was.
public final class Replay: Observer {
  private let inner: any Observer
  private let originals: [TrialRecord]
  private var runs = 0
  private var lost = 0
  private var same = 0

  /// - Parameters:
  ///   - originals: the trials as the report has them.
  ///   - inner: gets every event, and notes of what came back.
  public init(_ originals: [TrialRecord], _ inner: any Observer) {
    self.originals = originals
    self.inner = inner
  }

  /// The plan that runs `trials` of one cell of `plan` again, each `times` times.
  /// - Throws: PlanError when the cell is none of this version's.
  public static func plan(
    _ trials: [TrialRecord], of plan: Plan, times: Int
  ) throws(PlanError) -> Plan {
    let cell = trials.first?.cell ?? ""
    let parts = cell.split(separator: ".").map(String.init)
    guard parts.count == 3, let engine = EngineKind(rawValue: parts[1]),
      let schedule = Schedule(rawValue: parts[2])
    else { throw PlanError("'\(cell)' is no cell of this version of repro") }
    var again = Plan(scenarios: try Plan.select([parts[0]]), seed: plan.seed)
    again.engines = [engine]
    again.schedules = [schedule]
    again.held = plan.held
    // Not the report's target: what was free to overwrite there need not be so here.
    again.time = 3600
    again.trialNumbers = trials.flatMap { Array(repeating: $0.trial, count: times) }
    again.minimumExposures = 1
    return again
  }

  /// Passes the event on; at the end a note says what came back.
  public func receive(_ event: Event) {
    if case .trial(let trial) = event { compare(trial) }
    if case .result(let result) = event { runs += result.trials }
    if case .end = event { inner.receive(.note(Note(summary))) }
    inner.receive(event)
  }

  /// Passes it on.
  public func progress(fraction: Double, cell: String) { inner.progress(fraction: fraction, cell: cell) }

  private func compare(_ trial: TrialRecord) {
    guard trial.isLoss else { return }
    lost += 1
    let original = originals.first { $0.trial == trial.trial }
    if let original, Self.shape(original) == Self.shape(trial) { same += 1 }
  }

  /// What of damage does not depend on chance: not the bytes of other writers, not when it was seen.
  private static func shape(_ trial: TrialRecord) -> [String] {
    trial.damage.map { "\($0.kind.rawValue) \($0.region.rawValue) \($0.offset) \($0.length)" }
  }

  private var summary: String {
    let losses = originals.count { $0.isLoss }
    return
      "replay: \(losses) of \(originals.count) trials had lost data; in \(runs) runs now, data was lost in "
      + "\(lost), with the same damage in \(same)"
  }
}
