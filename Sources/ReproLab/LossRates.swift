import Foundation
import Repro

/// Loss rates of cases, measured on kernels known to be bad: what a bisection's "good" rests on.
public struct LossRates: Codable, Sendable, Equatable {
  /// What a rate depends on besides case and kernel: how long an I/O and a hazard take against each other.
  /// Measured elsewhere, a rate is no basis.
  public struct Place: Codable, Sendable, Hashable, CustomStringConvertible {
    /// What ran the guest.
    public var accelerator: Accelerator
    /// What was raced on: the path as the guest opened it, and the disk behind it.
    public var target: String
    /// CPUs, as the guest reports them.
    public var processors: Int
    /// `uname -m`, as the guest reports it.
    public var machine: String

    /// Where an outcome's first case ran; nil when the guest never said.
    public init?(_ outcome: GuestSession.Outcome) {
      guard let start = outcome.start, let result = outcome.results.first, let opened = result.opened else {
        return nil
      }
      accelerator = outcome.guest.accelerator
      target = "\(opened) (\(GuestRun.raceDisk(depth: result.depth)))"
      processors = start.processors
      machine = start.machine
    }

    /// `tcg, 2 CPUs x86_64, /dev/vda (virtio, ...)`.
    public var description: String { "\(accelerator.rawValue), \(processors) CPUs \(machine), \(target)" }
  }

  /// One measurement.
  public struct Rate: Codable, Sendable, Equatable {
    /// The case, `fork.pread.race`.
    public var `case`: CaseName
    /// Where it was measured.
    public var place: Place
    /// The kernel it was measured on.
    public var kernel: String
    /// Exposed trials that lost data.
    public var losses: Int
    /// Trials in which the hazard acted while the I/O was in flight.
    public var exposures: Int

    /// The rate of loss is above this with so much confidence.
    public func lowerBound(confidence: Double) -> Double {
      Statistics.lowerBound(losses: losses, exposures: exposures, confidence: confidence)
    }

    /// Exposures without loss that make "good" sure, with the uncertainty of this measurement in it.
    ///
    /// A wrong "good" takes a bound that was too high, or a kernel that was lucky. Each gets half of the risk,
    /// so that both together stay within it.
    /// - Returns: nil when no number does.
    public func exposuresNeeded(confidence: Double) -> Int? {
      let each = Self.each(confidence)
      return Statistics.exposuresNeeded(rate: lowerBound(confidence: each), confidence: each)
    }

    /// How the risk was split, in words.
    public func explanation(confidence: Double) -> String {
      let each = Self.each(confidence)
      let needed =
        exposuresNeeded(confidence: confidence).map { "\($0) exposures" } ?? "no number of exposures"
      return "\(kernel) lost \(losses) of \(exposures) (\(place)): the rate is above "
        + "\(Self.short(lowerBound(confidence: each))) with confidence \(each), and \(needed) without loss leave a chance "
        + "below \(Self.short(1 - each)) at that rate; good is sure at \(confidence), both risks included"
    }

    private static func each(_ confidence: Double) -> Double { 1 - (1 - confidence) / 2 }
    private static func short(_ number: Double) -> String { String(format: "%.3g", number) }
  }

  /// The newest measurement of each case in each place.
  public private(set) var rates: [Rate] = []

  /// No rates.
  public init() {}

  /// Where rates are kept when nothing else is said: in the user's data folder.
  public static var standardPath: String {
    let environment = ProcessInfo.processInfo.environment
    let base = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    return (base ?? NSHomeDirectory() + "/.local/share") + "/repro/rates.json"
  }

  /// Reads a file of rates; none for a file that is not there yet.
  /// - Throws: LabError for a file that holds something else.
  public init(path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else { return }
    do {
      self = try JSONDecoder().decode(LossRates.self, from: data)
    } catch {
      throw LabError("\(path): holds no loss rates", remedy: "remove it and run 'repro calibrate' again")
    }
  }

  /// Writes the rates, whole or not at all.
  public func write(to path: String) throws {
    let url = URL(fileURLWithPath: path)
    do {
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      try encoder.encode(self).write(to: url, options: .atomic)
    } catch {
      throw LabError(
        "\(path): cannot be written: \(error.localizedDescription)", remedy: "give --rates a path")
    }
  }

  /// The rate of a case in a place.
  public subscript(name: CaseName, place: Place) -> Rate? {
    rates.first { $0.case == name && $0.place == place }
  }

  /// The rates of a case, wherever they were measured.
  public func all(_ name: CaseName) -> [Rate] { rates.filter { $0.case == name } }

  /// Keeps what an outcome of one case measured, in place of what the same place gave earlier.
  /// - Throws: LabError when it measured nothing that a "good" could rest on.
  public mutating func keep(_ outcome: GuestSession.Outcome) throws -> Rate {
    func nothing(_ why: String) -> LabError {
      LabError(
        "nothing to calibrate: \(why)",
        remedy: "name a kernel that the race loses data on, or give it more --time")
    }
    guard let result = outcome.results.first, let start = outcome.start, let place = Place(outcome) else {
      throw nothing(outcome.end.reason ?? outcome.results.first?.reason ?? "the guest gave no verdict")
    }
    guard result.case.schedule != .staged else { throw nothing("\(result.case) is no race") }
    guard result.count.unexplained == 0 else { throw nothing(result.reason ?? "the damage is unexplained") }
    guard outcome.exposedLosses > 0 else {
      throw nothing(outcome.end.reason ?? result.reason ?? "no exposed trial lost data")
    }
    let rate = Rate(
      case: result.case, place: place, kernel: start.release, losses: outcome.exposedLosses,
      exposures: result.count.exposedTrials)
    rates.removeAll { $0.case == rate.case && $0.place == place }
    rates.append(rate)
    return rate
  }
}
