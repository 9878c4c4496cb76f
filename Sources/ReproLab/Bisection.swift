import Repro

/// One step of a bisection: what a kernel's run says of it, never a "good" without proof.
public struct Bisection: Sendable {
  /// What `git bisect` is told.
  public enum Answer: String, Sendable {
    /// The scenario does not lose data, with the confidence asked for.
    case clean
    /// It does.
    case corrupt
    /// Nothing is known; the commit is to be skipped.
    case unknown
  }

  /// Whether the bisection looks for the commit that fixed the bug, not for the one that brought it.
  public var looksForFix: Bool
  /// How sure a "good" of a race must be.
  public var confidence: Double
  /// Loss rates of known-bad kernels.
  public var rates: LossRates
  /// What will run the guest: never `auto`.
  public var accelerator: Accelerator

  /// A step.
  public init(looksForFix: Bool, confidence: Double, rates: LossRates, accelerator: Accelerator = .tcg) {
    self.looksForFix = looksForFix
    self.accelerator = accelerator
    self.confidence = confidence
    self.rates = rates
  }

  /// Trials that a staged decision takes: one decides, the others guard against the unknown.
  private static let stagedTrials = 10
  /// Seconds that a race may take to get the exposures it needs.
  private static let racePatience = 600.0

  /// The plan that decides a case.
  /// - Throws: PlanError when `selection` is not exactly one case.
  public func plan(_ selection: Selection, seed: Seed) throws -> Plan {
    var plan = Plan(selection, seed: seed)
    let (cases, excluded) = try plan.expand()
    guard cases.count == 1, let one = cases.first else {
      let why = excluded.first.map { ": \($0.reason)" } ?? ""
      throw PlanError("a bisection follows one case, and \(cases.count) are selected\(why)")
    }
    switch one.schedule {
    case .staged:
      plan.trials = Self.stagedTrials
      plan.stopAfterLosses = 1
      plan.minimumExposures = Self.stagedTrials / 2
    case .race, .free:
      plan.stopAfterLosses = 1
      plan.patience = Self.racePatience
      plan.minimumExposures = exposuresNeeded(one.name)
    }
    return plan
  }

  /// Before the guest has told where it runs: the most that any place with this accelerator asks for.
  private func exposuresNeeded(_ name: CaseName) -> Int? {
    rates.all(name).filter { $0.place.accelerator == accelerator }
      .compactMap { $0.exposuresNeeded(confidence: confidence) }.max()
  }

  /// What the outcome of the plan's run says, and why.
  public func answer(_ outcome: GuestSession.Outcome) -> (answer: Answer, why: String) {
    guard let result = outcome.results.first else {
      return (.unknown, outcome.end.reason ?? "the guest gave no verdict")
    }
    let count =
      "\(result.count.lostTrials) of \(result.count.exposedTrials) exposed trials lost data (\(result.case))"
    switch result.verdict {
    case .corrupt:
      // Damage of another kind, or by another way, is not what the bisection follows.
      if result.count.unexplained > 0 { return (.unknown, "\(count); \(result.reason ?? "unexplained")") }
      return (.corrupt, count)
    case .inconclusive, .skipped, .error:
      return (.unknown, "\(result.verdict.rawValue): \(result.reason ?? count)")
    case .clean:
      // A guest that died after its verdict may have died of what the verdict did not see.
      guard case .finished = outcome.guest.ending else { return (.unknown, "\(outcome.guest.ending)") }
      if result.case.schedule == .staged { return (.clean, count) }
      return raceAnswer(outcome, result, count)
    }
  }

  private func raceAnswer(
    _ outcome: GuestSession.Outcome, _ result: CaseResult, _ count: String
  ) -> (Answer, String) {
    let remedy = "run 'repro calibrate --kernel BAD \(result.case.scenario)' first"
    guard let place = LossRates.Place(outcome) else {
      return (.unknown, "\(count), and the guest did not say where it ran")
    }
    guard let rate = rates[result.case, place] else {
      let others = rates.all(result.case).map { "\($0.place)" }
      let known =
        others.isEmpty ? "" : " (only with \(others.joined(separator: "; with "))), which is no basis"
      return (
        .unknown,
        "\(count), and nobody measured how often a bad kernel loses with \(place)\(known): \(remedy)"
      )
    }
    let why = "\(count); \(rate.explanation(confidence: confidence))"
    guard let needed = rate.exposuresNeeded(confidence: confidence), result.count.exposedTrials >= needed
    else {
      return (.unknown, why)
    }
    return (.clean, why)
  }

  /// The exit code for `git bisect run`: 0 good (old), 1 bad (new), 125 can't tell.
  public func exitCode(_ answer: Answer) -> Int32 {
    switch answer {
    case .unknown: 125
    case .clean: looksForFix ? 1 : 0
    case .corrupt: looksForFix ? 0 : 1
    }
  }
}
