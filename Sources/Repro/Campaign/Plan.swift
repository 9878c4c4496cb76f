/// The seed of patterns and delays; written in hex, since JSON numbers lose bits above 2^53.
public struct Seed: Sendable, Equatable, CustomStringConvertible {
  /// The number.
  public var value: UInt64

  /// A seed.
  public init(_ value: UInt64) { self.value = value }

  /// A seed by chance.
  public static var random: Seed { Seed(.random(in: .min ... .max)) }

  /// Decimal, or hex after `0x`; nil for anything else.
  public init?(parsing text: String) {
    let isHex = text.hasPrefix("0x")
    guard let value = UInt64(isHex ? String(text.dropFirst(2)) : text, radix: isHex ? 16 : 10) else {
      return nil
    }
    self.value = value
  }

  /// Hex, with `0x`.
  public var description: String { Hex.number(value) }
}

/// What a run is to do: all that must be known to do it again.
public struct Plan: Sendable, Equatable {
  /// Which cases.
  public var selection: Selection
  /// Pages under one hazard.
  public var depth = 1
  /// How much of memory an I/O covers, and in how many segments.
  public var shape = Shape()
  /// Trials a case; nil leaves it to the time, or the schedule's default.
  public var trials: Int?
  /// Seconds a case; nil for the schedule's default.
  public var time: Double?
  /// Seed of patterns and delays.
  public var seed: Seed
  /// Exposed trials below which a case is inconclusive; nil for the schedule's default.
  public var minimumExposures: Int?
  /// Seconds that a race with default limits goes on for exposures it lacks.
  public var patience = Plan.standardPatience
  /// The numbers of the trials to run, in this order, to run known trials again; nil for 0, 1, 2, ...
  public var trialNumbers: [Int]?
  /// Ends a case after this many trials that lost data; nil runs all trials.
  public var stopAfterLosses: Int?
  /// Of upper bounds.
  public var confidence: Double = 0.95
  /// Where swap is made, whatever other swap is on; nil leaves it to the suite, where none is on.
  public var swapPlace: SwapPlace?

  /// A plan of `selection` with defaults for the rest.
  public init(_ selection: Selection, seed: Seed) {
    self.selection = selection
    self.seed = seed
  }

  static let standardPatience = 30.0

  /// The cases of the plan, and those left out with the reason.
  /// - Throws: SelectionError for a scenario that nobody knows.
  public func expand() throws(SelectionError) -> (cases: [Case], excluded: [(case: Case, reason: String)]) {
    selection.expand(try selection.chosenScenarios(), depth: depth)
  }

  /// When a case's trials end; a race with default limits goes on, within reason, until it has the exposures
  /// that a clean verdict needs.
  func limits(_ schedule: Schedule) -> CaseLimits {
    let trials = trialNumbers?.count ?? trials
    return switch schedule {
    case .staged:
      // Some hazards take seconds a trial, and a few trials decide.
      CaseLimits(
        trials: trials ?? (time == nil ? 20 : .max), seconds: time ?? (trials == nil ? 1 : 86_400),
        patientSeconds: time == nil && trials == nil ? max(60, patience) : nil,
        areTrialsUsual: trials == nil, exposures: minimumExposures(schedule), losses: stopAfterLosses)
    case .race, .free:
      CaseLimits(
        trials: trials ?? .max, seconds: time ?? (trials == nil ? schedule == .race ? 0.5 : 1 : 86_400),
        patientSeconds: time == nil ? patience : nil, exposures: minimumExposures(schedule),
        losses: stopAfterLosses)
    }
  }

  /// The longest that one case may take without a sign of life, in seconds.
  public var longestCaseSeconds: Double {
    max(60, Schedule.allCases.map { min(limits($0).longest, 86_400) }.max() ?? 0)
  }

  /// Longer than the plan should ever take, in seconds: only a hang gets there.
  public var longestSeconds: Double {
    let cases = (try? expand().cases) ?? []
    let lanes = Double(Set(cases.map(\.lane)).count)
    return cases.reduce(120 + lanes * 30) { $0 + min(limits($1.schedule).longest, 86_400) + 15 }
  }

  /// Exposed trials that a clean verdict needs. A staged trial decides; a race needs many overlaps before
  /// silence means anything.
  public func minimumExposures(_ schedule: Schedule) -> Int {
    minimumExposures ?? (schedule == .staged ? 3 : 50)
  }
}

/// When a case's trials end.
struct CaseLimits: Sendable {
  var trials: Int
  var seconds: Double
  /// With fewer than `exposures` exposed trials and no loss, goes on until so many seconds; nil for never.
  var patientSeconds: Double?
  /// Whether nobody asked for that many trials: then they are no end where some, but too few, were exposed.
  var areTrialsUsual = false
  /// See `patientSeconds`.
  var exposures = 0
  /// Ends after so many trials that lost data; nil for never.
  var losses: Int?

  /// The longest that a case may take, in seconds.
  var longest: Double { max(seconds, patientSeconds ?? 0) }

  func allowsMore(_ count: CaseCount) -> Bool {
    if let losses, count.lostTrials >= losses { return false }
    let lacksExposures = count.lostTrials == 0 && count.exposedTrials < exposures
    if count.trials >= trials {
      // Where some of the trials ask a guard, more of them will.
      return areTrialsUsual && lacksExposures && count.exposedTrials > 0 && count.seconds < longest
    }
    return count.seconds < seconds || lacksExposures && count.seconds < patientSeconds ?? 0
  }
}
