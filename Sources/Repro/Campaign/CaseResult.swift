/// What a run may say of a kernel.
public enum Verdict: String, Sendable, Codable, CaseIterable {
  /// Data was lost.
  case corrupt
  /// Enough exposures, nothing lost.
  case clean
  /// Too few exposures to say anything.
  case inconclusive
  /// Something that the case needs is missing, or no trial could ask a guard.
  case skipped
  /// The harness failed; nothing is known.
  case error
}

/// What a case's trials came to, so far.
///
/// Pages under one hazard are not independent, so that what is said of rates rests on trials; pages are
/// counted beside them.
public struct CaseCount: Sendable, Codable, Equatable {
  /// Trials run.
  public var trials = 0
  /// Trials in which a guard was provably asked while the I/O was in flight, on at least one page.
  public var exposedTrials = 0
  /// Pages on which it was.
  public var exposures = 0
  /// Trials, and pages, whose I/O was issued while the hazard acted. Counted apart.
  public var enteringTrials = 0
  /// See ``enteringTrials``.
  public var entering = 0
  /// Where the hazards of a race's trials lay against the I/O, by the names of ``Overlap``: how many trials; nil in
  /// other schedules.
  public var overlaps: [String: Int]?
  /// Trials that lost data.
  public var lostTrials = 0
  /// Pages that did.
  public var losses = 0
  /// Trials that lost data in a way that the scenario does not name.
  public var unexplained = 0
  /// Trials in which the hazard applied and no guard was asked.
  public var notAsked = 0
  /// Trials whose memory was not what the case says.
  public var missed = 0
  /// Pages that showed which guard at work, by its name.
  public var guards: [String: Int] = [:]
  /// Wall time.
  public var seconds = 0.0
  /// What the hazard came to in the last trial, as evidence.
  public var evidence: String?

  /// Nothing yet.
  public init() {}

  /// Adds what other trials of the case came to, later ones.
  package mutating func add(_ other: CaseCount) {
    trials += other.trials
    exposedTrials += other.exposedTrials
    exposures += other.exposures
    enteringTrials += other.enteringTrials
    entering += other.entering
    lostTrials += other.lostTrials
    losses += other.losses
    unexplained += other.unexplained
    notAsked += other.notAsked
    missed += other.missed
    guards.merge(other.guards, uniquingKeysWith: +)
    if let more = other.overlaps { overlaps = (overlaps ?? [:]).merging(more, uniquingKeysWith: +) }
    seconds += other.seconds
    evidence = other.evidence ?? evidence
  }

  /// Counts a trial.
  package mutating func add(_ record: TrialRecord) {
    trials += 1
    exposures += record.inFlight
    exposedTrials += record.isExposure ? 1 : 0
    entering += record.entering
    enteringTrials += record.entering > 0 ? 1 : 0
    losses += record.lost.count
    lostTrials += record.isLoss ? 1 : 0
    unexplained += record.isExplained ? 0 : 1
    if !record.isExposure, record.case.schedule == .staged, record.hazards.contains(where: \.isApplied) {
      notAsked += 1
    }
    if let overlap = record.overlap {
      overlaps = overlaps ?? [:]
      overlaps?[overlap.rawValue, default: 0] += 1
    }
    for (name, count) in record.guards { guards[name, default: 0] += count }
    evidence =
      record.hazards.map(\.text).joined(separator: ", then ")
      + (record.withoutIO.map { "; without I/O: \($0.text)" } ?? "")
  }

  /// Judges the numbers; the order is the point: a loss outranks all, and few exposures are never clean.
  package func verdict(atLeast: Int) -> (Verdict, String?) {
    if lostTrials > 0 {
      return (.corrupt, unexplained > 0 ? "unexplained: damage that the scenario does not name" : nil)
    }
    let needed = max(1, atLeast)
    if exposedTrials >= needed { return (.clean, nil) }
    if trials > 0, missed == trials { return (.skipped, evidence) }
    if trials > 0, notAsked == trials {
      return (.skipped, "not asked: \(evidence ?? "the hazard applied"), and no write fault followed")
    }
    return (.inconclusive, "fewer than \(needed) exposures")
  }
}

/// The verdict of one case of the plan and the numbers behind it.
public struct CaseResult: Sendable, Codable, Equatable {
  /// Which case.
  public var `case`: CaseName
  /// What its scenario is for.
  public var role: Scenario.Role
  /// Pages under one hazard.
  public var depth = 1
  /// What was opened: `held`, or the path that was read; nil when nothing was.
  public var opened: String?
  /// How its I/O takes hold of memory.
  public var path: IOPath?
  /// The verdict.
  public var verdict: Verdict
  /// What is missing, went wrong, or is too little; nil for clean and most corrupt.
  public var reason: String?
  /// The numbers.
  public var count: CaseCount
  /// For clean: the rate of trials with a loss is below this, with the plan's confidence.
  public var upperBound: Double?
  /// The same for trials whose I/O entered while the hazard acted.
  public var enteringBound: Double?
  /// Catalogue entries that a corrupt verdict matches on this kernel version.
  public var bugs: [String] = []

  init(
    case name: CaseName, role: Scenario.Role, depth: Int = 1, opened: String? = nil, path: IOPath? = nil,
    verdict: Verdict, reason: String? = nil, count: CaseCount, upperBound: Double? = nil, bugs: [String] = []
  ) {
    self.case = name
    self.role = role
    self.depth = depth
    self.opened = opened
    self.path = path
    self.verdict = verdict
    self.reason = reason
    self.count = count
    self.upperBound = upperBound
    self.bugs = bugs
  }

  /// The result of a case of which no more is known.
  package init(_ name: CaseName, depth: Int, verdict: Verdict, reason: String, count: CaseCount) {
    self.init(
      case: name, role: Scenario.named(name.scenario)?.role ?? .hazard, depth: depth, verdict: verdict,
      reason: reason, count: count)
  }

  /// Computes the bounds from verdict and exposures.
  package mutating func bound(confidence: Double) {
    func bound(_ exposed: Int) -> Double? {
      verdict == .clean && exposed > 0
        ? Statistics.upperBound(exposures: exposed, confidence: confidence) : nil
    }
    upperBound = bound(count.exposedTrials)
    enteringBound = bound(count.enteringTrials)
  }
}
