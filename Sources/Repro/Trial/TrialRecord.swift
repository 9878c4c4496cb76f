/// What one trial did and found.
public struct TrialRecord: Sendable, Codable, Equatable {
  /// Which cell of the plan: scenario, engine and schedule, `fork.pread.staged`.
  public var cell: String
  /// The number of the trial in its cell, from 0. Pattern, place and delays follow from seed and number.
  public var trial: Int
  /// Whether the hazard provably acted while the I/O was in flight.
  public var isExposure: Bool
  /// What became of the hazard.
  public var hazard: HazardOutcome
  /// The same hazard on the same page once the I/O was over; only asked when it was refused.
  public var withoutIO: HazardOutcome?
  /// What the verifier found; empty when nothing is wrong.
  public var damage: [Damage]
  /// Physical frame behind the page while the I/O was in flight, before the hazard; nil when hidden.
  public var frameBefore: UInt64?
  /// Physical frame right after the I/O.
  public var frameAfter: UInt64?
  /// Target offset of the I/O, bytes.
  public var offset: Int64
  /// Length of the I/O, bytes.
  public var length: Int
  /// What each agent did when.
  public var timeline: [Mark]

  /// Whether data was lost.
  public var isLoss: Bool { !damage.isEmpty }
}

/// Why a trial could not be judged, when no system call failed.
public enum TrialError: Error, Equatable, CustomStringConvertible {
  /// The I/O moved fewer bytes than asked.
  case short(Int, of: Int)
  /// The I/O didn't arrive at the holding target in time.
  case notHeld
  /// The I/O did not come back in time after it was released.
  case hung

  /// One line.
  public var description: String {
    switch self {
    case .short(let done, let asked): "the I/O moved \(done) of \(asked) bytes"
    case .notHeld: "the I/O did not reach the held target in time"
    case .hung: "the I/O did not return in time after its release"
    }
  }
}
