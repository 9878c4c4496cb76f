/// What happens in a run, in order. Every report format is a reader of these and of nothing else.
public enum Event: Sendable, Equatable {
  /// The run begins.
  case run(RunStart)
  /// Something the reader should know: settings put back, cases left out.
  case note(Note)
  /// The two controls of one lane.
  case control(ControlResult)
  /// One trial: every staged one, and of a race every one that lost data, most of them in brief
  /// (``TrialRecord/lossesInFull``).
  case trial(TrialRecord)
  /// The verdict of one case.
  case result(CaseResult)
  /// The run is over.
  case end(RunEnd)
}

/// Where and how a run takes place.
public struct RunStart: Sendable, Codable, Equatable {
  /// Version of the events' fields; another number means other fields.
  public var schema = RunStart.currentSchema
  /// Version of repro.
  public var version: String
  /// What the suite of the program that ran it consists of; nil for C programs, and where nobody told.
  public var suite: String?
  /// `uname -r`.
  public var release: String
  /// `uname -v`; distributions put their own version here.
  public var build: String
  /// `uname -m`.
  public var machine: String
  /// `little` or `big`; nil where nobody asked.
  public var byteOrder: String?
  /// Bytes.
  public var pageSize: Int
  /// CPUs online.
  public var processors: Int
  /// All that is needed to run it again.
  public var plan: Plan
  /// The cases, in order.
  public var cases: [CaseName]

  /// What this version writes.
  public static let currentSchema = 2
}

/// A line for the reader.
public struct Note: Sendable, Codable, Equatable {
  /// One sentence.
  public var text: String

  /// A note.
  public init(_ text: String) { self.text = text }
}

/// What the two controls of a lane showed.
public struct ControlResult: Sendable, Codable, Equatable {
  /// What the buffer is.
  public var memory: String
  /// How the I/O was issued.
  public var engine: String
  /// The kind of target.
  public var target: String
  /// Whether it was held.
  public var schedule: Schedule
  /// Trials of the positive control, and those whose loss was seen.
  public var trials = 0
  /// See ``trials``.
  public var fired = 0
  /// Trials of the negative control, and those that lost data.
  public var quietTrials = 0
  /// See ``quietTrials``.
  public var quietLosses = 0
  /// Why they could not run, or what they did that they must not.
  public var reason: String?
  /// Whether the suite has shown that it sees losses here, and sees none where there are none.
  public var isSound = false

  init(_ lane: Lane) {
    memory = lane.memory.name
    engine = lane.engine.name
    target = lane.target.kind.name
    schedule = lane.schedule
  }

  /// Adds what the lane's controls showed elsewhere; it is sound only where both were.
  package mutating func add(_ other: ControlResult) {
    trials += other.trials
    fired += other.fired
    quietTrials += other.quietTrials
    quietLosses += other.quietLosses
    reason = reason ?? other.reason
    isSound = isSound && other.isSound
  }

  /// The lane's parts, but those that are as usual: `pread.staged`.
  public var lane: String {
    CaseName(scenario: "", memory: memory, engine: engine, target: target, schedule: schedule).lane
  }
}

/// The outcome of a run.
public struct RunEnd: Sendable, Codable, Equatable {
  /// The verdict of all cases together.
  public var verdict: Verdict
  /// Why the run is an error, or has no cases.
  public var reason: String?
  /// The signal that stopped it, if one did.
  public var interruptedBy: Int32?
  /// Wall time.
  public var seconds: Double

  /// An end.
  public init(verdict: Verdict, reason: String? = nil, interruptedBy: Int32? = nil, seconds: Double) {
    self.verdict = verdict
    self.reason = reason
    self.interruptedBy = interruptedBy
    self.seconds = seconds
  }
}

/// Watches a run.
public protocol Observer: AnyObject {
  /// Something happened that belongs in the report.
  func receive(_ event: Event)
  /// `fraction` (0 to 1) of the run is done; `name` is running.
  func progress(fraction: Double, case name: CaseName)
}

extension Event: Codable {
  private enum Key: String, CodingKey { case event }
  private enum Kind: String, Codable { case run, note, control, trial, result, end }

  /// Reads `{"event": kind, ...fields}`.
  public init(from decoder: any Decoder) throws {
    switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .event) {
    case .run: self = .run(try RunStart(from: decoder))
    case .note: self = .note(try Note(from: decoder))
    case .control: self = .control(try ControlResult(from: decoder))
    case .trial: self = .trial(try TrialRecord(from: decoder))
    case .result: self = .result(try CaseResult(from: decoder))
    case .end: self = .end(try RunEnd(from: decoder))
    }
  }

  /// Writes `{"event": kind, ...fields}`.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    func put(_ kind: Kind, _ fields: any Encodable) throws {
      try container.encode(kind, forKey: .event)
      try fields.encode(to: encoder)
    }
    switch self {
    case .run(let fields): try put(.run, fields)
    case .note(let fields): try put(.note, fields)
    case .control(let fields): try put(.control, fields)
    case .trial(let fields): try put(.trial, fields)
    case .result(let fields): try put(.result, fields)
    case .end(let fields): try put(.end, fields)
    }
  }
}
