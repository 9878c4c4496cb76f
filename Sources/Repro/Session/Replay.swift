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

  /// The plan that runs `trials` of one case of `plan` again, each `times` times.
  /// - Throws: PlanError when the case is none of this version's.
  public static func plan(
    _ trials: [TrialRecord], of plan: Plan, times: Int
  ) throws(PlanError) -> Plan {
    guard let name = trials.first?.case, CaseName("\(name)") == name else {
      throw PlanError("'\(trials.first.map { "\($0.case)" } ?? "")' is no case of this version of repro")
    }
    // Not the report's path: what was free to overwrite there need not be so here.
    var again = Plan(Selection(name), seed: plan.seed)
    // Nor its device: a place for swap is kept where nobody's bytes are lost.
    if let place = plan.swapPlace, place.isOurs { again.swapPlace = place }
    again.depth = trials.map(\.depth).max() ?? 1
    again.time = 3600
    again.trialNumbers = trials.flatMap { Array(repeating: $0.trial, count: times) }
    again.minimumExposures = 1
    if trials.contains(where: { !(0..<TrialNumber.limit).contains($0.trial) }) {
      throw PlanError("trial numbers from 0 to \(TrialNumber.limit - 1) can be run again, no others")
    }
    return again
  }

  /// Passes the event on; at the end a note says what came back.
  public func receive(_ event: Event) {
    if case .trial(let trial) = event { compare(trial) }
    if case .result(let result) = event { runs += result.count.trials }
    if case .end = event { inner.receive(.note(Note(summary))) }
    inner.receive(event)
  }

  /// Passes it on.
  public func progress(fraction: Double, case name: CaseName) {
    inner.progress(fraction: fraction, case: name)
  }

  private func compare(_ trial: TrialRecord) {
    guard trial.isLoss else { return }
    lost += 1
    let original = originals.first { $0.trial == trial.trial }
    if let original, Self.shape(original) == Self.shape(trial) { same += 1 }
  }

  /// What of damage does not depend on chance: not the bytes of other writers, not when it was seen.
  private static func shape(_ trial: TrialRecord) -> [String] {
    trial.damage.map { "\($0.page) \($0.kind.rawValue) \($0.region.rawValue) \($0.offset) \($0.length)" }
  }

  private var summary: String {
    let losses = originals.count { $0.isLoss }
    return
      "replay: \(losses) of \(originals.count) trials had lost data; in \(runs) runs now, data was lost in "
      + "\(lost), with the same damage in \(same)"
  }
}
