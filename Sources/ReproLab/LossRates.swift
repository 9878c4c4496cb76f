import Foundation
import Repro

/// Loss rates of cases, measured on kernels known to be bad: what a bisection's "good" rests on.
public struct LossRates: Codable, Sendable, Equatable {
  /// One measurement.
  public struct Rate: Codable, Sendable, Equatable {
    /// The case, `fork.pread.race`.
    public var `case`: CaseName
    /// The kernel it was measured on.
    public var kernel: String
    /// Trials that lost data.
    public var losses: Int
    /// Trials in which the hazard acted while the I/O was in flight.
    public var exposures: Int

    /// The rate of loss is above this with 95 % confidence.
    public var lowerBound: Double { Statistics.lowerBound(losses: losses, exposures: exposures) }
  }

  /// The newest measurement of each case.
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

  /// The rate of a case.
  public subscript(name: CaseName) -> Rate? { rates.first { $0.case == name } }

  /// Keeps the measurement of `result`, in place of an older one of its case.
  public mutating func keep(_ result: CaseResult, kernel: String) -> Rate {
    let rate = Rate(
      case: result.case, kernel: kernel, losses: result.count.lostTrials,
      exposures: result.count.exposedTrials)
    rates.removeAll { $0.case == result.case }
    rates.append(rate)
    return rate
  }
}
