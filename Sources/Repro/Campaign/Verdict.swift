/// What a run may say of a kernel.
public enum Verdict: String, Sendable, Codable, CaseIterable {
  /// Data was lost.
  case corrupt
  /// Enough exposures, nothing lost.
  case clean
  /// Too few exposures to say anything.
  case inconclusive
  /// Something that the scenario needs is missing.
  case skipped
  /// The harness failed; nothing is known.
  case error
}

/// The verdict of one cell of the plan and the numbers behind it.
public struct CellResult: Sendable, Codable, Equatable {
  /// `fork.pread.staged`.
  public var cell: String
  /// The scenario's name.
  public var scenario: String
  /// How the I/O was issued.
  public var engine: EngineKind
  /// Whether it was held.
  public var schedule: Schedule
  /// `held`, or the path that was read; nil when none was opened.
  public var target: String?
  /// How its I/O takes hold of memory.
  public var path: IOPath?
  /// The verdict.
  public var verdict: Verdict
  /// What is missing, went wrong, or is too little; nil for corrupt and clean.
  public var reason: String?
  /// Trials run.
  public var trials: Int
  /// Trials in which the hazard provably acted while the I/O was in flight.
  public var exposures: Int
  /// Trials that lost data.
  public var losses: Int
  /// For clean: the rate of loss is below this, with the plan's confidence.
  public var upperBound: Double?
  /// Wall time of the cell.
  public var seconds: Double
  /// What the hazard came to in the last trial, as evidence.
  public var evidence: String?
  /// Catalogue entries that a corrupt verdict matches on this kernel version.
  public var bugs: [String]

  /// Judges numbers; the order is the point: a loss outranks all, and few exposures are never clean.
  static func judge(losses: Int, exposures: Int, atLeast: Int) -> (Verdict, String?) {
    if losses > 0 { return (.corrupt, nil) }
    if exposures >= max(1, atLeast) { return (.clean, nil) }
    return (.inconclusive, "fewer than \(max(1, atLeast)) exposures")
  }
}
