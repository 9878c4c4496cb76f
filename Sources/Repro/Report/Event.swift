/// What happens in a run, in order. Every report format is a reader of these and of nothing else.
public enum Event: Sendable, Equatable {
  /// The run begins.
  case run(RunStart)
  /// Something the reader should know: settings restored, a schedule left out.
  case note(Note)
  /// The positive control of one engine and schedule.
  case control(ControlResult)
  /// One trial: every staged one, and of a race every one that lost data.
  case trial(TrialRecord)
  /// The verdict of one cell.
  case result(CellResult)
  /// The run is over.
  case end(RunEnd)
}

/// Where and how a run takes place.
public struct RunStart: Sendable, Codable, Equatable {
  /// Version of repro.
  public var version: String
  /// `uname -r`.
  public var release: String
  /// `uname -v`; distributions put their own version here.
  public var build: String
  /// `uname -m`.
  public var machine: String
  /// Bytes.
  public var pageSize: Int
  /// CPUs online.
  public var processors: Int
  /// All that is needed to run it again.
  public var plan: Plan
  /// Names of the cells, in order.
  public var cells: [String]
}

/// A line for the reader.
public struct Note: Sendable, Codable, Equatable {
  /// One sentence.
  public var text: String

  /// A note.
  public init(_ text: String) { self.text = text }
}

/// Whether the positive control fired.
public struct ControlResult: Sendable, Codable, Equatable {
  /// How the I/O was issued.
  public var engine: EngineKind
  /// Whether it was held.
  public var schedule: Schedule
  /// Trials run.
  public var trials: Int
  /// Trials whose loss was seen.
  public var fired: Int
  /// Why it could not run, or did not fire.
  public var reason: String?
  /// Whether the suite has shown that it sees losses here.
  public var hasFired: Bool
}

/// The outcome of a run.
public struct RunEnd: Sendable, Codable, Equatable {
  /// The verdict of all cells together.
  public var verdict: Verdict
  /// Why the run is an error, if it is one.
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
    case .result: self = .result(try CellResult(from: decoder))
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
