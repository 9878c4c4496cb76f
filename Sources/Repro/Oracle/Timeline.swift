import Synchronization

/// What one agent of a trial did, and when.
public struct Mark: Sendable, Codable, Equatable {
  /// Nanoseconds since the trial's start.
  public var at: Int64
  /// The agent, one column of the drawing.
  public var agent: String
  /// What it did.
  public var what: String
}

/// The marks of one trial, set by all of its threads.
public final class Timeline: Sendable {
  private struct State {
    var start: Nanoseconds = 0
    var isKept = true
    var marks: [Mark] = []
  }

  private let state = Mutex(State())

  /// An empty timeline that starts now.
  public init() { restart() }

  func restart() {
    let now = Clock.now
    state.withLock {
      $0.start = now
      $0.marks.removeAll(keepingCapacity: true)
    }
  }

  /// Whether marks are kept: nobody reads those of a trial that is told in brief.
  var isKept: Bool {
    get { state.withLock { $0.isKept } }
    set { state.withLock { $0.isKept = newValue } }
  }

  func mark(_ agent: Agent, _ what: @autoclosure () -> String, at time: Nanoseconds = Clock.now) {
    if !isKept { return }
    let what = what()
    state.withLock {
      $0.marks.append(Mark(at: time - $0.start, agent: agent.rawValue, what: what))
    }
  }

  /// All marks in the order of time.
  var marks: [Mark] { state.withLock { $0.marks.sorted { $0.at < $1.at } } }

  /// Who acts in a trial.
  enum Agent: String {
    case io = "I/O thread"
    case target = "target"
    case hazard = "hazard"
    case store = "store"
  }
}
