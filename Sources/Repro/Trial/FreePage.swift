import CKernel
import Synchronization

/// One page of the free schedule, with its log: read by one reader, endangered by every agent, looked at by the
/// verifier.
/// ```
///  reader        idle -> fill -> in flight -> settled -> (looked at, refusals tried again) -> idle
///  agents                        act, store   act again without I/O
///  verifier                                   look, look, look, ...
/// ```
/// Agents that need the page's bytes to stay enter and leave; the reader does not fill it while one is there.
final class FreePage: Sendable {
  /// Who may store to the page.
  enum Stores: Sendable {
    /// The free store thread, and the agents after their hazard.
    case always
    /// The agents alone: what write-protects the page and comes back finds it so.
    case byAgents
    /// Nobody: the page stays the same as its twin.
    case never
  }

  private enum Phase { case idle, inFlight, settled }

  private struct State {
    var phase = Phase.idle
    /// Agents that need its bytes to stay.
    var users = 0
    var setup: Buffer.Setup?
    /// Of each word of the touch, the stamp that was stored last.
    var words: [Stamp?] = Array(repeating: nil, count: FreePage.words)
    var rounds = 0
    var log = PageLog()
    var window: PageLog.Window?
    var filledAt: Nanoseconds = 0
    var endFrame: UInt64?
    var looks = 0
    var findings = Judge.Findings()
    /// Agents whose refusal is to be tried again without I/O, and how often still.
    var retries: [String: Int] = [:]
  }

  /// Words of the touch: one an agent, the last the store thread's.
  static let words = 8
  static let touchLength = words * 8
  private static let attempts = 3

  let stores: Stores
  let buffer: Buffer
  let judge: Judge
  let pages: PagesUnderIO
  private let state = Mutex(State())

  init(_ buffer: Buffer, _ judge: Judge, _ pages: PagesUnderIO, stores: Stores) {
    self.buffer = buffer
    self.judge = judge
    self.pages = pages
    self.stores = stores
  }

  // MARK: The reader

  /// Whether it can be read anew: never read, or looked at since, with all refusals tried again or `patience`
  /// nanoseconds gone.
  func isDone(patience: Nanoseconds) -> Bool {
    state.withLock {
      guard $0.users == 0, $0.phase != .inFlight else { return false }
      guard $0.phase == .settled, let window = $0.window else { return true }
      return $0.looks > 0 && ($0.retries.isEmpty || Clock.now - window.ended > patience)
    }
  }

  /// Takes the page back from everybody; what the last read came to, if there was one.
  /// - Returns: whether it was taken, which it is not while an agent needs it.
  func take() -> (isTaken: Bool, record: TrialRecord?) {
    state.withLock { state in
      guard state.users == 0, state.phase != .inFlight else { return (false, nil) }
      let record = state.phase == .settled ? self.record(state) : nil
      state = State()
      return (true, record)
    }
  }

  /// The page holds the fill of `setup`, and its I/O is about to be issued.
  func publish(_ setup: Buffer.Setup, at time: Nanoseconds) {
    state.withLock {
      $0.setup = setup
      $0.phase = .inFlight
      $0.filledAt = time
    }
  }

  /// The I/O is over.
  func settle(_ window: PageLog.Window, frame: UInt64?) {
    state.withLock {
      $0.window = window
      $0.endFrame = frame
      $0.phase = .settled
    }
  }

  // MARK: Agents

  var isInFlight: Bool { state.withLock { $0.phase == .inFlight } }
  var isSettled: Bool { state.withLock { $0.phase == .settled } }
  func owesRetry(_ agent: String) -> Bool {
    state.withLock { $0.phase == .settled && $0.retries[agent] != nil }
  }

  /// Keeps the page's bytes; call ``leave()`` afterwards.
  /// - Returns: whether it is in the wanted phase.
  func enter(settled: Bool) -> Bool {
    state.withLock {
      guard $0.phase == (settled ? .settled : .inFlight) else { return false }
      $0.users += 1
      return true
    }
  }

  func leave() { state.withLock { $0.users -= 1 } }

  /// Stores the agent's word, if the page may be stored to and is in flight.
  func store(word: Int) { store(word, whenSettled: false) }

  /// The store thread's: also when the I/O is over.
  func storeFreely() {
    if stores == .always { store(Self.words - 1, whenSettled: true) }
  }

