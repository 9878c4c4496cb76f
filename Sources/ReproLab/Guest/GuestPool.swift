import Repro

/// Guests of several kernels, some at a time. Cases for which one CPU will do have a guest with one, and the others a
/// guest of their own: beside another guest a race has few exposures, so guests that race run one after the other once
/// all others are done. What a kernel's two said is one outcome.
public struct GuestPool: Sendable {
  /// How a kernel's guest went, or why there was none.
  public typealias Outcome = Result<GuestSession.Outcome, any Error>

  private let jobs: Int
  private let session: @Sendable (_ index: Int) throws -> GuestSession
  private let onEvent: @Sendable (_ index: Int, Event) -> Void

  /// - Parameters:
  ///   - jobs: guests at a time.
  ///   - onEvent: gets the events of each kernel, with its place in the list, as those of one run.
  ///   - session: describes the guest of a kernel, by its place in the list.
  public init(
    jobs: Int, onEvent: @escaping @Sendable (_ index: Int, Event) -> Void = { _, _ in },
    session: @escaping @Sendable (_ index: Int) throws -> GuestSession
  ) {
    self.jobs = jobs
    self.onEvent = onEvent
    self.session = session
  }

  /// Runs the guests of `kernels`.
  /// - Parameter onDone: called after each kernel, with how many are done.
  /// - Returns: the outcomes by place in `kernels`; none for those that a cancelled task did not start.
  public func run(
    _ kernels: [String], onDone: @escaping @Sendable (_ kernel: String, _ count: Int) -> Void
  ) async -> [Int: Outcome] {
    let splits = min(jobs, kernels.count) > 1
    var works = kernels.indices.map { index in
      Work(Result { try session(index) }.map { splits ? $0.splitByCPUs : [$0] })
    }
    var outcomes: [Int: Outcome] = [:]
    for races in [false, true] {
      var due = works.indices.filter { works[$0].isDue(races: races) }[...]
      await withTaskGroup(of: (Int, Outcome).self) { group in
        func start() {
          guard !Task.isCancelled, let index = due.popFirst() else { return }
          let next = works[index]
          group.addTask { (index, await next.attempt { onEvent(index, $0) }) }
        }
        for _ in 0..<(races ? 1 : jobs) { start() }
        for await (index, outcome) in group {
          works[index].take(outcome) { onEvent(index, $0) }
          if works[index].isDue(races: races) { due.append(index) }
          if let whole = works[index].whole {
            outcomes[index] = whole
            onDone(kernels[index], outcomes.count)
          }
          start()
        }
      }
    }
    return outcomes
  }

  /// A kernel's sessions, and how those that are over went.
  private struct Work: Sendable {
    let sessions: Result<[GuestSession], any Error>
    private var done: [Outcome] = []

    init(_ sessions: Result<[GuestSession], any Error>) { self.sessions = sessions }

    private var count: Int { (try? sessions.get().count) ?? 1 }

    /// Whether its next session is to be run among those that race, or those that do not: none is after one that could
    /// not be.
    func isDue(races: Bool) -> Bool {
      guard let sessions = try? sessions.get() else { return !races && done.isEmpty }
      return done.count < count && sessions[done.count].isRaced == races
        && done.allSatisfy { if case .success = $0 { true } else { false } }
    }

    func attempt(_ onEvent: @escaping @Sendable (Event) -> Void) async -> Outcome {
      do {
        let sessions = try sessions.get()
        let (isFirst, whole) = (done.isEmpty, sessions[0].whole)
        return .success(
          try await sessions[done.count].run { event in
            switch (event, whole) {
            case (.end, .some): break
            case (.run(var start), .some(let whole)):
              if !isFirst { return }
              (start.plan, start.cases) = whole
              // Rates of loss are of the cases that race, and count for as many as those have.
              start.processors = sessions.map(\.processors).max() ?? start.processors
              onEvent(.run(start))
              onEvent(.note(Note("cases for which one CPU will do have a guest of their own, with one")))
            default: onEvent(event)
            }
          })
      } catch {
        return .failure(error)
      }
    }

    /// - Parameter onEvent: gets the end of the whole, where it is made of two.
    mutating func take(_ outcome: Outcome, _ onEvent: (Event) -> Void) {
      done.append(outcome)
      if count > 1, case .success(let end)? = whole { onEvent(.end(end.end)) }
    }

    /// What all of it comes to, once it is over.
    var whole: Outcome? {
      guard case .success(let second)? = done.last else { return done.last }
      if done.count < count { return nil }
      guard done.count > 1, case .success(let first) = done[0], let session = try? sessions.get()[0] else {
        return done[0]
      }
      return .success(first.joined(with: second, session.whole?.cases ?? [], session.exitCodes))
    }
  }
}
