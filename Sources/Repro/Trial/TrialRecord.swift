/// What one trial did and found: one hazard, and as many pages under it as the trial is deep.
public struct TrialRecord: Sendable, Codable, Equatable {
  /// Which case of the plan.
  public var `case`: CaseName
  /// The number of the trial in its case, from 0. Pattern, place and delays follow from seed and number.
  public var trial: Int
  /// Pages under I/O.
  public var depth = 1
  /// Pages on which the hazard and the toucher provably acted while the I/O was in flight, so that a guard
  /// was asked, and those that lost data.
  public var inFlight: Int
  /// Pages whose I/O was issued while the hazard acted: the kernel took them while the hazard's checks
  /// were under way. Counted apart.
  public var entering = 0
  /// Where the hazard of a race lay against the I/O; nil in other schedules.
  public var overlap: Overlap?
  /// Pages that lost data, by number.
  public var lost: [Int] = []
  /// How many pages showed which guard at work, by its name.
  public var guards: [String: Int] = [:]
  /// What became of the hazards, as they acted: of each for the first page.
  public var hazards: [HazardOutcome]
  /// The same hazard on the same pages once the I/O was over; only asked when it was refused.
  public var withoutIO: HazardOutcome?
  /// What the verifier found, for at most ``damageKept`` pages; empty when nothing is wrong.
  public var damage: [Damage]
  /// Whether all damage is of the kinds that the scenario names.
  public var isExplained = true
  /// Physical frame behind the first lost page, or the first page, while the I/O was in flight, before
  /// the hazard; nil when hidden.
  public var frameBefore: UInt64?
  /// Physical frame right after the I/O.
  public var frameAfter: UInt64?
  /// Target offset of the I/O, bytes.
  public var offset: Int64
  /// Length of the I/O, bytes.
  public var length: Int
  /// What each agent did when.
  public var timeline: [Mark]

  /// Pages whose damage is kept in full.
  static let damageKept = 4

  /// The losses of a racing case that are told with all they have. Those after them, hundreds a second, are told
  /// in brief: telling one took a third of an emulated trial's time.
  static let lossesInFull = 100

  /// The same without timeline, and without damage that the scenario explains.
  var inBrief: TrialRecord {
    var brief = self
    brief.timeline = []
    if isExplained { brief.damage = [] }
    return brief
  }

  /// Whether it is told in brief: each full one has marks on its timeline.
  var isBrief: Bool { timeline.isEmpty }

  /// Whether data was lost.
  public var isLoss: Bool { !lost.isEmpty }
  /// Whether a guard was asked at all.
  public var isExposure: Bool { inFlight > 0 }
}

/// Why a trial could not be judged, when no system call failed.
public enum TrialError: Error, Equatable, CustomStringConvertible {
  /// The I/O moved fewer bytes than asked.
  case short(Int, of: Int)
  /// The I/O didn't arrive at the holding target in time.
  case notHeld
  /// The I/O did not come back in time after it was released.
  case hung
  /// The memory is not what the case says: what it is.
  case stateMissed(String)
  /// At arrival the pages held data already: they were let go, or the I/O was buffered.
  case letGo
  /// The target had the bytes of a write that it was to leave unread.
  case readEarly
  /// The I/O went through the page cache, in spite of O_DIRECT.
  case notDirect
  /// The I/O did not go through the page cache, though it should.
  case notBuffered
  /// A hazard claims what the page's frames contradict.
  case contradiction(String)

  /// Whether the trial was merely not the one that its case describes, and exposes nothing.
  var isMiss: Bool {
    switch self {
    case .stateMissed, .notDirect, .notBuffered, .letGo, .readEarly: true
    case .short, .notHeld, .hung, .contradiction: false
    }
  }

  /// One line.
  public var description: String {
    switch self {
    case .short(let done, let asked): "the I/O moved \(done) of \(asked) bytes"
    case .notHeld: "the I/O did not reach the held target in time"
    case .hung: "the I/O did not return in time after its release"
    case .stateMissed(let what): "the memory did not reach its state: \(what)"
    case .letGo:
      "the I/O was not held: its pages were filled before the last was there (taken with faults disabled, as btrfs "
        + "does, or buffered)"
    case .readEarly: "the target's server had the bytes of the write before they were stored to"
    case .notDirect: "the I/O was not direct: its range is in the page cache"
    case .notBuffered: "the I/O was not buffered: its range is not in the page cache"
    case .contradiction(let what): what
    }
  }
}