  private func store(_ word: Int, whenSettled: Bool) {
    guard stores != .never else { return }
    state.withLock {
      guard let setup = $0.setup, $0.phase == .inFlight || whenSettled && $0.phase == .settled else { return }
      $0.rounds += 1
      let at = buffer.layout.touch.lowerBound + word * 8
      let stamp: Stamp
      if judge.scenario.isLiteral {
        stamp = Stamp(.byte, generation: 0, block: 1 + $0.rounds % 255)
        ck_store8(buffer.piece(0) + at + 7, UInt8(stamp.block))
      } else {
        stamp = Stamp(
          .store, generation: setup.number + 1, block: word * Buffer.rounds + $0.rounds % Buffer.rounds)
        ck_store64(buffer.piece(0) + at, buffer.pattern.word(stamp, at: at))
      }
      $0.words[word] = stamp
    }
  }

  /// Writes an event to the page's log.
  func log(_ event: PageEvent) {
    state.withLock {
      $0.log.add(event)
      if $0.phase == .idle { return }
      if event.outcome.kind == .refused, $0.retries[event.agent] == nil, $0.window == nil {
        $0.retries[event.agent] = Self.attempts
      }
    }
  }

  /// Writes what became of a refused hazard without I/O to the log.
  func logRetry(_ event: PageEvent) {
    state.withLock {
      $0.log.add(event)
      let left = ($0.retries[event.agent] ?? 0) - 1
      $0.retries[event.agent] = event.outcome.isApplied || left <= 0 ? nil : left
    }
  }

  /// Adds what a hazard saw elsewhere of the page.
  func add(_ views: [View]) {
    state.withLock {
      guard let setup = $0.setup, !views.isEmpty else { return }
      $0.findings.add(judge.damage(setup, in: views))
    }
  }

  // MARK: The verifier

  /// Looks at the page if its I/O is over; all stores wait meanwhile.
  func look() {
    state.withLock {
      guard $0.phase == .settled, let setup = $0.setup else { return }
      // One loss is told once.
      if $0.findings.pages.isEmpty {
        let start = buffer.layout.touch.lowerBound
        let touched = Judge.Touched(
          words: $0.words.enumerated().map { (start + $0 * 8..<start + $0 * 8 + 8, [$1]) })
        $0.findings.add(judge.look(setup, $0.looks == 0 ? .first : .second, touched))
      }
      $0.looks += 1
    }
  }

  /// What the read came to.
  private func record(_ state: State) -> TrialRecord? {
    guard let setup = state.setup, let window = state.window else { return nil }
    let asked = state.log.asked(during: window)
    let isLost = !state.findings.pages.isEmpty
    let last = state.log.last(before: window)
    var guards: [String: Int] = [:]
    if !isLost { for held in asked.inFlight { guards[held.name] = 1 } }
    return TrialRecord(
      case: judge.caseName, trial: setup.number, inFlight: isLost || !asked.inFlight.isEmpty ? 1 : 0,
      entering: asked.entering.isEmpty ? 0 : 1, lost: isLost ? [0] : [], guards: guards,
      hazards: last.map { event in
        var outcome = event.outcome
        let from = (event.start - window.started) / 1000
        outcome.evidence = "\(event.agent), \(from) µs after the I/O began: \(outcome.evidence)"
        return outcome
      },
      damage: state.findings.damage,
      isExplained: state.findings.kinds.isSubset(of: judge.scenario.losses),
      frameBefore: state.log.events.first { $0.end >= window.started && $0.frame != nil }?.frame,
      frameAfter: state.endFrame,
      offset: setup.transfer.offset, length: setup.transfer.length,
      timeline: isLost ? timeline(state, window) : [])
  }

  /// Marks kept of a lost read, the last ones.
  private static let marksKept = 60

  private func timeline(_ state: State, _ window: PageLog.Window) -> [Mark] {
    let from = state.filledAt
    var marks = state.log.events.filter { $0.end >= from && $0.start <= window.ended }.map {
      Mark(at: $0.end - from, agent: $0.agent, what: $0.outcome.text)
    }
    marks = Array(marks.suffix(Self.marksKept))
    let text = state.setup?.transfer.text ?? ""
    marks.append(Mark(at: window.started - from, agent: Timeline.Agent.io.rawValue, what: text))
    marks.append(Mark(at: window.ended - from, agent: Timeline.Agent.io.rawValue, what: "returned"))
    return marks.sorted { $0.at < $1.at }
  }
}
