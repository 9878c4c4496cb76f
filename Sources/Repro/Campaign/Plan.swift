/// How a trial's agents meet.
public enum Schedule: String, Sendable, Codable, CaseIterable {
  /// The I/O is held in flight while the hazard is done.
  case staged
  /// Threads run free; only their start is steered.
  case race
}

/// The seed of patterns and delays; written in hex, since JSON numbers lose bits above 2^53.
public struct Seed: Sendable, Codable, Equatable, CustomStringConvertible {
  /// The number.
  public var value: UInt64

  /// A seed.
  public init(_ value: UInt64) { self.value = value }

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

  /// Reads the hex text.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let seed = Seed(parsing: text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is no seed")
    }
    self = seed
  }

  /// Writes the hex text.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// What a run is to do: all that must be known to do it again.
public struct Plan: Sendable, Codable, Equatable {
  /// Names of scenarios, in order.
  public var scenarios: [String]
  /// Engines, in order.
  public var engines: [EngineKind] = EngineKind.allCases
  /// Schedules, in order.
  public var schedules: [Schedule] = Schedule.allCases
  /// The staged schedule's target.
  public var held = HeldKind.file
  /// The race schedule's file, folder or block device; nil for ``standardTarget``.
  public var target: String?
  /// Whether a target that can't be used skips the race's cells and does not fail the run.
  public var isTargetOptional = false
  /// Whether an existing file or device may be overwritten.
  public var overwrite = false
  /// Trials a cell; nil leaves it to the time, or the schedule's default.
  public var trials: Int?
  /// Seconds a cell; nil for the schedule's default.
  public var time: Double?
  /// Seed of patterns and delays.
  public var seed: Seed
  /// Exposures below which a cell is inconclusive; nil for the schedule's default.
  public var minimumExposures: Int?
  /// Seconds that a race with default limits goes on for exposures it lacks.
  public var patience = Plan.standardPatience
  /// The numbers of the trials to run, in this order, to run known trials again; nil for 0, 1, 2, ...
  public var trialNumbers: [Int]?
  /// Ends a cell after this many losses; nil runs all trials.
  public var stopAfterLosses: Int?
  /// Of upper bounds.
  public var confidence: Double = 0.95
  /// A block device to make swap on when none is on; its content is lost.
  public var swapDevice: String?

  /// A plan of `scenarios` with defaults for the rest.
  public init(scenarios: [String], seed: Seed) {
    self.scenarios = scenarios
    self.seed = seed
  }

  static let standardPatience = 10.0

  /// Where the race schedule puts its unnamed scratch file: on disk, unlike /tmp of many machines.
  public static let standardTarget = "/var/tmp"

  /// When a cell's trials end; a race with default limits goes on, within reason, until it has
  /// the exposures that a clean verdict needs.
  func limits(_ schedule: Schedule) -> CellLimits {
    let trials = trialNumbers?.count ?? trials
    return switch schedule {
    case .staged:
      CellLimits(trials: trials ?? (time == nil ? 20 : .max), seconds: time ?? 60, losses: stopAfterLosses)
    case .race:
      CellLimits(
        trials: trials ?? .max, seconds: time ?? (trials == nil ? 0.5 : 60),
        patientSeconds: time == nil ? patience : nil, exposures: minimumExposures(.race),
        losses: stopAfterLosses)
    }
  }

  /// Longer than the plan should ever take, in seconds: only a hang gets there.
  public var longestSeconds: Double {
    let lanes = Double(engines.count)
    return schedules.reduce(120) { total, schedule in
      total + lanes * (30 + Double(scenarios.count) * (min(limits(schedule).longest, 86_400) + 15))
    }
  }

  /// Exposures that a clean verdict needs. A staged trial decides; a race needs many overlaps before silence means anything.
  public func minimumExposures(_ schedule: Schedule) -> Int {
    minimumExposures ?? (schedule == .staged ? 3 : 50)
  }
}
